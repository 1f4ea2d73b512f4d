//! The memory of a gossip machine.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

use super::blocks::BlockRequest;
use super::peer::PeerSlot;
use super::transactions::TransactionSlot;

/// The storage of a [`Gossip`](super::Gossip): three regions of caller-provided memory.
///
/// Implemented by [`GossipSlots`], by `GossipVec` with the feature `alloc`, and by `&mut S`.
pub trait GossipStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> GossipParts<'_>;
    /// Borrows all regions, shared.
    fn parts_ref(&self) -> GossipPartsRef<'_>;
}

/// The regions of a [`GossipStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of your own builds it")]
pub struct GossipParts<'a> {
    /// One slot for each connection: at most 64 are used.
    pub peers: &'a mut [PeerSlot],
    /// One slot for each block that is fetched at a time.
    pub blocks: &'a mut [BlockRequest],
    /// The transactions that are asked for, or were seen lately: about 32 for each peer. At most 1,024 are used.
    pub transactions: &'a mut [TransactionSlot],
}

/// The regions of a [`GossipStorage`], shared.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of your own builds it")]
pub struct GossipPartsRef<'a> {
    /// The connections.
    pub peers: &'a [PeerSlot],
    /// The blocks that are fetched.
    pub blocks: &'a [BlockRequest],
    /// The transactions that were seen.
    pub transactions: &'a [TransactionSlot],
}

/// Storage for a [`Gossip`](super::Gossip) in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct GossipSlots<A, B, C> {
    /// One slot for each connection: at most 64 are used.
    pub peers: A,
    /// One slot for each block that is fetched at a time.
    pub blocks: B,
    /// The transactions that are asked for, or were seen lately: about 32 for each peer. At most 1,024 are used.
    pub transactions: C,
}

impl<A, B, C> GossipStorage for GossipSlots<A, B, C>
where
    A: AsRef<[PeerSlot]> + AsMut<[PeerSlot]>,
    B: AsRef<[BlockRequest]> + AsMut<[BlockRequest]>,
    C: AsRef<[TransactionSlot]> + AsMut<[TransactionSlot]>,
{
    fn parts(&mut self) -> GossipParts<'_> {
        GossipParts {
            peers: self.peers.as_mut(),
            blocks: self.blocks.as_mut(),
            transactions: self.transactions.as_mut(),
        }
    }

    fn parts_ref(&self) -> GossipPartsRef<'_> {
        GossipPartsRef {
            peers: self.peers.as_ref(),
            blocks: self.blocks.as_ref(),
            transactions: self.transactions.as_ref(),
        }
    }
}

impl<S: GossipStorage + ?Sized> GossipStorage for &mut S {
    fn parts(&mut self) -> GossipParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> GossipPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// The capacities of a [`GossipVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct GossipLimits {
    /// The connections, at most 64.
    pub peers: usize,
    /// The blocks that are fetched at a time.
    pub blocks: usize,
    /// The transactions that are asked for, or were seen lately, at most 1,024.
    pub transactions: usize,
}

#[cfg(feature = "alloc")]
type Vectors = GossipSlots<Vec<PeerSlot>, Vec<BlockRequest>, Vec<TransactionSlot>>;

/// Storage for a [`Gossip`](super::Gossip) on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GossipVec(Vectors);

#[cfg(feature = "alloc")]
impl GossipVec {
    /// Allocates the regions.
    #[must_use]
    pub fn new(limits: GossipLimits) -> Self {
        Self(GossipSlots {
            peers: vec![PeerSlot::EMPTY; limits.peers],
            blocks: vec![BlockRequest::EMPTY; limits.blocks],
            transactions: vec![TransactionSlot::EMPTY; limits.transactions],
        })
    }
}

#[cfg(feature = "alloc")]
impl GossipStorage for GossipVec {
    fn parts(&mut self) -> GossipParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> GossipPartsRef<'_> {
        self.0.parts_ref()
    }
}
