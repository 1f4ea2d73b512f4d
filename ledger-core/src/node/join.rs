//! Joining by a snapshot: the headers of the chain, then the state after one that is deep enough, chunk by chunk.

use core::time::Duration;

use thiserror::Error;

use super::chunk::Chunk;
use super::inner::Inner;
use super::machine::Node;
use super::start::{Peaks, Start, clear};
use super::storage::NodeStorage;
use crate::block::SealedHeader;
use crate::branch::{Branch, HeaderBranch};
use crate::engine::{Engine, Tip};
use crate::error::DecodeError;
use crate::gossip::{BlockVerdict, Headers};
use crate::header::{Header, Height};
use crate::ledger::Ledger;
use crate::merkle::MerkleTree;
use crate::state::{Key, MapProofError, Store as _, TrieMut};

/// Follows the headers of one peer from block 0, and keeps the one at the height of a snapshot. Its memory is constant.
///
/// All that a node needs besides the state follows from the headers: the engine, unless it
/// [depends on effects](Engine::depends_on_effects), the weight, the times and the history.
/// With several peers, follow each one, and take the heaviest branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFollower<E> {
    branch: HeaderBranch<E>,
    target: Height,
    base: Option<JoinBase<E>>,
}

/// A header whose state may be downloaded, from [`HeaderFollower::base`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinBase<E> {
    branch: Branch<E>,
    header: Header,
    history: MerkleTree, // of the ids before the header
}

/// Collects the state after a block from chunks, each of which is verified as it comes. Then it becomes a node.
///
/// A chunk begins where the one before ended, and proves its last entry. What the proof says about all entries to the left
/// must be what was received: so a peer that sends a wrong, missing or surplus entry is found out with that chunk.
///
/// ```
/// use ledger_core::ledger::Ledger;
/// use ledger_core::node::{ChunkError, Join, NodeStorage, SnapshotSource};
/// use ledger_core::{Engine, Slot};
///
/// /// Copies a state. Over a network the chunks are those of `gossip::Message::Snapshot`.
/// fn copy<E: Engine, L: Ledger, S: NodeStorage>(
///     source: &mut SnapshotSource<Vec<Slot>>,
///     join: &mut Join<E, L, S>,
/// ) -> Result<(), ChunkError> {
///     let mut chunk = [0; 9000];
///     while let Some(key) = join.next_key() {
///         let len = source.chunk(&key, &mut chunk).ok().flatten().unwrap_or(0);
///         join.handle_chunk(&chunk[..len])?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Join<E: Engine, L, S> {
    inner: Inner<E>,
    ledger: L,
    storage: S,
    last: Option<Key>,
    is_complete: bool,
}

/// Why a chunk is refused. But for `Complete` it is the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChunkError {
    /// The bytes are not a chunk in canonical form.
    #[error("malformed chunk: {0}")]
    Decode(DecodeError),
    /// It does not begin after the last entry.
    #[error("the chunk begins before the entry that is next")]
    WrongStart,
    /// The last entry is not in the state.
    #[error("{0}")]
    Proof(MapProofError),
    /// The last entry has another value.
    #[error("the last entry has another value")]
    WrongValue,
    /// Entries are wrong, missing or surplus.
    #[error("the entries are not those up to the last one")]
    WrongEntries,
    /// There are more entries than the rules allow.
    #[error("more than the {max_entries} entries that the rules allow")]
    TooManyEntries {
        /// The limit.
        max_entries: u32,
    },
    /// All entries were received. The caller's mistake.
    #[error("all entries were received")]
    Complete,
}

impl<E: Engine> HeaderFollower<E> {
    /// Creates one that follows the chain of a node from its newest final block, block 0 if it is new, to a snapshot of
    /// the block at height `target`.
    pub fn new<L, S: NodeStorage>(node: &Node<E, L, S>, target: Height) -> Self {
        Self { branch: node.inner.root_branch(), target, base: None }
    }

    /// Returns the last header.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.branch.end.tip
    }

    /// Returns the height of the snapshot.
    #[must_use]
    pub const fn target(&self) -> Height {
        self.target
    }

    /// Handles the headers of a message: all of them are checked, and but for the one at the target forgotten. Pass the
    /// verdict to [`Gossip::handle_header_checked`](crate::gossip::Gossip::handle_header_checked). `None` means that the
    /// peer has no more.
    ///
    /// After `Orphan` the peer has changed over to another branch: begin with a new follower.
    pub fn handle_headers(&mut self, now: Duration, headers: &Headers<'_>) -> Option<BlockVerdict> {
        let before = self.tip().height;
        for bytes in headers {
            let Ok((sealed, _)) = SealedHeader::decode(bytes) else { continue };
            if sealed.header.height > self.tip().height
                && let Err(verdict) = self.add(&sealed, now)
            {
                return Some(verdict);
            }
        }
        let goes_on = headers.has_more() && self.tip().height > before;
        goes_on.then_some(BlockVerdict::Weighed { after: self.tip().id })
    }

    fn add(&mut self, sealed: &SealedHeader<'_>, now: Duration) -> Result<(), BlockVerdict> {
        let checked = self.branch.check_unexecuted(sealed, now.as_secs());
        let weight = checked.map_err(|refused| BlockVerdict::of_refused(&refused))?;
        self.branch.move_end(sealed, weight);
        if sealed.header.height == self.target {
            self.base = Some(JoinBase {
                branch: self.branch.end.clone(),
                header: sealed.header,
                history: self.branch.history.clone(),
            });
        }
        self.branch.push_end();
        Ok(())
    }

    /// Returns the header at the target, once `depth` headers follow it or the engine says that it is final.
    #[must_use]
    pub fn base(&self, depth: u32) -> Option<JoinBase<E>> {
        let deep = self.target.0.saturating_add(u64::from(depth));
        let is_final =
            self.branch.end.engine.finalized().is_some_and(|height| height >= self.target);
        let base = self.base.as_ref();
        base.filter(|_| is_final || self.tip().height.0 >= deep).cloned()
    }
}

impl<E> JoinBase<E> {
    /// Returns the block whose state is to be downloaded.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.branch.tip
    }
}

impl<E: Engine, L: Ledger, S: NodeStorage> Join<E, L, S> {
    /// Begins to collect the state after a block. `node` gives its rules, configuration, ledger and storage, which is
    /// cleared; `base` is of the same chain.
    #[must_use]
    pub fn new(node: Node<E, L, S>, base: JoinBase<E>) -> Self {
        let Node { inner, ledger, mut storage } = node;
        let (mut parts, hasher) = storage.parts_and_hasher();
        let (tree, mut trie) = clear(inner.config.seed, &mut parts);
        TrieMut { root: &mut trie, slots: parts.entries, hasher }.root(); // as it is after each chunk
        let Branch { genesis, tip, engine, times } = base.branch;
        let peaks = Peaks::Hashes(base.history.peaks());
        let start = Start { genesis, tip, times, header: Some(&base.header), peaks, tree, trie };
        let inner = Inner::new(&inner.rules, &inner.config, &engine, &start);
        Self { inner, ledger, storage, last: None, is_complete: false }
    }

    /// Returns the block whose state is collected.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.inner.root.tip
    }

    /// Returns the number of entries so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.inner.trie.count()
    }

    /// Returns whether no entry was received.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the key from which on the next chunk is to be asked for, or `None` if all entries were received.
    #[must_use]
    pub fn next_key(&self) -> Option<Key> {
        if self.is_complete {
            return None;
        }
        let mut key = self.last.map_or([0; 32], |last| *last.as_bytes());
        if self.last.is_some() {
            for byte in key.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
        Some(Key::from_bytes(key))
    }

    /// Verifies and adds a chunk that begins at [`next_key`](Self::next_key).
    ///
    /// # Errors
    ///
    /// [`ChunkError`]; nothing has changed.
    pub fn handle_chunk(&mut self, bytes: &[u8]) -> Result<(), ChunkError> {
        if self.is_complete {
            return Err(ChunkError::Complete);
        }
        let decoded = Chunk::decode(bytes);
        let chunk = decoded.as_ref().map_err(|error| ChunkError::Decode(*error))?;
        let first = chunk.entries().next().map(|(key, _)| key);
        if self.last.is_some_and(|last| first.is_none_or(|first| first <= last)) {
            return Err(ChunkError::WrongStart);
        }
        let (last, value) = chunk.last;
        let proved = chunk.proof.verify(&self.inner.root.tip.state, &last);
        if proved.map_err(ChunkError::Proof)? != Some(value.hash()) {
            return Err(ChunkError::WrongValue);
        }
        self.insert(chunk)?;
        self.last = Some(last);
        self.is_complete = chunk.proof.is_last(&last);
        Ok(())
    }

    /// Adds the entries of a chunk, or none if they are not those that its proof covers.
    fn insert(&mut self, chunk: &Chunk<'_>) -> Result<(), ChunkError> {
        let max_entries = self.inner.rules.max_entries;
        let most = usize::try_from(max_entries).unwrap_or(usize::MAX);
        let (parts, hasher) = self.storage.parts_and_hasher();
        let mut state = TrieMut { root: &mut self.inner.trie, slots: parts.entries, hasher };
        let before = state.len();
        let mut result = Ok(());
        for (key, value) in chunk.entries() {
            if state.len() >= most || state.replace(&key, Some(&value)).is_err() {
                result = Err(ChunkError::TooManyEntries { max_entries });
                break;
            }
        }
        if result.is_ok() && !state.is_left_of(&chunk.last.0, &chunk.proof) {
            result = Err(ChunkError::WrongEntries);
        }
        if result.is_err() {
            // The last one first, so that the free slots are listed as before.
            while state.len() > before
                && let Some(key) = state.last_key()
                && state.replace(&key, None).is_ok()
            {}
            state.root();
        }
        result
    }

    /// Returns the node, whose chain ends in the block of the snapshot, or `None` if entries are missing.
    pub fn into_node(self) -> Option<Node<E, L, S>> {
        let Self { inner, ledger, storage, is_complete, .. } = self;
        is_complete.then_some(Node { inner, ledger, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}
