//! What an FFG machine keeps of each validator.

use core::fmt;

use crate::hex::Hex;
use crate::id::ValidatorId;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// Storage for one validator: 520 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttesterSlot {
    pub(super) id: ValidatorId,
    pub(super) stake: u64,
    /// The attestations with the greatest targets, the greatest first.
    pub(super) latest: [Option<Attestation>; 2],
    /// Two attestations that contradict each other: an event that was not polled yet.
    pub(super) contradiction: Option<[Attestation; 2]>,
    /// Evidence against it was found.
    pub(super) offended: bool,
    /// The latest own attestation is to be sent.
    pub(super) is_due: bool,
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
    /// It is known, or older than what is kept.
    Ignored,
    /// It contradicts this one.
    Contradicts(Attestation),
    /// It is kept.
    Kept,
}

impl AttesterSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        id: ValidatorId([0; 32]),
        stake: 0,
        latest: [None; 2],
        contradiction: None,
        offended: false,
        is_due: false,
    };

    /// Returns what becomes of an attestation that this validator is said to have signed.
    pub(super) fn fate_of(&self, new: &Attestation) -> Fate {
        let mut kept = self.latest.iter().flatten();
        if kept.clone().any(|known| known.same_vote(new)) {
            return Fate::Ignored;
        }
        if let Some(known) = kept.find(|known| known.contradicts(new)) {
            return if self.offended { Fate::Ignored } else { Fate::Contradicts(*known) };
        }
        let [_, older] = &self.latest;
        let is_late = older.is_some_and(|older| new.target < older.target);
        if is_late { Fate::Ignored } else { Fate::Kept }
    }

    /// Keeps an attestation whose fate is that.
    pub(super) fn keep(&mut self, new: Attestation) {
        let [first, second] = &mut self.latest;
        if first.is_some_and(|first| new.target < first.target) {
            *second = Some(new);
            return;
        }
        *second = first.replace(new);
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

    fn same_vote(&self, other: &Self) -> bool {
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
