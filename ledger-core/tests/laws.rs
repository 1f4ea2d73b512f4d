//! Properties: any bytes for every decoder, verifier and table; and the promises of the chain.

mod bodies;
mod common;

use common::{Checksum, World, claim, key, ledgers, rules, seal, storage, storage_of};
use ledger_core::{
    Account, Action, Block, BlockError, Body, Chain, ConfigError, DecodeError, Height, Refused,
    Rules, SignError, Slot, Transaction, TransactionError,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        // The body that takes longest has a test of its own.
        for (_, body) in bodies::BODIES.iter().filter(|(name, _)| *name != "ledger_conservation") {
            body(&bytes);
        }
    }

    #[test]
    fn a_block_with_changed_bytes_holds(changes in proptest::collection::vec(any::<(u16, u8)>(), 0..4)) {
        let (_, blocks) = common::stored_chain(1);
        let mut bytes = blocks[0].clone();
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        bodies::header(&bytes);
        bodies::block(&bytes);
        bodies::transaction(&bytes[190.min(bytes.len())..]);
    }

    #[test]
    fn a_cut_block_only_asks_for_more(cut in 0_usize..10_000) {
        let mut world = World::new();
        world.pay(0, 1, 5, 1);
        let block = world.seal_block();
        let cut = cut % block.len();
        let error = Block::decode(&block[..cut]).expect_err("it was cut");
        let DecodeError::Incomplete { needed } = error else { panic!("{error}") };
        prop_assert!(needed >= 1 && cut + needed <= block.len());
    }

    /// The median of the last eleven times is what sorting says.
    #[test]
    fn the_median_is_the_sorted_one(steps in proptest::collection::vec(0_u64..5000, 1..40)) {
        let mut world = World::new();
        let mut times = vec![common::GENESIS_TIME];
        for step in steps {
            let known = &times[times.len().saturating_sub(11)..];
            let mut sorted = known.to_vec();
            sorted.sort_unstable();
            let median = sorted[sorted.len() / 2];
            prop_assert_eq!(world.chain.median_time(), median);
            world.now = median + 1 + step;
            world.append();
            times.push(median + 1 + step);
        }
    }

    /// A block with a bad transaction at any place is refused whole, and again for the same reason.
    #[test]
    fn a_refused_block_changes_nothing(good in 0_u64..6, bad_amount in 901_u64..1000) {
        let mut world = World::new();
        world.mint(0, 7);
        for i in 0..good {
            world.pay((i % 3) as usize, 1, 10 + i, i % 2);
        }
        let asset = world.asset(0, 7);
        world.transfer(0, asset, 2);
        world.transfer(2, asset, 1);
        world.pay(2, 1, bad_amount + 100, 0);
        let before = *world.chain.tip();
        let block = world.seal_anyway();
        for _ in 0..2 {
            let refused = world.chain.append(world.now, &block).expect_err("nobody owns that much");
            let expected = matches!(refused, Refused::Invalid(BlockError::Transaction {
                error: TransactionError::NotEnough { .. }, ..
            }));
            prop_assert!(expected, "{}", refused);
            prop_assert_eq!(*world.chain.tip(), before);
        }
        // The state is that of before: a block without transactions still has the same root.
        let header = world.chain.propose(world.now, Account::default(), &Body::default(), claim(1));
        prop_assert_eq!(header.expect("it is fine").state, before.state);
    }
}

/// Any single bit flipped in any stored block is found at exactly that block.
#[test]
fn each_flipped_bit_is_found_at_its_height() {
    let (spec, blocks) = common::stored_chain(3);
    let mut chain = spec.chain();
    for (victim, block) in blocks.iter().enumerate() {
        for bit in 0..block.len() * 8 {
            let mut changed = block.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let fault = chain.replay(u64::MAX, [&changed]).expect_err("a bit was flipped");
            assert_eq!(fault.height, Height(victim as u64 + 1));
        }
        chain.append(u64::MAX, block).expect("it is the original");
    }
}

#[test]
fn double_spending_replay_and_theft_are_refused() {
    let mut world = World::new();
    world.pay(0, 1, 600, 0);
    world.pay(0, 2, 600, 0);
    assert_refused(&mut world, TransactionError::NotEnough { balance: 400, needed: 600 });

    world.pay(0, 1, 600, 0);
    let first = world.body.clone();
    world.append();
    world.body = first;
    assert_refused(&mut world, TransactionError::WrongSequence { expected: 1, found: 0 });

    world.mint(0, 9);
    let asset = world.asset(0, 9);
    world.transfer(1, asset, 1);
    assert_refused(&mut world, TransactionError::NotOwner);
    world.mint(0, 9);
    world.mint(0, 9);
    assert_refused(&mut world, TransactionError::AlreadyExists);
    let unknown = world.asset(2, 2);
    world.transfer(0, unknown, 1);
    assert_refused(&mut world, TransactionError::Unknown);
    world.act(0, 0, Action::Call { ledger: 99, payload: &[] });
    assert_refused(&mut world, TransactionError::UnknownLedger);
}

#[test]
fn a_key_signs_only_for_its_own_account() {
    let world = World::new();
    let stolen = Transaction::new(key(0).account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = stolen.sign(&world.genesis(), &key(1), &mut buf);
    assert_eq!(signed, Err(SignError::WrongKey));
    let long = [0; 1025];
    let long = Transaction::new(key(0).account(), 0, Action::Record(&long));
    let signed = long.sign(&world.genesis(), &key(0), &mut buf);
    assert_eq!(signed, Err(SignError::PayloadTooLong(1025)));
}

#[test]
fn an_expired_transaction_is_refused() {
    let mut world = World::new();
    let source = key(0).account();
    let mut transaction = Transaction::new(source, 0, Action::Record(b"x"));
    transaction.valid_until = Height(1);
    world.append();
    world.now += 1;
    world.push(&transaction, 0);
    assert_refused(&mut world, TransactionError::Expired { valid_until: Height(1) });
    transaction.valid_until = Height(2);
    world.push(&transaction, 0);
    world.append();
}

/// Statements of one gateway travel in lanes and arrive in any order.
#[test]
fn lanes_count_for_themselves() {
    let mut world = World::new();
    let source = key(0).account();
    for (lane, sequence) in [(2, 0), (1, 0), (2, 1), (0, 0), (1, 1)] {
        let mut transaction = Transaction::new(source, sequence, Action::Record(b"x"));
        transaction.lane = lane;
        world.push(&transaction, 0);
    }
    world.append();
    assert_eq!(world.chain.state().sequence(&source), 1);
    assert_eq!(world.chain.state().lane_sequence(&source, 2), 2);
    let mut replayed = Transaction::new(source, 1, Action::Record(b"x"));
    replayed.lane = 2;
    world.now += 1;
    world.push(&replayed, 0);
    assert_refused(&mut world, TransactionError::WrongSequence { expected: 2, found: 1 });
}

#[test]
fn times_are_bounded_on_both_sides() {
    let world = World::new();
    for (time, now, fits) in [
        (common::GENESIS_TIME, u64::MAX, false), // not later than the median
        (common::GENESIS_TIME + 1, common::GENESIS_TIME, false),
        (common::GENESIS_TIME + 1, common::GENESIS_TIME + 1, true),
    ] {
        let mut chain = world.chain.clone();
        let body = Body::default();
        let mut header =
            chain.propose(world.now, Account::default(), &body, claim(1)).expect("it is fine");
        header.time = time;
        let block = seal(&world.genesis(), &header, &body);
        assert_eq!(chain.append(now, &block).is_ok(), fits, "time {time} at {now}");
    }
}

#[test]
fn author_is_paid_subsidy_and_fees() {
    let mut rules = Rules::BITCOIN_SUPPLY;
    rules.max_entries = 64;
    rules.max_writes = 64;
    let mut world = World::with_rules(rules);
    world.pay(0, 1, 5, 3);
    world.pay(1, 2, 5, 4);
    world.append();
    assert_eq!(world.chain.state().balance(&key(9).account()), 5_000_000_000 + 7);
    assert_eq!(world.chain.state().issued(), 5_000_000_000 + 3000);
}

#[test]
fn a_deposit_is_locked_and_comes_back() {
    let mut rules = rules();
    rules.deposit = 10;
    let mut world = World::with_rules(rules);
    let balance = |world: &World, n| world.chain.state().balance(&key(n).account());
    assert_eq!(balance(&world, 0), 990, "the account's own");
    world.mint(0, 1);
    world.append();
    assert_eq!(balance(&world, 0), 980);
    let asset = world.asset(0, 1);
    world.transfer(0, asset, 1);
    world.act(1, 0, Action::Burn { asset });
    world.now += 1;
    world.append();
    assert_eq!(balance(&world, 1), 1000, "whoever owns it at the end");
    world.pay(0, 7, 5, 0); // a new account
    world.now += 1;
    world.append();
    assert_eq!(balance(&world, 0), 965);
    assert_eq!(balance(&world, 7), 5);
    let total: u64 = [0, 1, 2, 7].map(|n| balance(&world, n)).iter().sum();
    let entries = world.chain.state().len() as u64 - 1;
    assert_eq!(total + 10 * entries, 3000, "no coin is lost");
}

#[test]
fn storage_below_the_rules_is_refused() {
    let rules = rules();
    let entries = rules.max_entries as usize;
    let journal = rules.max_writes as usize + 1;
    let spec = common::spec(3);
    let new = |storage| Chain::new(&spec.spec(), Checksum, ledgers(), storage).map(|_| ());
    assert_eq!(new(storage_of(entries, journal)), Ok(()));
    let too_few = ConfigError::TooFewSlots { needed: entries, capacity: entries - 1 };
    assert_eq!(new(storage_of(entries - 1, journal)), Err(too_few));
    let too_small = ConfigError::JournalTooSmall { needed: journal, capacity: journal - 1 };
    assert_eq!(new(storage_of(entries, journal - 1)), Err(too_small));

    let mut tiny = rules;
    tiny.max_entries = 3;
    let spec = common::spec_with(3, tiny);
    let refused = Chain::new(&spec.spec(), Checksum, ledgers(), storage(&tiny)).map(|_| ());
    assert_eq!(refused, Err(ConfigError::TooManyEntries { max_entries: 3 }));
}

#[test]
fn the_limits_of_a_block_are_rules() {
    let mut rules = rules();
    rules.max_writes = 9;
    let mut world = World::with_rules(rules);
    (0..9).for_each(|_| world.act(0, 0, Action::Record(b"x")));
    world.append();
    world.now += 1;
    (0..10).for_each(|_| world.act(0, 0, Action::Record(b"x")));
    assert_refused(&mut world, TransactionError::TooManyWrites { max_writes: 9 });

    rules.max_block_len = 300;
    let mut world = World::with_rules(rules);
    world.act(0, 0, Action::Record(&[0; 300]));
    let block = world.seal_block();
    let refused = world.chain.append(world.now, &block);
    let too_long = BlockError::TooLong { len: block.len(), limit: 300 };
    assert_eq!(refused, Err(Refused::Invalid(too_long)));
}

#[test]
fn sizes_are_as_documented() {
    println!("Slot {} JournalSlot {}", size_of::<Slot>(), size_of::<ledger_core::JournalSlot>());
    println!("Chain {}", size_of::<Chain<Checksum, (), ledger_core::ChainSlots<(), ()>>>());
    assert!(size_of::<Slot>() <= 200);
    assert!(size_of::<ledger_core::JournalSlot>() <= 84);
    assert!(size_of::<ledger_core::MerkleTree>() <= 2064);
    assert!(size_of::<Chain<Checksum, (), ledger_core::ChainSlots<(), ()>>>() <= 2560);
}

fn assert_refused(world: &mut World, expected: TransactionError) {
    let block = world.seal_anyway();
    match world.chain.append(world.now, &block) {
        Err(Refused::Invalid(BlockError::Transaction { error, .. })) => {
            assert_eq!(error, expected);
        }
        other => panic!("{other:?} instead of {expected}"),
    }
}
