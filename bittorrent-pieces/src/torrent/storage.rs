//! The memory of a torrent, provided by the caller: seven regions and the content.

use super::content::TorrentContent;
use super::peer::PeerSlot;
use super::queue::RequestSlot;
use crate::bitfield::Bitfield;
use crate::block::BLOCK_LEN;
use crate::index::slot;
use crate::picker::{BlockSlot, PartialSlot, PieceSlot, RarestSlot};
use crate::wire::LEN_LEN;
use crate::wire::piece::HEADER_LEN;

/// The memory of a [`Torrent`](crate::Torrent): [`TorrentSlots`], with feature `alloc`
/// [`TorrentVec`](crate::TorrentVec), or a type of the caller.
///
/// Both methods must return the same regions and the same content at each call.
pub trait TorrentStorage {
    /// Borrows all regions for writing.
    fn parts(&mut self) -> TorrentParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> TorrentPartsRef<'_>;
}

/// The regions of a [`TorrentStorage`], for writing.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct TorrentParts<'a> {
    /// The metainfo.
    pub content: TorrentContent<'a>,
    /// One slot for 64 pieces.
    pub pieces: &'a mut [PieceSlot],
    /// The list of the rarest pieces.
    pub rarest: &'a mut [RarestSlot],
    /// One slot for each piece that may be open at a time.
    pub partials: &'a mut [PartialSlot],
    /// The blocks of the open pieces.
    pub blocks: &'a mut [BlockSlot],
    /// One slot for each connection.
    pub peers: &'a mut [PeerSlot],
    /// Our bitfield, then that of each peer.
    pub bits: &'a mut [u8],
    /// An equal share for each connection.
    pub requests: &'a mut [RequestSlot],
}

/// The regions of a [`TorrentStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct TorrentPartsRef<'a> {
    /// The metainfo.
    pub content: TorrentContent<'a>,
    /// One slot for 64 pieces.
    pub pieces: &'a [PieceSlot],
    /// The list of the rarest pieces.
    pub rarest: &'a [RarestSlot],
    /// One slot for each piece that may be open at a time.
    pub partials: &'a [PartialSlot],
    /// The blocks of the open pieces.
    pub blocks: &'a [BlockSlot],
    /// One slot for each connection.
    pub peers: &'a [PeerSlot],
    /// Our bitfield, then that of each peer.
    pub bits: &'a [u8],
    /// An equal share for each connection.
    pub requests: &'a [RequestSlot],
}

/// The memory of a torrent in arrays, slices, boxes or vectors. Its earlier content does not matter.
///
/// [`torrent_storage!`](crate::torrent_storage) names the type of arrays from a few numbers.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills all regions")]
pub struct TorrentSlots<'t, P, L, Q, B, R, S, T> {
    /// The metainfo.
    pub content: TorrentContent<'t>,
    /// [`PieceSlot`]s, one for 64 pieces: see [`piece_slots`](crate::picker::piece_slots).
    pub pieces: P,
    /// [`RarestSlot`]s: see [`rarest_slots`](crate::picker::rarest_slots).
    pub rarest: L,
    /// One [`PartialSlot`] for each piece that may be open at a time: about two for each peer.
    pub partials: Q,
    /// Their [`BlockSlot`]s: see [`block_slots`](crate::picker::block_slots). With fewer, fewer pieces are
    /// open.
    pub blocks: B,
    /// One [`PeerSlot`] for each connection.
    pub peers: R,
    /// The bitfields of all peers and our own: see [`bits_len`].
    pub bits: S,
    /// The requests of all connections: see [`requests_len`]. They bound how many are in flight.
    pub requests: T,
}

impl<P, L, Q, B, R, S, T> TorrentStorage for TorrentSlots<'_, P, L, Q, B, R, S, T>
where
    P: AsRef<[PieceSlot]> + AsMut<[PieceSlot]>,
    L: AsRef<[RarestSlot]> + AsMut<[RarestSlot]>,
    Q: AsRef<[PartialSlot]> + AsMut<[PartialSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
    R: AsRef<[PeerSlot]> + AsMut<[PeerSlot]>,
    S: AsRef<[u8]> + AsMut<[u8]>,
    T: AsRef<[RequestSlot]> + AsMut<[RequestSlot]>,
{
    fn parts(&mut self) -> TorrentParts<'_> {
        TorrentParts {
            content: self.content,
            pieces: self.pieces.as_mut(),
            rarest: self.rarest.as_mut(),
            partials: self.partials.as_mut(),
            blocks: self.blocks.as_mut(),
            peers: self.peers.as_mut(),
            bits: self.bits.as_mut(),
            requests: self.requests.as_mut(),
        }
    }

    fn parts_ref(&self) -> TorrentPartsRef<'_> {
        TorrentPartsRef {
            content: self.content,
            pieces: self.pieces.as_ref(),
            rarest: self.rarest.as_ref(),
            partials: self.partials.as_ref(),
            blocks: self.blocks.as_ref(),
            peers: self.peers.as_ref(),
            bits: self.bits.as_ref(),
            requests: self.requests.as_ref(),
        }
    }
}

impl<S: TorrentStorage + ?Sized> TorrentStorage for &mut S {
    fn parts(&mut self) -> TorrentParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> TorrentPartsRef<'_> {
        (**self).parts_ref()
    }
}

impl<
    't,
    const P: usize,
    const L: usize,
    const Q: usize,
    const B: usize,
    const R: usize,
    const S: usize,
    const T: usize,
>
    TorrentSlots<
        't,
        [PieceSlot; P],
        [RarestSlot; L],
        [PartialSlot; Q],
        [BlockSlot; B],
        [PeerSlot; R],
        [u8; S],
        [RequestSlot; T],
    >
{
    /// Returns unused slots around the content: in a `static`, say.
    #[must_use]
    pub const fn empty(content: TorrentContent<'t>) -> Self {
        Self {
            content,
            pieces: [PieceSlot::EMPTY; P],
            rarest: [RarestSlot::EMPTY; L],
            partials: [PartialSlot::EMPTY; Q],
            blocks: [BlockSlot::EMPTY; B],
            peers: [const { PeerSlot::EMPTY }; R],
            bits: [0; S],
            requests: [RequestSlot::EMPTY; T],
        }
    }
}

/// Names the type of [`TorrentSlots`] whose regions are arrays, from the numbers of a device.
///
/// ```
/// use bittorrent_pieces::{Torrent, torrent_storage};
///
/// torrent_storage! {
///     /// An image of 16 MiB: 256 pieces of 64 KiB, 8 peers, two open pieces, one request each way.
///     type Image = { pieces: 256, piece_len: 64 << 10, peers: 8, open_pieces: 2, pipeline: 1 };
/// }
/// assert!(size_of::<Torrent<Image<'static>>>() < 4096);
/// ```
#[macro_export]
macro_rules! torrent_storage {
    ($(#[$meta:meta])* $vis:vis type $name:ident = {
        pieces: $pieces:expr,
        piece_len: $piece_len:expr,
        peers: $peers:expr,
        open_pieces: $open:expr,
        pipeline: $pipeline:expr $(,)?
    };) => {
        $(#[$meta])*
        $vis type $name<'t> = $crate::TorrentSlots<
            't,
            [$crate::picker::PieceSlot; $crate::picker::piece_slots($pieces)],
            [$crate::picker::RarestSlot; $crate::picker::rarest_slots($pieces)],
            [$crate::picker::PartialSlot; $open],
            [$crate::picker::BlockSlot; $crate::picker::block_slots_of($piece_len, $open)],
            [$crate::torrent::PeerSlot; $peers],
            [u8; $crate::torrent::bits_len($pieces, $peers)],
            [$crate::torrent::RequestSlot; $crate::torrent::requests_len($peers, $pipeline)],
        >;
    };
}

/// Returns how many [`RequestSlot`]s let `peers` connections have `pipeline` requests in flight in
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

/// The longest transmit but a bitfield: a peer exchange.
const TRANSMIT: usize = 768;

/// Returns how many bytes of buffer any transmit fits into: 768, or a bitfield.
#[must_use]
pub const fn transmit_len(pieces: u32) -> usize {
    let bitfield = Bitfield::byte_len(pieces).saturating_add(LEN_LEN).saturating_add(1);
    if bitfield > TRANSMIT { bitfield } else { TRANSMIT }
}

/// The length in bytes of the longest answer to a hash request (BEP 52): 512 hashes, and 32 of the proof.
pub const HASHES_LEN: usize = 53 + 544 * 32;

/// Returns how many bytes of buffer any message fits into that a peer may send: a whole block or
/// a bitfield.
#[must_use]
pub const fn receive_len(pieces: u32) -> usize {
    let block = HEADER_LEN.saturating_add(slot(BLOCK_LEN));
    let bitfield = Bitfield::byte_len(pieces).saturating_add(LEN_LEN).saturating_add(1);
    if bitfield > block { bitfield } else { block }
}
