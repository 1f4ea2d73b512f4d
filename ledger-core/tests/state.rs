//! The state: published-format proofs, ledgers against a model, and validation without the state.

mod common;

use std::collections::BTreeMap;

use common::{Checksum, World, key, ledgers};
use ledger_core::ledger::{EscrowCall, OutputCall, Outputs, Terms, escrow_key, output_key};
use ledger_core::state::{Key, MapProof, MapProofError, Slot, Store, Trie, Value};
use ledger_core::{
    Account, Action, BlockError, Hash, Height, Refused, SignedTransaction, StatelessChain,
    Transaction, TransactionError, TxId,
};
use proptest::prelude::*;

/// The worked values of the format in `docs/WIRE.md`, computed by two other programs.
#[test]
fn map_hashes_are_pinned() {
    let mut map = Trie::new([Slot::EMPTY; 1]);
    let empty = "f03c2e89eaabe81b1e5bee04a6e3af46b5489ab3af3eb3d3f73334c1623a5c4b";
    assert_eq!(map.root().to_string(), empty);
    let mut buf = [0; 66];
    let proof = map.prove(&Key::new(1, b"x"), &mut buf).expect("one byte");
    assert_eq!(proof.as_bytes(), [0]);
}

/// Source: `map-patricia.json`: proofs of two other implementations, good and bad.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn map_proofs_of_others() {
    let dir = std::env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of vectors");
    let file = format!("{dir}/chain/map-patricia.json");
    let text = std::fs::read_to_string(file).expect("the file is there");
    let text: String = text.split_whitespace().collect();
    let maps = text.split("\"maps\"").nth(1).and_then(|rest| rest.split("\"bad\"").next());
    let mut good = 0;
    for map in maps.expect("maps").split("\"entries\"").skip(1) {
        let root = Hash::from_bytes(bytes32(field(map, "root").expect("a root")));
        for proof in map.split("\"proofs\"").nth(1).expect("proofs").split("{\"key\"").skip(1) {
            let key = Key::from_bytes(bytes32(&proof[2..66]));
            let wire = wire_of(proof);
            if let Some(published) = field(proof, "wire") {
                assert_eq!(wire, unhex(published));
            }
            let (decoded, rest) = MapProof::decode(&wire).expect("a proof");
            assert!(rest.is_empty());
            let found = decoded.verify(&root, &key).expect("it is good");
            assert_eq!(found.is_none(), field(proof, "result") == Some("absent"));
            if let Some(after) = field(proof, "root_after_put_value_hash_33") {
                let value = Hash::from_bytes([0x33; 32]);
                assert_eq!(*decoded.root_after(&key, Some(&value)).as_bytes(), bytes32(after));
            }
            if let Some(after) = field(proof, "root_after_delete") {
                assert_eq!(*decoded.root_after(&key, None).as_bytes(), bytes32(after));
            }
            good += 1;
        }
    }
    assert!(good >= 19, "{good} good proofs");
    let mut bad = 0;
    for proof in text.split("\"bad\"").nth(1).expect("bad").split("{\"name\"").skip(1) {
        let root = Hash::from_bytes(bytes32(field(proof, "root").expect("a root")));
        let key = Key::from_bytes(bytes32(field(proof, "key").expect("a key")));
        let wire = wire_of(proof);
        let proved = MapProof::decode(&wire)
            .is_ok_and(|(proof, rest)| rest.is_empty() && proof.verify(&root, &key).is_ok());
        assert!(!proved, "{:?}", field(proof, "name"));
        bad += 1;
    }
    assert!(bad >= 5, "{bad} bad proofs");
}

/// The bytes of a proof that is given as leaf and path.
fn wire_of(proof: &str) -> Vec<u8> {
    let leaf = proof.split("\"leaf\":").nth(1).expect("a leaf");
    if leaf.starts_with("null") {
        return vec![0];
    }
    let mut hashes = leaf.split('"').skip(1).step_by(2);
    let mut out = vec![1];
    out.extend(unhex(hashes.next().expect("a key")));
    out.extend(unhex(hashes.next().expect("a value hash")));
    let path = proof.split("\"path\":[").nth(1).expect("a path");
    let path = path.split("]]").next().expect("it ends");
    let steps: Vec<_> = if path.starts_with(']') { vec![] } else { path.split("],").collect() };
    out.push(steps.len() as u8);
    for step in steps {
        let (bit, sibling) = step.trim_start_matches('[').split_once(',').expect("two fields");
        out.push(bit.parse::<u16>().expect("a bit") as u8);
        out.extend(unhex(sibling.trim_matches(['"', ']'])));
    }
    out
}

fn bytes32(hex: &str) -> [u8; 32] {
    unhex(hex).try_into().expect("32 bytes")
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(&format!("\"{name}\":\"")).nth(1)?.split('"').next()
}

#[test]
fn a_proof_for_another_key_proves_nothing() {
    let mut map = Trie::new([Slot::EMPTY; 32]);
    let keys: Vec<_> = (0..32).map(|n| Key::new(64, &[n])).collect();
    for (key, n) in keys.iter().zip(0..) {
        map.replace(key, Value::new(&[n]).as_ref()).expect("there is room");
    }
    let root = map.root();
    let mut buf = [0; 1024];
    let proof = map.prove(&keys[0], &mut buf).expect("it fits");
    for key in &keys[1..] {
        assert!(!matches!(proof.verify(&root, key), Ok(None)), "it is in the map");
    }
    let wrong = Hash::ZERO;
    assert_eq!(proof.verify(&wrong, &keys[0]), Err(MapProofError::WrongRoot));
    let original = proof.as_bytes().to_vec();
    for bit in 0..original.len() * 8 {
        let mut changed = original.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let proved = MapProof::decode(&changed)
            .is_ok_and(|(proof, rest)| rest.is_empty() && proof.verify(&root, &keys[0]).is_ok());
        assert!(!proved, "bit {bit}");
    }
}

/// A device without the state accepts the same blocks and reaches the same roots.
#[test]
fn a_chain_without_state_validates_by_witnesses() {
    let mut world = World::new();
    let spec = common::spec(3);
    let root = world.chain.tip().state;
    let mut device =
        StatelessChain::new(&spec.spec(), Checksum, ledgers(), root).expect("a short name");
    assert_eq!(device.genesis_id(), world.chain.genesis_id());
    let mut out = vec![0; 1 << 16];
    for n in 0..12 {
        world.pay(0, 1 + n, 5, 1);
        world.mint(1, n);
        if n > 0 {
            let asset = world.asset(1, n - 1);
            world.act(1, 0, Action::Burn { asset });
        }
        let block = world.seal_block();
        let witness = world.chain.witness(&block, &mut out).expect("it fits").to_vec();
        let short = device.clone().append(world.now, &block, &witness[..witness.len() - 1]);
        assert!(short.is_err());
        let mut wrong = witness.clone();
        wrong[usize::from(n) * 7 + 40] ^= 1;
        assert!(device.clone().append(world.now, &block, &wrong).is_err());
        let mut long = witness.clone();
        long.push(0);
        assert!(device.clone().append(world.now, &block, &long).is_err());
        let tip = device.append(world.now, &block, &witness).expect("the same block");
        assert_eq!(world.chain.append(world.now, &block), Ok(tip));
        world.now += 1;
    }
    world.pay(0, 1, 5000, 0);
    let block = world.seal_anyway();
    let refused = world.chain.witness(&block, &mut out).map(|_| ());
    let expected = world.chain.append(world.now, &block).map(|_| ());
    assert_eq!(refused, expected);
    assert!(expected.is_err());
}

fn sign_call(world: &mut World, from: usize, ledger: u8, payload: &[u8]) -> TxId {
    let start = world.body.len();
    world.act(from, 0, Action::Call { ledger, payload });
    let (signed, _) = SignedTransaction::decode(&world.body[start..]).expect("just signed");
    signed.id(world.chain.genesis_id())
}

fn escrow(world: &mut World, from: usize, call: &EscrowCall) -> TxId {
    let mut payload = [0; EscrowCall::MAX_LEN];
    let len = call.encode(&mut payload).expect("MAX_LEN suffices");
    sign_call(world, from, EscrowCall::LEDGER, &payload[..len])
}

fn refused_with(world: &mut World) -> TransactionError {
    let block = world.seal_anyway();
    match world.chain.append(world.now, &block) {
        Err(Refused::Invalid(BlockError::Transaction { error, .. })) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn escrow_pays_whom_the_terms_name() {
    let mut world = World::new();
    let [payer, payee, arbiter] = [0, 1, 2].map(|n| key(n).account());
    let terms = Terms { payer, payee, arbiter, amount: 100, deadline: Height(4) };
    let balance = |world: &World, n| world.chain.state().balance(&key(n).account());
    let id = escrow(&mut world, 0, &EscrowCall::Open(terms));
    world.append();
    assert_eq!(balance(&world, 0), 900);
    assert!(world.chain.state().value(&escrow_key(&id)).is_some());

    escrow(&mut world, 1, &EscrowCall::Release(id, terms));
    assert_eq!(refused_with(&mut world), TransactionError::ConditionsNotMet);
    escrow(&mut world, 0, &EscrowCall::Refund(id, terms));
    assert_eq!(refused_with(&mut world), TransactionError::ConditionsNotMet, "before the deadline");
    let greedy = Terms { payee: arbiter, ..terms };
    escrow(&mut world, 2, &EscrowCall::Release(id, greedy));
    assert_eq!(refused_with(&mut world), TransactionError::MalformedPayload);
    let mut late = world.clone();

    escrow(&mut world, 2, &EscrowCall::Release(id, terms));
    world.append();
    assert_eq!(balance(&world, 1), 1100);
    escrow(&mut world, 2, &EscrowCall::Release(id, terms));
    assert_eq!(refused_with(&mut world), TransactionError::Unknown, "once");

    late.append();
    late.append();
    escrow(&mut late, 0, &EscrowCall::Refund(id, terms));
    late.append();
    assert_eq!(balance(&late, 0), 1000, "from the deadline on");
}

fn output(owner: Account, amount: u64) -> [u8; 40] {
    let mut output = [0; 40];
    output[..32].copy_from_slice(owner.as_bytes());
    output[32..].copy_from_slice(&amount.to_be_bytes());
    output
}

fn spend(
    world: &mut World,
    from: usize,
    coins: (u64, u64),
    inputs: &[(TxId, u8)],
    outputs: &[[u8; 40]],
) -> TxId {
    let mut pairs = vec![[0; 33]; inputs.len()];
    for (pair, (id, index)) in pairs.iter_mut().zip(inputs) {
        pair[..32].copy_from_slice(id.as_bytes());
        pair[32] = *index;
    }
    let call = OutputCall { from_account: coins.0, to_account: coins.1, inputs: &pairs, outputs };
    let mut payload = [0; 1024];
    let len = call.encode(&mut payload).expect("it fits");
    sign_call(world, from, Outputs::LEDGER, &payload[..len])
}

#[test]
fn outputs_are_spent_once_and_whole() {
    let mut world = World::new();
    let [ann, ben] = [0, 1].map(|n| key(n).account());
    let made = spend(&mut world, 0, (100, 0), &[], &[output(ann, 60), output(ben, 40)]);
    world.append();
    assert!(world.chain.state().value(&output_key(&made, 1)).is_some());
    spend(&mut world, 1, (0, 40), &[(made, 1)], &[]);
    assert_eq!(refused_with(&mut world), TransactionError::ConditionsNotMet, "not mature");
    world.append();
    world.append();
    spend(&mut world, 0, (0, 40), &[(made, 1)], &[]);
    assert_eq!(refused_with(&mut world), TransactionError::NotOwner);
    spend(&mut world, 1, (0, 41), &[(made, 1)], &[]);
    assert_eq!(refused_with(&mut world), TransactionError::ConditionsNotMet, "a coin too many");
    spend(&mut world, 1, (0, 0), &[(made, 1), (made, 1)], &[output(ben, 80)]);
    assert_eq!(refused_with(&mut world), TransactionError::Unknown, "twice in one call");
    let next = spend(&mut world, 1, (0, 0), &[(made, 1)], &[output(ann, 40)]);
    world.append();
    spend(&mut world, 0, (0, 100), &[(made, 0), (next, 0)], &[]);
    world.append();
    assert_eq!(world.chain.state().balance(&ann), 1000);
    spend(&mut world, 0, (0, 40), &[(next, 0)], &[]);
    assert_eq!(refused_with(&mut world), TransactionError::Unknown, "spent already");
}

proptest! {
    /// Any sequence of payments agrees with a map of balances; no coin appears or vanishes.
    #[test]
    fn payments_agree_with_a_model(
        moves in proptest::collection::vec((0_usize..3, 0_u8..6, 0_u64..400, 0_u64..3), 1..24),
        deposit in 0_u64..5,
    ) {
        let mut rules = common::rules();
        rules.deposit = deposit;
        rules.subsidy = 7;
        let mut world = World::with_rules(rules);
        let mut model: BTreeMap<u8, u64> = (0..3).map(|n| (n, 1000 - deposit)).collect();
        for (from, to, amount, fee) in moves {
            let mut next = model.clone();
            let applied = (|| {
                let payer = from as u8;
                let mut take = |from: u8, coins: u64| {
                    let balance = next.get_mut(&from)?;
                    *balance = balance.checked_sub(coins)?;
                    Some(())
                };
                take(payer, fee)?;
                take(payer, amount)?;
                if amount > 0 && !model.contains_key(&to) {
                    take(payer, deposit)?;
                }
                if amount > 0 {
                    *next.entry(to).or_default() += amount;
                }
                let reward = 7 + fee;
                let author = if next.contains_key(&9) { reward } else { reward - deposit };
                *next.entry(9).or_default() += author;
                Some(())
            })();
            world.pay(from, to, amount, fee);
            match world.try_seal() {
                Ok(block) => {
                    prop_assert!(applied.is_some());
                    world.chain.append(world.now, &block).expect("it was proposed");
                    world.now += 1;
                    model = next;
                }
                Err(_) => prop_assert!(applied.is_none()),
            }
            let state = world.chain.state();
            for n in 0..10 {
                let expected = model.get(&n).copied().unwrap_or(0);
                prop_assert_eq!(state.balance(&key(n).account()), expected);
            }
            let locked = (state.len() as u64 - 1) * deposit;
            prop_assert_eq!(model.values().sum::<u64>() + locked, state.issued());
        }
    }
}

#[test]
fn transactions_of_one_account_may_stand_in_one_block() {
    let mut world = World::new();
    let transaction = |n| Transaction::new(key(0).account(), n, Action::Record(b"x"));
    for n in 0..5 {
        world.push(&transaction(n), 0);
    }
    world.append();
    assert_eq!(world.chain.state().sequence(&key(0).account()), 5);
}
