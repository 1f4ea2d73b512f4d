//! The nodes that are known, more of them the nearer they are (BEP 5, "routing table").

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use super::{K, NodeId};

/// A node that said nothing for so long is questionable, and a bucket is refreshed (BEP 5).
pub(super) const QUIET: Duration = Duration::from_secs(15 * 60);
/// After so many failures in a row a node is bad.
const FAILURES: u8 = 3;
/// How many bits of an id may be told apart.
const DEEPEST: u8 = 159;

/// Keeps nodes in buckets of eight by how many bits their ids share with ours. Only the bucket that holds
/// our own id is split, so there is room for about eight nodes at each distance.
///
/// The slots bound how many nodes are known: 64 are enough for a small network, 160 for most.
///
/// ```
/// use bittorrent_pieces::dht::*;
/// use core::time::Duration;
///
/// let mut table = RoutingTable::new(NodeId([0; 20]), [RouteSlot::EMPTY; 64]);
/// let addr = "192.0.2.1:6881".parse().unwrap();
/// table.heard(Duration::ZERO, NodeId([1; 20]), addr, true);
/// assert_eq!(table.nearest(NodeId([2; 20])).map(|node| node.id).next(), Some(NodeId([1; 20])));
/// ```
#[derive(Debug, Clone)]
pub struct RoutingTable<S> {
    pub(super) own: NodeId,
    pub(super) depth: u8, // how often the own bucket was split
    pub(super) slots: S,
}

/// Room for one node: at most 80 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSlot(Option<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    contact: Contact,
    heard_at: Duration,
    answered: bool, // ever
    failures: u8,   // in a row
    ping: bool,     // due
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// Its name.
    pub id: NodeId,
    /// Its UDP address.
    pub addr: SocketAddr,
}

/// How much a node can be relied on (BEP 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It failed to answer several times in a row.
    Bad,
    /// It was silent for 15 minutes, or has never answered.
    Questionable,
    /// It answered in the last 15 minutes, or has ever answered and asked us in the last 15 minutes.
    Good,
}

impl RouteSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self(None);

    /// Returns the node, if there is one.
    #[must_use]
    pub fn contact(&self) -> Option<Contact> {
        self.0.map(|entry| entry.contact)
    }

    pub(super) fn ping_due(&self) -> Option<Contact> {
        self.0.filter(|entry| entry.ping).map(|entry| entry.contact)
    }
}

impl<S: AsRef<[RouteSlot]> + AsMut<[RouteSlot]>> RoutingTable<S> {
    /// Creates a table that knows nobody. `slots` is cleared.
    pub fn new(own: NodeId, mut slots: S) -> Self {
        slots.as_mut().fill(RouteSlot::EMPTY);
        Self { own, depth: 0, slots }
    }

    /// Notes that a node answered or asked; returns whether it is in the table now. If its bucket is
    /// full of good nodes it is not; if one there is questionable, that one is to be pinged, and loses
    /// its place to the next newcomer if it fails.
    pub fn heard(&mut self, now: Duration, id: NodeId, addr: SocketAddr, answered: bool) -> bool {
        let Self { own, depth, slots } = self;
        heard(slots.as_mut(), *own, depth, Contact { id, addr }, now, answered)
    }

    /// Notes that a node did not answer.
    pub fn failed(&mut self, id: NodeId) {
        let mut entries = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        if let Some(entry) = entries.find(|entry| entry.contact.id == id) {
            entry.failures = entry.failures.saturating_add(1);
        }
    }

    /// Notes that a node was pinged.
    pub fn pinged(&mut self, id: NodeId) {
        let mut entries = self.slots.as_mut().iter_mut().filter_map(|slot| slot.0.as_mut());
        if let Some(entry) = entries.find(|entry| entry.contact.id == id) {
            entry.ping = false;
        }
    }

    /// Returns a node that is to be [`pinged`](Self::pinged).
    #[must_use]
    pub fn next_ping(&self) -> Option<Contact> {
        self.slots.as_ref().iter().find_map(RouteSlot::ping_due)
    }
}

impl<S: AsRef<[RouteSlot]>> RoutingTable<S> {
    /// Returns up to eight nodes that are not bad, the nearest to an id first.
    pub fn nearest(&self, target: NodeId) -> impl Iterator<Item = Contact> + use<S> {
        let mut best: [Option<Contact>; K] = [None; K];
        for entry in self.entries().filter(|entry| entry.failures < FAILURES) {
            let far = |contact: &Contact| contact.id.distance(&target);
            let mut carried = Some(entry.contact);
            for place in &mut best {
                let closer = match (&carried, &*place) {
                    (Some(new), Some(old)) => far(new) < far(old),
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if closer {
                    core::mem::swap(&mut carried, place);
                }
            }
        }
        best.into_iter().flatten()
    }

    /// Returns an id in a bucket of which nobody was heard for 15 minutes, and notes the refresh; the
    /// rest of its bits are those of `random`. A `find_node` for it refreshes the bucket.
    pub fn stale(&self, now: Duration, random: [u8; 20]) -> Option<NodeId> {
        let quiet = |bucket: u8| {
            let mut heard = self.entries().filter(|e| self.bucket(&e.contact.id) == bucket);
            !heard.any(|entry| now.saturating_sub(entry.heard_at) < QUIET)
        };
        let bucket = (0..=self.depth).find(|bucket| quiet(*bucket))?;
        Some(id_in(self.own, bucket, bucket == self.depth, random))
    }

    /// Returns how much a node can be relied on; `None` if it is not known.
    #[must_use]
    pub fn health(&self, now: Duration, id: NodeId) -> Option<Health> {
        self.entries().find(|entry| entry.contact.id == id).map(|entry| entry.health(now))
    }

    /// Returns all nodes, to be saved for the next start.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.entries().map(|entry| entry.contact)
    }

    /// Returns how many nodes are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Returns whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many buckets there are.
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

impl Entry {
    fn health(&self, now: Duration) -> Health {
        if self.failures >= FAILURES {
            Health::Bad
        } else if self.answered && now.saturating_sub(self.heard_at) < QUIET {
            Health::Good
        } else {
            Health::Questionable
        }
    }
}

fn heard(
    slots: &mut [RouteSlot],
    own: NodeId,
    depth: &mut u8,
    contact: Contact,
    now: Duration,
    answered: bool,
) -> bool {
    let mut entries = slots.iter_mut().filter_map(|slot| slot.0.as_mut());
    if let Some(known) = entries.find(|entry| entry.contact.id == contact.id) {
        // Whoever takes another's id does not take its place.
        if known.contact.addr != contact.addr && known.health(now) != Health::Bad {
            return false;
        }
        known.contact = contact;
        known.heard_at = now;
        known.answered |= answered;
        if answered {
            (known.failures, known.ping) = (0, false);
        }
        return true;
    }
    if contact.id == own {
        return false;
    }
    let fresh = Entry { contact, heard_at: now, answered, failures: 0, ping: !answered };
    loop {
        let bucket = own.common_bits(&contact.id).min(*depth);
        let inside = |slot: &RouteSlot| {
            slot.0.filter(|e| own.common_bits(&e.contact.id).min(*depth) == bucket)
        };
        let count = slots.iter().filter_map(inside).count();
        if count < K {
            let free = slots.iter().position(|slot| slot.0.is_none());
            // Without a free slot, a bad node anywhere makes room.
            let bad = || slots.iter().position(|s| s.0.is_some_and(|e| e.failures >= FAILURES));
            return place(slots, free.or_else(bad), fresh);
        }
        if bucket == *depth && *depth < DEEPEST {
            *depth = depth.saturating_add(1);
            continue;
        }
        let worst = slots.iter().enumerate().filter_map(|(at, slot)| Some((at, inside(slot)?)));
        let worst = worst.min_by_key(|(_, entry)| (entry.health(now), entry.heard_at));
        let Some((at, entry)) = worst else { return false };
        match entry.health(now) {
            Health::Bad => return place(slots, Some(at), fresh),
            Health::Questionable => {
                if let Some(entry) = slots.get_mut(at).and_then(|slot| slot.0.as_mut()) {
                    entry.ping = true;
                }
                return false;
            }
            Health::Good => return false,
        }
    }
}

fn place(slots: &mut [RouteSlot], at: Option<usize>, entry: Entry) -> bool {
    let slot = at.and_then(|at| slots.get_mut(at));
    slot.map(|slot| slot.0 = Some(entry)).is_some()
}

/// Returns an id that shares exactly so many bits with ours, or at least so many in the last bucket.
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

impl Contact {
    pub(super) const NONE: Self = Self {
        id: NodeId([0; 20]),
        addr: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
    };
}
