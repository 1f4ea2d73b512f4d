//! Who owns what: accounts with coins and a sequence number, and unique assets.

use core::cmp::Ordering;
use core::fmt;

use thiserror::Error;

use crate::hex::Hex;
use crate::{Account, Action, Hash, MerkleTree, Transaction};

/// The present state of ownership. `S` is the memory; any `[Slot]` serves.
///
/// Entries are kept sorted, so the state of two nodes that saw the same blocks is equal byte by byte.
/// Finding is O(log n), adding an account or an asset O(n) moves of a slot.
#[derive(Debug, Clone)]
pub struct State<S: ?Sized> {
    len: usize,
    slots: S,
}

/// Room for one account or one asset: 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot(Entry);

/// Names a unique asset, usually by the digest of what it stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(pub [u8; 32]);

/// Why a transaction is refused. The state is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The source did not sign it.
    #[error("the source did not sign it")]
    BadSignature,
    /// It was meant for another chain.
    #[error("it was signed for chain {0}")]
    WrongChain(u32),
    /// It was executed already, or one before it is missing.
    #[error("sequence {found}, where {expected} is next")]
    WrongSequence {
        /// The next sequence number of the source.
        expected: u64,
        /// The one in the transaction.
        found: u64,
    },
    /// The source does not own enough coins.
    #[error("{needed} coins needed, {balance} owned")]
    NotEnough {
        /// What the source owns.
        balance: u64,
        /// Amount and fee.
        needed: u64,
    },
    /// A sum does not fit into 64 bits.
    #[error("a sum exceeds 64 bits")]
    Overflow,
    /// The asset exists already.
    #[error("the asset exists already")]
    AlreadyMinted,
    /// There is no such asset.
    #[error("there is no such asset")]
    UnknownAsset,
    /// The asset belongs to somebody else.
    #[error("the asset belongs to somebody else")]
    NotOwner,
    /// The receiver's memory is full: the caller's limit.
    #[error("no free slot among {capacity}")]
    Full {
        /// How many slots there are.
        capacity: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Entry {
    #[default]
    Empty,
    Account {
        name: [u8; 32],
        balance: u64,
        sequence: u64,
    },
    Asset {
        name: [u8; 32],
        owner: [u8; 32],
    },
}

impl Slot {
    /// A free slot.
    pub const EMPTY: Self = Self(Entry::Empty);
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]>> State<S> {
    /// Creates a state in which nobody owns anything. What is in `slots` is ignored.
    pub const fn new(slots: S) -> Self {
        Self { len: 0, slots }
    }

    /// Returns the memory.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]> + ?Sized> State<S> {
    /// Executes a transaction. The signature is not looked at.
    ///
    /// # Errors
    ///
    /// [`TransactionError`]; nothing has changed then.
    pub fn apply(&mut self, transaction: &Transaction<'_>) -> Result<(), TransactionError> {
        self.table().apply(transaction)
    }

    /// Adds coins to an account, as the rules of a chain allow its authors.
    ///
    /// # Errors
    ///
    /// [`TransactionError`]; nothing has changed then.
    pub fn credit(&mut self, account: &Account, coins: u64) -> Result<(), TransactionError> {
        self.table().credit(account, coins)
    }

    /// Takes back a transaction that was the last one executed.
    pub(crate) fn undo(&mut self, transaction: &Transaction<'_>) {
        self.table().undo(transaction);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    fn table(&mut self) -> Table<'_> {
        Table { len: &mut self.len, slots: self.slots.as_mut() }
    }
}

impl<S: AsRef<[Slot]> + ?Sized> State<S> {
    /// Returns the coins of an account, in base units.
    #[must_use]
    pub fn balance(&self, account: &Account) -> u64 {
        account_of(self.entries(), account).0
    }

    /// Returns the sequence number that the next transaction of an account must carry.
    #[must_use]
    pub fn sequence(&self, account: &Account) -> u64 {
        account_of(self.entries(), account).1
    }

    /// Returns the owner of an asset.
    #[must_use]
    pub fn owner_of(&self, asset: &AssetId) -> Option<Account> {
        owner_in(self.entries(), asset).map(Account::from_bytes)
    }

    /// Returns all accounts with coins or past transactions, in order: account, balance, sequence.
    pub fn accounts(&self) -> impl Iterator<Item = (Account, u64, u64)> + '_ {
        self.entries().iter().filter_map(|slot| match slot.0 {
            Entry::Account { name, balance, sequence } => {
                Some((Account::from_bytes(name), balance, sequence))
            }
            _ => None,
        })
    }

    /// Returns a digest of everything owned; equal states have equal digests.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let mut tree = MerkleTree::new();
        for slot in self.entries() {
            tree.push(match slot.0 {
                Entry::Empty => Hash::ZERO,
                Entry::Account { name, balance, sequence } => {
                    let numbers = [balance.to_be_bytes(), sequence.to_be_bytes()];
                    Hash::of_parts(&[&[1], &name, numbers.as_flattened()])
                }
                Entry::Asset { name, owner } => Hash::of_parts(&[&[2], &name, &owner]),
            });
        }
        tree.root()
    }

    /// Returns the number of accounts and assets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether nobody owns anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many accounts and assets there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }

    fn entries(&self) -> &[Slot] {
        self.slots.as_ref().get(..self.len).unwrap_or_default()
    }
}

/// The logic, compiled once however many storages a program names.
struct Table<'a> {
    len: &'a mut usize,
    slots: &'a mut [Slot],
}

impl Table<'_> {
    fn apply(&mut self, transaction: &Transaction<'_>) -> Result<(), TransactionError> {
        let Transaction { source, sequence, fee, action, .. } = transaction;
        let (balance, expected) = account_of(self.entries(), source);
        if *sequence != expected {
            return Err(TransactionError::WrongSequence { expected, found: *sequence });
        }
        let next = expected.checked_add(1).ok_or(TransactionError::Overflow)?;
        let needed = amount_of(action).checked_add(*fee).ok_or(TransactionError::Overflow)?;
        let left =
            balance.checked_sub(needed).ok_or(TransactionError::NotEnough { balance, needed })?;
        match *action {
            Action::Pay { to, amount } if to == *source => {
                self.put_account(source, left.saturating_add(amount), next)
            }
            Action::Pay { to, amount } => {
                self.credit(&to, amount)?;
                let done = self.put_account(source, left, next);
                if done.is_err() {
                    self.debit(&to, amount);
                }
                done
            }
            Action::Mint { asset } => {
                if owner_in(self.entries(), &asset).is_some() {
                    return Err(TransactionError::AlreadyMinted);
                }
                self.put_asset(&asset, source)?;
                let done = self.put_account(source, left, next);
                if done.is_err() {
                    self.remove(&Entry::asset(&asset, source));
                }
                done
            }
            Action::Give { asset, to } => {
                match owner_in(self.entries(), &asset) {
                    None => return Err(TransactionError::UnknownAsset),
                    Some(owner) if owner != *source.as_bytes() => {
                        return Err(TransactionError::NotOwner);
                    }
                    Some(_) => {}
                }
                self.put_account(source, left, next)?;
                self.put_asset(&asset, &to)
            }
            Action::Record(_) => self.put_account(source, left, next),
        }
    }

    /// The exact reverse of [`apply`](Self::apply). Nothing here needs a new slot, so nothing fails.
    fn undo(&mut self, transaction: &Transaction<'_>) {
        let Transaction { source, fee, action, .. } = transaction;
        match *action {
            Action::Pay { to, amount } => self.debit(&to, amount),
            Action::Mint { asset } => self.remove(&Entry::asset(&asset, source)),
            Action::Give { asset, .. } => {
                let _ = self.put_asset(&asset, source);
            }
            Action::Record(_) => {}
        }
        let (balance, sequence) = account_of(self.entries(), source);
        let balance = balance.saturating_add(amount_of(action)).saturating_add(*fee);
        let _ = self.put_account(source, balance, sequence.saturating_sub(1));
    }

    fn credit(&mut self, account: &Account, coins: u64) -> Result<(), TransactionError> {
        let (balance, sequence) = account_of(self.entries(), account);
        let balance = balance.checked_add(coins).ok_or(TransactionError::Overflow)?;
        self.put_account(account, balance, sequence)
    }

    fn debit(&mut self, account: &Account, coins: u64) {
        let (balance, sequence) = account_of(self.entries(), account);
        let _ = self.put_account(account, balance.saturating_sub(coins), sequence);
    }

    /// Stores an account; one without coins and without a past takes no slot.
    fn put_account(
        &mut self,
        account: &Account,
        balance: u64,
        sequence: u64,
    ) -> Result<(), TransactionError> {
        let entry = Entry::Account { name: *account.as_bytes(), balance, sequence };
        if balance == 0 && sequence == 0 {
            self.remove(&entry);
            return Ok(());
        }
        self.put(entry)
    }

    fn put_asset(&mut self, asset: &AssetId, owner: &Account) -> Result<(), TransactionError> {
        self.put(Entry::asset(asset, owner))
    }

    fn put(&mut self, entry: Entry) -> Result<(), TransactionError> {
        match find(self.entries(), &entry) {
            Ok(at) => {
                if let Some(slot) = self.slots.get_mut(at) {
                    slot.0 = entry;
                }
            }
            Err(at) => {
                let capacity = self.slots.len();
                let grown = self.len.saturating_add(1);
                let Some(tail) = self.slots.get_mut(at..grown) else {
                    return Err(TransactionError::Full { capacity });
                };
                tail.rotate_right(1);
                if let Some(slot) = tail.first_mut() {
                    slot.0 = entry;
                }
                *self.len = grown;
            }
        }
        Ok(())
    }

    fn remove(&mut self, entry: &Entry) {
        let Ok(at) = find(self.entries(), entry) else { return };
        if let Some(tail) = self.slots.get_mut(at..*self.len) {
            tail.rotate_left(1);
            *self.len = self.len.saturating_sub(1);
        }
        if let Some(freed) = self.slots.get_mut(*self.len) {
            *freed = Slot::EMPTY;
        }
    }

    fn entries(&self) -> &[Slot] {
        self.slots.get(..*self.len).unwrap_or_default()
    }
}

impl Entry {
    fn asset(asset: &AssetId, owner: &Account) -> Self {
        Self::Asset { name: asset.0, owner: *owner.as_bytes() }
    }

    /// Accounts stand before assets, both in the order of their names.
    fn key(&self) -> (u8, &[u8; 32]) {
        match self {
            Self::Account { name, .. } => (0, name),
            Self::Asset { name, .. } => (1, name),
            Self::Empty => (2, &[0; 32]),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

fn find(entries: &[Slot], entry: &Entry) -> Result<usize, usize> {
    entries.binary_search_by(|slot| slot.0.compare(entry))
}

fn account_of(entries: &[Slot], account: &Account) -> (u64, u64) {
    let entry = Entry::Account { name: *account.as_bytes(), balance: 0, sequence: 0 };
    match find(entries, &entry).ok().and_then(|at| entries.get(at)) {
        Some(Slot(Entry::Account { balance, sequence, .. })) => (*balance, *sequence),
        _ => (0, 0),
    }
}

fn owner_in(entries: &[Slot], asset: &AssetId) -> Option<[u8; 32]> {
    let entry = Entry::Asset { name: asset.0, owner: [0; 32] };
    match find(entries, &entry).ok().and_then(|at| entries.get(at)) {
        Some(Slot(Entry::Asset { owner, .. })) => Some(*owner),
        _ => None,
    }
}

fn amount_of(action: &Action<'_>) -> u64 {
    if let Action::Pay { amount, .. } = action { *amount } else { 0 }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}
