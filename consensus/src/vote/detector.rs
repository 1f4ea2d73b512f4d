//! Detection of equivocation: statements of one validator that contradict each other.

use super::evidence::{Equivocation, EvidenceError};
use super::statement::{SignedStatement, Statement, StatementKind};
use crate::id::ValidatorId;

/// Remembers the latest signed statements and turns contradictions into evidence. Any
/// `AsRef<[StatementSlot]> + AsMut<[StatementSlot]>` serves as storage.
///
/// Strangers cannot blind it: only statements of validators are remembered, and the check for that comes before
/// the signature. When all slots are in use, the validator with the most statements loses the one with its
/// lowest slot, so that nobody displaces the statements of others beyond a fair share. Provide as many slots
/// as there are validators times the slots that matter. What is found does not depend on the order of arrival
/// as long as nothing was replaced.
///
/// ```
/// use consensus::{
///     Ed25519Key, EquivocationDetector, Keys, OffenceKind, SignedStatement, Statement, StatementSlot,
/// };
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 8]);
/// let mut found = None;
/// for digest in [[0xAA; 32], [0xBB; 32]] {
///     let statement = Statement::propose([0xC0; 32], 5, 0, digest);
///     let signature = key.sign(&statement.to_bytes());
///     let signed = SignedStatement { statement, author: key.id(), signature };
///     found = detector.observe(&signed, |author| *author == key.id())?;
/// }
/// let offence = found.expect("two blocks in one slot").offence();
/// assert_eq!(offence.kind, OffenceKind::DoubleProposal);
/// # Ok::<(), consensus::EvidenceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquivocationDetector<S: ?Sized> {
    slots: S,
}

/// Storage for one statement: 192 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatementSlot(Option<SignedStatement>);

/// The statements that a detector remembers. Created by [`EquivocationDetector::iter`].
#[derive(Debug, Clone)]
pub struct Statements<'a>(core::slice::Iter<'a, StatementSlot>);

impl StatementSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl<S: AsRef<[StatementSlot]> + AsMut<[StatementSlot]>> EquivocationDetector<S> {
    /// Creates a detector and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(StatementSlot::EMPTY);
        Self { slots }
    }

    /// Creates a detector that continues with the statements in the slots.
    pub const fn resume(slots: S) -> Self {
        Self { slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[StatementSlot]> + AsMut<[StatementSlot]> + ?Sized> EquivocationDetector<S> {
    /// Remembers a statement, and returns evidence if it contradicts an earlier one. Costs O(n), and O(n^2) if
    /// all slots are in use.
    ///
    /// `is_validator` returns whether an author can be punished. The same statement again changes nothing, and
    /// a contradiction again gives the same evidence.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Stranger`] if the author is not a validator, [`EvidenceError::Forged`] if it did not
    /// sign the statement. The detector is unchanged.
    pub fn observe(
        &mut self,
        signed: &SignedStatement,
        is_validator: impl FnOnce(&ValidatorId) -> bool,
    ) -> Result<Option<Equivocation>, EvidenceError> {
        if !is_validator(&signed.author) {
            return Err(EvidenceError::Stranger(signed.author));
        }
        signed.verify().map_err(|_| EvidenceError::Forged(signed.author))?;
        observe(self.slots.as_mut(), signed)
    }

    /// Forgets the statements of slots before `slot`, whose offences are too old to be punished.
    pub fn forget_before(&mut self, slot: u64) {
        for known in self.slots.as_mut() {
            known.0 = known.0.take_if(|signed| signed.statement.slot >= slot);
        }
    }
}

impl<S: AsRef<[StatementSlot]> + ?Sized> EquivocationDetector<S> {
    /// Returns the statements that are remembered.
    pub fn iter(&self) -> Statements<'_> {
        Statements(self.slots.as_ref().iter())
    }

    /// Returns the number of slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.as_ref().len()
    }
}

impl<'a, S: AsRef<[StatementSlot]> + ?Sized> IntoIterator for &'a EquivocationDetector<S> {
    type Item = &'a SignedStatement;
    type IntoIter = Statements<'a>;

    fn into_iter(self) -> Statements<'a> {
        self.iter()
    }
}

impl<'a> Iterator for Statements<'a> {
    type Item = &'a SignedStatement;

    fn next(&mut self) -> Option<&'a SignedStatement> {
        self.0.find_map(|slot| slot.0.as_ref())
    }
}

/// Compiled once for all storages.
fn observe(
    slots: &mut [StatementSlot],
    signed: &SignedStatement,
) -> Result<Option<Equivocation>, EvidenceError> {
    let mut known = statements_of(slots, signed.author);
    let contradicts =
        |known: &&SignedStatement| known.statement.contradiction(&signed.statement).is_some();
    if let Some(known) = known.clone().find(contradicts) {
        return Equivocation::of_verified(known, signed).map(Some);
    }
    let is_repeated = known.any(|known| repeats(&known.statement, &signed.statement));
    drop(known);
    if !is_repeated {
        remember(slots, signed);
    }
    Ok(None)
}

/// Returns whether a statement adds nothing to an earlier one that it does not contradict.
fn repeats(known: &Statement, other: &Statement) -> bool {
    let same_kind = match (known.kind, other.kind) {
        (StatementKind::Propose { .. }, StatementKind::Propose { .. }) => true,
        (known, other) => known == other,
    };
    let is_attestation = matches!(known.kind, StatementKind::Attest { .. });
    let same_round = is_attestation || known.round == other.round;
    same_kind && same_round && known.genesis == other.genesis && known.slot == other.slot
}

fn remember(slots: &mut [StatementSlot], signed: &SignedStatement) {
    if let Some(slot) = slots.iter_mut().find(|slot| slot.0.is_none()) {
        slot.0 = Some(*signed);
        return;
    }
    let count = |author| statements_of(slots, author).count();
    let authors = slots.iter().filter_map(|slot| slot.0.map(|known| known.author));
    let Some(most) = authors.max_by_key(|author| count(*author)) else { return };
    // The author itself if it has as many as anyone.
    let from = if count(signed.author) < count(most) { most } else { signed.author };
    let Some(lowest) = statements_of(slots, from).map(|known| known.statement.slot).min() else {
        return;
    };
    if from == signed.author && signed.statement.slot < lowest {
        return;
    }
    let is_lowest = |slot: &&mut StatementSlot| {
        slot.0.is_some_and(|known| known.author == from && known.statement.slot == lowest)
    };
    if let Some(slot) = slots.iter_mut().find(is_lowest) {
        slot.0 = Some(*signed);
    }
}

fn statements_of(
    slots: &[StatementSlot],
    author: ValidatorId,
) -> impl Iterator<Item = &SignedStatement> + Clone {
    slots.iter().filter_map(|slot| slot.0.as_ref()).filter(move |known| known.author == author)
}
