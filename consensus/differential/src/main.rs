//! The round state machine beside that of Malachite (`arc-malachitebft-core-state-machine`), step by step on the same
//! random inputs. `cargo run --release -- SEQUENCES` compares that many sequences of 40 inputs; without a number 100,000.

mod context;

use std::process::ExitCode;

use consensus::bft::{RoundInput, RoundOutput, RoundState, RoundValue, Step};
use malachitebft_core_state_machine::input::Input;
use malachitebft_core_state_machine::output::Output;
use malachitebft_core_state_machine::state::{self, State};
use malachitebft_core_state_machine::state_machine::{Info, apply};
use malachitebft_core_types::{NilOrVal, Round, TimeoutKind, VoteType};
use sim::Rng;

use context::{Byte, Bytes, Name, OneHeight, proposal};

const ME: Name = Name(1);
const OTHER: Name = Name(2);
const STEPS: usize = 40;

/// One input for both machines.
struct Both {
    round: u32,
    is_proposer: bool,
    ours: RoundInput,
    theirs: Input<Bytes>,
}

fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut applied = 0_u64;
    let mut decided = 0_u64;
    for seed in 0..count {
        match compare(seed) {
            Ok(report) => {
                applied += report.applied;
                decided += u64::from(report.decided);
            }
            Err(difference) => {
                println!("seed {seed}: {difference}");
                return ExitCode::FAILURE;
            }
        }
    }
    let steps = count * STEPS as u64;
    println!(
        "{count} sequences, {steps} inputs, of which {applied} applied; {decided} decisions: equal"
    );
    ExitCode::SUCCESS
}

struct Report {
    applied: u64,
    decided: bool,
}

fn compare(seed: u64) -> Result<Report, String> {
    let mut rng = Rng::new(seed);
    let mut ours = RoundState::default();
    let mut theirs = State::<Bytes>::new(OneHeight, Round::Nil);
    let mut applied = 0;
    for step in 0..STEPS {
        let both = input(&mut rng, &ours);
        let before = ours;
        let found = ours.apply(both.round, both.ours);
        let proposer = if both.is_proposer { &ME } else { &OTHER };
        let info = Info::new(Round::Some(both.round), &ME, proposer);
        let transition = apply(&Bytes, theirs, &info, both.theirs);
        theirs = transition.next_state;
        let difference = |what: &str| {
            format!(
                "step {step}: {what} differs after {:?} in {before:?}: {ours:?} {theirs:?}",
                both.ours
            )
        };
        if found.is_ok() != transition.valid {
            return Err(difference("validity"));
        }
        if !is_same_state(&ours, &theirs) {
            return Err(difference("state"));
        }
        let output = found.ok().flatten();
        if !is_same_output(&before, &ours, output, transition.output.as_ref()) {
            return Err(format!("{} {output:?} {:?}", difference("output"), transition.output));
        }
        applied += u64::from(transition.valid);
    }
    Ok(Report { applied, decided: ours.step == Step::Commit })
}

/// An input that often fits: of the current round, and of a kind that the step expects.
fn input(rng: &mut Rng, state: &RoundState) -> Both {
    let current = state.round.unwrap_or(0);
    let round = match rng.below(6) {
        0 => current.saturating_sub(1),
        1 => current + rng.below(3) as u32,
        _ => current,
    };
    let byte = 1 + rng.below(3) as u8;
    let value = [byte; 32];
    let valid_round = rng.below(u64::from(round) + 1) as u32;
    let valid_round = if round == 0 { None } else { Some(valid_round.min(round - 1)) };
    let is_proposer = rng.below(3) == 0;
    let kind = match rng.below(4) {
        0 => rng.below(15),
        _ => match state.step {
            Step::Unstarted => 0,
            Step::Propose => 1 + rng.below(5),
            Step::Prevote => [6, 7, 8, 13][rng.below(4) as usize],
            Step::Precommit => [8, 9, 14, 10][rng.below(4) as usize],
            Step::Commit => rng.below(15),
        },
    };
    let plain = proposal(round, byte, Round::Nil);
    let (ours, theirs) = match (kind, valid_round) {
        (0, _) => (RoundInput::NewRound { is_proposer }, Input::NewRound(Round::Some(round))),
        (1, _) => (RoundInput::ProposeValue(value), Input::ProposeValue(Byte(byte))),
        (2, Some(valid_round)) => {
            let proposal = proposal(round, byte, Round::Some(valid_round));
            let input = RoundInput::ProposalAndPolkaPrevious { value, valid_round };
            (input, Input::ProposalAndPolkaPrevious(proposal))
        }
        (3, Some(valid_round)) => {
            let proposal = proposal(round, byte, Round::Some(valid_round));
            let input = RoundInput::InvalidProposalAndPolkaPrevious { valid_round };
            (input, Input::InvalidProposalAndPolkaPrevious(proposal))
        }
        (2..=4, _) => (RoundInput::Proposal(value), Input::Proposal(plain)),
        (5, _) => (RoundInput::InvalidProposal, Input::InvalidProposal),
        (6, _) => (RoundInput::PolkaAny, Input::PolkaAny),
        (7, _) => (RoundInput::PolkaNil, Input::PolkaNil),
        (8, _) => {
            (RoundInput::ProposalAndPolkaCurrent(value), Input::ProposalAndPolkaCurrent(plain))
        }
        (9, _) => (RoundInput::PrecommitAny, Input::PrecommitAny),
        (10, _) if rng.below(4) == 0 => {
            (RoundInput::ProposalAndPrecommitValue(value), Input::ProposalAndPrecommitValue(plain))
        }
        (11, _) => (RoundInput::SkipRound, Input::SkipRound(Round::Some(round))),
        (12, _) => (RoundInput::TimeoutPropose, Input::TimeoutPropose),
        (13, _) => (RoundInput::TimeoutPrevote, Input::TimeoutPrevote),
        _ => (RoundInput::TimeoutPrecommit, Input::TimeoutPrecommit),
    };
    // Malachite asserts that only a proposer proposes.
    let is_proposer = is_proposer || matches!(ours, RoundInput::ProposeValue(_));
    Both { round, is_proposer, ours, theirs }
}

fn is_same_state(ours: &RoundState, theirs: &State<Bytes>) -> bool {
    let step = match theirs.step {
        state::Step::Unstarted => Step::Unstarted,
        state::Step::Propose => Step::Propose,
        state::Step::Prevote => Step::Prevote,
        state::Step::Precommit => Step::Precommit,
        state::Step::Commit => Step::Commit,
    };
    let pair = |pair: Option<RoundValue>| pair.map(|it| (it.value[0], Round::Some(it.round)));
    let their_pair =
        |pair: &Option<state::RoundValue<Byte>>| pair.as_ref().map(|it| (it.value.0, it.round));
    Round::from(ours.round) == theirs.round
        && ours.step == step
        && pair(ours.locked) == their_pair(&theirs.locked)
        && pair(ours.valid) == their_pair(&theirs.valid)
        && pair(ours.decision) == their_pair(&theirs.decision)
}

fn is_same_output(
    before: &RoundState,
    after: &RoundState,
    ours: Option<RoundOutput>,
    theirs: Option<&Output<Bytes>>,
) -> bool {
    let Some((ours, theirs)) = ours.zip(theirs) else { return ours.is_none() && theirs.is_none() };
    let round = Round::from(after.round);
    match (ours, theirs) {
        (RoundOutput::NewRound(ours), Output::NewRound(theirs)) => Round::Some(ours) == *theirs,
        (
            RoundOutput::GetValueAndScheduleTimeout,
            Output::GetValueAndScheduleTimeout(_, at, timeout),
        ) => *at == round && timeout.kind == TimeoutKind::Propose && timeout.round == round,
        (RoundOutput::Proposal { value, valid_round }, Output::Proposal(proposal)) => {
            proposal.value.0 == value[0]
                && proposal.pol_round == Round::from(valid_round)
                && proposal.round == round
        }
        (RoundOutput::Prevote(value), Output::Vote(vote)) => {
            vote.kind == VoteType::Prevote
                && vote.round == round
                && is_same_value(value, vote.value)
        }
        (RoundOutput::Precommit(value), Output::Vote(vote)) => {
            vote.kind == VoteType::Precommit
                && vote.round == round
                && is_same_value(value, vote.value)
        }
        (RoundOutput::ScheduleTimeout(step), Output::ScheduleTimeout(timeout)) => {
            let kind = match step {
                Step::Propose => TimeoutKind::Propose,
                Step::Prevote => TimeoutKind::Prevote,
                _ => TimeoutKind::Precommit,
            };
            timeout.kind == kind && timeout.round == round
        }
        (RoundOutput::Decision(decision), Output::Decision(at, proposal)) => {
            *at == Round::from(before.round)
                && proposal.value.0 == decision.value[0]
                && proposal.round == Round::Some(decision.round)
        }
        _ => false,
    }
}

fn is_same_value(ours: Option<[u8; 32]>, theirs: NilOrVal<Byte>) -> bool {
    match theirs {
        NilOrVal::Nil => ours.is_none(),
        NilOrVal::Val(byte) => ours == Some([byte.0; 32]),
    }
}
