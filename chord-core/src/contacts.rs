//! Peers that are remembered beyond the tables of the ring, so that a ring which was cut finds itself again.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::rng::Rng;
use crate::wire::{Address, Wire};

/// After this many probes without an answer a peer is forgotten, unless the node is alone or it is a seed.
const MOST_FAILURES: u8 = 10;
/// Probes of a silent peer become rarer by a factor of two up to this power.
const RAREST: u8 = 6;

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
    /// A finger that has answered.
    Witness,
    /// It was taken for dead because of its silence.
    Lost,
    /// The application has named it.
    Seed,
}

impl<I: Wire, A: Wire> ContactSlot<I, A> {
    /// A slot without a peer.
    pub const EMPTY: Self = Self { peer: Peer::EMPTY, kind: Kind::Empty, failures: 0, skip: 0 };
}

/// Remembers a peer. In a full table a lost peer takes the place of a random one that is no seed.
pub(crate) fn remember<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    peer: Peer<I, A>,
    kind: Kind,
    rng: &mut Rng,
) {
    let used = |slot: &ContactSlot<I, A>| slot.kind != Kind::Empty;
    if let Some(known) =
        slots.iter_mut().find(|slot| used(slot) && slot.peer.address == peer.address)
    {
        let kind = kind.max(known.kind);
        *known = ContactSlot { peer, kind, ..*known };
        return;
    }
    let new = ContactSlot { peer, kind, failures: 0, skip: 0 };
    if let Some(free) = slots.iter_mut().find(|slot| !used(slot)) {
        *free = new;
        return;
    }
    let at = usize::try_from(rng.below(u64::try_from(slots.len()).unwrap_or(0))).unwrap_or(0);
    if let Some(slot) = slots.get_mut(at).filter(|slot| slot.kind < kind || slot.kind == Kind::Lost)
        && kind > Kind::Witness
    {
        *slot = new;
    }
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
        if slot.kind == Kind::Lost {
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
        if slot.failures > MOST_FAILURES && slot.kind != Kind::Seed && !alone {
            *slot = ContactSlot::EMPTY;
        }
    }
}

pub(crate) fn has_lost<I, A>(slots: &[ContactSlot<I, A>]) -> bool {
    slots.iter().any(|slot| slot.kind == Kind::Lost)
}
