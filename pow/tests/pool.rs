//! A pool whose workers die, lie and fall silent.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use pow::pool::{
    AccountSlot, CloseReason, ConnSlot, Event, Job, JobError, Lease, LeaseId, LeaseSlot, Pool,
    PoolConfig, PoolMessage, PoolSlots, Share, ShareError, Worker, WorkerCloseReason, WorkerEvent,
    WorkerId,
};
use pow::{
    BigEndian, ByteOrder, ConfigError, ConnId, ConnectError, HashFunction, NonceField, NonceFormat,
    NotConnected, Puzzle, Target, U256,
};

const MESSAGE: &[u8] = b"shared among many: ________";
const NONCE: NonceField = NonceField { offset: 19, format: NonceFormat::U64Be };
const LAST: u64 = 40_000;
const START: Duration = Duration::ZERO;
const ALICE: WorkerId = WorkerId(1);
const BOB: WorkerId = WorkerId(2);

type Slots<const N: usize> = PoolSlots<Vec<LeaseSlot>, [ConnSlot; N], [AccountSlot; N], [u8; 64]>;

fn slots<const N: usize>() -> Slots<N> {
    PoolSlots {
        leases: vec![LeaseSlot::EMPTY; 2 * N],
        connections: [ConnSlot::EMPTY; N],
        accounts: [AccountSlot::EMPTY; N],
        message: [0; 64],
    }
}

fn config() -> PoolConfig {
    leases_of(1000)
}

fn leases_of(nonces: u64) -> PoolConfig {
    PoolConfig::new(NonZeroU64::new(nonces).expect("not 0"), Duration::from_secs(5))
}

fn job() -> Job<'static> {
    Job {
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        message: MESSAGE,
        nonce: NONCE,
        target: Target::from_zero_bits(13),
        share: Target::from_zero_bits(7),
    }
}

/// A pool with the job, and a connection of each of N workers that has its first lease: `ConnId(1)` of
/// `WorkerId(1)` lease 1, and so on.
fn pool<const N: usize>(config: PoolConfig, last: u64) -> Pool<Slots<N>> {
    let mut pool = Pool::new(config, slots()).expect("a configuration");
    pool.set_job(START, &job(), 0..=last).expect("a job");
    for n in 1..=N as u32 {
        pool.handle_connected(START, ConnId(n), WorkerId(n.into())).expect("a slot");
    }
    assert!(!leases(&mut pool).is_empty());
    pool
}

/// Takes all messages from the pool and returns the leases among them.
fn leases<const N: usize>(pool: &mut Pool<Slots<N>>) -> Vec<(u32, u32, u64, u64)> {
    let mut buf = [0; 256];
    let mut leases = Vec::new();
    while let Some(transmit) = pool.poll_transmit(&mut buf).expect("it is large enough") {
        let (message, _) = PoolMessage::decode(&buf[..transmit.len]).expect("a message");
        if let PoolMessage::Lease(lease) = message {
            let (first, last) = lease.nonces.into_inner();
            leases.push((transmit.conn.0, lease.id.0, first, last));
        }
    }
    leases
}

fn events<const N: usize>(pool: &mut Pool<Slots<N>>) -> Vec<Event> {
    core::iter::from_fn(|| pool.poll_event()).collect()
}

fn share<const N: usize>(
    pool: &mut Pool<Slots<N>>,
    now: Duration,
    conn: u32,
    lease: u32,
    nonce: u64,
) -> Result<Result<u64, ShareError>, NotConnected> {
    let mut buf = [0; 13];
    let message = PoolMessage::Share { lease: LeaseId(lease), nonce };
    let len = message.encode(&mut buf).expect("13 bytes");
    let received = pool.handle_bytes(now, ConnId(conn), &buf)?;
    assert_eq!(received.consumed, len);
    Ok(received.outcome.expect("it is a share").map(|share| share.nonce))
}

fn done<const N: usize>(pool: &mut Pool<Slots<N>>, now: Duration, conn: u32, lease: u32) {
    let mut buf = [0; 5];
    PoolMessage::Done { lease: LeaseId(lease) }.encode(&mut buf).expect("5 bytes");
    assert_eq!(pool.handle_bytes(now, ConnId(conn), &buf).expect("connected").consumed, 5);
}

/// All nonces that are shares, each hashed by itself.
fn expected() -> BTreeSet<u64> {
    let puzzle = Puzzle::new(HashFunction::Sha256, MESSAGE, NONCE).expect("a puzzle");
    (0..=LAST).filter(|nonce| job().share.is_met_by::<BigEndian>(&puzzle.digest(*nonce))).collect()
}

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

/// Runs a worker whose every lease expires, and returns how often it was closed for it.
fn closings_of_a_slow_worker(shares_first: bool) -> usize {
    let mut config = leases_of(10_000);
    config.idle_timeout = Duration::from_secs(3_600);
    let mut pool = Pool::new(config, slots::<1>()).expect("a configuration");
    pool.set_job(START, &job(), 0..=LAST).expect("a job");
    let shares = expected();
    let mut closed = 0;
    for round in 0..10 {
        let now = Duration::from_secs(6 * round);
        let _ = pool.handle_connected(now, ConnId(1), ALICE); // or it is still connected
        let given = leases(&mut pool);
        for (_, lease, first, last) in given.iter().copied() {
            let nonce = shares.range(first..=last).next().filter(|_| shares_first);
            if let Some(nonce) = nonce {
                let _ = share(&mut pool, now, 1, lease, *nonce).expect("connected");
            }
        }
        pool.handle_timeout(now + Duration::from_secs(5));
        for (_, lease, ..) in given {
            if pool.handle_bytes(now, ConnId(1), &[]).is_ok() {
                done(&mut pool, now, 1, lease); // too late; it is free for the next
            }
        }
        let is_closing = |event: &Event| {
            matches!(event, Event::Closed { reason: CloseReason::Unproductive, .. })
        };
        closed += events(&mut pool).iter().filter(|event| is_closing(event)).count();
    }
    closed
}

#[test]
fn leases_that_expire_without_a_share_cost_the_connection_and_others_do_not() {
    assert!(closings_of_a_slow_worker(false) > 0);
    assert_eq!(closings_of_a_slow_worker(true), 0);
}

#[test]
fn a_worker_shows_how_many_shares_the_pool_counted() {
    let mut worker = Worker::new();
    assert_eq!(worker.tally(), (0, 0));
    let message = PoolMessage::Tally { accepted: 7, refused: 2 };
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).expect("the length was asked for");
    assert_eq!(worker.handle_bytes(&bytes).consumed, bytes.len());
    assert_eq!(worker.tally(), (7, 2));
}

/// What the pool reports when Alice, who has proved nothing, tells it that the last 1,000 nonces of the job have no share,
/// after Bob has tried all others.
fn alice_reports_the_last_lease(bob_stays: bool) -> Vec<Event> {
    let mut pool = pool::<2>(leases_of(1000), 5999);
    let shares = expected();
    let mut own = vec![(2, 1000, 1999)];
    while let Some((id, first, last)) = own.pop() {
        for nonce in shares.range(first..=last) {
            let _ = share(&mut pool, START, 2, id, *nonce).expect("connected");
        }
        done(&mut pool, START, 2, id);
        own.extend(leases(&mut pool).into_iter().map(|(conn, id, first, last)| {
            assert_eq!(conn, 2, "Alice has a lease");
            (id, first, last)
        }));
    }
    if !bob_stays {
        pool.handle_closed(START, ConnId(2));
    }
    events(&mut pool);
    done(&mut pool, START, 1, 1);
    events(&mut pool)
}

#[test]
fn only_a_worker_that_is_connected_can_be_asked_instead() {
    assert_eq!(alice_reports_the_last_lease(false), [Event::Exhausted]);
    assert_eq!(alice_reports_the_last_lease(true), [], "Bob has proved enough to be asked");
}

/// Eight shares are expected in 1,024 nonces. That many may lack them by chance, one more may not.
#[test]
fn a_gap_of_exactly_eight_expected_shares_may_be_chance() {
    let report = |nonces: u64| {
        let mut pool = pool::<1>(leases_of(nonces), nonces - 1);
        done(&mut pool, START, 1, 1);
        (events(&mut pool), leases(&mut pool))
    };
    assert_eq!(report(1024), (vec![Event::Exhausted], vec![]));
    assert_eq!(report(1025), (vec![], vec![(1, 2, 0, 1024)]));
}

/// Two workers claim the nonces of two leases each without shares. Each gets what the other claims, however many of
/// its own claims were returned before.
#[test]
fn what_one_worker_claims_is_found_for_another_behind_its_own_claims() {
    let mut pool = Pool::new(leases_of(100), slots::<2>()).expect("a configuration");
    pool.set_job(START, &job(), 0..=LAST).expect("a job");
    pool.handle_connected(START, ConnId(1), ALICE).expect("a slot");
    for lease in 1..=3 {
        assert_eq!(leases(&mut pool).len(), 1);
        done(&mut pool, START, 1, lease);
    }
    assert_eq!(leases(&mut pool), [(1, 4, 300, 399)], "its own claims are not for it");
    pool.handle_connected(START, ConnId(2), BOB).expect("a slot");
    assert_eq!(leases(&mut pool), [(2, 5, 0, 99)]);
    done(&mut pool, START, 2, 5);
    assert_eq!(leases(&mut pool), [(2, 6, 100, 199)]);
    done(&mut pool, START, 1, 4);
    assert_eq!(leases(&mut pool), [(1, 7, 0, 99)], "Bob claims it now");
}

/// A share is answered on its own connection, so that a worker with many of them makes no more work than one with few.
#[test]
fn a_share_makes_one_tally_however_many_connections_its_worker_has() {
    let mut pool = Pool::new(leases_of(4000), slots::<4>()).expect("a configuration");
    pool.set_job(START, &job(), 0..=LAST).expect("a job");
    for conn in 1..=4 {
        pool.handle_connected(START, ConnId(conn), ALICE).expect("a slot");
    }
    leases(&mut pool);
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Ok(first)));
    let mut buf = [0; 256];
    let sent = pool.poll_transmit(&mut buf).expect("it is large enough").expect("a tally");
    assert_eq!(sent.conn, ConnId(1));
    assert_eq!(pool.poll_transmit(&mut buf), Ok(None));
}

/// A digest that equals a target meets it.
#[test]
fn a_share_and_a_solution_may_equal_their_targets() {
    let puzzle = Puzzle::new(HashFunction::Sha256, MESSAGE, NONCE).expect("a puzzle");
    let digest = ByteOrder::Big.number(&puzzle.digest(7));
    let below = Target::new(U256::MAX.unbounded_shr(256 - digest.bits() + 1));
    for (share, target, solves) in
        [(Target::new(digest), Target::new(digest), true), (Target::new(digest), below, false)]
    {
        let mut pool = Pool::new(config(), slots::<1>()).expect("a configuration");
        pool.set_job(START, &Job { share, target, ..job() }, 7..=9).expect("a job");
        pool.handle_connected(START, ConnId(1), ALICE).expect("a slot");
        assert_eq!(leases(&mut pool), [(1, 1, 7, 9)]);
        let mut buf = [0; 13];
        PoolMessage::Share { lease: LeaseId(1), nonce: 7 }.encode(&mut buf).expect("13 bytes");
        let received = pool.handle_bytes(START, ConnId(1), &buf).expect("connected");
        assert_eq!(received.outcome, Some(Ok(Share { nonce: 7, solves })));
    }
}

/// A worker keeps one share until it is sent, and tries nothing meanwhile.
#[test]
fn a_worker_waits_until_its_share_is_sent() {
    let lease = Lease {
        id: LeaseId(3),
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        nonce: NONCE,
        nonces: 10..=11,
        target: Target::MAX,
        message: MESSAGE,
    };
    let mut bytes = [0; 128];
    let len = PoolMessage::Lease(lease).encode(&mut bytes).expect("room");
    let mut worker = Worker::new();
    assert_eq!(worker.handle_bytes(&bytes[..len]).outcome, Some(LeaseId(3)));
    let mut sent = Vec::new();
    for tried in [1, 2, 2] {
        for _ in 0..3 {
            assert!(!worker.step(100));
            assert_eq!(worker.tried(), tried);
        }
        let len = worker.poll_transmit(&mut bytes).expect("room").expect("a message");
        sent.push(PoolMessage::decode(&bytes[..len]).expect("a message").0.to_string());
    }
    assert_eq!(sent, ["share 10 of lease 3", "share 11 of lease 3", "done with lease 3"]);
    assert_eq!(worker.poll_transmit(&mut bytes), Ok(None));
    assert!(!worker.step(100));
}

/// The tally of a connection is sent though another one is closed before.
#[test]
fn a_tally_is_sent_although_another_connection_closes() {
    let mut pool = pool::<3>(config(), LAST);
    let first = *expected().first().expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Ok(first)));
    assert_eq!(share(&mut pool, START, 1, 1, first), Ok(Err(ShareError::Duplicate(first))));
    pool.handle_closed(START, ConnId(2));
    pool.handle_closed(START, ConnId(3));
    let mut buf = [0; 256];
    let sent = pool.poll_transmit(&mut buf).expect("it is large enough").expect("a tally");
    assert_eq!(sent.conn, ConnId(1));
    let (message, _) = PoolMessage::decode(&buf[..sent.len]).expect("a message");
    assert_eq!(message, PoolMessage::Tally { accepted: 1, refused: 1 });
}

/// A lease never expires early: its deadline is rounded up to a millisecond. Deadlines around 2^16 and 2^32 milliseconds are in order.
#[test]
fn deadlines_are_rounded_up_and_in_order() {
    let mut config = config();
    config.lease_timeout = Duration::from_micros(1500);
    let pool_of = |config| pool::<1>(config, LAST);
    assert_eq!(pool_of(config).poll_timeout(), Some(Duration::from_millis(2)));
    config.lease_timeout = Duration::from_millis(2);
    assert_eq!(pool_of(config).poll_timeout(), Some(Duration::from_millis(2)));
    let half = Duration::from_millis(500);
    for millis in [1 << 16, 1 << 32] {
        let turn = Duration::from_millis(millis);
        config = PoolConfig::new(config.lease, turn.saturating_sub(half));
        let mut pool = Pool::new(config, slots::<2>()).expect("a configuration");
        pool.set_job(START, &job(), 0..=LAST).expect("a job");
        for (second, conn) in [(0, 1), (1, 2)] {
            let now = Duration::from_secs(second);
            pool.handle_connected(now, ConnId(conn), WorkerId(conn.into())).expect("a slot");
            assert_eq!(leases(&mut pool).len(), 1);
        }
        assert_eq!(pool.poll_timeout(), Some(turn.saturating_sub(half)));
        pool.handle_timeout(turn);
        assert_eq!(events(&mut pool), [Event::Expired { conn: ConnId(1), lease: LeaseId(1) }]);
        assert_eq!(pool.poll_timeout(), Some(turn + half));
    }
}

/// Nonces of a former job that were to be leased again are forgotten with it.
#[test]
fn a_job_ends_though_a_former_one_had_gaps() {
    let mut pool = pool::<2>(leases_of(4000), LAST);
    let far = *expected().iter().find(|nonce| **nonce > 2000).expect("a share");
    assert_eq!(share(&mut pool, START, 1, 1, far), Ok(Ok(far)));
    let other = Job { message: b"shared among two: _________", ..job() };
    pool.set_job(START, &other, 0..=99).expect("another job");
    assert_eq!(leases(&mut pool), [(1, 3, 0, 99)]);
    assert_eq!(events(&mut pool), []);
    done(&mut pool, START, 1, 3);
    assert_eq!(events(&mut pool), [Event::Exhausted]);
}

/// Nonces without a share are believed on credit: twice the hashes that the shares prove, less those that were believed before. What is
/// not believed is leased again.
#[test]
fn the_credit_of_a_worker_runs_out() {
    let mut pool = Pool::new(leases_of(1000), slots::<32>()).expect("a configuration");
    pool.set_job(START, &job(), 0..=9999).expect("a job");
    pool.handle_connected(START, ConnId(1), ALICE).expect("a slot");
    assert_eq!(leases(&mut pool), [(1, 1, 0, 999)]);
    let mut trust = 0;
    let mut believe = |shares: u64, gap: u64| {
        if shares >= 4 && gap <= trust {
            trust -= gap;
        }
        trust += 2 * 128;
        trust
    };
    let mut next = 0;
    let mut count = 0;
    for nonce in expected().range(..1000) {
        assert_eq!(share(&mut pool, START, 1, 1, *nonce), Ok(Ok(*nonce)));
        believe(count, nonce - next);
        count += 1;
        next = nonce + 1;
    }
    // The rest of the lease, without a share at its end.
    let proved = believe(count, 1000 - next) - 2 * 128;
    done(&mut pool, START, 1, 1);
    // From now on every lease is reported done at once.
    let mut given = Vec::new();
    while let [(1, id, first, last)] = leases(&mut pool)[..] {
        given.push((first, last));
        done(&mut pool, START, 1, id);
    }
    assert_eq!(events(&mut pool), [Event::Exhausted]);
    let whole = (1..10).map(|lease| (1000 * lease, 1000 * lease + 999));
    let twice = whole.filter(|lease| given.iter().filter(|it| *it == lease).count() == 2);
    // The last lease of a job is believed in any case.
    assert_eq!(twice.count() as u64, 8 - proved / 1000);
    assert!((1000..8000).contains(&proved), "{proved}");
}
