//! The easy chain: it grows at its end, one `append` for each block.

use super::storage::{ChainParts, ChainStorage, check_capacity};
use crate::block::{Body, SealedHeader};
use crate::branch::{BlockError, Branch, ReplayError};
use crate::engine::{Ancestry as _, Engine, Refused, Tip, Weight};
use crate::error::{BufferTooSmall, ConfigError};
use crate::execute::{Execution, Target, allocate, check_body};
use crate::groups::GroupHasher;
use crate::hash::{GenesisId, Hash};
use crate::header::{Claim, Header};
use crate::ledger::Ledger;
use crate::merkle::{MerkleTree, TreeHead};
use crate::policy::Account;
use crate::propose::Proposal;
use crate::queries::State;
use crate::spec::{ChainSpec, Rules};
use crate::state::{
    Journal, JournalSlot, Key, MapProof, Recorder, Store as _, StoreError, TransactionError,
    TrieMut, TrieRef, TrieRoot,
};

/// A chain of checked blocks and the state they lead to. `E` decides which headers count, `L` what transactions do, `S`
/// is the storage.
///
/// It follows one branch and keeps no blocks: the caller does, for example in a file, and [`replay`](Self::replay)
/// audits them. A node that has to choose between branches uses [`Node`](crate::node::Node).
///
/// ```
/// use ledger_core::ledger::Standard;
/// use ledger_core::{Chain, ChainSlots, ChainSpec, KeyPair, Rules};
/// # use ledger_core::{Ancestry, Engine, Hash, Header, JournalSlot, Refused, Slot, Weight};
/// # #[derive(Clone)] struct Open;
/// # impl Engine for Open {
/// #     type Error = core::convert::Infallible;
/// #     fn digest(&self) -> Hash { Hash::of(b"open") }
/// #     fn check(&self, _: &dyn Ancestry, _: &Header, _: &[u8], _: u64)
/// #         -> Result<Weight, Refused<Self::Error>> { Ok(Weight(1)) }
/// # }
///
/// let ann = KeyPair::from_secret(&[1; 32]).account();
/// let spec =
///     ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[(ann, 100)] };
/// let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
/// let chain = Chain::new(&spec, Open, Standard, storage)?;
/// println!("{} begins with {} coins", chain.genesis_id(), chain.state().balance(&ann));
/// # Ok::<(), ledger_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Chain<E, L, S: ?Sized> {
    rules: Rules,
    ledger: L,
    branch: Branch<E>,
    history: MerkleTree, // of the ids up to the tip
    trie: TrieRoot,
    storage: S,
}

impl<E: Engine, L: Ledger, S: ChainStorage> Chain<E, L, S> {
    /// Creates a chain that consists of block 0, and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the allocation does not fit into 64 bits or the rules, or the storage does not hold what the
    /// rules allow.
    pub fn new(
        spec: &ChainSpec<'_>,
        engine: E,
        ledger: L,
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let genesis = spec.genesis_id(&engine.digest(), &ledger.digest())?;
        let (mut parts, hasher) = storage.parts_and_hasher();
        let (trie, state) = block_0(spec, &mut parts, hasher)?;
        Ok(Self::at_block_0(spec, genesis, engine, ledger, (trie, state), storage))
    }

    #[inline(never)] // builds the chain where the caller wants it
    fn at_block_0(
        spec: &ChainSpec<'_>,
        genesis: GenesisId,
        engine: E,
        ledger: L,
        (trie, state): (TrieRoot, Hash),
        storage: S,
    ) -> Self {
        let leaf = MerkleTree::leaf(genesis.as_bytes());
        // In the order of the fields: only then the compiler builds each of them in its place.
        Self {
            rules: spec.rules,
            ledger,
            branch: Branch::new(genesis, engine, spec.time, state),
            history: MerkleTree::of_leaf(leaf),
            trie,
            storage,
        }
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<E: Engine, L: Ledger, S: ChainStorage + ?Sized> Chain<E, L, S> {
    /// Checks a block and appends it. `now` is the clock in Unix seconds.
    ///
    /// Checked in this order: length, header, engine with the proof, then the body: form and root, signatures and
    /// transactions one by one, state root. A worthless header costs nothing but its own check, and a body of another
    /// header no signature. A block with one bad transaction is refused whole.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing has changed then. Only `Invalid` is the sender's fault.
    pub fn append(&mut self, now: u64, bytes: &[u8]) -> Result<Tip, Refused<BlockError<E::Error>>> {
        let decoded = self.decode(bytes);
        let (sealed, body) = decoded.as_ref().map_err(|error| Refused::Invalid(*error))?;
        let SealedHeader { header, proof } = sealed;
        let weight = self.branch.check(header, proof, now, || self.history.root())?;
        let (_, hasher) = self.storage.parts_and_hasher();
        check_body(header, body, hasher)?;
        self.append_checked(header, weight, body)
    }

    /// Executes a block whose header and transactions are checked, and appends it.
    #[inline(never)] // what it needs does not stand on the stack while the body is hashed
    fn append_checked(
        &mut self,
        header: &Header,
        weight: Weight,
        body: &[u8],
    ) -> Result<Tip, Refused<BlockError<E::Error>>> {
        let (parts, hasher) = self.storage.parts_and_hasher();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries, hasher };
        let mut journal = Journal::new(parts.journal, 0);
        let mut target = Target { store: &mut trie, journal: Some(&mut journal) };
        let rules = &self.rules;
        let books = target.books()?;
        let mut execution = Execution::of_block(&self.branch.genesis, header, books);
        let executed = execution.run(header, &self.ledger, rules, &mut target, body);
        if executed.is_ok() {
            self.branch.append(&mut self.history, header, weight, execution.effects());
        } else {
            journal.undo(0, &mut trie);
            trie.root();
        }
        executed.map(|()| self.branch.tip)
    }

    /// Appends stored blocks in order: the audit of a copy, on a chain that is still at block 0.
    ///
    /// A change of a stored block is found at its own height, or at the next one if the change made the block valid
    /// again. A changed header meets a target of work with the probability of that target. Only the id of the last
    /// block needs to be known from elsewhere.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] with the height of the first block that does not fit. The blocks before it are appended.
    pub fn replay<B: AsRef<[u8]>>(
        &mut self,
        now: u64,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Tip, ReplayError<E::Error>> {
        for block in blocks {
            let height = self.branch.next_height();
            self.append(now, block.as_ref()).map_err(|refused| ReplayError { height, refused })?;
        }
        Ok(self.branch.tip)
    }

    /// Returns the header of the next block, with the state root after its transactions. Its time is `now`, in Unix
    /// seconds. The claim is the engine's; it may be changed until the header is signed.
    ///
    /// # Errors
    ///
    /// [`Refused`] if a transaction is refused, or the clock is not past the median of the last eleven blocks.
    pub fn propose(
        &mut self,
        now: u64,
        author: Account,
        body: &Body<'_>,
        claim: Claim,
    ) -> Result<Header, Refused<BlockError<E::Error>>> {
        let (parts, hasher) = self.storage.parts_and_hasher();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries, hasher };
        let mut journal = Journal::new(parts.journal, 0);
        let proposal = Proposal { now, author: &author, body, claim: &claim };
        let history = self.history.root();
        proposal.header(&self.branch, history, &self.rules, &self.ledger, &mut trie, &mut journal)
    }

    /// Writes the proof that a key has its value, or none, in the state after the last block, to `out`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` is.
    pub fn prove<'o>(
        &mut self,
        key: &Key,
        out: &'o mut [u8],
    ) -> Result<MapProof<'o>, BufferTooSmall> {
        let (parts, hasher) = self.storage.parts_and_hasher();
        TrieMut { root: &mut self.trie, slots: parts.entries, hasher }.prove(key, out)
    }

    /// Writes the proofs with which a [`StatelessChain`](crate::StatelessChain) validates a block that may be appended
    /// next, to `out`, and returns them. The chain is as before.
    ///
    /// # Errors
    ///
    /// [`Refused`] if a transaction is refused; [`Refused::NoRoom`] if `out` is too small. A transaction reads and writes
    /// about eight entries, each with one proof.
    pub fn witness<'o>(
        &mut self,
        block: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o [u8], Refused<BlockError<E::Error>>> {
        let decoded = self.decode(block);
        let (sealed, body) = decoded.as_ref().map_err(|error| Refused::Invalid(*error))?;
        let header = &sealed.header;
        let (_, hasher) = self.storage.parts_and_hasher();
        check_body(header, body, hasher)?;
        self.witness_checked(header, body, out)
    }

    /// Writes the witness of a block whose transactions are those of the header.
    #[inline(never)] // what it needs does not stand on the stack while the body is hashed
    fn witness_checked<'o>(
        &mut self,
        header: &Header,
        body: &[u8],
        out: &'o mut [u8],
    ) -> Result<&'o [u8], Refused<BlockError<E::Error>>> {
        let capacity = out.len();
        let genesis = &self.branch.genesis;
        let (parts, hasher) = self.storage.parts_and_hasher();
        let trie = TrieMut { root: &mut self.trie, slots: parts.entries, hasher };
        let mut recorder = Recorder::new(trie, out);
        let mut journal = Journal::new(parts.journal, 0);
        let mut target = Target { store: &mut recorder, journal: Some(&mut journal) };
        let rules = &self.rules;
        let mut run = || {
            let mut execution = Execution::of_block(genesis, header, target.books()?);
            execution.run(header, &self.ledger, rules, &mut target, body)
        };
        let executed = run();
        let (stream, mut trie) = recorder.finish();
        journal.undo(0, &mut trie);
        trie.root();
        match executed {
            Ok(()) => Ok(stream),
            Err(Refused::Invalid(BlockError::Transaction {
                error: TransactionError::Store(StoreError::Unproven),
                ..
            })) => Err(Refused::NoRoom { capacity }),
            Err(refused) => Err(refused),
        }
    }

    #[inline(never)] // the header stands once on the stack of the caller
    fn decode<'b>(
        &self,
        bytes: &'b [u8],
    ) -> Result<(SealedHeader<'b>, &'b [u8]), BlockError<E::Error>> {
        let len = bytes.len();
        let limit = usize::try_from(self.rules.max_block_len).unwrap_or(usize::MAX);
        if len > limit {
            return Err(BlockError::TooLong { len, limit });
        }
        Ok(SealedHeader::decode(bytes)?)
    }
}

impl<E: Engine, L, S: ChainStorage + ?Sized> Chain<E, L, S> {
    /// Returns the id of the chain.
    #[must_use]
    pub const fn genesis_id(&self) -> &GenesisId {
        &self.branch.genesis
    }

    /// Returns the end of the chain.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.branch.tip
    }

    /// Returns who owns what.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State::new(TrieRef { root: &self.trie, slots: self.storage.entries() })
    }

    /// Returns the engine after the last block.
    #[must_use]
    pub const fn engine(&self) -> &E {
        &self.branch.engine
    }

    /// Returns the branch, for [`Engine::check`] outside of `append`.
    #[must_use]
    pub fn ancestry(&self) -> &dyn crate::engine::Ancestry {
        &self.branch
    }

    /// Returns size and root of the tree of all block ids up to the tip.
    #[must_use]
    pub fn history(&self) -> TreeHead {
        self.history.head()
    }

    /// Returns the median of the times of the last eleven blocks, in Unix seconds (BIP 113).
    #[must_use]
    pub fn median_time(&self) -> u64 {
        self.branch.median_time()
    }
}

/// Clears the storage and fills the state of block 0. Returns it with its root.
#[inline(never)] // what it needs does not stand on the stack beside the new chain
fn block_0(
    spec: &ChainSpec<'_>,
    parts: &mut ChainParts<'_>,
    mut hasher: GroupHasher<'_>,
) -> Result<(TrieRoot, Hash), ConfigError> {
    check_capacity(&spec.rules, parts.entries.len(), parts.journal.len())?;
    let mut trie = TrieRoot::clear(parts.entries);
    parts.journal.fill(JournalSlot::EMPTY);
    let hasher = hasher.reborrow();
    let mut state = TrieMut { root: &mut trie, slots: parts.entries, hasher };
    allocate(spec, &mut state)?;
    let root = state.root();
    Ok((trie, root))
}
