//! One step of a lookup as a pure function.

use crate::fingers::{FingerSlot, FingerTable};
use crate::id::Identifier;
use crate::peer::Peer;
use crate::successors::SuccessorList;
use crate::wire::Address;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Where a key leads from here.
///
/// ```
/// use chord_core::{FingerSlot, Peer, Route, RoutingTable, Word};
///
/// let [me, next] = [1, 9].map(|id| Peer { id: Word::<5>::new(id), address: [] });
/// let mut table = RoutingTable::new(me, [Peer::EMPTY; 2], [FingerSlot::EMPTY; 2]);
/// assert_eq!(table.route(Word::new(5)), Route::Owner(me)); // alone
/// table.learn(&[next]);
/// assert_eq!(table.route(Word::new(5)), Route::Owner(next));
/// assert_eq!(table.route(Word::new(10)), Route::Ask(next));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a key leads to its owner or to a node closer to it")]
pub enum Route<I, A> {
    /// This node owns the key.
    Owner(Peer<I, A>),
    /// This node lies closer before the key; ask it next.
    Ask(Peer<I, A>),
}

/// What a node knows of the others, and the routing decision on it; no time, no messages.
///
/// `L` is the storage of the successor list, any `[Peer]`, and `F` that of the fingers, any `[FingerSlot]`.
///
/// ```
/// use chord_core::{FingerSlot, Peer, Route, RoutingTable, Word};
///
/// // The ring of Tanenbaum and van Steen; the addresses are of no interest here.
/// let ring = [1, 4, 9, 11, 14, 18, 20, 21, 28].map(|id| Peer { id: Word::<5>::new(id), address: [] });
/// let mut table = RoutingTable::new(ring[0], [Peer::EMPTY; 1], [FingerSlot::EMPTY; 5]);
/// table.learn(&ring);
/// assert_eq!(table.route(Word::new(26)), Route::Ask(ring[5])); // node 1 asks node 18
/// assert_eq!(table.route(Word::new(3)), Route::Owner(ring[1])); // node 4
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a node knows fingers and successors and no more")]
pub struct RoutingTable<I, A, L, F> {
    /// The node whose table it is.
    pub me: Peer<I, A>,
    /// Its shortcuts: they make a lookup fast.
    pub fingers: FingerTable<I, A, F>,
    /// Its successors: they make it right.
    pub successors: SuccessorList<I, A, L>,
}

impl<I, A, L, F> RoutingTable<I, A, L, F>
where
    I: Identifier,
    A: Address,
    L: AsRef<[Peer<I, A>]> + AsMut<[Peer<I, A>]>,
    F: AsRef<[FingerSlot<I, A>]> + AsMut<[FingerSlot<I, A>]>,
{
    /// Creates the table of a node that knows no other, and empties the slots. The number of
    /// `successors` is r.
    #[must_use]
    pub fn new(me: Peer<I, A>, successors: L, fingers: F) -> Self {
        let fingers = FingerTable::new(me.id, fingers);
        let successors = SuccessorList::new(me.id, successors);
        Self { me, fingers, successors }
    }

    /// Records nodes that are known to exist, in any order; the node itself may be among them. Once
    /// it has learnt of every member of a ring, the table is exact.
    pub fn learn(&mut self, members: &[Peer<I, A>]) {
        for member in members {
            self.fingers.learn(*member);
            self.successors.learn(*member);
        }
    }
}

impl<I, A, L, F> RoutingTable<I, A, L, F>
where
    I: Identifier,
    A: Address,
    L: AsRef<[Peer<I, A>]>,
    F: AsRef<[FingerSlot<I, A>]>,
{
    /// Decides where `key` leads (Stoica 2003, `find_successor`). A node that knows no other owns
    /// every key.
    #[must_use]
    pub fn route(&self, key: I) -> Route<I, A> {
        self.route_around(key, |_| true).unwrap_or(Route::Owner(self.me))
    }

    /// Decides where `key` leads if only the `usable` ones of the known nodes live: the search
    /// covers fingers and successor list, and takes the next best of both for a dead one (Stoica
    /// 2003, IV-E.3). `None` if no entry of the successor list is usable: then this node does not know
    /// the owner of the key.
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

/// The routing table of a node, to read ([`Node::routing_table`](crate::Node::routing_table)).
pub type RoutingTableRef<'a, I, A> = RoutingTable<I, A, &'a [Peer<I, A>], &'a [FingerSlot<I, A>]>;

/// A routing table on the heap, for lessons and simulators.
#[cfg(feature = "alloc")]
pub type RoutingTableVec<I, A> = RoutingTable<I, A, Vec<Peer<I, A>>, Vec<FingerSlot<I, A>>>;

#[cfg(feature = "alloc")]
impl<I: Identifier, A: Address> RoutingTableVec<I, A> {
    /// Creates the exact table of node `me` in a ring of `members`, in any order, with `r` successors and at
    /// most `fingers` fingers.
    #[must_use]
    pub fn of_ring(me: Peer<I, A>, r: usize, fingers: usize, members: &[Peer<I, A>]) -> Self {
        let successors = alloc::vec![Peer::EMPTY; r];
        let mut table = Self::new(me, successors, alloc::vec![FingerSlot::EMPTY; fingers]);
        table.learn(members);
        table
    }
}
