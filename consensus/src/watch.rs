//! The watch: remembers who proposed what, and notices a second, different proposal.

use crate::{Equivocation, EvidenceError, SignedStatement};

/// Remembers the latest signed statements and turns contradictions into evidence. `S` is the memory; any
/// `[WatchSlot]` serves.
///
/// When all slots are taken the statement with the lowest height makes room, so old heights are forgotten
/// first: lend as many slots as there are validators times the heights that matter. What is found does not
/// depend on the order of arrival as long as nothing had to be forgotten.
#[derive(Debug, Clone)]
pub struct Watch<S: ?Sized> {
    slots: S,
}

/// Room for one statement: 152 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchSlot(Option<SignedStatement>);

impl WatchSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl<S: AsRef<[WatchSlot]> + AsMut<[WatchSlot]>> Watch<S> {
    /// Creates a watch that goes on with what is in `slots`.
    pub const fn new(slots: S) -> Self {
        Self { slots }
    }
}

impl<S: AsRef<[WatchSlot]> + AsMut<[WatchSlot]> + ?Sized> Watch<S> {
    /// Takes in a statement; returns evidence if it contradicts an earlier one. Costs O(n).
    ///
    /// Hearing the same statement again changes nothing, and hearing a contradiction again gives the same
    /// evidence.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Forged`] if the author did not sign it; nothing has changed then.
    pub fn observe(
        &mut self,
        signed: &SignedStatement,
    ) -> Result<Option<Equivocation>, EvidenceError> {
        if !signed.is_genuine() {
            return Err(EvidenceError::Forged(signed.author));
        }
        observe(self.slots.as_mut(), signed)
    }
}

impl<S: AsRef<[WatchSlot]> + ?Sized> Watch<S> {
    /// Returns the statements that are remembered.
    pub fn iter(&self) -> impl Iterator<Item = &SignedStatement> + '_ {
        self.slots.as_ref().iter().filter_map(|slot| slot.0.as_ref())
    }

    /// Returns how many statements there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }
}

/// Compiled once, however many storages a program names.
fn observe(
    slots: &mut [WatchSlot],
    signed: &SignedStatement,
) -> Result<Option<Equivocation>, EvidenceError> {
    let known = slots.iter().filter_map(|slot| slot.0.as_ref()).find(|known| {
        known.author == signed.author && known.statement.same_round(&signed.statement)
    });
    match known {
        Some(known) if known.statement.digest == signed.statement.digest => Ok(None),
        Some(known) => Equivocation::prove(known, signed).map(Some),
        None => {
            remember(slots, signed);
            Ok(None)
        }
    }
}

fn remember(slots: &mut [WatchSlot], signed: &SignedStatement) {
    // Free slots come before all heights.
    let height = |slot: &WatchSlot| slot.0.map(|known| known.statement.height);
    let Some(slot) = slots.iter_mut().min_by_key(|slot| height(slot)) else { return };
    if height(slot) <= Some(signed.statement.height) {
        slot.0 = Some(*signed);
    }
}
