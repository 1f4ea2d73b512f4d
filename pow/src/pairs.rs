//! The kernels as hashers of the trees of `ledger-core`.

use ledger_core::merkle::{HashPairs, TwoBlocks};
use ledger_core::{Hash, MerkleTree};

use crate::kernel::Kernel;
use crate::kernel::headers::GROUP;
use crate::kernel::messages::{Blocks, START, States, digest, hash};
use crate::sha256::BLOCK;

/// The number of messages from which a group with unused lanes is faster than hashing one after the other.
const WORTH_A_GROUP: usize = 6;
/// The bytes of padding that every message has: the mark and the length in bits.
const PADDING: usize = 9;

/// Hashes groups of 16 messages side by side. The leaves of a group have equally many blocks: 64 bytes of SHA-256 each.
///
/// ```
/// use ledger_core::{Hash, MerkleTree};
/// use ledger_core::merkle::{HashPairs, root_by_levels};
/// use pow::Kernel;
///
/// let contents: [&[u8]; 100] = [b"16 at once"; 100];
/// let mut leaves = [Hash::ZERO; 100];
/// Kernel::best().hash_leaves(&contents, &mut leaves);
/// assert_eq!(leaves[99], MerkleTree::leaf(b"16 at once"));
/// let root = MerkleTree::root_of(&leaves);
/// assert_eq!(root_by_levels(&mut leaves, &mut Kernel::best()), root);
/// ```
impl HashPairs for Kernel {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        for (messages, hashes) in messages.chunks(GROUP).zip(hashes.chunks_mut(GROUP)) {
            if !self.is_worth_it(messages.len()) {
                for (message, out) in messages.iter().zip(hashes) {
                    *out = Hash::from_bytes(hash(message));
                }
                continue;
            }
            let mut states = START;
            for block in 0..2 {
                let blocks = messages.iter().filter_map(|message| message.get(block));
                self.add_blocks(&mut states, blocks.copied());
            }
            write_digests(&states, hashes);
        }
    }

    fn hash_leaves(&mut self, contents: &[&[u8]], hashes: &mut [Hash]) {
        let mut places = hashes;
        let mut rest = contents;
        while let [first, ..] = rest {
            let alike =
                rest.iter().take_while(|other| blocks_of(other) == blocks_of(first)).count();
            let (contents, others) = rest.split_at_checked(alike).unwrap_or_default();
            let (hashes, after) = places.split_at_mut(alike.min(places.len()));
            for (contents, hashes) in contents.chunks(GROUP).zip(hashes.chunks_mut(GROUP)) {
                self.hash_group_of_leaves(contents, hashes);
            }
            rest = others;
            places = after;
        }
    }
}

impl Kernel {
    fn is_worth_it(self, messages: usize) -> bool {
        self.has_lanes() && messages >= WORTH_A_GROUP
    }

    /// Hashes leaves of equally many blocks.
    fn hash_group_of_leaves(self, contents: &[&[u8]], hashes: &mut [Hash]) {
        if !self.is_worth_it(contents.len()) {
            for (content, out) in contents.iter().zip(hashes) {
                *out = MerkleTree::leaf(content);
            }
            return;
        }
        let count = contents.first().map_or(0, |content| blocks_of(content));
        let mut states = START;
        for index in 0..count {
            let blocks = contents.iter().map(|content| leaf_block(content, index, count));
            self.add_blocks(&mut states, blocks);
        }
        write_digests(&states, hashes);
    }

    /// Hashes the next block of each message.
    fn add_blocks(self, states: &mut States, blocks: impl Iterator<Item = [u8; BLOCK]>) {
        let mut group: Blocks = [[0; BLOCK]; GROUP];
        group.iter_mut().zip(blocks).for_each(|(place, block)| *place = block);
        self.compress(states, &group);
    }
}

fn write_digests(states: &States, hashes: &mut [Hash]) {
    for (lane, out) in hashes.iter_mut().enumerate() {
        *out = Hash::from_bytes(digest(states, lane));
    }
}

/// Returns the number of blocks of the leaf with this content.
fn blocks_of(content: &[u8]) -> usize {
    content.len().saturating_add(1).saturating_add(PADDING).div_ceil(BLOCK)
}

/// Returns a block of the leaf with this content, which has `count` blocks: a zero byte, the content, and the padding of FIPS
/// 180-4, section 5.1.1.
fn leaf_block(content: &[u8], index: usize, count: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let start = index.saturating_mul(BLOCK);
    let skipped = usize::from(index == 0); // the zero byte
    let from = content.get(start.saturating_add(skipped).saturating_sub(1)..).unwrap_or_default();
    let places = block.get_mut(skipped..).unwrap_or_default();
    places.iter_mut().zip(from).for_each(|(place, byte)| *place = *byte);
    let end = content.len().saturating_add(1);
    if let Some(mark) = end.checked_sub(start).and_then(|at| block.get_mut(at)) {
        *mark = 0x80;
    }
    if index.saturating_add(1) == count
        && let Some(length) = block.last_chunk_mut()
    {
        let bits = u64::try_from(end).unwrap_or(u64::MAX).saturating_mul(8);
        *length = bits.to_be_bytes();
    }
    block
}
