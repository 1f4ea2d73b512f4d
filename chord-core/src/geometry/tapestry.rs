//! Tapestry (Zhao, Kubiatowicz and Joseph 2001): prefixes with surrogates, so that each key has one root.

use super::known::Known;
use super::prefix::PrefixTable;
use crate::id::Bits;
use crate::peer::Peer;
use crate::routing::Route;
use crate::wire::Address;

/// The state of a node of Tapestry. `T` is the memory of the neighbour map, a row of `2^b` slots for each digit
/// that nodes may share.
///
/// Where no node has the digit that is wanted next, the next digit that some node has takes its place, and after
/// the last digit comes the first (surrogate routing). That gives each key one root, whatever node the search
/// begins at, provided that the maps are complete: a slot is empty only if there is no such node. A newcomer
/// therefore [announces](Self::announce) itself to all nodes that share its prefix with its root.
///
/// ```
/// use chord_core::{Peer, Route, Word, geometry::Tapestry};
///
/// let [me, other] = [0b0001, 0b1110].map(|id| Peer { id: Word::<4>::new(id), address: [] });
/// let mut node = Tapestry::new(me, 2, [None; 8]);
/// node.learn(other);
/// assert_eq!(node.route(Word::new(0b1000)), Route::Ask(other)); // 2 is wanted, 3 is the next
/// assert_eq!(node.route(Word::new(0b0011)), Route::Owner(me));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tapestry<I, A, T> {
    table: PrefixTable<I, A, T>,
}

impl<I: Bits, A: Address, T> Tapestry<I, A, T> {
    /// Creates the state of a node that knows no other. `b` is the number of bits of a digit, from 1 to 8; the
    /// paper has 4.
    pub fn new(me: Peer<I, A>, b: u32, table: T) -> Self {
        Self { table: PrefixTable::new(me, b, table) }
    }

    /// Returns the node itself.
    #[must_use]
    pub const fn me(&self) -> Peer<I, A> {
        self.table.me
    }

    /// Returns how many digits the node shares with `id`.
    #[must_use]
    pub fn common_digits(&self, id: I) -> u32 {
        self.table.common_digits(id)
    }
}

impl<I: Bits, A: Address, T: AsRef<[Option<Peer<I, A>>]>> Tapestry<I, A, T> {
    /// Decides where `key` leads. The route is `Owner` with the node itself at the root, and `Ask` before.
    #[must_use]
    pub fn route(&self, key: I) -> Route<I, A> {
        let me = self.table.me;
        for row in 0..self.table.rows() {
            let own = self.table.digit(me.id, row);
            let wanted = self.table.digit(key, row);
            let columns = self.table.columns();
            for step in 0..columns {
                let column = wanted.saturating_add(step).checked_rem(columns).unwrap_or(0);
                if column == own {
                    break; // this node has the digit, or is the surrogate; the next one decides
                }
                if let Some(next) = self.table.get(row, column) {
                    return Route::Ask(next);
                }
            }
        }
        Route::Owner(me)
    }

    /// Returns the next receivers of a message that is for all nodes which share `digits` digits with this one, and
    /// with how many digits it goes on to each: every such node then gets it once. In this way a newcomer
    /// announces itself, beginning at its root with the number of digits that it shares with the root; who gets
    /// the message learns the newcomer, and the newcomer learns it.
    #[must_use]
    pub fn announce(&self, digits: u32) -> Announcements<'_, I, A> {
        let columns = self.table.columns();
        let whole_rows = self.table.rows().saturating_mul(columns);
        let len = usize::try_from(whole_rows).unwrap_or(usize::MAX);
        let slots = self.table.slots().get(..len).unwrap_or_default();
        Announcements { slots, columns, row: digits.min(self.table.rows()), column: 0 }
    }

    /// Returns every node that it knows, itself first.
    #[must_use]
    pub fn known(&self) -> Known<'_, I, A> {
        Known::new(self.table.me, &[], self.table.slots())
    }
}

impl<I: Bits, A: Address, T: AsMut<[Option<Peer<I, A>>]>> Tapestry<I, A, T> {
    /// Records a node that is known to exist. Returns whether there was room for it; where there was not, another
    /// node serves in its place.
    pub fn learn(&mut self, peer: Peer<I, A>) -> bool {
        self.table.learn(peer, |_, _| false)
    }

    /// Removes a node that has failed. Another one that belongs into its slot should be learnt.
    pub fn forget(&mut self, id: I) {
        self.table.forget(id);
    }
}

/// The next receivers of an announcement, each with the number of digits that it goes on with.
#[derive(Debug, Clone)]
pub struct Announcements<'a, I, A> {
    slots: &'a [Option<Peer<I, A>>],
    columns: u32,
    row: u32,
    column: u32,
}

impl<I: Copy, A: Copy> Iterator for Announcements<'_, I, A> {
    type Item = (Peer<I, A>, u32);

    fn next(&mut self) -> Option<(Peer<I, A>, u32)> {
        loop {
            let at = self.row.checked_mul(self.columns)?.checked_add(self.column)?;
            let slot = self.slots.get(usize::try_from(at).ok()?)?;
            let digits = self.row.saturating_add(1);
            self.column = self.column.saturating_add(1);
            if self.column >= self.columns {
                self.column = 0;
                self.row = digits;
            }
            if let Some(peer) = slot {
                return Some((*peer, digits));
            }
        }
    }
}
