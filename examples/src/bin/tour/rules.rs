//! The chain of the tour: its first block, and a rule that changes with the height from work to stake to
//! authority. The ledger knows none of them; it knows an engine.

use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, Equivocation, SLASH, StakeSeal, ValidatorId,
    ValidatorSet, ValidatorVec, validator_id,
};
use examples::rules::RuleError;
use ledger_core::ledger::{Context, Ledger, Standard};
use ledger_core::node::{Node, NodeConfig, NodeLimits, NodeVec};
use ledger_core::state::View;
use ledger_core::{
    Account, Action, Ancestry, Block, Chain, ChainSpec, ChainVec, ClaimKind, ConfigError, Effect,
    Effects, Engine, GenesisId, Hash, Header, KeyPair, Refused, Rules, Transaction,
    TransactionError, Weight,
};
use pow::{Target, WorkSeal};
use sim::Rng;

use crate::song::Cast;

/// The heights sealed by work, by stake, and by authority.
pub const WORK_UNTIL: u64 = 3;
pub const STAKE_UNTIL: u64 = 6;
pub const LAST_HEIGHT: u64 = 9;
/// Leading zero bits of a mined block.
const WORK_BITS: u32 = 16;
/// What the author of a block receives.
pub const SUBSIDY: u64 = 50;
/// What every account owns at first.
pub const ALLOWANCE: u64 = 1_000_000_000;

/// Blocks that can be taken back.
const DEPTH: u32 = 8;
/// Writes of a block to the state: some hundreds of receipts with four each.
const MAX_WRITES: u32 = 4096;

pub type TourChain = Chain<Schedule, TourLedger, ChainVec>;
pub type TourNode = Node<Schedule, TourLedger, NodeVec>;

/// Everything that all nodes agree on before the first block.
pub struct Constitution {
    pub time: u64,
    allocation: Vec<(Account, u64)>,
    stakes: Vec<(ValidatorId, u64)>,
    authorities: Vec<ValidatorId>,
}

/// A rule for each height.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub work: WorkSeal,
    pub stake: StakeSeal<ValidatorVec>,
    pub authority: AuthoritySeal<Vec<AuthoritySlot>>,
}

/// The keys of a node: one for its coins, one for what it puts on record.
pub struct Keys {
    pub wallet: KeyPair,
    pub witness: KeyPair,
}

impl Keys {
    pub fn new(rng: &mut Rng) -> Self {
        let mut pair = || {
            let mut secret = [0; 32];
            rng.fill(&mut secret);
            KeyPair::from_secret(&secret)
        };
        Self { wallet: pair(), witness: pair() }
    }

    pub fn id(&self) -> ValidatorId {
        validator_id(&self.wallet)
    }
}

impl Constitution {
    pub fn new(time: u64, keys: &[Keys], cast: Cast) -> Self {
        let allocation = keys.iter().map(|keys| (keys.wallet.account(), ALLOWANCE)).collect();
        let stakes = keys
            .iter()
            .zip(cast.all())
            .map(|(keys, node)| (keys.id(), 10 + u64::from(node.0 % 4) * 10));
        let authorities = cast.ultrapeers().map(|node| keys[node.index()].id());
        Self { time, allocation, stakes: stakes.collect(), authorities: authorities.collect() }
    }

    /// Returns a chain that consists of the first block, for an audit.
    pub fn chain(&self) -> Result<TourChain, ConfigError> {
        let storage = ChainVec::new(&self.rules());
        Chain::new(&self.spec(), self.schedule(), TourLedger, storage)
    }

    /// Returns a node that knows the first block.
    pub fn node(&self) -> Result<TourNode, ConfigError> {
        let config = NodeConfig::new(DEPTH, self.time);
        let storage = NodeVec::new(NodeLimits::new(&self.rules(), &config));
        Node::new(&self.spec(), config, self.schedule(), TourLedger, storage)
    }

    pub fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.subsidy = SUBSIDY;
        rules.max_entries = self.allocation.len() as u32 * 3 + 1;
        rules.max_writes = MAX_WRITES;
        rules
    }

    fn spec(&self) -> ChainSpec<'_> {
        let rules = self.rules();
        ChainSpec { name: "one song", rules, time: self.time, allocation: &self.allocation }
    }

    fn schedule(&self) -> Schedule {
        let mut validators = ValidatorSet::new(ValidatorVec::new(self.stakes.len()));
        for (id, stake) in &self.stakes {
            let _ = validators.set_stake(*id, *stake); // there is a slot for each
        }
        let mut authorities = Authorities::new(vec![AuthoritySlot::EMPTY; self.authorities.len()]);
        for id in &self.authorities {
            let _ = authorities.insert(*id);
        }
        let bits = Target::from_zero_bits(WORK_BITS).to_compact();
        Schedule {
            work: WorkSeal::new(bits)
                .unwrap_or_else(|error| unreachable!("16 zero bits are a target: {error}")),
            stake: StakeSeal::new(1, validators),
            authority: AuthoritySeal::new(1, authorities),
        }
    }
}

/// Returns the rule by which the block at a height counts.
pub const fn kind_at(height: u64) -> ClaimKind {
    match height {
        ..=WORK_UNTIL => ClaimKind::WORK,
        _ if height <= STAKE_UNTIL => ClaimKind::STAKE,
        _ => ClaimKind::AUTHORITY,
    }
}

/// Returns the evidence that a block puts on record.
pub fn evidence_in(block: &Block<'_>) -> Vec<Equivocation> {
    let records = block.body().iter().filter_map(|signed| match signed.transaction().action {
        Action::Record(bytes) => Equivocation::decode(bytes).ok().map(|(evidence, _)| evidence),
        _ => None,
    });
    records.collect()
}

/// Coins and records; evidence on record costs the offender its stake and its office.
#[derive(Debug, Clone, Copy)]
pub struct TourLedger;

impl Ledger for TourLedger {
    fn digest(&self) -> Hash {
        Hash::of(b"tour 1: standard, with evidence in records")
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        if let Action::Record(bytes) = transaction.action
            && let Ok((evidence, _)) = Equivocation::decode(bytes)
            && is_of_chain(&evidence, &context.genesis)
        {
            view.effect(Effect { kind: SLASH, subject: evidence.offender().0, amount: 0 })?;
        }
        Standard.apply(context, view, transaction)
    }
}

/// Returns whether the offence was committed on this chain. The same key may be an authority of another one.
fn is_of_chain(evidence: &Equivocation, genesis: &GenesisId) -> bool {
    evidence.statements().iter().all(|signed| signed.statement.genesis == *genesis.as_bytes())
}

impl Engine for Schedule {
    type Error = RuleError;

    fn digest(&self) -> Hash {
        let parts = [self.work.digest(), self.stake.digest(), self.authority.digest()];
        Hash::of(parts.map(|digest| *digest.as_bytes()).as_flattened())
    }

    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<RuleError>> {
        let stake = &self.stake;
        let authority = &self.authority;
        match kind_at(header.height.0) {
            ClaimKind::WORK => {
                let checked = self.work.check(branch, header, proof, now);
                checked.map_err(|refused| refused.map(RuleError::Work))
            }
            ClaimKind::STAKE => stake
                .check(branch, header, proof, now)
                .map_err(|refused| refused.map(RuleError::Seal)),
            _ => authority
                .check(branch, header, proof, now)
                .map_err(|refused| refused.map(RuleError::Seal)),
        }
    }

    fn apply(&mut self, header: &Header, effects: &Effects) {
        self.stake.apply(header, effects);
        self.authority.apply(header, effects);
    }

    fn depends_on_effects(&self) -> bool {
        true
    }
}
