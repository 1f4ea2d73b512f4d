//! Checking a piece in slices of the caller's choice.

use super::padding::Padding;
use crate::block::{Block, PieceIndex};
use crate::geometry::Geometry;
use crate::hash::{PieceHasher, PieceHashes};
use crate::index::{count, slot};
use crate::merkle::{MerkleHash, PieceTree};

/// A piece on its way through the hashes: take it from [`Torrent::check`](crate::Torrent::check), feed it
/// the bytes in order, as many at a time as the caller has time for, and pass it to
/// [`Torrent::handle_checked`](crate::Torrent::handle_checked). Several may be under way, also in
/// other threads. It takes about 0.9 KB.
///
/// ```
/// use bittorrent_pieces::{Geometry, PieceCheck, PieceHasher, PieceHashes, PieceIndex};
///
/// let piece = [7; 40_000];
/// let digest = [PieceHasher::digest(&piece)];
/// let hashes = PieceHashes::new(&digest);
/// let mut check = PieceCheck::new(Geometry::new(40_000, 65_536)?, hashes, PieceIndex(0));
/// while let Some(block) = check.next(16_384) {
///     check.hash_step(&piece[block.begin as usize..][..block.len as usize]);
/// }
/// assert_eq!(check.passed(hashes), Some(true));
/// # Ok::<(), bittorrent_pieces::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PieceCheck {
    piece: PieceIndex,
    len: u32,     // without padding
    padding: u32, // bytes, which v2 has not
    at: u32,
    v1: Option<PieceHasher>,
    v2: Option<(PieceTree, u8)>, // and the height of its tree
}

impl PieceCheck {
    /// Begins to check a piece against what `hashes` has of it: SHA-1, the tree of v2, or both. For pieces
    /// that are found in storage at the start; while it runs, see [`Torrent::check`](crate::Torrent::check).
    #[must_use]
    pub fn new(geometry: Geometry<'_>, hashes: PieceHashes<'_>, piece: PieceIndex) -> Self {
        let height = geometry.tree_height(piece);
        let v2 = hashes.layer().of(piece).map(|_| (PieceTree::default(), height));
        let v1 = hashes.of(piece).map(|_| PieceHasher::new());
        Self { piece, len: geometry.piece_len(piece), padding: 0, at: 0, v1, v2 }
    }

    /// Declares the last `bytes` bytes of the piece padding (BEP 47), which need not be read.
    #[must_use]
    pub fn with_padding(mut self, bytes: u32) -> Self {
        let len = self.len.saturating_add(self.padding);
        self.padding = bytes.min(len);
        self.len = len.saturating_sub(self.padding);
        self
    }

    /// Returns the piece.
    #[must_use]
    pub const fn piece(&self) -> PieceIndex {
        self.piece
    }

    /// Returns what to read from storage next, at most `most` bytes; `None` once all of it was hashed.
    #[must_use]
    pub fn next(&self, most: u32) -> Option<Block> {
        let left = self.len.saturating_sub(self.at);
        let len = left.min(most.max(1));
        (left > 0).then_some(Block { piece: self.piece, begin: self.at, len })
    }

    /// Hashes the next bytes of the piece; what is beyond its end is left alone.
    pub fn hash_step(&mut self, bytes: &[u8]) {
        self.hash_leaves(bytes, |_| ());
    }

    /// Does what [`hash_step`](Self::hash_step) does, and passes `leaf` the SHA-256 of each block that ends in
    /// these bytes, in order; a v1 torrent has no such hashes. They are for
    /// [`TorrentContent::leaves`](crate::TorrentContent), should the piece pass.
    pub fn hash_leaves(&mut self, bytes: &[u8], mut leaf: impl FnMut(MerkleHash)) {
        let left = slot(self.len.saturating_sub(self.at));
        let bytes = bytes.get(..left).unwrap_or(bytes);
        if let Some(hasher) = &mut self.v1 {
            hasher.update(bytes);
        }
        self.at = self.at.saturating_add(count(bytes.len()));
        if let Some((tree, _)) = &mut self.v2 {
            tree.update_with(bytes, &mut leaf);
            if self.at >= self.len {
                tree.close().into_iter().for_each(leaf); // of the last block, which may be short
            }
        }
    }

    /// Hashes a block that arrived, if those before it were hashed; see [`Torrent::check_ahead`](crate::Torrent::check_ahead).
    ///
    /// A block that lies before the end of what was hashed replaces earlier bytes, so the check begins anew. Blocks
    /// of other pieces are ignored.
    ///
    /// ```
    /// use bittorrent_pieces::{Block, Geometry, PieceCheck, PieceHasher, PieceHashes, PieceIndex};
    ///
    /// let bytes = [7; 40_000];
    /// let digest = [PieceHasher::digest(&bytes)];
    /// let geometry = Geometry::new(40_000, 65_536)?;
    /// let hashes = PieceHashes::new(&digest);
    /// let mut check = PieceCheck::new(geometry, hashes, PieceIndex(0));
    /// for number in [0, 2, 1] {
    ///     let block = geometry.block(PieceIndex(0), number).unwrap();
    ///     check.hash_block(block, &bytes[block.begin as usize..][..block.len as usize]);
    /// }
    /// // The third block came too soon: it is to be read from storage.
    /// let rest = check.next(u32::MAX).unwrap();
    /// assert_eq!((rest.begin, rest.len), (32_768, 7_232));
    /// check.hash_step(&bytes[32_768..]);
    /// assert_eq!(check.passed(hashes), Some(true));
    /// # Ok::<(), bittorrent_pieces::ConfigError>(())
    /// ```
    pub fn hash_block(&mut self, block: Block, data: &[u8]) {
        if block.piece != self.piece {
            return;
        }
        if block.begin < self.at {
            self.at = 0;
            if let Some(hasher) = &mut self.v1 {
                *hasher = PieceHasher::new();
            }
            if let Some((tree, _)) = &mut self.v2 {
                *tree = PieceTree::default();
            }
        }
        if block.begin == self.at && self.at < self.len {
            self.hash_step(data);
        }
    }

    /// Returns whether the piece is as it should be; `None` if bytes are missing.
    #[must_use]
    pub fn passed(mut self, hashes: PieceHashes<'_>) -> Option<bool> {
        self.verdict(hashes)
    }

    /// Does what [`passed`](Self::passed) does, in place.
    pub(super) fn verdict(&mut self, hashes: PieceHashes<'_>) -> Option<bool> {
        if self.at < self.len {
            return None;
        }
        let v1 = self.v1.take().map(|mut hasher| {
            Padding::hash(&mut hasher, self.padding);
            hasher.finish()
        });
        let v2 = self.v2.as_mut().map(|(tree, height)| tree.root(*height));
        let known = v1.is_some() || v2.is_some();
        let old = hashes.of(self.piece).copied();
        let new = hashes.layer().of(self.piece).copied();
        Some(known && v1 == old && v2 == new)
    }
}
