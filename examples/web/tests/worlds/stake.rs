//! Stake: draws, turns, and nothing at stake.

use super::*;

#[test]
fn proposers_are_drawn_by_stake_and_taken_in_turn_exactly() {
    let mut stake = open("stake", "stakes=1,2,3,4");
    stake.command("slots 10000").expect("a number");
    let view = view(&mut stake);
    let Json::List(validators) = field(&view, "validators") else { panic!("a list") };
    for (validator, share) in validators.iter().zip([1_000, 2_000, 3_000, 4_000]) {
        let drawn = whole(field(validator, "drawn"));
        assert!((drawn - share).abs() < 250, "five standard deviations: {drawn} for {share}");
        assert_eq!(whole(field(validator, "turns")), share);
    }
}

#[test]
fn with_nothing_at_stake_a_fork_lives_on_and_with_a_stake_one_chain_remains() {
    for (slash, living) in [("off", 2), ("on", 1)] {
        let mut stake = open("stake", &format!("slash={slash}&seed=2"));
        run(&mut stake, 3);
        stake.command("fork").expect("no words");
        run(&mut stake, 100);
        let view = view(&mut stake);
        assert_eq!(whole(field(&view, "living")), living, "slash {slash}");
        let Json::List(validators) = field(&view, "validators") else { panic!("a list") };
        let slashed: Vec<bool> =
            validators.iter().map(|one| *field(one, "slashed") != Json::Null).collect();
        if slash == "off" {
            assert_eq!(slashed, [false; 4]);
            assert!(number(field(&view, "second")) > 50.0, "{view}");
        } else {
            assert!(slashed[1..].iter().all(|slashed| *slashed), "{slashed:?}");
        }
        assert!(stake.trace().contains("has signed twice"));
    }
}
