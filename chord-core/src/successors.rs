//! The successor list: what keeps the ring a ring.

use crate::{Address, Identifier, List, Peer};

/// The longest successor list. Stoica 2003 measures with 20; Table II there shows what that survives.
pub const MAX_SUCCESSORS: usize = 20;

/// The next r nodes, clockwise.
///
/// The list always has r entries, as the corrected protocol demands (Zave 2017). Where fewer than
/// r nodes are known, the rest are artificial: the last identifier plus 1, plus 2 and so on, which
/// no node can be skipped by. They have no address, always stand at the end and follow from what
/// stands before them; so only the real ones are stored and sent, and
/// [`identifiers`](Self::identifiers) shows all r.
///
/// In a ring of r nodes or fewer a list would come round to its owner; it ends before that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SuccessorList<I, A> {
    me: I,
    r: u8,
    peers: List<Peer<I, A>, MAX_SUCCESSORS>,
}

impl<I: Identifier, A: Address> SuccessorList<I, A> {
    /// Creates the list of node `me` with no real entry; `r` counts as the nearest number from 1
    /// to [`MAX_SUCCESSORS`].
    #[must_use]
    pub const fn new(me: I, r: u8) -> Self {
        let r = match r {
            0 => 1,
            1..=20 => r,
            _ => 20,
        };
        Self { me, r, peers: List::new() }
    }

    /// Creates a list as it is, right or wrong.
    #[cfg(test)]
    pub(crate) fn raw(me: I, r: u8, peers: &[Peer<I, A>]) -> Self {
        Self { me, r, peers: peers.iter().copied().collect() }
    }

    /// Becomes `head` followed by `tail`, cut to r entries: what each step of maintenance does
    /// (Zave 2017, step table). What would come round to the owner is cut as well. Tells whether
    /// the list is another one now.
    pub fn replace(&mut self, head: Peer<I, A>, tail: &[Peer<I, A>]) -> bool {
        let new = || core::iter::once(&head).chain(tail);
        if self.is_full() && self.peers.iter().eq(new().take(self.r())) {
            return false; // the usual case in a stable ring
        }
        let old = core::mem::take(&mut self.peers);
        for peer in new() {
            let ends = peer.id == self.me || self.peers.iter().any(|known| known.id == peer.id);
            if ends || self.peers.len() >= self.r() || self.peers.push(*peer).is_err() {
                break;
            }
        }
        old != self.peers
    }

    /// Takes in a node that is known to exist, at its place. Once it has learnt of every member of
    /// a ring, the list is exact.
    pub fn learn(&mut self, peer: Peer<I, A>) {
        let distance = self.me.distance(peer.id);
        let known = |known: &Peer<I, A>| self.me.distance(known.id);
        let at = self.peers.partition_point(|peer| known(peer) < distance);
        let twice = self.peers.get(at).is_some_and(|next| next.id == peer.id);
        if peer.id != self.me && !twice {
            self.peers.insert(at, peer);
            self.peers.truncate(self.r());
        }
    }

    /// Drops the first entry, which has failed; an artificial one fills the end.
    pub fn shift(&mut self) -> Option<Peer<I, A>> {
        self.peers.remove(0)
    }

    /// Returns the successor; `None` if no other node is known.
    #[must_use]
    pub fn first(&self) -> Option<Peer<I, A>> {
        self.peers.first().copied()
    }

    /// Returns the real entries, clockwise.
    #[must_use]
    pub fn as_slice(&self) -> &[Peer<I, A>] {
        &self.peers
    }

    /// Returns all r identifiers, the artificial ones included. A lone node counts on from itself.
    pub fn identifiers(&self) -> impl Iterator<Item = I> + '_ {
        let one = I::power_of_two(0);
        let mut last = self.me;
        let mut real = self.peers.iter();
        (0..self.r).map(move |_| {
            last = real.next().map_or(last.plus(one), |peer| peer.id);
            last
        })
    }

    /// Returns r.
    #[must_use]
    pub fn r(&self) -> usize {
        usize::from(self.r)
    }

    /// Tells whether all r entries are real: the ring has at least r + 1 members, the base that
    /// the protocol's proof asks for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.peers.len() == self.r()
    }
}
