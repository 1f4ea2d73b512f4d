//! Pastry (Rowstron and Druschel, Middleware 2001): prefixes first, the numerically closest node at the end.

use super::known::Known;
use super::leaves;
use super::prefix::PrefixTable;
use crate::id::Bits;
use crate::peer::Peer;
use crate::routing::Route;
use crate::wire::Address;

/// The state of a node of Pastry. `T` is the memory of the routing table, a row of `2^b` slots for each digit
/// that nodes may share; `L` is that of the leaf set, half of it for smaller and half for larger identifiers.
///
/// For N nodes about `log N / b` rows are filled (section 2.1); rows that there is no memory for cost hops, never
/// the right owner. The leaf set makes routes right: one fails only if half a leaf set of neighbours fails at
/// once.
///
/// To join (section 2.4) a newcomer has its own identifier looked up, learns what each node on the way
/// [knows](Self::known), and is then learnt by all that it knows itself.
///
/// ```
/// use chord_core::{Peer, Route, Word, geometry::Pastry};
///
/// let [me, near, far] = [21, 28, 4].map(|id| Peer { id: Word::<5>::new(id), address: [] });
/// let mut node = Pastry::new(me, 2, [None; 12], [None; 4]);
/// node.learn(near);
/// node.learn(far);
/// assert_eq!(node.route(Word::new(22)), Route::Owner(me)); // Chord says 28
/// assert_eq!(node.route(Word::new(25)), Route::Owner(near));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pastry<I, A, T, L> {
    table: PrefixTable<I, A, T>,
    leaves: L,
}

impl<I: Bits, A: Address, T, L> Pastry<I, A, T, L> {
    /// Creates the state of a node that knows no other. `b` is the number of bits of a digit, from 1 to 8; the
    /// paper has 4.
    pub fn new(me: Peer<I, A>, b: u32, table: T, leaves: L) -> Self {
        Self { table: PrefixTable::new(me, b, table), leaves }
    }

    /// Returns the node itself.
    #[must_use]
    pub const fn me(&self) -> Peer<I, A> {
        self.table.me
    }
}

impl<I, A, T, L> Pastry<I, A, T, L>
where
    I: Bits,
    A: Address,
    T: AsRef<[Option<Peer<I, A>>]>,
    L: AsRef<[Option<Peer<I, A>>]>,
{
    /// Decides where `key` leads (section 2.3).
    #[must_use]
    pub fn route(&self, key: I) -> Route<I, A> {
        let me = self.table.me;
        if leaves::cover(self.leaves.as_ref(), self.table.slots(), me.id, key) {
            return Route::Owner(self.closest(key));
        }
        let shared = self.table.common_digits(key);
        let next = self.table.get(shared, self.table.digit(key, shared));
        next.or_else(|| self.closer(key, shared)).map_or(Route::Owner(me), Route::Ask)
    }

    /// Returns every node that it knows, itself first; some come twice.
    #[must_use]
    pub fn known(&self) -> Known<'_, I, A> {
        Known::new(self.table.me, self.leaves.as_ref(), self.table.slots())
    }

    fn leaves(&self) -> impl Iterator<Item = Peer<I, A>> {
        self.leaves.as_ref().iter().flatten().copied()
    }

    /// Returns the closest of itself and its leaves.
    fn closest(&self, key: I) -> Peer<I, A> {
        self.leaves()
            .fold(self.table.me, |best, leaf| if closer(key, leaf, best) { leaf } else { best })
    }

    /// Returns any node that shares as many digits with the key, or more, and is closer to it: the rare case of
    /// the paper.
    fn closer(&self, key: I, shared: u32) -> Option<Peer<I, A>> {
        let me = self.table.me;
        let known = self.known().skip(1);
        let shares = |peer: &Peer<I, A>| self.table.digits_shared(peer.id, key) >= shared;
        let mut fit = known.filter(|peer| shares(peer) && closer(key, *peer, me));
        let first = fit.next()?;
        Some(fit.fold(first, |best, peer| if closer(key, peer, best) { peer } else { best }))
    }
}

impl<I, A, T, L> Pastry<I, A, T, L>
where
    I: Bits,
    A: Address,
    T: AsMut<[Option<Peer<I, A>>]>,
    L: AsMut<[Option<Peer<I, A>>]>,
{
    /// Inserts a node that is known to exist.
    pub fn learn(&mut self, peer: Peer<I, A>) {
        self.learn_if(peer, |_, _| false);
    }

    /// Inserts a node, in the place of the one in its slot of the table if it is `better`: by this choice, say
    /// of the shorter round trip, Pastry keeps its routes short in the network below (section 2.5).
    pub fn learn_if(
        &mut self,
        peer: Peer<I, A>,
        better: impl FnOnce(&Peer<I, A>, &Peer<I, A>) -> bool,
    ) {
        let me = self.table.me.id;
        if peer.id != me {
            self.table.learn(peer, better);
            leaves::learn(self.leaves.as_mut(), me, peer);
        }
    }

    /// Removes a node that has failed. Its place in the leaf set is then free, and the leaves of the farthest
    /// leaf on that side should be learnt (section 2.4). Until then fewer routes end here.
    pub fn forget(&mut self, id: I) {
        self.table.forget(id);
        leaves::forget(self.leaves.as_mut(), id);
    }
}

/// Returns whether `a` owns the key rather than `b`: it is closer, or as close on the other side and smaller.
fn closer<I: Bits, A: Address>(key: I, a: Peer<I, A>, b: Peer<I, A>) -> bool {
    let around = |id: I| id.distance(key).min(key.distance(id));
    (around(a.id), a.id) < (around(b.id), b.id)
}
