//! Peers that are remembered beyond the tables of the ring, so that a ring which was cut finds itself again.

use crate::id::Identifier;
use crate::peer::Peer;
use crate::rng::Rng;
use crate::wire::{Address, Wire};

/// After this many probes without an answer a peer that has never answered is forgotten. Others stay: a cut may last.
const MOST_FAILURES_NAMED: u8 = 2;
/// After this many, a lost peer does not make probes more frequent.
const MOST_FAILURES_LOST: u8 = 120;
/// Peers that have never answered take at most one slot of this many.
const NAMED_SHARE: usize = 4;
/// Backups take at most one slot of this many.
const BACKUP_SHARE: usize = 4;

/// Room for one remembered peer.
///
/// ```
/// use chord_core::{Config, Full, Node, NodeArrays, Peer, Word};
///
/// // Room for one contact, which is a well-known node here.
/// type Slots = NodeArrays<Word<8>, u32, 4, 8, 2, 1>;
/// let me = Peer { id: Word::new(1), address: 1 };
/// let mut node = Node::new(Config::default(), me, Slots::EMPTY)?;
/// assert_eq!(node.add_seed(2), Ok(()));
/// assert_eq!(node.add_seed(3), Err(Full { capacity: 1 }));
/// # Ok::<(), chord_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContactSlot<I, A> {
    peer: Peer<I, A>,
    kind: Kind,
    /// Probes without an answer since the last one with an answer.
    failures: u8,
}

/// Why a peer is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Empty,
    /// Another peer has named it, and it has never answered: perhaps it was made up.
    Named,
    /// It has answered.
    Witness,
    /// It has answered, and was the successor, or stood in the successor list behind it, when it did.
    Backup,
    /// It has answered, and was taken for dead later because of its silence.
    Lost,
    /// The application has named it.
    Seed,
}

impl<I: Wire, A: Wire> ContactSlot<I, A> {
    /// A slot without a peer.
    pub const EMPTY: Self = Self { peer: Peer::EMPTY, kind: Kind::Empty, failures: 0 };
}

impl<I, A> ContactSlot<I, A> {
    /// Returns whether it has not answered for a while, or never.
    fn is_silent(&self) -> bool {
        match self.kind {
            Kind::Empty | Kind::Witness | Kind::Backup => false,
            Kind::Named | Kind::Lost => true,
            Kind::Seed => self.failures > 0,
        }
    }

    /// Returns whether it holds the peer at an address.
    fn is_at(&self, address: &A) -> bool
    where
        A: PartialEq,
    {
        self.kind != Kind::Empty && self.peer.address == *address
    }
}

/// Remembers a peer. A peer that has never answered takes free slots only, and few of them. In a full table a lost
/// peer or a seed takes the place of a peer that has never answered, or else of one that is not lost, or else, every
/// second time, of the lost one that is nearest to it on the ring. So the lost ones are a sample of the whole ring
/// and of the whole time. A backup gives way to a seed only, if there is nobody else.
pub(crate) fn remember<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    peer: Peer<I, A>,
    kind: Kind,
    rng: &mut Rng,
) {
    if let Some(slot) = slots.iter_mut().find(|slot| slot.is_at(&peer.address)) {
        let answered = matches!(slot.kind, Kind::Witness | Kind::Backup);
        slot.kind = match kind {
            Kind::Named if answered => Kind::Lost,           // silent now
            Kind::Backup if slot.kind == Kind::Lost => kind, // answers again
            _ => slot.kind.max(kind),
        };
        if kind != Kind::Named {
            slot.peer = peer;
        }
        return;
    }
    let new = ContactSlot { peer, kind, failures: 0 };
    let at = place(slots, peer, kind, rng);
    if let Some(slot) = at.and_then(|at| slots.get_mut(at)) {
        *slot = new;
    }
}

/// Keeps a former successor, or an entry of the successor list, that has answered. Backups take a quarter of the slots. In
/// place of one of them, chosen at random, another one that has answered is kept: the other peers remain a sample of the
/// whole ring.
pub(crate) fn keep_backup<I: Identifier, A: Address>(
    slots: &mut [ContactSlot<I, A>],
    peer: Peer<I, A>,
    rng: &mut Rng,
) {
    let room = slots.len() / BACKUP_SHARE;
    let known = slots.iter().find(|slot| slot.is_at(&peer.address)).map(|slot| slot.kind);
    if room == 0 || known == Some(Kind::Seed) {
        return remember(slots, peer, Kind::Witness, rng);
    }
    let other = |slot: &&mut ContactSlot<I, A>| {
        slot.kind == Kind::Backup && slot.peer.address != peer.address
    };
    let others = slots.iter_mut().filter(other).count();
    if others >= room {
        let turn = rng.below(u64::try_from(others).unwrap_or(1));
        let turn = usize::try_from(turn).unwrap_or(0);
        if let Some(slot) = slots.iter_mut().filter(other).nth(turn) {
            match known {
                Some(_) => slot.kind = Kind::Witness,
                None => *slot = ContactSlot { peer, kind: Kind::Backup, failures: 0 },
            }
        }
    }
    remember(slots, peer, Kind::Backup, rng);
}

/// Returns the backup that follows `me` most closely.
pub(crate) fn nearest_backup<I: Identifier, A: Address>(
    slots: &[ContactSlot<I, A>],
    me: Peer<I, A>,
) -> Option<Peer<I, A>> {
    let backups = slots.iter().filter(|slot| slot.kind == Kind::Backup);
    let others = backups.filter(|slot| slot.peer.id != me.id && slot.peer.address != me.address);
    others.min_by_key(|slot| me.id.distance(slot.peer.id)).map(|slot| slot.peer)
}

/// Returns the seed whose turn it is after the one at `address`. Without another seed, returns a peer that has answered
/// before, and one that was found silent since only as a last resort.
pub(crate) fn next_known<I: Identifier, A: Address>(
    slots: &[ContactSlot<I, A>],
    address: A,
) -> Option<Peer<I, A>> {
    let at = slots.iter().position(|slot| slot.peer.address == address).unwrap_or(0);
    let other = |kinds: &[Kind]| {
        let mut turns = slots.iter().cycle().skip(at).take(slots.len());
        turns.find(|slot| kinds.contains(&slot.kind) && slot.peer.address != address)
    };
    let orders: [&[Kind]; 3] = [&[Kind::Seed], &[Kind::Witness, Kind::Backup], &[Kind::Lost]];
    orders.into_iter().find_map(other).map(|slot| slot.peer)
}

/// Returns the position of the slot for a new peer of this kind.
fn place<I: Identifier, A: Address>(
    slots: &[ContactSlot<I, A>],
    peer: Peer<I, A>,
    kind: Kind,
    rng: &mut Rng,
) -> Option<usize> {
    let named = slots.iter().filter(|slot| slot.kind == Kind::Named).count();
    if kind == Kind::Named && named >= slots.len().div_ceil(NAMED_SHARE) {
        return None;
    }
    let of = |kind| move |slot: &ContactSlot<I, A>| slot.kind == kind;
    if let Some(free) = slots.iter().position(of(Kind::Empty)) {
        return Some(free);
    }
    if kind > Kind::Named
        && let Some(named) = slots.iter().position(of(Kind::Named))
    {
        return Some(named);
    }
    if kind <= Kind::Witness {
        return None;
    }
    let all = || slots.iter().enumerate();
    let witnesses = all().filter(|(_, slot)| slot.kind == Kind::Witness);
    if let Some((_, at)) = witnesses.map(|(at, _)| (rng.next_u64(), at)).min() {
        return Some(at);
    }
    if kind == Kind::Backup || (kind == Kind::Lost && rng.below(2) == 0) {
        return None;
    }
    let apart = |other: I| other.distance(peer.id).min(peer.id.distance(other));
    let lost = all().filter(|(_, slot)| slot.kind == Kind::Lost);
    let nearest = lost.min_by_key(|(_, slot)| apart(slot.peer.id)).map(|(at, _)| at);
    nearest.or_else(|| slots.iter().position(of(Kind::Backup)).filter(|_| kind == Kind::Seed))
}

/// Returns the peer whose turn it is, and where the next turn starts. Where `seeds` is set, a silent seed comes first.
pub(crate) fn next<I: Identifier, A: Address>(
    slots: &[ContactSlot<I, A>],
    start: u8,
    seeds: bool,
) -> Option<(Peer<I, A>, u8)> {
    let turns = || slots.iter().enumerate().cycle().skip(start.into()).take(slots.len());
    let silent = |slot: &ContactSlot<I, A>| slot.kind == Kind::Seed && slot.failures > 0;
    let seed = turns().find(|(_, slot)| seeds && silent(slot));
    let (at, slot) = seed.or_else(|| turns().find(|(_, slot)| slot.kind != Kind::Empty))?;
    Some((slot.peer, u8::try_from(at.saturating_add(1)).unwrap_or(0)))
}

/// A peer was found in the own ring: it is not lost.
pub(crate) fn found<I: Identifier, A: Address>(slots: &mut [ContactSlot<I, A>], address: A) {
    for slot in slots.iter_mut().filter(|slot| slot.peer.address == address) {
        slot.failures = 0;
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
        match slot.kind {
            Kind::Named if slot.failures > MOST_FAILURES_NAMED && !alone => {
                *slot = ContactSlot::EMPTY;
            }
            Kind::Witness | Kind::Backup => slot.kind = Kind::Lost,
            _ => {}
        }
    }
}

/// Returns whether a peer is lost, and perhaps only cut off.
pub(crate) fn has_lost<I, A>(slots: &[ContactSlot<I, A>]) -> bool {
    slots.iter().any(|slot| slot.is_silent() && slot.failures < MOST_FAILURES_LOST)
}

/// Returns whether the peer at an address is known to be silent.
pub(crate) fn is_silent<I, A: PartialEq>(slots: &[ContactSlot<I, A>], address: &A) -> bool {
    slots.iter().any(|slot| slot.is_silent() && slot.peer.address == *address)
}

/// Returns whether there is room for another seed.
pub(crate) fn has_room<I, A>(slots: &[ContactSlot<I, A>]) -> bool {
    slots.iter().any(|slot| slot.kind != Kind::Seed)
}

#[cfg(test)]
mod tests;
