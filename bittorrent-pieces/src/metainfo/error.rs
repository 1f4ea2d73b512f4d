//! Why bytes are not usable metainfo.

use thiserror::Error;

use crate::bencode::BencodeError;

/// Bytes that are not usable metainfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MetainfoError {
    /// Not bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// A key is missing, or its value is of the wrong type.
    #[error("key '{0}' is missing or of the wrong type")]
    Key(&'static str),
    /// A length that is negative, a piece length that is not between 1 and 2^32 - 1, or one of v2 that is not a
    /// power of two from 16 KiB on.
    #[error("invalid length {0}")]
    Length(i64),
    /// A piece length above the limit.
    #[error("piece length {len} exceeds the limit of {max}")]
    PieceLen {
        /// The piece length in bytes.
        len: u32,
        /// The limit in bytes.
        max: u32,
    },
    /// `pieces` is not a multiple of 20 bytes.
    #[error("{0} bytes of piece hashes")]
    Hashes(usize),
    /// The number of hashes does not fit the length of the content.
    #[error("{hashes} piece hashes for {pieces} pieces")]
    Pieces {
        /// The number of hashes.
        hashes: usize,
        /// The number of pieces.
        pieces: u32,
    },
    /// The content is longer than can be counted.
    #[error("the content is too long")]
    TooLong,
    /// Both `length` and `files`, neither, or `files` without a file.
    #[error("either a length or a list of files is needed")]
    Content,
    /// A `meta version` that is not 2 (BEP 52).
    #[error("unknown version {0}")]
    Version(i64),
    /// A malformed file tree: empty, out of order, a file with siblings, more than 16 levels (BEP 52).
    #[error("malformed file tree")]
    Tree,
    /// A file without a `pieces root`, an empty one with one, or a root of zeros.
    #[error("the root of a file is missing or invalid")]
    Root,
    /// Piece layers that are missing (in strict mode), of the wrong length, or do not lead to the root.
    #[error("piece layers do not match the files")]
    Layer,
    /// A hybrid torrent whose two descriptions differ, or whose files do not begin with a piece.
    #[error("the files of version 1 differ from those of version 2")]
    Hybrid,
}
