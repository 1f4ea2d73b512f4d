//! The transactions that were seen lately: asked for, or known and to be announced.
//!
//! An id is found through a seeded index that lies in the slots. What is asked for, usually little of all, is a set of bits.

use core::time::Duration;

use super::asking::bit;
use super::bits::Bits;
use super::message::MAX_IDS;
use super::moment::Moment;
use crate::buckets::{Link, bucket};
use crate::hash::TxId;

/// More slots are not used: each is a bit of two sets.
const MAX_SLOTS: usize = Bits::CAPACITY;
/// The transactions that one peer may have announced and not delivered.
const MAX_WANTED: usize = MAX_IDS;
/// A transaction that leaves a gap is asked for so many times.
const MAX_TRIES: u8 = 4;

/// Room for one transaction that was seen lately: its id, not its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionSlot {
    pub(super) number: u64, // in the order of arrival; 0 in a free slot
    pub(super) id: TxId,
    pub(super) known_by: u64, // peers that have it, one bit each
    pub(super) tries: u8,     // deliveries that could not be used
    pub(super) state: State,
    bucket: Link, // the first transaction of the bucket with the number of this slot
    next: Link,   // of the same bucket
}

/// What is known of the table besides its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TransactionsRoot {
    seed: u64,
    pub(super) last: u64, // the last number given out
    relayed: u64,         // the last number of a transaction that is announced to peers
    used: Bits,
    pending: Bits, // wanted or asked
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A peer announced it, and is asked for it at this time.
    Wanted { from: usize, at: Moment },
    /// The peer was asked.
    Asked { from: usize, at: Moment },
    /// It was delivered. `relay`: it is announced to peers.
    Known { relay: bool },
    /// It cannot be used after the present tip. After another one it may be asked for again.
    Refused,
}

/// The table of transactions.
pub(super) struct Transactions<'a> {
    root: &'a mut TransactionsRoot,
    slots: &'a mut [TransactionSlot],
}

#[derive(Clone, Copy)]
pub(super) struct TransactionsRef<'a> {
    root: &'a TransactionsRoot,
    slots: &'a [TransactionSlot],
}

impl TransactionsRoot {
    /// Clears the slots.
    pub(super) fn clear(seed: u64, slots: &mut [TransactionSlot]) -> Self {
        slots.fill(TransactionSlot::EMPTY);
        Self { seed, last: 0, relayed: 0, used: Bits::NONE, pending: Bits::NONE }
    }
}

impl TransactionSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        number: 0,
        id: TxId::from_bytes([0; 32]),
        known_by: 0,
        tries: 0,
        state: State::Known { relay: false },
        bucket: Link::NONE,
        next: Link::NONE,
    };

    /// Returns the peer that delivers it.
    const fn from(&self) -> Option<usize> {
        match self.state {
            State::Wanted { from, .. } | State::Asked { from, .. } => Some(from),
            State::Known { .. } | State::Refused => None,
        }
    }

    /// Returns whether it is wanted or asked for.
    const fn is_pending(&self) -> bool {
        matches!(self.state, State::Wanted { .. } | State::Asked { .. })
    }
}

impl<'a> TransactionsRef<'a> {
    pub(super) fn new(root: &'a TransactionsRoot, slots: &'a [TransactionSlot]) -> Self {
        Self { root, slots: slots.get(..MAX_SLOTS).unwrap_or(slots) }
    }

    /// Returns those that are wanted or asked for, in the order of the slots.
    fn pending(self) -> impl Iterator<Item = (usize, &'a TransactionSlot)> {
        self.root.pending.iter().map(move |at| (at, self.get(at)))
    }

    fn find(self, id: &TxId) -> Option<usize> {
        let bucket = bucket(self.root.seed, id.as_bytes(), self.slots.len())?;
        let mut link = self.get(bucket).bucket;
        while let Some(at) = link.get() {
            let slot = self.get(at);
            if slot.id == *id {
                return Some(at);
            }
            link = slot.next;
        }
        None
    }

    /// Returns the next transaction to ask a peer for.
    pub(super) fn to_ask(self, peer: usize, now: Duration) -> Option<usize> {
        let is_due = |slot: &TransactionSlot| match slot.state {
            State::Wanted { from, at } => from == peer && at.get() <= now,
            _ => false,
        };
        let due = self.pending().filter(|(_, slot)| is_due(slot));
        due.min_by_key(|(_, slot)| slot.number).map(|(at, _)| at)
    }

    /// Looks once for who is to be asked for a transaction, and who may not have one.
    pub(super) fn concerned(self, now: Duration) -> Concerned {
        let mut peers = Concerned { due: 0, deliver: 0, lack: 0 };
        for at in self.root.used.iter() {
            let slot = self.get(at);
            match slot.state {
                State::Wanted { from, at } if at.get() <= now => peers.due |= bit(from),
                State::Known { relay: true } => peers.lack |= !slot.known_by,
                _ => {}
            }
            peers.deliver |= slot.from().map_or(0, bit);
        }
        peers
    }

    /// Returns how many transactions a peer has announced and not delivered.
    fn wanted_of(self, peer: usize) -> usize {
        self.pending().filter(|(_, slot)| slot.from() == Some(peer)).count()
    }

    /// Returns the next transactions that a peer does not have.
    pub(super) fn news(self, peer: usize, after: u64) -> News {
        let mut news = News { slots: [0; MAX_IDS], numbers: [u64::MAX; MAX_IDS], len: 0 };
        if after >= self.root.relayed {
            return news;
        }
        let relayed = |slot: &TransactionSlot| slot.state == State::Known { relay: true };
        for at in self.root.used.iter() {
            let slot = self.get(at);
            if slot.number > after && relayed(slot) && slot.known_by & bit(peer) == 0 {
                news.insert(at, slot.number);
            }
        }
        news
    }

    pub(super) fn get(self, at: usize) -> &'a TransactionSlot {
        self.slots.get(at).unwrap_or(&TransactionSlot::EMPTY)
    }

    /// Returns when a peer is asked next, or the next answer is overdue.
    pub(super) fn deadlines(self, timeout: Duration) -> impl Iterator<Item = Duration> + 'a {
        self.pending().filter_map(move |(_, slot)| match slot.state {
            State::Wanted { at, .. } => Some(at.get()),
            State::Asked { at, .. } => at.get().checked_add(timeout),
            State::Known { .. } | State::Refused => None,
        })
    }
}

/// Peers that something is to be said to about transactions, one bit each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Concerned {
    pub(super) due: u64,     // to be asked now
    pub(super) deliver: u64, // some are wanted of it, now or later
    pub(super) lack: u64,    // some that are relayed are not known to be there
}

/// The lowest numbers among the transactions that a peer does not have.
pub(super) struct News {
    slots: [usize; MAX_IDS],
    numbers: [u64; MAX_IDS],
    len: usize,
}

impl News {
    fn insert(&mut self, slot: usize, number: u64) {
        let place = self.numbers.partition_point(|other| *other < number);
        if place >= MAX_IDS {
            return;
        }
        shift_in(&mut self.slots, place, slot);
        shift_in(&mut self.numbers, place, number);
        self.len = self.len.saturating_add(1).min(MAX_IDS);
    }

    pub(super) fn slots(&self) -> &[usize] {
        self.slots.get(..self.len).unwrap_or_default()
    }
}

/// Inserts a value, and drops the last one.
fn shift_in<T>(values: &mut [T], place: usize, mut value: T) {
    for slot in values.iter_mut().skip(place) {
        core::mem::swap(slot, &mut value);
    }
}

impl<'a> Transactions<'a> {
    pub(super) fn new(root: &'a mut TransactionsRoot, slots: &'a mut [TransactionSlot]) -> Self {
        let len = slots.len().min(MAX_SLOTS);
        Self { root, slots: slots.get_mut(..len).unwrap_or_default() }
    }

    fn as_ref(&self) -> TransactionsRef<'_> {
        TransactionsRef::new(self.root, self.slots)
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut TransactionSlot)) {
        if let Some(slot) = self.slots.get_mut(at) {
            change(slot);
        }
    }

    fn set_state(&mut self, at: usize, state: State) {
        self.change(at, |slot| slot.state = state);
        self.root.pending.set(at, self.as_ref().get(at).is_pending());
    }

    /// Stores a transaction in a free slot.
    fn fill(&mut self, at: usize, number: u64, id: TxId, known_by: u64, state: State) {
        let Some(bucket) = bucket(self.root.seed, id.as_bytes(), self.slots.len()) else { return };
        let next = self.as_ref().get(bucket).bucket;
        self.change(at, |slot| {
            let bucket = slot.bucket; // belongs to the index, not to the transaction
            *slot = TransactionSlot { number, id, known_by, tries: 0, state, bucket, next };
        });
        self.change(bucket, |slot| slot.bucket = Link::to(at));
        self.root.used.set(at, true);
        self.set_state(at, state);
    }

    /// Frees a slot.
    fn free(&mut self, at: usize) {
        let TransactionSlot { id, next, .. } = *self.as_ref().get(at);
        let Some(bucket) = bucket(self.root.seed, id.as_bytes(), self.slots.len()) else { return };
        let mut link = self.as_ref().get(bucket).bucket;
        if link.get() == Some(at) {
            self.change(bucket, |slot| slot.bucket = next);
        }
        while let Some(before) = link.get() {
            link = self.as_ref().get(before).next;
            if link.get() == Some(at) {
                self.change(before, |slot| slot.next = next);
                break;
            }
        }
        self.change(at, |slot| {
            *slot = TransactionSlot { bucket: slot.bucket, ..TransactionSlot::EMPTY };
        });
        self.root.used.set(at, false);
        self.root.pending.set(at, false);
    }

    fn next_number(&mut self) -> u64 {
        self.root.last = self.root.last.saturating_add(1);
        self.root.last
    }

    /// Notes that the peer was asked.
    pub(super) fn asked(&mut self, at: usize, from: usize, now: Duration) {
        self.set_state(at, State::Asked { from, at: Moment::of(now) });
    }

    /// Notes that a peer has a transaction. Returns whether it is new.
    pub(super) fn announced(&mut self, id: TxId, peer: usize, now: Duration) -> bool {
        if let Some(at) = self.as_ref().find(&id) {
            self.change(at, |slot| slot.known_by |= bit(peer));
            return false;
        }
        if self.as_ref().wanted_of(peer) >= MAX_WANTED {
            return false;
        }
        let state = State::Wanted { from: peer, at: Moment::of(now) };
        self.insert(id, bit(peer), state, false)
    }

    /// Notes a transaction that the node accepted, and that is announced to all who do not have it.
    pub(super) fn accepted(&mut self, id: TxId) {
        let state = State::Known { relay: true };
        match self.as_ref().find(&id) {
            Some(at) if self.as_ref().get(at).state == state => return,
            Some(at) => {
                let number = self.next_number();
                self.change(at, |slot| slot.number = number);
                self.set_state(at, state);
            }
            None => {
                self.insert(id, 0, state, true);
            }
        }
        self.root.relayed = self.root.last;
    }

    /// Stores a transaction in a free slot, or in that of the oldest that is known. `urgent`: or of any.
    fn insert(&mut self, id: TxId, known_by: u64, state: State, urgent: bool) -> bool {
        let free = self.root.used.first_unset().filter(|at| *at < self.slots.len());
        let Some(at) = free.or_else(|| self.oldest(urgent)) else { return false };
        if free.is_none() {
            self.free(at);
        }
        let number = self.next_number();
        self.fill(at, number, id, known_by, state);
        true
    }

    /// Returns the oldest transaction that is known. `urgent`: or of any.
    fn oldest(&self, urgent: bool) -> Option<usize> {
        let slots = self.slots.iter().enumerate();
        let usable = slots.filter(|(_, slot)| urgent || !slot.is_pending());
        usable.min_by_key(|(_, slot)| (slot.is_pending(), slot.number)).map(|(at, _)| at)
    }

    /// Notes the delivery of a transaction that is waited for, and returns since when, or `None` if it is not. Until the
    /// verdict it is asked for from nobody.
    pub(super) fn delivered(&mut self, id: &TxId, peer: usize) -> Option<Duration> {
        let at = self.as_ref().find(id)?;
        let since = match self.as_ref().get(at).state {
            State::Asked { at, .. } | State::Wanted { at, .. } => at.get(),
            State::Known { .. } | State::Refused => return None,
        };
        self.change(at, |slot| slot.known_by |= bit(peer));
        self.set_state(at, State::Known { relay: false });
        Some(since)
    }

    /// Plans to ask a peer again for a transaction that could not be used yet, a few times.
    pub(super) fn retry(&mut self, id: &TxId, from: usize, at: Duration) {
        let Some(place) = self.as_ref().find(id) else { return };
        let tries = self.as_ref().get(place).tries.saturating_add(1);
        if tries >= MAX_TRIES {
            self.free(place);
            return;
        }
        self.change(place, |slot| slot.tries = tries);
        self.set_state(place, State::Wanted { from, at: Moment::of(at) });
    }

    /// A peer does not deliver a transaction: the next one that has it is asked.
    pub(super) fn give_up_on(&mut self, at: usize, peer: usize, now: Duration) {
        self.change(at, |slot| slot.known_by &= !bit(peer));
        self.ask_next(at, now);
    }

    /// Plans to ask the next peer that has a transaction, or forgets it.
    fn ask_next(&mut self, at: usize, now: Duration) {
        let known_by = self.as_ref().get(at).known_by;
        let next = usize::try_from(known_by.trailing_zeros()).unwrap_or(usize::MAX);
        if known_by == 0 {
            self.free(at);
            return;
        }
        self.set_state(at, State::Wanted { from: next, at: Moment::of(now) });
    }

    /// What was delivered was forged: the next peer that has the transaction is asked. The id does not cover the signatures.
    pub(super) fn rejected(&mut self, id: &TxId, peer: Option<usize>, now: Duration) {
        let Some(at) = self.as_ref().find(id) else { return };
        let is_relayed = self.as_ref().get(at).state == State::Known { relay: true };
        match peer {
            _ if is_relayed => {}
            Some(peer) => self.give_up_on(at, peer, now),
            None => self.ask_next(at, now),
        }
    }

    /// Forgets a peer whose slot is freed.
    pub(super) fn forget_peer(&mut self, peer: usize, now: Duration) {
        for at in 0..self.slots.len() {
            let slot = *self.as_ref().get(at);
            if slot.from() == Some(peer) {
                self.give_up_on(at, peer, now);
            } else {
                self.change(at, |slot| slot.known_by &= !bit(peer));
            }
        }
    }

    /// Gives up on the peers that did not answer in time.
    pub(super) fn expire(&mut self, now: Duration, timeout: Duration) {
        let pending = self.root.pending;
        for slot in pending.iter() {
            let State::Asked { from, at } = self.as_ref().get(slot).state else { continue };
            if at.get().checked_add(timeout).is_some_and(|late| late <= now) {
                self.give_up_on(slot, from, now);
            }
        }
    }

    /// Returns the slot of a transaction that a peer was asked for.
    pub(super) fn asked_of(&self, id: &TxId, peer: usize) -> Option<usize> {
        let at = self.as_ref().find(id)?;
        let is_asked =
            matches!(self.as_ref().get(at).state, State::Asked { from, .. } if from == peer);
        is_asked.then_some(at)
    }

    /// Does not ask for a transaction again until the tip changes.
    pub(super) fn refused(&mut self, id: &TxId) {
        let Some(at) = self.as_ref().find(id) else { return };
        if self.as_ref().get(at).state == (State::Known { relay: false }) {
            self.set_state(at, State::Refused);
        }
    }

    /// Forgets what was refused after the last tip.
    pub(super) fn forget_refused(&mut self) {
        for at in 0..self.slots.len() {
            if self.as_ref().get(at).state == State::Refused {
                self.free(at);
            }
        }
    }

    /// Does not announce a transaction any more.
    pub(super) fn confirmed(&mut self, id: &TxId) {
        if let Some(at) = self.as_ref().find(id) {
            self.set_state(at, State::Known { relay: false });
        }
    }
}
