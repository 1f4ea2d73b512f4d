//! Where a node begins: at block 0, or at the block of a snapshot.

use super::config::NodeConfig;
use super::orphans::OrphanSlot;
use super::storage::NodeParts;
use super::tree::TreeRoot;
use crate::branch::Branch;
use crate::chain::check_capacity;
use crate::engine::{Tip, Weight};
use crate::error::ConfigError;
use crate::execute::allocate;
use crate::groups::GroupHasher;
use crate::hash::{GenesisId, Hash};
use crate::header::{Header, Height};
use crate::spec::ChainSpec;
use crate::state::{JournalSlot, Store as _, TrieMut, TrieRoot};
use crate::times::Times;

/// What is known of the first root of a node, besides the engine there. It is small, unlike the node: what makes it does not
/// stand on the stack beside the node.
#[derive(Debug)]
pub(super) struct Start<'s> {
    pub(super) genesis: GenesisId,
    pub(super) tip: Tip,
    pub(super) times: Times,
    pub(super) header: Option<&'s Header>, // unless the root is block 0
    pub(super) peaks: Peaks<'s>,           // of the history before the root
    pub(super) tree: TreeRoot,
    pub(super) trie: TrieRoot,
}

/// The state of the first root of a node, in the storage.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) genesis: GenesisId,
    pub(super) tree: TreeRoot,
    pub(super) trie: TrieRoot,
    pub(super) state: Hash, // its root
}

/// The roots of the complete subtrees of a history, the largest one first.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peaks<'s> {
    /// Of a snapshot.
    Bytes(&'s [[u8; 32]]),
    /// Of a tree.
    Hashes(&'s [Hash]),
}

impl Start<'_> {
    /// Returns the start at block 0, whose state was filled.
    #[inline(never)] // builds the start where the caller wants it
    pub(super) fn at_block_0(filled: &Filled, time: u64) -> Self {
        Self {
            genesis: filled.genesis,
            tip: Tip {
                height: Height(0),
                id: filled.genesis.block_id(),
                time,
                state: filled.state,
                weight: Weight(0),
            },
            times: Times::starting_at(time),
            header: None,
            peaks: Peaks::Bytes(&[]),
            tree: filled.tree,
            trie: filled.trie,
        }
    }

    /// Returns the header of the root, unless that is block 0.
    #[inline(never)] // builds the header where the caller wants it
    pub(super) fn header(&self) -> Option<Header> {
        self.header.copied()
    }

    /// Returns the branch that ends in the root. `engine` is as it was there.
    #[inline(never)] // builds the branch where the caller wants it
    pub(super) fn branch<E: Clone>(&self, engine: &E) -> Branch<E> {
        Branch { genesis: self.genesis, tip: self.tip, engine: engine.clone(), times: self.times }
    }
}

impl<'s> Peaks<'s> {
    /// Returns a root, or zeros beyond the last one.
    pub(super) fn get(&self, at: usize) -> Hash {
        let peak = match self {
            Self::Bytes(bytes) => bytes.get(at).copied().map(Hash::from_bytes),
            Self::Hashes(hashes) => hashes.get(at).copied(),
        };
        peak.unwrap_or(Hash::ZERO)
    }

    /// Returns the roots, the smallest subtree first.
    pub(super) fn smallest_first(self) -> impl Iterator<Item = Hash> + 's {
        let (bytes, hashes): (&[[u8; 32]], &[Hash]) = match self {
            Self::Bytes(bytes) => (bytes, &[]),
            Self::Hashes(hashes) => (&[], hashes),
        };
        let bytes = bytes.iter().rev().map(|bytes| Hash::from_bytes(*bytes));
        bytes.chain(hashes.iter().rev().copied())
    }
}

/// Clears the storage and fills the state of block 0.
#[inline(never)] // what it needs does not stand on the stack beside the new node
pub(super) fn fill_block_0(
    spec: &ChainSpec<'_>,
    config: &NodeConfig,
    genesis: GenesisId,
    parts: &mut NodeParts<'_>,
    mut hasher: GroupHasher<'_>,
) -> Result<Filled, ConfigError> {
    check_parts(spec, config, parts)?;
    let (tree, mut trie) = clear(config.seed, parts);
    let hasher = hasher.reborrow();
    let mut entries = TrieMut { root: &mut trie, slots: parts.entries, hasher };
    allocate(spec, &mut entries)?;
    let state = entries.root();
    Ok(Filled { genesis, tree, trie, state })
}

/// Clears all regions.
pub(super) fn clear(seed: u64, parts: &mut NodeParts<'_>) -> (TreeRoot, TrieRoot) {
    parts.journal.fill(JournalSlot::EMPTY);
    parts.orphans.fill(OrphanSlot::EMPTY);
    parts.block.fill(0);
    (TreeRoot::clear(seed, parts.headers), TrieRoot::clear(parts.entries))
}

/// Checks that the storage holds what the rules and the depth ask for.
fn check_parts(
    spec: &ChainSpec<'_>,
    config: &NodeConfig,
    parts: &NodeParts<'_>,
) -> Result<(), ConfigError> {
    config.check()?;
    check_capacity(&spec.rules, parts.entries.len(), parts.journal.len())?;
    let needed = config.journal_len(&spec.rules);
    let capacity = parts.journal.len();
    if capacity < needed {
        return Err(ConfigError::JournalTooSmall { needed, capacity });
    }
    let needed = config.headers_len();
    let capacity = parts.headers.len();
    if capacity < needed {
        return Err(ConfigError::TreeTooSmall { needed, capacity });
    }
    let needed = usize::try_from(spec.rules.max_block_len).unwrap_or(usize::MAX);
    let capacity = parts.block.len();
    if capacity < needed {
        return Err(ConfigError::BlockBufferTooSmall { needed, capacity });
    }
    Ok(())
}
