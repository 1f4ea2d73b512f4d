//! What a torrent is made of: lengths, hashes, and what peers may fetch besides pieces.

use core::fmt;

use super::padding::Padding;
use crate::geometry::Geometry;
use crate::hash::PieceHashes;
use crate::merkle::MerkleHash;

/// The metainfo that a torrent needs for its whole life, borrowed. [`TorrentVec`](crate::TorrentVec)
/// copies it, [`TorrentSlots`](crate::TorrentSlots) keeps the borrow.
///
/// ```
/// use bittorrent_pieces::{Geometry, PieceHasher, PieceHashes, TorrentContent};
///
/// let hashes = [PieceHasher::digest(&[7; 1000])];
/// let mut content = TorrentContent::new(Geometry::new(1000, 16_384)?, PieceHashes::new(&hashes));
/// content.info = b"d6:lengthi1000e4:name1:x12:piece lengthi16384e6:pieces20:....................e";
/// # Ok::<(), bittorrent_pieces::ConfigError>(())
/// ```
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TorrentContent<'a> {
    /// How the content is cut into pieces.
    pub geometry: Geometry<'a>,
    /// What the pieces hash to.
    pub hashes: PieceHashes<'a>,
    /// The info dictionary that peers may fetch (BEP 9): the bytes that hash to the info-hash. Empty: such
    /// requests are rejected.
    pub info: &'a [u8],
    /// Padding (BEP 47), sorted by piece. Blocks of nothing else are never requested, and checks take the
    /// bytes for zeros. A peer that does not know of padding may request it: send zeros.
    pub padding: &'a [Padding],
    /// The SHA-256 of the blocks of each piece of a v2 torrent, as many for each piece as a full one has. With
    /// them, requests for leaves (BEP 52, layer 0) are answered, by which a peer finds the bad block of a
    /// piece. Leaves of zeros are unknown and not sent. Without leaves such requests are rejected.
    pub leaves: &'a [MerkleHash],
    /// [`PieceHashes::runs`], by which proofs for files of more than 65,536 pieces take a 512th of the time.
    /// Without them, such proofs are rejected.
    /// [`TorrentVec`](crate::TorrentVec) computes them.
    pub runs: &'a [MerkleHash],
}

impl<'a> TorrentContent<'a> {
    /// Returns content without info dictionary, padding, leaves and runs.
    #[must_use]
    pub const fn new(geometry: Geometry<'a>, hashes: PieceHashes<'a>) -> Self {
        Self { geometry, hashes, info: &[], padding: &[], leaves: &[], runs: &[] }
    }
}

/// Lengths only: the bytes may be many.
impl fmt::Debug for TorrentContent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TorrentContent")
            .field("total", &self.geometry.total())
            .field("pieces", &self.geometry.pieces())
            .field("info", &self.info.len())
            .field("padding", &self.padding.len())
            .field("leaves", &self.leaves.len())
            .field("runs", &self.runs.len())
            .finish_non_exhaustive()
    }
}
