//! The memory of an endpoint.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use super::slot::{PacketSlot, ReorderSlot, UtpSlot};

/// The memory of a [`UtpEndpoint`](super::UtpEndpoint): [`UtpSlots`] on a device, `UtpVec` on a heap.
///
/// Each region but `conns` is divided evenly among the connections.
pub trait UtpStorage {
    /// Returns the regions.
    fn parts(&mut self) -> UtpParts<'_>;

    /// Returns the regions, shared.
    fn parts_ref(&self) -> UtpPartsRef<'_>;
}

/// The regions of a [`UtpStorage`]. Only an implementation of the trait for own memory names it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an implementation provides all regions")]
pub struct UtpParts<'s> {
    /// Connections at a time.
    pub conns: &'s mut [UtpSlot],
    /// Packets that were sent and are not acknowledged.
    pub packets: &'s mut [PacketSlot],
    /// Packets that arrived behind a gap; may be empty.
    pub reorder: &'s mut [ReorderSlot],
    /// Bytes that were written and are not acknowledged.
    pub send: &'s mut [u8],
    /// Bytes that arrived and were not read.
    pub receive: &'s mut [u8],
}

/// What of a [`UtpStorage`] is read without changes. Only an implementation of the trait for own memory names it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "an implementation provides all regions")]
pub struct UtpPartsRef<'s> {
    /// Connections at a time.
    pub conns: &'s [UtpSlot],
}

impl<S: UtpStorage + ?Sized> UtpStorage for &mut S {
    fn parts(&mut self) -> UtpParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> UtpPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// A [`UtpStorage`] of arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal, also in a static")]
pub struct UtpSlots<C, P, O, B, R> {
    /// Connections at a time.
    pub conns: C,
    /// Packets in flight: as many for each connection as fill its bytes to send.
    pub packets: P,
    /// Packets that arrived behind a gap: 16 to 64 for each connection.
    pub reorder: O,
    /// Bytes to send: for each connection, the rate times the round-trip time.
    pub send: B,
    /// Bytes to receive: for each connection, the rate times the round-trip time, and at least
    /// [`MAX_LEN`](super::MAX_LEN).
    pub receive: R,
}

impl<C, P, O, B, R> UtpStorage for UtpSlots<C, P, O, B, R>
where
    C: AsRef<[UtpSlot]> + AsMut<[UtpSlot]>,
    P: AsRef<[PacketSlot]> + AsMut<[PacketSlot]>,
    O: AsRef<[ReorderSlot]> + AsMut<[ReorderSlot]>,
    B: AsRef<[u8]> + AsMut<[u8]>,
    R: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> UtpParts<'_> {
        UtpParts {
            conns: self.conns.as_mut(),
            packets: self.packets.as_mut(),
            reorder: self.reorder.as_mut(),
            send: self.send.as_mut(),
            receive: self.receive.as_mut(),
        }
    }

    fn parts_ref(&self) -> UtpPartsRef<'_> {
        UtpPartsRef { conns: self.conns.as_ref() }
    }
}

/// A [`UtpStorage`] on the heap.
///
/// ```
/// use bittorrent_pieces::utp::{UtpConfig, UtpEndpoint, UtpLimits, UtpVec};
///
/// let limits = UtpLimits { conns: 10, ..UtpLimits::default() };
/// let endpoint: UtpEndpoint<UtpVec> = UtpEndpoint::new(UtpConfig::new([7; 16]), UtpVec::new(limits))?;
/// # Ok::<(), bittorrent_pieces::utp::ConfigError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UtpVec {
    slots: Vectors,
}

#[cfg(feature = "alloc")]
type Vectors = UtpSlots<Vec<UtpSlot>, Vec<PacketSlot>, Vec<ReorderSlot>, Vec<u8>, Vec<u8>>;

/// The sizes of a [`UtpVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct UtpLimits {
    /// Connections at a time.
    pub conns: usize,
    /// Packets in flight, for each connection; 12 bytes each.
    pub packets: usize,
    /// Packets that arrived behind a gap, for each connection; 1.5 KB each.
    pub reorder: usize,
    /// Bytes to send, for each connection.
    pub send: usize,
    /// Bytes to receive, for each connection.
    pub receive: usize,
}

#[cfg(feature = "alloc")]
impl Default for UtpLimits {
    /// A client: 32 connections of 128 KiB in each direction and 64 packets behind a gap, 11.7 MB in all.
    fn default() -> Self {
        Self { conns: 32, packets: 256, reorder: 64, send: 128 << 10, receive: 128 << 10 }
    }
}

#[cfg(feature = "alloc")]
impl UtpVec {
    /// Allocates the storage.
    #[must_use]
    pub fn new(limits: UtpLimits) -> Self {
        let of = |each: usize| limits.conns.saturating_mul(each);
        let slots = UtpSlots {
            conns: alloc::vec![UtpSlot::EMPTY; limits.conns],
            packets: alloc::vec![PacketSlot::EMPTY; of(limits.packets)],
            reorder: alloc::vec![ReorderSlot::EMPTY; of(limits.reorder)],
            send: alloc::vec![0; of(limits.send)],
            receive: alloc::vec![0; of(limits.receive)],
        };
        Self { slots }
    }
}

#[cfg(feature = "alloc")]
impl UtpStorage for UtpVec {
    fn parts(&mut self) -> UtpParts<'_> {
        self.slots.parts()
    }

    fn parts_ref(&self) -> UtpPartsRef<'_> {
        self.slots.parts_ref()
    }
}
