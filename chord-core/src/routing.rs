//! One step of a lookup as a pure function.

use crate::{Address, FingerTable, Identifier, Peer, SuccessorList};

/// Where a key leads from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route<I, A> {
    /// This node owns the key.
    Owner(Peer<I, A>),
    /// This node lies closer before the key; ask it next.
    Ask(Peer<I, A>),
}

/// What a node knows of the others, and the routing decision on it; no time, no messages.
///
/// ```
/// use chord_core::{Peer, Route, RoutingTable, Word};
///
/// // The ring of Tanenbaum and van Steen; the addresses are of no interest here.
/// let ring = [1, 4, 9, 11, 14, 18, 20, 21, 28].map(|id| Peer { id: Word::<5>::new(id), address: [] });
/// let table = RoutingTable::of_ring(ring[0], 1, &ring);
/// assert_eq!(table.route(Word::new(26)), Route::Ask(ring[5])); // node 1 asks node 18
/// assert_eq!(table.route(Word::new(3)), Route::Owner(ring[1])); // node 4
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoutingTable<I, A> {
    /// The node whose table it is.
    pub me: Peer<I, A>,
    /// Its shortcuts: they make a lookup fast.
    pub fingers: FingerTable<I, A>,
    /// Its successors: they make it right.
    pub successors: SuccessorList<I, A>,
}

impl<I: Identifier, A: Address> RoutingTable<I, A> {
    /// Creates the table of a node that knows no other, with a successor list of `r` entries.
    #[must_use]
    pub const fn new(me: Peer<I, A>, r: u8) -> Self {
        Self { me, fingers: FingerTable::new(me.id), successors: SuccessorList::new(me.id, r) }
    }

    /// Creates the exact table of a node in a ring of `members`, which may be in any order and may
    /// include the node itself.
    #[must_use]
    pub fn of_ring(me: Peer<I, A>, r: u8, members: &[Peer<I, A>]) -> Self {
        let mut table = Self::new(me, r);
        for member in members {
            table.fingers.learn(*member);
            table.successors.learn(*member);
        }
        table
    }

    /// Decides where `key` leads (Stoica 2003, `find_successor`). A node that knows no other owns
    /// every key.
    #[must_use]
    pub fn route(&self, key: I) -> Route<I, A> {
        self.route_around(key, |_| true).unwrap_or(Route::Owner(self.me))
    }

    /// Decides where `key` leads if only the `usable` ones of the known nodes live: the search
    /// covers fingers and successor list, and takes the next best of both for a dead one (Stoica
    /// 2003, IV-E.3). `None` if no entry of the successor list is usable: then nothing here tells
    /// who owns the key.
    #[must_use]
    pub fn route_around(
        &self,
        key: I,
        usable: impl Fn(&Peer<I, A>) -> bool,
    ) -> Option<Route<I, A>> {
        let list = self.successors.as_slice();
        let Some(successor) = list.iter().find(|peer| usable(peer)) else {
            return list.is_empty().then_some(Route::Owner(self.me));
        };
        // One subtraction for each node is faster than comparisons of intervals.
        let distance = |id| self.me.id.distance(id);
        let limit = distance(key);
        let far = self.fingers.farthest_before(limit, &usable);
        if let (Some((there, far)), Some(last)) = (far, list.last())
            && there > distance(last.id)
        {
            return Some(Route::Ask(far)); // beyond the whole list, as on all hops but the last ones
        }
        let whole = key == self.me.id;
        if !whole && limit <= distance(successor.id) {
            return Some(Route::Owner(*successor));
        }
        // A list is in order unless somebody lied; then this finds a shorter hop, or none.
        let precedes = |peer: &Peer<I, A>| whole || distance(peer.id) < limit;
        let before = list.get(..list.partition_point(precedes)).unwrap_or_default();
        let near =
            before.iter().rev().find(|peer| usable(peer) && precedes(peer)).unwrap_or(successor);
        let closer = far.filter(|(there, _)| *there > distance(near.id));
        Some(Route::Ask(closer.map_or(*near, |(_, far)| far)))
    }
}
