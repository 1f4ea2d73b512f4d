//! A pool with a job and its workers, message by message.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::BTreeSet;

use pow::pool::{
    AccountSlot, ConnSlot, Event, Job, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage,
    PoolSlots, ShareError, WorkerId,
};
use pow::{
    BigEndian, ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, NotConnected, Puzzle,
    Target,
};

pub const MESSAGE: &[u8] = b"shared among many: ________";

pub const NONCE: NonceField = NonceField { offset: 19, format: NonceFormat::U64Be };

pub const LAST: u64 = 40_000;

pub const START: Duration = Duration::ZERO;

pub const ALICE: WorkerId = WorkerId(1);

pub const BOB: WorkerId = WorkerId(2);

pub type Slots<const N: usize> =
    PoolSlots<Vec<LeaseSlot>, [ConnSlot; N], [AccountSlot; N], [u8; 64]>;

pub fn slots<const N: usize>() -> Slots<N> {
    PoolSlots {
        leases: vec![LeaseSlot::EMPTY; 2 * N],
        connections: [ConnSlot::EMPTY; N],
        accounts: [AccountSlot::EMPTY; N],
        message: [0; 64],
    }
}

pub fn config() -> PoolConfig {
    leases_of(1000)
}

pub fn leases_of(nonces: u64) -> PoolConfig {
    PoolConfig::new(NonZeroU64::new(nonces).expect("not 0"), Duration::from_secs(5))
}

pub fn job() -> Job<'static> {
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
pub fn pool<const N: usize>(config: PoolConfig, last: u64) -> Pool<Slots<N>> {
    let mut pool = Pool::new(config, slots()).expect("a configuration");
    pool.set_job(START, &job(), 0..=last).expect("a job");
    for n in 1..=N as u32 {
        pool.handle_connected(START, ConnId(n), WorkerId(n.into())).expect("a slot");
    }
    assert!(!leases(&mut pool).is_empty());
    pool
}

/// Takes all messages from the pool and returns the leases among them.
pub fn leases<const N: usize>(pool: &mut Pool<Slots<N>>) -> Vec<(u32, u32, u64, u64)> {
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

pub fn events<const N: usize>(pool: &mut Pool<Slots<N>>) -> Vec<Event> {
    core::iter::from_fn(|| pool.poll_event()).collect()
}

pub fn share<const N: usize>(
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

pub fn done<const N: usize>(pool: &mut Pool<Slots<N>>, now: Duration, conn: u32, lease: u32) {
    let mut buf = [0; 5];
    PoolMessage::Done { lease: LeaseId(lease) }.encode(&mut buf).expect("5 bytes");
    assert_eq!(pool.handle_bytes(now, ConnId(conn), &buf).expect("connected").consumed, 5);
}

/// All nonces that are shares, each hashed by itself.
pub fn expected() -> BTreeSet<u64> {
    let puzzle = Puzzle::new(HashFunction::Sha256, MESSAGE, NONCE).expect("a puzzle");
    (0..=LAST).filter(|nonce| job().share.is_met_by::<BigEndian>(&puzzle.digest(*nonce))).collect()
}
