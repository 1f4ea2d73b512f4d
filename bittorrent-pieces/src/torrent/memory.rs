//! The memory of a torrent: seven regions, lent by the caller.

use crate::geometry::slot;
use crate::wire::LEN_LEN;
use crate::wire::piece::HEADER_LEN;
use crate::{
    BLOCK_LEN, Bitfield, BlockSlot, PartialSlot, PeerSlot, PieceSlot, RareSlot, RequestSlot,
};

/// The memory of a [`Torrent`](crate::Torrent). Each region may be an array, a `Vec`, a box or a
/// mutable slice; what it contains does not matter.
#[derive(Debug, Clone, Default)]
pub struct Memory<P, L, Q, B, R, S, T> {
    /// [`PieceSlot`]s, one for 64 pieces: see [`piece_slots`](crate::piece_slots).
    pub pieces: P,
    /// [`RareSlot`]s of the list of the rarest pieces: see [`rare_slots`](crate::rare_slots).
    pub rarest: L,
    /// One [`PartialSlot`] for each piece that may be open at a time: about two for each peer.
    pub partials: Q,
    /// Their [`BlockSlot`]s: see [`block_slots`](crate::block_slots). With fewer, fewer pieces are
    /// open.
    pub blocks: B,
    /// One [`PeerSlot`] for each connection.
    pub peers: R,
    /// The bitfields of all peers and our own: see [`bits_len`].
    pub bits: S,
    /// The requests of all connections: see [`requests_len`]. They bound how many are under way.
    pub requests: T,
}

/// Returns how many [`RequestSlot`]s let `peers` connections have `pipeline` requests under way in
/// each direction.
#[must_use]
pub const fn requests_len(peers: usize, pipeline: usize) -> usize {
    peers.saturating_mul(pipeline).saturating_mul(2)
}

/// Returns how many bytes the bitfields of `peers` peers and our own take.
#[must_use]
pub const fn bits_len(pieces: u32, peers: usize) -> usize {
    Bitfield::byte_len(pieces).saturating_mul(peers.saturating_add(1))
}

/// The longest transmit but a bitfield: an exchange of peers.
const TRANSMIT: usize = 768;

/// Returns how many bytes of buffer any transmit fits into: 768, or a bitfield.
#[must_use]
pub const fn transmit_len(pieces: u32) -> usize {
    let bitfield = Bitfield::byte_len(pieces).saturating_add(LEN_LEN).saturating_add(1);
    if bitfield > TRANSMIT { bitfield } else { TRANSMIT }
}

/// How many bytes of buffer an answer to a request for hashes fits into (BEP 52): 512 hashes, and 32
/// beside the way up.
pub const HASHES_LEN: usize = 53 + 544 * 32;

/// Returns how many bytes of buffer any message fits into that a peer may send: a whole block or
/// a bitfield.
#[must_use]
pub const fn receive_len(pieces: u32) -> usize {
    let block = HEADER_LEN.saturating_add(slot(BLOCK_LEN));
    let bitfield = Bitfield::byte_len(pieces).saturating_add(LEN_LEN).saturating_add(1);
    if bitfield > block { bitfield } else { block }
}

/// Something that holds the seven regions; [`Memory`] does, and so may a struct of the caller.
pub trait Regions {
    /// Borrows the regions to be read.
    fn regions(&self) -> RegionsRef<'_>;
    /// Borrows the regions to be written.
    fn regions_mut(&mut self) -> RegionsMut<'_>;
}

/// The seven regions of [`Memory`], borrowed to be read.
#[derive(Debug, Clone, Copy)]
pub struct RegionsRef<'m> {
    /// One for 64 pieces.
    pub pieces: &'m [PieceSlot],
    /// Those of the rarest.
    pub rarest: &'m [RareSlot],
    /// One for each open piece.
    pub partials: &'m [PartialSlot],
    /// Those of the open pieces.
    pub blocks: &'m [BlockSlot],
    /// One for each connection.
    pub peers: &'m [PeerSlot],
    /// Our own, then those of each peer.
    pub bits: &'m [u8],
    /// An equal share for each connection.
    pub requests: &'m [RequestSlot],
}

/// The seven regions of [`Memory`], borrowed to be written.
#[derive(Debug)]
pub struct RegionsMut<'m> {
    /// One for 64 pieces.
    pub pieces: &'m mut [PieceSlot],
    /// Those of the rarest.
    pub rarest: &'m mut [RareSlot],
    /// One for each open piece.
    pub partials: &'m mut [PartialSlot],
    /// Those of the open pieces.
    pub blocks: &'m mut [BlockSlot],
    /// One for each connection.
    pub peers: &'m mut [PeerSlot],
    /// Our own, then those of each peer.
    pub bits: &'m mut [u8],
    /// An equal share for each connection.
    pub requests: &'m mut [RequestSlot],
}

impl<P, L, Q, B, R, S, T> Regions for Memory<P, L, Q, B, R, S, T>
where
    P: AsRef<[PieceSlot]> + AsMut<[PieceSlot]>,
    L: AsRef<[RareSlot]> + AsMut<[RareSlot]>,
    Q: AsRef<[PartialSlot]> + AsMut<[PartialSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
    R: AsRef<[PeerSlot]> + AsMut<[PeerSlot]>,
    S: AsRef<[u8]> + AsMut<[u8]>,
    T: AsRef<[RequestSlot]> + AsMut<[RequestSlot]>,
{
    fn regions(&self) -> RegionsRef<'_> {
        RegionsRef {
            pieces: self.pieces.as_ref(),
            rarest: self.rarest.as_ref(),
            partials: self.partials.as_ref(),
            blocks: self.blocks.as_ref(),
            peers: self.peers.as_ref(),
            bits: self.bits.as_ref(),
            requests: self.requests.as_ref(),
        }
    }

    fn regions_mut(&mut self) -> RegionsMut<'_> {
        RegionsMut {
            pieces: self.pieces.as_mut(),
            rarest: self.rarest.as_mut(),
            partials: self.partials.as_mut(),
            blocks: self.blocks.as_mut(),
            peers: self.peers.as_mut(),
            bits: self.bits.as_mut(),
            requests: self.requests.as_mut(),
        }
    }
}
