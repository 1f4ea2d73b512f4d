//! How content is cut: pieces, which are hashed, and blocks, which are asked for.

use core::fmt;

use crate::ConfigError;

/// The length of a block in bytes: what a request asks for (BEP 3: 2^14). The last block of a piece
/// may be shorter.
pub const BLOCK_LEN: u32 = 1 << 14;

/// The number of a piece, from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub u32);

impl PieceIndex {
    /// Returns the index of its slot.
    pub(crate) fn slot(self) -> usize {
        slot(self.0)
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a run of bytes inside a piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// The piece.
    pub piece: PieceIndex,
    /// Where the run begins, in bytes from the start of the piece.
    pub begin: u32,
    /// How many bytes it has.
    pub len: u32,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece={} begin={} len={}", self.piece, self.begin, self.len)
    }
}

/// The length of the content and of its pieces.
///
/// ```
/// use bittorrent_pieces::{Geometry, PieceIndex};
///
/// let image = Geometry::new(64 << 20, 256 << 10)?; // 64 MiB in pieces of 256 KiB
/// assert_eq!(image.pieces(), 256);
/// assert_eq!(image.blocks(PieceIndex(255)), 16);
/// # Ok::<(), bittorrent_pieces::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    total: u64,
    piece_len: u32,
    pieces: u32,
}

impl Geometry {
    /// Cuts `total` bytes into pieces of `piece_len` bytes; the last may be shorter.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PieceLen`] if `piece_len` is 0, [`ConfigError::TooManyPieces`].
    pub const fn new(total: u64, piece_len: u32) -> Result<Self, ConfigError> {
        if piece_len == 0 {
            return Err(ConfigError::PieceLen);
        }
        let [a, b, c, d] = piece_len.to_le_bytes();
        let pieces = total.div_ceil(u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0]));
        match pieces.to_le_bytes() {
            [a, b, c, d, 0, 0, 0, 0] => {
                Ok(Self { total, piece_len, pieces: u32::from_le_bytes([a, b, c, d]) })
            }
            _ => Err(ConfigError::TooManyPieces(pieces)),
        }
    }

    /// Returns the length of the content in bytes.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Returns how many pieces there are.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Returns the length of every piece but perhaps the last, in bytes.
    #[must_use]
    pub const fn full_piece_len(&self) -> u32 {
        self.piece_len
    }

    /// Returns the length of a piece in bytes; 0 for one that does not exist.
    #[must_use]
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        let left = self.total.saturating_sub(self.offset(piece));
        u32::try_from(left).unwrap_or(u32::MAX).min(self.piece_len)
    }

    /// Returns where a piece begins in the content, in bytes.
    #[must_use]
    pub fn offset(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0).saturating_mul(u64::from(self.piece_len))
    }

    /// Returns how many blocks a piece has; 0 for one that does not exist.
    #[must_use]
    pub fn blocks(&self, piece: PieceIndex) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_LEN)
    }

    /// Returns the block with the given number, from 0, of a piece.
    #[must_use]
    pub fn block(&self, piece: PieceIndex, number: u32) -> Option<Block> {
        let begin = number.checked_mul(BLOCK_LEN)?;
        let len = self.piece_len(piece).checked_sub(begin)?.min(BLOCK_LEN);
        (len > 0).then_some(Block { piece, begin, len })
    }

    /// Returns the first blocks of a piece, so many or all.
    pub(crate) fn first_blocks(
        &self,
        piece: PieceIndex,
        blocks: u32,
    ) -> impl Iterator<Item = Block> + use<> {
        let end = self.piece_len(piece);
        (0..blocks.min(end.div_ceil(BLOCK_LEN))).map(move |number| {
            let begin = number.saturating_mul(BLOCK_LEN);
            Block { piece, begin, len: end.saturating_sub(begin).min(BLOCK_LEN) }
        })
    }

    /// Returns the number of a block inside its piece, if it is one of those that
    /// [`block`](Self::block) gives.
    #[must_use]
    pub fn number(&self, block: Block) -> Option<u32> {
        let number = block.begin.checked_div(BLOCK_LEN)?;
        (self.block(block.piece, number) == Some(block)).then_some(number)
    }

    /// Returns whether all bytes of a run exist, and there is at least one.
    #[must_use]
    pub fn contains(&self, block: Block) -> bool {
        let end = block.begin.checked_add(block.len);
        block.len > 0 && end.is_some_and(|end| end <= self.piece_len(block.piece))
    }

    /// Returns how many block slots an open piece takes.
    pub(crate) const fn stride(&self) -> usize {
        slot(self.piece_len.div_ceil(BLOCK_LEN))
    }
}

const _: () = assert!(usize::BITS >= u32::BITS, "indices of 32 bits are needed");

/// Widens a number to an index.
pub(crate) const fn slot(number: u32) -> usize {
    let [a, b, c, d] = number.to_le_bytes();
    match [a, b, c, d, 0, 0, 0, 0].split_first_chunk() {
        Some((bytes, _)) => usize::from_le_bytes(*bytes),
        None => usize::MAX, // not on any target with 64 bits or fewer
    }
}

/// Narrows a length; what does not fit is cut to the largest number.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
