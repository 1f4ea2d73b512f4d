//! The successor list: what keeps the ring a ring.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::slots::Slots;
use crate::wire::Address;

/// The longest successor list. Stoica 2003 measures with 20; Table II there shows what that survives.
pub(crate) const MAX_SUCCESSORS: usize = 20;

/// The next r nodes, clockwise, in `S`: any `[Peer]` of caller-provided slots. r is their number.
///
/// The list always has r entries, as the corrected protocol demands (Zave 2017). Where fewer than
/// r nodes are known, the rest are artificial: the last identifier plus 1, plus 2 and so on, which
/// no node can be skipped by. They have no address, always stand at the end and follow from what
/// stands before them; so only the real ones are stored and sent, and
/// [`identifiers`](Self::identifiers) returns all r.
///
/// In a ring of r nodes or fewer a list would come round to its owner; it ends before that.
///
/// ```
/// use chord_core::{Peer, SuccessorList, Word};
///
/// let peer = |id| Peer { id: Word::<5>::new(id), address: [] };
/// let mut list = SuccessorList::new(Word::new(9), [Peer::EMPTY; 3]);
/// list.learn(peer(20));
/// list.learn(peer(11));
/// assert_eq!(list.first(), Some(peer(11)));
/// assert!(list.identifiers().eq([11, 20, 21].map(Word::new))); // the last one is artificial
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SuccessorList<I, A, S> {
    me: I,
    peers: Slots<Peer<I, A>, S>,
}

impl<I: Identifier, A: Address, S: AsRef<[Peer<I, A>]>> SuccessorList<I, A, S> {
    /// Takes over slots of which the first `len` are in use.
    pub(crate) const fn resume(me: I, slots: S, len: u8) -> Self {
        Self { me, peers: Slots::resume(slots, len) }
    }

    pub(crate) const fn count(&self) -> u8 {
        self.peers.count()
    }

    /// Returns the successor; `None` if no other node is known.
    #[must_use]
    pub fn first(&self) -> Option<Peer<I, A>> {
        self.as_slice().first().copied()
    }

    /// Returns the real entries, clockwise.
    #[must_use]
    pub fn as_slice(&self) -> &[Peer<I, A>] {
        self.peers.as_slice()
    }

    /// Returns all r identifiers, the artificial ones included. A lone node counts on from itself.
    #[must_use]
    pub fn identifiers(&self) -> Identifiers<'_, I, A> {
        Identifiers { last: self.me, real: self.as_slice().iter(), left: self.r() }
    }

    /// Returns r, the number of slots.
    #[must_use]
    pub fn r(&self) -> usize {
        self.peers.capacity()
    }

    /// Returns whether all r entries are real: the ring has at least r + 1 members, the base that
    /// the protocol's proof asks for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.as_slice().len() == self.r()
    }
}

impl<I, A, S> SuccessorList<I, A, S>
where
    I: Identifier,
    A: Address,
    S: AsRef<[Peer<I, A>]> + AsMut<[Peer<I, A>]>,
{
    /// Creates the list of node `me` with no real entry, and empties the slots.
    #[must_use]
    pub fn new(me: I, slots: S) -> Self {
        Self { me, peers: Slots::new(slots) }
    }

    /// Becomes `head` followed by `tail`, cut to r entries: what each step of maintenance does
    /// (Zave 2017, step table). What is out of order or comes round to the owner is cut, and a second
    /// entry with the address of another one, or with the `own` address, is left out. Returns whether the list has changed.
    pub(crate) fn replace(&mut self, own: A, head: Peer<I, A>, tail: &[Peer<I, A>]) -> bool {
        if self.is_same(&head, tail) {
            return false; // the usual case in a stable ring
        }
        let mut changed = false;
        let mut len = 0;
        let mut last = I::ZERO;
        for peer in core::iter::once(&head).chain(tail) {
            let distance = self.me.distance(peer.id);
            // Out of order: the list comes round to its owner, or its sender lies.
            if distance <= last || len >= self.r() {
                break;
            }
            let before = self.as_slice().get(..len).unwrap_or_default();
            let known = before.iter().any(|known| known.address == peer.address);
            if known || peer.address == own {
                continue; // of two names for one address one is out of date
            }
            last = distance;
            changed |= self.peers.set(len, *peer);
            len = len.saturating_add(1);
        }
        changed |= len != self.as_slice().len();
        self.peers.truncate(len);
        changed
    }

    /// Returns whether a full list reads `head` and then `tail`, as far as there is room. Nearly always it does, so
    /// one pass without a branch for each entry is faster than to stop at the first difference.
    #[expect(clippy::needless_bitwise_bool, reason = "a branch for each field is slower")]
    fn is_same(&self, head: &Peer<I, A>, tail: &[Peer<I, A>]) -> bool {
        let Some((first, rest)) = self.as_slice().split_first() else { return false };
        let Some(tail) = tail.get(..rest.len()) else { return false };
        let same = rest.iter().zip(tail).fold(first == head, |same, (old, new)| {
            same & (old.id == new.id) & (old.address == new.address)
        });
        same && self.is_full()
    }

    /// Inserts a node that is known to exist at its place. Once it has learnt of every member of
    /// a ring, the list is exact.
    pub fn learn(&mut self, peer: Peer<I, A>) {
        let distance = self.me.distance(peer.id);
        let known = |known: &Peer<I, A>| self.me.distance(known.id);
        let list = self.as_slice();
        let at = list.partition_point(|peer| known(peer) < distance);
        let twice = list.get(at).is_some_and(|next| next.id == peer.id);
        if peer.id != self.me && !twice {
            self.peers.insert(at, peer);
        }
    }

    /// Removes the first entry, which has failed; an artificial one fills the end.
    pub fn shift(&mut self) -> Option<Peer<I, A>> {
        self.peers.remove(0)
    }

    /// Becomes the empty table of node `me`.
    pub(crate) fn restart(&mut self, me: I) {
        self.me = me;
        self.clear();
    }

    pub(crate) fn clear(&mut self) {
        self.peers.clear();
    }

    /// Stores a list as it is, right or wrong.
    #[cfg(test)]
    pub(crate) fn set_raw(&mut self, peers: &[Peer<I, A>]) {
        self.peers.clear();
        for peer in peers {
            self.peers.push(*peer);
        }
    }
}

/// All r identifiers of a successor list, the artificial ones included.
#[derive(Debug, Clone)]
pub struct Identifiers<'a, I, A> {
    last: I,
    real: core::slice::Iter<'a, Peer<I, A>>,
    left: usize,
}

impl<I: Identifier, A> Iterator for Identifiers<'_, I, A> {
    type Item = I;

    fn next(&mut self) -> Option<I> {
        self.left = self.left.checked_sub(1)?;
        let artificial = self.last.plus(I::power_of_two(0));
        self.last = self.real.next().map_or(artificial, |peer| peer.id);
        Some(self.last)
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::id::Word;

    type List = SuccessorList<Word<8>, u32, [Peer<Word<8>, u32>; 3]>;

    fn peer(id: u64, address: u32) -> Peer<Word<8>, u32> {
        Peer { id: Word::new(id), address }
    }

    /// Returns whether the list has changed, and its entries.
    fn replaced(list: &mut List, ids: &[(u64, u32)]) -> (bool, std::vec::Vec<(u64, u32)>) {
        let peers: std::vec::Vec<_> = ids.iter().map(|(id, address)| peer(*id, *address)).collect();
        let changed = peers.split_first().is_some_and(|(head, tail)| list.replace(99, *head, tail));
        (changed, list.as_slice().iter().map(|peer| (peer.id.value(), peer.address)).collect())
    }

    #[test]
    fn a_list_changes_with_any_identifier_or_address() {
        let mut list = List::new(Word::new(0), [Peer::EMPTY; 3]);
        let mut last = std::vec![];
        for ids in [
            [(10, 1), (20, 2), (30, 3)],
            [(11, 1), (20, 2), (30, 3)],
            [(11, 4), (20, 2), (30, 3)],
            [(11, 4), (21, 2), (30, 3)],
            [(11, 4), (21, 5), (30, 3)],
            [(11, 4), (21, 5), (31, 3)],
            [(11, 4), (21, 5), (31, 6)],
        ] {
            assert_eq!(replaced(&mut list, &ids), (true, ids.into()));
            assert_eq!(replaced(&mut list, &ids), (false, ids.into()));
            last = ids.into();
        }
        // A list that is longer than there is room for is cut.
        last.push((40, 7));
        assert_eq!(replaced(&mut list, &last), (false, last[..3].into()));
        assert_eq!(replaced(&mut list, &last[..2]), (true, last[..2].into()));
        assert_eq!(replaced(&mut list, &last[..2]), (false, last[..2].into()));
        assert_eq!(replaced(&mut list, &last[..3]), (true, last[..3].into()));
    }

    #[test]
    fn what_is_out_of_order_is_cut_and_what_is_named_twice_is_left_out() {
        let mut list = List::new(Word::new(100), [Peer::EMPTY; 3]);
        for (ids, kept) in [
            (&[(110, 1), (105, 2), (120, 3)][..], &[(110, 1)][..]),
            (&[(110, 1), (110, 2)], &[(110, 1)]),
            (&[(110, 1), (90, 2), (100, 3), (110, 4)], &[(110, 1), (90, 2)]),
            (&[(110, 1), (120, 1), (130, 3)], &[(110, 1), (130, 3)]),
            (&[(110, 1), (120, 99), (130, 3)], &[(110, 1), (130, 3)]), // the own address
        ] {
            assert_eq!(replaced(&mut list, ids).1, kept);
        }
    }
}
