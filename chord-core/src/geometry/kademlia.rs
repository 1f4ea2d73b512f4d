//! Kademlia (Maymounkov and Mazieres, IPTPS 2002): the closest node by XOR.

use super::known::Known;
use crate::id::Bits;
use crate::peer::Peer;
use crate::routing::Route;
use crate::wire::Address;

/// The buckets of a node of Kademlia. `S` is their memory: `k` slots for each bucket, the bucket of the farthest
/// half of all nodes first; what is nearer than the last bucket that there is memory for shares that one.
///
/// A bucket that is full keeps what it has: nodes that have been there long stay longest. A contact in each
/// bucket that some node belongs to is enough for right routes.
///
/// ```
/// use chord_core::{Peer, Route, Word, geometry::Kademlia};
///
/// let [me, near, far] = [0b0001, 0b0100, 0b1110].map(|id| Peer { id: Word::<4>::new(id), address: [] });
/// let mut node = Kademlia::new(me, 2, [None; 8]);
/// assert!(node.learn(near) && node.learn(far));
/// assert_eq!(node.route(Word::new(0b1000)), Route::Ask(far));
/// assert_eq!(node.route(Word::new(0b0000)), Route::Owner(me));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kademlia<I, A, S> {
    me: Peer<I, A>,
    k: usize,
    slots: S,
}

impl<I: Bits, A: Address, S> Kademlia<I, A, S> {
    /// Creates the buckets of a node that knows no other, with `k` slots each; 0 counts as 1.
    pub fn new(me: Peer<I, A>, k: usize, slots: S) -> Self {
        Self { me, k: k.max(1), slots }
    }

    /// Returns the node itself.
    #[must_use]
    pub const fn me(&self) -> Peer<I, A> {
        self.me
    }
}

impl<I: Bits, A: Address, S: AsRef<[Option<Peer<I, A>>]>> Kademlia<I, A, S> {
    /// Decides where `key` leads: to the closest node that is known.
    #[must_use]
    pub fn route(&self, key: I) -> Route<I, A> {
        let distance = |peer: &Peer<I, A>| peer.id.xor(key);
        match self.slots.as_ref().iter().flatten().min_by_key(|peer| distance(peer)) {
            Some(next) if distance(next) < distance(&self.me) => Route::Ask(*next),
            _ => Route::Owner(self.me),
        }
    }

    /// Returns every node that it knows, itself first.
    #[must_use]
    pub fn known(&self) -> Known<'_, I, A> {
        Known::new(self.me, &[], self.slots.as_ref())
    }
}

impl<I: Bits, A: Address, S: AsMut<[Option<Peer<I, A>>]>> Kademlia<I, A, S> {
    /// Records a node that is known to exist. Returns whether there was room for it.
    pub fn learn(&mut self, peer: Peer<I, A>) -> bool {
        let nearness = usize::try_from(self.me.id.common_bits(peer.id)).unwrap_or(usize::MAX);
        let slots = self.slots.as_mut();
        let Some(last) = slots.len().checked_div(self.k).and_then(|buckets| buckets.checked_sub(1))
        else {
            return false;
        };
        if peer.id == self.me.id {
            return false;
        }
        let start = nearness.min(last).saturating_mul(self.k);
        let bucket = slots.get_mut(start..start.saturating_add(self.k)).unwrap_or_default();
        let place = bucket
            .iter()
            .position(|slot| slot.is_some_and(|known| known.id == peer.id))
            .or_else(|| bucket.iter().position(Option::is_none));
        let Some(slot) = place.and_then(|at| bucket.get_mut(at)) else { return false };
        *slot = Some(peer);
        true
    }

    /// Removes a node that has failed.
    pub fn forget(&mut self, id: I) {
        for slot in self.slots.as_mut() {
            slot.take_if(|peer| peer.id == id);
        }
    }
}
