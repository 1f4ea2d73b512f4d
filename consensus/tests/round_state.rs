//! The round state machine against the transitions of another implementation.

mod json;

use std::{env, fs};

use consensus::bft::{RoundInput, RoundOutput, RoundState, RoundValue, Step};
use json::Json;

/// Sixty random scripts, 1,440 steps, through `arc-malachitebft-core-state-machine` 0.8.2: the same validity, state
/// and output after each.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn transitions_match_malachite() {
    let folder = env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of the vectors");
    let path = format!("{folder}/chain/malachite-state-machine.jsonl");
    let text = fs::read_to_string(path).expect("the transitions");
    let mut steps = 0;
    for line in text.lines() {
        let mut state = RoundState::default();
        for step in Json::of(line).at("steps").list() {
            let [name, round, argument, valid, expected, output] = step.list() else {
                panic!("six parts: {step:?}")
            };
            let before = state;
            let round = round.number() as u32;
            let found = input(name.text(), round, argument)
                .map_or(Err(()), |(round, input)| state.apply(round, input).map_err(|_| ()));
            assert_eq!(found.is_ok(), valid.bool(), "{step:?} after {before:?}");
            assert_eq!(&shown(&state), expected, "{step:?} after {before:?}");
            let found = found.ok().flatten().map(|output| shown_output(&before, &state, output));
            assert_eq!(found.unwrap_or(Json::Null), *output, "{step:?} after {before:?}");
            steps += 1;
        }
    }
    assert_eq!(steps, 1440);
}

fn value(number: i64) -> [u8; 32] {
    [number as u8; 32]
}

/// Returns the input and its round; `None` where the types here cannot express it.
fn input(name: &str, round: u32, argument: &Json) -> Option<(u32, RoundInput)> {
    let proposal = || {
        let valid_round = u32::try_from(argument.at("pol").number()).ok();
        (value(argument.at("value").number()), valid_round)
    };
    let input = match name {
        "new_round" => {
            let round = argument.number() as u32;
            return Some((round, RoundInput::NewRound { is_proposer: round.is_multiple_of(3) }));
        }
        "skip_round" => return Some((argument.number() as u32, RoundInput::SkipRound)),
        "proposal_and_precommit_value" => {
            let round = argument.at("round").number() as u32;
            return Some((round, RoundInput::ProposalAndPrecommitValue(proposal().0)));
        }
        "no_input" => return None,
        "propose_value" => RoundInput::ProposeValue(value(argument.number())),
        "proposal" => {
            let (value, valid_round) = proposal();
            if valid_round.is_some() {
                return None;
            }
            RoundInput::Proposal(value)
        }
        "proposal_and_polka_previous" => {
            let (value, valid_round) = proposal();
            RoundInput::ProposalAndPolkaPrevious { value, valid_round: valid_round? }
        }
        "invalid_proposal_and_polka_previous" => {
            RoundInput::InvalidProposalAndPolkaPrevious { valid_round: proposal().1? }
        }
        "proposal_and_polka_current" => RoundInput::ProposalAndPolkaCurrent(proposal().0),
        "invalid_proposal" => RoundInput::InvalidProposal,
        "polka_any" => RoundInput::PolkaAny,
        "polka_nil" => RoundInput::PolkaNil,
        "precommit_any" => RoundInput::PrecommitAny,
        "timeout_propose" => RoundInput::TimeoutPropose,
        "timeout_prevote" => RoundInput::TimeoutPrevote,
        "timeout_precommit" => RoundInput::TimeoutPrecommit,
        other => panic!("{other}"),
    };
    Some((round, input))
}

fn number(number: impl Into<i64>) -> Json {
    Json::Number(number.into())
}

fn text(text: &str) -> Json {
    Json::Text(text.into())
}

fn shown(state: &RoundState) -> Json {
    let pair = |pair: Option<RoundValue>| {
        pair.map_or(Json::Null, |pair| Json::List(vec![number(pair.value[0]), number(pair.round)]))
    };
    let step = match state.step {
        Step::Unstarted => "unstarted",
        Step::Propose => "propose",
        Step::Prevote => "prevote",
        Step::Precommit => "precommit",
        Step::Commit => "commit",
    };
    let round = state.round.map_or(number(-1), number);
    let pairs = [state.locked, state.valid, state.decision].map(pair);
    let [locked, valid, decision] = pairs;
    Json::List(vec![round, text(step), locked, valid, decision])
}

fn shown_output(before: &RoundState, after: &RoundState, output: RoundOutput) -> Json {
    let round = after.round.map_or(number(-1), number);
    let voted = |value: Option<[u8; 32]>| value.map_or(Json::Null, |value| number(value[0]));
    let parts = match output {
        RoundOutput::NewRound(round) => vec![text("new_round"), number(round)],
        RoundOutput::GetValueAndScheduleTimeout => vec![text("get_value"), round, text("propose")],
        RoundOutput::Proposal { value, valid_round } => {
            let valid_round = valid_round.map_or(number(-1), number);
            vec![text("proposal"), round, number(value[0]), valid_round]
        }
        RoundOutput::Prevote(value) => vec![text("prevote"), round, voted(value)],
        RoundOutput::Precommit(value) => vec![text("precommit"), round, voted(value)],
        RoundOutput::ScheduleTimeout(step) => {
            let step = match step {
                Step::Propose => "propose",
                Step::Prevote => "prevote",
                _ => "precommit",
            };
            vec![text("timeout"), round, text(step)]
        }
        RoundOutput::Decision(RoundValue { value, round: proposed }) => {
            let round = before.round.map_or(number(-1), number);
            vec![text("decision"), round, number(proposed), number(value[0])]
        }
    };
    Json::List(parts)
}

/// The rules of Algorithm 1 of "The latest gossip on BFT consensus" (arXiv:1807.04938), by the numbers of its lines:
/// what a validator that has locked nothing does in round 1, in each step.
#[test]
fn each_step_applies_the_rules_of_the_paper() {
    use RoundInput as In;

    const V: [u8; 32] = [1; 32];
    let next = |state: &mut RoundState, input| state.apply(1, input).expect("it applies");
    let at_propose = || {
        let mut state = RoundState::default();
        let output = next(&mut state, In::NewRound { is_proposer: false });
        assert_eq!(output, Some(RoundOutput::ScheduleTimeout(Step::Propose)), "line 21");
        state
    };
    let at_prevote = || {
        let mut state = at_propose();
        let output = next(&mut state, In::Proposal(V));
        assert_eq!(output, Some(RoundOutput::Prevote(Some(V))), "line 24");
        state
    };
    let at_precommit = || {
        let mut state = at_prevote();
        let output = next(&mut state, In::PolkaNil);
        assert_eq!(output, Some(RoundOutput::Precommit(None)), "line 45");
        state
    };
    let states = [at_propose(), at_prevote(), at_precommit()];
    let prevote = |value| Some(Some(RoundOutput::Prevote(value)));
    let precommit = |value| Some(Some(RoundOutput::Precommit(value)));
    let timeout = |step| Some(Some(RoundOutput::ScheduleTimeout(step)));
    // In propose, prevote and precommit; `None` where the input does not apply.
    let rows = [
        (22, In::Proposal(V), [prevote(Some(V)), None, None]),
        (26, In::InvalidProposal, [prevote(None), None, None]),
        (
            30,
            In::ProposalAndPolkaPrevious { value: V, valid_round: 0 },
            [prevote(Some(V)), None, None],
        ),
        (28, In::ProposalAndPolkaPrevious { value: V, valid_round: 1 }, [None, None, None]),
        (32, In::InvalidProposalAndPolkaPrevious { valid_round: 0 }, [prevote(None), None, None]),
        (28, In::InvalidProposalAndPolkaPrevious { valid_round: 1 }, [None, None, None]),
        (28, In::InvalidProposalAndPolkaPrevious { valid_round: 2 }, [None, None, None]),
        (34, In::PolkaAny, [None, timeout(Step::Prevote), None]),
        (36, In::ProposalAndPolkaCurrent(V), [None, precommit(Some(V)), Some(None)]),
        (44, In::PolkaNil, [None, precommit(None), None]),
        (57, In::TimeoutPropose, [prevote(None), None, None]),
        (61, In::TimeoutPrevote, [None, precommit(None), None]),
    ];
    for (line, input, expected) in rows {
        for (state, expected) in states.into_iter().zip(expected) {
            let mut after = state;
            let output = after.apply(1, input).ok();
            assert_eq!(output, expected, "line {line} in {state:?}");
            if expected.is_none() {
                assert_eq!(after, state, "line {line}: what does not apply changes nothing");
            }
            let mut other = state;
            assert!(other.apply(2, input).is_err(), "line {line}: of another round, {state:?}");
        }
    }
    for state in states {
        let mut after = state;
        let output = after.apply(1, In::ProposalAndPrecommitValue(V)).unwrap();
        let decision = RoundOutput::Decision(RoundValue { value: V, round: 1 });
        assert_eq!(output, Some(decision), "line 49, {state:?}");
        for (line, input, _) in rows {
            assert!(after.apply(1, input).is_err(), "line {line} after the decision");
        }
        let mut after = state;
        assert_eq!(after.apply(3, In::SkipRound), Ok(Some(RoundOutput::NewRound(3))), "line 56");
    }
}

/// The rules that hold in every step (lines 47, 49, 55 and 65) are those of this round, or of a later one, and none holds
/// after the decision.
#[test]
fn the_rules_of_any_step_belong_to_their_round() {
    use RoundInput as In;

    let of = |step, round| RoundState { round: Some(round), step, ..RoundState::default() };
    let steps = [Step::Unstarted, Step::Propose, Step::Prevote, Step::Precommit];
    for state in steps.map(|step| of(step, 4)) {
        for round in [3, 5] {
            let mut after = state;
            assert!(after.apply(round, In::PrecommitAny).is_err(), "line 47, {state:?}");
            assert!(after.apply(round, In::TimeoutPrecommit).is_err(), "line 65, {state:?}");
            assert_eq!(after, state);
        }
        let mut after = state;
        let timeout = RoundOutput::ScheduleTimeout(Step::Precommit);
        assert_eq!(after.apply(4, In::PrecommitAny), Ok(Some(timeout)), "line 48");
        assert_eq!(after.apply(4, In::PrecommitAny), Ok(None), "line 47: for the first time");
        assert_eq!(after.apply(4, In::TimeoutPrecommit), Ok(Some(RoundOutput::NewRound(5))));
        assert_eq!(after, of(Step::Unstarted, 5), "line 67");
        for (round, skips) in [(3, false), (4, false), (5, true), (9, true)] {
            let mut after = state;
            let expected = skips.then_some(Some(RoundOutput::NewRound(round)));
            assert_eq!(after.apply(round, In::SkipRound).ok(), expected, "line 55, {state:?}");
        }
    }
    let mut last = of(Step::Precommit, u32::MAX);
    assert!(last.apply(u32::MAX, In::TimeoutPrecommit).is_err(), "no later round can be written");

    let mut decided = of(Step::Prevote, 4);
    decided.apply(2, In::ProposalAndPrecommitValue([1; 32])).expect("line 49: of any round");
    let before = decided;
    for (round, input) in [
        (4, In::PrecommitAny),
        (4, In::TimeoutPrecommit),
        (9, In::SkipRound),
        (4, In::ProposalAndPrecommitValue([2; 32])),
        (4, In::NewRound { is_proposer: true }),
    ] {
        assert!(decided.apply(round, input).is_err(), "{input:?}");
        assert_eq!(decided, before, "{input:?}");
    }
}

/// Lines 22-33: what a validator that has locked prevotes for.
#[test]
fn a_lock_gives_way_to_its_value_and_to_later_quorums() {
    use RoundInput as In;

    const V: [u8; 32] = [1; 32];
    const W: [u8; 32] = [2; 32];
    let with = |value, valid_round| In::ProposalAndPolkaPrevious { value, valid_round };
    let locked = Some(RoundValue { value: V, round: 3 });
    for (line, input, expected) in [
        (23, In::Proposal(V), Some(V)),
        (23, In::Proposal(W), None),
        (29, with(V, 2), Some(V)),
        (29, with(W, 2), None),
        (29, with(W, 3), Some(W)),
        (29, with(W, 4), Some(W)),
        (29, with(V, 4), Some(V)),
    ] {
        let step = Step::Propose;
        let mut state = RoundState { round: Some(5), step, locked, ..RoundState::default() };
        let output = state.apply(5, input);
        assert_eq!(output, Ok(Some(RoundOutput::Prevote(expected))), "line {line}: {input:?}");
        assert_eq!(state.locked, locked, "a prevote leaves the lock");
    }
}
