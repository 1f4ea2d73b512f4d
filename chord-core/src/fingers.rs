//! The finger table: shortcuts that make a lookup fast and can never make it wrong.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::slots::{Fill, Slots};
use crate::wire::{Address, Wire};

/// The cost of a finger that was not chosen by cost.
const UNKNOWN: u16 = u16::MAX;

/// The finger table of Stoica 2003, Table I, stored as what it is: the few distinct nodes in it.
///
/// Finger i is the first node at a clockwise distance of at least 2^(i-1). So among the nodes at
/// distances from 2^(i-1) up to 2^i at most the nearest one is a finger, and the table keeps one
/// entry for each such octave that has one, as distances from the owner, ascending. In `S`, any
/// `[FingerSlot]`, there is room for those of the farthest octaves: the nearest ones give way, since the
/// successor list covers their neighbourhood. A ring of N nodes has about log2 N distinct fingers, of
/// which about log2 r lie within the successor list: 16 slots with 20 successors lengthen no path
/// among a million nodes.
///
/// Fingers decide how many hops a lookup takes, never where it ends.
///
/// ```
/// use chord_core::{FingerSlot, FingerTable, Peer, Word};
///
/// let peer = |id| Peer { id: Word::<3>::new(id), address: [] };
/// let mut table = FingerTable::new(Word::new(1), [FingerSlot::EMPTY; 3]);
/// table.learn(peer(0));
/// table.learn(peer(3));
/// assert_eq!(table.finger(2), Some(peer(3))); // the first node at or after 1 + 2
/// assert_eq!(table.finger(3), Some(peer(0))); // at or after 1 + 4
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FingerTable<I, A, S> {
    me: I,
    entries: Slots<FingerSlot<I, A>, S>,
}

/// Room for one finger.
///
/// ```
/// use chord_core::{FingerSlot, Id160};
/// use core::net::SocketAddrV4;
///
/// static FINGERS: [FingerSlot<Id160, SocketAddrV4>; 16] = [FingerSlot::EMPTY; 16]; // all zero bytes
/// assert_eq!(size_of_val(&FINGERS), 16 * 28);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FingerSlot<I, A> {
    distance: I,
    address: A,
    cost: u16,
}

impl<I: Wire, A: Wire> FingerSlot<I, A> {
    /// A slot without a finger.
    pub const EMPTY: Self = Self { distance: I::ZERO, address: A::ZERO, cost: 0 };
}

impl<I: Identifier, A: Address> FingerSlot<I, A> {
    fn peer(&self, me: I) -> Peer<I, A> {
        Peer { id: me.plus(self.distance), address: self.address }
    }
}

impl<I: Wire, A: Wire> Fill for FingerSlot<I, A> {
    const EMPTY: Self = Self::EMPTY;
}

impl<I, A, S> FingerTable<I, A, S>
where
    I: Identifier,
    A: Address,
    S: AsRef<[FingerSlot<I, A>]> + AsMut<[FingerSlot<I, A>]>,
{
    /// Creates the empty table of node `me`, and empties the slots.
    #[must_use]
    pub fn new(me: I, slots: S) -> Self {
        Self { me, entries: Slots::new(slots) }
    }

    /// Records that finger `i` (1 to m) is `peer`: the first node at or after
    /// [`finger_start(i)`](Identifier::finger_start). So whatever is recorded from there up to
    /// `peer` is gone. If `peer` is the owner of the table, that is all the rest of the ring.
    pub fn set(&mut self, i: u32, peer: Peer<I, A>) {
        let start = self.me.distance(self.me.finger_start(i));
        let distance = self.me.distance(peer.id);
        let wraps = distance < start; // past the owner: no node at all from the start onwards
        let octave = distance.log2();
        self.entries
            .retain(|entry| entry.distance < start || (!wraps && entry.distance.log2() > octave));
        if !wraps {
            self.insert(distance, peer.address, UNKNOWN);
        }
    }

    /// Offers an alternate for the finger of the octave that `peer` lies in: it is taken if no finger is
    /// there, or a costlier one. The cost is the caller's, in any unit; the node itself offers
    /// round trips in milliseconds (see [`Config::proximity`](crate::Config::proximity)). A finger that
    /// was set or learnt has the highest cost.
    pub fn offer(&mut self, peer: Peer<I, A>, cost: u16) {
        let distance = self.me.distance(peer.id);
        let Some(octave) = distance.log2() else { return };
        let costlier = |entry: &FingerSlot<I, A>| entry.cost > cost || entry.distance == distance;
        let rival =
            self.entries.as_slice().iter().position(|entry| entry.distance.log2() == Some(octave));
        if let Some(rival) = rival {
            if !self.entries.as_slice().get(rival).is_some_and(costlier) {
                return;
            }
            self.entries.remove(rival);
        }
        self.insert(distance, peer.address, cost);
    }

    /// Records a node that is known to exist. Once it has learnt of every member of a ring, the
    /// table is exact.
    pub fn learn(&mut self, peer: Peer<I, A>) {
        let distance = self.me.distance(peer.id);
        let Some(octave) = distance.log2() else { return };
        let rival =
            self.entries.as_slice().iter().position(|entry| entry.distance.log2() == Some(octave));
        if let Some(rival) = rival {
            if self.entries.as_slice().get(rival).is_some_and(|entry| entry.distance <= distance) {
                return;
            }
            self.entries.remove(rival);
        }
        self.insert(distance, peer.address, UNKNOWN);
    }

    /// Forgets a node that failed or left.
    pub fn forget(&mut self, id: I) {
        let distance = self.me.distance(id);
        self.entries.retain(|entry| entry.distance != distance);
    }

    /// Becomes the empty table of node `me`.
    pub(crate) fn restart(&mut self, me: I) {
        self.me = me;
        self.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    fn insert(&mut self, distance: I, address: A, cost: u16) {
        if self.entries.is_full() {
            if self.entries.as_slice().first().is_some_and(|nearest| distance < nearest.distance) {
                return;
            }
            self.entries.remove(0);
        }
        let at = self.entries.as_slice().partition_point(|entry| entry.distance < distance);
        self.entries.insert(at, FingerSlot { distance, address, cost });
    }
}

impl<I: Identifier, A: Address, S: AsRef<[FingerSlot<I, A>]>> FingerTable<I, A, S> {
    /// Takes over slots of which the first `len` are in use.
    pub(crate) const fn resume(me: I, slots: S, len: u8) -> Self {
        Self { me, entries: Slots::resume(slots, len) }
    }

    pub(crate) const fn count(&self) -> u8 {
        self.entries.count()
    }

    /// Returns finger `i`, 1 to m, as far as it is known; `None` stands for the owner of the table,
    /// if no other node is known from the start of the finger onwards.
    #[must_use]
    pub fn finger(&self, i: u32) -> Option<Peer<I, A>> {
        let start = self.me.distance(self.me.finger_start(i));
        self.entries
            .as_slice()
            .iter()
            .find(|entry| entry.distance >= start)
            .map(|entry| self.peer(entry))
    }

    /// Returns the known node that most closely precedes `key`: the farthest one in
    /// `(me, key)` (Stoica 2003, `closest_preceding_node`).
    #[must_use]
    pub fn closest_preceding(&self, key: I) -> Option<Peer<I, A>> {
        self.before(self.me.distance(key)).last().map(|entry| self.peer(entry))
    }

    /// Returns the usable node farthest before `limit`, a distance, and its distance; 0 limits nothing.
    pub(crate) fn farthest_before(
        &self,
        limit: I,
        usable: impl Fn(&Peer<I, A>) -> bool,
    ) -> Option<(I, Peer<I, A>)> {
        let peers = self.before(limit).iter().rev().map(|entry| (entry.distance, self.peer(entry)));
        peers.into_iter().find(|(_, peer)| usable(peer))
    }

    /// Returns the entries before `limit`, a distance; 0 stands for the whole ring.
    ///
    /// No octave has two entries. So at most as many entries lie beyond the octave of the limit as there are
    /// octaves, and in a large ring, where all of the farthest octaves have one, the search ends where it begins.
    fn before(&self, limit: I) -> &[FingerSlot<I, A>] {
        let Some(octave) = limit.log2() else { return self.entries.as_slice() };
        let not_below = usize::try_from(I::BITS.saturating_sub(octave)).unwrap_or(usize::MAX);
        let mut count = self.entries.as_slice().len().saturating_sub(not_below);
        while self
            .entries
            .as_slice()
            .get(count)
            .is_some_and(|entry| entry.distance.log2() < Some(octave))
        {
            count = count.saturating_add(1);
        }
        // Within the octave it is a toss of a coin, so no branch depends on it.
        let nearer = |entry: &FingerSlot<I, A>| usize::from(entry.distance < limit);
        count = count.saturating_add(self.entries.as_slice().get(count).map_or(0, nearer));
        self.entries.as_slice().get(..count).unwrap_or_default()
    }

    /// Returns the distinct fingers, clockwise.
    #[must_use]
    pub fn iter(&self) -> Fingers<'_, I, A> {
        Fingers { me: self.me, entries: self.entries.as_slice().iter() }
    }

    /// Returns how many distinct fingers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.as_slice().len()
    }

    /// Returns whether no finger is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.as_slice().is_empty()
    }

    /// Returns the number of the first finger that lies beyond `peer`: the next one worth a lookup.
    pub(crate) fn beyond(&self, peer: I) -> u16 {
        let beyond = self.me.distance(peer).log2().map_or(1, |octave| octave.saturating_add(2));
        u16::try_from(beyond).unwrap_or(u16::MAX)
    }

    fn peer(&self, entry: &FingerSlot<I, A>) -> Peer<I, A> {
        entry.peer(self.me)
    }
}

impl<'a, I, A, S> IntoIterator for &'a FingerTable<I, A, S>
where
    I: Identifier,
    A: Address,
    S: AsRef<[FingerSlot<I, A>]>,
{
    type Item = Peer<I, A>;
    type IntoIter = Fingers<'a, I, A>;

    fn into_iter(self) -> Fingers<'a, I, A> {
        self.iter()
    }
}

/// The distinct fingers of a table, clockwise.
#[derive(Debug, Clone)]
pub struct Fingers<'a, I, A> {
    me: I,
    entries: core::slice::Iter<'a, FingerSlot<I, A>>,
}

impl<I: Identifier, A: Address> Iterator for Fingers<'_, I, A> {
    type Item = Peer<I, A>;

    fn next(&mut self) -> Option<Peer<I, A>> {
        self.entries.next().map(|entry| entry.peer(self.me))
    }
}

impl<I: Identifier, A: Address> DoubleEndedIterator for Fingers<'_, I, A> {
    fn next_back(&mut self) -> Option<Peer<I, A>> {
        self.entries.next_back().map(|entry| entry.peer(self.me))
    }
}
