//! The mempool: its rules one by one, and against a model that sorts everything every time.

mod common;

use std::collections::BTreeMap;

use common::{TestChain, World, key};
use ledger_core::mempool::{
    ChunkSlot, Insertion, Mempool, MempoolConfig, MempoolError, MempoolSlot, MempoolSlots,
};
use ledger_core::{Action, Block, Body, ConfigError, Height, SignedTransaction, Transaction, TxId};
use proptest::prelude::*;

type TestPool = Mempool<MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>>;

fn pool_with(world: &World, slots: usize, change: impl FnOnce(&mut MempoolConfig)) -> TestPool {
    let mut config = MempoolConfig::new(world.genesis(), 9);
    change(&mut config);
    let slots_of = vec![MempoolSlot::EMPTY; slots];
    let storage = MempoolSlots { slots: slots_of, chunks: vec![ChunkSlot::EMPTY; slots * 2] };
    Mempool::new(config, storage).expect("a good configuration")
}

fn pool(world: &World, slots: usize) -> TestPool {
    pool_with(world, slots, |_| {})
}

/// A payment of `amount` by a rich account.
fn pay(world: &World, from: u8, lane: u16, sequence: u64, fee: u64, amount: u64) -> Vec<u8> {
    let action = Action::Pay { to: key(7).account(), amount };
    let mut payment = Transaction::new(key(from).account(), sequence, action);
    payment.lane = lane;
    payment.fee = fee;
    sign(world, &payment, from)
}

fn sign(world: &World, transaction: &Transaction<'_>, signer: u8) -> Vec<u8> {
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = transaction.sign(&world.genesis(), &key(signer), &mut buf);
    signed.expect("its own key").as_bytes().to_vec()
}

fn decode(bytes: &[u8]) -> SignedTransaction<'_> {
    SignedTransaction::decode(bytes).expect("just signed").0
}

fn id_of(world: &World, bytes: &[u8]) -> TxId {
    decode(bytes).id(&world.genesis())
}

fn insert(pool: &mut TestPool, chain: &TestChain, bytes: &[u8]) -> Result<Insertion, MempoolError> {
    pool.insert(&decode(bytes), &chain.state(), chain.tip().height)
}

/// The transactions of the next block.
fn template(pool: &mut TestPool, len: usize) -> Vec<Vec<u8>> {
    let mut out = vec![0; len];
    let len = pool.template(&mut out);
    let body = Body::from_bytes(&out[..len]).expect("whole transactions");
    body.iter().map(|signed| signed.as_bytes().to_vec()).collect()
}

#[test]
fn the_best_fee_per_byte_comes_first_and_lanes_stay_in_order() {
    let world = World::new();
    let mut pool = pool(&world, 8);
    let low_then_high = [pay(&world, 0, 0, 0, 1, 5), pay(&world, 0, 0, 1, 90, 5)];
    let middle = pay(&world, 1, 0, 0, 10, 5);
    let record =
        Transaction { fee: 12, ..Transaction::new(key(2).account(), 0, Action::Record(&[7; 300])) };
    let long = sign(&world, &record, 2);
    for bytes in [&low_then_high[0], &long, &low_then_high[1], &middle] {
        assert_eq!(insert(&mut pool, &world.chain, bytes), Ok(Insertion::Added));
    }
    assert_eq!(insert(&mut pool, &world.chain, &middle), Ok(Insertion::Known));
    let [low, high] = low_then_high;
    // 10 coins for 197 bytes are more than 12 for 469, and those more than 1 for 197, behind which the 90 wait.
    assert_eq!(template(&mut pool, 4096), [&middle[..], &long, &low, &high]);
    // The long one does not fit; those of other lanes do.
    assert_eq!(template(&mut pool, 600), [&middle[..], &low, &high]);
    assert_eq!(template(&mut pool, 10).len(), 0);
    let mut out = [0; 1024];
    let copied = pool.copy(&id_of(&world, &long), &mut out).expect("room").expect("known");
    assert_eq!(&out[..copied], &long[..]);
    assert!(pool.copy(&id_of(&world, &long), &mut out[..100]).is_err());
    assert_eq!(pool.copy(&TxId::from_bytes([1; 32]), &mut out), Ok(None));
}

#[test]
fn a_replacement_pays_an_eighth_more() {
    let world = World::new();
    let mut pool = pool(&world, 8);
    let old = pay(&world, 0, 0, 0, 80, 5);
    insert(&mut pool, &world.chain, &old).expect("the first");
    let cheap = pay(&world, 0, 0, 0, 89, 6);
    let too_low = MempoolError::FeeTooLow { fee: 89, needed: 90 };
    assert_eq!(insert(&mut pool, &world.chain, &cheap), Err(too_low));
    let good = pay(&world, 0, 0, 0, 90, 6);
    let replaced = Insertion::Replaced(id_of(&world, &old));
    assert_eq!(insert(&mut pool, &world.chain, &good), Ok(replaced));
    assert_eq!(pool.len(), 1);
    // A longer one pays more per byte as well.
    let action = Action::Record(&[1; 200]);
    let longer = Transaction { fee: 102, ..Transaction::new(key(0).account(), 0, action) };
    let refused = insert(&mut pool, &world.chain, &sign(&world, &longer, 0));
    assert!(matches!(refused, Err(MempoolError::FeeTooLow { fee: 102, .. })), "{refused:?}");
    assert_eq!(pool.reserved(&key(0).account()), 96);
}

#[test]
fn what_cannot_follow_is_refused_and_says_why() {
    let mut world = World::new();
    let mut pool = pool_with(&world, 8, |config| {
        config.max_per_account = 3;
        config.min_fee_per_1000 = 5;
    });
    let refused = |pool: &mut TestPool, world: &World, bytes: &[u8]| {
        let before = pool.clone();
        let refused = insert(pool, &world.chain, bytes).expect_err("refused");
        assert_eq!(*pool, before);
        refused
    };
    let gap = MempoolError::Gap { found: 1, missing: 0 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 1, 9, 1)), gap);
    let poor = MempoolError::NotEnough { balance: 1000, reserved: 0, needed: 1001 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 0, 1, 1000)), poor);
    let free = MempoolError::FeeTooLow { fee: 0, needed: 1 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 0, 0, 10)), free);
    let mut forged = pay(&world, 0, 0, 0, 9, 1);
    *forged.last_mut().expect("not empty") ^= 1;
    assert_eq!(refused(&mut pool, &world, &forged), MempoolError::BadSignature);
    insert(&mut pool, &world.chain, &pay(&world, 0, 0, 0, 1, 700)).expect("it can pay");
    let poor = MempoolError::NotEnough { balance: 1000, reserved: 701, needed: 301 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 1, 1, 300)), poor);
    insert(&mut pool, &world.chain, &pay(&world, 0, 0, 1, 1, 1)).expect("it can pay");
    insert(&mut pool, &world.chain, &pay(&world, 0, 5, 0, 1, 1)).expect("another lane");
    let many = MempoolError::TooManyOfAccount { max: 3 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 2, 1, 1)), many);
    world.pay(0, 7, 1, 0);
    world.append();
    let used = MempoolError::Used { found: 0, next: 1 };
    assert_eq!(refused(&mut pool, &world, &pay(&world, 0, 0, 0, 9, 2)), used);
    let action = Action::Record(b"late");
    let late = Transaction {
        valid_until: Height(1),
        fee: 9,
        ..Transaction::new(key(1).account(), 0, action)
    };
    let expired = MempoolError::Expired { valid_until: Height(1) };
    assert_eq!(refused(&mut pool, &world, &sign(&world, &late, 1)), expired);
    let mut config = MempoolConfig::new(world.genesis(), 1);
    config.max_per_account = 0;
    let slots: [MempoolSlot; 0] = [];
    let chunks: [ChunkSlot; 0] = [];
    let none = Mempool::new(config, MempoolSlots { slots, chunks });
    assert_eq!(none.err(), Some(ConfigError::NoSlotsPerAccount));
}

/// An account may spend all that it has, and a transaction that takes all stays.
#[test]
fn an_account_may_spend_its_last_coin() {
    let world = World::new();
    let mut pool = pool(&world, 8);
    assert!(pool.is_empty());
    insert(&mut pool, &world.chain, &pay(&world, 0, 0, 0, 1, 999)).expect("1,000 coins");
    assert_eq!((pool.len(), pool.is_empty()), (1, false));
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 0, "it stays");
}

/// Storage that is borrowed serves as well as storage that is owned.
#[test]
fn a_mempool_works_in_borrowed_storage() {
    let mut world = World::new();
    let mut storage =
        MempoolSlots { slots: vec![MempoolSlot::EMPTY; 4], chunks: vec![ChunkSlot::EMPTY; 8] };
    let config = MempoolConfig::new(world.genesis(), 9);
    let mut pool = Mempool::new(config, &mut storage).expect("a good configuration");
    let bytes = pay(&world, 0, 0, 0, 1, 5);
    let tip = world.chain.tip().height;
    let added = pool.insert(&decode(&bytes), &world.chain.state(), tip);
    assert_eq!((added, pool.len()), (Ok(Insertion::Added), 1));
    assert!(pool.contains(&id_of(&world, &bytes)));
    world.pay(0, 7, 5, 1);
    world.append();
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 1, "it is confirmed");
}

/// At capacity the lowest fee per byte leaves; a flood of one account replaces nothing that pays better.
#[test]
fn a_full_mempool_keeps_what_pays_best() {
    let world = World::new();
    let mut pool = pool(&world, 4);
    let kept =
        [pay(&world, 0, 0, 0, 50, 1), pay(&world, 0, 0, 1, 40, 1), pay(&world, 1, 0, 0, 30, 1)];
    for bytes in &kept {
        insert(&mut pool, &world.chain, bytes).expect("there is room");
    }
    let low = pay(&world, 2, 0, 0, 1, 1);
    insert(&mut pool, &world.chain, &low).expect("there is room");
    let lower = pay(&world, 1, 1, 0, 0, 1);
    let too_low = MempoolError::FeeTooLow { fee: 0, needed: 2 };
    assert_eq!(insert(&mut pool, &world.chain, &lower), Err(too_low));
    let better = pay(&world, 1, 1, 0, 20, 1);
    let pushed_out = Insertion::PushedOut(id_of(&world, &low));
    assert_eq!(insert(&mut pool, &world.chain, &better), Ok(pushed_out));
    for lane in 0..50 {
        let _ = insert(&mut pool, &world.chain, &pay(&world, 2, lane, 0, 19, 1));
    }
    for bytes in kept.iter().chain([&better]) {
        assert!(pool.contains(&id_of(&world, bytes)));
    }
    for slots in 0..2 {
        let mut tiny = self::pool(&world, slots);
        let first = insert(&mut tiny, &world.chain, &kept[0]);
        assert_eq!(first.is_ok(), slots == 1);
        assert_eq!(tiny.len(), slots);
    }
}

/// One fee at the end of a lane does not keep the slots of many transactions without fees before it.
#[test]
fn what_follows_a_cheap_transaction_is_worth_no_more() {
    let world = World::new();
    let mut pool = pool(&world, 4);
    let lane = [(0, 0), (1, 0), (2, 0), (3, 500)];
    let lane = lane.map(|(sequence, fee)| pay(&world, 0, 0, sequence, fee, 1));
    for bytes in &lane {
        insert(&mut pool, &world.chain, bytes).expect("there is room");
    }
    let push = |pool: &mut TestPool, from, pushed_out| {
        let pushed_out = Insertion::PushedOut(id_of(&world, pushed_out));
        let bytes = pay(&world, from, 0, 0, 1, 1);
        assert_eq!(insert(pool, &world.chain, &bytes), Ok(pushed_out));
    };
    push(&mut pool, 1, &lane[3]);
    let full = MempoolError::Full { capacity: 4 };
    assert_eq!(insert(&mut pool, &world.chain, &lane[3]), Err(full), "nor does it come back");
    push(&mut pool, 2, &lane[2]);
    let dearer = pay(&world, 0, 0, 1, 2, 1);
    assert!(matches!(insert(&mut pool, &world.chain, &dearer), Ok(Insertion::Replaced(_))));
}

/// Confirmed and conflicting transactions leave; those of a block that was taken back return, unless they conflict.
#[test]
fn the_mempool_follows_the_chain_through_a_change_of_branches() {
    let mut world = World::new();
    let start = world.clone();
    let mut pool = pool(&world, 8);
    let first = pay(&world, 0, 0, 0, 5, 1);
    let second = pay(&world, 0, 0, 1, 5, 2);
    let third = pay(&world, 0, 0, 2, 5, 3);
    let other = pay(&world, 1, 0, 0, 5, 4);
    for bytes in [&first, &second, &third, &other] {
        insert(&mut pool, &world.chain, bytes).expect("there is room");
    }
    world.body = [&first[..], &second, &other].concat();
    let block = world.append();
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 3);
    assert_eq!(template(&mut pool, 4096), [&third[..]]);
    // Another branch wins, which has a payment of account 1 in the place of `other`.
    let mut branch = start;
    branch.pay(1, 2, 9, 9);
    branch.append();
    let (block, _) = Block::decode(&block).expect("a block");
    let returned: Vec<bool> = block
        .body()
        .iter()
        .map(|signed| insert(&mut pool, &branch.chain, signed.as_bytes()).is_ok())
        .collect();
    assert_eq!(returned, [true, true, false]);
    assert_eq!(pool.update(&branch.chain.state(), branch.chain.tip().height), 0);
    let next = template(&mut pool, 4096);
    assert_eq!(next, [&first[..], &second, &third]);
    branch.body = next.concat();
    branch.append();
    assert_eq!(pool.update(&branch.chain.state(), branch.chain.tip().height), 3);
    assert!(pool.is_empty());
}

#[test]
fn what_expires_leaves_with_all_that_follow_it() {
    let mut world = World::new();
    let mut pool = pool(&world, 8);
    let action = Action::Record(b"soon");
    let soon = Transaction {
        valid_until: Height(1),
        fee: 3,
        ..Transaction::new(key(0).account(), 0, action)
    };
    insert(&mut pool, &world.chain, &sign(&world, &soon, 0)).expect("still valid");
    insert(&mut pool, &world.chain, &pay(&world, 0, 0, 1, 5, 2)).expect("it follows");
    insert(&mut pool, &world.chain, &pay(&world, 1, 0, 0, 5, 2)).expect("of somebody else");
    world.append();
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 2);
    assert_eq!(pool.len(), 1);
    world.pay(1, 2, 996, 0);
    world.append();
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 1, "it conflicts");
    let other_lane = pay(&world, 1, 4, 0, 2, 1);
    insert(&mut pool, &world.chain, &other_lane).expect("3 of 4 coins");
    world.act(1, 3, Action::Record(b"paid"));
    world.append();
    assert_eq!(pool.update(&world.chain.state(), world.chain.tip().height), 1, "it cannot pay");
}

/// Account, lane and sequence number.
type At = (u8, u16, u64);

/// What the rules say, on a map that is sorted anew for each question.
#[derive(Default)]
struct Model {
    slots: BTreeMap<At, Vec<u8>>,
}

impl Model {
    fn fee(bytes: &[u8]) -> (u64, u64) {
        (decode(bytes).transaction().fee, bytes.len() as u64)
    }

    /// Orders the better fee per byte first, then the lower id.
    fn sort(world: &World, all: &mut [(&At, &Vec<u8>)]) {
        all.sort_by(|(_, one), (_, other)| {
            let (fee, len) = Self::fee(one);
            let (other_fee, other_len) = Self::fee(other);
            let by_rate = (other_fee * len).cmp(&(fee * other_len));
            by_rate.then_with(|| id_of(world, one).cmp(&id_of(world, other)))
        });
    }

    fn insert(&mut self, world: &World, at: At, bytes: &[u8], capacity: usize) -> bool {
        let (account, lane, sequence) = at;
        let reserve = |bytes: &[u8]| {
            let transaction = *decode(bytes).transaction();
            let Action::Pay { amount, .. } = transaction.action else { return transaction.fee };
            transaction.fee + amount
        };
        if self.slots.get(&at).is_some_and(|known| known == bytes) {
            return true;
        }
        if sequence > 0 && !self.slots.contains_key(&(account, lane, sequence - 1)) {
            return false;
        }
        let (fee, len) = Self::fee(bytes);
        let mut victim = None;
        if let Some(old) = self.slots.get(&at) {
            let (old_fee, old_len) = Self::fee(old);
            let raised = old_fee + old_fee.div_ceil(8).max(1);
            if fee < raised || fee * old_len < raised * len {
                return false;
            }
        } else if self.slots.len() == capacity {
            let mut all: Vec<_> = self.slots.iter().collect();
            Self::sort(world, &mut all);
            let Some((worst, worst_bytes)) = all.pop() else { return false };
            let bytes = bytes.to_vec();
            let mut both = [(worst, worst_bytes), (&at, &bytes)];
            Self::sort(world, &mut both);
            let lane_of_worst = (worst.0, worst.1);
            if both[1].0 == &at || lane_of_worst == (account, lane) {
                return false;
            }
            let mut lane = self.slots.keys().filter(|at| (at.0, at.1) == lane_of_worst);
            victim = lane.next_back().copied();
        }
        let others = self.slots.iter().filter(|(other, _)| other.0 == account && **other != at);
        let reserved: u64 = others.map(|(_, bytes)| reserve(bytes)).sum();
        if reserved + reserve(bytes) > 1000 {
            return false;
        }
        if let Some(victim) = victim {
            self.slots.remove(&victim);
        }
        self.slots.insert(at, bytes.to_vec());
        true
    }

    fn template(&self, world: &World) -> Vec<Vec<u8>> {
        let mut left: BTreeMap<_, _> = self.slots.iter().collect();
        let mut out = Vec::new();
        while !left.is_empty() {
            let is_first = |at: &At| {
                at.2.checked_sub(1).is_none_or(|before| !left.contains_key(&(at.0, at.1, before)))
            };
            let mut first: Vec<_> = left
                .iter()
                .filter(|(at, _)| is_first(at))
                .map(|(at, bytes)| (*at, *bytes))
                .collect();
            Self::sort(world, &mut first);
            let (at, bytes) = first[0];
            out.push(bytes.clone());
            left.remove(at);
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The same answers, contents and template as the model; the template does not depend on how the same contents
    /// came in, and a block with it is valid.
    #[test]
    fn the_mempool_agrees_with_a_model(
        steps in proptest::collection::vec((0_u8..3, 0_u16..2, 0_u64..4, 0_u64..40, 1_u64..400), 1..40),
        capacity in 0_usize..8,
    ) {
        let mut world = World::new();
        let mut pool = pool(&world, capacity);
        let mut model = Model::default();
        for (from, lane, sequence, fee, amount) in steps {
            let bytes = pay(&world, from, lane, sequence, fee, amount);
            let kept = model.insert(&world, (from, lane, sequence), &bytes, capacity);
            let inserted = insert(&mut pool, &world.chain, &bytes);
            prop_assert_eq!(inserted.is_ok(), kept, "{:?}", inserted);
            prop_assert_eq!(pool.len(), model.slots.len());
            for bytes in model.slots.values() {
                prop_assert!(pool.contains(&id_of(&world, bytes)));
            }
        }
        let expected = model.template(&world);
        prop_assert_eq!(&template(&mut pool, 1 << 16), &expected);
        let mut other = self::pool(&world, capacity);
        for bytes in model.slots.values() {
            insert(&mut other, &world.chain, bytes).expect("the same fit again");
        }
        prop_assert_eq!(&template(&mut other, 1 << 16), &expected);
        world.body = expected.concat();
        world.append();
        pool.update(&world.chain.state(), world.chain.tip().height);
        prop_assert!(pool.is_empty());
    }
}

#[test]
fn sizes_are_as_documented() {
    println!("MempoolSlot {}", size_of::<MempoolSlot>());
    assert!(size_of::<MempoolSlot>() <= 160);
    assert_eq!(size_of::<ChunkSlot>(), 256);
}

/// When a branch is taken back, the sequence numbers of accounts fall: what then does not follow any more leaves, and
/// what does follow stays.
#[test]
fn transactions_that_no_longer_follow_leave() {
    let before = World::new();
    let mut after = World::new();
    after.pay(0, 7, 1, 0);
    after.append();
    let mut pool = pool(&before, 16);
    for (from, sequence) in [(0, 1), (0, 2), (1, 0), (1, 1)] {
        let bytes = pay(&before, from, 0, sequence, 5, 1);
        assert_eq!(insert(&mut pool, &after.chain, &bytes), Ok(Insertion::Added));
    }
    let removed = pool.update(&after.chain.state(), after.chain.tip().height);
    assert_eq!((removed, pool.len()), (0, 4), "all follow");
    let removed = pool.update(&before.chain.state(), before.chain.tip().height);
    assert_eq!((removed, pool.len()), (2, 2), "sequence 0 of the first account is missing");
    let left: Vec<_> =
        [pay(&before, 1, 0, 0, 5, 1), pay(&before, 1, 0, 1, 5, 1)].into_iter().collect();
    assert_eq!(template(&mut pool, 4_096), left);
}
