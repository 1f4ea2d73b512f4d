//! What a transaction sees of the state, and the only way to change it.

use super::effect::{Effect, Effects};
use super::entry::{Key, Value};
use super::error::TransactionError;
use super::journal::WriteLog;
use super::store::{Store, StoreError};
use crate::error::Full;
use crate::policy::Account;
use crate::spec::Rules;

const META: u8 = 0;
const ACCOUNT: u8 = 1;
const LANE: u8 = 2;

/// The state as a [`Ledger`](crate::ledger::Ledger) sees it while a transaction is applied.
///
/// All writes are recorded, so that a block can be undone. Each new entry locks the deposit of the rules, which comes
/// back when the entry is removed; the number of entries is bounded by the rules, equally on every node.
///
/// ```
/// use ledger_core::ledger::{Context, Ledger};
/// use ledger_core::state::{TransactionError, View};
/// use ledger_core::{Action, Hash, Transaction};
///
/// /// Burns coins: a call whose payload is the number of coins, u64 big-endian.
/// struct Burn;
///
/// impl Ledger for Burn {
///     fn digest(&self) -> Hash {
///         Hash::of(b"burn")
///     }
///
///     fn apply(
///         &self,
///         _: &Context,
///         view: &mut View<'_>,
///         transaction: &Transaction<'_>,
///     ) -> Result<(), TransactionError> {
///         let Action::Call { ledger: 70, payload } = transaction.action else {
///             return Err(TransactionError::UnknownLedger);
///         };
///         let coins = payload.try_into().map_err(|_| TransactionError::MalformedPayload)?;
///         view.debit(&transaction.source, u64::from_be_bytes(coins))
///     }
/// }
/// ```
pub struct View<'a> {
    store: &'a mut dyn Store,
    journal: Option<&'a mut dyn WriteLog>,
    rules: &'a Rules,
    meta: &'a mut Meta,
}

/// What is counted from block to block, in an entry of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) entries: u64,
    pub(crate) coins: u64, // ever issued
}

/// What is counted while a block is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) books: Books,
    pub(crate) writes: u32,
    pub(crate) effects: Effects,
}

impl Books {
    /// Reads what the block before has left.
    pub(crate) fn load(store: &mut dyn Store) -> Result<Self, StoreError> {
        let value = store.get(&meta_key())?.unwrap_or(Value::EMPTY);
        let (entries, rest) = split_u64(value.as_bytes());
        let (coins, _) = split_u64(rest);
        Ok(Self { entries, coins })
    }

    pub(crate) fn value(&self) -> Value {
        Value::of_parts(&[&self.entries.to_be_bytes(), &self.coins.to_be_bytes()])
    }
}

impl Meta {
    /// Begins a block.
    pub(crate) const fn new(books: Books) -> Self {
        Self { books, writes: 0, effects: Effects::NONE }
    }
}

pub(crate) fn meta_key() -> Key {
    Key::new(META, &[])
}

impl<'a> View<'a> {
    pub(crate) fn new(
        store: &'a mut dyn Store,
        journal: Option<&'a mut dyn WriteLog>,
        rules: &'a Rules,
        meta: &'a mut Meta,
    ) -> Self {
        Self { store, journal, rules, meta }
    }

    /// Returns the value of a key.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Store`] if the store cannot answer.
    pub fn get(&mut self, key: &Key) -> Result<Option<Value>, TransactionError> {
        Ok(self.store.get(key)?)
    }

    /// Changes an entry that exists.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Unknown`] if it does not exist, or the limits are reached.
    pub fn update(&mut self, key: &Key, value: &Value) -> Result<(), TransactionError> {
        if self.write(key, Some(value))? { Ok(()) } else { Err(TransactionError::Unknown) }
    }

    /// Creates an entry, for which `payer` locks the deposit.
    ///
    /// # Errors
    ///
    /// [`TransactionError::AlreadyExists`] if it exists, [`TransactionError::NotEnough`] if the payer cannot pay, or
    /// the limits are reached.
    pub fn insert(
        &mut self,
        key: &Key,
        value: &Value,
        payer: &Account,
    ) -> Result<(), TransactionError> {
        self.debit(payer, self.rules.deposit)?;
        self.insert_paid(key, value)
    }

    /// Removes an entry and gives the deposit to `owner`.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Unknown`] if it does not exist, or the limits are reached.
    pub fn remove(&mut self, key: &Key, owner: &Account) -> Result<(), TransactionError> {
        if !self.write(key, None)? {
            return Err(TransactionError::Unknown);
        }
        self.meta.books.entries = self.meta.books.entries.saturating_sub(1);
        self.credit(owner, self.rules.deposit, owner)
    }

    /// Returns the coins of an account.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Store`] if the store cannot answer.
    pub fn balance(&mut self, account: &Account) -> Result<u64, TransactionError> {
        Ok(self.account(account)?.map_or(0, |(balance, _)| balance))
    }

    /// Takes coins from an account.
    ///
    /// # Errors
    ///
    /// [`TransactionError::NotEnough`] if it has fewer.
    pub fn debit(&mut self, account: &Account, coins: u64) -> Result<(), TransactionError> {
        if coins == 0 {
            return Ok(());
        }
        let (balance, sequence) = self.account(account)?.unwrap_or_default();
        let not_enough = TransactionError::NotEnough { balance, needed: coins };
        let balance = balance.checked_sub(coins).ok_or(not_enough)?;
        self.set_account(account, balance, sequence)
    }

    /// Adds coins to an account. `payer` locks the deposit if the account is new.
    ///
    /// # Errors
    ///
    /// [`TransactionError::Overflow`] above 64 bits; [`TransactionError::NotEnough`] if the payer cannot pay the
    /// deposit.
    pub fn credit(
        &mut self,
        account: &Account,
        coins: u64,
        payer: &Account,
    ) -> Result<(), TransactionError> {
        if coins == 0 {
            return Ok(());
        }
        if let Some((balance, sequence)) = self.account(account)? {
            let balance = balance.checked_add(coins).ok_or(TransactionError::Overflow)?;
            return self.set_account(account, balance, sequence);
        }
        self.debit(payer, self.rules.deposit)?;
        self.insert_account(account, coins, 0)
    }

    /// Puts a fact before the engine.
    ///
    /// # Errors
    ///
    /// [`TransactionError::TooManyEffects`] after four in one block.
    pub fn effect(&mut self, effect: Effect) -> Result<(), TransactionError> {
        self.meta.effects.push(effect).ok_or(TransactionError::TooManyEffects)
    }

    /// Issues new coins to an account. A new account pays its deposit out of them.
    pub(crate) fn issue(
        &mut self,
        account: &Account,
        issued: u64,
        fees: u64,
    ) -> Result<(), TransactionError> {
        let coins = issued.checked_add(fees).ok_or(TransactionError::Overflow)?;
        if coins == 0 {
            return Ok(());
        }
        self.meta.books.coins =
            self.meta.books.coins.checked_add(issued).ok_or(TransactionError::Overflow)?;
        if self.account(account)?.is_some() {
            return self.credit(account, coins, account);
        }
        let needed = self.rules.deposit;
        let rest = coins.checked_sub(needed);
        let rest = rest.ok_or(TransactionError::NotEnough { balance: coins, needed })?;
        self.insert_account(account, rest, 0)
    }

    /// Checks the sequence number of a lane and moves it on.
    pub(crate) fn advance(
        &mut self,
        account: &Account,
        lane: u16,
        found: u64,
    ) -> Result<(), TransactionError> {
        let next = found.checked_add(1).ok_or(TransactionError::Overflow)?;
        if lane == 0 {
            let known = self.account(account)?;
            let (balance, expected) = known.unwrap_or_default();
            check_sequence(expected, found)?;
            if known.is_some() {
                return self.set_account(account, balance, next);
            }
            self.debit(account, self.rules.deposit)?;
            return self.insert_account(account, balance, next);
        }
        self.advance_lane(account, lane, found, next)
    }

    #[inline(never)] // what it needs does not stand on the stack in lane 0
    fn advance_lane(
        &mut self,
        account: &Account,
        lane: u16,
        found: u64,
        next: u64,
    ) -> Result<(), TransactionError> {
        let key = lane_key(account, lane);
        let known = self.lane(&key)?;
        check_sequence(known.unwrap_or(0), found)?;
        if known.is_none() {
            self.debit(account, self.rules.deposit)?;
        }
        self.set_lane(&key, next, known.is_some())
    }

    // Key and value of an account, and the value of a lane, stand on the stack of these functions only, not on that of what
    // calls them in turn.

    #[inline(never)]
    fn lane(&mut self, key: &Key) -> Result<Option<u64>, TransactionError> {
        let found = self.store.get(key);
        let value = found.as_ref().map_err(|error| *error)?;
        Ok(value.as_ref().map(|value| split_u64(value.as_bytes()).0))
    }

    /// Writes the sequence number of a lane, whose deposit is paid.
    #[inline(never)]
    fn set_lane(&mut self, key: &Key, next: u64, exists: bool) -> Result<(), TransactionError> {
        let value = Value::of_parts(&[&next.to_be_bytes()]);
        if exists { self.update(key, &value) } else { self.insert_paid(key, &value) }
    }

    #[inline(never)]
    fn account(&mut self, account: &Account) -> Result<Option<(u64, u64)>, TransactionError> {
        let found = self.store.get(&account_key(account));
        let value = found.as_ref().map_err(|error| *error)?;
        Ok(value.as_ref().map(parse_account))
    }

    #[inline(never)]
    fn set_account(
        &mut self,
        account: &Account,
        balance: u64,
        sequence: u64,
    ) -> Result<(), TransactionError> {
        self.update(&account_key(account), &account_value(balance, sequence))
    }

    #[inline(never)]
    fn insert_account(
        &mut self,
        account: &Account,
        balance: u64,
        sequence: u64,
    ) -> Result<(), TransactionError> {
        self.insert_paid(&account_key(account), &account_value(balance, sequence))
    }

    fn insert_paid(&mut self, key: &Key, value: &Value) -> Result<(), TransactionError> {
        let max_entries = self.rules.max_entries;
        if self.meta.books.entries >= u64::from(max_entries) {
            return Err(TransactionError::TooManyEntries { max_entries });
        }
        if self.write(key, Some(value))? {
            return Err(TransactionError::AlreadyExists);
        }
        self.meta.books.entries = self.meta.books.entries.saturating_add(1);
        Ok(())
    }

    /// Every write goes through here. Returns whether the entry existed.
    #[inline(never)] // what it needs does not stand on the stack while the key is hashed
    pub(crate) fn write(
        &mut self,
        key: &Key,
        value: Option<&Value>,
    ) -> Result<bool, TransactionError> {
        let max_writes = self.rules.max_writes;
        if self.meta.writes >= max_writes {
            return Err(TransactionError::TooManyWrites { max_writes });
        }
        if let Some(journal) = &self.journal {
            let full = |error: Full| TransactionError::JournalFull { capacity: error.capacity };
            journal.reserve().map_err(full)?;
        }
        let replaced = self.store.replace(key, value);
        let old = replaced.as_ref().map_err(|error| *error)?;
        if let Some(journal) = &mut self.journal {
            journal.push(key, old.as_ref());
        }
        self.meta.writes = self.meta.writes.saturating_add(1);
        Ok(old.is_some())
    }
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View").field("meta", &self.meta).finish_non_exhaustive()
    }
}

fn check_sequence(expected: u64, found: u64) -> Result<(), TransactionError> {
    if expected == found {
        Ok(())
    } else {
        Err(TransactionError::WrongSequence { expected, found })
    }
}

/// Returns the key of an account. The value is the balance and the sequence number of lane 0, u64 big-endian each.
#[must_use]
pub fn account_key(account: &Account) -> Key {
    Key::new(ACCOUNT, account.as_bytes())
}

/// Returns where the sequence number of another lane stands.
#[inline(never)] // the subject does not stand on the stack while the deposit is paid
pub(crate) fn lane_key(account: &Account, lane: u16) -> Key {
    let mut subject = [0; 34];
    for (byte, value) in
        subject.iter_mut().zip(account.as_bytes().iter().chain(&lane.to_be_bytes()))
    {
        *byte = *value;
    }
    Key::new(LANE, &subject)
}

fn account_value(balance: u64, sequence: u64) -> Value {
    Value::of_parts(&[&balance.to_be_bytes(), &sequence.to_be_bytes()])
}

pub(crate) fn parse_account(value: &Value) -> (u64, u64) {
    let (balance, rest) = split_u64(value.as_bytes());
    let (sequence, _) = split_u64(rest);
    (balance, sequence)
}

pub(crate) fn split_u64(bytes: &[u8]) -> (u64, &[u8]) {
    match bytes.split_first_chunk() {
        Some((number, rest)) => (u64::from_be_bytes(*number), rest),
        None => (0, bytes),
    }
}
