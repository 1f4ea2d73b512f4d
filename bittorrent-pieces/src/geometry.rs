//! How content is cut: pieces, which are hashed, and blocks, which are asked for.

use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::error::ConfigError;
use crate::index::slot;
use crate::merkle::{MerkleHash, height, piece_height};

/// A file of a torrent that is of version 2 alone, where every file begins with a piece of its own and
/// has a tree of its own (BEP 52). Empty files have neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal")]
pub struct V2File {
    /// Its first piece.
    pub first: PieceIndex,
    /// Its length in bytes, at least 1. The last piece ends with it.
    pub len: u64,
    /// Its `pieces root`.
    pub root: MerkleHash,
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
pub struct Geometry<'a> {
    total: u64,
    piece_len: u32,
    pieces: u32,
    files: &'a [V2File], // of version 2, else none
}

impl<'a> Geometry<'a> {
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
                let pieces = u32::from_le_bytes([a, b, c, d]);
                Ok(Self { total, piece_len, pieces, files: &[] })
            }
            _ => Err(ConfigError::TooManyPieces(pieces)),
        }
    }

    /// Cuts the files of a torrent that is of version 2 alone, each by itself: pieces and blocks end where
    /// their file ends. The gap between two files is not content, and is never requested.
    ///
    /// ```
    /// use bittorrent_pieces::{Geometry, PieceIndex, V2File};
    ///
    /// let root = [7; 32];
    /// let files = [
    ///     V2File { first: PieceIndex(0), len: 100, root },
    ///     V2File { first: PieceIndex(1), len: 40_000, root },
    /// ];
    /// let geometry = Geometry::of_files(&files, 32_768)?;
    /// assert_eq!((geometry.pieces(), geometry.total()), (3, 40_100));
    /// assert_eq!([0, 1, 2].map(|n| geometry.piece_len(PieceIndex(n))), [100, 32_768, 7_232]);
    /// # Ok::<(), bittorrent_pieces::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::PieceLen`] if `piece_len` is not a power of two from 16 KiB on,
    /// [`ConfigError::TooManyPieces`], [`ConfigError::File`] if a file is empty or does not begin with the
    /// piece behind those before it.
    pub fn of_files(files: &'a [V2File], piece_len: u32) -> Result<Self, ConfigError> {
        if !piece_len.is_power_of_two() || piece_len < BLOCK_LEN {
            return Err(ConfigError::PieceLen);
        }
        let mut pieces = 0_u64;
        let mut total = 0_u64;
        for (number, file) in files.iter().enumerate() {
            if u64::from(file.first.0) != pieces || file.len == 0 {
                return Err(ConfigError::File(number));
            }
            pieces = pieces.saturating_add(file.len.div_ceil(u64::from(piece_len)));
            total = total.saturating_add(file.len);
        }
        match u32::try_from(pieces) {
            Ok(pieces) => Ok(Self { total, piece_len, pieces, files }),
            Err(_) => Err(ConfigError::TooManyPieces(pieces)),
        }
    }

    /// Cuts the content of a hybrid torrent of several files: into the pieces of version 1, whose padding fills the last
    /// piece of each file, with the trees of version 2. `total` is the length of version 1, in bytes.
    ///
    /// # Errors
    ///
    /// As [`of_files`](Self::of_files), and [`ConfigError::Hashes`] if the two versions differ in the number of pieces.
    pub fn of_hybrid(files: &'a [V2File], total: u64, piece_len: u32) -> Result<Self, ConfigError> {
        let v2 = Self::of_files(files, piece_len)?;
        let v1 = Self::new(total, piece_len)?;
        if v1.pieces != v2.pieces || total < v2.total {
            return Err(ConfigError::Hashes { hashes: slot(v2.pieces), pieces: v1.pieces });
        }
        Ok(Self { files, ..v1 })
    }

    /// Returns the files of version 2: those of [`of_files`](Self::of_files) and of [`of_hybrid`](Self::of_hybrid).
    #[must_use]
    pub const fn files(&self) -> &'a [V2File] {
        self.files
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

    /// Returns the length of every piece but perhaps the last, of the content or of a file of version 2, in
    /// bytes.
    #[must_use]
    pub const fn full_piece_len(&self) -> u32 {
        self.piece_len
    }

    /// Returns the length of a piece in bytes; 0 for one that does not exist.
    #[must_use]
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        let file = self.file(piece).filter(|_| !self.is_padded());
        let end = file.map_or(self.total, |file| self.offset(file.first).saturating_add(file.len));
        let left = end.saturating_sub(self.offset(piece));
        u32::try_from(left).unwrap_or(u32::MAX).min(self.piece_len)
    }

    /// Returns whether padding fills the last piece of each file: then the gaps count. Without gaps it is all the same.
    fn is_padded(&self) -> bool {
        let end = |file: &V2File| self.offset(file.first).saturating_add(file.len);
        self.files.last().is_some_and(|last| self.total >= end(last))
    }

    /// Returns the file of version 2 in which a piece lies, or of one that does not exist the last.
    fn file(&self, piece: PieceIndex) -> Option<&'a V2File> {
        let behind = self.files.partition_point(|file| file.first <= piece);
        self.files.get(behind.checked_sub(1)?)
    }

    /// Returns the height of the tree of version 2 over a piece: a file of at most one piece has a tree of
    /// its own height.
    pub(crate) fn tree_height(&self, piece: PieceIndex) -> u8 {
        let len = self.file(piece).map_or(self.total, |file| file.len);
        if len <= u64::from(self.piece_len) {
            height(len.div_ceil(u64::from(BLOCK_LEN)))
        } else {
            piece_height(self.piece_len)
        }
    }

    /// Returns where a piece begins in the content, in bytes; all pieces before it count as full.
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

    /// Writes the blocks of a piece of `end` bytes in which its first `len` bytes lie, as many as there is room for; returns
    /// how many.
    pub(crate) fn write_blocks(piece: PieceIndex, end: u32, len: u32, out: &mut [Block]) -> usize {
        let blocks = slot(len.min(end).div_ceil(BLOCK_LEN)).min(out.len());
        let out = out.get_mut(..blocks).unwrap_or_default();
        // Begin and length are halves of one number, which is written at once.
        let half = |run: u64| u32::try_from(run & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        let mut run = u64::from(BLOCK_LEN) << 32;
        for place in &mut *out {
            *place = Block { piece, begin: half(run), len: half(run >> 32) };
            run = run.wrapping_add(u64::from(BLOCK_LEN));
        }
        if let Some(last) = out.last_mut() {
            last.len = end.saturating_sub(last.begin).min(BLOCK_LEN);
        }
        blocks
    }

    /// Returns the number of a block inside its piece, if it is one of those that
    /// [`block`](Self::block) returns.
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

    /// Returns the same lengths without the files of version 2.
    #[cfg(feature = "alloc")]
    pub(crate) const fn without_files(&self) -> Geometry<'static> {
        let Self { total, piece_len, pieces, files: _ } = *self;
        Geometry { total, piece_len, pieces, files: &[] }
    }

    /// Returns the same lengths with the given files of version 2, which must be those it was made of.
    #[cfg(feature = "alloc")]
    pub(crate) const fn with_files<'f>(&self, files: &'f [V2File]) -> Geometry<'f> {
        let Self { total, piece_len, pieces, files: _ } = *self;
        Geometry { total, piece_len, pieces, files }
    }

    /// Returns how many block slots an open piece takes.
    pub(crate) const fn stride(&self) -> usize {
        slot(self.piece_len.div_ceil(BLOCK_LEN))
    }
}
