//! Clique against the scenarios of EIP-225, a plain model of its rules, and EIP-3436.

#[path = "bodies/clique.rs"]
mod body;
mod json;

use core::cmp::Reverse;
use std::fs;
use std::path::Path;

use body::{Model, Storage, config, storage};
use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueError, CliqueHead, CliqueSetupError,
    CliqueSlots, CliqueVote, RecentSlot, SignerSlot,
};
use consensus::{Turn, ValidatorId};
use json::Json;
use sim::Rng;

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read_to_string(path).expect("the data")
}

fn letter(name: &str) -> ValidatorId {
    let mut id = [0; 32];
    id[..name.len()].copy_from_slice(name.as_bytes());
    ValidatorId(id)
}

/// The voting scenarios of EIP-225 and of go-ethereum's tests (CC0), block by block.
#[test]
fn votes_match_the_scenarios_of_eip_225() {
    let mut scenarios = 0;
    for line in data("clique_voting.jsonl").lines() {
        let case = Json::of(line);
        let signers: Vec<_> =
            case.at("signers").list().iter().map(|it| letter(it.text())).collect();
        let epoch = case.at("epoch").number() as u64;
        let mut clique =
            Clique::new(config(epoch), &signers, storage(12, 96)).expect("a valid setup");
        let mut error = None;
        for (number, block) in (1..).zip(case.at("blocks").list()) {
            let vote = block.get("voted").filter(|voted| !voted.is_null());
            let vote = vote.map(|voted| CliqueVote {
                target: letter(voted.text()),
                authorize: block.at("auth").bool(),
            });
            let signer = letter(block.at("signer").text());
            if let Err(found) = clique.apply(&CliqueBlock { number, signer, vote }) {
                error = Some(found);
                break;
            }
        }
        let failure = error.map_or(Json::Null, |error| {
            Json::Text(match error {
                CliqueError::Unauthorized(_) => "unauthorized".into(),
                CliqueError::RecentlySigned { .. } => "recently_signed".into(),
                other => other.to_string(),
            })
        });
        assert_eq!(&failure, case.at("failure"), "{line}");
        if failure.is_null() {
            let result: Vec<_> =
                case.at("result").list().iter().map(|it| letter(it.text())).collect();
            assert!(clique.signers().eq(result), "{line}");
        }
        scenarios += 1;
    }
    assert_eq!(scenarios, 16);
}

#[test]
fn any_blocks_equal_the_plain_model() {
    let mut rng = Rng::new(3);
    for _ in 0..500 {
        let bytes: Vec<_> = (0..400).map(|_| rng.next_u64() as u8).collect();
        body::clique(&bytes);
    }
}

#[test]
fn random_histories_equal_the_plain_model() {
    compare_histories(5_000);
}

#[test]
#[ignore = "takes half a minute; optimise it"]
fn many_random_histories_equal_the_plain_model() {
    compare_histories(100_000);
}

/// Random histories of 30 blocks: the same verdict, turns and authorities as the model after each block.
fn compare_histories(count: u64) {
    let mut rng = Rng::new(225);
    let mut accepted = 0_u64;
    let mut changed = 0_u64;
    for history in 0..count {
        let people: Vec<_> = (1..=5).map(|n| ValidatorId([n; 32])).collect();
        let count = 1 + rng.below(4) as usize;
        let epoch = [3, 7, 1000][rng.below(3) as usize];
        let mut model = Model::new(epoch, &people[..count]);
        let mut clique =
            Clique::new(config(epoch), &people[..count], storage(6, 48)).expect("valid");
        let mut number = 1_u64;
        for _ in 0..30 {
            let vote = (rng.below(3) > 0 && !number.is_multiple_of(epoch)).then(|| CliqueVote {
                target: people[rng.below(5) as usize],
                authorize: rng.below(2) == 0,
            });
            let block = CliqueBlock { number, signer: people[rng.below(5) as usize], vote };
            let before = clique.clone();
            let expected = model.apply(&block);
            let found = clique.apply(&block);
            assert_eq!(found.ok(), expected.ok(), "{history}: {block:?} after {before:?}");
            if found.is_ok() {
                accepted += 1;
                number += 1;
                changed += u64::from(!clique.signers().eq(before.signers()));
            } else {
                assert_eq!(clique, before, "refused: unchanged");
            }
            let same = clique.signers().eq(model.signers.iter().copied());
            assert!(same, "{history}: {block:?} after {before:?}");
        }
    }
    assert!(accepted > 5 * count && changed > count / 5, "{accepted} blocks, {changed} changes");
}

/// A majority that came to be because the list shrank waits for the next vote on that authority: any vote, even one that
/// is not counted because it asks for what is so already.
#[test]
fn a_vote_that_is_not_counted_still_decides() {
    let ids: Vec<_> = (1..=4).map(|n| ValidatorId([n; 32])).collect();
    let mut clique = Clique::new(config(1000), &ids, storage(6, 48)).expect("valid");
    let blocks = [
        (2, Some((4, false))),
        (3, Some((1, false))),
        (1, Some((4, false))),
        (2, Some((1, false))),
        (4, Some((4, false))), // three of four drop the fourth; two of three want to drop the first
        (3, None),
        (1, Some((1, true))), // it votes to stay, and falls
    ];
    for (number, (signer, vote)) in (1..).zip(blocks) {
        assert!(clique.is_signer(&ids[0]));
        let vote =
            vote.map(|(target, authorize)| CliqueVote { target: ids[target - 1], authorize });
        let block = CliqueBlock { number, signer: ids[signer - 1], vote };
        clique.apply(&block).expect("it may sign");
    }
    assert!(clique.signers().eq([ids[1], ids[2]]));
}

/// An authority that is dropped and added again may still not sign twice within the limit: recent signatures belong to
/// numbers, not to members.
#[test]
fn a_member_that_returns_is_still_recent() {
    let ids: Vec<_> = (1..=4).map(|n| ValidatorId([n; 32])).collect();
    let mut clique = Clique::new(config(1000), &ids, storage(6, 48)).expect("valid");
    let mut number = 0;
    let mut block = |signer: usize, vote: Option<bool>| {
        number += 1;
        let vote = vote.map(|authorize| CliqueVote { target: ids[3], authorize });
        clique.apply(&CliqueBlock { number, signer: ids[signer], vote })
    };
    for signer in [0, 1] {
        block(signer, Some(false)).expect("it may");
    }
    block(3, None).expect("it may");
    block(2, Some(false)).expect("three of four drop the fourth");
    for signer in [0, 1] {
        block(signer, Some(true)).expect("two of three add it again");
    }
    // Limit 3: the fourth signed number 3, and the next is 7.
    assert!(block(3, None).is_ok());
}

/// EIP-3436's scenarios: which fork wins, and by which rule.
#[test]
fn the_deadlocks_of_eip_3436_resolve() {
    let data = Json::of(&data("clique_fork_choice.json"));
    for scenario in data.at("scenarios").list() {
        let signers = scenario.at("n").number() as usize;
        let head = |name: &str, hash: u8| {
            let blocks = scenario.at(name).list();
            let total: i64 = blocks.iter().map(|block| block.list()[2].number()).sum();
            let [number, index, _] = blocks.last().expect("a block").list() else { panic!() };
            let number = number.number() as u64;
            let index = index.number() as usize;
            CliqueHead::new(total as u64, number, index, signers, [hash; 32]).expect("signers")
        };
        let winner = scenario.at("winner").text();
        // The hash, which is the last rule, does not decide.
        for (a, b) in [(0, 255), (255, 0)] {
            let a = head("fork_a", a);
            let b = head("fork_b", b);
            assert_eq!(a > b, winner == "a");
            assert_eq!(a.weight() > b.weight(), winner == "a");
        }
    }
    let tie = |hash| CliqueHead::new(3, 17, 4, 8, [hash; 32]).expect("signers");
    assert!(tie(1) > tie(2), "the lower hash");
    assert_eq!(tie(1).weight(), tie(2).weight());
}

/// Eight authorities, forks 1,3,5 and 2,4,6 after a block of 7, and 7 and 8 offline. By "heaviest, then first seen" both
/// halves keep their own fork, on which all of them signed lately: no block is ever made again. By EIP-3436 all choose
/// the fork 1,3,5, and 2 may extend it.
#[test]
fn eight_authorities_get_out_of_the_deadlock() {
    let ids: Vec<_> = (1..=8).map(|n| ValidatorId([n; 32])).collect();
    let start = Clique::new(config(1000), &ids, storage(8, 64)).expect("valid");
    let common = [7, 8, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 8, 7];
    let extend = |clique: &Clique<Storage>, signers: &[usize]| {
        let mut clique = clique.clone();
        let mut difficulty = 0;
        let mut head = None;
        for signer in signers {
            let signer = ids[signer - 1];
            let number = clique.number() + 1;
            let block = CliqueBlock { number, signer, vote: None };
            let turn = clique.check(&block).expect("it may sign");
            difficulty += u64::from(turn.difficulty());
            head = clique.head(&signer, difficulty, [number as u8; 32]);
            clique.apply(&block).expect("it may sign");
        }
        (clique, head.expect("a block"), difficulty)
    };
    let (common, ..) = extend(&start, &common);
    assert_eq!(common.number(), 14);
    let (odd, odd_head, odd_difficulty) = extend(&common, &[1, 3, 5]);
    let (even, even_head, even_difficulty) = extend(&common, &[2, 4, 6]);
    assert_eq!(odd_difficulty, even_difficulty, "neither fork is heavier");
    let may_sign = |clique: &Clique<Storage>, signers: &[usize]| {
        let number = clique.number() + 1;
        let can = |signer: &&usize| {
            let block = CliqueBlock { number, signer: ids[**signer - 1], vote: None };
            clique.check(&block).is_ok()
        };
        signers.iter().filter(can).count()
    };
    // First seen: each half stays on its own fork, and nobody there may sign.
    assert_eq!(may_sign(&odd, &[1, 3, 5]), 0);
    assert_eq!(may_sign(&even, &[2, 4, 6]), 0);
    // EIP-3436: one head for all, in any order of arrival, and the other half extends it.
    assert!(odd_head > even_head);
    assert_eq!([odd_head, even_head].iter().max(), [even_head, odd_head].iter().max());
    assert_eq!(may_sign(&odd, &[2, 4, 6]), 3);
}

/// Any three heads are in one order, whatever order they are compared in.
#[test]
fn the_order_of_heads_is_total() {
    let mut rng = Rng::new(3436);
    for _ in 0..20_000 {
        let mut head = || {
            let index = rng.below(4) as usize;
            let total = rng.below(3);
            let number = rng.below(3);
            CliqueHead::new(total, number, index, 4, [rng.below(3) as u8; 32]).expect("signers")
        };
        let heads = [head(), head(), head()];
        let [a, b, c] = heads;
        assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            assert!(a <= c);
        }
        let by_weight = a.weight().cmp(&b.weight());
        assert!(by_weight.is_eq() || by_weight == a.cmp(&b));
        let mut sorted = heads;
        sorted.sort_by_key(|head| Reverse(*head));
        assert_eq!(sorted[0], *heads.iter().max().expect("three"));
    }
}

#[test]
fn invalid_setups_and_full_tables_are_refused() {
    let ids: Vec<_> = (1..=3).map(|n| ValidatorId([n; 32])).collect();
    let new = |epoch, ids: &[ValidatorId], signers, votes| {
        Clique::new(config(epoch), ids, storage(signers, votes)).map(|_| ())
    };
    assert_eq!(new(0, &ids, 4, 32), Err(CliqueSetupError::ZeroEpoch));
    assert_eq!(new(1, &[], 4, 32), Err(CliqueSetupError::NoSigners));
    assert_eq!(new(1, &[ids[0], ids[0]], 4, 32), Err(CliqueSetupError::Duplicate(ids[0])));
    assert!(matches!(new(1, &ids, 2, 32), Err(CliqueSetupError::TooFewSlots { .. })));
    assert!(matches!(new(1, &ids, 4, 31), Err(CliqueSetupError::TooFewSlots { .. })));
    let mut full = Clique::new(config(1000), &ids[..1], storage(1, 8)).expect("valid");
    let vote = Some(CliqueVote { target: ids[1], authorize: true });
    let block = CliqueBlock { number: 1, signer: ids[0], vote };
    assert_eq!(full.apply(&block), Err(CliqueError::Full { capacity: 1 }));
    let mut few = CliqueConfig::new();
    few.epoch = 1000;
    let mut clique = Clique::new(few, &ids, storage(3, 3)).expect("valid");
    let vote = |n| Some(CliqueVote { target: ValidatorId([n; 32]), authorize: true });
    let signed = |number, vote| CliqueBlock { number, signer: ids[number as usize % 3], vote };
    for number in 1..=3 {
        clique.apply(&signed(number, (number == 1).then(|| vote(9)).flatten())).expect("in turn");
    }
    let limit = CliqueError::TooManyVotes { signer: ids[1], limit: 1 };
    assert_eq!(clique.apply(&signed(4, vote(8))), Err(limit));
    let withdraw = Some(CliqueVote { target: ValidatorId([9; 32]), authorize: false });
    clique.apply(&signed(4, withdraw)).expect("the opposite vote withdraws the first");
    for number in 5..=6 {
        clique.apply(&signed(number, None)).expect("in turn");
    }
    assert_eq!(clique.apply(&signed(7, vote(8))), Ok(Turn::In));
}

/// Sixteen authorities, each with an open vote: under 2 KB.
#[test]
fn sixteen_authorities_fit_in_two_kilobytes() {
    type Device = Clique<CliqueSlots<[SignerSlot; 16], [RecentSlot; 9], [CandidateSlot; 16]>>;
    assert!(size_of::<Device>() < 2048, "{}", size_of::<Device>());
    assert_eq!(size_of::<SignerSlot>(), 32);
    assert!(size_of::<RecentSlot>() <= 48); // less where words of 64 bits are aligned to 4 bytes
    assert_eq!(size_of::<CandidateSlot>(), 65);
}
