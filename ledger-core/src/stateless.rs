//! A chain without its state: blocks are validated by the proofs that come with them.

use crate::block::SealedHeader;
use crate::branch::{BlockError, Branch};
use crate::engine::{Engine, Refused, Tip, Weight};
use crate::error::{ConfigError, DecodeError};
use crate::execute::{Execution, Target, check_body};
use crate::groups::GroupHasher;
use crate::hash::{GenesisId, Hash};
use crate::header::Header;
use crate::ledger::Ledger;
use crate::merkle::MerkleTree;
use crate::spec::{ChainSpec, Rules};
use crate::state::Witness;

/// A chain that keeps the root of the state instead of the state, about 2.5 KiB in all. It accepts exactly the blocks
/// that a [`Chain`](crate::Chain) accepts, if they come with the right [witness](crate::Chain::witness).
///
/// ```
/// use ledger_core::ledger::Standard;
/// use ledger_core::{Account, Block, Body, Chain, ChainSlots, ChainSpec, Claim, Rules, StatelessChain};
/// # use ledger_core::{Ancestry, Engine, Hash, Header, JournalSlot, Refused, Slot, Weight};
/// # #[derive(Clone)] struct Open;
/// # impl Engine for Open {
/// #     type Error = core::convert::Infallible;
/// #     fn digest(&self) -> Hash { Hash::of(b"open") }
/// #     fn check(&self, _: &dyn Ancestry, _: &Header, _: &[u8], _: u64)
/// #         -> Result<Weight, Refused<Self::Error>> { Ok(Weight(1)) }
/// # }
///
/// let spec = ChainSpec { name: "demo", rules: Rules::SMALL, time: 0, allocation: &[] };
/// let storage = ChainSlots { entries: [Slot::EMPTY; 16], journal: [JournalSlot::EMPTY; 65] };
/// let mut chain = Chain::new(&spec, Open, Standard, storage)?;
/// let mut device = StatelessChain::new(&spec, Open, Standard, chain.tip().state)?;
///
/// let header = chain.propose(60, Account::default(), &Body::default(), Claim::NONE)?;
/// let mut bytes = [0; 256];
/// let len = Block::new(header, &[], Body::default())?.encode(&mut bytes)?;
/// let mut buf = [0; 1024];
/// let witness = chain.witness(&bytes[..len], &mut buf)?; // before the block is appended
/// device.append(60, &bytes[..len], witness)?;
/// chain.append(60, &bytes[..len])?;
/// assert_eq!(device.tip(), chain.tip());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StatelessChain<E, L> {
    rules: Rules,
    ledger: L,
    branch: Branch<E>,
    history: MerkleTree, // of the ids up to the tip
}

impl<E: Engine, L: Ledger> StatelessChain<E, L> {
    /// Creates a chain that consists of block 0. `state` is the root of its state,
    /// [`Chain::tip`](crate::Chain::tip) of a chain that was just created.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NameTooLong`] if the name of the chain is too long.
    pub fn new(
        spec: &ChainSpec<'_>,
        engine: E,
        ledger: L,
        state: Hash,
    ) -> Result<Self, ConfigError> {
        let genesis = spec.genesis_id(&engine.digest(), &ledger.digest())?;
        Ok(Self::at_block_0(spec, genesis, engine, ledger, state))
    }

    #[inline(never)] // builds the chain where the caller wants it
    fn at_block_0(
        spec: &ChainSpec<'_>,
        genesis: GenesisId,
        engine: E,
        ledger: L,
        state: Hash,
    ) -> Self {
        let leaf = MerkleTree::leaf(genesis.as_bytes());
        // In the order of the fields: only then the compiler builds each of them in its place.
        Self {
            rules: spec.rules,
            ledger,
            branch: Branch::new(genesis, engine, spec.time, state),
            history: MerkleTree::of_leaf(leaf),
        }
    }

    /// Checks a block by its witness and appends it. `now` is the clock in Unix seconds.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing has changed then. A transaction that fails with
    /// [`StoreError::Unproven`](crate::state::StoreError::Unproven) says nothing about the block, but that the witness is
    /// wrong.
    pub fn append(
        &mut self,
        now: u64,
        block: &[u8],
        witness: &[u8],
    ) -> Result<Tip, Refused<BlockError<E::Error>>> {
        let len = block.len();
        let limit = usize::try_from(self.rules.max_block_len).unwrap_or(usize::MAX);
        if len > limit {
            return Err(Refused::Invalid(BlockError::TooLong { len, limit }));
        }
        let decoded = SealedHeader::decode(block);
        let (SealedHeader { header, proof }, body) = decoded.as_ref().map_err(|error| *error)?;
        let weight = self.branch.check(header, proof, now, || self.history.root())?;
        check_body(header, body, GroupHasher::NONE)?;
        self.append_checked(header, weight, body, witness)
    }

    /// Executes a block whose header and transactions are checked, and appends it.
    #[inline(never)] // what it needs does not stand on the stack while the body is hashed
    fn append_checked(
        &mut self,
        header: &Header,
        weight: Weight,
        body: &[u8],
        witness: &[u8],
    ) -> Result<Tip, Refused<BlockError<E::Error>>> {
        let mut store = Witness::new(self.branch.tip.state, witness);
        let mut target = Target { store: &mut store, journal: None };
        let rules = &self.rules;
        let mut execution = Execution::of_block(&self.branch.genesis, header, target.books()?);
        execution.run(header, &self.ledger, rules, &mut target, body)?;
        if !store.is_used_up() {
            return Err(Refused::Invalid(BlockError::Decode(DecodeError::MalformedProof)));
        }
        self.branch.append(&mut self.history, header, weight, execution.effects());
        Ok(self.branch.tip)
    }

    /// Returns the id of the chain.
    #[must_use]
    pub const fn genesis_id(&self) -> &GenesisId {
        &self.branch.genesis
    }

    /// Returns the end of the chain, with the root of the state.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.branch.tip
    }

    /// Returns the engine after the last block.
    #[must_use]
    pub const fn engine(&self) -> &E {
        &self.branch.engine
    }
}
