//! The chain: what a node knows after it has checked every block since the first.

use core::fmt;

use thiserror::Error;

use crate::times::Times;
use crate::{
    Account, Block, Body, ChainId, ConfigError, DecodeError, Hash, Header, Height, Rules, Seal,
    SealKind, Slot, State, TransactionError, Weight,
};

/// The first block, which nobody seals: all nodes of a chain start from the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Genesis<'a> {
    /// Names the chain.
    pub chain: ChainId,
    /// Its time, in Unix seconds.
    pub time: u64,
    /// Who owns coins from the start, and how many.
    pub allocation: &'a [(Account, u64)],
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The chain.
    pub chain: ChainId,
    /// The height of the last block.
    pub height: Height,
    /// The hash of the last block.
    pub hash: Hash,
    /// The time of the last block, in Unix seconds.
    pub time: u64,
    /// The weight of all blocks together.
    pub weight: Weight,
}

/// A chain of checked blocks and the ownership it proves. `E` decides which seals count, `S` is the
/// memory for the state.
///
/// Blocks themselves are kept by the caller, for example in a file; [`replay`](Self::replay) audits
/// them.
#[derive(Debug, Clone)]
pub struct Chain<E, S: ?Sized> {
    rules: Rules,
    seal: E,
    tip: Tip,
    times: Times,
    state: State<S>,
}

/// Why a block is refused. The chain is as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockError<E> {
    /// The block is longer than the rules allow.
    #[error("{len} bytes, where {limit} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not a block in canonical form.
    #[error("not a block: {0}")]
    Decode(#[from] DecodeError),
    /// It belongs to another chain.
    #[error("it belongs to chain {0}")]
    WrongChain(u32),
    /// It is not the next block.
    #[error("height {found}, where {expected} is next")]
    WrongHeight {
        /// The next height.
        expected: Height,
        /// The one in the header.
        found: Height,
    },
    /// It does not name the last block as its predecessor.
    #[error("it follows {found:.16}, where the chain ends in {expected:.16}")]
    BrokenLink {
        /// The hash of the last block.
        expected: Hash,
        /// The one in the header.
        found: Hash,
    },
    /// Its time is not later than the median of the last eleven blocks.
    #[error("time {time} is not after the median {median}")]
    TooEarly {
        /// Its time.
        time: u64,
        /// The median.
        median: u64,
    },
    /// Its time lies too far ahead of the receiver's clock.
    #[error("time {time} is later than {latest}")]
    TooLate {
        /// Its time.
        time: u64,
        /// The latest time that is accepted now.
        latest: u64,
    },
    /// The transactions are not those that the header names.
    #[error("the transactions have root {found:.16}, the header says {expected:.16}")]
    WrongRoot {
        /// The root in the header.
        expected: Hash,
        /// The root over the transactions.
        found: Hash,
    },
    /// The seal does not count.
    #[error("the seal does not count: {0}")]
    Seal(E),
    /// A transaction is refused.
    #[error("transaction {index} is refused: {error}")]
    Transaction {
        /// Its position in the block; the number of transactions stands for the author's reward.
        index: u32,
        /// Why.
        error: TransactionError,
    },
}

/// Where a stored chain is broken, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("block {height} is broken: {error}")]
pub struct Fault<E: fmt::Display> {
    /// The height of the first block that does not fit.
    pub height: Height,
    /// What is wrong with it.
    pub error: BlockError<E>,
}

impl<E: Seal, S: AsRef<[Slot]> + AsMut<[Slot]>> Chain<E, S> {
    /// Creates a chain that consists of the first block.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the allocation does not fit into 64 bits or into `slots`.
    pub fn new(
        rules: Rules,
        seal: E,
        genesis: &Genesis<'_>,
        slots: S,
    ) -> Result<Self, ConfigError> {
        let mut chain = Self {
            rules,
            seal,
            tip: genesis.tip(),
            times: Times::starting_at(genesis.time),
            state: State::new(slots),
        };
        chain.state.clear();
        let sum = |sum: u64, (_, coins): &(Account, u64)| sum.checked_add(*coins);
        genesis.allocation.iter().try_fold(0, sum).ok_or(ConfigError::TooManyCoins)?;
        let too_few = ConfigError::TooFewSlots {
            needed: genesis.allocation.len(),
            capacity: chain.state.capacity(),
        };
        for (account, coins) in genesis.allocation {
            chain.state.credit(account, *coins).map_err(|_| too_few)?;
        }
        Ok(chain)
    }
}

impl<E: Seal, S: AsRef<[Slot]> + AsMut<[Slot]> + ?Sized> Chain<E, S> {
    /// Checks a block and appends it. `now` is the receiver's clock in Unix seconds.
    ///
    /// Checked in this order: length, form, chain, height, link, time, transactions against the header,
    /// seal, signatures, ownership. A block with one bad transaction is refused whole.
    ///
    /// # Errors
    ///
    /// [`BlockError`]; nothing has changed then.
    pub fn append(&mut self, now: u64, bytes: &[u8]) -> Result<Tip, BlockError<E::Error>> {
        let (len, limit) = (bytes.len(), self.rules.max_block_len);
        if len > limit {
            return Err(BlockError::TooLong { len, limit });
        }
        let (block, rest) = Block::decode(bytes)?;
        if !rest.is_empty() {
            return Err(DecodeError::TrailingBytes(rest.len()).into());
        }
        let header = *block.header();
        self.check_header(now, &header, &block.body())?;
        let weight = self.seal.weigh(&self.tip, &header, block.seal()).map_err(BlockError::Seal)?;
        self.check_signatures(&block.body())?;
        self.execute(&header, &block.body())?;
        self.tip = Tip {
            chain: header.chain,
            height: header.height,
            hash: block.hash(),
            time: header.time,
            weight: self.tip.weight.saturating_add(weight),
        };
        self.times.push(header.time);
        self.seal.appended(&block);
        Ok(self.tip)
    }

    /// Appends stored blocks in order: the audit of a copy, on a chain that is still at its first block.
    ///
    /// A change of a stored block is found at its own height, or at the next one if whoever changed it
    /// also renewed its root and seal. Only the last block needs its hash to be known from elsewhere.
    ///
    /// # Errors
    ///
    /// [`Fault`] with the height of the first block that does not fit; the blocks before it are appended.
    pub fn replay<B: AsRef<[u8]>>(
        &mut self,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Tip, Fault<E::Error>> {
        for block in blocks {
            let height = self.next_height();
            self.append(u64::MAX, block.as_ref()).map_err(|error| Fault { height, error })?;
        }
        Ok(self.tip)
    }

    fn check_header(
        &self,
        now: u64,
        header: &Header,
        body: &Body<'_>,
    ) -> Result<(), BlockError<E::Error>> {
        let Header { chain, height, previous, root, time, .. } = *header;
        let (expected_height, expected_link) = (self.next_height(), self.tip.hash);
        let median = self.times.median();
        let latest = now.saturating_add(self.rules.drift);
        if chain != self.tip.chain {
            return Err(BlockError::WrongChain(chain.0));
        }
        if height != expected_height {
            return Err(BlockError::WrongHeight { expected: expected_height, found: height });
        }
        if previous != expected_link {
            return Err(BlockError::BrokenLink { expected: expected_link, found: previous });
        }
        if time <= median {
            return Err(BlockError::TooEarly { time, median });
        }
        if time > latest {
            return Err(BlockError::TooLate { time, latest });
        }
        let found = body.root();
        if root == found { Ok(()) } else { Err(BlockError::WrongRoot { expected: root, found }) }
    }

    fn check_signatures(&self, body: &Body<'_>) -> Result<(), BlockError<E::Error>> {
        for (index, signed) in (0_u32..).zip(body) {
            let chain = signed.transaction().chain;
            let error = if chain != self.tip.chain {
                TransactionError::WrongChain(chain.0)
            } else if signed.verify().is_err() {
                TransactionError::BadSignature
            } else {
                continue;
            };
            return Err(BlockError::Transaction { index, error });
        }
        Ok(())
    }

    /// Executes all transactions and pays the author, or does nothing.
    fn execute(&mut self, header: &Header, body: &Body<'_>) -> Result<(), BlockError<E::Error>> {
        let mut done = 0_usize;
        let mut refused = None;
        for (index, signed) in (0_u32..).zip(body) {
            if let Err(error) = self.state.apply(signed.transaction()) {
                refused = Some(BlockError::Transaction { index, error });
                break;
            }
            done = done.saturating_add(1);
        }
        let paid = match refused {
            None => self.pay_author(header, body),
            Some(error) => Err(error),
        };
        if paid.is_err() {
            let all = usize::try_from(body.len()).unwrap_or(usize::MAX);
            let untouched = all.saturating_sub(done);
            body.iter()
                .rev()
                .skip(untouched)
                .for_each(|signed| self.state.undo(signed.transaction()));
        }
        paid
    }

    fn pay_author(&mut self, header: &Header, body: &Body<'_>) -> Result<(), BlockError<E::Error>> {
        let subsidy = self.rules.subsidy_at(header.height.0);
        body.iter()
            .try_fold(subsidy, |sum, signed| sum.checked_add(signed.transaction().fee))
            .ok_or(TransactionError::Overflow)
            .and_then(|reward| self.state.credit(&header.author, reward))
            .map_err(|error| BlockError::Transaction { index: body.len(), error })
    }
}

impl<E, S: AsRef<[Slot]> + ?Sized> Chain<E, S> {
    /// Returns the header of the next block, still to be sealed, with the earliest legal time not before
    /// `now` (Unix seconds). `seal_len` is what the seal will take.
    #[must_use]
    pub fn propose(
        &self,
        now: u64,
        author: Account,
        body: &Body<'_>,
        seal_kind: SealKind,
        seal_len: u8,
    ) -> Header {
        Header {
            chain: self.tip.chain,
            height: self.next_height(),
            previous: self.tip.hash,
            root: body.root(),
            count: body.len(),
            time: now.max(self.times.median().saturating_add(1)),
            author,
            seal_kind,
            seal_len,
        }
    }

    /// Returns the end of the chain.
    #[must_use]
    pub fn tip(&self) -> Tip {
        self.tip
    }

    /// Returns who owns what.
    #[must_use]
    pub fn state(&self) -> &State<S> {
        &self.state
    }

    /// Returns the rule that decides which seals count.
    #[must_use]
    pub fn seal(&self) -> &E {
        &self.seal
    }

    /// Returns the median of the times of the last eleven blocks, in Unix seconds (BIP 113).
    #[must_use]
    pub fn median_time(&self) -> u64 {
        self.times.median()
    }

    fn next_height(&self) -> Height {
        Height(self.tip.height.0.saturating_add(1))
    }
}

impl Genesis<'_> {
    /// Returns the hash of the first block, which commits to the allocation.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.tip().hash
    }

    fn tip(&self) -> Tip {
        let mut tree = crate::MerkleTree::new();
        for (account, coins) in self.allocation {
            tree.push(Hash::of_parts(&[account.as_bytes(), &coins.to_be_bytes()]));
        }
        let header = Header {
            chain: self.chain,
            height: Height(0),
            previous: Hash::ZERO,
            root: tree.root(),
            count: 0,
            time: self.time,
            author: Account::default(),
            seal_kind: SealKind::NONE,
            seal_len: 0,
        };
        Tip {
            chain: self.chain,
            height: Height(0),
            hash: header.hash(&[]),
            time: self.time,
            weight: Weight(0),
        }
    }
}
