//! The memory of a book, provided by the caller.

use super::slots::{AddressSlot, BanSlot, ConnSlot};

/// The memory of a [`PeerBook`](super::PeerBook): [`PeerBookSlots`], with feature `alloc`
/// [`PeerBookVec`](super::PeerBookVec), or a type of the caller.
pub trait PeerBookStorage {
    /// Borrows all regions for writing.
    fn parts(&mut self) -> PeerBookParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> PeerBookPartsRef<'_>;
}

/// The regions of a [`PeerBookStorage`], for writing.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct PeerBookParts<'a> {
    /// One slot for each known address.
    pub addresses: &'a mut [AddressSlot],
    /// One slot for each connection and each dial.
    pub conns: &'a mut [ConnSlot],
    /// One slot for each banned address.
    pub bans: &'a mut [BanSlot],
}

/// The regions of a [`PeerBookStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct PeerBookPartsRef<'a> {
    /// One slot for each known address.
    pub addresses: &'a [AddressSlot],
    /// One slot for each connection and each dial.
    pub conns: &'a [ConnSlot],
    /// One slot for each banned address.
    pub bans: &'a [BanSlot],
}

/// The memory of a book in arrays, slices, boxes or vectors.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills all regions")]
pub struct PeerBookSlots<A, C, B> {
    /// [`AddressSlot`]s: how many addresses are remembered.
    pub addresses: A,
    /// [`ConnSlot`]s: as many as the torrent has peer slots.
    pub conns: C,
    /// [`BanSlot`]s: how many banned addresses are remembered.
    pub bans: B,
}

impl<A, C, B> PeerBookStorage for PeerBookSlots<A, C, B>
where
    A: AsRef<[AddressSlot]> + AsMut<[AddressSlot]>,
    C: AsRef<[ConnSlot]> + AsMut<[ConnSlot]>,
    B: AsRef<[BanSlot]> + AsMut<[BanSlot]>,
{
    fn parts(&mut self) -> PeerBookParts<'_> {
        PeerBookParts {
            addresses: self.addresses.as_mut(),
            conns: self.conns.as_mut(),
            bans: self.bans.as_mut(),
        }
    }

    fn parts_ref(&self) -> PeerBookPartsRef<'_> {
        PeerBookPartsRef {
            addresses: self.addresses.as_ref(),
            conns: self.conns.as_ref(),
            bans: self.bans.as_ref(),
        }
    }
}

impl<S: PeerBookStorage + ?Sized> PeerBookStorage for &mut S {
    fn parts(&mut self) -> PeerBookParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> PeerBookPartsRef<'_> {
        (**self).parts_ref()
    }
}
