//! A branch: what the headers up to a block say about the next one, besides the history.

use core::fmt;

use thiserror::Error;

use crate::block::SealedHeader;
use crate::engine::{Ancestry, Engine, Refused, Tip, Weight};
use crate::error::DecodeError;
use crate::hash::{BlockId, GenesisId, Hash};
use crate::header::{Header, Height};
use crate::merkle::MerkleTree;
use crate::state::{Effects, TransactionError};
use crate::times::Times;

/// The end of a branch with the engine and the recent times there. In a `Branch<()>` the engine stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch<E> {
    pub(crate) genesis: GenesisId,
    pub(crate) tip: Tip,
    pub(crate) engine: E,
    pub(crate) times: Times,
}

/// A branch of which no header is kept, with the tree of the ids up to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeaderBranch<E> {
    pub(crate) end: Branch<E>,
    pub(crate) history: MerkleTree,
}

/// Why a block is never valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BlockError<E> {
    /// The block is longer than the rules allow.
    #[error("{len} bytes, but {limit} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not a block in canonical form.
    #[error("malformed block: {0}")]
    Decode(DecodeError),
    /// Its height is not that after its parent.
    #[error("height {found}, but {expected} is next")]
    WrongHeight {
        /// The height after the parent.
        expected: Height,
        /// The height in the header.
        found: Height,
    },
    /// Its history root is not that over the blocks before it.
    #[error("wrong history root")]
    WrongHistory,
    /// Its time is not later than the median of the last eleven blocks.
    #[error("time {time} is not after the median {median}")]
    TooEarly {
        /// The time in the header.
        time: u64,
        /// The median.
        median: u64,
    },
    /// The engine refuses the header.
    #[error("{0}")]
    Engine(E),
    /// The transactions are not those that the header names.
    #[error("the header names other transactions")]
    WrongBody,
    /// A transaction is refused.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Its position in the block; the number of transactions stands for the author's reward.
        index: u32,
        /// The reason.
        error: TransactionError,
    },
    /// The state after the block is not the one that the header names.
    #[error("wrong state root: the header has {expected:.16}, execution gives {found:.16}")]
    WrongState {
        /// The root in the header.
        expected: Hash,
        /// The root after execution.
        found: Hash,
    },
    /// A block before it is invalid.
    #[error("an ancestor is invalid")]
    InvalidAncestor,
}

impl<E> Branch<E> {
    pub(crate) fn next_height(&self) -> Height {
        Height(self.tip.height.0.saturating_add(1))
    }

    /// Checks a header whose parent is the tip, by the engine as it is there. `history` returns the root over the ids up to
    /// the tip.
    #[inline(never)] // what it needs does not stand on the stack of what follows the check
    pub(crate) fn check_by<F: Engine>(
        &self,
        engine: &F,
        header: &Header,
        proof: &[u8],
        now: u64,
        history: impl FnOnce() -> Hash,
    ) -> Result<Weight, Refused<BlockError<F::Error>>> {
        let expected = self.next_height();
        let median = self.median_time();
        let invalid = if header.parent != self.tip.id {
            return Err(Refused::Orphan { parent: header.parent });
        } else if header.height != expected {
            BlockError::WrongHeight { expected, found: header.height }
        } else if header.history != history() {
            BlockError::WrongHistory
        } else if header.time <= median {
            BlockError::TooEarly { time: header.time, median }
        } else {
            let checked = engine.check(self, header, proof, now);
            return checked.map_err(|refused| refused.map(BlockError::Engine));
        };
        Err(Refused::Invalid(invalid))
    }
}

impl<E: Engine> Branch<E> {
    #[inline(never)] // builds the branch where the caller wants it
    pub(crate) fn new(genesis: GenesisId, engine: E, time: u64, state: Hash) -> Self {
        let tip = Tip { height: Height(0), id: genesis.block_id(), time, state, weight: Weight(0) };
        Self { genesis, tip, engine, times: Times::starting_at(time) }
    }

    /// Checks a header whose parent is the tip. `history` returns the root over the ids up to the tip.
    pub(crate) fn check(
        &self,
        header: &Header,
        proof: &[u8],
        now: u64,
        history: impl FnOnce() -> Hash,
    ) -> Result<Weight, Refused<BlockError<E::Error>>> {
        self.check_by(&self.engine, header, proof, now, history)
    }

    /// Moves on to a header that was checked, and adds its id to the history.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    pub(crate) fn append(
        &mut self,
        history: &mut MerkleTree,
        header: &Header,
        weight: Weight,
        effects: &Effects,
    ) {
        let id = header.id(&self.genesis);
        self.apply(header, id, weight, effects);
        history.push(MerkleTree::leaf(id.as_bytes()));
    }

    /// Moves on to a header that was checked.
    pub(crate) fn apply(
        &mut self,
        header: &Header,
        id: BlockId,
        weight: Weight,
        effects: &Effects,
    ) {
        self.tip = Tip {
            height: header.height,
            id,
            time: header.time,
            state: header.state,
            weight: self.tip.weight.saturating_add(weight),
        };
        self.times.push(header.time);
        self.engine.apply(header, effects);
    }
}

/// Copies a value over another one. In a function of its own the compiler sees that both are apart, and needs no third one.
#[inline(never)]
pub(crate) fn copy<T: Clone>(to: &mut T, from: &T) {
    *to = from.clone();
}

/// Returns what it means that an engine refuses a header on a branch whose blocks are not all executed: it may not know yet
/// what these blocks put before it.
pub(crate) fn unless_executed<E: Engine>(
    engine: &E,
    refused: Refused<BlockError<E::Error>>,
    now: u64,
) -> Refused<BlockError<E::Error>> {
    match refused {
        Refused::Invalid(BlockError::Engine(_)) if engine.depends_on_effects() => {
            Refused::NotYet { at: now }
        }
        refused => refused,
    }
}

impl<E: Engine> HeaderBranch<E> {
    /// Checks a header whose parent is the end, and moves on to it, though its block is not executed. Returns its id.
    pub(crate) fn add(
        &mut self,
        sealed: &SealedHeader<'_>,
        now: u64,
    ) -> Result<BlockId, Refused<BlockError<E::Error>>> {
        let weight = self.check_unexecuted(sealed, now)?;
        self.move_end(sealed, weight);
        self.push_end();
        Ok(self.end.tip.id)
    }

    /// Checks a header whose parent is the end, which is not executed.
    pub(crate) fn check_unexecuted(
        &self,
        sealed: &SealedHeader<'_>,
        now: u64,
    ) -> Result<Weight, Refused<BlockError<E::Error>>> {
        let checked = self.check(sealed, now);
        checked.map_err(|refused| unless_executed(&self.end.engine, refused, now))
    }

    /// Checks a header whose parent is the end, which is executed.
    pub(crate) fn check(
        &self,
        sealed: &SealedHeader<'_>,
        now: u64,
    ) -> Result<Weight, Refused<BlockError<E::Error>>> {
        self.end.check(&sealed.header, sealed.proof, now, || self.history.root())
    }

    /// Moves the end on to a header that was checked. The history is that before it until [`push_end`](Self::push_end).
    pub(crate) fn move_end(&mut self, sealed: &SealedHeader<'_>, weight: Weight) {
        let id = sealed.header.id(&self.end.genesis);
        self.end.apply(&sealed.header, id, weight, &Effects::NONE);
    }

    /// Adds the id of the end to the history.
    pub(crate) fn push_end(&mut self) {
        self.history.push(MerkleTree::leaf(self.end.tip.id.as_bytes()));
    }
}

impl<E> Ancestry for Branch<E> {
    fn genesis(&self) -> &GenesisId {
        &self.genesis
    }

    fn tip(&self) -> &Tip {
        &self.tip
    }

    fn median_time(&self) -> u64 {
        self.times.median()
    }
}

impl<E> From<DecodeError> for BlockError<E> {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Where a stored chain is broken, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("block {height} is invalid: {refused}")]
#[expect(clippy::exhaustive_structs, reason = "where and why")]
pub struct ReplayError<E: fmt::Display> {
    /// The height of the first block that does not fit.
    pub height: Height,
    /// What is wrong with it. `Orphan` means that it does not follow the block before it.
    pub refused: Refused<BlockError<E>>,
}

impl<E> From<DecodeError> for Refused<BlockError<E>> {
    fn from(error: DecodeError) -> Self {
        Self::Invalid(BlockError::Decode(error))
    }
}
