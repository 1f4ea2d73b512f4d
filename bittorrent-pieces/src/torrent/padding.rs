//! Padding: zeros that are neither stored nor fetched (BEP 47).

use core::ops::Range;

use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::geometry::Geometry;
use crate::hash::PieceHasher;
use crate::index::slot;

/// How many bytes at the end of a piece are padding (BEP 47), so that the next file begins with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller creates it")]
pub struct Padding {
    /// The piece.
    pub piece: PieceIndex,
    /// Bytes at its end.
    pub bytes: u32,
}

impl Padding {
    /// Returns what a padding file is in each of its pieces, by where it begins and how long it is; a part
    /// that does not reach the end of its piece is left out, and fetched like any other content.
    ///
    /// ```
    /// use bittorrent_pieces::{Geometry, Padding, PieceIndex};
    ///
    /// let cut = Geometry::new(100_000, 32_768).unwrap(); // the first of two files has 40,000 bytes
    /// let padding: Vec<_> = Padding::of(cut, 40_000, 25_536).collect();
    /// assert_eq!(padding, [Padding { piece: PieceIndex(1), bytes: 25_536 }]);
    /// ```
    #[must_use]
    pub fn of(geometry: Geometry<'_>, offset: u64, len: u64) -> PaddingOf<'_> {
        let end = offset.saturating_add(len);
        let piece_at = |at: u64| at.checked_div(u64::from(geometry.full_piece_len()));
        let piece_at = move |at| piece_at(at).and_then(|piece| u32::try_from(piece).ok());
        let first = piece_at(offset).unwrap_or(u32::MAX);
        let after = piece_at(end).map_or(first, |last| last.saturating_add(1));
        PaddingOf { geometry, pieces: first..after.min(geometry.pieces()), offset, end }
    }

    /// Returns how many bytes at the end of a piece are padding, by a list sorted by pieces.
    pub(super) fn bytes_of(padding: &[Self], piece: PieceIndex) -> u32 {
        let found = padding.binary_search_by_key(&piece.0, |padding| padding.piece.0);
        found.ok().and_then(|at| padding.get(at)).map_or(0, |padding| padding.bytes)
    }

    /// Returns how many bytes of padding follow a block that ends where the content of its piece does, up to the end of
    /// the block that was requested of it.
    pub(super) fn behind(padding: &[Self], geometry: Geometry<'_>, block: Block) -> u32 {
        let number = block.begin.checked_div(BLOCK_LEN).unwrap_or(0);
        let whole = geometry.block(block.piece, number).filter(|whole| whole.begin == block.begin);
        let Some(whole) = whole else { return 0 };
        let padded = Self::in_block(padding, geometry, whole);
        if padded > 0 && block.len.saturating_add(padded) == whole.len { padded } else { 0 }
    }

    /// Returns how many bytes at the end of a block are padding, if there are others before them.
    pub(super) fn in_block(padding: &[Self], geometry: Geometry<'_>, block: Block) -> u32 {
        let content =
            geometry.piece_len(block.piece).saturating_sub(Self::bytes_of(padding, block.piece));
        let end = block.begin.saturating_add(block.len);
        if block.begin < content { end.saturating_sub(content) } else { 0 }
    }

    /// Hashes `bytes` zeros.
    pub(super) fn hash(hasher: &mut PieceHasher, bytes: u32) {
        const ZEROS: [u8; 256] = [0; 256];
        let mut left = slot(bytes);
        while let Some(zeros) = ZEROS.get(..left.min(ZEROS.len())).filter(|zeros| !zeros.is_empty())
        {
            hasher.update(zeros);
            left = left.saturating_sub(zeros.len());
        }
    }
}

/// The padding of one padding file in each of its pieces: see [`Padding::of`].
#[derive(Debug, Clone)]
pub struct PaddingOf<'a> {
    geometry: Geometry<'a>,
    pieces: Range<u32>,
    offset: u64,
    end: u64,
}

impl Iterator for PaddingOf<'_> {
    type Item = Padding;

    fn next(&mut self) -> Option<Padding> {
        let Self { geometry, pieces, offset, end } = self;
        pieces.map(PieceIndex).find_map(|piece| {
            let start = geometry.offset(piece);
            let stop = start.saturating_add(u64::from(geometry.piece_len(piece)));
            let bytes = stop.saturating_sub(start.max(*offset));
            let bytes = u32::try_from(bytes).ok().filter(|bytes| stop <= *end && *bytes > 0)?;
            Some(Padding { piece, bytes })
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    /// Three pieces of two blocks; 10,000 bytes of the second and none of the third are content.
    const PADDING: [Padding; 2] = [
        Padding { piece: PieceIndex(1), bytes: 22_768 },
        Padding { piece: PieceIndex(2), bytes: 32_768 },
    ];

    fn block(piece: u32, begin: u32, len: u32) -> Block {
        Block { piece: PieceIndex(piece), begin, len }
    }

    #[test]
    fn the_padding_of_a_piece_is_found() {
        let of = |piece| Padding::bytes_of(&PADDING, PieceIndex(piece));
        assert_eq!([of(0), of(1), of(2), of(3)], [0, 22_768, 32_768, 0]);
    }

    /// Over version 2, the request of a block ends where the content does.
    #[test]
    fn a_block_of_content_and_padding_ends_with_the_content() {
        let geometry = Geometry::new(3 * 32_768, 32_768).unwrap();
        let within = |block| Padding::in_block(&PADDING, geometry, block);
        assert_eq!(within(block(0, 16_384, 16_384)), 0);
        assert_eq!(within(block(1, 0, 16_384)), 6_384);
        assert_eq!(within(block(1, 16_384, 16_384)), 0, "nothing but padding");
        assert_eq!(within(block(2, 0, 16_384)), 0, "nothing but padding");
        let behind = |block| Padding::behind(&PADDING, geometry, block);
        assert_eq!(behind(block(1, 0, 10_000)), 6_384);
        assert_eq!(behind(block(1, 0, 9_999)), 0, "the content does not end there");
        assert_eq!(behind(block(1, 0, 16_384)), 0, "it was sent");
        assert_eq!(behind(block(1, 1, 9_999)), 0, "not the beginning of a block");
        assert_eq!(behind(block(0, 0, 10_000)), 0);
        assert_eq!(behind(block(9, 0, 10_000)), 0);
    }

    /// A padding file behind the last byte or without bytes pads no piece.
    #[test]
    fn padding_without_bytes_pads_no_piece() {
        let geometry = Geometry::new(40_000, 32_768).unwrap();
        for (offset, len) in [(40_000, 0), (40_000, 5), (32_768, 0), (0, 0), (39_999, 0)] {
            assert_eq!(Padding::of(geometry, offset, len).count(), 0, "{offset} {len}");
        }
        let last = Padding { piece: PieceIndex(1), bytes: 1 };
        assert!(Padding::of(geometry, 39_999, 1).eq([last]));
    }

    #[test]
    fn padding_hashes_as_zeros() {
        for len in [0_u32, 1, 255, 256, 257, 1_000] {
            let mut hasher = PieceHasher::new();
            hasher.update(b"x");
            Padding::hash(&mut hasher, len);
            let mut bytes = [0; 1_001];
            bytes[0] = b'x';
            assert_eq!(hasher.finish(), PieceHasher::digest(&bytes[..=slot(len)]), "{len}");
        }
    }
}
