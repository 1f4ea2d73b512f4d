//! Statements, evidence and offences.

mod json;

use std::path::Path;
use std::{env, fs};

use consensus::bft::{Bft, BftConfig, BftSetup, BftSlots, PeerSlot, VoteSlot};
use consensus::{
    DecodeError, Ed25519, Ed25519Key, Equivocation, EquivocationDetector, EvidenceError, Keys as _,
    OffenceKind, RoundRobin, SignedStatement, Statement, StatementKind, StatementSlot, ValidatorId,
    Verify as _,
};
use json::Json;

const GENESIS: [u8; 32] = [7; 32];

fn sign(key: u8, statement: Statement) -> SignedStatement {
    let key = Ed25519Key::from_secret(&[key; 32]);
    SignedStatement { statement, author: key.id(), signature: key.sign(&statement.to_bytes()) }
}

fn attest(source: u64, target: u64, digest: u8) -> Statement {
    Statement::new(GENESIS, StatementKind::Attest { source }, target, 0, [digest; 32])
}

/// All 210 pairs of the predicate `is_slashable_attestation_data` of the consensus specs, in both orders.
#[test]
fn slashable_attestations_match_the_specification() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ffg_slashing_grid.txt");
    let text = fs::read_to_string(path).expect("the grid");
    let mut surrounds = std::collections::BTreeMap::new();
    let mut pairs = 0;
    for row in text.lines().filter(|line| !line.starts_with('#')) {
        let numbers: Vec<u64> =
            row.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [s1, t1, s2, t2, identical, double, surround] = numbers[..] else { panic!("{row}") };
        let one = attest(s1, t1, 1);
        let two = attest(s2, t2, if identical == 1 { 1 } else { 2 });
        let found = one.contradiction(&two);
        assert_eq!(found, two.contradiction(&one), "{row}");
        let is_double = found.is_some_and(|(kind, _)| kind == OffenceKind::DoubleVote);
        assert_eq!(is_double, double == 1, "{row}");
        if surround == 1 {
            assert_eq!(found, Some((OffenceKind::Surround, t1)), "{row}");
        }
        surrounds.insert((s1, t1, s2, t2), surround == 1);
        pairs += 1;
    }
    for ((s1, t1, s2, t2), forward) in &surrounds {
        let backward = surrounds.get(&(*s2, *t2, *s1, *t1)).copied().unwrap_or(false);
        let found = attest(*s1, *t1, 1).contradiction(&attest(*s2, *t2, 2));
        let is_surround = found.is_some_and(|(kind, _)| kind == OffenceKind::Surround);
        assert_eq!(is_surround, *forward || backward, "({s1},{t1}) ({s2},{t2})");
    }
    assert_eq!(pairs, 210);
}

/// Kinds, rounds, slots and chains that an honest validator may combine, and those that it may not.
#[test]
fn contradictions_have_a_kind_and_a_slot_in_any_order() {
    let statement =
        |kind, slot, round, digest| Statement::new(GENESIS, kind, slot, round, [digest; 32]);
    let propose = StatementKind::Propose { valid_round: None };
    let again = StatementKind::Propose { valid_round: Some(0) };
    let prevote = StatementKind::Prevote;
    let precommit = StatementKind::Precommit;
    let cases = [
        (
            statement(propose, 5, 1, 1),
            statement(propose, 5, 1, 2),
            Some(OffenceKind::DoubleProposal),
        ),
        (statement(propose, 5, 1, 1), statement(again, 5, 1, 2), Some(OffenceKind::DoubleProposal)),
        (statement(propose, 5, 1, 1), statement(again, 5, 1, 1), None),
        (statement(prevote, 5, 1, 1), statement(prevote, 5, 1, 0), Some(OffenceKind::DoubleVote)),
        (
            statement(precommit, 5, 1, 1),
            statement(precommit, 5, 1, 2),
            Some(OffenceKind::DoubleVote),
        ),
        (statement(prevote, 5, 1, 1), statement(precommit, 5, 1, 2), None),
        (statement(prevote, 5, 1, 1), statement(prevote, 5, 2, 2), None),
        (statement(prevote, 5, 1, 1), statement(prevote, 6, 1, 2), None),
        (statement(prevote, 5, 1, 1), statement(prevote, 5, 1, 1), None),
        (statement(prevote, 5, 0, 1), attest(5, 5, 2), None),
    ];
    for (one, two, expected) in cases {
        let kind = |pair: Option<(OffenceKind, u64)>| pair.map(|(kind, _)| kind);
        assert_eq!(kind(one.contradiction(&two)), expected, "{one} and {two}");
        assert_eq!(kind(two.contradiction(&one)), expected, "{two} and {one}");
        let elsewhere = Statement { genesis: [8; 32], ..two };
        assert_eq!(one.contradiction(&elsewhere), None, "another chain");
    }
}

/// Three proposals of one author in one slot: three pairs of evidence, one offence.
#[test]
fn many_proofs_name_one_offence() {
    let proposals =
        [1, 2, 3].map(|digest| sign(1, Statement::propose(GENESIS, 9, 0, [digest; 32])));
    let [a, b, c] = &proposals;
    let pairs = [(a, b), (b, a), (a, c), (c, a), (b, c), (c, b)];
    let proofs = pairs.map(|(one, two)| Equivocation::prove(one, two).expect("a contradiction"));
    for proof in &proofs {
        assert_eq!(proof.offence(), proofs[0].offence());
        assert!(proof.offence().kind.is_slashable());
        assert_eq!(
            proof.offence().to_string(),
            format!("double proposal by {:.16} in slot 9", a.author)
        );
    }
    let mut encodings: Vec<_> = proofs
        .iter()
        .map(|proof| {
            let mut out = [0; Equivocation::LEN];
            proof.encode(&mut out).expect("LEN suffices");
            out
        })
        .collect();
    encodings.sort_unstable();
    encodings.dedup();
    assert_eq!(encodings.len(), 3, "one encoding for each pair, whatever the order");
}

/// The lesser statement stands first; the other order is another spelling.
#[test]
fn evidence_in_the_wrong_order_is_refused() {
    let [a, b] = [1, 2].map(|digest| sign(1, Statement::propose(GENESIS, 9, 0, [digest; 32])));
    let mut out = [0; Equivocation::LEN];
    let proof = Equivocation::prove(&b, &a).expect("a contradiction");
    proof.encode(&mut out).expect("LEN suffices");
    assert_eq!(Equivocation::decode(&out), Ok((proof, &[][..])));
    let text = proof.to_string();
    let start = format!("EQUIVOCATION of {:.16} slot=9 round=0: ", a.author);
    assert!(text.starts_with(&start) && text.len() > start.len(), "{text}");

    // Two halves of a statement and its signature, and then the author of both.
    let (halves, author) = out.split_at(Equivocation::LEN - 32);
    assert_eq!(author, a.author.0);
    let (first, second) = halves.split_at(Statement::LEN + 64);
    let swapped = [second, first, author].concat();
    assert_eq!(Equivocation::decode(&swapped), Err(EvidenceError::WrongOrder));
    let twice = [first, first, author].concat();
    let same = Equivocation::decode(&twice);
    assert!(same.is_err() && same != Err(EvidenceError::WrongOrder), "{same:?}");
}

/// The detector finds surrounding votes, in any order of arrival.
#[test]
fn the_detector_finds_surrounding_votes() {
    let votes = [attest(2, 3, 1), attest(3, 4, 1), attest(1, 5, 1)].map(|it| sign(1, it));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut detector = EquivocationDetector::new([StatementSlot::EMPTY; 4]);
        let found = order.map(|at| detector.observe(&votes[at], |_| true).expect("it is signed"));
        let offences: Vec<_> = found.iter().flatten().map(Equivocation::offence).collect();
        assert!(!offences.is_empty());
        assert!(offences.iter().all(|it| it.kind == OffenceKind::Surround && it.slot == 5));
    }
}

/// Other spellings of a statement are refused.
#[test]
fn each_statement_has_one_encoding() {
    let prevote = Statement::new(GENESIS, StatementKind::Prevote, 5, 1, [1; 32]);
    let mut bytes = prevote.to_bytes();
    assert_eq!(Statement::decode(&bytes), Ok((prevote, &[][..])));
    bytes[54] = 1;
    assert_eq!(Statement::decode(&bytes), Err(DecodeError::Noncanonical));
    bytes[54] = 0;
    bytes[2] = 9;
    assert_eq!(Statement::decode(&bytes), Err(DecodeError::UnknownKind(9)));
    bytes[1] = 1;
    assert_eq!(Statement::decode(&bytes), Err(DecodeError::UnknownVersion(1)));
    bytes[0] = 0;
    assert_eq!(Statement::decode(&bytes), Err(DecodeError::WrongTag(0)));
    assert_eq!(Statement::decode(&bytes[..80]), Err(DecodeError::Incomplete { needed: 7 }));
    let mut late = Statement::propose(GENESIS, 5, 1, [1; 32]).to_bytes();
    late[47..55].copy_from_slice(&(u64::from(u32::MAX) + 1).to_be_bytes());
    assert_eq!(Statement::decode(&late), Err(DecodeError::Noncanonical));
}

/// A signature for one chain is worth nothing on another.
#[test]
fn another_genesis_refuses_every_signature() {
    let signed = sign(1, Statement::propose(GENESIS, 5, 0, [1; 32]));
    let statement = Statement { genesis: [8; 32], ..signed.statement };
    let moved = SignedStatement { statement, ..signed };
    assert!(signed.verify().is_ok());
    assert!(moved.verify().is_err());
    let other = sign(1, Statement { digest: [2; 32], ..statement });
    assert_eq!(Equivocation::prove(&moved, &other), Err(EvidenceError::Forged(signed.author)));
}

/// The twelve signatures of ed25519-speccheck: the strict rule accepts exactly the third, whose points have components
/// of mixed order.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn ed25519_speccheck_cases_follow_the_strict_rule() {
    let folder = env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of the vectors");
    let text = fs::read_to_string(format!("{folder}/chain/ed25519-speccheck.json"));
    let data = Json::of(&text.expect("the signatures"));
    let mut cases = 0;
    for case in data.at("cases").list() {
        let bytes = |key: &str| -> Vec<u8> {
            let hex = case.at(key).text();
            let digits = hex.as_bytes().chunks(2);
            let digits = digits.map(|pair| core::str::from_utf8(pair).expect("digits"));
            digits.map(|pair| u8::from_str_radix(pair, 16).expect("a byte")).collect()
        };
        let author = ValidatorId(bytes("pub_key").try_into().expect("32 bytes"));
        let signature = bytes("signature").try_into().expect("64 bytes");
        let found = Ed25519.verify(&author, &bytes("message"), &signature);
        assert_eq!(found, case.at("dalek3").at("verify_strict").bool(), "{case:?}");
        assert_eq!(found, case.at("case").number() == 3, "{case:?}");
        cases += 1;
    }
    assert_eq!(cases, 12);
}

/// Seven validators with real keys in static memory: under 6 KB, machine and slots together.
#[test]
fn seven_bft_validators_fit_in_six_kilobytes() {
    type Storage = BftSlots<[PeerSlot; 7], [VoteSlot; 42]>;
    type Device = Bft<RoundRobin<[ValidatorId; 7]>, Ed25519Key, Storage>;
    assert!(size_of::<Device>() < 6 * 1024, "{}", size_of::<Device>());
    assert_eq!(size_of::<VoteSlot>(), 108);
    assert!(size_of::<PeerSlot>() <= 72); // less where words of 64 bits are aligned to 4 bytes
    let ids = [1, 2, 3, 4, 5, 6, 7].map(|n| Ed25519Key::from_secret(&[n; 32]).id());
    let validators = ids.map(|id| (id, 1));
    let setup = BftSetup {
        config: BftConfig::new(core::time::Duration::from_millis(200)),
        genesis: GENESIS,
        height: 1,
        validators: &validators,
        selector: RoundRobin::new(ids),
        keys: Ed25519Key::from_secret(&[1; 32]),
    };
    let storage = Storage { validators: [PeerSlot::EMPTY; 7], votes: [VoteSlot::EMPTY; 42] };
    assert!(Bft::new(setup, storage).is_ok());
}
