//! Which pipelines a call fills at its end.

use crate::invariant::invariant;

/// The pipelines to fill at the end of a call, in this order. It is not done at once: of all that a torrent does it needs the
/// deepest stack, and what handles a message would stand on it too.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Refills([Option<Refill>; 2]);

/// Which pipelines are filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Refill {
    /// Those of all peers that may have room.
    All,
    /// Those of all such peers if something became free, else that of the peer in a slot.
    Freed(Option<usize>),
}

impl Refills {
    pub(super) fn note(&mut self, refill: Refill) {
        let Self(due) = self;
        let place = due.iter_mut().find(|place| place.is_none());
        invariant!(place.is_some(), "a call makes more refills than there is room for");
        if let Some(place) = place {
            *place = Some(refill);
        }
    }

    /// Returns what was noted, and forgets it.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Refill> + use<> {
        let Self(due) = core::mem::take(self);
        due.into_iter().flatten()
    }
}
