//! Properties: any bytes for every decoder, verifier and table; and the promises of the chain.

mod bodies;
mod common;

use common::{Checksum, World, key};
use ledger_core::{
    Account, Action, Block, BlockError, Body, Chain, DecodeError, Height, Rules, SealKind, Slot,
    Transaction, TransactionError,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        for (_, body) in bodies::BODIES {
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
        bodies::transaction(&bytes[128.min(bytes.len())..]);
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

    /// Any single bit flipped in any stored block is found at exactly that block.
    #[test]
    fn a_flipped_bit_is_found_at_its_height(victim in 0_usize..4, bit in any::<usize>()) {
        let (genesis, mut blocks) = common::stored_chain(4);
        let bit = bit % (blocks[victim].len() * 8);
        blocks[victim][bit / 8] ^= 1 << (bit % 8);
        let mut chain = genesis.chain();
        let fault = chain.replay(&blocks).expect_err("a bit was flipped");
        prop_assert_eq!(fault.height, Height(victim as u64 + 1));
        prop_assert_eq!(chain.tip().height, Height(victim as u64));
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
            let block = world.seal_block();
            world.chain.append(world.now, &block).expect("it is later than the median");
            times.push(median + 1 + step);
        }
    }

    /// A block with a bad transaction at any place is refused whole.
    #[test]
    fn a_refused_block_changes_nothing(good in 0_u64..6, bad_amount in 901_u64..1000) {
        let mut world = World::new();
        world.mint(0, 7);
        for i in 0..good {
            world.pay((i % 3) as usize, 1, 10 + i, i % 2);
        }
        world.give(0, 7, 2);
        world.give(2, 7, 1);
        world.pay(2, 1, bad_amount + 100, 0);
        let before = (world.chain.state().digest(), world.chain.tip());
        let block = world.seal_block();
        for _ in 0..2 {
            let error = world.chain.append(world.now, &block).expect_err("nobody owns that much");
            let refused = matches!(error, BlockError::Transaction {
                error: TransactionError::NotEnough { .. }, ..
            });
            prop_assert!(refused, "{}", error);
            prop_assert_eq!((world.chain.state().digest(), world.chain.tip()), before);
        }
    }
}

#[test]
fn double_spending_replay_and_theft_are_refused() {
    let mut world = World::new();
    world.pay(0, 1, 600, 0);
    world.pay(0, 2, 600, 0);
    assert_refused(&mut world, TransactionError::NotEnough { balance: 400, needed: 600 });

    world.clear();
    world.pay(0, 1, 600, 0);
    let first = world.body.clone();
    let block = world.seal_block();
    world.chain.append(world.now, &block).expect("it is fine");
    world.body = first;
    assert_refused(&mut world, TransactionError::WrongSequence { expected: 1, found: 0 });

    world.clear();
    world.mint(0, 9);
    world.give(1, 9, 1);
    assert_refused(&mut world, TransactionError::NotOwner);
    world.clear();
    world.mint(0, 9);
    world.mint(1, 9);
    assert_refused(&mut world, TransactionError::AlreadyMinted);

    // Somebody else's signature.
    world.clear();
    world.sign_with(1, |source, chain, sequence| Transaction {
        chain,
        source: key(0).account(),
        sequence: sequence + 1,
        fee: 0,
        action: Action::Pay { to: source, amount: 1 },
    });
    assert_refused(&mut world, TransactionError::BadSignature);
}

#[test]
fn a_transaction_for_another_chain_is_refused() {
    let mut world = World::new();
    world.sign_with(0, |source, _, sequence| Transaction {
        chain: ledger_core::ChainId(999),
        source,
        sequence,
        fee: 0,
        action: Action::Record(b"hello"),
    });
    assert_refused(&mut world, TransactionError::WrongChain(999));
}

#[test]
fn times_are_bounded_on_both_sides() {
    let mut world = World::new();
    let rules = Rules::DEFAULT;
    for (time, now, fits) in [
        (common::GENESIS_TIME, 0, false), // not later than the median
        (common::GENESIS_TIME + 1, common::GENESIS_TIME, true),
        (common::GENESIS_TIME + 7201, common::GENESIS_TIME, false),
        (common::GENESIS_TIME + 7200, common::GENESIS_TIME, true),
    ] {
        assert_eq!(rules.drift, 7200);
        let mut chain = world.chain.clone();
        world.now = time;
        let mut header = chain.propose(time, Account::default(), &Body::default(), SealKind(9), 4);
        header.time = time;
        let block = Checksum::seal(&header, &Body::default());
        assert_eq!(chain.append(now, &block).is_ok(), fits, "time {time} at {now}");
    }
}

#[test]
fn author_is_paid_subsidy_and_fees() {
    let mut world = World::with_rules(Rules::BITCOIN_SUPPLY);
    world.pay(0, 1, 5, 3);
    world.pay(1, 2, 5, 4);
    let block = world.seal_block();
    world.chain.append(world.now, &block).expect("it is fine");
    assert_eq!(world.chain.state().balance(&key(9).account()), 5_000_000_000 + 7);
}

#[test]
fn capacity_zero_and_one_refuse_and_stay_whole() {
    for (capacity, allocation) in [(0, 0), (1, 1)] {
        let genesis = common::genesis(allocation);
        let mut chain =
            Chain::new(Rules::DEFAULT, Checksum, &genesis.genesis(), vec![Slot::EMPTY; capacity])
                .expect("it fits");
        let mut body = vec![0; 400];
        let mut buf = [0; Transaction::MAX_LEN];
        let transaction = Transaction {
            chain: chain.tip().chain,
            source: key(1).account(),
            sequence: 0,
            fee: 0,
            action: Action::Record(b"x"),
        };
        let signed = transaction.sign(&key(1), &mut buf).expect("MAX_LEN suffices");
        let len = Body::push(&signed, &mut body).expect("it fits");
        let body = Body::from_bytes(&body[..len]).expect("one transaction");
        let header = chain.propose(0, Account::default(), &body, SealKind(9), 4);
        let error = chain.append(u64::MAX, &Checksum::seal(&header, &body)).expect_err("full");
        let full = TransactionError::Full { capacity };
        assert_eq!(error, BlockError::Transaction { index: 0, error: full });
        assert_eq!(chain.state().len(), allocation);
    }
    let too_many = common::genesis(3);
    assert!(Chain::new(Rules::DEFAULT, Checksum, &too_many.genesis(), [Slot::EMPTY; 2]).is_err());
}

#[test]
fn sizes_are_as_documented() {
    assert_eq!(size_of::<Slot>(), 72);
    assert!(size_of::<ledger_core::MerkleTree>() <= 2064);
    assert!(size_of::<Chain<(), [Slot; 0]>>() <= 288);
}

fn assert_refused(world: &mut World, expected: TransactionError) {
    let block = world.seal_block();
    match world.chain.append(world.now, &block) {
        Err(BlockError::Transaction { error, .. }) => assert_eq!(error, expected),
        other => panic!("{other:?} instead of {expected}"),
    }
}
