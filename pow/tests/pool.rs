//! A pool whose workers die, lie and fall silent.

mod pool_world;

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use pool_world::*;
use pow::pool::{
    AccountSlot, CloseReason, ConnSlot, Event, Job, JobError, LeaseId, LeaseSlot, Pool, PoolConfig,
    ShareError, Worker, WorkerCloseReason, WorkerEvent, WorkerId,
};
use pow::{ConfigError, ConnId, ConnectError, NotConnected};

/// Six workers over connections that lose the end of what was sent when one dies, which happens every few
/// steps; some only fall silent. Virtual time, one seed a run.
fn run(seed: u64) {
    let mut pool = Pool::new(config(), slots::<6>()).expect("a configuration");
    pool.set_job(START, &job(), 0..=LAST).expect("a job");
    let mut random = sim::Rng::new(seed);
    let mut workers: BTreeMap<u32, (Worker, bool)> = BTreeMap::new(); // and whether it hangs
    let mut paid = BTreeSet::new();
    let mut solved = 0;
    let mut now = START;
    let mut buf = [0; 256];
    for _ in 0..100_000 {
        now += Duration::from_millis(100);
        if pool.poll_timeout().is_some_and(|at| at <= now) {
            pool.handle_timeout(now);
        }
        let name = random.below(6) as u32;
        let conn = ConnId(name);
        match (workers.get_mut(&name), random.below(20)) {
            (None, _) => {
                pool.handle_connected(now, conn, WorkerId(name.into())).expect("six slots");
                workers.insert(name, (Worker::new(), false));
            }
            (Some(_), 0) => {
                workers.remove(&name); // with all that it has found and not sent
                pool.handle_closed(now, conn);
            }
            (Some((_, hangs)), 1) => *hangs = !*hangs,
            (Some((worker, false)), _) => {
                worker.step(200);
                while let Some(len) = worker.poll_transmit(&mut buf).expect("it is large enough") {
                    let received = pool.handle_bytes(now, conn, &buf[..len]).expect("connected");
                    assert_eq!(received.consumed, len);
                    match received.outcome {
                        Some(Ok(share)) => {
                            let nonce = share.nonce;
                            assert!(paid.insert(nonce), "seed {seed}: {nonce} paid twice");
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
        loop {
            while let Some(transmit) = pool.poll_transmit(&mut buf).expect("it is large enough") {
                if let Some((worker, _)) = workers.get_mut(&transmit.conn.0) {
                    let received = worker.handle_bytes(&buf[..transmit.len]);
                    assert_eq!(received.consumed, transmit.len);
                }
            }
            match pool.poll_event() {
                None => break,
                Some(Event::Closed { conn, .. }) => _ = workers.remove(&conn.0),
                Some(Event::Exhausted) => {
                    assert_eq!(paid, expected(), "seed {seed}: a share is lost");
                    assert!(solved > 0);
                    let total: u64 = pool.accounts().map(|account| account.credit).sum();
                    assert_eq!(total, 128 * paid.len() as u64, "seed {seed}");
                    assert_eq!(pool.split(1_000_003).map(|(_, part)| part).sum::<u64>(), 1_000_003);
                    return;
                }
                Some(_) => {}
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
fn refused_shares_are_counted_and_cost_nothing() {
    let mut pool = pool::<2>(config(), LAST);
    let good: Vec<u64> = expected().into_iter().take_while(|nonce| *nonce < 1000).collect();
    let bad = (0..1000).find(|nonce| !good.contains(nonce) && *nonce > good[1]).expect("most are");
    let pool = &mut pool;
    assert_eq!(share(pool, START, 1, 1, good[1]), Ok(Ok(good[1])));
    assert_eq!(share(pool, START, 1, 1, good[1]), Ok(Err(ShareError::Duplicate(good[1]))));
    assert_eq!(share(pool, START, 1, 1, good[0]), Ok(Err(ShareError::Duplicate(good[0]))));
    assert_eq!(share(pool, START, 1, 1, 1000), Ok(Err(ShareError::Outside(1000))));
    assert_eq!(share(pool, START, 1, 1, bad), Ok(Err(ShareError::NotEnoughWork(bad))));
    assert_eq!(share(pool, START, 2, 1, good[2]), Ok(Err(ShareError::Stale(LeaseId(1)))));
    assert_eq!(share(pool, START, 3, 1, good[2]), Err(NotConnected(ConnId(3))));
    let tallies: Vec<_> =
        pool.accounts().map(|account| (account.accepted, account.refused)).collect();
    assert_eq!(tallies, [(1, 4), (0, 1)]);
    assert_eq!(pool.split(99).collect::<Vec<_>>(), [(ALICE, 99)]);
    let invalid = Event::Closed { conn: ConnId(1), reason: CloseReason::InvalidShare };
    assert_eq!(events(pool), [invalid], "guesses would let the pool hash for the worker");
}

#[test]
fn a_job_must_fit_and_differ_from_the_current_one() {
    let mut pool = pool::<1>(config(), LAST);
    let too_long = JobError::TooLong { len: 65, capacity: 64 };
    let long = Job { message: &[0; 65], ..job() };
    assert_eq!(pool.set_job(START, &long, 0..=1), Err(too_long));
    // What the nonce field contains makes no difference to the hashes.
    let equal = Job { message: b"shared among many: 01234567", ..job() };
    assert_eq!(pool.set_job(START, &equal, 0..=1), Err(JobError::Unchanged));
    let other = Job { message: b"shared among two: _________", ..job() };
    assert_eq!(pool.set_job(START, &other, 0..=1), Ok(()));
    assert_eq!(leases(&mut pool), [(1, 2, 0, 1)]);
}

#[test]
fn connections_and_accounts_are_limited() {
    let mut pool = pool::<2>(config(), LAST);
    let full = Err(ConnectError::Full { capacity: 2 });
    assert_eq!(pool.handle_connected(START, ConnId(1), BOB), Err(ConnectError::InUse(ConnId(1))));
    assert_eq!(pool.handle_connected(START, ConnId(3), ALICE), full);
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Ok(first)));
    pool.handle_closed(START, ConnId(1));
    assert_eq!(pool.handle_connected(START, ConnId(3), WorkerId(3)), full, "alice is not paid");
    assert_eq!(pool.handle_connected(START, ConnId(3), ALICE), Ok(()), "she has an account");
    pool.handle_closed(START, ConnId(3));
    pool.settle();
    assert_eq!(pool.handle_connected(START, ConnId(3), WorkerId(3)), Ok(()));
}

#[test]
fn a_call_that_fails_does_not_move_the_clock() {
    let mut pool = pool::<2>(config(), LAST);
    let before = pool.clone();
    let later = Duration::from_secs(100); // every deadline is past by then
    assert_eq!(share(&mut pool, later, 3, 1, 0), Err(NotConnected(ConnId(3))));
    assert_eq!(pool.handle_connected(later, ConnId(1), ALICE), Err(ConnectError::InUse(ConnId(1))));
    let full = ConnectError::Full { capacity: 2 };
    assert_eq!(pool.handle_connected(later, ConnId(3), ALICE), Err(full));
    assert_eq!(pool.set_job(later, &job(), 0..=LAST), Err(JobError::Unchanged));
    let long = Job { message: &[0; 65], ..job() };
    let too_long = JobError::TooLong { len: 65, capacity: 64 };
    assert_eq!(pool.set_job(later, &long, 0..=LAST), Err(too_long));
    assert_eq!(pool, before);
    // A lease that is given now lasts as long as if nothing had failed.
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Ok(first)));
    pool.handle_timeout(START);
    assert_eq!(events(&mut pool), []);
    assert_eq!(pool.poll_timeout(), before.poll_timeout());
}

#[test]
fn timeouts_of_zero_are_refused() {
    let lease = NonZeroU64::MIN;
    let refused = |config| Pool::new(config, slots::<1>()).map(|_| ());
    assert_eq!(refused(PoolConfig::new(lease, START)), Err(ConfigError::ZeroLeaseTimeout));
    let mut config = config();
    config.idle_timeout = START;
    assert_eq!(refused(config), Err(ConfigError::ZeroIdleTimeout));
}

/// The lease is given to another worker only after its expiry was reported, in whichever order one polls.
#[test]
fn every_expiry_is_reported_once_though_transmits_are_polled_first() {
    let mut pool = pool::<3>(config(), LAST);
    let now = Duration::from_secs(5);
    done(&mut pool, START, 3, 7); // of no lease; it keeps its own
    pool.handle_timeout(now);
    done(&mut pool, now, 3, 3);
    let given = leases(&mut pool);
    assert_eq!(given, [(3, 4, 3000, 3999)], "fresh nonces, not those of an expired lease");
    let expired = |n| Event::Expired { conn: ConnId(n), lease: LeaseId(n) };
    assert_eq!(events(&mut pool), [expired(1), expired(2), expired(3)]);
    assert_eq!(events(&mut pool), []);
    done(&mut pool, now, 1, 1);
    assert_eq!(leases(&mut pool), [(1, 5, 0, 999)], "the nonces of the first lease");
}

/// Twenty-four "done" in a row once ended a job of 2^40 nonces.
#[test]
fn done_without_shares_is_not_believed_and_costs_the_connection() {
    let mut pool = pool::<2>(leases_of(2000), LAST);
    // It gets other nonces; its own are kept for somebody else.
    done(&mut pool, START, 1, 1);
    assert_eq!(leases(&mut pool), [(1, 3, 4000, 5999)]);
    done(&mut pool, START, 1, 3);
    assert_eq!(leases(&mut pool), [(1, 4, 6000, 7999)]);
    assert_eq!(events(&mut pool), []);
    done(&mut pool, START, 1, 4);
    let reason = CloseReason::Unproductive;
    assert_eq!(events(&mut pool), [Event::Closed { conn: ConnId(1), reason }]);
    assert_eq!(share(&mut pool, START, 1, 4, 0), Err(NotConnected(ConnId(1))));
    done(&mut pool, START, 2, 9); // of no lease of its own
    assert_eq!(leases(&mut pool), []);
    pool.handle_closed(START, ConnId(2));
    pool.handle_connected(START, ConnId(3), BOB).expect("a slot");
    assert_eq!(leases(&mut pool), [(3, 5, 0, 1999)], "what was not tried");
}

/// A worker that leaves a lease once it has found a share cannot hide the rest.
#[test]
fn nonces_beyond_the_last_share_are_leased_again() {
    let mut pool = pool::<2>(leases_of(4000), LAST);
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Ok(first)));
    done(&mut pool, START, 1, 1);
    pool.handle_closed(START, ConnId(2));
    assert_eq!(leases(&mut pool), [(1, 3, 4000, 7999)], "the returned lease of the other");
    pool.handle_connected(START, ConnId(2), BOB).expect("a slot");
    assert_eq!(leases(&mut pool), [(2, 4, 0, first - 1)], "the gap was returned before the rest");
    done(&mut pool, START, 2, 4);
    assert_eq!(leases(&mut pool), [(2, 5, first + 1, 3999)]);
}

/// Nonces that a worker skips are leased to another; the share itself counts.
#[test]
fn a_gap_without_shares_is_leased_again() {
    let mut pool = pool::<2>(leases_of(4000), LAST);
    let far = *expected().iter().find(|nonce| **nonce > 2000).expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, far), Ok(Ok(far)));
    done(&mut pool, START, 2, 2);
    assert_eq!(leases(&mut pool), [(2, 3, 0, far - 1)]);
}

/// The last nonce of a lease was a share, then its worker was silent: nothing of the lease remains.
#[test]
fn a_lease_whose_last_nonce_was_a_share_is_not_given_again() {
    let nonce = *expected().first().expect("a share");
    let mut pool = Pool::new(config(), slots::<1>()).expect("a configuration");
    pool.set_job(START, &job(), nonce..=nonce).expect("a job");
    pool.handle_connected(START, ConnId(1), ALICE).expect("a slot");
    assert_eq!(leases(&mut pool), [(1, 1, nonce, nonce)]);
    assert_eq!(share(&mut pool, START, 1, 1, nonce), Ok(Ok(nonce)));
    pool.handle_timeout(Duration::from_secs(5));
    let expired = Event::Expired { conn: ConnId(1), lease: LeaseId(1) };
    assert_eq!(events(&mut pool), [expired, Event::Exhausted]);
}

#[test]
fn idle_connections_are_closed_and_waiting_ones_are_not() {
    let mut pool = pool::<2>(config(), 999); // one lease: the second worker waits
    assert_eq!(pool.poll_timeout(), Some(Duration::from_secs(5)));
    pool.handle_timeout(Duration::from_secs(5));
    assert_eq!(events(&mut pool), [Event::Expired { conn: ConnId(1), lease: LeaseId(1) }]);
    assert_eq!(leases(&mut pool), [(2, 2, 0, 999)]);
    assert_eq!(pool.poll_timeout(), Some(Duration::from_secs(10)));
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, Duration::from_secs(9), 2, 2, first), Ok(Ok(first)));
    pool.handle_timeout(Duration::from_secs(10));
    let idle = Event::Closed { conn: ConnId(1), reason: CloseReason::Idle };
    assert_eq!(events(&mut pool), [idle]);
    assert_eq!(pool.handle_connected(Duration::from_secs(10), ConnId(1), ALICE), Ok(()));
    pool.handle_timeout(Duration::from_secs(13));
    assert_eq!(events(&mut pool), [], "it waits for a lease");
}

#[test]
fn malformed_messages_close_the_connection() {
    let mut pool = pool::<2>(config(), LAST);
    let received = pool.handle_bytes(START, ConnId(1), b"GET / HTTP/1.1").expect("connected");
    assert_eq!((received.consumed, received.outcome), (14, None));
    let again = pool.handle_bytes(START, ConnId(1), &[4]).expect("its event was not polled");
    assert_eq!(again.consumed, 1, "ignored");
    let received = pool.handle_bytes(START, ConnId(2), &[1]).expect("connected");
    assert_eq!(received.consumed, 1, "a lease from a worker is refused before it is complete");
    let [Event::Closed { conn: ConnId(1), reason }, unexpected] = events(&mut pool)[..] else {
        panic!("two are closed");
    };
    assert_eq!(reason.to_string(), "malformed message: unknown message kind: 71");
    assert_eq!(unexpected, Event::Closed { conn: ConnId(2), reason: CloseReason::Unexpected });
    assert_eq!(pool.handle_bytes(START, ConnId(1), &[4]), Err(NotConnected(ConnId(1))));

    let mut worker = Worker::new();
    assert_eq!(worker.handle_bytes(&[3; 13]).consumed, 13);
    let closed = WorkerEvent::Closed { reason: WorkerCloseReason::Unexpected };
    assert_eq!([worker.poll_event(), worker.poll_event()], [Some(closed), None]);
}

#[test]
fn sizes_are_as_documented() {
    assert!(size_of::<LeaseSlot>() <= 80, "{}", size_of::<LeaseSlot>());
    assert!(size_of::<ConnSlot>() <= 64, "{}", size_of::<ConnSlot>());
    assert!(size_of::<AccountSlot>() <= 56, "{}", size_of::<AccountSlot>());
    assert!(size_of::<Worker>() <= 432, "{}", size_of::<Worker>());
}
