//! The route table: which connection a message arrived on, so that its answer finds the way back.

use core::ops::Range;
use core::time::Duration;

use crate::id::{Guid, ServentId};
use crate::rng::Rng;

/// How many slots a key may lie in. A full window gives up its oldest entry.
const WINDOW: usize = 6;

/// Remembers for each message the connection it arrived on. `S` is the storage, any
/// `[RouteSlot]`.
///
/// One table does three things: it is the list of messages "seen already" that keeps a flood from
/// running in circles, it leads pongs and hits back along the path of their question, and it leads
/// pushes back along the path of a hit.
///
/// Each call touches at most six slots. A key that finds them all taken replaces the oldest, so a
/// stranger who floods can shorten the memory but neither grow it nor, without the seed, aim at an
/// entry.
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
    lifetimes: Lifetimes,
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

/// Storage for one route: 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteSlot {
    id: [u8; 16],
    source: RouteSource,
    seen: u32, // seconds
    kind: Kind,
    ttl: u8,
    hops: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The slot is free; no key is of this kind.
    Free,
    Ping,
    Query,
    Push,
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
        Self { hasher, lifetimes, slots }
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
        self.view().insert(now, key, route)
    }

    /// Remembers which way `key` came, the newest way being the best.
    pub fn refresh(&mut self, now: Duration, key: Key, route: Route) {
        self.view().refresh(now, key, route);
    }

    /// Notes that a copy of `key` came that may cross `ttl` more links; the way back stays. A later
    /// copy counts as a duplicate only if its TTL is not higher.
    pub fn raise_ttl(&mut self, now: Duration, key: Key, ttl: u8) {
        self.view().raise_ttl(now, key, ttl);
    }

    fn view(&mut self) -> View<'_> {
        let Self { hasher, lifetimes, slots } = self;
        View { hasher: *hasher, lifetimes: *lifetimes, slots: slots.as_mut() }
    }
}

impl<S: AsRef<[RouteSlot]> + ?Sized> RouteTable<S> {
    /// Returns the way back, if `key` is remembered.
    #[must_use]
    pub fn find(&self, now: Duration, key: Key) -> Option<Route> {
        let slot = find(self.slots.as_ref(), &self.hasher, &self.lifetimes, seconds(now), key)?;
        Some(slot.route())
    }

    /// Returns how many keys are remembered at `now`. Looks at every slot.
    #[must_use]
    pub fn len(&self, now: Duration) -> usize {
        let slots = self.slots.as_ref().iter();
        slots.filter(|slot| slot.is_live(&self.lifetimes, seconds(now))).count()
    }

    /// Returns how many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }
}

/// The table while it changes.
struct View<'s> {
    hasher: Hasher,
    lifetimes: Lifetimes,
    slots: &'s mut [RouteSlot],
}

impl View<'_> {
    fn insert(&mut self, now: Duration, key: Key, route: Route) -> Insertion {
        let at = seconds(now);
        if let Some(known) = find(self.slots, &self.hasher, &self.lifetimes, at, key) {
            return Insertion::Known(known.route());
        }
        self.write(at, key, route)
    }

    fn refresh(&mut self, now: Duration, key: Key, route: Route) {
        self.write(seconds(now), key, route);
    }

    fn raise_ttl(&mut self, now: Duration, key: Key, ttl: u8) {
        let at = seconds(now);
        let (kind, id) = key.parts();
        let window = self.hasher.window(self.slots.len(), kind, id);
        for slot in self.slots.get_mut(window).unwrap_or_default() {
            if slot.is_live(&self.lifetimes, at) && slot.is(kind, id) {
                slot.ttl = slot.ttl.max(ttl);
            }
        }
    }

    /// Puts the key into its old slot, else a free one, else that of the oldest entry.
    fn write(&mut self, at: u32, key: Key, route: Route) -> Insertion {
        let (kind, id) = key.parts();
        let worth = |slot: &RouteSlot| match slot.is_live(&self.lifetimes, at) {
            true if slot.is(kind, id) => (0, 0),
            true => (2, slot.seen),
            false => (1, 0),
        };
        let window = self.hasher.window(self.slots.len(), kind, id);
        let slots = self.slots.get_mut(window).unwrap_or_default().iter_mut();
        let Some(slot) = slots.min_by_key(|slot| worth(slot)) else {
            return Insertion::Full;
        };
        let Route { source, ttl, hops } = route;
        *slot = RouteSlot { id: id.to_le_bytes(), source, seen: at, kind, ttl, hops };
        Insertion::New
    }
}

fn find<'s>(
    slots: &'s [RouteSlot],
    hasher: &Hasher,
    lifetimes: &Lifetimes,
    at: u32,
    key: Key,
) -> Option<&'s RouteSlot> {
    let (kind, id) = key.parts();
    let window = slots.get(hasher.window(slots.len(), kind, id))?;
    // First all slots, without a branch that depends on one: a processor that need not guess where the key
    // lies goes on to the next look-up while the memory of this one is still on its way.
    let mut alike = match window.first_chunk::<WINDOW>() {
        Some(whole) => starts_alike(whole, id),
        None => starts_alike(window, id),
    };
    let oldest = lifetimes.oldest(kind, at);
    while alike != 0 {
        let slot = window.get(usize::try_from(alike.trailing_zeros()).ok()?)?;
        if slot.is(kind, id) && slot.seen >= oldest {
            return Some(slot);
        }
        alike &= alike.wrapping_sub(1);
    }
    None
}

/// Returns a bit for each slot whose key starts like this one.
fn starts_alike<'s>(slots: impl IntoIterator<Item = &'s RouteSlot>, id: u128) -> u32 {
    let [b0, b1, b2, b3, ..] = id.to_le_bytes();
    slots.into_iter().zip(0_u32..).fold(0, |alike, (slot, bit)| {
        let [c0, c1, c2, c3, ..] = slot.id;
        alike | u32::from([b0, b1, b2, b3] == [c0, c1, c2, c3]) << bit
    })
}

/// Decides which slots a key may lie in: multilinear hashing (Lemire and Kaser 2014, "Strongly universal string
/// hashing is fast"). Whatever keys a stranger chooses, no two of them share a window more often than chance
/// has it, unless he knows the seed; and a sum of products is little work for any processor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hasher([u64; 6]);

impl Hasher {
    pub(crate) const fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self([
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
            rng.next_u64(),
        ])
    }

    /// Returns the slots that `key` may lie in.
    fn window(&self, capacity: usize, kind: Kind, id: u128) -> Range<usize> {
        // The high word of hash × starts spreads as evenly as a remainder, without a division.
        let width = WINDOW.min(capacity);
        let starts = u64::try_from(capacity.saturating_sub(width).saturating_add(1)).unwrap_or(0);
        let start = self.hash(kind, id).saturating_mul(starts) >> 32;
        let start = usize::try_from(start).unwrap_or(0);
        start..start.saturating_add(width)
    }

    /// Returns a number of 32 bits.
    fn hash(&self, kind: Kind, id: u128) -> u64 {
        let Self([sum, of_kind, of_id @ ..]) = *self;
        let mut sum = sum.wrapping_add(of_kind.wrapping_mul(kind.into()));
        for (factor, shift) in of_id.into_iter().zip([0, 32, 64, 96]) {
            let word = u64::try_from(id >> shift & 0xFFFF_FFFF).unwrap_or(0);
            sum = sum.wrapping_add(factor.wrapping_mul(word));
        }
        sum >> 32
    }
}

/// Whole seconds; the end of time is as far as 32 bits reach.
fn seconds(now: Duration) -> u32 {
    u32::try_from(now.as_secs()).unwrap_or(u32::MAX)
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

impl From<Kind> for u64 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Free => 0,
            Kind::Ping => 1,
            Kind::Query => 2,
            Kind::Push => 3,
        }
    }
}

impl RouteSlot {
    /// No route.
    pub const EMPTY: Self =
        Self { id: [0; 16], source: RouteSource(0), seen: 0, kind: Kind::Free, ttl: 0, hops: 0 };

    fn is_live(&self, lifetimes: &Lifetimes, at: u32) -> bool {
        self.kind != Kind::Free && self.seen >= lifetimes.oldest(self.kind, at)
    }

    const fn route(&self) -> Route {
        Route { source: self.source, ttl: self.ttl, hops: self.hops }
    }

    fn is(&self, kind: Kind, id: u128) -> bool {
        self.kind == kind && u128::from_le_bytes(self.id) == id
    }
}

impl Lifetimes {
    /// Two, five and seven minutes, the least that `LimeWire` and `Phex` keep.
    pub const LIMEWIRE: Self = Self {
        ping: Duration::from_secs(120),
        query: Duration::from_secs(300),
        push: Duration::from_secs(420),
    };

    /// Returns when the oldest keys were learnt that are still remembered.
    fn oldest(&self, kind: Kind, at: u32) -> u32 {
        let lifetime = match kind {
            Kind::Free => Duration::ZERO,
            Kind::Ping => self.ping,
            Kind::Query => self.query,
            Kind::Push => self.push,
        };
        // Up to the full second, since that is how exactly it is known when a key was learnt.
        let whole = lifetime.as_secs().saturating_add(u64::from(lifetime.subsec_nanos() > 0));
        at.saturating_sub(u32::try_from(whole).unwrap_or(u32::MAX))
    }
}

impl Default for Lifetimes {
    /// [`LIMEWIRE`](Self::LIMEWIRE).
    fn default() -> Self {
        Self::LIMEWIRE
    }
}
