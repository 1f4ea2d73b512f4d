//! A chain without its state: blocks are validated by the proofs that come with them.

use crate::block::SealedHeader;
use crate::branch::{BlockError, Branch};
use crate::engine::{Engine, Refused, Tip};
use crate::error::{ConfigError, DecodeError};
use crate::execute::{Target, execute};
use crate::hash::{GenesisId, Hash};
use crate::ledger::Ledger;
use crate::spec::{ChainSpec, Rules};
use crate::state::Witness;

/// A chain that keeps the root of the state instead of the state, about 2.5 KiB in all. It accepts exactly the blocks
/// that a [`Chain`](crate::Chain) accepts, if they come with the right [witness](crate::Chain::witness).
#[derive(Debug, Clone)]
pub struct StatelessChain<E, L> {
    rules: Rules,
    ledger: L,
    branch: Branch<E>,
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
        let branch = Branch::new(genesis, engine, spec.time, state);
        Ok(Self { rules: spec.rules, ledger, branch })
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
        let (SealedHeader { header, proof }, body) = SealedHeader::decode(block)?;
        let weight = self.branch.check(&header, proof, now)?;
        let genesis = self.branch.genesis;
        let mut store = Witness::new(self.branch.tip.state, witness);
        let mut target = Target { store: &mut store, journal: None };
        let effects = execute(genesis, &header, &self.ledger, &self.rules, &mut target, body)?;
        if !store.is_used_up() {
            return Err(Refused::Invalid(BlockError::Decode(DecodeError::MalformedProof)));
        }
        self.branch.apply(&header, header.id(&genesis), weight, &effects);
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
