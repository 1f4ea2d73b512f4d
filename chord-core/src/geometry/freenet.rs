//! Freenet (Clarke and others 2001; Sandberg 2006): a small world, searched depth first.

use super::known::Known;
use super::swap;
use crate::peer::Peer;
use crate::routing::Route;
use crate::wire::Address;

/// A node of Freenet: its location, its neighbours, and the keys whose data it holds.
///
/// Locations and keys are 64-bit fractions of a circle of length 1, and a distance is the shorter way round. The
/// identifier of a [`Peer`] is its location; the address is what distinguishes nodes, because locations are
/// [swapped](Self::accepts_swap). `S` is the memory of the neighbours, and `C` that of the keys: the least recently
/// used key gives way.
///
/// Greedy routing takes O(log² N) hops where links of length d are as frequent as 1/d (Kleinberg 2000). It may end
/// at a node that is closer to the key than all its neighbours and does not hold the data. So a search goes on with
/// the next best neighbour, and back where all have been tried, until its [`HopsToLive`] end. Nothing guarantees
/// that it finds what exists.
///
/// ```
/// use chord_core::{Peer, Route, geometry::{Freenet, Visit}};
///
/// let [me, near, far] = [0, 1, 3].map(|eighth| Peer { id: eighth << 61, address: eighth });
/// let mut node = Freenet::new(me, [None; 2], [None; 1]);
/// assert!(node.learn(near) && node.learn(far));
/// let key = 1 << 60 | 1 << 59; // between the node and its first neighbour, closer to that one
/// assert_eq!(node.route(key), Route::Ask(near));
///
/// // The search comes back without the data, and goes to the other neighbour.
/// let mut visit = Visit::new(None);
/// assert_eq!(node.next(key, &mut visit), Some(near));
/// assert_eq!(node.next(key, &mut visit), Some(far));
/// assert_eq!(node.next(key, &mut visit), None); // back to the one that asked
///
/// node.store(key); // on the way back each node keeps the data
/// assert!(node.holds(key));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freenet<A, S, C> {
    me: Peer<u64, A>,
    neighbours: S,
    keys: C,
}

impl<A: Address, S, C> Freenet<A, S, C> {
    /// Creates a node without neighbours and data, and empties nothing: slots that hold a neighbour or a key count.
    pub const fn new(me: Peer<u64, A>, neighbours: S, keys: C) -> Self {
        Self { me, neighbours, keys }
    }

    /// Returns the node itself.
    #[must_use]
    pub const fn me(&self) -> Peer<u64, A> {
        self.me
    }

    /// Moves the node to another location, after a swap. Its neighbours have to [learn](Self::learn) of it.
    pub const fn set_location(&mut self, location: u64) {
        self.me.id = location;
    }
}

impl<A: Address, S: AsRef<[Option<Peer<u64, A>>]>, C> Freenet<A, S, C> {
    /// Decides where `key` leads by greedy routing: to the neighbour that is closest to it, or nowhere else if none
    /// is closer than the node itself.
    #[must_use]
    pub fn route(&self, key: u64) -> Route<u64, A> {
        match self.neighbours().min_by_key(|peer| swap::distance(peer.id, key)) {
            Some(next) if swap::distance(next.id, key) < swap::distance(self.me.id, key) => {
                Route::Ask(next)
            }
            _ => Route::Owner(self.me),
        }
    }

    /// Returns where a search that visits this node goes on: to the neighbour closest to `key` that it has not
    /// gone to from here, even if that one is farther away. `None`: back to where it came from.
    ///
    /// A neighbour that has seen the search before refuses it; then call this again. The first 64 slots are used.
    pub fn next(&self, key: u64, visit: &mut Visit<A>) -> Option<Peer<u64, A>> {
        let came_from = |peer: &Peer<u64, A>| visit.from == Some(peer.address);
        let slots = self.neighbours.as_ref().iter().zip(0..u64::BITS);
        let (next, at) = slots
            .filter_map(|(slot, at)| Some(((*slot)?, at)))
            .filter(|(peer, at)| !visit.has_tried(*at) && !came_from(peer))
            .min_by_key(|(peer, _)| swap::distance(peer.id, key))?;
        visit.tried |= 1u64.wrapping_shl(at);
        Some(next)
    }

    /// Returns whether this node and one at location `other`, whose neighbours are at `others`, should exchange
    /// their locations (Sandberg 2006): always if that makes the product of the lengths of all their links
    /// smaller, and otherwise with the probability by which it makes it larger. `random` is 64 random bits.
    ///
    /// A link between the two keeps its length. Links of length 0 are left out.
    #[must_use]
    pub fn accepts_swap(
        &self,
        other: u64,
        others: impl IntoIterator<Item = u64>,
        random: u64,
    ) -> bool {
        let here = self.neighbours().map(|peer| peer.id);
        let gain = swap::gain(self.me.id, other, here)
            .saturating_add(swap::gain(other, self.me.id, others));
        gain >= swap::log2(random.max(1)).saturating_sub(swap::log2(u64::MAX))
    }

    /// Returns every node that it knows, itself first.
    #[must_use]
    pub fn known(&self) -> Known<'_, u64, A> {
        Known::new(self.me, &[], self.neighbours.as_ref())
    }

    fn neighbours(&self) -> impl Iterator<Item = Peer<u64, A>> {
        self.known().skip(1)
    }
}

impl<A: Address, S: AsMut<[Option<Peer<u64, A>>]>, C> Freenet<A, S, C> {
    /// Inserts a neighbour, or notes its new location. Returns whether there was room for it.
    pub fn learn(&mut self, peer: Peer<u64, A>) -> bool {
        if peer.address == self.me.address {
            return false;
        }
        let slots = self.neighbours.as_mut();
        let known = slots.iter().position(|slot| slot.is_some_and(|it| it.address == peer.address));
        let place = known.or_else(|| slots.iter().position(Option::is_none));
        let Some(slot) = place.and_then(|at| slots.get_mut(at)) else { return false };
        *slot = Some(peer);
        true
    }

    /// Removes a neighbour that has failed.
    pub fn forget(&mut self, address: A) {
        for slot in self.neighbours.as_mut() {
            slot.take_if(|peer| peer.address == address);
        }
    }
}

impl<A, S, C: AsMut<[Option<u64>]>> Freenet<A, S, C> {
    /// Returns whether the data of `key` are here; they then count as used.
    pub fn holds(&mut self, key: u64) -> bool {
        let keys = self.keys.as_mut();
        let Some(at) = keys.iter().position(|held| *held == Some(key)) else { return false };
        keys.get_mut(..=at).unwrap_or_default().rotate_right(1);
        true
    }

    /// Keeps the data of a key that was inserted here, or that passes on the way back to the one that asked for them.
    /// Returns the key that gave way.
    pub fn store(&mut self, key: u64) -> Option<u64> {
        if self.holds(key) {
            return None;
        }
        let keys = self.keys.as_mut();
        if let [_, _, ..] = keys {
            keys.rotate_right(1); // the least recently used one comes first
        }
        keys.first_mut().map_or(Some(key), |first| first.replace(key))
    }
}

/// One search at one node: where it came from and where it has gone on to.
///
/// ```
/// use chord_core::{Peer, geometry::{Freenet, Visit}};
///
/// let [me, asker, other] = [0, 1, 3].map(|eighth| Peer { id: eighth << 61, address: eighth });
/// let mut node = Freenet::new(me, [None; 2], [None::<u64>; 0]);
/// assert!(node.learn(asker) && node.learn(other));
/// let mut visit = Visit::new(Some(asker.address));
/// assert_eq!(node.next(1 << 61, &mut visit), Some(other)); // not back yet, though that one is closer
/// assert_eq!(node.next(1 << 61, &mut visit), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit<A> {
    from: Option<A>,
    /// A bit for each slot of a neighbour.
    tried: u64,
}

impl<A> Visit<A> {
    /// A search comes from a neighbour, or begins here.
    #[must_use]
    pub const fn new(from: Option<A>) -> Self {
        Self { from, tried: 0 }
    }

    const fn has_tried(&self, at: u32) -> bool {
        self.tried & 1u64.wrapping_shl(at) != 0
    }
}

/// How many nodes a search may still be passed on to.
///
/// The number tells a neighbour how near the one is that asks. So at its highest value it is lowered only by some
/// links, and at 1 as well: each link draws once which it is.
///
/// ```
/// use chord_core::geometry::HopsToLive;
///
/// let hops = HopsToLive::MAX;
/// assert_eq!(hops.lowered(false), Some(hops)); // by a link that does not lower the highest value
/// assert_eq!(hops.lowered(true).map(HopsToLive::value), Some(17));
/// assert_eq!(HopsToLive::new(1).lowered(true), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HopsToLive(u8);

impl HopsToLive {
    /// The highest value in the network of today.
    pub const MAX: Self = Self(18);

    /// Creates a number, at most the highest one.
    #[must_use]
    pub const fn new(hops: u8) -> Self {
        if hops < Self::MAX.0 { Self(hops) } else { Self::MAX }
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Returns what is left after a link. `lowers` says whether this link lowers the highest value and 1; it is
    /// true for half of all links in the first case and for a quarter in the second. `None`: the search goes back.
    #[must_use]
    pub const fn lowered(self, lowers: bool) -> Option<Self> {
        match self.0 {
            0 => None,
            1 if lowers => None,
            hops if (hops == 1 || hops == Self::MAX.0) && !lowers => Some(self),
            hops => Some(Self(hops.saturating_sub(1))),
        }
    }
}
