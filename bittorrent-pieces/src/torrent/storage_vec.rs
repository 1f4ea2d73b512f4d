//! The memory of a torrent on the heap.

use alloc::vec;
use alloc::vec::Vec;

use super::content::TorrentContent;
use super::padding::Padding;
use super::peer::PeerSlot;
use super::queue::RequestSlot;
use super::storage::{TorrentParts, TorrentPartsRef, TorrentStorage, bits_len, requests_len};
use crate::geometry::{Geometry, V2File};
use crate::hash::PieceHashes;
use crate::merkle::{MerkleHash, PieceLayer};
use crate::picker::{
    BlockSlot, PartialSlot, PieceSlot, RarestSlot, block_slots, piece_slots, rarest_slots,
};

/// How many of everything a [`TorrentVec`] has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers, chosen by the caller")]
pub struct TorrentLimits {
    /// Connections at a time. A swarm is well served by 30 to 50.
    pub peers: u16,
    /// Pieces that may be open at a time: about two for each peer.
    pub open_pieces: u16,
    /// Requests in flight to each peer, and from each: at 16 KiB each, the product of rate and round-trip
    /// time. 16 bytes for each request and direction.
    pub pipeline: u16,
}

impl TorrentLimits {
    /// Returns limits for a desktop: 50 peers, 100 open pieces, 250 requests each way.
    #[must_use]
    pub const fn new() -> Self {
        Self { peers: 50, open_pieces: 100, pipeline: 250 }
    }
}

impl Default for TorrentLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of a [`Torrent`](crate::Torrent) in vectors. It owns the metainfo too.
///
/// ```
/// use bittorrent_pieces::*;
///
/// struct Download {
///     torrent: Torrent<TorrentVec>, // no lifetime, and no other parameter
/// }
///
/// let hashes = [[7; 20]; 4];
/// let content = TorrentContent::new(Geometry::new(100_000, 32_768)?, PieceHashes::new(&hashes));
/// let storage = TorrentVec::new(&content, TorrentLimits { peers: 8, ..TorrentLimits::new() });
/// let setup = TorrentSetup::new(Config::new(InfoHash([1; 20]), PeerId([2; 20])));
/// let download = Download { torrent: Torrent::new(setup, storage)? };
/// assert_eq!(download.torrent.geometry().pieces(), 4);
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TorrentVec {
    metainfo: Owned,
    pieces: Vec<PieceSlot>,
    rarest: Vec<RarestSlot>,
    partials: Vec<PartialSlot>,
    blocks: Vec<BlockSlot>,
    peers: Vec<PeerSlot>,
    bits: Vec<u8>,
    requests: Vec<RequestSlot>,
}

/// A copy of the content.
#[derive(Clone, PartialEq)]
struct Owned {
    shape: Geometry<'static>,
    files: Vec<V2File>,
    v1: Vec<u8>,
    layer: Vec<MerkleHash>,
    info: Vec<u8>,
    padding: Vec<Padding>,
    leaves: Vec<MerkleHash>,
    runs: Vec<MerkleHash>,
}

impl TorrentVec {
    /// Allocates memory for a torrent and copies its content.
    #[must_use]
    pub fn new(content: &TorrentContent<'_>, limits: TorrentLimits) -> Self {
        let pieces = content.geometry.pieces();
        let peers = usize::from(limits.peers);
        let open_pieces = usize::from(limits.open_pieces);
        let pipeline = usize::from(limits.pipeline);
        Self {
            metainfo: Owned::new(content),
            pieces: vec![PieceSlot::EMPTY; piece_slots(pieces)],
            rarest: vec![RarestSlot::EMPTY; rarest_slots(pieces)],
            partials: vec![PartialSlot::EMPTY; open_pieces],
            blocks: vec![BlockSlot::EMPTY; block_slots(content.geometry, open_pieces)],
            peers: vec![PeerSlot::EMPTY; peers],
            bits: vec![0; bits_len(pieces, peers)],
            requests: vec![RequestSlot::EMPTY; requests_len(peers, pipeline)],
        }
    }
}

impl Owned {
    fn new(content: &TorrentContent<'_>) -> Self {
        Self {
            shape: content.geometry.without_files(),
            files: content.geometry.files().to_vec(),
            v1: content.hashes.as_bytes().to_vec(),
            layer: content.hashes.layer().hashes().to_vec(),
            info: content.info.to_vec(),
            padding: content.padding.to_vec(),
            leaves: content.leaves.to_vec(),
            runs: if content.runs.is_empty() {
                content.hashes.runs(content.geometry).collect()
            } else {
                content.runs.to_vec()
            },
        }
    }

    fn content(&self) -> TorrentContent<'_> {
        let v1 = PieceHashes::new(self.v1.as_chunks().0);
        let layer = PieceLayer::new(&self.layer);
        let v2 = PieceHashes::v2(layer);
        let hashes = match (self.v1.is_empty(), self.layer.is_empty()) {
            (false, true) => v1,
            (false, false) => PieceHashes::hybrid(v1, layer).unwrap_or(v2),
            (true, _) => v2,
        };
        TorrentContent {
            info: &self.info,
            padding: &self.padding,
            leaves: &self.leaves,
            runs: &self.runs,
            ..TorrentContent::new(self.shape.with_files(&self.files), hashes)
        }
    }
}

impl core::fmt::Debug for Owned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.content().fmt(f)
    }
}

impl TorrentStorage for TorrentVec {
    fn parts(&mut self) -> TorrentParts<'_> {
        TorrentParts {
            content: self.metainfo.content(),
            pieces: &mut self.pieces,
            rarest: &mut self.rarest,
            partials: &mut self.partials,
            blocks: &mut self.blocks,
            peers: &mut self.peers,
            bits: &mut self.bits,
            requests: &mut self.requests,
        }
    }

    fn parts_ref(&self) -> TorrentPartsRef<'_> {
        TorrentPartsRef {
            content: self.metainfo.content(),
            pieces: &self.pieces,
            rarest: &self.rarest,
            partials: &self.partials,
            blocks: &self.blocks,
            peers: &self.peers,
            bits: &self.bits,
            requests: &self.requests,
        }
    }
}
