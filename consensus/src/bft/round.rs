//! The round state machine: lines 10 to 67 of "The latest gossip on BFT consensus" (Buchman, Kwon, Milosevic, 2018;
//! arXiv 1807.04938), called the paper here. It knows no votes, no time and no network.

use thiserror::Error;

/// Where a validator is in a round.
#[expect(clippy::exhaustive_enums, reason = "the steps of the paper, and the two around them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The round has not started: a round change waits for [`RoundInput::NewRound`].
    #[default]
    Unstarted,
    /// Waits for the proposal.
    Propose,
    /// Has prevoted.
    Prevote,
    /// Has precommitted.
    Precommit,
    /// Has decided. Nothing applies any more.
    Commit,
}

/// A value and the round in which it was locked, became valid, or was decided.
#[expect(clippy::exhaustive_structs, reason = "a pair")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RoundValue {
    /// The digest of the block.
    pub value: [u8; 32],
    /// The round.
    pub round: u32,
}

/// The state of one validator at one height.
///
/// | step | input | next step | output | lines |
/// |---|---|---|---|---|
/// | unstarted | new round | propose | proposal, or propose timeout | 11-21 |
/// | propose | proposal | prevote | prevote | 22-33 |
/// | propose | invalid proposal, timeout | prevote | prevote nil | 26, 57-60 |
/// | prevote | quorum of prevotes for the proposal | precommit | lock, precommit | 36-43 |
/// | prevote | quorum of prevotes for nil, timeout | precommit | precommit nil | 44-46, 61-64 |
/// | any | quorum of any precommits, then timeout | unstarted, next round | new round | 47-48, 65-67 |
/// | any | more than one third is in a later round | unstarted, that round | new round | 55-56 |
/// | any | quorum of precommits for a value | commit | decision | 49-51 |
///
/// ```
/// use consensus::bft::{NotApplicable, RoundInput, RoundOutput, RoundState};
///
/// let mut state = RoundState::default();
/// state.apply(0, RoundInput::NewRound { is_proposer: false })?;
/// let output = state.apply(0, RoundInput::Proposal([7; 32]))?;
/// assert_eq!(output, Some(RoundOutput::Prevote(Some([7; 32]))));
/// let output = state.apply(0, RoundInput::ProposalAndPolkaCurrent([7; 32]))?;
/// assert_eq!(output, Some(RoundOutput::Precommit(Some([7; 32]))));
/// assert!(state.locked.is_some());
/// assert_eq!(state.apply(0, RoundInput::TimeoutPropose), Err(NotApplicable), "too late");
/// # Ok::<(), NotApplicable>(())
/// ```
#[expect(clippy::exhaustive_structs, reason = "the variables of the paper, to save and to restore")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RoundState {
    /// `round_p`. `None` before the first round.
    pub round: Option<u32>,
    /// `step_p`.
    pub step: Step,
    /// `lockedValue_p` and `lockedRound_p`.
    pub locked: Option<RoundValue>,
    /// `validValue_p` and `validRound_p`.
    pub valid: Option<RoundValue>,
    /// `decision_p[h_p]`.
    pub decision: Option<RoundValue>,
    /// The prevote timeout of this round was scheduled (line 34: "for the first time").
    pub prevote_timeout_scheduled: bool,
    /// The precommit timeout of this round was scheduled (line 47: "for the first time").
    pub precommit_timeout_scheduled: bool,
}

/// What happened, with the round that it belongs to.
#[expect(clippy::exhaustive_enums, reason = "the rules of the paper")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RoundInput {
    /// The round starts.
    NewRound {
        /// Whether this validator proposes.
        is_proposer: bool,
    },
    /// The application has a value to propose.
    ProposeValue([u8; 32]),
    /// A valid proposal without a valid round.
    Proposal([u8; 32]),
    /// A valid proposal, and a quorum of prevotes for it in its valid round.
    ProposalAndPolkaPrevious {
        /// The proposed value.
        value: [u8; 32],
        /// Its valid round.
        valid_round: u32,
    },
    /// A proposal that the application rejects.
    InvalidProposal,
    /// A proposal that the application rejects, with a quorum of prevotes for it in its valid round.
    InvalidProposalAndPolkaPrevious {
        /// Its valid round.
        valid_round: u32,
    },
    /// A quorum of prevotes, whatever they are for.
    PolkaAny,
    /// A quorum of prevotes for nil.
    PolkaNil,
    /// A valid proposal, and a quorum of prevotes for it in this round.
    ProposalAndPolkaCurrent([u8; 32]),
    /// A quorum of precommits, whatever they are for.
    PrecommitAny,
    /// A quorum of precommits for this value.
    ProposalAndPrecommitValue([u8; 32]),
    /// More than a third of the weight is in this round or a later one.
    SkipRound,
    /// The propose timeout is over.
    TimeoutPropose,
    /// The prevote timeout is over.
    TimeoutPrevote,
    /// The precommit timeout is over.
    TimeoutPrecommit,
}

/// What follows.
#[expect(clippy::exhaustive_enums, reason = "the actions of the paper")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RoundOutput {
    /// Start this round: [`RoundInput::NewRound`].
    NewRound(u32),
    /// Ask the application for a value, and schedule the propose timeout.
    GetValueAndScheduleTimeout,
    /// Propose.
    Proposal {
        /// The value.
        value: [u8; 32],
        /// The round in which it became valid.
        valid_round: Option<u32>,
    },
    /// Prevote for a value or nil.
    Prevote(Option<[u8; 32]>),
    /// Precommit a value or nil.
    Precommit(Option<[u8; 32]>),
    /// Schedule the timeout of this step.
    ScheduleTimeout(Step),
    /// Decided this value of this round.
    Decision(RoundValue),
}

/// The input does not apply in this state, which is unchanged.
#[expect(clippy::exhaustive_structs, reason = "there is one reason")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the input does not apply in this round and step")]
pub struct NotApplicable;

impl RoundState {
    /// Applies an input that belongs to `round`.
    ///
    /// # Errors
    ///
    /// [`NotApplicable`]; the state is unchanged.
    pub fn apply(
        &mut self,
        round: u32,
        input: RoundInput,
    ) -> Result<Option<RoundOutput>, NotApplicable> {
        use RoundInput as In;
        let is_current = self.round == Some(round);
        match (self.step, input) {
            (Step::Commit, _) => Err(NotApplicable),
            // 11-21
            (Step::Unstarted, In::NewRound { is_proposer }) => {
                Ok(Some(self.start(round, is_proposer)))
            }
            // 18-19
            (Step::Propose, In::ProposeValue(value)) if is_current => {
                Ok(Some(RoundOutput::Proposal { value, valid_round: None }))
            }
            // 22-27
            (Step::Propose, In::Proposal(value)) if is_current => {
                let accepts = self.locked.is_none_or(|locked| locked.value == value);
                #[cfg(test)]
                let accepts = accepts || forgets_lock();
                Ok(Some(self.prevote(accepts.then_some(value))))
            }
            // 28-33
            (Step::Propose, In::ProposalAndPolkaPrevious { value, valid_round })
                if is_current && valid_round < round =>
            {
                let accepts = self
                    .locked
                    .is_none_or(|locked| locked.round <= valid_round || locked.value == value);
                #[cfg(test)]
                let accepts = accepts || forgets_lock();
                Ok(Some(self.prevote(accepts.then_some(value))))
            }
            // 26, 57-60
            (Step::Propose, In::InvalidProposal | In::TimeoutPropose) if is_current => {
                Ok(Some(self.prevote(None)))
            }
            // 32
            (Step::Propose, In::InvalidProposalAndPolkaPrevious { valid_round })
                if is_current && valid_round < round =>
            {
                Ok(Some(self.prevote(None)))
            }
            // 34-35
            (Step::Prevote, In::PolkaAny) if is_current => {
                let first = !self.prevote_timeout_scheduled;
                self.prevote_timeout_scheduled = true;
                Ok(first.then_some(RoundOutput::ScheduleTimeout(Step::Prevote)))
            }
            // 44-46, 61-64
            (Step::Prevote, In::PolkaNil | In::TimeoutPrevote) if is_current => {
                Ok(Some(self.precommit(None)))
            }
            // 36-43
            (Step::Prevote, In::ProposalAndPolkaCurrent(value)) if is_current => {
                self.valid = Some(RoundValue { value, round });
                self.locked = self.valid;
                Ok(Some(self.precommit(Some(value))))
            }
            // 36, 42-43
            (Step::Precommit, In::ProposalAndPolkaCurrent(value)) if is_current => {
                self.valid = Some(RoundValue { value, round });
                Ok(None)
            }
            // 47-48
            (_, In::PrecommitAny) if is_current => {
                let first = !self.precommit_timeout_scheduled;
                self.precommit_timeout_scheduled = true;
                Ok(first.then_some(RoundOutput::ScheduleTimeout(Step::Precommit)))
            }
            // 65-67
            (_, In::TimeoutPrecommit) if is_current => {
                let next = round.checked_add(1).ok_or(NotApplicable)?;
                Ok(Some(self.change_round(next)))
            }
            // 55-56
            (_, In::SkipRound) if self.round.is_none_or(|ours| round > ours) => {
                Ok(Some(self.change_round(round)))
            }
            // 49-51, for a proposal of any round
            (_, In::ProposalAndPrecommitValue(value)) => {
                let decision = RoundValue { value, round };
                self.decision = Some(decision);
                self.step = Step::Commit;
                Ok(Some(RoundOutput::Decision(decision)))
            }
            _ => Err(NotApplicable),
        }
    }

    fn start(&mut self, round: u32, is_proposer: bool) -> RoundOutput {
        self.change_round(round);
        self.step = Step::Propose;
        match self.valid {
            Some(valid) if is_proposer => {
                RoundOutput::Proposal { value: valid.value, valid_round: Some(valid.round) }
            }
            None if is_proposer => RoundOutput::GetValueAndScheduleTimeout,
            _ => RoundOutput::ScheduleTimeout(Step::Propose),
        }
    }

    fn prevote(&mut self, value: Option<[u8; 32]>) -> RoundOutput {
        self.step = Step::Prevote;
        RoundOutput::Prevote(value)
    }

    fn precommit(&mut self, value: Option<[u8; 32]>) -> RoundOutput {
        self.step = Step::Precommit;
        RoundOutput::Precommit(value)
    }

    fn change_round(&mut self, round: u32) -> RoundOutput {
        self.round = Some(round);
        self.step = Step::Unstarted;
        self.prevote_timeout_scheduled = false;
        self.precommit_timeout_scheduled = false;
        RoundOutput::NewRound(round)
    }
}

/// A mistake that the simulation has to notice.
#[cfg(test)]
fn forgets_lock() -> bool {
    use super::mutation::{Mutation, is_active};
    is_active(Mutation::SkipLock)
}
