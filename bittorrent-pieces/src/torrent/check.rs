//! Checking a piece in slices of the caller's choice.

use crate::{Block, PieceHasher, PieceIndex};

/// A piece on its way through the hash: take it from [`Torrent::check`](crate::Torrent::check), feed it
/// the bytes in order, as many at a time as the caller has time for, and give it to
/// [`Torrent::handle_checked`](crate::Torrent::handle_checked). Several may be under way, also in
/// other threads.
#[derive(Debug, Clone)]
pub struct PieceCheck {
    piece: PieceIndex,
    len: u32,
    at: u32,
    hasher: PieceHasher,
}

impl PieceCheck {
    pub(super) fn new(piece: PieceIndex, len: u32) -> Self {
        Self { piece, len, at: 0, hasher: PieceHasher::new() }
    }

    /// Returns the piece.
    #[must_use]
    pub const fn piece(&self) -> PieceIndex {
        self.piece
    }

    /// Returns what to read from storage next, at most so many bytes; `None` once all of it was hashed.
    #[must_use]
    pub fn next(&self, most: u32) -> Option<Block> {
        let left = self.len.saturating_sub(self.at);
        let len = left.min(most.max(1));
        (left > 0).then_some(Block { piece: self.piece, begin: self.at, len })
    }

    /// Hashes the next bytes of the piece; what is beyond its end is left alone.
    pub fn hash_step(&mut self, bytes: &[u8]) {
        let left = crate::geometry::slot(self.len.saturating_sub(self.at));
        let bytes = bytes.get(..left).unwrap_or(bytes);
        self.hasher.update(bytes);
        self.at = self.at.saturating_add(crate::geometry::count(bytes.len()));
    }

    /// Returns the SHA-1 of the piece; `None` if bytes are missing.
    pub(super) fn finish(self) -> Option<[u8; 20]> {
        (self.at >= self.len).then(|| self.hasher.finish())
    }
}
