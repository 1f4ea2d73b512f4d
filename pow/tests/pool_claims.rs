//! What workers claim and leave undone, and what the pool makes of it.

mod pool_world;

use core::time::Duration;

use pool_world::*;
use pow::pool::{
    CloseReason, Event, Job, Lease, LeaseId, Pool, PoolConfig, PoolMessage, Share, ShareError,
    Worker, WorkerId,
};
use pow::{ByteOrder, ConnId, HashFunction, Puzzle, Target, U256};

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
