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

use sha2::{Digest as _, Sha256};

use crate::block::{BLOCK_LEN, PieceIndex};
use crate::index::{count, slot};

/// A SHA-256 of a node of a tree.
pub type MerkleHash = [u8; 32];

/// More levels than any content has: 2^40 blocks.
const LEVELS: usize = 41;
/// The levels of a tree of few nodes. Clearing room for all levels takes longer than hashing two nodes.
const FEW_LEVELS: usize = 9;
/// The most leaves of such a tree.
const FEW: usize = 1 << 8;

/// Hashes content to the root of its tree, from slices of any length, in order. It takes about 1.5 KB.
#[derive(Debug, Clone)]
pub struct MerkleHasher {
    block: Sha256,
    filled: u32, // bytes of the block
    tree: Tree,
}

impl PartialEq for MerkleHasher {
    /// Compares what both have hashed so far.
    fn eq(&self, other: &Self) -> bool {
        let same_block = || self.block.clone().finalize() == other.block.clone().finalize();
        self.filled == other.filled && self.tree == other.tree && same_block()
    }
}

impl Default for MerkleHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl MerkleHasher {
    /// Creates a hasher.
    #[must_use]
    pub fn new() -> Self {
        Self { block: Sha256::new(), filled: 0, tree: Tree::new() }
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_with(bytes, |_| ());
    }

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

    /// Returns the root of a tree of a height; missing leaves are zeros. The last block is hashed as it
    /// is. See [`height`].
    #[must_use]
    pub fn finish(mut self, height: u8) -> MerkleHash {
        self.close();
        self.tree.root(height, [0; 32])
    }

    /// Ends the block that is not full, if there is one, and returns its leaf.
    pub(crate) fn close(&mut self) -> Option<MerkleHash> {
        if self.filled == 0 {
            return None;
        }
        let leaf = core::mem::take(&mut self.block).finalize().into();
        self.tree.push(leaf);
        self.filled = 0;
        Some(leaf)
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
    let tree = Tree::<LEVELS>::over(layer);
    let height = height(tree.leaves);
    tree.root(height, pad)
}

/// Does what [`layer_root`] does.
pub(crate) fn slice_root(layer: &[MerkleHash], pad: MerkleHash) -> MerkleHash {
    if layer.len() > FEW {
        return layer_root(layer, pad);
    }
    let tree = Tree::<FEW_LEVELS>::over(layer);
    let height = height(tree.leaves);
    tree.root(height, pad)
}

/// The number of pieces below one node of [`PieceHashes::runs`](crate::PieceHashes::runs).
pub const RUN: usize = 512;

/// Returns the height of these nodes, from that of the pieces.
pub(crate) fn run_height(pieces: u8) -> u8 {
    pieces.saturating_add(RUN.ilog2().try_into().unwrap_or(u8::MAX))
}

/// Returns a node at a height by its number, from the nodes of a lower layer; what is missing on the right is
/// padding.
pub(crate) fn node(layer: &[MerkleHash], of: u8, height: u8, index: usize) -> MerkleHash {
    let levels = height.saturating_sub(of).into();
    let width = 1_usize.checked_shl(levels).unwrap_or(usize::MAX);
    let start = index.saturating_mul(width).min(layer.len());
    let below = layer.get(start..start.saturating_add(width).min(layer.len()));
    Tree::<LEVELS>::over(below.unwrap_or_default()).root(height.saturating_sub(of), pad_hash(of))
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

/// A tree that grows from the left: of each level the node that still lacks its right sibling.
#[derive(Debug, Clone, PartialEq)]
struct Tree<const N: usize = LEVELS> {
    leaves: u64,
    waiting: [MerkleHash; N],
}

impl<const N: usize> Tree<N> {
    const fn new() -> Self {
        Self { leaves: 0, waiting: [[0; 32]; N] }
    }

    fn over<'h>(leaves: impl IntoIterator<Item = &'h MerkleHash>) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    fn push(&mut self, leaf: MerkleHash) {
        let mut hash = leaf;
        for (level, waiting) in (0_u32..).zip(&mut self.waiting) {
            if self.leaves.checked_shr(level).unwrap_or(0) & 1 == 0 {
                *waiting = hash;
                break;
            }
            hash = join(waiting, &hash);
        }
        self.leaves = self.leaves.saturating_add(1);
    }

    /// Returns the root at a height; what is missing on the right is `pad` at the level of the leaves.
    fn root(self, height: u8, mut pad: MerkleHash) -> MerkleHash {
        let mut right: Option<MerkleHash> = None;
        for (level, waiting) in (0..u32::from(height)).zip(&self.waiting) {
            let waits = self.leaves.checked_shr(level).unwrap_or(0) & 1 == 1;
            right = match (waits, right) {
                (true, Some(right)) => Some(join(waiting, &right)),
                (true, None) => Some(join(waiting, &pad)),
                (false, Some(right)) => Some(join(&right, &pad)),
                (false, None) => None,
            };
            pad = join(&pad, &pad);
        }
        let full = self.waiting.get(usize::from(height)).copied();
        right.or(full.filter(|_| self.leaves > 0)).unwrap_or(pad)
    }
}

fn join(left: &MerkleHash, right: &MerkleHash) -> MerkleHash {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}
