//! SHA-1 of pieces, and the lists of the expected hashes.

use sha1::{Digest, Sha1};

use crate::block::PieceIndex;
use crate::geometry::{Geometry, V2File};
use crate::merkle::{MerkleHash, PieceLayer, RUN, node, piece_height, run_height};

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

impl PartialEq for PieceHasher {
    /// Compares what both would return from [`finish`](Self::finish) now.
    fn eq(&self, other: &Self) -> bool {
        self.clone().finish() == other.clone().finish()
    }
}

impl PieceHasher {
    /// Creates a hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash of all bytes.
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

/// The expected hashes of the pieces of a torrent, borrowed: the `pieces` string of v1, 20 bytes for each, or
/// the piece layer of v2, or both.
///
/// ```
/// use bittorrent_pieces::{PieceHasher, PieceHashes, PieceIndex};
///
/// let hashes = [PieceHasher::digest(b"first"), PieceHasher::digest(b"second")];
/// let hashes = PieceHashes::new(&hashes);
/// assert_eq!(hashes.of(PieceIndex(1)), Some(&PieceHasher::digest(b"second")));
/// assert_eq!(PieceHashes::from_bytes(hashes.as_bytes()), Some(hashes));
/// assert_eq!(PieceHashes::from_bytes(&[0; 19]), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceHashes<'a> {
    v1: &'a [[u8; 20]],
    v2: PieceLayer<'a>,
}

impl<'a> PieceHashes<'a> {
    /// Reads a `pieces` string; `None` if its length is not a multiple of 20.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Self::new(hashes))
    }

    /// Creates the list from computed hashes.
    #[must_use]
    pub const fn new(hashes: &'a [[u8; 20]]) -> Self {
        Self { v1: hashes, v2: PieceLayer::new(&[]) }
    }

    /// Creates the list from the concatenated piece layers of the files of a v2 torrent. That of a file of at
    /// most one piece is its `pieces root`. Several files need a
    /// [`Geometry::of_files`](crate::Geometry::of_files).
    #[must_use]
    pub const fn v2(layer: PieceLayer<'a>) -> Self {
        Self { v1: &[], v2: layer }
    }

    /// Combines the hashes of a hybrid torrent: each piece must match both. The piece layers of several files lie one
    /// behind the other, as for [`v2`](Self::v2), and need a [`Geometry::of_hybrid`](crate::Geometry::of_hybrid). `None` if their numbers
    /// differ.
    #[must_use]
    pub fn hybrid(v1: Self, layer: PieceLayer<'a>) -> Option<Self> {
        (v1.v1.len() == layer.len()).then_some(Self { v1: v1.v1, v2: layer })
    }

    /// Returns the number of pieces.
    #[must_use]
    pub const fn len(&self) -> usize {
        if self.v1.is_empty() { self.v2.len() } else { self.v1.len() }
    }

    /// Returns whether there is no piece.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the SHA-1 of a piece; `None` if it does not exist, or if the torrent is v2 alone.
    #[must_use]
    pub fn of(&self, piece: PieceIndex) -> Option<&'a [u8; 20]> {
        self.v1.get(piece.slot())
    }

    /// Returns the piece layer; that of a v1 torrent is empty.
    #[must_use]
    pub const fn layer(&self) -> PieceLayer<'a> {
        self.v2
    }

    /// Returns the nodes of the trees of v2 above every 512 pieces of each file, one file behind the other: for
    /// [`TorrentContent::runs`](crate::TorrentContent).
    #[must_use]
    pub fn runs(&self, geometry: Geometry<'a>) -> HashRuns<'a> {
        let height = piece_height(geometry.full_piece_len());
        // One file, or several of which each begins with the piece behind those before it.
        let files = geometry.files().get(1..).unwrap_or_default();
        HashRuns {
            pieces: self.v2.hashes(),
            taken: 0,
            files: files.iter(),
            file: &[],
            height,
            ended: false,
        }
    }

    /// Returns the bytes of the `pieces` string; that of a torrent that is v2 alone is empty.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.v1.as_flattened()
    }
}

/// The nodes of the trees of v2 above every 512 pieces, computed one by one: [`PieceHashes::runs`].
#[derive(Debug, Clone)]
pub struct HashRuns<'a> {
    pieces: &'a [MerkleHash],
    taken: usize, // pieces of the files before this one and of this one
    files: core::slice::Iter<'a, V2File>, // behind this one
    file: &'a [MerkleHash], // what is left of this one
    height: u8,   // of a piece
    ended: bool,
}

impl Iterator for HashRuns<'_> {
    type Item = MerkleHash;

    fn next(&mut self) -> Option<MerkleHash> {
        while self.file.is_empty() {
            if self.ended {
                return None;
            }
            let next = self.files.next();
            self.ended = next.is_none();
            let end = next.map_or(self.pieces.len(), |file| file.first.slot());
            self.file = self.pieces.get(self.taken..end).unwrap_or_default();
            self.taken = end;
        }
        let (run, rest) = self.file.split_at(self.file.len().min(RUN));
        self.file = rest;
        Some(node(run, self.height, run_height(self.height), 0))
    }
}
