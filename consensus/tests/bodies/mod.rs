//! What must hold for any bytes; shared by the property tests, the replay of the corpus and the fuzz
//! targets.

pub mod bft;
mod bft_plain;
pub mod bft_rules;
pub mod clique;
pub mod ffg;
pub mod ffg_rules;
#[path = "../heap/mod.rs"]
pub mod heap;
#[path = "../name_keys/mod.rs"]
pub mod name_keys;
#[cfg(feature = "ledger")]
pub mod seals;
pub mod tables;

use std::collections::{BTreeMap, VecDeque};

use consensus::{
    Authorities, AuthorityError, AuthoritySlot, Equivocation, EquivocationDetector, EvidenceError,
    SignedStatement, Statement, StatementSlot, Turn, ValidatorId, ValidatorSet,
};
use ed25519_dalek::{Signer as _, SigningKey};
use heap::heap;
use sim::laws::Input;

/// A function that must hold for any bytes.
pub type Body = fn(&[u8]);

/// All bodies by name.
pub const BODIES: &[(&str, Body)] = &[
    ("consensus_statement", statement),
    ("consensus_evidence", evidence),
    ("consensus_draw", draw),
    ("consensus_authorities", authorities),
    ("consensus_detector", detector),
    ("consensus_bft", bft::bft),
    ("consensus_bft_state", bft::bft_state),
    ("consensus_bft_rules", bft_rules::bft_rules),
    ("consensus_ffg", ffg::ffg),
    ("consensus_ffg_rules", ffg_rules::ffg_rules),
    ("consensus_clique", clique::clique),
    ("consensus_aura", tables::aura),
    ("consensus_weighted", tables::weighted),
    ("consensus_guard", tables::guard),
    ("consensus_stake", tables::stake),
    #[cfg(feature = "ledger")]
    ("consensus_seals", seals::seals),
];

/// A statement that decodes encodes back to the same bytes.
pub fn statement(bytes: &[u8]) {
    if let Ok((statement, _)) = Statement::decode(bytes) {
        assert_eq!(statement.to_bytes(), bytes[..Statement::LEN]);
        assert!(!statement.to_string().is_empty());
    }
    if let Ok((signed, rest)) = SignedStatement::decode(bytes) {
        let mut out = [0; SignedStatement::LEN];
        assert_eq!(signed.encode(&mut out), Ok(bytes.len() - rest.len()));
        assert_eq!(out, bytes[..SignedStatement::LEN]);
        let _ = signed.verify();
    }
}

/// Evidence that decodes is valid and encodes back to the same bytes.
pub fn evidence(bytes: &[u8]) {
    if let Ok((evidence, _)) = Equivocation::decode(bytes) {
        let mut out = [0; Equivocation::LEN];
        assert_eq!(evidence.encode(&mut out), Ok(Equivocation::LEN));
        assert_eq!(out, bytes[..Equivocation::LEN]);
        assert!(evidence.statements().iter().all(|signed| signed.verify().is_ok()));
    }
}

/// The set agrees with a map, and the draw with a walk along the stakes.
pub fn draw(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let capacity = input.below(7);
    let mut set = ValidatorSet::new(heap(capacity));
    let mut model = BTreeMap::new();
    while !input.is_empty() {
        let id = ValidatorId([input.byte() % 9; 32]);
        let stake = match input.below(4) {
            0 => 0,
            1 => input.u64(),
            _ => u64::from(input.byte()),
        };
        if set.set_stake(id, stake).is_ok() {
            model.insert(id, stake);
            model.retain(|_, stake| *stake > 0);
        }
        assert!(set.iter().eq(model.iter().map(|(id, stake)| (*id, *stake))));
        assert_eq!(set.total_stake(), model.values().sum::<u64>());
        let drawn = set.draw(&input.array(), input.u64(), input.u32());
        assert_eq!(drawn.is_some(), !model.is_empty());
        assert!(drawn.is_none_or(|id| model[&id] > 0), "nobody without stake is drawn");
    }
}

/// The turns agree with the rule of EIP-225 written with a list of the last signers.
pub fn authorities(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut list = Authorities::new([AuthoritySlot::EMPTY; 5]);
    let mut members: Vec<ValidatorId> = Vec::new();
    for _ in 0..input.below(7) {
        let id = ValidatorId([input.byte() % 9; 32]);
        if list.insert(id).is_ok() && !members.contains(&id) {
            members.push(id);
        }
    }
    members.sort();
    let limit = members.len() / 2 + 1;
    let mut recents: VecDeque<Option<ValidatorId>> = VecDeque::new();
    let mut height = u64::from(input.u16());
    while !input.is_empty() {
        let id = ValidatorId([input.byte() % 9; 32]);
        let expected = match members.iter().position(|member| *member == id) {
            None => Err("unauthorized"),
            Some(_) if recents.contains(&Some(id)) => Err("recently signed"),
            Some(index) if height % members.len() as u64 == index as u64 => Ok(Turn::In),
            Some(_) => Ok(Turn::Out),
        };
        let turn = list.turn(&id, height);
        assert_eq!(
            turn.map_err(|error| match error {
                AuthorityError::Unauthorized(_) => "unauthorized",
                AuthorityError::RecentlySigned { .. } => "recently signed",
                other => panic!("{other}"),
            }),
            expected
        );
        let signer = turn.is_ok().then_some(id);
        if turn.is_ok() {
            list.record_signature(&id, height);
        }
        recents.push_back(signer);
        if recents.len() >= limit {
            recents.pop_front();
        }
        height += 1;
    }
}

/// What the detector finds was signed, and it finds everything in its window as long as nothing was replaced.
pub fn detector(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let capacity = [0, 1, 40][input.below(3)];
    let mut detector = EquivocationDetector::new(vec![StatementSlot::EMPTY; capacity]);
    let mut window = 0..=u64::MAX;
    let mut observed: BTreeMap<(ValidatorId, u64, u32), Vec<[u8; 32]>> = BTreeMap::new();
    for _ in 0..12 {
        let key = SigningKey::from_bytes(&[input.byte() % 3; 32]);
        let author = ValidatorId(key.verifying_key().to_bytes());
        let slot = u64::from(input.byte() % 3);
        let round = u32::from(input.byte() % 2);
        let statement = Statement::propose([1; 32], slot, round, [input.byte() % 3; 32]);
        let signature = key.sign(&statement.to_bytes()).to_bytes();
        let mut signed = SignedStatement { statement, author, signature };
        match input.byte() {
            1 if window.contains(&slot) => {
                signed.signature[5] ^= 1;
                assert_eq!(detector.observe(&signed, |_| true), Err(EvidenceError::Forged(author)));
                continue;
            }
            2 => {
                window = slot..=slot + u64::from(round);
                detector.set_window(&[1; 32], window.clone());
                observed.retain(|(_, slot, _), _| window.contains(slot));
                assert!(detector.iter().all(|known| window.contains(&known.statement.slot)));
                continue;
            }
            _ if !window.contains(&slot) => {
                let before = detector.clone();
                assert!(detector.observe(&signed, |_| true).is_err(), "outside of the window");
                assert_eq!(detector, before);
                continue;
            }
            _ => {}
        }
        let found = detector.observe(&signed, |_| true).expect("it is signed");
        assert_eq!(detector.observe(&signed, |_| true), Ok(found), "a repetition changes nothing");
        let place = (author, statement.slot, statement.round);
        let digests = observed.entry(place).or_default();
        digests.push(statement.digest);
        let contradicts = digests.iter().any(|digest| *digest != statement.digest);
        if let Some(evidence) = found {
            assert_eq!(evidence.offender(), author);
            assert!(contradicts, "evidence without a contradiction");
        } else if capacity == 40 {
            assert!(!contradicts || digests[0] == statement.digest, "a contradiction was missed");
        }
    }
}
