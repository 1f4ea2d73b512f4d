//! The route table: which connection a message arrived on, so that its answer finds the way back.

mod groups;
mod hasher;
mod slot;

use core::time::Duration;

use crate::id::{Guid, ServentId};

pub(crate) use hasher::Hasher;
pub use slot::RouteSlot;

use groups::{Groups, View};
use slot::{Kind, LAST_SECOND};

/// Remembers for each message the connection it arrived on. `S` is the storage, any
/// `[RouteSlot]`.
///
/// One table does three things: it is the list of messages "seen already" that keeps a flood from
/// running in circles, it leads pongs and hits back along the path of their question, and it leads
/// pushes back along the path of a hit.
///
/// A table of 16 slots or more is divided into groups of 16. One slot of a group holds a byte of the hash of each key
/// in the others, so that 15 keys are compared at once. A key may lie in two groups. It lies in the first unless
/// that was full, and the group remembers when it last was. If both are full, another key is moved to its other group.
/// If that fails too, the oldest key of both is replaced: a stranger who floods can shorten the memory but neither grow
/// it nor, without the seed, aim at an entry. Up to seven slots beyond the last group may be unused.
///
/// ```
/// use core::time::Duration;
/// use gnutella_wire::routes::{Insertion, Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
/// use gnutella_wire::Guid;
///
/// let mut routes = RouteTable::new(42, Lifetimes::default(), [RouteSlot::EMPTY; 64]);
/// let query = Key::Query(Guid([7; 16]));
/// let first = Route { source: RouteSource(3), ttl: 4, hops: 0 };
/// assert_eq!(routes.insert(Duration::ZERO, query, first), Insertion::New);
/// let again = Route { source: RouteSource(4), ttl: 2, hops: 2 };
/// assert_eq!(routes.insert(Duration::ZERO, query, again), Insertion::Known(first));
/// assert_eq!(routes.find(Duration::from_secs(60), query).map(|route| route.source), Some(RouteSource(3)));
/// assert_eq!(routes.find(Duration::from_secs(3600), query), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RouteTable<S: ?Sized> {
    hasher: Hasher,
    spans: Spans,
    slots: S, // last, so that an array coerces to a slice
}

/// What a route leads back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three kinds of routes")]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number of the caller")]
pub struct RouteSource(pub u32);

/// What the table knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a slot stores")]
pub struct Route {
    /// The connection it came on.
    pub source: RouteSource,
    /// How many more links it could cross.
    pub ttl: u8,
    /// The links it had crossed before.
    pub hops: u8,
}

/// What [`RouteTable::insert`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every caller must handle each case")]
pub enum Insertion {
    /// The key is new and now remembered.
    New,
    /// The key was known: this is a duplicate. Nothing changed.
    Known(Route),
    /// The table has no slot at all.
    Full,
}

/// How long a key is remembered after it was learnt: at least so long, and less than two
/// seconds longer.
///
/// Longer than an answer may take, short enough for the table: slots needed = new keys per second
/// × lifetime in seconds, and as much again for luck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one per kind of key")]
pub struct Lifetimes {
    /// Of pings.
    pub ping: Duration,
    /// Of queries.
    pub query: Duration,
    /// Of the servents that hits came from.
    pub push: Duration,
}

impl<S> RouteTable<S> {
    /// Creates a table. `seed` decides which slots a key may lie in; it should differ per start.
    #[must_use]
    pub fn new(seed: u64, lifetimes: Lifetimes, mut slots: S) -> Self
    where
        S: AsMut<[RouteSlot]>,
    {
        slots.as_mut().fill(RouteSlot::EMPTY);
        Self::resume(seed, lifetimes, slots)
    }

    /// Continues with the slots of an earlier table of the same seed and lifetimes.
    #[must_use]
    pub const fn resume(seed: u64, lifetimes: Lifetimes, slots: S) -> Self {
        Self::with_hasher(Hasher::new(seed), lifetimes, slots)
    }

    pub(crate) const fn with_hasher(hasher: Hasher, lifetimes: Lifetimes, slots: S) -> Self {
        Self { hasher, spans: Spans::new(lifetimes), slots }
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsMut<[RouteSlot]> + ?Sized> RouteTable<S> {
    /// Remembers which way `key` came, unless it is known.
    pub fn insert(&mut self, now: Duration, key: Key, route: Route) -> Insertion {
        self.view().insert(seconds(now), key, route)
    }

    /// Remembers which way `key` came, the newest way being the best.
    pub fn refresh(&mut self, now: Duration, key: Key, route: Route) {
        self.replace(now, key, route);
    }

    /// Remembers which way `key` came, known or not. Returns whether there is a slot.
    pub(crate) fn replace(&mut self, now: Duration, key: Key, route: Route) -> bool {
        self.view().write(seconds(now), key, route)
    }

    /// Notes that a copy of `key` came that may cross `ttl` more links; the way back stays. A later
    /// copy counts as a duplicate only if its TTL is not higher.
    pub fn raise_ttl(&mut self, now: Duration, key: Key, ttl: u8) {
        self.view().raise_ttl(seconds(now), key, ttl);
    }

    fn view(&mut self) -> View<'_> {
        let Self { hasher, spans, slots } = self;
        View { hasher, spans: *spans, slots: slots.as_mut() }
    }
}

impl<S: AsRef<[RouteSlot]> + ?Sized> RouteTable<S> {
    /// Returns the way back, if `key` is remembered.
    #[must_use]
    pub fn find(&self, now: Duration, key: Key) -> Option<Route> {
        let slots = self.slots.as_ref();
        let at = self.groups().find(slots, seconds(now), key)?;
        Some(slots.get(at)?.route())
    }

    /// Returns how many keys are remembered at `now`. Looks at every slot.
    #[must_use]
    pub fn len(&self, now: Duration) -> usize {
        self.groups().count(self.slots.as_ref(), seconds(now))
    }

    /// Returns how many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn groups(&self) -> Groups<'_> {
        Groups::new(&self.hasher, self.spans, self.slots.as_ref().len())
    }
}

/// Whole seconds; the end of time is as far as 30 bits reach, after 34 years.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(LAST_SECOND).min(LAST_SECOND)
}

impl Key {
    /// Returns the kind and the id, as a number: an array would be copied, and a copy is waited for.
    #[inline]
    fn parts(self) -> (Kind, u128) {
        let (kind, id) = match self {
            Self::Ping(guid) => (Kind::Ping, guid.0),
            Self::Query(guid) => (Kind::Query, guid.0),
            Self::Push(servent) => (Kind::Push, servent.0),
        };
        (kind, u128::from_le_bytes(id))
    }
}

impl Lifetimes {
    /// Two, five and seven minutes, the least that `LimeWire` and `Phex` keep.
    pub const LIMEWIRE: Self = Self {
        ping: Duration::from_secs(120),
        query: Duration::from_secs(300),
        push: Duration::from_secs(420),
    };
}

/// How long a key of each kind is remembered, in seconds; the longest of all is in the place of the free slots.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spans([u32; 4]);

impl Spans {
    const fn new(lifetimes: Lifetimes) -> Self {
        let ping = whole_seconds(lifetimes.ping);
        let query = whole_seconds(lifetimes.query);
        let push = whole_seconds(lifetimes.push);
        let longest = if query < push { push } else { query };
        let longest = if longest < ping { ping } else { longest };
        Self([longest, ping, query, push])
    }

    /// Returns when the oldest keys of a kind were learnt that are still remembered; [`Kind::Free`]: of any kind.
    fn oldest(&self, kind: Kind, at: u32) -> u32 {
        let place = usize::try_from(kind.number()).unwrap_or(0);
        at.saturating_sub(self.0.get(place).copied().unwrap_or(0))
    }
}

/// Returns seconds, rounded up: that is how exactly it is known when a key was learnt.
const fn whole_seconds(lifetime: Duration) -> u32 {
    let begun = if lifetime.subsec_nanos() > 0 { 1 } else { 0 };
    match lifetime.as_secs().saturating_add(begun).to_le_bytes() {
        [a, b, c, d, 0, 0, 0, 0] => u32::from_le_bytes([a, b, c, d]),
        _ => u32::MAX,
    }
}

impl Default for Lifetimes {
    /// [`LIMEWIRE`](Self::LIMEWIRE).
    fn default() -> Self {
        Self::LIMEWIRE
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use std::vec;

    use super::*;

    fn key(number: u64) -> Key {
        let word = |n: u64| crate::rng::Rng::new(n).next_u64();
        Key::Query(Guid((u128::from(word(number)) << 64 | u128::from(number)).to_le_bytes()))
    }

    fn route(number: u64) -> Route {
        Route { source: RouteSource(u32::try_from(number % 64).unwrap_or(0)), ttl: 4, hops: 1 }
    }

    /// Fills a table and returns how many of the keys are found.
    fn held(slots: usize, keys: u64) -> u64 {
        let mut table = RouteTable::new(5, Lifetimes::default(), vec![RouteSlot::EMPTY; slots]);
        for number in 0..keys {
            assert_eq!(table.insert(Duration::ZERO, key(number), route(number)), Insertion::New);
        }
        assert!((keys..2 * keys).all(|number| table.find(Duration::ZERO, key(number)).is_none()));
        let found = (0..keys).filter(|number| {
            table.find(Duration::from_secs(9), key(*number)) == Some(route(*number))
        });
        u64::try_from(found.count()).unwrap_or(0)
    }

    /// Returns the slots of which 87 % are taken by this many keys: 15 of 16 slots hold one.
    fn slots_for(keys: u64) -> usize {
        let slots = usize::try_from(keys).unwrap_or(0) * 1_600 / (87 * 15);
        assert!(
            slots * size_of::<RouteSlot>() <= usize::try_from(keys).unwrap_or(0) * 32,
            "32 bytes for each"
        );
        slots
    }

    #[test]
    fn no_guid_is_lost_up_to_87_percent_at_32_bytes_each() {
        assert_eq!(held(slots_for(20_000), 20_000), 20_000);
    }

    #[test]
    #[ignore = "a million keys take long without optimisation"]
    fn a_million_guids_are_held_in_32_bytes_each() {
        assert_eq!(held(slots_for(1_000_000), 1_000_000), 1_000_000);
    }

    /// A stranger chooses GUIDs at equal distances, in one word or in several, and does not know the seed.
    #[test]
    fn guids_at_equal_distances_spread_like_random_ones() {
        const KEYS: u64 = 10_000;
        let families: [fn(u64) -> u128; 5] = [
            u128::from,
            |n| u128::from(n) << 48,
            |n| u128::from(n * 65_537) << 30,
            |n| u128::from(n) << 32 | u128::from(n),
            |n| u128::from(n % 100) << 32 | u128::from(n / 100),
        ];
        for (family, id) in families.into_iter().enumerate() {
            for seed in 0..10 {
                let slots = vec![RouteSlot::EMPTY; slots_for(KEYS)];
                let mut table = RouteTable::new(seed, Lifetimes::default(), slots);
                let key = |n| Key::Query(Guid(id(n).to_le_bytes()));
                for n in 0..KEYS {
                    table.insert(Duration::ZERO, key(n), route(n));
                }
                let found = (0..KEYS).filter(|n| table.find(Duration::ZERO, key(*n)).is_some());
                assert_eq!(found.count(), 10_000, "family {family}, seed {seed}");
            }
        }
    }

    /// Beyond that the table forgets keys, but never more than do not fit.
    #[test]
    fn a_full_table_holds_nearly_as_many_as_fit() {
        let most = 1_600 / 16 * 15;
        let found = held(1_600, 3 * most);
        assert!(found <= most && found * 100 >= 90 * most, "{found} of {most}");
    }

    /// What expires makes room, in the first and in the second group of a key.
    #[test]
    fn expired_keys_make_room_and_refreshed_ones_stay() {
        let mut table = RouteTable::new(5, Lifetimes::default(), vec![RouteSlot::EMPTY; 1_600]);
        for round in 0..20_u64 {
            let now = Duration::from_secs(round * 200);
            for number in 0..300 {
                table.insert(now, key(round * 300 + number), route(number));
                table.refresh(now, key(1_000_000 + number), route(number));
            }
            for number in 0..300 {
                let new = table.find(now, key(round * 300 + number));
                assert_eq!(new, Some(route(number)), "{round}, {number}");
                assert_eq!(table.find(now, key(1_000_000 + number)), Some(route(number)));
                let old = round.checked_sub(2).map(|old| key(old * 300 + number));
                assert!(old.is_none_or(|old| table.find(now, old).is_none()));
            }
        }
    }
}
