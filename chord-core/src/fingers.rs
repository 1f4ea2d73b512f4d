//! The finger table: shortcuts that make a lookup fast and can never make it wrong.

use crate::{Address, Identifier, List, Peer};

/// How many distinct fingers are kept. A ring of N nodes has about log2 N of them, of which about log2 r
/// lie within the successor list.
const DISTINCT: usize = 16;
/// The cost of a finger that was not chosen by cost.
const UNKNOWN: u16 = u16::MAX;

/// The finger table of Stoica 2003, Table I, stored as what it is: the few distinct nodes in it.
///
/// Finger i is the first node at a clockwise distance of at least 2^(i-1). So among the nodes at
/// distances from 2^(i-1) up to 2^i at most the nearest one is a finger, and the table keeps one
/// entry for each such octave that has one, as distances from the owner, ascending. It has room
/// for 16 entries, those of the farthest octaves: the nearest ones give way, since the successor list
/// covers their neighbourhood. With 20 successors that lengthens no path among a million nodes.
///
/// Fingers decide how many hops a lookup takes, never where it ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FingerTable<I, A> {
    me: I,
    entries: List<Finger<I, A>, DISTINCT>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Finger<I, A> {
    distance: I,
    address: A,
    cost: u16,
}

impl<I: Identifier, A: Address> FingerTable<I, A> {
    /// Creates the empty table of node `me`.
    #[must_use]
    pub const fn new(me: I) -> Self {
        Self { me, entries: List::new() }
    }

    /// Records that finger `i` (1 to m) is `peer`: the first node at or after
    /// [`finger_start(i)`](Identifier::finger_start). So whatever is recorded from there up to
    /// `peer` is gone. If `peer` is the owner of the table, that is all the rest of the circle.
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
        let costlier = |entry: &Finger<I, A>| entry.cost > cost || entry.distance == distance;
        let rival = self.entries.iter().position(|entry| entry.distance.log2() == Some(octave));
        if let Some(rival) = rival {
            if !self.entries.get(rival).is_some_and(costlier) {
                return;
            }
            self.entries.remove(rival);
        }
        self.insert(distance, peer.address, cost);
    }

    /// Takes in a node that is known to exist. Once it has learnt of every member of a ring, the
    /// table is exact.
    pub fn learn(&mut self, peer: Peer<I, A>) {
        let distance = self.me.distance(peer.id);
        let Some(octave) = distance.log2() else { return };
        let rival = self.entries.iter().position(|entry| entry.distance.log2() == Some(octave));
        if let Some(rival) = rival {
            if self.entries.get(rival).is_some_and(|entry| entry.distance <= distance) {
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

    /// Returns finger `i`, 1 to m, as far as it is known; `None` stands for the owner of the table,
    /// if no other node is known from the start of the finger onwards.
    #[must_use]
    pub fn finger(&self, i: u32) -> Option<Peer<I, A>> {
        let start = self.me.distance(self.me.finger_start(i));
        self.entries.iter().find(|entry| entry.distance >= start).map(|entry| self.peer(entry))
    }

    /// Returns the known node that most closely precedes `key`: the farthest one in
    /// `(me, key)` (Stoica 2003, `closest_preceding_node`).
    #[must_use]
    pub fn closest_preceding(&self, key: I) -> Option<Peer<I, A>> {
        self.preceding(key).next()
    }

    /// Returns all known nodes in `(me, key)`, the closest to `key` first.
    pub fn preceding(&self, key: I) -> impl Iterator<Item = Peer<I, A>> + '_ {
        self.before(self.me.distance(key)).iter().rev().map(|entry| self.peer(entry))
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

    /// Returns the entries before `limit`, a distance; 0 stands for the whole circle.
    ///
    /// No octave has two entries. So at most as many entries lie beyond the octave of the limit as there are
    /// octaves, and in a large ring, where all of the farthest octaves have one, the search ends where it begins.
    fn before(&self, limit: I) -> &[Finger<I, A>] {
        let Some(octave) = limit.log2() else { return &self.entries };
        let not_below = usize::try_from(I::BITS.saturating_sub(octave)).unwrap_or(usize::MAX);
        let mut count = self.entries.len().saturating_sub(not_below);
        while self.entries.get(count).is_some_and(|entry| entry.distance.log2() < Some(octave)) {
            count = count.saturating_add(1);
        }
        // Within the octave it is a toss of a coin, so no branch depends on it.
        let nearer = |entry: &Finger<I, A>| usize::from(entry.distance < limit);
        count = count.saturating_add(self.entries.get(count).map_or(0, nearer));
        self.entries.get(..count).unwrap_or_default()
    }

    /// Returns the distinct fingers, clockwise.
    pub fn iter(&self) -> impl Iterator<Item = Peer<I, A>> + '_ {
        self.entries.iter().map(|entry| self.peer(entry))
    }

    /// Returns how many distinct fingers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether no finger is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of the first finger that lies beyond `peer`: the next one worth a lookup.
    pub(crate) fn beyond(&self, peer: I) -> u32 {
        self.me.distance(peer).log2().map_or(1, |octave| octave.saturating_add(2))
    }

    fn insert(&mut self, distance: I, address: A, cost: u16) {
        if self.entries.is_full() {
            if self.entries.first().is_some_and(|nearest| distance < nearest.distance) {
                return;
            }
            self.entries.remove(0);
        }
        let at = self.entries.partition_point(|entry| entry.distance < distance);
        self.entries.insert(at, Finger { distance, address, cost });
    }

    fn peer(&self, entry: &Finger<I, A>) -> Peer<I, A> {
        Peer { id: self.me.plus(entry.distance), address: entry.address }
    }
}
