//! The prefix table that Pastry and Tapestry share.

use crate::id::Bits;
use crate::peer::Peer;
use crate::wire::Address;

const WIDEST: u32 = 8; // bits a digit

/// Row l holds, for each digit d, a node that has the first l digits of the owner and d as the next one. The
/// slots are as many whole rows as they suffice for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrefixTable<I, A, S> {
    pub(super) me: Peer<I, A>,
    width: u32, // bits a digit
    slots: S,
}

impl<I: Bits, A: Address, S> PrefixTable<I, A, S> {
    /// A width of 0 counts as 1, and one above 8 as 8.
    pub(super) fn new(me: Peer<I, A>, width: u32, slots: S) -> Self {
        Self { me, width: width.clamp(1, WIDEST), slots }
    }

    /// Returns how many digits the owner and `id` share.
    pub(super) fn common_digits(&self, id: I) -> u32 {
        self.digits_shared(self.me.id, id)
    }

    pub(super) fn digits_shared(&self, a: I, b: I) -> u32 {
        a.common_bits(b).checked_div(self.width).unwrap_or(0)
    }

    pub(super) fn digit(&self, id: I, row: u32) -> u32 {
        id.digit(row, self.width)
    }

    pub(super) fn columns(&self) -> u32 {
        1_u32.checked_shl(self.width).unwrap_or(1)
    }

    /// Returns the position of the slot of a row and a column.
    fn index(&self, row: u32, column: u32) -> usize {
        let index = row.saturating_mul(self.columns()).saturating_add(column);
        usize::try_from(index).unwrap_or(usize::MAX)
    }
}

impl<I: Bits, A: Address, S: AsRef<[Option<Peer<I, A>>]>> PrefixTable<I, A, S> {
    pub(super) fn get(&self, row: u32, column: u32) -> Option<Peer<I, A>> {
        *self.slots.as_ref().get(self.index(row, column))?
    }

    /// Returns the slots of all nodes in it, row by row. The owner is in none.
    pub(super) fn slots(&self) -> &[Option<Peer<I, A>>] {
        self.slots.as_ref()
    }

    /// Returns how many rows there are slots for.
    #[cfg(feature = "tapestry")]
    pub(super) fn rows(&self) -> u32 {
        let slots = u32::try_from(self.slots.as_ref().len()).unwrap_or(u32::MAX);
        slots.checked_div(self.columns()).unwrap_or(0)
    }
}

impl<I: Bits, A: Address, S: AsMut<[Option<Peer<I, A>>]>> PrefixTable<I, A, S> {
    /// Puts a node into its slot, if that is free or `better` than what is there. Returns whether it did.
    pub(super) fn learn(
        &mut self,
        peer: Peer<I, A>,
        better: impl FnOnce(&Peer<I, A>, &Peer<I, A>) -> bool,
    ) -> bool {
        if peer.id == self.me.id {
            return false;
        }
        let row = self.common_digits(peer.id);
        let index = self.index(row, self.digit(peer.id, row));
        let Some(slot) = self.slots.as_mut().get_mut(index) else { return false };
        let takes = slot.is_none_or(|old| old.id == peer.id || better(&peer, &old));
        if takes {
            *slot = Some(peer);
        }
        takes
    }

    pub(super) fn forget(&mut self, id: I) {
        for slot in self.slots.as_mut() {
            slot.take_if(|peer| peer.id == id);
        }
    }
}
