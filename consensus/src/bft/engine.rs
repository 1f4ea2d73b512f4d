//! The state of a BFT engine besides its slots, and the cursor on which its calls work.

use core::time::Duration;

use super::config::BftConfig;
use super::round::{RoundState, RoundValue, Step};
use super::storage::{PeerSlot, RelativeHeight, VoteKind, VoteRole, VoteSlot};
use super::timers::{Deadlines, Timer};
use super::votes::{Rounds, Votes, insert};
use crate::id::ValidatorId;
use crate::output::SaveToken;
use crate::quorum::{OverThird, Quorum as _};
use crate::select::selector::Selector;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};
use crate::vote::verify::Keys;

/// The state besides the slots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Core {
    pub(super) now: Duration,
    pub(super) genesis: [u8; 32],
    pub(super) height: u64,
    pub(super) len: usize,
    pub(super) per_peer: usize,
    pub(super) total: u64,
    /// The index of this validator; an observer has none.
    pub(super) me: Option<usize>,
    pub(super) state: RoundState,
    pub(super) pending: Option<Pending>,
    pub(super) last_token: SaveToken,
    pub(super) check: Option<Check>,
    pub(super) wish: Option<Wish>,
    /// A decision that was not polled yet.
    pub(super) decided: Option<(u64, RoundValue)>,
    /// The height to report as [`BftEvent::Behind`](super::BftEvent::Behind), and the last one that was reported.
    pub(super) behind: Option<u64>,
    pub(super) behind_reported: u64,
    /// A quorum of precommits that was not acted on yet.
    pub(super) quorum: Option<RoundValue>,
    pub(super) deadlines: Deadlines,
    /// The slot at which the search for one to send begins.
    pub(super) send_from: usize,
}

/// A statement that leaves when the state is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Pending {
    pub(super) token: SaveToken,
    pub(super) kind: VoteKind,
    pub(super) round: u32,
    pub(super) support: u32,
    pub(super) digest: [u8; 32],
    pub(super) is_announced: bool,
}

/// The verdict of the application on a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Check {
    pub(super) value: [u8; 32],
    pub(super) answer: Option<bool>,
    pub(super) is_announced: bool,
}

/// A block is wanted from the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Wish {
    pub(super) round: u32,
    pub(super) is_announced: bool,
}

/// All that a call works on: compiled once for all storages, selectors and keys.
pub(super) struct Cursor<'a> {
    pub(super) core: &'a mut Core,
    pub(super) config: &'a BftConfig,
    pub(super) peers: &'a mut [PeerSlot],
    pub(super) slots: &'a mut [VoteSlot],
    pub(super) selector: &'a dyn Selector,
    pub(super) keys: &'a dyn Keys,
}

impl Core {
    pub(super) fn advance_clock(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    pub(super) fn round(&self) -> u32 {
        self.state.round.unwrap_or(0)
    }

    /// Returns the slots that each validator uses.
    pub(super) fn peer_slots<'a>(&self, slots: &'a [VoteSlot], index: usize) -> &'a [VoteSlot] {
        let start = index.saturating_mul(self.per_peer);
        slots.get(start..start.saturating_add(self.per_peer)).unwrap_or_default()
    }

    /// Returns the signed statement in a slot.
    pub(super) fn statement_of(&self, author: ValidatorId, slot: &VoteSlot) -> SignedStatement {
        let height = match slot.height {
            RelativeHeight::Previous => self.height.saturating_sub(1),
            RelativeHeight::Current => self.height,
            RelativeHeight::Next => self.height.saturating_add(1),
        };
        let kind = kind_of(slot.kind, slot.support);
        let statement = Statement::new(self.genesis, kind, height, slot.round, slot.digest);
        SignedStatement { statement, author, signature: slot.signature }
    }
}

/// Returns the kind of a statement in its signed form.
pub(super) fn kind_of(kind: VoteKind, support: u32) -> StatementKind {
    match kind {
        VoteKind::Free | VoteKind::Prevote => StatementKind::Prevote,
        VoteKind::Precommit => StatementKind::Precommit,
        VoteKind::Propose => StatementKind::Propose { valid_round: support.checked_sub(1) },
    }
}

impl Cursor<'_> {
    pub(super) fn votes(&self) -> Votes<'_> {
        Votes {
            peers: self.peers,
            slots: self.slots,
            per_peer: self.core.per_peer,
            total: self.core.total,
        }
    }

    pub(super) fn find(&self, id: &ValidatorId) -> Option<usize> {
        self.peers.binary_search_by(|peer| peer.id.cmp(id)).ok()
    }

    /// Returns the proposal of a round of the current height.
    pub(super) fn proposal(&self, round: u32) -> Option<&VoteSlot> {
        let proposer = self.selector.select(self.core.height, round)?;
        let slots = self.core.peer_slots(self.slots, self.find(&proposer)?);
        slots.iter().find(|slot| slot.is_counted(VoteKind::Propose, round))
    }

    pub(super) fn is_proposer(&self, round: u32) -> bool {
        let me = self.core.me.and_then(|index| self.peers.get(index)).map(|peer| peer.id);
        me.is_some() && self.selector.select(self.core.height, round) == me
    }

    pub(super) fn rounds(&self) -> Rounds {
        let current = self.core.round();
        let support = self.proposal(current).and_then(|proposal| proposal.support.checked_sub(1));
        let round_of = |pair: Option<RoundValue>| pair.map(|pair| pair.round);
        let state = &self.core.state;
        Rounds { current, justifying: [round_of(state.valid), round_of(state.locked), support] }
    }

    /// Puts a statement that was verified, or that is this validator's own, into the slots of its author.
    pub(super) fn store(&mut self, index: usize, vote: VoteSlot) -> bool {
        let rounds = self.rounds();
        let start = index.saturating_mul(self.core.per_peer);
        let end = start.saturating_add(self.core.per_peer);
        let slots = self.slots.get_mut(start..end).unwrap_or_default();
        let is_kept = insert(slots, vote, &rounds);
        if is_kept && vote.is_counted(VoteKind::Precommit, vote.round) {
            self.note_precommit(vote.round);
        }
        is_kept
    }

    /// Remembers a quorum of precommits for a block in this round.
    pub(super) fn note_precommit(&mut self, round: u32) {
        let value = self.votes().quorum_value(VoteKind::Precommit, round);
        if let Some(value) = value.filter(|value| *value != Statement::NIL) {
            self.core.quorum = Some(RoundValue { value, round });
        }
    }

    /// Returns the greatest round after the current one that more than a third of the weight has reached.
    pub(super) fn skip_round(&self) -> Option<u32> {
        let current = self.core.round();
        let rounds = self.peers.iter().filter_map(|peer| peer.round);
        let later = rounds.filter(|round| *round > current);
        later.filter(|round| self.is_reached(|peer| peer.round >= Some(*round))).max()
    }

    /// Reports the greatest height that more than a third of the weight has reached, if it is news.
    pub(super) fn note_height(&mut self) {
        let reported = self.core.behind_reported.max(self.core.height);
        let heights = self.peers.iter().map(|peer| peer.height);
        let later = heights.filter(|height| *height > reported);
        let reached = later.filter(|height| self.is_reached(|peer| peer.height >= *height)).max();
        if let Some(height) = reached {
            self.core.behind = Some(height);
            self.core.behind_reported = height;
        }
    }

    fn is_reached(&self, condition: impl Fn(&PeerSlot) -> bool) -> bool {
        let reached = self.peers.iter().filter(|peer| condition(peer));
        let weight = reached.fold(0_u64, |sum, peer| sum.saturating_add(peer.power));
        OverThird::is_reached(weight, self.core.total)
    }

    /// Sends every statement of this height again: a datagram may be lost, and a faulty validator may have sent a
    /// statement to some only.
    pub(super) fn resend(&mut self) {
        let after = Timer::Resend.timeout(self.config, 0);
        self.core.deadlines.set(Timer::Resend, self.core.now.saturating_add(after));
        let is_sent = |slot: &&mut VoteSlot| {
            slot.kind != VoteKind::Free
                && slot.height == RelativeHeight::Current
                && slot.role != VoteRole::Contradicting
        };
        if self.core.me.is_some() && self.core.state.step != Step::Commit {
            self.slots.iter_mut().filter(is_sent).for_each(|slot| slot.is_due = true);
        }
    }
}
