//! Which node enters the table, and in whose place.

use core::cmp::Reverse;
use core::time::Duration;

use super::slot::{Contact, DEEPEST, Entry, FAILURES, Health, RouteSlot};
use crate::dht::id::NodeId;
use crate::dht::limits::K;
use crate::network::Network;

/// Nodes of one local address in a bucket.
const LOCAL: usize = 4;

/// What happens to a newcomer that has answered.
enum Place {
    /// It takes this slot.
    Slot(usize),
    /// The node in this slot is questionable: it is pinged before it can be replaced.
    PingFirst(usize),
    /// Our own bucket is full and can be split.
    Split,
    /// There is no room.
    Refused,
}

pub(super) fn responded(
    slots: &mut [RouteSlot],
    own: NodeId,
    depth: &mut u8,
    contact: Contact,
    now: Duration,
) -> bool {
    if contact.id == own {
        return false;
    }
    if remove_renamed(slots, contact) {
        return false;
    }
    if let Some(at) = position(slots, |entry| entry.contact.id == contact.id) {
        let known = slots.get_mut(at).and_then(|slot| slot.0.as_mut());
        return known.is_some_and(|known| known.confirm(contact, now));
    }
    let entry = Entry { contact, heard_at: now, failures: 0, ping_due: false };
    loop {
        match place(slots, own, *depth, contact, now) {
            Place::Slot(at) => return put(slots, at, entry),
            Place::Split => *depth = depth.saturating_add(1),
            Place::PingFirst(at) => {
                if let Some(entry) = slots.get_mut(at).and_then(|slot| slot.0.as_mut()) {
                    entry.ping_due = true;
                }
                return false;
            }
            Place::Refused => return false,
        }
    }
}

pub(super) fn queried(
    slots: &mut [RouteSlot],
    own: NodeId,
    depth: u8,
    contact: Contact,
    now: Duration,
) -> bool {
    let known =
        |entry: &Entry| entry.contact.id == contact.id || entry.contact.addr == contact.addr;
    if let Some(at) = position(slots, known) {
        let entry = slots.get_mut(at).and_then(|slot| slot.0.as_mut());
        let same = entry.filter(|entry| entry.contact == contact);
        return same.is_some_and(|entry| {
            entry.heard_at = now;
            entry.failures >= FAILURES // it is there again
        });
    }
    contact.id != own && !matches!(place(slots, own, depth, contact, now), Place::Refused)
}

impl Entry {
    /// Notes an answer under the id of this entry; returns whether the entry is that of the sender.
    fn confirm(&mut self, contact: Contact, now: Duration) -> bool {
        // A node that uses the id of another does not take its place while that one answers.
        if self.contact.addr != contact.addr && self.health(now) != Health::Bad {
            return false;
        }
        *self = Self { contact, heard_at: now, failures: 0, ping_due: false };
        true
    }
}

/// Removes the entry of an address that now answers under another id: a node that changes its id at will could
/// choose its bucket.
fn remove_renamed(slots: &mut [RouteSlot], contact: Contact) -> bool {
    let renamed =
        |entry: &Entry| entry.contact.addr == contact.addr && entry.contact.id != contact.id;
    let slot = position(slots, renamed).and_then(|at| slots.get_mut(at));
    slot.map(|slot| *slot = RouteSlot::EMPTY).is_some()
}

fn place(slots: &[RouteSlot], own: NodeId, depth: u8, contact: Contact, now: Duration) -> Place {
    let bucket = own.common_bits(&contact.id).min(depth);
    let inside = || {
        let entries =
            slots.iter().enumerate().filter_map(|(at, slot)| Some((at, slot.0.as_ref()?)));
        entries.filter(|(_, entry)| own.common_bits(&entry.contact.id).min(depth) == bucket)
    };
    let network = Network::of(contact.addr.ip());
    let same = || inside().filter(|(_, entry)| Network::of(entry.contact.addr.ip()) == network);
    if same().count() >= network.share(1, LOCAL) {
        let bad = same().find(|(_, entry)| entry.failures >= FAILURES);
        return bad.map_or(Place::Refused, |(at, _)| Place::Slot(at));
    }
    if inside().count() < K {
        let free = slots.iter().position(|slot| slot.0.is_none());
        // Without a free slot, a bad node of any bucket makes room.
        let bad = || position(slots, |entry| entry.failures >= FAILURES);
        return free.or_else(bad).map_or(Place::Refused, Place::Slot);
    }
    if bucket == depth {
        return Place::Split;
    }
    let Some((at, worst)) = inside().min_by_key(|(_, entry)| (entry.health(now), entry.heard_at))
    else {
        return Place::Refused;
    };
    match worst.health(now) {
        Health::Bad => Place::Slot(at),
        Health::Questionable => Place::PingFirst(at),
        Health::Good if contact.fits() => {
            let unfit = inside().filter(|(_, entry)| !entry.contact.fits());
            let oldest = unfit.min_by_key(|(_, entry)| entry.heard_at);
            oldest.map_or(Place::Refused, |(at, _)| Place::Slot(at))
        }
        Health::Good => Place::Refused,
    }
}

/// Removes nodes until no bucket has more than eight; returns how often our own bucket is split.
pub(super) fn rebucket(slots: &mut [RouteSlot], own: NodeId) -> u8 {
    for depth in 0..DEEPEST {
        let shared = |contact: &Contact| own.common_bits(&contact.id);
        let contacts = slots.iter().filter_map(RouteSlot::contact);
        if contacts.filter(|contact| shared(contact) >= depth).count() <= K {
            return depth;
        }
        let inside = |slot: &&mut RouteSlot| slot.contact().is_some_and(|it| shared(&it) == depth);
        let excess = slots.iter_mut().filter(inside).count().saturating_sub(K);
        for _ in 0..excess {
            let worst = slots.iter_mut().filter(inside).min_by_key(|slot| rank(slot));
            if let Some(slot) = worst {
                *slot = RouteSlot::EMPTY;
            }
        }
    }
    DEEPEST
}

/// Returns the order in which nodes give way: those that failed most first, and then the longest silent ones.
fn rank(slot: &RouteSlot) -> Option<(Reverse<u8>, Duration)> {
    slot.0.as_ref().map(|entry| (Reverse(entry.failures.min(FAILURES)), entry.heard_at))
}

impl Contact {
    fn fits(&self) -> bool {
        self.id.fits(self.addr.ip())
    }
}

fn position(slots: &[RouteSlot], is: impl Fn(&Entry) -> bool) -> Option<usize> {
    slots.iter().position(|slot| slot.0.as_ref().is_some_and(&is))
}

fn put(slots: &mut [RouteSlot], at: usize, entry: Entry) -> bool {
    slots.get_mut(at).map(|slot| slot.0 = Some(entry)).is_some()
}
