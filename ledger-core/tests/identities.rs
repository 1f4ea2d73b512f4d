//! Experiments that went wrong with earlier identities: each shows one attack, and that it fails.

mod common;

use common::{Checksum, World, claim, key, ledgers, seal, spec, spec_with, storage};
use ledger_core::state::{Key, Slot, Store, StoreError, Trie, Value};
use ledger_core::{
    Account, Action, AssembleError, AssetId, Block, BlockError, Body, Chain, Header, MerkleTree,
    Policy, Refused, Signable, SignedTransaction, Transaction, TransactionError, TreeHead,
    prove_consistency, prove_inclusion,
};

/// A proof that differs makes the same block: ids cover the claim, not the proof.
#[test]
fn the_proof_of_a_header_is_in_no_id() {
    let mut world = World::new();
    let block = world.seal_block();
    let (block, _) = Block::decode(&block).expect("just made");
    let other = Block::new(*block.header(), &[1, 2, 3], block.body()).expect("the same body");
    assert_eq!(block.id(&world.genesis()), other.id(&world.genesis()));
}

/// Signatures by other keys of the policy make the same transaction.
#[test]
fn a_transaction_has_one_id_whoever_signs_it() {
    let world = World::new();
    let mut keys = [1, 2, 3].map(|n| *key(n).public().as_bytes());
    keys.sort_unstable();
    let policy = Policy::threshold(2, &keys).expect("two of three");
    let transaction = Transaction::new(policy.account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_THRESHOLD_LEN];
    let statement = transaction.statement(&world.genesis(), &mut buf).expect("short");
    let mut ids = Vec::new();
    for signers in [[1, 2], [2, 3], [1, 3]] {
        let signatures = signers.map(|n| (key(n).public(), key(n).sign(&statement)));
        let signed = transaction.assemble(&policy, &signatures, &mut buf).expect("two of three");
        assert_eq!(signed.verify(&world.genesis()), Ok(()));
        ids.push(signed.id(&world.genesis()));
    }
    assert!(ids.iter().all(|id| *id == statement.id()));
    // The body of a block covers the signatures, all the same.
    let signed = SignedTransaction::decode(&buf).expect("just made").0;
    assert_ne!(MerkleTree::leaf(signed.as_bytes()).as_bytes(), ids[0].as_bytes());
}

/// The state root stands in the header: one proof shows a balance, or that there is none.
#[test]
fn a_light_client_learns_a_balance() {
    let mut world = World::new();
    world.mint(0, 1);
    let block = world.append();
    let (block, _) = Block::decode(&block).expect("stored");
    let root = block.header().state;
    let asset = world.asset(0, 1);
    let owned = ledger_core::ledger::owner_key(&asset);
    let mut buf = [0; 1024];
    let value = world.chain.state().value(&owned).expect("minted");
    assert_eq!(value.as_bytes(), key(0).account().as_bytes());
    let proof = world.chain.prove(&owned, &mut buf).expect("it fits");
    assert_eq!(proof.verify(&root, &owned), Ok(Some(value.hash())));
    let unknown = ledger_core::ledger::owner_key(&world.asset(0, 2));
    let proof = world.chain.prove(&unknown, &mut buf).expect("it fits");
    assert_eq!(proof.verify(&root, &unknown), Ok(None));
    assert!(proof.verify(&root, &owned).is_err() || proof.verify(&root, &owned) != Ok(None));
}

/// Sixteen records by sixteen fresh keys: nodes with more memory than the rules ask for refuse like all others.
#[test]
fn memory_does_not_decide_validity() {
    let mut rules = common::rules();
    rules.max_entries = 16;
    let spec = spec_with(3, rules);
    let mut small = spec.chain();
    let big = common::storage_of(1000, 1000);
    let mut big = Chain::new(&spec.spec(), Checksum, ledgers(), big).expect("more than enough");
    let mut body = Vec::new();
    for n in 20..36 {
        let transaction = Transaction::new(key(n).account(), 0, Action::Record(b""));
        let mut buf = [0; Transaction::MAX_LEN];
        let signed = transaction.sign(small.genesis_id(), &key(n), &mut buf).expect("its own");
        body.extend_from_slice(signed.as_bytes());
    }
    let body = Body::from_bytes(&body).expect("sixteen");
    let now = common::GENESIS_TIME + 1;
    let empty = small.propose(now, Account::default(), &Body::default(), claim(1)).expect("empty");
    let header = Header { body_size: 16, body_root: body.head().root, ..empty };
    let block = seal(small.genesis_id(), &header, &body);
    let refused = small.append(now, &block).expect_err("more entries than the rules allow");
    let too_many = TransactionError::TooManyEntries { max_entries: 16 };
    let expected = Refused::Invalid(BlockError::Transaction { index: 12, error: too_many });
    assert_eq!(refused, expected);
    assert_eq!(big.append(now, &block), Err(expected));

    // With a deposit, a key without coins has no entry at all.
    rules.deposit = 1;
    let mut world = World::with_rules(rules);
    let penniless = Transaction::new(key(20).account(), 0, Action::Record(b""));
    world.push(&penniless, 20);
    let block = world.seal_anyway();
    let refused = world.chain.append(world.now, &block).expect_err("no deposit");
    let error = TransactionError::NotEnough { balance: 0, needed: 1 };
    assert_eq!(refused, Refused::Invalid(BlockError::Transaction { index: 0, error }));
}

/// Rules, engine, ledger, name, time and allocation all change the genesis id.
#[test]
fn other_rules_are_another_chain() {
    let base = spec(3);
    let id = |spec: &common::OwnedSpec| *spec.chain().genesis_id();
    let mut others = vec![base.clone(); 8];
    others[0].rules.subsidy = 1;
    others[1].rules.halving_interval = 1;
    others[2].rules.deposit = 1;
    others[3].rules.max_entries += 1;
    others[4].rules.max_writes += 1;
    others[5].rules.max_block_len += 1;
    others[6].allocation[0].1 += 1;
    others[7].allocation.swap(0, 1);
    for other in &others {
        assert_ne!(id(other), id(&base));
    }
    let ids = |spec: ledger_core::ChainSpec<'_>| {
        let storage = storage(&spec.rules);
        *Chain::new(&spec, Checksum, ledgers(), storage).expect("it fits").genesis_id()
    };
    let plain = base.spec();
    assert_ne!(ids(ledger_core::ChainSpec { name: "other", ..plain }), id(&base));
    assert_ne!(ids(ledger_core::ChainSpec { time: 5, ..plain }), id(&base));
    let standard = ledger_core::ledger::Standard;
    let other = Chain::new(&plain, Checksum, standard, storage(&plain.rules)).expect("it fits");
    assert_ne!(*other.genesis_id(), id(&base));
}

/// What is signed for one chain is worth nothing on another, even with the same owners.
#[test]
fn a_signature_is_worth_nothing_on_another_chain() {
    let one = World::new();
    let mut rules = common::rules();
    rules.subsidy = 1;
    let mut other = World::with_rules(rules);
    let transaction = Transaction::new(key(0).account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = transaction.sign(&one.genesis(), &key(0), &mut buf).expect("its own");
    assert_eq!(signed.verify(&one.genesis()), Ok(()));
    assert!(signed.verify(&other.genesis()).is_err());
    other.body = signed.as_bytes().to_vec();
    let block = other.seal_anyway();
    let refused = other.chain.append(other.now, &block).expect_err("signed for another chain");
    let error = TransactionError::BadSignature;
    assert_eq!(refused, Refused::Invalid(BlockError::Transaction { index: 0, error }));
}

/// A driver bans for `Invalid` alone.
#[test]
fn a_refusal_says_whose_fault_it_is() {
    let mut world = World::new();
    let block = world.seal_block();
    let early = world.chain.append(world.now - 1, &block);
    assert_eq!(early, Err(Refused::NotYet { at: world.now }));
    let mut other = world.clone();
    other.append();
    let next = other.seal_block();
    let (parent, _) = Block::decode(&next).expect("just made");
    let orphan = world.chain.append(other.now, &next);
    assert_eq!(orphan, Err(Refused::Orphan { parent: parent.header().parent }));
    let mut bad = block;
    *bad.last_mut().expect("a proof") ^= 1;
    assert!(matches!(world.chain.append(world.now, &bad), Err(Refused::Invalid(_))));
}

/// The history root of one trusted header proves every older block, and that two tips are of one chain.
#[test]
fn an_old_block_is_proved_by_the_history() {
    let mut world = World::new();
    let mut ids = vec![world.genesis().block_id()];
    for _ in 0..20 {
        world.append();
        ids.push(world.chain.tip().id);
    }
    let block = world.seal_block();
    let (block, _) = Block::decode(&block).expect("just made");
    let head = block.header().history();
    assert_eq!(head, world.chain.history());
    let leaves: Vec<_> = ids.iter().map(|id| MerkleTree::leaf(id.as_bytes())).collect();
    assert_eq!(head.size as usize, leaves.len());
    let mut out = [ledger_core::Hash::ZERO; 65];
    for at in 0..leaves.len() {
        let proof = prove_inclusion(&leaves, at, &mut out).expect("in it");
        assert_eq!(proof.verify(&head, &leaves[at]), Ok(()));
    }
    let earlier = TreeHead { size: 7, root: MerkleTree::root_of(&leaves[..7]) };
    let proof = prove_consistency(&leaves, 7, &mut out).expect("a beginning");
    assert_eq!(proof.verify(&earlier, &head), Ok(()));
}

/// Nobody can mint the asset that another account announced.
#[test]
fn an_asset_belongs_to_its_minter() {
    let world = World::new();
    let genesis = world.genesis();
    let [ann, ben] = [0, 1].map(|n| key(n).account());
    assert_ne!(AssetId::new(&genesis, &ann, &[7; 32]), AssetId::new(&genesis, &ben, &[7; 32]));
}

/// What `append` refuses cannot be made in the first place.
#[test]
fn construction_refuses_what_append_refuses() {
    let mut world = World::new();
    let body = Body::default();
    let at = world.chain.propose(common::GENESIS_TIME, Account::default(), &body, claim(1));
    assert_eq!(at.map(|_| ()), Err(Refused::NotYet { at: common::GENESIS_TIME + 1 }));
    world.pay(0, 1, 5000, 0);
    assert!(world.try_seal().is_err(), "a block with a payment that fails");
    world.pay(0, 1, 5, 0);
    let bytes = core::mem::take(&mut world.body);
    let body = Body::from_bytes(&bytes).expect("one payment");
    let header = world.chain.propose(world.now, Account::default(), &Body::default(), claim(1));
    let header = header.expect("an empty block");
    assert_eq!(Block::new(header, &[], body), Err(AssembleError::WrongBody));
    let long = vec![0; 65_536];
    let too_long = Err(AssembleError::ProofTooLong(65_536));
    assert_eq!(Block::new(header, &long, Body::default()), too_long);
    // A stored chain of far future times does not pass the audit.
    let header = Header { time: u64::MAX, ..header };
    let block = seal(&world.genesis(), &header, &Body::default());
    let fault = world.chain.replay(world.now, [block]).expect_err("dated to the end of time");
    assert_eq!(fault.refused, Refused::NotYet { at: u64::MAX });
}

/// A worthless header is refused before its body is looked at.
#[test]
fn a_body_is_not_read_under_a_worthless_header() {
    let mut world = World::new();
    let mut block = world.seal_block();
    *block.last_mut().expect("a proof") ^= 1;
    block.extend(vec![0xFF; 1 << 15]); // not a transaction
    let refused = world.chain.append(world.now, &block).expect_err("a wrong proof");
    assert_eq!(refused, Refused::Invalid(BlockError::Engine(common::WrongChecksum)));
}

/// A write that forgot its inverse is undone all the same: everything goes through the journal.
#[test]
fn a_full_map_changes_nothing() {
    let mut map = Trie::new([Slot::EMPTY; 2]);
    let keys = [1, 2, 3].map(|n| Key::new(64, &[n]));
    for key in &keys[..2] {
        map.replace(key, Value::new(b"x").as_ref()).expect("there is room");
    }
    let before = map.root();
    let full = map.replace(&keys[2], Value::new(b"x").as_ref());
    assert_eq!(full, Err(StoreError::Full { capacity: 2 }));
    assert_eq!(map.root(), before);
}

/// The lengths of `docs/WIRE.md`, field by field.
#[test]
fn lengths_are_those_of_the_fields() {
    let world = World::new();
    let source = key(0).account();
    let to = key(1).account();
    let asset = world.asset(0, 1);
    let salt = [7; 32];
    let payload = &[9; 1024];
    let fixed = 60; // version, source, lane, sequence, last block, fee, kind of action
    for (action, len) in [
        (Action::Pay { to, amount: 1 }, 40),
        (Action::Mint { salt }, 32),
        (Action::Burn { asset }, 32),
        (Action::Transfer { asset, to }, 64),
        (Action::Record(b"seven b"), 9),
        (Action::Call { ledger: 64, payload }, 1026),
    ] {
        let transaction = Transaction::new(source, 0, action);
        assert_eq!(transaction.body_len(), fixed + len, "{transaction}");
        // Exactly that many bytes, and the kind of policy, a key and a signature, are needed.
        let needed = fixed + len + 1 + 32 + 64;
        let mut buf = vec![0; needed];
        let signed = transaction.sign(&world.genesis(), &key(0), &mut buf).expect("long enough");
        assert_eq!(signed.as_bytes().len(), needed);
        let short = transaction.sign(&world.genesis(), &key(0), &mut buf[1..]);
        assert!(short.is_err(), "{transaction}");
    }
    assert_eq!(Transaction::MAX_LEN, fixed + 1026 + 1 + 32 + 64);
    let most = 3 + 32 * Policy::MAX_KEYS + 65 * Policy::MAX_KEYS; // kind, two counts, keys, signatures
    assert_eq!(Transaction::MAX_THRESHOLD_LEN, fixed + 1026 + most);
}

/// What is signed is the domain string, the genesis id and the transaction id, and nothing else.
#[test]
fn a_signature_covers_genesis_and_transaction() {
    let world = World::new();
    let transaction = Transaction::new(key(0).account(), 0, Action::Record(b"x"));
    let statement = transaction.statement(&world.genesis(), &mut [0; Transaction::MAX_LEN]);
    let statement = statement.expect("short");
    let mut expected = b"ledger-core/1 sign transaction\0".to_vec();
    expected.extend(world.genesis().as_bytes());
    expected.extend(statement.id().as_bytes());
    assert_eq!(statement.signing_bytes().as_ref(), expected);
}
