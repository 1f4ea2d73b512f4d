//! The hash trees of BitTorrent v2 (BEP 52): SHA-256 over blocks of 16 KiB, two by two up to a root.
//!
//! ```
//! use bittorrent_pieces::merkle::{MerkleHasher, pad_hash};
//!
//! let mut tree = MerkleHasher::new();
//! tree.update(&[7; 20_000]); // two leaves: 16 KiB and the rest
//! let root = tree.finish(1);
//! assert_ne!(root, pad_hash(1)); // the root of a tree of that height without content
//! ```

use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

use crate::block::{BLOCK_LEN, PieceIndex};
use crate::index::{count, slot};

/// A SHA-256 of a node of a tree.
pub type MerkleHash = [u8; 32];

/// More levels than any content has: 2^40 blocks.
const LEVELS: usize = 41;
/// The levels of a layer in memory, but for the root: its pieces have numbers of 32 bits, and at most 2^31 bytes are a slice
/// in an address space of 32 bits.
const LAYER_LEVELS: usize = if usize::BITS > 32 { 32 } else { 26 };
/// The levels of [`node`], but for the root.
const NODE_LEVELS: usize = 16;
/// The levels of a piece, whose length has 32 bits.
const PIECE_LEVELS: usize = 19;

/// Hashes content to the root of its tree, from slices of any length, in order. It takes about 1.5 KB.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MerkleHasher(BlockHasher<LEVELS>);

impl MerkleHasher {
    /// Creates a hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update_with(bytes, |_| ());
    }

    /// Returns the root of a tree of a height; missing leaves are zeros. The last block is hashed as it
    /// is. See [`height`].
    #[must_use]
    pub fn finish(mut self, height: u8) -> MerkleHash {
        self.0.root(height)
    }
}

/// Hashes a piece: a [`MerkleHasher`] of half the size.
pub(crate) type PieceTree = BlockHasher<PIECE_LEVELS>;

/// Hashes blocks, and these to a root; of at most 2^(`N` - 1) blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockHasher<const N: usize> {
    block: Sha256,
    filled: u32, // bytes of the block
    tree: Tree<N>,
}

impl<const N: usize> PartialEq for BlockHasher<N> {
    /// Compares what both have hashed so far.
    fn eq(&self, other: &Self) -> bool {
        let same_block = || self.block.clone().finalize() == other.block.clone().finalize();
        self.filled == other.filled && self.tree == other.tree && same_block()
    }
}

impl<const N: usize> BlockHasher<N> {
    /// Hashes the next bytes, and calls `leaf` with the hash of each block that they complete.
    pub(crate) fn update_with(&mut self, mut bytes: &[u8], mut leaf: impl FnMut(MerkleHash)) {
        while !bytes.is_empty() {
            let room = slot(BLOCK_LEN.saturating_sub(self.filled));
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.update(head);
            self.filled = self.filled.saturating_add(count(head.len()));
            if self.filled == BLOCK_LEN {
                self.close().into_iter().for_each(&mut leaf);
            }
            bytes = rest;
        }
    }

    /// Ends the block that is not full, if there is one, and returns its leaf.
    pub(crate) fn close(&mut self) -> Option<MerkleHash> {
        if self.filled == 0 {
            return None;
        }
        let leaf = self.block.finalize_reset().into();
        self.tree.push(leaf);
        self.filled = 0;
        Some(leaf)
    }

    /// Ends the last block, and returns the root of a tree of a height.
    pub(crate) fn root(&mut self, height: u8) -> MerkleHash {
        self.close();
        self.tree.root(height, [0; 32])
    }
}

/// Returns the height of the tree over this number of leaves: the next power of two holds them.
#[must_use]
pub fn height(leaves: u64) -> u8 {
    let bits = u64::BITS.saturating_sub(leaves.saturating_sub(1).leading_zeros());
    if leaves < 2 { 0 } else { u8::try_from(bits).unwrap_or(u8::MAX) }
}

/// Returns the height of the tree below a node of the piece layer. The length is a power of two from
/// 16 KiB on.
#[must_use]
pub fn piece_height(piece_len: u32) -> u8 {
    height(u64::from(piece_len / BLOCK_LEN))
}

/// Returns the root of a tree whose leaves are all zeros: it stands for missing pieces in a layer.
#[must_use]
pub fn pad_hash(height: u8) -> MerkleHash {
    (0..height).fold([0; 32], |hash, _| join(&hash, &hash))
}

/// Returns the root above a layer, whose missing nodes are `pad`.
#[must_use]
pub fn layer_root<'h>(
    layer: impl IntoIterator<Item = &'h MerkleHash>,
    pad: MerkleHash,
) -> MerkleHash {
    Tree::<LEVELS>::over(layer).top(pad)
}

/// Does what [`layer_root`] does, for a layer in memory.
pub(crate) fn slice_root(layer: &[MerkleHash], pad: MerkleHash) -> MerkleHash {
    Tree::<LAYER_LEVELS>::over(layer).top(pad)
}

/// The number of pieces below one node of [`PieceHashes::runs`](crate::PieceHashes::runs).
pub const RUN: usize = 512;

/// Returns the height of these nodes, from that of the pieces.
pub(crate) fn run_height(pieces: u8) -> u8 {
    pieces.saturating_add(RUN.ilog2().try_into().unwrap_or(u8::MAX))
}

/// Returns a node at a height by its number, from the nodes of a lower layer; what is missing on the right is
/// padding. At most 2^16 nodes are below it.
pub(crate) fn node(layer: &[MerkleHash], of: u8, height: u8, index: usize) -> MerkleHash {
    let levels = height.saturating_sub(of);
    let width = 1_usize.checked_shl(levels.into()).unwrap_or(usize::MAX);
    let start = index.saturating_mul(width).min(layer.len());
    let below = layer.get(start..start.saturating_add(width).min(layer.len()));
    node_over(below.unwrap_or_default(), levels, pad_hash(of))
}

/// Returns the root at a number of levels above at most 2^16 nodes.
#[inline(never)] // its tree is not in use while padding is hashed
fn node_over(below: &[MerkleHash], levels: u8, pad: MerkleHash) -> MerkleHash {
    Tree::<NODE_LEVELS>::over(below).root(levels, pad)
}

/// Returns the root above a node, from the siblings on the way up; `index` is its number in its layer.
#[must_use]
pub fn proof_root<'h>(
    node: MerkleHash,
    index: u64,
    uncles: impl IntoIterator<Item = &'h MerkleHash>,
) -> MerkleHash {
    let (root, _) = uncles.into_iter().fold((node, index), |(node, index), uncle| {
        let up = if index & 1 == 0 { join(&node, uncle) } else { join(uncle, &node) };
        (up, index >> 1)
    });
    root
}

/// A layer of hashes of a file, as in `piece layers`.
///
/// ```
/// use bittorrent_pieces::merkle::{MerkleHasher, PieceLayer};
///
/// let file = [7; 40_000]; // two pieces of 32 KiB
/// let pieces = file.chunks(32_768).map(|piece| {
///     let mut tree = MerkleHasher::new();
///     tree.update(piece);
///     tree.finish(1)
/// });
/// let layer: Vec<_> = pieces.collect();
/// let mut tree = MerkleHasher::new();
/// tree.update(&file);
/// assert_eq!(PieceLayer::new(&layer).root(32_768), tree.finish(2));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PieceLayer<'a>(&'a [MerkleHash]);

impl<'a> PieceLayer<'a> {
    /// Reads a layer from bytes; `None` if their number is not a multiple of 32.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Self(hashes))
    }

    /// Creates a layer from computed hashes.
    #[must_use]
    pub const fn new(hashes: &'a [MerkleHash]) -> Self {
        Self(hashes)
    }

    /// Returns the number of pieces.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no piece.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the hash of a piece.
    #[must_use]
    pub fn of(&self, piece: PieceIndex) -> Option<&'a MerkleHash> {
        self.0.get(piece.slot())
    }

    /// Returns all hashes.
    #[must_use]
    pub const fn hashes(&self) -> &'a [MerkleHash] {
        self.0
    }

    /// Returns the root of the file.
    #[must_use]
    pub fn root(&self, piece_len: u32) -> MerkleHash {
        slice_root(self.0, pad_hash(piece_height(piece_len)))
    }
}

/// A tree that grows from the left: of each level the node that still lacks its right sibling, the lowest last.
#[derive(Debug, Clone, Default, PartialEq)]
struct Tree<const N: usize> {
    leaves: u64, // a bit for each level that has such a node
    waiting: heapless::Vec<MerkleHash, N>,
}

impl<const N: usize> Tree<N> {
    fn over<'h>(leaves: impl IntoIterator<Item = &'h MerkleHash>) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    fn push(&mut self, leaf: MerkleHash) {
        let mut hash = leaf;
        for _ in 0..self.leaves.trailing_ones() {
            let left = self.waiting.pop().unwrap_or_default(); // there is one
            hash = join(&left, &hash);
        }
        let _ = self.waiting.push(hash); // it fits: there are at most as many nodes as levels
        self.leaves = self.leaves.saturating_add(1);
    }

    /// Returns the root of the lowest tree that holds all leaves.
    fn top(&self, pad: MerkleHash) -> MerkleHash {
        self.root(height(self.leaves), pad)
    }

    /// Returns the root at a height; what is missing on the right is `pad` at the level of the leaves.
    fn root(&self, height: u8, mut pad: MerkleHash) -> MerkleHash {
        let mut waiting = self.waiting.iter().rev();
        let mut right: Option<MerkleHash> = None;
        for level in 0..u32::from(height) {
            let waits = self.leaves.checked_shr(level).unwrap_or(0) & 1 == 1;
            let left = if waits { waiting.next() } else { None };
            right = match (left, right) {
                (Some(left), Some(right)) => Some(join(left, &right)),
                (Some(left), None) => Some(join(left, &pad)),
                (None, Some(right)) => Some(join(&right, &pad)),
                (None, None) => None,
            };
            pad = join(&pad, &pad);
        }
        right.or_else(|| waiting.next().copied()).unwrap_or(pad)
    }
}

/// The state of SHA-256 before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6A09_E667,
    0xBB67_AE85,
    0x3C6E_F372,
    0xA54F_F53A,
    0x510E_527F,
    0x9B05_688C,
    0x1F83_D9AB,
    0x5BE0_CD19,
];
/// The block that ends a message of 64 bytes: a bit, zeros, and its length of 512 bits.
const PADDING: [u8; 64] = {
    let mut block = [0; 64];
    let [first, .., length, _] = &mut block;
    *first = 0x80;
    *length = 0x02;
    block
};

/// Returns the SHA-256 of two nodes, without the buffer of a hasher.
fn join(left: &MerkleHash, right: &MerkleHash) -> MerkleHash {
    let pair = [*left, *right];
    let (block, _) = pair.as_flattened().as_chunks();
    let mut state = INITIAL;
    compress256(&mut state, block);
    compress256(&mut state, core::slice::from_ref(&PADDING));
    let mut hash = [0; 32];
    for (to, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    hash
}
