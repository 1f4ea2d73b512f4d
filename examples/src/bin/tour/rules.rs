//! The chain of the tour: its first block, and a rule that changes with the height from work to stake to
//! authority. The ledger knows none of them; it knows a seal.

use core::fmt;

use consensus::{
    Authorities, AuthoritySeal, AuthoritySlot, Equivocation, SealError, StakeSeal, ValidatorId,
    ValidatorSet, ValidatorSlot,
};
use ledger_core::{
    Account, Action, Block, Chain, ChainId, ConfigError, Genesis, Header, KeyPair, Rules, Seal,
    SealKind, Slot, Tip, Weight,
};
use pow::{Target, WorkError, WorkSeal};
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

pub type TourChain = Chain<Schedule, Vec<Slot>>;

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
    pub stake: StakeSeal<Vec<ValidatorSlot>>,
    pub authority: AuthoritySeal<Vec<AuthoritySlot>>,
}

/// Why a block does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleError {
    Work(WorkError),
    Seal(SealError),
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
        ValidatorId(*self.wallet.account().as_bytes())
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

    /// Returns a chain that consists of the first block.
    pub fn chain(&self) -> Result<TourChain, ConfigError> {
        let genesis = Genesis { chain: ChainId(1), time: self.time, allocation: &self.allocation };
        let slots = vec![Slot::EMPTY; self.allocation.len() * 3];
        let mut rules = Rules::default();
        rules.subsidy = SUBSIDY;
        Chain::new(rules, self.schedule(), &genesis, slots)
    }

    fn schedule(&self) -> Schedule {
        let mut validators = ValidatorSet::new(vec![ValidatorSlot::EMPTY; self.stakes.len()]);
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

/// Returns how the block at a height is sealed.
pub const fn kind_at(height: u64) -> SealKind {
    match height {
        ..=WORK_UNTIL => SealKind::WORK,
        _ if height <= STAKE_UNTIL => SealKind::STAKE,
        _ => SealKind::AUTHORITY,
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

impl Seal for Schedule {
    type Error = RuleError;

    fn weigh(&self, parent: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, RuleError> {
        Ok(match kind_at(header.height.0) {
            SealKind::WORK => self.work.weigh(parent, header, seal).map_err(RuleError::Work)?,
            SealKind::STAKE => self.stake.weigh(parent, header, seal).map_err(RuleError::Seal)?,
            _ => self.authority.weigh(parent, header, seal).map_err(RuleError::Seal)?,
        })
    }

    /// Whoever is convicted by evidence on record loses its stake, and its office.
    fn appended(&mut self, block: &Block<'_>) {
        if block.header().seal_kind == SealKind::AUTHORITY {
            self.authority.appended(block);
        }
        for evidence in evidence_in(block) {
            let _ = self.stake.validators_mut().set_stake(evidence.offender(), 0);
            let _ = self.authority.authorities_mut().remove(&evidence.offender());
        }
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Work(error) => error.fmt(f),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RuleError {}
