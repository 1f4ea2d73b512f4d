//! The route table: which way a message came, so that its answer finds the way back.

use core::time::Duration;

use crate::{Guid, ServentId};

/// How many slots a key may lie in. A full window gives up its oldest entry.
const WINDOW: usize = 8;

/// The grain of an entry's age.
const SECOND: Duration = Duration::from_secs(1);

/// Remembers for each message seen the connection it came on. `S` is the memory; any
/// `[RouteSlot]` serves.
///
/// One table does three things: it is the list of messages "seen already" that keeps a flood from
/// running in circles, it leads pongs and hits back along the path of their question, and it leads
/// pushes back along the path of a hit.
///
/// Each call touches at most eight slots. A key that finds them all taken replaces the oldest, so a
/// stranger who floods can shorten the memory but neither grow it nor, without the seed, aim at an
/// entry.
///
/// ```
/// use core::time::Duration;
/// use gnutella_wire::{Guid, Key, Learnt, Lifetimes, Route, RouteSlot, RouteTable, Via};
///
/// let mut routes = RouteTable::new(42, Lifetimes::default(), [RouteSlot::EMPTY; 64]);
/// let query = Key::Query(Guid([7; 16]));
/// let first = Route { via: Via(3), ttl: 4, hops: 0 };
/// assert_eq!(routes.learn(Duration::ZERO, query, first), Learnt::New);
/// let again = Route { via: Via(4), ttl: 2, hops: 2 };
/// assert_eq!(routes.learn(Duration::ZERO, query, again), Learnt::Known(first));
/// assert_eq!(routes.find(Duration::from_secs(60), query).map(|route| route.via), Some(Via(3)));
/// assert_eq!(routes.find(Duration::from_secs(3600), query), None);
/// ```
#[derive(Debug, Clone)]
pub struct RouteTable<S: ?Sized> {
    seed: u64,
    lifetimes: Lifetimes,
    slots: S, // last, so that an array coerces to a slice
}

/// What a route leads back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// The pongs of this ping.
    Ping(Guid),
    /// The hits of this query.
    Query(Guid),
    /// The pushes for this servent.
    Push(ServentId),
}

/// Names a connection for good: a number that its owner never uses for a later one. So a closed
/// connection takes all its routes along in O(1): they lead to a number that no longer means
/// anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Via(pub u32);

/// What the table knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The connection it came on.
    pub via: Via,
    /// How many more links it could cross.
    pub ttl: u8,
    /// The links it had crossed before.
    pub hops: u8,
}

/// What [`RouteTable::learn`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// The key is new and now remembered.
    New,
    /// The key was known: this is a duplicate. Nothing changed.
    Known(Route),
    /// The table has no slot at all.
    NoRoom,
}

/// How long a key is remembered after it was learnt: at least so long, and less than two
/// seconds longer.
///
/// Longer than an answer may take, short enough for the table: slots needed = new keys per second
/// × lifetime in seconds, and as much again for luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of pings.
    pub ping: Duration,
    /// Of queries.
    pub query: Duration,
    /// Of the servents that hits came from.
    pub push: Duration,
}

/// Room for one route: 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSlot(Option<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    id: [u8; 16],
    via: Via,
    seen: u32, // seconds
    kind: Kind,
    ttl: u8,
    hops: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ping,
    Query,
    Push,
}

impl<S> RouteTable<S> {
    /// Creates a table. `seed` decides which slots a key may lie in; it should differ per start.
    #[must_use]
    pub const fn new(seed: u64, lifetimes: Lifetimes, slots: S) -> Self {
        Self { seed, lifetimes, slots }
    }

    /// Returns the memory.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsMut<[RouteSlot]> + ?Sized> RouteTable<S> {
    /// Remembers which way `key` came, unless it is known.
    pub fn learn(&mut self, now: Duration, key: Key, route: Route) -> Learnt {
        self.view().learn(now, key, route)
    }

    /// Remembers which way `key` came, the newest way being the best.
    pub fn refresh(&mut self, now: Duration, key: Key, route: Route) {
        self.view().refresh(now, key, route);
    }

    /// Notes that a copy of `key` came that may cross `ttl` more links; the way back stays. A later
    /// copy counts as a mere duplicate only if its TTL is no higher.
    pub fn raise(&mut self, now: Duration, key: Key, ttl: u8) {
        self.view().raise(now, key, ttl);
    }

    fn view(&mut self) -> View<'_> {
        let Self { seed, lifetimes, slots } = self;
        View { seed: *seed, lifetimes: *lifetimes, slots: slots.as_mut() }
    }

    /// The same table, with memory of one type whatever `S` is.
    pub(crate) fn as_slice(&mut self) -> RouteTable<&mut [RouteSlot]> {
        let Self { seed, lifetimes, slots } = self;
        RouteTable { seed: *seed, lifetimes: *lifetimes, slots: slots.as_mut() }
    }
}

impl<S: AsRef<[RouteSlot]> + ?Sized> RouteTable<S> {
    /// Returns the way back, if `key` is remembered.
    #[must_use]
    pub fn find(&self, now: Duration, key: Key) -> Option<Route> {
        let entry = find(self.slots.as_ref(), self.seed, &self.lifetimes, seconds(now), key)?;
        Some(entry.route())
    }

    /// Returns how many keys are remembered at `now`. Looks at every slot.
    #[must_use]
    pub fn len(&self, now: Duration) -> usize {
        let slots = self.slots.as_ref().iter();
        slots.filter(|slot| slot.live(&self.lifetimes, seconds(now)).is_some()).count()
    }

    /// Returns how many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }
}

/// The table while it changes.
struct View<'s> {
    seed: u64,
    lifetimes: Lifetimes,
    slots: &'s mut [RouteSlot],
}

impl View<'_> {
    fn learn(&mut self, now: Duration, key: Key, route: Route) -> Learnt {
        let at = seconds(now);
        if let Some(known) = find(self.slots, self.seed, &self.lifetimes, at, key) {
            return Learnt::Known(known.route());
        }
        self.write(at, key, route)
    }

    fn refresh(&mut self, now: Duration, key: Key, route: Route) {
        self.write(seconds(now), key, route);
    }

    fn raise(&mut self, now: Duration, key: Key, ttl: u8) {
        let at = seconds(now);
        for index in window(self.slots.len(), self.seed, key) {
            let live = self.slots.get_mut(index).filter(|s| s.live(&self.lifetimes, at).is_some());
            let entry = live.and_then(|slot| slot.0.as_mut()).filter(|entry| entry.is(key));
            if let Some(entry) = entry {
                entry.ttl = entry.ttl.max(ttl);
            }
        }
    }

    /// Puts the key into its old slot, else a free one, else that of the oldest entry.
    fn write(&mut self, at: u32, key: Key, route: Route) -> Learnt {
        let (kind, id) = key.parts();
        let worth = |slot: &RouteSlot| match slot.live(&self.lifetimes, at) {
            Some(entry) if entry.is(key) => (0, 0),
            None => (1, 0),
            Some(entry) => (2, entry.seen),
        };
        let mut best = None;
        for index in window(self.slots.len(), self.seed, key) {
            let Some(slot) = self.slots.get(index) else { continue };
            let worth = worth(slot);
            if best.is_none_or(|(least, _)| worth < least) {
                best = Some((worth, index));
            }
        }
        let Some(slot) = best.and_then(|(_, index)| self.slots.get_mut(index)) else {
            return Learnt::NoRoom;
        };
        let Route { via, ttl, hops } = route;
        *slot = RouteSlot(Some(Entry { id, via, seen: at, kind, ttl, hops }));
        Learnt::New
    }
}

fn find<'s>(
    slots: &'s [RouteSlot],
    seed: u64,
    lifetimes: &Lifetimes,
    at: u32,
    key: Key,
) -> Option<&'s Entry> {
    let (kind, id) = key.parts();
    let entries = window(slots.len(), seed, key).filter_map(|index| slots.get(index)?.0.as_ref());
    let mut same = entries.filter(|entry| entry.id == id && entry.kind == kind);
    same.find(|entry| entry.is_live(lifetimes, at))
}

/// Yields the slots that `key` may lie in.
fn window(capacity: usize, seed: u64, key: Key) -> impl Iterator<Item = usize> {
    // The high word of hash × capacity spreads as evenly as a remainder, without a division.
    let spread = u64::from(hash(seed, key)).saturating_mul(u64::try_from(capacity).unwrap_or(0));
    let start = usize::try_from(spread >> 32).unwrap_or(0);
    (0..WINDOW.min(capacity)).map(move |step| {
        let index = start.saturating_add(step);
        index.checked_sub(capacity).unwrap_or(index)
    })
}

/// `HalfSipHash`-1-3 (Aumasson, Bernstein) of the key's kind and id: keys chosen by a stranger do
/// not collide without the seed, and 32-bit machines pay little. One round for a word and three at
/// the end are what hash tables make do with, since nobody sees the hashes.
fn hash(seed: u64, key: Key) -> u32 {
    let half = |bits: u64| u32::try_from(bits & 0xFFFF_FFFF).unwrap_or_default();
    let (low, high) = (half(seed), half(seed >> 32));
    let mut sip = Sip::<1, 3>([low, high, low ^ 0x6C79_6765, high ^ 0x7465_6462]);
    let (kind, id) = key.parts();
    let (words, _) = id.as_chunks::<4>();
    for word in words {
        sip.absorb(u32::from_le_bytes(*word));
    }
    sip.absorb(u32::from_le_bytes([kind.byte(), 0, 0, 17])); // the last word carries the length
    sip.finish()
}

/// With `C` rounds for each word, and `D` at the end.
struct Sip<const C: usize, const D: usize>([u32; 4]);

impl<const C: usize, const D: usize> Sip<C, D> {
    fn absorb(&mut self, word: u32) {
        let [.., v3] = &mut self.0;
        *v3 ^= word;
        (0..C).for_each(|_| self.round());
        let [v0, ..] = &mut self.0;
        *v0 ^= word;
    }

    fn finish(mut self) -> u32 {
        let [_, _, v2, _] = &mut self.0;
        *v2 ^= 0xFF;
        (0..D).for_each(|_| self.round());
        let [_, v1, _, v3] = self.0;
        v1 ^ v3
    }

    fn round(&mut self) {
        let [mut v0, mut v1, mut v2, mut v3] = self.0;
        v0 = v0.wrapping_add(v1);
        v1 = v1.rotate_left(5) ^ v0;
        v0 = v0.rotate_left(16);
        v2 = v2.wrapping_add(v3);
        v3 = v3.rotate_left(8) ^ v2;
        v0 = v0.wrapping_add(v3);
        v3 = v3.rotate_left(7) ^ v0;
        v2 = v2.wrapping_add(v1);
        v1 = v1.rotate_left(13) ^ v2;
        v2 = v2.rotate_left(16);
        self.0 = [v0, v1, v2, v3];
    }
}

/// Whole seconds; the end of time is as far as 32 bits reach.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
}

impl Key {
    fn parts(self) -> (Kind, [u8; 16]) {
        match self {
            Self::Ping(guid) => (Kind::Ping, guid.0),
            Self::Query(guid) => (Kind::Query, guid.0),
            Self::Push(servent) => (Kind::Push, servent.0),
        }
    }
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Ping => 0,
            Self::Query => 1,
            Self::Push => 2,
        }
    }
}

impl RouteSlot {
    /// No route.
    pub const EMPTY: Self = Self(None);

    /// Returns the entry unless it has expired.
    fn live(&self, lifetimes: &Lifetimes, at: u32) -> Option<&Entry> {
        self.0.as_ref().filter(|entry| entry.is_live(lifetimes, at))
    }
}

impl Entry {
    fn is_live(&self, lifetimes: &Lifetimes, at: u32) -> bool {
        let age = at.saturating_sub(self.seen);
        Duration::from_secs(age.into()) < lifetimes.of(self.kind).saturating_add(SECOND)
    }

    const fn route(&self) -> Route {
        Route { via: self.via, ttl: self.ttl, hops: self.hops }
    }

    fn is(&self, key: Key) -> bool {
        (self.kind, self.id) == key.parts()
    }
}

impl Lifetimes {
    /// Two, five and seven minutes, the least that `LimeWire` and `Phex` keep.
    pub const LIMEWIRE: Self = Self {
        ping: Duration::from_secs(120),
        query: Duration::from_secs(300),
        push: Duration::from_secs(420),
    };

    const fn of(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Ping => self.ping,
            Kind::Query => self.query,
            Kind::Push => self.push,
        }
    }
}

impl Default for Lifetimes {
    /// [`LIMEWIRE`](Self::LIMEWIRE).
    fn default() -> Self {
        Self::LIMEWIRE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' reference vectors for a 32-bit tag: the key is 00..07, the message 00..n.
    #[test]
    fn the_rounds_are_those_of_half_sip_hash() {
        let key = [0x0302_0100, 0x0706_0504, 0x0302_0100 ^ 0x6C79_6765, 0x0706_0504 ^ 0x7465_6462];
        let mut empty = Sip::<2, 4>(key);
        empty.absorb(0);
        assert_eq!(empty.finish().to_le_bytes(), [0xA9, 0x35, 0x9F, 0x5B]);
        let mut one = Sip::<2, 4>(key);
        one.absorb(0x0100_0000);
        assert_eq!(one.finish().to_le_bytes(), [0x27, 0x47, 0x5A, 0xB8]);
    }
}
