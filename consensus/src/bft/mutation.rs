//! Faults that tests switch on, to see that the simulation and the model checker notice them.

use core::cell::Cell;

/// A mistake in the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    /// Prevotes for any valid proposal, whatever is locked (lines 23 and 29).
    SkipLock,
    /// Counts one vote of each kind and round twice.
    CountTwice,
    /// Two thirds of the weight are enough: 2f of 3f + 1 is fewer still.
    SmallQuorum,
    /// Sends a statement before the state on which it depends is saved.
    SendBeforeSaved,
}

std::thread_local! {
    static ACTIVE: Cell<Option<Mutation>> = const { Cell::new(None) };
}

/// Switches a mistake on or off in this thread.
pub(crate) fn set(mutation: Option<Mutation>) {
    ACTIVE.set(mutation);
}

pub(super) fn is_active(mutation: Mutation) -> bool {
    ACTIVE.get() == Some(mutation)
}
