//! Detection of equivocation: statements of one validator that contradict each other.

use core::cmp::Reverse;
use core::ops::RangeInclusive;

use super::evidence::{Equivocation, EvidenceError};
use super::statement::{SignedStatement, Statement, StatementKind};
use crate::id::ValidatorId;

/// Remembers the latest signed statements and turns contradictions into evidence. Any
/// `AsRef<[StatementSlot]> + AsMut<[StatementSlot]>` serves as storage.
///
/// Nobody can blind it:
///
/// - Only statements of validators are remembered. The check for that comes before the signature.
/// - Only statements of one chain and of the slots of a window are remembered once [`set_window`](Self::set_window) was
///   called. Without a window a validator can fill its share with far slots or other chains, and hide its own offence.
/// - When all slots are in use, the validator with the most statements loses one: of its highest round, and among these
///   of the lowest slot. Nobody displaces the statements of others beyond a fair share, and statements of round 0 are
///   the last to go.
///
/// Provide as many slots as there are validators times the statements that each may sign in the window. What is found
/// does not depend on the order of arrival as long as nothing was replaced.
///
/// ```
/// use consensus::{
///     Ed25519Key, EquivocationDetector, Keys, OffenceKind, SignedStatement, Statement, StatementSlot,
/// };
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 8]);
/// detector.set_window(&[0xC0; 32], 1..=5); // slot 5 has begun
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
    window: Window,
    slots: S,
}

/// Which statements are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// `None`: those of all chains.
    genesis: Option<[u8; 32]>,
    first: u64,
    last: u64,
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

    fn author(&self) -> Option<ValidatorId> {
        self.0.map(|known| known.author)
    }

    /// The greatest is replaced first: the highest round, then the lowest slot.
    fn rank(&self) -> Option<(u32, Reverse<u64>)> {
        self.0.map(|known| (known.statement.round, Reverse(known.statement.slot)))
    }
}

impl Window {
    const ALL: Self = Self { genesis: None, first: 0, last: u64::MAX };

    fn check(&self, statement: &Statement) -> Result<(), EvidenceError> {
        let slot = statement.slot;
        if self.genesis.is_some_and(|genesis| genesis != statement.genesis) {
            return Err(EvidenceError::OtherChain);
        }
        if slot > self.last {
            return Err(EvidenceError::NotYet { slot, last: self.last });
        }
        if slot < self.first {
            return Err(EvidenceError::Expired { slot, first: self.first });
        }
        Ok(())
    }
}

impl<S: AsRef<[StatementSlot]> + AsMut<[StatementSlot]>> EquivocationDetector<S> {
    /// Creates a detector and clears the slots.
    pub fn new(mut slots: S) -> Self {
        slots.as_mut().fill(StatementSlot::EMPTY);
        Self { window: Window::ALL, slots }
    }

    /// Creates a detector that continues with the statements in the slots. It has no window yet.
    pub const fn resume(slots: S) -> Self {
        Self { window: Window::ALL, slots }
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[StatementSlot]> + AsMut<[StatementSlot]> + ?Sized> EquivocationDetector<S> {
    /// Remembers a statement, and returns evidence if it contradicts an earlier one. Costs O(n log n), and O(n) as long as
    /// a slot is free.
    ///
    /// `is_validator` returns whether an author can be punished: whether it was a validator in the slot of the statement.
    /// The same statement again changes nothing, and a contradiction again gives the same evidence.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::OtherChain`], [`EvidenceError::Expired`] or [`EvidenceError::NotYet`] if the statement is outside of
    /// the window, [`EvidenceError::Stranger`] if the author is not a validator, [`EvidenceError::Forged`] if it did not
    /// sign the statement. The detector is unchanged.
    pub fn observe(
        &mut self,
        signed: &SignedStatement,
        is_validator: impl FnOnce(&ValidatorId) -> bool,
    ) -> Result<Option<Equivocation>, EvidenceError> {
        self.window.check(&signed.statement)?;
        if !is_validator(&signed.author) {
            return Err(EvidenceError::Stranger(signed.author));
        }
        signed.verify().map_err(|_| EvidenceError::Forged(signed.author))?;
        observe(self.slots.as_mut(), signed)
    }

    /// Refuses from now on the statements of other chains and of other slots, and forgets those that it remembers.
    ///
    /// Call it with each new slot. Begin the window with the oldest slot whose offences can be punished, which the time of
    /// unbonding bounds. End it with the slot of the clock, or one later if clocks differ. An empty window refuses all.
    pub fn set_window(&mut self, genesis: &[u8; 32], slots: RangeInclusive<u64>) {
        self.window = Window { genesis: Some(*genesis), first: *slots.start(), last: *slots.end() };
        for known in self.slots.as_mut() {
            known.0 = known.0.take_if(|signed| self.window.check(&signed.statement).is_ok());
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
        let contradiction = Equivocation::contradiction(known, signed)?;
        return Ok(Some(Equivocation::of_verified(known, signed, contradiction)));
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
    let own = statements_of(slots, signed.author).count();
    slots.sort_unstable_by_key(StatementSlot::author);
    let runs = slots.chunk_by_mut(|one, two| one.author() == two.author());
    let Some(most) = runs.max_by_key(|run| run.len()) else { return };
    // The author itself if it has as many as anyone.
    if own < most.len() {
        if let Some(worst) = most.iter_mut().max_by_key(|slot| slot.rank()) {
            worst.0 = Some(*signed);
        }
        return;
    }
    let is_own = |slot: &&mut StatementSlot| slot.author() == Some(signed.author);
    let worst = slots.iter_mut().filter(is_own).max_by_key(|slot| slot.rank());
    let new = StatementSlot(Some(*signed));
    if let Some(worst) = worst.filter(|worst| worst.rank() > new.rank()) {
        *worst = new;
    }
}

fn statements_of(
    slots: &[StatementSlot],
    author: ValidatorId,
) -> impl Iterator<Item = &SignedStatement> + Clone {
    slots.iter().filter_map(|slot| slot.0.as_ref()).filter(move |known| known.author == author)
}
