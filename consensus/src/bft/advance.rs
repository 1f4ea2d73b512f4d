//! From the statements to the next step: which rule of the paper applies.

use super::engine::{Check, Cursor, Pending, Wish};
use super::round::{RoundInput, RoundOutput, RoundValue, Step};
use super::storage::{RelativeHeight, VoteKind, VoteRole, VoteSlot};
use super::timers::Timer;
use crate::invariant::invariant;
use crate::output::SaveToken;
use crate::vote::statement::Statement;

impl Cursor<'_> {
    /// Makes every step that is possible. None is possible while a statement waits for its state to be saved: nothing
    /// that binds leaves before, and no second one is decided on.
    pub(super) fn advance(&mut self) {
        while self.core.pending.is_none()
            && let Some((round, input)) = self.next_input()
        {
            match self.core.state.apply(round, input) {
                Ok(Some(output)) => self.act(output),
                Ok(None) => {}
                Err(_) => {
                    invariant!(false, "{input:?} of round {round} in {:?}", self.core.state);
                    return;
                }
            }
        }
    }

    /// Returns an input that applies.
    fn next_input(&mut self) -> Option<(u32, RoundInput)> {
        let round = self.core.round();
        let step = self.core.state.step;
        if step == Step::Commit {
            return None;
        }
        self.decision()
            .or_else(|| self.skip_round().map(|round| (round, RoundInput::SkipRound)))
            .or_else(|| {
                let input = match step {
                    Step::Unstarted => {
                        Some(RoundInput::NewRound { is_proposer: self.is_proposer(round) })
                    }
                    Step::Propose => self.input_of_propose(round),
                    Step::Prevote => self.input_of_prevote(round),
                    _ => self.input_of_precommit(round),
                };
                let input = input.or_else(|| self.input_of_any_step(round));
                input.map(|input| (round, input))
            })
    }

    /// Lines 49-51. The proposal itself is not required: a quorum of precommits proves that honest validators had it.
    fn decision(&mut self) -> Option<(u32, RoundInput)> {
        let RoundValue { value, round } = self.core.quorum.take()?;
        Some((round, RoundInput::ProposalAndPrecommitValue(value)))
    }

    /// Lines 22-33 and 57-60.
    fn input_of_propose(&mut self, round: u32) -> Option<RoundInput> {
        if let Some(proposal) = self.proposal(round).copied()
            && let Some(input) = self.input_of_proposal(&proposal)
        {
            return Some(input);
        }
        let is_expired = self.core.deadlines.take_expired(Timer::Propose, self.core.now);
        is_expired.then_some(RoundInput::TimeoutPropose)
    }

    fn input_of_proposal(&mut self, proposal: &VoteSlot) -> Option<RoundInput> {
        let value = proposal.digest;
        let Some(valid_round) = proposal.support.checked_sub(1) else {
            let is_valid = self.validity(value)?;
            let input = RoundInput::Proposal(value);
            return Some(if is_valid { input } else { RoundInput::InvalidProposal });
        };
        let polka = |vote: &VoteSlot| vote.digest == value;
        if !self.votes().has_quorum(VoteKind::Prevote, valid_round, polka) {
            return None;
        }
        Some(if self.validity(value)? {
            RoundInput::ProposalAndPolkaPrevious { value, valid_round }
        } else {
            RoundInput::InvalidProposalAndPolkaPrevious { valid_round }
        })
    }

    /// Lines 36-46, 34-35 and 61-64.
    fn input_of_prevote(&mut self, round: u32) -> Option<RoundInput> {
        let quorum = self.votes().quorum_value(VoteKind::Prevote, round);
        if quorum == Some(Statement::NIL) {
            return Some(RoundInput::PolkaNil);
        }
        if let Some(value) = quorum
            && self.is_proposed_and_valid(round, value)
        {
            return Some(RoundInput::ProposalAndPolkaCurrent(value));
        }
        if self.core.deadlines.take_expired(Timer::Prevote, self.core.now) {
            return Some(RoundInput::TimeoutPrevote);
        }
        let is_new = !self.core.state.prevote_timeout_scheduled;
        let any = is_new && self.votes().has_quorum_of_any(VoteKind::Prevote, round);
        any.then_some(RoundInput::PolkaAny)
    }

    /// Lines 36 and 42-43: a value becomes valid after the precommit.
    fn input_of_precommit(&mut self, round: u32) -> Option<RoundInput> {
        if self.core.state.valid.is_some_and(|valid| valid.round == round) {
            return None;
        }
        let value = self.votes().quorum_value(VoteKind::Prevote, round)?;
        let is_valid = value != Statement::NIL && self.is_proposed_and_valid(round, value);
        is_valid.then_some(RoundInput::ProposalAndPolkaCurrent(value))
    }

    /// Lines 47-48 and 65-67.
    fn input_of_any_step(&mut self, round: u32) -> Option<RoundInput> {
        if round < u32::MAX && self.core.deadlines.take_expired(Timer::Precommit, self.core.now) {
            return Some(RoundInput::TimeoutPrecommit);
        }
        let is_new = !self.core.state.precommit_timeout_scheduled;
        let any = is_new && self.votes().has_quorum_of_any(VoteKind::Precommit, round);
        any.then_some(RoundInput::PrecommitAny)
    }

    fn is_proposed_and_valid(&mut self, round: u32, value: [u8; 32]) -> bool {
        let is_proposed = self.proposal(round).is_some_and(|proposal| proposal.digest == value);
        is_proposed && self.validity(value) == Some(true)
    }

    /// Returns the verdict of the application on a block, and requests it if there is none.
    fn validity(&mut self, value: [u8; 32]) -> Option<bool> {
        let state = &self.core.state;
        let mut known = [state.valid, state.locked].into_iter().flatten();
        if known.any(|known| known.value == value) {
            return Some(true);
        }
        match self.core.check {
            Some(check) if check.value == value => check.answer,
            _ => {
                self.core.check = Some(Check { value, answer: None, is_announced: false });
                None
            }
        }
    }

    fn act(&mut self, output: RoundOutput) {
        match output {
            RoundOutput::NewRound(_) => self.leave_round(),
            RoundOutput::GetValueAndScheduleTimeout => {
                self.schedule(Timer::Propose);
                self.core.wish = Some(Wish { round: self.core.round(), is_announced: false });
            }
            RoundOutput::Proposal { value, valid_round } => {
                self.schedule(Timer::Propose);
                let support = valid_round.map_or(0, |round| round.saturating_add(1));
                self.stage(VoteKind::Propose, support, value);
            }
            RoundOutput::Prevote(value) => {
                self.core.wish = None;
                self.stage(VoteKind::Prevote, 0, value.unwrap_or(Statement::NIL));
            }
            RoundOutput::Precommit(value) => {
                self.stage(VoteKind::Precommit, 0, value.unwrap_or(Statement::NIL));
            }
            RoundOutput::ScheduleTimeout(Step::Prevote) => self.schedule(Timer::Prevote),
            RoundOutput::ScheduleTimeout(Step::Precommit) => self.schedule(Timer::Precommit),
            RoundOutput::ScheduleTimeout(_) => self.schedule(Timer::Propose),
            RoundOutput::Decision(decision) => {
                self.leave_round();
                self.core.deadlines.clear(Timer::Resend);
                self.core.check = None;
                self.core.decided = Some((self.core.height, decision));
                self.slots.iter_mut().for_each(|slot| slot.is_due = false);
            }
        }
    }

    fn leave_round(&mut self) {
        self.core.wish = None;
        for timer in [Timer::Propose, Timer::Prevote, Timer::Precommit] {
            self.core.deadlines.clear(timer);
        }
    }

    pub(super) fn schedule(&mut self, timer: Timer) {
        let after = timer.timeout(self.config, self.core.round());
        self.core.deadlines.set(timer, self.core.now.saturating_add(after));
    }

    /// Decides on a statement of this validator. It leaves when the state is saved. An observer makes none.
    pub(super) fn stage(&mut self, kind: VoteKind, support: u32, digest: [u8; 32]) {
        if self.core.me.is_none() {
            return;
        }
        let token = SaveToken(self.core.last_token.0.wrapping_add(1));
        self.core.last_token = token;
        let round = self.core.round();
        self.core.pending =
            Some(Pending { token, kind, round, support, digest, is_announced: false });
        #[cfg(test)]
        self.send_unsaved();
    }

    /// A mistake that the model checker has to notice.
    #[cfg(test)]
    fn send_unsaved(&mut self) {
        use super::mutation::{Mutation, is_active};
        if let Some(pending) = self.core.pending.filter(|_| is_active(Mutation::SendBeforeSaved)) {
            self.release(&pending);
        }
    }

    /// Signs and counts the statement whose state is saved, and sends it.
    pub(super) fn release(&mut self, pending: &Pending) {
        let Some(me) = self.core.me else { return };
        let vote = self.sign(pending.kind, pending.round, pending.support, pending.digest);
        if pending.kind == VoteKind::Propose {
            let answer = Some(true);
            self.core.check = Some(Check { value: pending.digest, answer, is_announced: true });
        }
        let is_kept = self.store(me, vote);
        invariant!(is_kept, "there is a slot for each statement of the current round");
    }

    pub(super) fn sign(
        &self,
        kind: VoteKind,
        round: u32,
        support: u32,
        digest: [u8; 32],
    ) -> VoteSlot {
        let height = RelativeHeight::Current;
        let role = VoteRole::Counted;
        let signature = [0; 64];
        let mut vote =
            VoteSlot { kind, height, role, is_due: true, round, support, digest, signature };
        let unsigned = self.core.statement_of(self.keys.id(), &vote).statement;
        vote.signature = self.keys.sign(&unsigned.to_bytes());
        vote
    }
}
