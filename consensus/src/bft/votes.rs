//! The statements of the validators: what is kept of each, and how they count.

use super::storage::{PeerSlot, RelativeHeight, VoteKind, VoteRole, VoteSlot};
use crate::quorum::{OverTwoThirds, Quorum as _};
use crate::vote::statement::Statement;

/// The statements of all validators, a fixed number of slots for each, so that nobody displaces those of others.
pub(super) struct Votes<'a> {
    pub(super) peers: &'a [PeerSlot],
    pub(super) slots: &'a [VoteSlot],
    pub(super) per_peer: usize,
    pub(super) total: u64,
}

/// The rounds that matter for what is kept.
pub(super) struct Rounds {
    pub(super) current: u32,
    /// Rounds whose prevotes justify a value.
    pub(super) justifying: [Option<u32>; 3],
}

impl<'a> Votes<'a> {
    /// Returns whether a quorum of `kind` in `round` satisfies the condition.
    pub(super) fn has_quorum(
        &self,
        kind: VoteKind,
        round: u32,
        condition: impl Fn(&VoteSlot) -> bool,
    ) -> bool {
        let weight = self
            .of_round(kind, round)
            .filter(|(_, vote)| condition(vote))
            .fold(0_u64, |sum, (power, _)| sum.saturating_add(power));
        self.is_quorum(weight)
    }

    /// Returns whether a quorum has voted in `round`, whatever for, or is in a later round.
    ///
    /// The timeouts of lines 34 and 47 depend on this. Without the validators in later rounds they would depend on votes
    /// that a faulty validator sent to some nodes only: those move on, and the others would wait for ever.
    pub(super) fn has_quorum_of_any(&self, kind: VoteKind, round: u32) -> bool {
        let peers = self.peers.iter().zip(self.slots.chunks(self.per_peer.max(1)));
        let weight = peers
            .filter(|(peer, slots)| {
                let has_voted = slots.iter().any(|slot| slot.is_counted(kind, round));
                has_voted || peer.round > Some(round)
            })
            .fold(0_u64, |sum, (peer, _)| sum.saturating_add(peer.power));
        self.is_quorum(weight)
    }

    fn is_quorum(&self, weight: u64) -> bool {
        #[cfg(test)]
        let weight = mutated(weight, self.total);
        OverTwoThirds::is_reached(weight, self.total)
    }

    /// Returns the digest that a quorum of `kind` in `round` is for.
    pub(super) fn quorum_value(&self, kind: VoteKind, round: u32) -> Option<[u8; 32]> {
        let candidate = self.candidate(kind, round)?;
        self.has_quorum(kind, round, |vote| vote.digest == candidate).then_some(candidate)
    }

    /// Returns the only digest that can have more than half of the weight (Boyer and Moore, "A fast majority vote
    /// algorithm", 1981).
    fn candidate(&self, kind: VoteKind, round: u32) -> Option<[u8; 32]> {
        let mut candidate = None;
        let mut lead = 0_u64;
        for (power, vote) in self.of_round(kind, round) {
            if candidate == Some(vote.digest) {
                lead = lead.saturating_add(power);
            } else if power > lead {
                candidate = Some(vote.digest);
                lead = power.saturating_sub(lead);
            } else {
                lead = lead.saturating_sub(power);
            }
        }
        candidate
    }

    /// Returns the votes that count, at most one of each validator, with its power.
    fn of_round(
        &self,
        kind: VoteKind,
        round: u32,
    ) -> impl Iterator<Item = (u64, &'a VoteSlot)> + use<'a> {
        let peers = self.peers.iter();
        peers.zip(self.slots.chunks(self.per_peer.max(1))).filter_map(move |(peer, slots)| {
            let vote = slots.iter().find(|slot| slot.is_counted(kind, round))?;
            Some((peer.power, vote))
        })
    }
}

impl VoteSlot {
    /// Returns whether this is a statement of this kind and round of the current height that counts.
    pub(super) fn is_counted(&self, kind: VoteKind, round: u32) -> bool {
        self.kind == kind
            && self.round == round
            && self.height == RelativeHeight::Current
            && self.role != VoteRole::Contradicting
    }
}

/// Counts a vote of a quarter too much, or takes half for enough: mistakes that the simulation has to notice.
#[cfg(test)]
fn mutated(weight: u64, total: u64) -> u64 {
    use super::mutation::{Mutation, is_active};
    if is_active(Mutation::CountTwice) && weight > 0 {
        return weight.saturating_add(total / 4);
    }
    let is_half = weight.saturating_mul(2) >= total;
    if is_active(Mutation::SmallQuorum) && is_half { total } else { weight }
}

/// Puts a statement into the slots of its author and returns whether it is kept. A full set of slots loses the
/// statement that matters least.
pub(super) fn insert(slots: &mut [VoteSlot], vote: VoteSlot, rounds: &Rounds) -> bool {
    let least = slots.iter_mut().min_by_key(|slot| rounds.rank(slot));
    let Some(slot) = least else { return false };
    let is_kept = rounds.displaces(&vote, slot);
    if is_kept {
        *slot = vote;
    }
    is_kept
}

impl Rounds {
    /// Returns whether a statement takes the slot of another. A precommit for a block always finds one, so that a
    /// certificate can be counted whatever its signers sent besides.
    pub(super) fn displaces(&self, vote: &VoteSlot, slot: &VoteSlot) -> bool {
        let is_decisive = vote.kind == VoteKind::Precommit
            && vote.height == RelativeHeight::Current
            && vote.digest != Statement::NIL;
        let rank = self.rank(slot);
        rank < self.rank(vote) || (is_decisive && rank.0 < 7)
    }

    /// Returns how much a statement matters, and within that its round.
    pub(super) fn rank(&self, vote: &VoteSlot) -> (u8, u32) {
        let is_justifying =
            vote.kind == VoteKind::Prevote && self.justifying.contains(&Some(vote.round));
        match (vote.kind, vote.role, vote.height) {
            (VoteKind::Free, ..) => (0, 0),
            (_, VoteRole::Contradicted | VoteRole::Contradicting, _) => (9, 0),
            (.., RelativeHeight::Previous) => (1, 0),
            // A validator that moves on begins at round 0.
            (.., RelativeHeight::Next) => (3, u32::MAX.saturating_sub(vote.round)),
            _ if vote.round == self.current => (8, 0),
            _ if is_justifying => (7, 0),
            (VoteKind::Precommit, ..) if vote.round < self.current => (6, vote.round),
            _ if vote.round > self.current => (5, vote.round),
            _ => (2, vote.round),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: Rounds = Rounds { current: 5, justifying: [Some(2), None, None] };

    fn vote(kind: VoteKind, height: RelativeHeight, round: u32) -> VoteSlot {
        let role = VoteRole::Counted;
        VoteSlot { kind, height, role, round, digest: [1; 32], ..VoteSlot::EMPTY }
    }

    fn current(kind: VoteKind, round: u32) -> VoteSlot {
        vote(kind, RelativeHeight::Current, round)
    }

    /// When the slots of a validator are full, the first of these gives way to the others.
    #[test]
    fn what_matters_least_stands_first() {
        let contradiction =
            VoteSlot { role: VoteRole::Contradicted, ..current(VoteKind::Prevote, 1) };
        let order = [
            VoteSlot::EMPTY,
            vote(VoteKind::Precommit, RelativeHeight::Previous, 9),
            current(VoteKind::Prevote, 3), // of a round that is over
            current(VoteKind::Propose, 4),
            vote(VoteKind::Prevote, RelativeHeight::Next, 1),
            vote(VoteKind::Prevote, RelativeHeight::Next, 0), // with which the next height begins
            current(VoteKind::Prevote, 6),
            current(VoteKind::Prevote, 7),
            current(VoteKind::Precommit, 8), // of a later round, like a prevote
            current(VoteKind::Precommit, 3), // a quorum of a round that is over still decides
            current(VoteKind::Precommit, 4),
            current(VoteKind::Prevote, 2), // justifies a proposal
            current(VoteKind::Prevote, 5),
            contradiction,
        ];
        for (at, lesser) in order.iter().enumerate() {
            for greater in order.iter().skip(at + 1) {
                assert!(ROUNDS.rank(lesser) < ROUNDS.rank(greater), "{lesser:?} {greater:?}");
                assert!(ROUNDS.displaces(greater, lesser), "{greater:?} {lesser:?}");
            }
            assert!(!ROUNDS.displaces(lesser, lesser) || lesser.kind == VoteKind::Precommit);
        }
        for role in [VoteRole::Contradicted, VoteRole::Contradicting] {
            let half = VoteSlot { role, ..vote(VoteKind::Prevote, RelativeHeight::Previous, 0) };
            assert_eq!(ROUNDS.rank(&half), ROUNDS.rank(&contradiction), "both halves are kept");
        }
    }

    /// A precommit for a block takes the slot of all but what the present round needs: certificates can be counted.
    #[test]
    fn a_decisive_precommit_finds_a_slot() {
        let old = current(VoteKind::Precommit, 1);
        let later = current(VoteKind::Precommit, 4);
        assert!(ROUNDS.rank(&old) < ROUNDS.rank(&later));
        assert!(ROUNDS.displaces(&old, &later));
        for kept in [
            current(VoteKind::Prevote, 2),
            current(VoteKind::Precommit, 5),
            VoteSlot { role: VoteRole::Contradicting, ..later },
        ] {
            assert!(!ROUNDS.displaces(&old, &kept), "{kept:?}");
        }
        for other in [
            VoteSlot { digest: Statement::NIL, ..old },
            VoteSlot { kind: VoteKind::Prevote, ..old },
            VoteSlot { height: RelativeHeight::Previous, ..old },
            VoteSlot { height: RelativeHeight::Next, ..old },
        ] {
            assert!(!ROUNDS.displaces(&other, &later), "{other:?}");
        }
    }
}
