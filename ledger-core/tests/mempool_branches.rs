//! A mempool after a change of branches: what cannot follow the new state leaves.

mod common;

use common::{TestChain, World, key};
use ledger_core::mempool::{ChunkSlot, Mempool, MempoolConfig, MempoolSlot, MempoolSlots};
use ledger_core::{Action, SignedTransaction, Transaction, TxId};

type TestPool = Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>;

fn pool(world: &World) -> TestPool {
    let storage =
        MempoolSlots { slots: vec![MempoolSlot::EMPTY; 8], chunks: vec![ChunkSlot::EMPTY; 16] };
    Mempool::new(MempoolConfig::new(world.genesis(), 9), storage).expect("a good configuration")
}

fn payment(world: &World, from: u8, sequence: u64, amount: u64) -> Vec<u8> {
    let action = Action::Pay { to: key(7).account(), amount };
    let payment = Transaction::new(key(from).account(), sequence, action);
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = payment.sign(&world.genesis(), &key(from), &mut buf).expect("its own key");
    signed.as_bytes().to_vec()
}

fn id_of(world: &World, from: u8, sequence: u64, amount: u64) -> TxId {
    let bytes = payment(world, from, sequence, amount);
    SignedTransaction::decode(&bytes).expect("just signed").0.id(&world.genesis())
}

fn insert(pool: &mut TestPool, world: &World, from: u8, sequence: u64, amount: u64) {
    let bytes = payment(world, from, sequence, amount);
    let (signed, _) = SignedTransaction::decode(&bytes).expect("just signed");
    pool.insert(&signed, &world.chain.state(), world.chain.tip().height).expect("it is fine");
}

fn update(pool: &mut TestPool, chain: &TestChain) -> usize {
    pool.update(&chain.state(), chain.tip().height)
}

/// One that follows a transaction of the branch that was left waits for a sequence number that may never come.
#[test]
fn what_follows_a_transaction_of_the_old_branch_leaves() {
    let before = World::new();
    let mut after = before.clone();
    after.pay(0, 7, 5, 0);
    after.pay(1, 7, 5, 0);
    after.append();
    let mut pool = pool(&before);
    insert(&mut pool, &after, 0, 1, 5);
    insert(&mut pool, &after, 0, 2, 5);
    insert(&mut pool, &after, 2, 0, 5);
    assert_eq!(update(&mut pool, &after.chain), 0, "all can follow");
    assert_eq!(update(&mut pool, &before.chain), 2, "the first of the account is missing");
    assert_eq!(pool.len(), 1);
    assert_eq!(pool.reserved(&key(0).account()), 0);
    // The transactions of the blocks that were left are put back first: then all stays.
    let mut pool = self::pool(&before);
    insert(&mut pool, &after, 0, 1, 5);
    let fresh = after.clone();
    insert(&mut pool, &before, 1, 0, 5);
    assert_eq!(update(&mut pool, &fresh.chain), 1, "that of the second account is confirmed");
    assert_eq!(pool.len(), 1);
}

/// Transactions that the balance of the new branch cannot pay leave, the last of a lane first.
#[test]
fn what_cannot_be_paid_any_more_leaves() {
    let before = World::new();
    let mut pool = pool(&before);
    for sequence in 0..3 {
        insert(&mut pool, &before, 0, sequence, 300);
    }
    let mut other = before.clone();
    other.pay(1, 7, 1, 0);
    other.append();
    assert_eq!(update(&mut pool, &other.chain), 0, "the balance is the same");
    other.pay(0, 7, 200, 0);
    other.append();
    assert_eq!(
        update(&mut pool, &other.chain),
        1,
        "the first is confirmed, or another in its place"
    );
    assert_eq!(pool.reserved(&key(0).account()), 600, "of 800");
    other.pay(0, 7, 400, 0);
    other.append();
    assert_eq!(update(&mut pool, &other.chain), 1);
    assert_eq!(pool.reserved(&key(0).account()), 300, "of 400");
}

/// One that is removed takes those that follow it in its lane, and no others.
#[test]
fn a_removed_transaction_takes_those_that_follow() {
    let world = World::new();
    let mut pool = pool(&world);
    let ids: Vec<_> = (0..3).map(|sequence| id_of(&world, 0, sequence, 5)).collect();
    for sequence in 0..3 {
        insert(&mut pool, &world, 0, sequence, 5);
    }
    insert(&mut pool, &world, 1, 0, 5);
    assert!(!pool.remove(&id_of(&world, 2, 0, 5)), "it is not there");
    assert_eq!(pool.len(), 4);
    assert!(pool.remove(&ids[1]));
    assert_eq!(pool.len(), 2, "the first of the lane and that of the other");
    assert!(!pool.remove(&ids[2]));
    assert!(pool.remove(&ids[0]));
    assert_eq!(pool.reserved(&key(0).account()), 0);
}
