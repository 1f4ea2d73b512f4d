//! The memory of a torrent where there is a heap: for tests and for programs.

use bittorrent_pieces::{
    BlockSlot, Geometry, Memory, PartialSlot, PeerSlot, PieceSlot, RareSlot, RequestSlot, bits_len,
    block_slots, piece_slots, rare_slots, requests_len,
};

/// The regions as vectors.
pub type Lent = Memory<
    Vec<PieceSlot>,
    Vec<RareSlot>,
    Vec<PartialSlot>,
    Vec<BlockSlot>,
    Vec<PeerSlot>,
    Vec<u8>,
    Vec<RequestSlot>,
>;

/// Returns room for so many open pieces and peers, and for so many requests at a time from and to each.
#[must_use]
pub fn lent(geometry: Geometry<'_>, partials: usize, peers: usize, pipeline: usize) -> Lent {
    Memory {
        pieces: vec![PieceSlot::EMPTY; piece_slots(geometry.pieces())],
        rarest: vec![RareSlot::EMPTY; rare_slots(geometry.pieces())],
        partials: vec![PartialSlot::EMPTY; partials],
        blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
        peers: vec![PeerSlot::EMPTY; peers],
        bits: vec![0; bits_len(geometry.pieces(), peers)],
        requests: vec![RequestSlot::EMPTY; requests_len(peers, pipeline)],
    }
}
