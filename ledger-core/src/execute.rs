//! Execution of a body, a slice at a time.

use crate::body_tree::BodyTree;
use crate::branch::BlockError;
use crate::engine::Refused;
use crate::error::DecodeError;
use crate::groups::GroupHasher;
use crate::hash::GenesisId;
use crate::header::{Header, Height};
use crate::ledger::{Context, Ledger};
use crate::policy::Account;
use crate::spec::{ChainSpec, Rules};
use crate::state::{
    Books, Effects, Meta, Store, StoreError, TransactionError, View, WriteLog, meta_key,
};
use crate::transaction::{SignedTransaction, Transaction};

/// A block that is being executed: what is counted between two transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    genesis: GenesisId,
    height: Height,
    author: Account,
    size: u32,
    index: u32,
    offset: usize, // of the next transaction in the body
    fees: u64,
    meta: Meta,
}

/// Where an execution writes.
pub(crate) struct Target<'a> {
    pub(crate) store: &'a mut dyn Store,
    pub(crate) journal: Option<&'a mut dyn WriteLog>,
}

/// Why a body cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecuteError {
    Decode(DecodeError),
    Transaction { index: u32, error: TransactionError },
}

impl Execution {
    /// Begins with the first transaction of a block. `books` are those after the block before.
    #[inline(never)] // builds the execution where the caller wants it
    pub(crate) fn new(
        genesis: &GenesisId,
        height: Height,
        author: &Account,
        size: u32,
        books: Books,
    ) -> Self {
        Self {
            genesis: *genesis,
            height,
            author: *author,
            size,
            index: 0,
            offset: 0,
            fees: 0,
            meta: Meta::new(books),
        }
    }

    /// Begins with the first transaction of the block with this header.
    pub(crate) fn of_block(genesis: &GenesisId, header: &Header, books: Books) -> Self {
        Self::new(genesis, header.height, &header.author, header.body_size, books)
    }

    /// Executes a whole body, the one that the header names, against a header that is already checked.
    pub(crate) fn run<E>(
        &mut self,
        header: &Header,
        ledger: &dyn Ledger,
        rules: &Rules,
        target: &mut Target<'_>,
        body: &[u8],
    ) -> Result<(), Refused<BlockError<E>>> {
        self.complete(ledger, rules, target, body)?;
        check_state(header, target.store)
    }

    /// Executes all transactions of the body, pays the author and closes the books.
    #[expect(clippy::inline_always, reason = "its arguments stand on the stack once")]
    #[inline(always)]
    pub(crate) fn complete(
        &mut self,
        ledger: &dyn Ledger,
        rules: &Rules,
        target: &mut Target<'_>,
        body: &[u8],
    ) -> Result<(), ExecuteError> {
        while self.step(ledger, rules, target, body)?.is_some() {}
        self.finish(rules, target)
    }

    /// Executes the next transaction of the body and returns how many signatures were checked, or `None` if there is no
    /// transaction left.
    pub(crate) fn step(
        &mut self,
        ledger: &dyn Ledger,
        rules: &Rules,
        target: &mut Target<'_>,
        body: &[u8],
    ) -> Result<Option<u32>, ExecuteError> {
        if self.index == self.size {
            return Ok(None);
        }
        let rest = body.get(self.offset..).unwrap_or_default();
        let decoded = SignedTransaction::decode(rest);
        let (signed, _) = decoded.as_ref().map_err(|error| ExecuteError::Decode(*error))?;
        let index = self.index;
        self.apply(ledger, rules, target, signed)
            .map_err(|error| ExecuteError::Transaction { index, error })?;
        self.offset = self.offset.saturating_add(signed.as_bytes().len());
        self.index = index.saturating_add(1);
        Ok(Some(u32::from(signed.policy().required())))
    }

    fn apply(
        &mut self,
        ledger: &dyn Ledger,
        rules: &Rules,
        target: &mut Target<'_>,
        signed: &SignedTransaction<'_>,
    ) -> Result<(), TransactionError> {
        let transaction = signed.transaction();
        let valid_until = transaction.valid_until;
        if self.height > valid_until {
            return Err(TransactionError::Expired { valid_until });
        }
        signed.verify(&self.genesis).map_err(|_| TransactionError::BadSignature)?;
        self.charge(rules, target, transaction)?;
        self.apply_action(ledger, rules, target, signed)?;
        self.fees = self.fees.checked_add(transaction.fee).ok_or(TransactionError::Overflow)?;
        Ok(())
    }

    /// Moves the sequence number on and takes the fee.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn charge(
        &mut self,
        rules: &Rules,
        target: &mut Target<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let mut view = target.view(rules, &mut self.meta);
        view.advance(&transaction.source, transaction.lane, transaction.sequence)?;
        view.debit(&transaction.source, transaction.fee)
    }

    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn apply_action(
        &mut self,
        ledger: &dyn Ledger,
        rules: &Rules,
        target: &mut Target<'_>,
        signed: &SignedTransaction<'_>,
    ) -> Result<(), TransactionError> {
        let context = Context::new(self.genesis, self.height, signed.id(&self.genesis));
        let mut view = target.view(rules, &mut self.meta);
        ledger.apply(&context, &mut view, signed.transaction())
    }

    /// Pays the author and closes the books.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    pub(crate) fn finish(
        &mut self,
        rules: &Rules,
        target: &mut Target<'_>,
    ) -> Result<(), ExecuteError> {
        let subsidy = rules.subsidy_at(self.height.0);
        let mut view = target.view(rules, &mut self.meta);
        view.issue(&self.author, subsidy, self.fees)
            .map_err(|error| ExecuteError::Transaction { index: self.size, error })?;
        if self.meta.writes > 0 {
            close(target, rules, &mut self.meta)
                .map_err(|error| ExecuteError::Transaction { index: self.size, error })?;
        }
        Ok(())
    }

    /// Returns what the transactions have put before the engine.
    pub(crate) fn effects(&self) -> &Effects {
        &self.meta.effects
    }
}

impl Target<'_> {
    /// Reads what the block before has left.
    #[inline(never)] // the entry does not stand on the stack while signatures are checked
    pub(crate) fn books(&mut self) -> Result<Books, ExecuteError> {
        let books = Books::load(self.store);
        books.map_err(|error| ExecuteError::Transaction { index: 0, error: error.into() })
    }

    fn view<'v>(&'v mut self, rules: &'v Rules, meta: &'v mut Meta) -> View<'v> {
        let journal = self.journal.as_mut().map(|journal| {
            let journal: &mut dyn WriteLog = &mut **journal;
            journal
        });
        View::new(&mut *self.store, journal, rules, meta)
    }
}

/// Writes the bookkeeping entry. It is not counted as a write of the block.
#[inline(never)] // the entry does not stand on the stack while accounts are written
fn close(target: &mut Target<'_>, rules: &Rules, meta: &mut Meta) -> Result<(), TransactionError> {
    let value = meta.books.value();
    meta.writes = 0;
    target.view(rules, meta).write(&meta_key(), Some(&value))?;
    Ok(())
}

/// Checks that a body is the one that a header names.
#[inline(never)] // the tree does not stand on the stack while signatures are checked
pub(crate) fn check_body<E>(
    header: &Header,
    body: &[u8],
    mut hasher: GroupHasher<'_>,
) -> Result<(), Refused<BlockError<E>>> {
    let mut tree = BodyTree::new();
    let rest = hasher.push_transactions(&mut tree, body, header.body_size)?;
    if !rest.is_empty() {
        return Err(DecodeError::TrailingBytes(rest.len()).into());
    }
    if tree.head() != header.body() {
        return Err(Refused::Invalid(BlockError::WrongBody));
    }
    Ok(())
}

/// Checks the state after a block against its header.
#[inline(never)] // what it needs does not stand on the stack while signatures are checked
pub(crate) fn check_state<E>(
    header: &Header,
    store: &mut dyn Store,
) -> Result<(), Refused<BlockError<E>>> {
    let expected = header.state;
    let found = store.root();
    if expected == found {
        Ok(())
    } else {
        Err(Refused::Invalid(BlockError::WrongState { expected, found }))
    }
}

impl<E> From<ExecuteError> for Refused<BlockError<E>> {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Decode(error) => Self::Invalid(BlockError::Decode(error)),
            ExecuteError::Transaction { index, error } => match error {
                TransactionError::Store(StoreError::Full { capacity })
                | TransactionError::JournalFull { capacity } => Self::NoRoom { capacity },
                error => Self::Invalid(BlockError::Transaction { index, error }),
            },
        }
    }
}

/// Fills the state of block 0.
pub(crate) fn allocate(
    spec: &ChainSpec<'_>,
    store: &mut dyn Store,
) -> Result<(), crate::error::ConfigError> {
    use crate::error::ConfigError;
    let unlimited = Rules { max_writes: u32::MAX, ..spec.rules };
    let mut meta = Meta::new(Books { entries: 1, coins: 0 });
    // A subsidy without an end is checked when it is issued.
    let ends = spec.rules.halving_interval > 0;
    let supply = if ends { spec.rules.supply_before(u64::MAX) } else { Some(0) };
    let supply = supply.ok_or(ConfigError::TooManyCoins)?;
    let allocated =
        spec.allocation.iter().try_fold(supply, |sum, (_, coins)| sum.checked_add(*coins));
    allocated.ok_or(ConfigError::TooManyCoins)?;
    let mut target = Target { store, journal: None };
    for (account, coins) in spec.allocation {
        let coins = *coins;
        let deposit = spec.rules.deposit;
        let paid = target.view(&unlimited, &mut meta).issue(account, coins, 0);
        paid.map_err(|error| match error {
            TransactionError::NotEnough { .. } => {
                ConfigError::AllocationBelowDeposit { coins, deposit }
            }
            TransactionError::Overflow => ConfigError::TooManyCoins,
            _ => ConfigError::TooManyEntries { max_entries: spec.rules.max_entries },
        })?;
    }
    let max_entries = spec.rules.max_entries;
    close(&mut target, &unlimited, &mut meta)
        .map_err(|_| ConfigError::TooManyEntries { max_entries })
}
