//! SHA-1 of pieces, and the list of what it should be.

use core::fmt;

use sha1::{Digest, Sha1};

use crate::PieceIndex;

/// Computes the SHA-1 of a piece from slices of any length, in order.
///
/// ```
/// use bittorrent_pieces::PieceHasher;
///
/// let mut hasher = PieceHasher::new();
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.finish()[..4], [0xA9, 0x99, 0x3E, 0x36]); // FIPS 180, "abc"
/// ```
#[derive(Debug, Clone, Default)]
pub struct PieceHasher(Sha1);

impl PieceHasher {
    /// Creates a hasher that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all bytes taken in.
    #[must_use]
    pub fn finish(self) -> [u8; 20] {
        self.0.finalize().into()
    }

    /// Returns the hash of `bytes`.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> [u8; 20] {
        Sha1::digest(bytes).into()
    }
}

/// The `pieces` string of a torrent: 20 bytes for each piece, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceHashes<'a>(&'a [[u8; 20]]);

impl<'a> PieceHashes<'a> {
    /// Takes in a `pieces` string; `None` if its length is not a multiple of 20.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Self(hashes))
    }

    /// Takes in hashes that were computed.
    #[must_use]
    pub const fn new(hashes: &'a [[u8; 20]]) -> Self {
        Self(hashes)
    }

    /// Returns how many pieces there are.
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
    pub fn of(&self, piece: PieceIndex) -> Option<&'a [u8; 20]> {
        self.0.get(piece.slot())
    }

    /// Returns all bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }
}

/// Bytes printed in lower-case hexadecimal.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
