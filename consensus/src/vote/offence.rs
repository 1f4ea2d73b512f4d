//! Offences: what a validator is punished for, once each.

use core::fmt;
use core::ops::Range;

use super::statement::{Statement, StatementKind};
use crate::id::ValidatorId;
use crate::select::selector::Selector;

/// The identity of an offence. One offence can be proved by many pairs of statements; punish each `Offence` once.
///
/// ```
/// use consensus::{OffenceKind, Statement};
///
/// let [one, two] = [1, 2].map(|n| Statement::propose([0xC0; 32], 5, 0, [n; 32]));
/// let (kind, slot) = one.contradiction(&two).expect("two blocks in one slot");
/// assert_eq!((kind, slot), (OffenceKind::DoubleProposal, 5));
/// assert!(kind.is_slashable());
/// assert!(!OffenceKind::Skipped.is_slashable());
/// ```
#[expect(clippy::exhaustive_structs, reason = "the three fields are the identity")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Offence {
    /// The offender.
    pub author: ValidatorId,
    /// What it did.
    pub kind: OffenceKind,
    /// The slot or height; of a surrounding vote, its target.
    pub slot: u64,
}

/// What a validator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum OffenceKind {
    /// It proposed two blocks in one round of one slot. Two statements prove it.
    DoubleProposal,
    /// It cast two votes of one kind in one round of one slot. Two statements prove it.
    DoubleVote,
    /// One of its attestations surrounds another. Two statements prove it.
    Surround,
    /// It proposed when it was not its turn. Needs the validators of that slot to judge.
    OutOfTurn,
    /// It signed one of the latest blocks of the same branch (EIP-225). Needs the branch to judge.
    SignedRecently,
    /// It let its turn pass. Benign: it may have been offline.
    Skipped,
}

/// The turns that passed without a block. Created by [`Offence::skipped`].
#[derive(Debug, Clone)]
pub struct SkippedTurns<'a, P: ?Sized> {
    selector: &'a P,
    slots: Range<u64>,
}

impl Offence {
    /// Returns the offence of an author that proposed in a slot which is another validator's, by a selector without
    /// stand-ins.
    ///
    /// ```
    /// use consensus::{Offence, OffenceKind, RoundRobin, ValidatorId};
    ///
    /// let [ann, ben] = [1, 2].map(|n| ValidatorId([n; 32]));
    /// let turns = RoundRobin::new([ann, ben]);
    /// assert_eq!(Offence::out_of_turn(&turns, ben, 5), None, "5 mod 2 is 1");
    /// let offence = Offence::out_of_turn(&turns, ann, 5).expect("it is the turn of ben");
    /// assert_eq!(offence.kind, OffenceKind::OutOfTurn);
    /// let mut skipped = Offence::skipped(&turns, 5, 7); // block 5, then block 7
    /// assert_eq!(skipped.next().map(|offence| offence.author), Some(ann));
    /// assert_eq!(skipped.next(), None);
    /// ```
    pub fn out_of_turn(
        selector: &(impl Selector + ?Sized),
        author: ValidatorId,
        slot: u64,
    ) -> Option<Self> {
        let is_its_turn = selector.select(slot, 0) == Some(author);
        (!is_its_turn).then_some(Self { author, kind: OffenceKind::OutOfTurn, slot })
    }

    /// Returns the turns between a block and its parent, in which nobody proposed.
    pub const fn skipped<P: Selector + ?Sized>(
        selector: &P,
        parent: u64,
        slot: u64,
    ) -> SkippedTurns<'_, P> {
        SkippedTurns { selector, slots: parent.saturating_add(1)..slot }
    }
}

impl<P: Selector + ?Sized> Iterator for SkippedTurns<'_, P> {
    type Item = Offence;

    fn next(&mut self) -> Option<Offence> {
        let slot = self.slots.next()?;
        let author = self.selector.select(slot, 0)?;
        Some(Offence { author, kind: OffenceKind::Skipped, slot })
    }
}

impl OffenceKind {
    /// Returns whether it can be malice only, so that a stake may be lost for it.
    #[must_use]
    pub const fn is_slashable(self) -> bool {
        matches!(self, Self::DoubleProposal | Self::DoubleVote | Self::Surround)
    }
}

impl Statement {
    /// Returns the offence of an author that signs both statements, or `None` if they do not contradict each other.
    /// The order does not matter. The second value is the slot of the [`Offence`].
    #[must_use]
    pub fn contradiction(&self, other: &Self) -> Option<(OffenceKind, u64)> {
        if self.genesis != other.genesis {
            return None;
        }
        let same_round = self.slot == other.slot && self.round == other.round;
        let same_digest = self.digest == other.digest;
        match (self.kind, other.kind) {
            (StatementKind::Propose { .. }, StatementKind::Propose { .. }) => {
                (same_round && !same_digest).then_some((OffenceKind::DoubleProposal, self.slot))
            }
            (StatementKind::Prevote, StatementKind::Prevote)
            | (StatementKind::Precommit, StatementKind::Precommit) => {
                (same_round && !same_digest).then_some((OffenceKind::DoubleVote, self.slot))
            }
            (StatementKind::Attest { source: one }, StatementKind::Attest { source: two }) => {
                attestation_offence(
                    Link { source: one, target: self.slot },
                    Link { source: two, target: other.slot },
                    same_digest,
                )
            }
            _ => None,
        }
    }
}

/// An attestation's link from its source to its target.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link {
    source: u64,
    target: u64,
}

impl Link {
    const fn surrounds(self, other: Self) -> bool {
        self.source < other.source && other.target < self.target
    }
}

fn attestation_offence(one: Link, two: Link, same_digest: bool) -> Option<(OffenceKind, u64)> {
    if one.target == two.target {
        let differ = one.source != two.source || !same_digest;
        return differ.then_some((OffenceKind::DoubleVote, one.target));
    }
    let surround = one.surrounds(two) || two.surrounds(one);
    surround.then_some((OffenceKind::Surround, one.target.max(two.target)))
}

impl fmt::Display for OffenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DoubleProposal => "double proposal",
            Self::DoubleVote => "double vote",
            Self::Surround => "surrounding vote",
            Self::OutOfTurn => "proposal out of turn",
            Self::SignedRecently => "signed too soon",
            Self::Skipped => "skipped turn",
        })
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {:.16} in slot {}", self.kind, self.author, self.slot)
    }
}
