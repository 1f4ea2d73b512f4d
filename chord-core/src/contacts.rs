//! Peers that are remembered beyond the tables of the ring, so that a ring which was cut finds itself again.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::rng::Rng;
use crate::wire::{Address, Wire};

/// After this many probes without an answer a peer is forgotten, unless the node is alone or it is a seed.
const MOST_FAILURES: u8 = 10;
/// The same for a peer that has never answered.
const MOST_FAILURES_NAMED: u8 = 2;
/// Probes of a silent peer become rarer by a factor of two up to this power.
const RAREST: u8 = 6;
/// Peers that have never answered take at most one slot of this many.
const NAMED_SHARE: usize = 4;

/// Room for one remembered peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContactSlot<I, A> {
    peer: Peer<I, A>,
    kind: Kind,
    failures: u8,
    /// How many turns it is left out.
    skip: u8,
}

/// Why a peer is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Empty,
    /// Another peer has named it, and it has never answered: perhaps it was made up.
    Named,
    /// It has answered.
    Witness,
    /// It has answered, and was taken for dead later because of its silence.
    Lost,
    /// The application has named it.
    Seed,
}

impl<I: Wire, A: Wire> ContactSlot<I, A> {
    /// A slot without a peer.
    pub const EMPTY: Self = Self { peer: Peer::EMPTY, kind: Kind::Empty, failures: 0, skip: 0 };
}

/// Remembers a peer. A peer that has never answered takes free slots only, and few of them. In a full table a lost
/// peer or a seed takes the place of a peer that has never answered, or else of a random one that is no seed.
pub(crate) fn remember<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    peer: Peer<I, A>,
    kind: Kind,
    rng: &mut Rng,
) {
    let known = |slot: &&mut ContactSlot<I, A>| {
        slot.kind != Kind::Empty && slot.peer.address == peer.address
    };
    if let Some(slot) = slots.iter_mut().find(known) {
        let silent_now = kind == Kind::Named && slot.kind == Kind::Witness;
        slot.kind = if silent_now { Kind::Lost } else { slot.kind.max(kind) };
        if kind != Kind::Named {
            slot.peer = peer;
        }
        return;
    }
    let new = ContactSlot { peer, kind, failures: 0, skip: 0 };
    if let Some(slot) = place(slots, kind, rng) {
        *slot = new;
    }
}

/// Returns the slot for a new peer of this kind.
fn place<'a, I, A>(
    slots: &'a mut [ContactSlot<I, A>],
    kind: Kind,
    rng: &mut Rng,
) -> Option<&'a mut ContactSlot<I, A>> {
    let len = slots.len();
    let named = slots.iter().filter(|slot| slot.kind == Kind::Named).count();
    if kind == Kind::Named && named >= len.div_ceil(NAMED_SHARE) {
        return None;
    }
    let of = |kind| move |slot: &ContactSlot<I, A>| slot.kind == kind;
    if let Some(free) = slots.iter().position(of(Kind::Empty)) {
        return slots.get_mut(free);
    }
    if kind > Kind::Named
        && let Some(named) = slots.iter().position(of(Kind::Named))
    {
        return slots.get_mut(named);
    }
    let at = usize::try_from(rng.below(u64::try_from(len).unwrap_or(0))).unwrap_or(0);
    let random = slots.get_mut(at)?;
    let gives_way = random.kind < kind || random.kind == Kind::Lost;
    (kind > Kind::Witness && gives_way).then_some(random)
}

/// Returns the peer whose turn it is, and where the next turn starts. `eager` leaves nobody out.
pub(crate) fn next<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    start: u8,
    eager: bool,
) -> Option<(Peer<I, A>, u8)> {
    let len = slots.len();
    for step in 0..len {
        let at = usize::from(start).saturating_add(step).checked_rem(len)?;
        let slot = slots.get_mut(at)?;
        if slot.kind == Kind::Empty {
            continue;
        }
        if slot.skip > 0 && !eager {
            slot.skip = slot.skip.saturating_sub(1);
            continue;
        }
        return Some((slot.peer, u8::try_from(at.saturating_add(1)).unwrap_or(0)));
    }
    None
}

/// A peer was found in the own ring: it is not lost.
pub(crate) fn found<I: Identifier, A: Address>(slots: &mut [ContactSlot<I, A>], address: A) {
    for slot in slots.iter_mut().filter(|slot| slot.peer.address == address) {
        slot.failures = 0;
        slot.skip = 0;
        if slot.kind == Kind::Lost || slot.kind == Kind::Named {
            *slot = ContactSlot::EMPTY;
        }
    }
}

/// A probe of a peer has brought no answer.
pub(crate) fn failed<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    address: A,
    alone: bool,
) {
    for slot in slots.iter_mut().filter(|slot| slot.peer.address == address) {
        slot.failures = slot.failures.saturating_add(1);
        let power = slot.failures.min(RAREST);
        slot.skip = 1u8.checked_shl(power.into()).unwrap_or(u8::MAX).saturating_sub(1);
        let most = if slot.kind == Kind::Named { MOST_FAILURES_NAMED } else { MOST_FAILURES };
        if slot.failures > most && slot.kind != Kind::Seed && !alone {
            *slot = ContactSlot::EMPTY;
        }
    }
}

pub(crate) fn has_lost<I, A>(slots: &[ContactSlot<I, A>]) -> bool {
    slots.iter().any(|slot| matches!(slot.kind, Kind::Lost | Kind::Named))
}
