//! Statements from the network.

use core::time::Duration;

use super::engine::Cursor;
use super::event::DatagramError;
use super::round::{RoundState, Step};
use super::storage::{RelativeHeight, VoteKind, VoteRole, VoteSlot};
use crate::error::DecodeError;
use crate::vote::statement::{SignedStatement, Statement, StatementKind};

/// What to do with a statement that is well-formed.
enum Relation {
    /// Its height is decided here.
    Past,
    /// Its height is that of the engine, or the next one.
    Present(RelativeHeight),
    /// Its height is too far ahead to keep it.
    Future,
}

/// Decodes a datagram: one signed statement.
pub(super) fn decode(bytes: &[u8]) -> Result<SignedStatement, DatagramError> {
    let (signed, rest) = SignedStatement::decode(bytes).map_err(DatagramError::Malformed)?;
    if !rest.is_empty() {
        return Err(DatagramError::TrailingBytes(rest.len()));
    }
    Ok(signed)
}

impl Cursor<'_> {
    /// Handles a statement. Cheap checks come first, the signature last.
    pub(super) fn receive(
        &mut self,
        now: Duration,
        signed: &SignedStatement,
    ) -> Result<(), DatagramError> {
        let statement = &signed.statement;
        if statement.genesis != self.core.genesis {
            return Err(DatagramError::OtherChain);
        }
        let author = signed.author;
        let index = self.find(&author).ok_or(DatagramError::Stranger(author))?;
        let vote = self.vote_of(signed)?;
        if Some(index) == self.core.me && !self.is_forgotten(statement.slot, &vote) {
            return Err(DatagramError::Echo);
        }
        match self.relation(statement.slot) {
            Relation::Past => self.note_past(now, index, signed),
            Relation::Future => {
                let is_news =
                    self.peers.get(index).is_some_and(|peer| peer.height < statement.slot);
                if is_news {
                    self.verify(signed)?;
                    self.raise_height(index, statement.slot);
                }
                self.core.advance_clock(now);
                Ok(())
            }
            Relation::Present(height) => {
                let vote = VoteSlot { height, ..vote };
                let is_wanted = self.is_wanted(index, &vote);
                if is_wanted {
                    self.verify(signed)?;
                }
                self.core.advance_clock(now);
                if !is_wanted {
                    return Ok(());
                }
                self.raise_height(index, statement.slot);
                self.keep(index, vote);
                self.advance();
                Ok(())
            }
        }
    }

    /// Returns the statement as it is kept, if it can belong to this protocol.
    fn vote_of(&self, signed: &SignedStatement) -> Result<VoteSlot, DatagramError> {
        let Statement { kind, slot, round, digest, .. } = signed.statement;
        let (kind, support) = match kind {
            StatementKind::Propose { valid_round } => {
                let malformed = DatagramError::Malformed(DecodeError::Noncanonical);
                if signed.statement.is_nil() || valid_round.is_some_and(|valid| valid >= round) {
                    return Err(malformed);
                }
                if self.selector.select(slot, round) != Some(signed.author) {
                    return Err(DatagramError::NotProposer(signed.author));
                }
                (VoteKind::Propose, valid_round.map_or(0, |valid| valid.saturating_add(1)))
            }
            StatementKind::Prevote => (VoteKind::Prevote, 0),
            StatementKind::Precommit => (VoteKind::Precommit, 0),
            StatementKind::Attest { .. } => return Err(DatagramError::Unexpected),
        };
        let height = RelativeHeight::Current;
        let role = VoteRole::Counted;
        let signature = signed.signature;
        Ok(VoteSlot { kind, height, role, is_due: false, round, support, digest, signature })
    }

    /// Returns whether an own statement is of an earlier round, which a restart forgets. It counts still, as in the
    /// certificate of a decision.
    fn is_forgotten(&self, height: u64, vote: &VoteSlot) -> bool {
        let own = self.core.me.map_or(&[][..], |me| self.core.peer_slots(self.slots, me));
        height == self.core.height
            && vote.round < self.core.round()
            && !own.iter().any(|slot| same_place(slot, vote))
    }

    fn relation(&self, height: u64) -> Relation {
        let is_decided = self.core.state.step == Step::Commit;
        match height.checked_sub(self.core.height) {
            None => Relation::Past,
            Some(0) if is_decided => Relation::Past,
            Some(0) => Relation::Present(RelativeHeight::Current),
            Some(1) => Relation::Present(RelativeHeight::Next),
            Some(_) => Relation::Future,
        }
    }

    /// Reports a validator that works on a decided height, once in a while.
    fn note_past(
        &mut self,
        now: Duration,
        index: usize,
        signed: &SignedStatement,
    ) -> Result<(), DatagramError> {
        let height = signed.statement.slot;
        let now = self.core.now.max(now);
        let peer = self.peers.get(index);
        let is_due = peer
            .is_some_and(|peer| peer.report_again_at <= milliseconds(now) && peer.height <= height);
        if !is_due {
            return Err(DatagramError::OldHeight(height));
        }
        self.verify(signed)?;
        self.core.advance_clock(now);
        if let Some(peer) = self.peers.get_mut(index) {
            peer.is_behind = true;
            peer.height = height;
            peer.report_again_at = milliseconds(now.saturating_add(self.config.resend));
        }
        Ok(())
    }

    /// Returns whether a statement would change anything, so that its signature is worth a check.
    fn is_wanted(&self, index: usize, vote: &VoteSlot) -> bool {
        let slots = self.core.peer_slots(self.slots, index);
        let same = |slot: &&VoteSlot| same_place(slot, vote);
        if slots.iter().filter(same).any(|slot| slot.digest == vote.digest) {
            return false;
        }
        if slots.iter().any(|slot| same_place(slot, vote)) {
            return true;
        }
        let peer = self.peers.get(index);
        let is_current = vote.height == RelativeHeight::Current;
        if is_current && peer.is_some_and(|peer| peer.round < Some(vote.round)) {
            return true;
        }
        let rounds = self.rounds();
        slots.iter().any(|slot| rounds.displaces(vote, slot))
    }

    fn verify(&self, signed: &SignedStatement) -> Result<(), DatagramError> {
        let message = signed.statement.to_bytes();
        if self.keys.verify(&signed.author, &message, &signed.signature) {
            return Ok(());
        }
        Err(DatagramError::Forged(signed.author))
    }

    fn raise_height(&mut self, index: usize, height: u64) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        if peer.height < height {
            peer.height = height;
            self.note_height();
        }
    }

    /// Keeps a verified statement. Of two that contradict each other the later one counts, unless the earlier one justifies
    /// a value: a validator that sends different votes to different nodes must not keep a node from counting the quorum
    /// that another one has proved.
    fn keep(&mut self, index: usize, vote: VoteSlot) {
        let is_current = vote.height == RelativeHeight::Current;
        let Some(peer) = self.peers.get_mut(index) else { return };
        if is_current {
            peer.round = peer.round.max(Some(vote.round));
        }
        let start = index.saturating_mul(self.core.per_peer);
        let end = start.saturating_add(self.core.per_peer);
        let slots = self.slots.get_mut(start..end).unwrap_or_default();
        let Some(at) = slots.iter().position(|slot| same_place(slot, &vote)) else {
            self.store(index, vote);
            return;
        };
        let first = slots.get(at).copied().unwrap_or(VoteSlot::EMPTY);
        let is_evidence = first.role == VoteRole::Counted && !peer.offended;
        let role = if is_evidence { VoteRole::Contradicted } else { first.role };
        let justifies = first.kind == VoteKind::Prevote && justifies(&self.core.state, &first);
        let [counts, other] = if justifies { [first, vote] } else { [vote, first] };
        if let Some(slot) = slots.get_mut(at) {
            *slot = VoteSlot { role, ..counts };
        }
        let other = VoteSlot { role: VoteRole::Contradicting, is_due: false, ..other };
        if is_evidence {
            peer.offended = true;
            self.store(index, other);
        } else if let Some(half) = slots.iter_mut().find(|slot| is_same_half(slot, &counts)) {
            *half = other; // both halves of the evidence remain different
        }
        if is_current && vote.kind == VoteKind::Precommit {
            self.note_precommit(vote.round);
        }
    }
}

/// Returns whether a prevote belongs to the quorum that justifies the locked or the valid value. It is never replaced:
/// other nodes need it to accept the value.
fn justifies(state: &RoundState, vote: &VoteSlot) -> bool {
    let pairs = [state.valid, state.locked].into_iter().flatten();
    let mut pairs = pairs.filter(|_| vote.height == RelativeHeight::Current);
    pairs.any(|pair| pair.round == vote.round && pair.value == vote.digest)
}

/// Returns whether a slot holds the same statement as the half of evidence that does not count.
fn is_same_half(slot: &VoteSlot, vote: &VoteSlot) -> bool {
    slot.role == VoteRole::Contradicting
        && slot.kind == vote.kind
        && slot.height == vote.height
        && slot.round == vote.round
        && slot.digest == vote.digest
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns whether both are of one kind, height and round.
fn same_place(one: &VoteSlot, two: &VoteSlot) -> bool {
    one.kind == two.kind
        && one.height == two.height
        && one.round == two.round
        && one.role != VoteRole::Contradicting
}
