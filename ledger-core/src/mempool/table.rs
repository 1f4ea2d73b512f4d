//! The mempool: what is let in, and what has to leave.

use super::config::{Insertion, MempoolConfig, MempoolError};
use super::index::{Index, IndexRef, Roots};
use super::slot::MempoolSlot;
use super::storage::MempoolStorage;
use crate::action::Action;
use crate::error::{BufferTooSmall, ConfigError};
use crate::hash::TxId;
use crate::header::Height;
use crate::policy::Account;
use crate::queries::State;
use crate::transaction::{SignedTransaction, Transaction};

/// Transactions that wait for a block. `S` is the storage. The [module](super) has the rules and an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mempool<S: ?Sized> {
    config: MempoolConfig,
    roots: Roots,
    storage: S,
}

/// What must leave for a transaction.
enum Room {
    Free,
    Replaces(usize),
    PushesOut(usize),
}

impl<S: MempoolStorage> Mempool<S> {
    /// Creates an empty mempool and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoSlotsPerAccount`] if no account may have a slot.
    pub fn new(config: MempoolConfig, mut storage: S) -> Result<Self, ConfigError> {
        config.check()?;
        let parts = storage.parts();
        let roots = Roots::clear(config.seed, parts.slots, parts.chunks);
        Ok(Self { config, roots, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: MempoolStorage + ?Sized> Mempool<S> {
    /// Adds a transaction that may follow the state after the block at `tip`. The signature is checked last.
    ///
    /// The balance covers fees and payments of all waiting transactions of the account. Deposits and calls of other
    /// ledgers are not foreseen: a transaction that fails in [`propose`](crate::Chain::propose) is to be
    /// [removed](Self::remove).
    ///
    /// # Errors
    ///
    /// [`MempoolError`]; nothing has changed. Only `BadSignature` is the sender's fault.
    pub fn insert(
        &mut self,
        signed: &SignedTransaction<'_>,
        state: &State<'_>,
        tip: Height,
    ) -> Result<Insertion, MempoolError> {
        let id = signed.id(&self.config.genesis);
        if self.index_ref().find(&id).is_some() {
            return Ok(Insertion::Known);
        }
        let slot = slot_of(id, signed);
        self.check_place(&slot, state, tip)?;
        let room = self.room_for(&slot)?;
        self.check_account(&slot, state, &room)?;
        signed.verify(&self.config.genesis).map_err(|_| MempoolError::BadSignature)?;
        let leaves = match room {
            Room::Free => None,
            Room::Replaces(at) | Room::PushesOut(at) => Some(at),
        };
        let left = leaves.map(|at| self.index_ref().slot(at).id);
        let mut index = self.index();
        if let Some(at) = leaves {
            index.remove(at);
        }
        index.insert(slot, signed.as_bytes());
        Ok(match (room, left) {
            (Room::Replaces(_), Some(left)) => Insertion::Replaced(left),
            (Room::PushesOut(_), Some(left)) => Insertion::PushedOut(left),
            _ => Insertion::Added,
        })
    }

    /// Checks height and sequence number.
    fn check_place(
        &self,
        slot: &MempoolSlot,
        state: &State<'_>,
        tip: Height,
    ) -> Result<(), MempoolError> {
        if slot.valid_until <= tip {
            return Err(MempoolError::Expired { valid_until: slot.valid_until });
        }
        let next = state.lane_sequence(&slot.account, slot.lane);
        let found = slot.sequence;
        if found < next {
            return Err(MempoolError::Used { found, next });
        }
        let before = found.checked_sub(1).filter(|before| *before >= next);
        let index = self.index_ref();
        match before {
            Some(missing) if index.at(&slot.account, slot.lane, missing).is_none() => {
                Err(MempoolError::Gap { found, missing })
            }
            _ => Ok(()),
        }
    }

    /// Decides what leaves for a transaction, by its fee.
    fn room_for(&self, slot: &MempoolSlot) -> Result<Room, MempoolError> {
        let index = self.index_ref();
        let fee = slot.fee;
        let needed = fee_for(self.config.min_fee_per_1000, 1000, slot.len);
        if fee < needed {
            return Err(MempoolError::FeeTooLow { fee, needed });
        }
        let len = usize::try_from(slot.len).unwrap_or(usize::MAX);
        let chunks = |at: usize| {
            let len = usize::try_from(index.slot(at).len).unwrap_or(0);
            IndexRef::chunks_for(len)
        };
        let full = MempoolError::Full { capacity: index.slots.len() };
        if let Some(at) = index.at(&slot.account, slot.lane, slot.sequence) {
            let old = index.slot(at);
            let eighth = old.fee.div_ceil(8).max(1);
            let by_coins = old.fee.saturating_add(eighth);
            let by_rate = fee_for(by_coins, old.len, slot.len);
            let needed = by_coins.max(by_rate);
            if fee < needed {
                return Err(MempoolError::FeeTooLow { fee, needed });
            }
            let fits = index.has_chunks(len, chunks(at));
            return if fits { Ok(Room::Replaces(at)) } else { Err(full) };
        }
        if index.has_slot() && index.has_chunks(len, 0) {
            return Ok(Room::Free);
        }
        let cheapest = index.cheapest().ok_or(full)?;
        if slot.compare(cheapest).is_lt() {
            let needed = fee_for(cheapest.fee, cheapest.len, slot.len).saturating_add(1);
            return Err(MempoolError::FeeTooLow { fee, needed });
        }
        // Behind the cheapest of all it would come last itself.
        let victim = index.last_of_lane(cheapest).filter(|_| !slot.is_in_lane_of(cheapest));
        let victim = victim.filter(|at| index.has_chunks(len, chunks(*at))).ok_or(full)?;
        Ok(Room::PushesOut(victim))
    }

    /// Checks that the account can pay, and how many slots it has.
    fn check_account(
        &self,
        slot: &MempoolSlot,
        state: &State<'_>,
        room: &Room,
    ) -> Result<(), MempoolError> {
        let index = self.index_ref();
        let balance = state.balance(&slot.account);
        let mut reserved = 0_u64;
        let mut count = 0_u16;
        for at in index.of_account(slot.account) {
            if !matches!(room, Room::Replaces(old) if *old == at) {
                reserved = reserved.saturating_add(index.slot(at).reserve);
                count = count.saturating_add(1);
            }
        }
        let max = self.config.max_per_account;
        if count >= max {
            return Err(MempoolError::TooManyOfAccount { max });
        }
        let needed = slot.reserve;
        if reserved.saturating_add(needed) > balance {
            return Err(MempoolError::NotEnough { balance, reserved, needed });
        }
        Ok(())
    }

    /// Removes what the state after the block at `tip` does not allow any more: transactions that are confirmed, conflict
    /// with confirmed ones, have expired, cannot be paid, or follow one of these. Returns their number.
    ///
    /// After a change of branches, first [insert](Self::insert) the transactions of the disconnected blocks, the lowest
    /// block first; those that conflict with the new branch are refused. What cannot follow any more leaves then.
    pub fn update(&mut self, state: &State<'_>, tip: Height) -> usize {
        let before = self.roots.len();
        let capacity = self.storage.parts_ref().slots.len();
        for at in 0..capacity {
            let slot = *self.index_ref().slot(at);
            if slot.is_free() {
                continue;
            }
            let next = state.lane_sequence(&slot.account, slot.lane);
            if slot.sequence < next {
                self.index().remove(at);
            } else if slot.valid_until <= tip
                || (self.index_ref().is_first(at) && slot.sequence > next)
            {
                self.remove_from(&slot.account, slot.lane, slot.sequence);
            }
        }
        for at in 0..capacity {
            let account = self.index_ref().slot(at).account;
            if !self.index_ref().slot(at).is_free() {
                self.remove_unpaid(&account, state.balance(&account));
            }
        }
        before.saturating_sub(self.roots.len())
    }

    /// Removes the worst of the last ones of its lanes until an account can pay the rest.
    fn remove_unpaid(&mut self, account: &Account, balance: u64) {
        while self.reserved(account) > balance {
            let index = self.index_ref();
            let last = index.of_account(*account).filter(|at| !index.slot(*at).has_next);
            let worst = last.min_by(|one, other| index.slot(*one).compare(index.slot(*other)));
            let Some(worst) = worst else { return };
            self.index().remove(worst);
        }
    }

    /// Removes a transaction of a lane and all that follow it.
    fn remove_from(&mut self, account: &Account, lane: u16, first: u64) {
        let mut sequence = Some(first);
        while let Some(at) = sequence.and_then(|next| self.index_ref().at(account, lane, next)) {
            self.index().remove(at);
            sequence = sequence.and_then(|last| last.checked_add(1));
        }
    }

    /// Removes a transaction and those that follow it in its lane. Returns whether it was there.
    pub fn remove(&mut self, id: &TxId) -> bool {
        let Some(at) = self.index_ref().find(id) else { return false };
        let slot = *self.index_ref().slot(at);
        self.remove_from(&slot.account, slot.lane, slot.sequence);
        true
    }

    /// Writes the transactions of the next block to `out`, as many as fit, and returns their length: the bytes of a
    /// [`Body`](crate::Body). The best fee per byte comes first, as far as the sequence numbers of a lane allow.
    pub fn template(&mut self, out: &mut [u8]) -> usize {
        self.index().template(out)
    }

    /// Copies the bytes of a transaction to `out` and returns their length, or `None` if it is unknown.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`].
    pub fn copy(&self, id: &TxId, out: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let index = self.index_ref();
        let Some(at) = index.find(id) else { return Ok(None) };
        let needed = usize::try_from(index.slot(at).len).unwrap_or(usize::MAX);
        index.copy(at, out).map(Some).ok_or(BufferTooSmall { needed })
    }

    /// Returns whether a transaction waits.
    #[must_use]
    pub fn contains(&self, id: &TxId) -> bool {
        self.index_ref().find(id).is_some()
    }

    /// Returns the coins that the waiting transactions of an account pay, fees included.
    #[must_use]
    pub fn reserved(&self, account: &Account) -> u64 {
        let index = self.index_ref();
        let reserves = index.of_account(*account).map(|at| index.slot(at).reserve);
        reserves.fold(0, u64::saturating_add)
    }

    /// Returns the number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roots.len()
    }

    /// Returns whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn index(&mut self) -> Index<'_> {
        let parts = self.storage.parts();
        Index { roots: &mut self.roots, slots: parts.slots, chunks: parts.chunks }
    }

    fn index_ref(&self) -> IndexRef<'_> {
        let parts = self.storage.parts_ref();
        IndexRef { roots: &self.roots, slots: parts.slots, chunks: parts.chunks }
    }
}

fn slot_of(id: TxId, signed: &SignedTransaction<'_>) -> MempoolSlot {
    let Transaction { source, lane, sequence, valid_until, fee, action } = *signed.transaction();
    let paid = match action {
        Action::Pay { amount, .. } => amount,
        _ => 0,
    };
    MempoolSlot {
        id,
        account: source,
        lane,
        sequence,
        valid_until,
        fee,
        reserve: fee.saturating_add(paid),
        len: u32::try_from(signed.as_bytes().len()).unwrap_or(u32::MAX),
        ..MempoolSlot::EMPTY
    }
}

/// Returns the fee for `len` bytes at the rate of `fee` for `of` bytes, rounded up.
fn fee_for(fee: u64, of: u32, len: u32) -> u64 {
    let product = u128::from(fee).saturating_mul(u128::from(len));
    let fee = product.div_ceil(u128::from(of.max(1)));
    u64::try_from(fee).unwrap_or(u64::MAX)
}
