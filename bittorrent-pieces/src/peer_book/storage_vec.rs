//! The memory of a book on the heap.

use alloc::vec;
use alloc::vec::Vec;

use super::slots::{AddressSlot, BanSlot, ConnSlot};
use super::storage::{PeerBookParts, PeerBookPartsRef, PeerBookStorage};

/// The sizes of a [`PeerBookVec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerBookLimits {
    /// How many addresses are remembered, at most 65,535.
    pub addresses: u16,
    /// How many connections and dials there may be at a time: as many as the torrent has peer slots.
    pub conns: u16,
    /// How many banned addresses are remembered.
    pub bans: u16,
}

impl PeerBookLimits {
    /// Returns 1,000 addresses, 50 connections and 64 bans: less than 90 KB.
    #[must_use]
    pub const fn new() -> Self {
        Self { addresses: 1_000, conns: 50, bans: 64 }
    }
}

impl Default for PeerBookLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of a [`PeerBook`](super::PeerBook) in vectors.
#[derive(Debug, Clone)]
pub struct PeerBookVec {
    addresses: Vec<AddressSlot>,
    conns: Vec<ConnSlot>,
    bans: Vec<BanSlot>,
}

impl PeerBookVec {
    /// Allocates the memory.
    #[must_use]
    pub fn new(limits: PeerBookLimits) -> Self {
        Self {
            addresses: vec![AddressSlot::EMPTY; usize::from(limits.addresses)],
            conns: vec![ConnSlot::EMPTY; usize::from(limits.conns)],
            bans: vec![BanSlot::EMPTY; usize::from(limits.bans)],
        }
    }
}

impl PeerBookStorage for PeerBookVec {
    fn parts(&mut self) -> PeerBookParts<'_> {
        PeerBookParts {
            addresses: &mut self.addresses,
            conns: &mut self.conns,
            bans: &mut self.bans,
        }
    }

    fn parts_ref(&self) -> PeerBookPartsRef<'_> {
        PeerBookPartsRef { addresses: &self.addresses, conns: &self.conns, bans: &self.bans }
    }
}
