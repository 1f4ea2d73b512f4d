//! A pool whose workers die: nothing that counts is lost, and nothing is paid twice.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use pow::pool::{
    Full, Job, JobError, LeaseId, LeaseSlot, Pool, PoolConfig, PoolError, PoolEvent, PoolMessage,
    ShareError, Worker, WorkerId, WorkerSlot,
};
use pow::{BigEndian, HashFunction, NonceField, NonceFormat, Puzzle, Target};

const MESSAGE: &[u8] = b"shared among many: ________";
const NONCE: NonceField = NonceField { offset: 19, format: NonceFormat::U64Be };
const LAST: u64 = 40_000;

fn config() -> PoolConfig {
    let lease = NonZeroU64::new(1000).expect("not 0");
    PoolConfig { lease, patience: Duration::from_secs(5) }
}

fn job() -> Job<'static> {
    let (target, share) = (Target::from_zero_bits(13), Target::from_zero_bits(7));
    Job { function: HashFunction::Sha256, message: MESSAGE, nonce: NONCE, target, share }
}

/// All nonces that are shares, each hashed by itself.
fn expected() -> BTreeSet<u64> {
    let puzzle = Puzzle::new(HashFunction::Sha256, MESSAGE, NONCE).expect("a puzzle");
    (0..=LAST).filter(|nonce| job().share.is_met_by::<BigEndian>(&puzzle.digest(*nonce))).collect()
}

/// Six workers over lines that lose the end of what was said when one dies, which happens every few steps;
/// some only fall silent. Virtual time, one seed a run.
fn run(seed: u64) {
    let mut pool =
        Pool::<BigEndian, _, _>::new(config(), [LeaseSlot::EMPTY; 12], [WorkerSlot::EMPTY; 6]);
    pool.set_job(Duration::ZERO, job(), 0..=LAST).expect("a job");
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut workers: BTreeMap<u64, (Worker, bool)> = BTreeMap::new(); // and whether it hangs
    let (mut paid, mut solved, mut now) = (BTreeSet::new(), 0, Duration::ZERO);
    let mut buf = [0; 256];
    for _ in 0..100_000 {
        now += Duration::from_millis(100);
        if pool.poll_timeout().is_some_and(|at| at <= now) {
            pool.handle_timeout(now);
        }
        let name = random(6);
        match (workers.get_mut(&name), random(20)) {
            (None, _) => {
                pool.handle_connected(now, WorkerId(name)).expect("six slots");
                workers.insert(name, (Worker::new(), false));
            }
            (Some(_), 0) => {
                workers.remove(&name); // with all that it has found and not sent
                pool.handle_closed(now, WorkerId(name));
            }
            (Some((_, hangs)), 1) => *hangs = !*hangs,
            (Some((worker, false)), _) => {
                worker.step(200);
                while let Some(len) = worker.poll_transmit(&mut buf).expect("it is large enough") {
                    let received =
                        pool.handle_bytes(now, WorkerId(name), &buf[..len]).expect("a message");
                    assert_eq!(received.len, len);
                    match received.share {
                        Some(Ok(share)) => {
                            assert!(
                                paid.insert(share.nonce),
                                "seed {seed}: {} paid twice",
                                share.nonce
                            );
                            solved += u32::from(share.solves);
                        }
                        Some(Err(error)) => {
                            assert!(matches!(error, ShareError::Stale(_)), "{error}");
                        }
                        None => {}
                    }
                }
            }
            _ => {}
        }
        while let Some(transmit) = pool.poll_transmit(&mut buf).expect("it is large enough") {
            if let Some((worker, _)) = workers.get_mut(&transmit.to.0) {
                assert_eq!(worker.handle_bytes(&buf[..transmit.len]), Ok(transmit.len));
            }
        }
        while let Some(event) = pool.poll_event() {
            if event == PoolEvent::Exhausted {
                assert_eq!(paid, expected(), "seed {seed}: a share is lost");
                assert!(solved > 0);
                let total: u64 = pool.workers().map(WorkerSlot::credit).sum();
                assert_eq!(total, 128 * paid.len() as u64, "seed {seed}");
                assert_eq!(pool.split(1_000_003).map(|(_, part)| part).sum::<u64>(), 1_000_003);
                return;
            }
        }
    }
    panic!("seed {seed}: the job was not finished");
}

#[test]
fn no_share_is_lost_and_none_is_paid_twice_when_workers_die() {
    (0..12).for_each(run);
}

#[test]
fn what_does_not_count() {
    let mut pool =
        Pool::<BigEndian, _, _>::new(config(), [LeaseSlot::EMPTY; 2], [WorkerSlot::EMPTY; 2]);
    let long = vec![0; 65_536];
    assert_eq!(
        pool.set_job(Duration::ZERO, Job { message: &long, ..job() }, 0..=1),
        Err(JobError::TooLong(65_536))
    );
    pool.set_job(Duration::ZERO, job(), 0..=LAST).expect("a job");
    let (now, mut buf) = (Duration::ZERO, [0; 256]);
    let [alice, bob, eve] = [1, 2, 3].map(WorkerId);
    pool.handle_connected(now, alice).expect("room");
    pool.handle_connected(now, bob).expect("room");
    assert_eq!(pool.handle_connected(now, eve), Err(Full(2)));
    while pool.poll_transmit(&mut buf).expect("room").is_some() {}
    let mut share = |pool: &mut Pool<'_, BigEndian, _, _>, who, lease, nonce| {
        let len =
            PoolMessage::Share { lease: LeaseId(lease), nonce }.encode(&mut buf).expect("room");
        let received = pool.handle_bytes(now, who, &buf[..len]);
        received.map(|received| received.share.expect("it is one").map(|share| share.nonce))
    };
    let good: Vec<u64> = expected().into_iter().take_while(|nonce| *nonce < 1000).collect();
    let bad = (0..1000).find(|nonce| !good.contains(nonce) && *nonce > good[1]).expect("most are");
    assert_eq!(share(&mut pool, alice, 1, good[1]), Ok(Ok(good[1])));
    assert_eq!(share(&mut pool, alice, 1, good[1]), Ok(Err(ShareError::Duplicate(good[1]))));
    assert_eq!(share(&mut pool, alice, 1, good[0]), Ok(Err(ShareError::Duplicate(good[0]))));
    assert_eq!(share(&mut pool, alice, 1, bad), Ok(Err(ShareError::NotEnoughWork(bad))));
    assert_eq!(share(&mut pool, alice, 1, 1000), Ok(Err(ShareError::Outside(1000))));
    assert_eq!(share(&mut pool, bob, 1, good[2]), Ok(Err(ShareError::Stale(LeaseId(1)))));
    assert_eq!(share(&mut pool, eve, 1, good[2]), Err(PoolError::NotConnected(eve)));
    let tallies: Vec<_> = pool.workers().map(WorkerSlot::tally).collect();
    assert_eq!(tallies, [(1, 4), (0, 1)]);
    // Silence costs the lease, and what is left of it goes to the next one.
    pool.handle_timeout(Duration::from_secs(5));
    assert!(
        matches!(pool.poll_event(), Some(PoolEvent::Expired { worker, .. }) if worker == alice)
    );
    assert_eq!(share(&mut pool, alice, 1, good[2]), Ok(Err(ShareError::Stale(LeaseId(1)))));
    assert_eq!(pool.split(99).collect::<Vec<_>>(), [(alice, 99)]);
    pool.handle_closed(now, alice);
    assert_eq!(pool.handle_connected(now, eve), Err(Full(2)), "alice is not paid");
    pool.settle();
    assert_eq!(pool.handle_connected(now, eve), Ok(()));
}

#[test]
fn sizes_are_as_documented() {
    assert!(size_of::<LeaseSlot>() <= 64, "{}", size_of::<LeaseSlot>());
    assert!(size_of::<WorkerSlot>() <= 48, "{}", size_of::<WorkerSlot>());
    assert!(size_of::<Worker>() <= 400, "{}", size_of::<Worker>());
}
