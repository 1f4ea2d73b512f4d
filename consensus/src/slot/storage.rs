//! What an FFG machine keeps of each validator.

use core::fmt;

use crate::error::ConfigError;
use crate::hex::Hex;
use crate::id::ValidatorId;
use crate::sort::sort_by_key;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// Storage for one validator: 640 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttesterSlot {
    pub(super) id: ValidatorId,
    pub(super) stake: u64,
    /// The attestations with the greatest targets, the greatest first.
    pub(super) latest: [Option<Attestation>; 2],
    /// The attestation that counted for the justified checkpoint, or an earlier one than the latest that may justify a
    /// checkpoint which this machine has missed.
    pub(super) support: Option<Attestation>,
    /// Two attestations that contradict each other: an event that was not polled yet.
    pub(super) contradiction: Option<[Attestation; 2]>,
    /// Evidence against it was found.
    pub(super) offended: bool,
    /// The latest attestation is to be sent: this validator's own.
    pub(super) is_due: bool,
    /// `support` is to be sent, to validators that have missed the justified checkpoint.
    pub(super) is_support_due: bool,
}

/// A signed link between two checkpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Attestation {
    pub(super) source: u64,
    pub(super) target: u64,
    pub(super) digest: [u8; 32],
    pub(super) signature: [u8; 64],
}

/// What becomes of an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is known, or too old to matter.
    Ignored,
    /// It is one of the two with the greatest targets.
    Latest,
    /// It may justify a checkpoint.
    Support,
}

impl AttesterSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        id: ValidatorId([0; 32]),
        stake: 0,
        latest: [None; 2],
        support: None,
        contradiction: None,
        offended: false,
        is_due: false,
        is_support_due: false,
    };

    /// Returns the attestations that are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Attestation> + Clone {
        self.latest.iter().chain([&self.support]).flatten()
    }

    /// Returns what becomes of an attestation that this validator is said to have signed, when the checkpoint of slot
    /// `justified` is the last one that is justified.
    ///
    /// One that contradicts another counts for its own link, as in the paper: a validator that attests differently to
    /// different nodes must not keep a node from a checkpoint that others hold justified.
    pub(super) fn fate_of(&self, new: &Attestation, justified: u64) -> Fate {
        if self.kept().any(|known| known.same_vote(new)) {
            return Fate::Ignored;
        }
        let [_, older] = &self.latest;
        let is_late = older.is_some_and(|older| new.target < older.target);
        if !is_late && self.contradicted_by(new).is_none() {
            return Fate::Latest;
        }
        let is_greatest = self.support.is_none_or(|support| support.target <= new.target);
        if new.target > justified && is_greatest { Fate::Support } else { Fate::Ignored }
    }

    /// Returns an attestation that contradicts this one.
    pub(super) fn contradicted_by(&self, new: &Attestation) -> Option<Attestation> {
        self.kept().find(|known| known.contradicts(new)).copied()
    }

    /// Keeps an attestation as its fate requires.
    pub(super) fn keep(&mut self, new: Attestation, fate: Fate) {
        let [first, second] = &mut self.latest;
        match fate {
            Fate::Ignored => {}
            Fate::Support => {
                self.support = Some(new);
                self.is_support_due = false;
            }
            Fate::Latest if first.is_some_and(|first| new.target < first.target) => {
                *second = Some(new);
            }
            Fate::Latest => *second = first.replace(new),
        }
    }
}

impl Attestation {
    pub(super) fn signed(&self, genesis: [u8; 32], author: ValidatorId) -> SignedStatement {
        let statement = self.statement(genesis);
        SignedStatement { statement, author, signature: self.signature }
    }

    pub(super) const fn statement(&self, genesis: [u8; 32]) -> Statement {
        let kind = StatementKind::Attest { source: self.source };
        Statement::new(genesis, kind, self.target, 0, self.digest)
    }

    pub(super) fn same_vote(&self, other: &Self) -> bool {
        self.source == other.source && self.target == other.target && self.digest == other.digest
    }

    fn contradicts(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|it| it.statement([0; 32]));
        one.contradiction(&two).is_some()
    }
}

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} {:.16}", self.source, self.target, Hex(&self.digest))
    }
}

/// Fills the slots, which are empty, in the order of ids and returns the total stake.
pub(super) fn fill(
    slots: &mut [AttesterSlot],
    validators: &[(ValidatorId, u64)],
) -> Result<u64, ConfigError> {
    let found = validators.len();
    let capacity = slots.len();
    if validators.is_empty() {
        return Err(ConfigError::NoValidators);
    }
    let slots = slots.get_mut(..found);
    let slots = slots.ok_or(ConfigError::TooManyValidators { found, capacity })?;
    let mut total = 0_u64;
    for (slot, (id, stake)) in slots.iter_mut().zip(validators) {
        if *stake == 0 {
            return Err(ConfigError::NoPower(*id));
        }
        total = total.checked_add(*stake).ok_or(ConfigError::TooMuchPower)?;
        slot.id = *id;
        slot.stake = *stake;
    }
    sort_by_key(slots, |slot| slot.id);
    let mut neighbours = slots.iter().zip(slots.iter().skip(1));
    match neighbours.find(|(one, two)| one.id == two.id) {
        Some((one, _)) => Err(ConfigError::Duplicate(one.id)),
        None => Ok(total),
    }
}
