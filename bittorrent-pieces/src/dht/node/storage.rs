//! The memory of a node.

use crate::dht::items::ItemSlot;
use crate::dht::lookup::LookupSlot;
use crate::dht::peers::StoredPeerSlot;
use crate::dht::table::RouteSlot;

/// The memory of a [`DhtNode`](super::DhtNode): [`DhtSlots`] on a device, `DhtVec` on a heap.
pub trait DhtStorage {
    /// Returns the regions.
    fn parts(&mut self) -> DhtParts<'_>;

    /// Returns the regions, shared.
    fn parts_ref(&self) -> DhtPartsRef<'_>;
}

/// The regions of a [`DhtStorage`]. Only an implementation of the trait for own memory names it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an implementation provides all regions")]
pub struct DhtParts<'s> {
    /// Known nodes: 64 to 160.
    pub routes: &'s mut [RouteSlot],
    /// Lookups at a time, at least 1; the node needs one now and then for itself.
    pub lookups: &'s mut [LookupSlot],
    /// Peers that other nodes announced to us; may be empty.
    pub peers: &'s mut [StoredPeerSlot],
    /// Items that other nodes put to us, and our own (BEP 44); may be empty.
    pub items: &'s mut [ItemSlot],
}

/// The regions of a [`DhtStorage`], shared. Only an implementation of the trait for own memory names it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "an implementation provides all regions")]
pub struct DhtPartsRef<'s> {
    /// Known nodes.
    pub routes: &'s [RouteSlot],
    /// Lookups.
    pub lookups: &'s [LookupSlot],
    /// Announced peers.
    pub peers: &'s [StoredPeerSlot],
    /// Stored items.
    pub items: &'s [ItemSlot],
}

impl<S: DhtStorage + ?Sized> DhtStorage for &mut S {
    fn parts(&mut self) -> DhtParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> DhtPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// A [`DhtStorage`] of arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built as a literal, also in a static")]
pub struct DhtSlots<R, L, P, I> {
    /// Known nodes: 64 to 160.
    pub routes: R,
    /// Lookups at a time, at least 1.
    pub lookups: L,
    /// Peers that other nodes announced to us; may be empty.
    pub peers: P,
    /// Items that other nodes put to us, and our own (BEP 44); may be empty.
    pub items: I,
}

impl<R, L, P, I> DhtStorage for DhtSlots<R, L, P, I>
where
    R: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>,
    L: AsRef<[LookupSlot]> + AsMut<[LookupSlot]>,
    P: AsRef<[StoredPeerSlot]> + AsMut<[StoredPeerSlot]>,
    I: AsRef<[ItemSlot]> + AsMut<[ItemSlot]>,
{
    fn parts(&mut self) -> DhtParts<'_> {
        DhtParts {
            routes: self.routes.as_mut(),
            lookups: self.lookups.as_mut(),
            peers: self.peers.as_mut(),
            items: self.items.as_mut(),
        }
    }

    fn parts_ref(&self) -> DhtPartsRef<'_> {
        DhtPartsRef {
            routes: self.routes.as_ref(),
            lookups: self.lookups.as_ref(),
            peers: self.peers.as_ref(),
            items: self.items.as_ref(),
        }
    }
}

/// A [`DhtStorage`] on the heap.
///
/// ```
/// use bittorrent_pieces::dht::{DhtConfig, DhtLimits, DhtNode, DhtVec, NodeId};
///
/// let config = DhtConfig::new(NodeId([1; 20]), [7; 16]);
/// let node: DhtNode<DhtVec> = DhtNode::new(config, DhtVec::new(DhtLimits::default()))?;
/// # Ok::<(), bittorrent_pieces::dht::ConfigError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DhtVec {
    slots: DhtSlots<
        alloc::vec::Vec<RouteSlot>,
        alloc::vec::Vec<LookupSlot>,
        alloc::vec::Vec<StoredPeerSlot>,
        alloc::vec::Vec<ItemSlot>,
    >,
}

/// The sizes of a [`DhtVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct DhtLimits {
    /// Known nodes; 80 bytes each.
    pub routes: usize,
    /// Lookups at a time; 2.6 KB each.
    pub lookups: usize,
    /// Peers that other nodes announced to us; 80 bytes each.
    pub peers: usize,
    /// Items that other nodes put to us, and our own; 1.3 KB each.
    pub items: usize,
}

#[cfg(feature = "alloc")]
impl Default for DhtLimits {
    /// A client: 160 nodes, 8 lookups, 2,000 peers, 64 items, 275 KB in all.
    fn default() -> Self {
        Self { routes: 160, lookups: 8, peers: 2_000, items: 64 }
    }
}

#[cfg(feature = "alloc")]
impl DhtVec {
    /// Allocates the storage.
    #[must_use]
    pub fn new(limits: DhtLimits) -> Self {
        let slots = DhtSlots {
            routes: alloc::vec![RouteSlot::EMPTY; limits.routes],
            lookups: alloc::vec![LookupSlot::EMPTY; limits.lookups],
            peers: alloc::vec![StoredPeerSlot::EMPTY; limits.peers],
            items: alloc::vec![ItemSlot::EMPTY; limits.items],
        };
        Self { slots }
    }
}

#[cfg(feature = "alloc")]
impl DhtStorage for DhtVec {
    fn parts(&mut self) -> DhtParts<'_> {
        self.slots.parts()
    }

    fn parts_ref(&self) -> DhtPartsRef<'_> {
        self.slots.parts_ref()
    }
}
