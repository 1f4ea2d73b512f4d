//! The known nodes, with more detail near our own id (BEP 5, "routing table").

mod insert;
mod slot;

use core::time::Duration;

use super::id::NodeId;
use super::limits::K;
pub(in crate::dht) use slot::QUIET;
pub use slot::{Contact, Health, RouteSlot};
use slot::{Entry, FAILURES};

/// Keeps nodes in buckets of eight by the number of bits their ids share with ours. Only the bucket that holds
/// our own id is split, so there is room for about eight nodes at each distance. In a bucket there is one node
/// of each network (IPv4 /24, IPv6 /64), or four of one local address.
///
/// The number of slots bounds the number of nodes: 64 are enough for a small network, 160 for most.
///
/// ```
/// use bittorrent_pieces::dht::{Contact, NodeId, RouteSlot, RoutingTable};
/// use core::time::Duration;
///
/// let mut table = RoutingTable::new(NodeId([0; 20]), [RouteSlot::EMPTY; 64]);
/// let contact = Contact { id: NodeId([1; 20]), addr: "192.0.2.1:6881".parse().unwrap() };
/// table.responded(Duration::ZERO, contact);
/// assert_eq!(table.nearest(NodeId([2; 20])).next(), Some(contact));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingTable<S> {
    pub(super) own: NodeId,
    pub(super) depth: u8, // how often the own bucket was split
    pub(super) slots: S,
}

impl<S: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>> RoutingTable<S> {
    /// Creates an empty table. `slots` is cleared.
    pub fn new(own: NodeId, mut slots: S) -> Self {
        slots.as_mut().fill(RouteSlot::EMPTY);
        Self { own, depth: 0, slots }
    }

    /// Notes that a node answered a query; returns whether it is in the table now.
    ///
    /// In a full bucket it replaces a bad node, or a good one whose id does not fit its address if its own does
    /// (BEP 42). A questionable node is pinged first; see [`next_ping`](Self::next_ping).
    pub fn responded(&mut self, now: Duration, contact: Contact) -> bool {
        insert::responded(self.slots.as_mut(), self.own, &mut self.depth, contact, now)
    }

    /// Notes that a node sent a query. That keeps a known node good; an unknown one is not inserted. Returns
    /// whether it would be inserted if it [`responded`](Self::responded), or a bad node become good, so a ping is worthwhile.
    pub fn queried(&mut self, now: Duration, contact: Contact) -> bool {
        insert::queried(self.slots.as_mut(), self.own, self.depth, contact, now)
    }

    /// Notes that a node did not answer.
    pub fn failed(&mut self, id: NodeId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    /// Notes that a node was pinged.
    pub fn pinged(&mut self, id: NodeId) {
        if let Some(entry) = self.entry_mut(id) {
            entry.ping_due = false;
        }
    }

    /// Changes our own id. Nodes that exceed the size of their new bucket are removed, the worst first.
    pub(crate) fn set_own(&mut self, own: NodeId) {
        self.own = own;
        self.depth = insert::rebucket(self.slots.as_mut(), own);
    }

    fn entry_mut(&mut self, id: NodeId) -> Option<&mut Entry> {
        let mut entries = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        entries.find(|entry| entry.contact.id == id)
    }
}

impl<S: AsRef<[RouteSlot]>> RoutingTable<S> {
    /// Returns up to eight nodes that are not bad, the nearest to an id first.
    pub fn nearest(&self, target: NodeId) -> Nearest {
        let mut contacts = [None; K];
        for (to, contact) in contacts.iter_mut().zip(nearest(self.slots.as_ref(), target)) {
            *to = Some(contact);
        }
        Nearest(contacts.into_iter())
    }

    /// Returns a node that is to be [`pinged`](Self::pinged): its place in a full bucket was wanted.
    #[must_use]
    pub fn next_ping(&self) -> Option<Contact> {
        self.pings_due().next()
    }

    pub(super) fn pings_due(&self) -> impl Iterator<Item = Contact> {
        self.entries().filter(|entry| entry.ping_due).map(|entry| entry.contact)
    }

    /// Returns an id in a bucket without a message for 15 minutes; its other bits are those of
    /// `random`. A `find_node` for it refreshes the bucket.
    #[must_use]
    pub fn stale(&self, now: Duration, random: [u8; 20]) -> Option<NodeId> {
        let quiet = |bucket: u8| {
            let mut nodes = self.entries().filter(|entry| self.bucket(&entry.contact.id) == bucket);
            !nodes.any(|entry| entry.is_active(now))
        };
        let bucket = (0..=self.depth).find(|bucket| quiet(*bucket))?;
        Some(id_in(self.own, bucket, bucket == self.depth, random))
    }

    /// Returns how reliable a node is; `None` if it is unknown.
    #[must_use]
    pub fn health(&self, now: Duration, id: NodeId) -> Option<Health> {
        self.entries().find(|entry| entry.contact.id == id).map(|entry| entry.health(now))
    }

    /// Returns all nodes, to be saved for the next start.
    pub fn contacts(&self) -> Contacts<'_> {
        Contacts(self.slots.as_ref().iter())
    }

    /// Returns the number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Returns whether the table has no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of buckets.
    #[must_use]
    pub fn buckets(&self) -> u8 {
        self.depth.saturating_add(1)
    }

    fn bucket(&self, id: &NodeId) -> u8 {
        self.own.common_bits(id).min(self.depth)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.slots.as_ref().iter().filter_map(|slot| slot.0.as_ref())
    }
}

/// Returns up to eight nodes that are not bad, the nearest to an id first.
pub(in crate::dht) fn nearest(
    slots: &[RouteSlot],
    target: NodeId,
) -> impl Iterator<Item = Contact> + use<'_> {
    contacts_of(slots, nearest_slots(slots, target, |entry| entry.failures < FAILURES))
}

/// Returns up to eight bad nodes, the nearest to an id first.
pub(in crate::dht) fn nearest_bad(
    slots: &[RouteSlot],
    target: NodeId,
) -> impl Iterator<Item = Contact> + use<'_> {
    contacts_of(slots, nearest_slots(slots, target, |entry| entry.failures >= FAILURES))
}

/// Returns the nodes of slots, which end with the first unused place.
fn contacts_of(
    slots: &[RouteSlot],
    indices: [usize; K],
) -> impl Iterator<Item = Contact> + use<'_> {
    indices.into_iter().map_while(|index| slots.get(index).and_then(RouteSlot::contact))
}

/// Returns the slots of the nodes nearest to an id that `is` chooses; unused places are the last and beyond all slots.
fn nearest_slots(slots: &[RouteSlot], target: NodeId, is: impl Fn(&Entry) -> bool) -> [usize; K] {
    let target = target.words();
    let mut best = [(u128::MAX, u32::MAX, u32::MAX); K]; // distances and slots
    for (index, slot) in (0..).zip(slots) {
        let Some(entry) = slot.0.as_ref().filter(|entry| is(entry)) else { continue };
        let id = entry.contact.id.words();
        let mut carried = (id.0 ^ target.0, id.1 ^ target.1, index);
        if best.last().is_some_and(|farthest| carried < *farthest) {
            for place in &mut best {
                if carried < *place {
                    core::mem::swap(place, &mut carried);
                }
            }
        }
    }
    best.map(|(.., index)| crate::index::slot(index))
}

/// The nodes nearest to an id, the nearest first.
#[derive(Debug, Clone)]
pub struct Nearest(core::array::IntoIter<Option<Contact>, K>);

impl Iterator for Nearest {
    type Item = Contact;

    fn next(&mut self) -> Option<Contact> {
        self.0.next().flatten() // the unused places are the last
    }
}

/// The nodes of a table.
#[derive(Debug, Clone)]
pub struct Contacts<'s>(core::slice::Iter<'s, RouteSlot>);

impl<'s> Contacts<'s> {
    pub(super) fn new(slots: &'s [RouteSlot]) -> Self {
        Self(slots.iter())
    }
}

impl Iterator for Contacts<'_> {
    type Item = Contact;

    fn next(&mut self) -> Option<Contact> {
        self.0.find_map(RouteSlot::contact)
    }
}

/// Returns an id that shares exactly `bits` bits with ours, or at least as many in the last bucket.
fn id_in(own: NodeId, bits: u8, last: bool, random: [u8; 20]) -> NodeId {
    let mut id = random;
    let mut left = u32::from(bits);
    for (byte, own) in id.iter_mut().zip(own.0) {
        let mask = 0xFF_u8.checked_shr(left).unwrap_or(0); // the bits that are free
        *byte = own & !mask | *byte & mask;
        if left < 8 {
            let edge = 0x80_u8.checked_shr(left).unwrap_or(0);
            if !last {
                *byte = *byte & !edge | !own & edge;
            }
            break;
        }
        left = left.saturating_sub(8);
    }
    NodeId(id)
}
