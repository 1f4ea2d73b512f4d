//! Rows of `pow`.

use core::num::NonZeroU64;
use core::time::Duration;

use super::{Row, Send, Step, millis, row};

pub(super) const ROWS: &[Row] =
    &[row("Pool: shares without work", pool), row("HeaderChain: headers without work", headers)];

fn pool() -> Send {
    use pow::pool::{
        AccountSlot, ConnSlot, Job, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage, PoolSlots,
        WorkerId,
    };
    use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};
    let storage = PoolSlots {
        leases: vec![LeaseSlot::EMPTY; 200],
        connections: vec![ConnSlot::EMPTY; 100],
        accounts: vec![AccountSlot::EMPTY; 100],
        message: vec![0; 80],
    };
    let lease = NonZeroU64::new(1 << 20).unwrap();
    let mut pool = Pool::new(PoolConfig::new(lease, Duration::from_secs(600)), storage).unwrap();
    let job = Job {
        function: HashFunction::Sha256d,
        order: ByteOrder::Little,
        message: &[0; 80],
        nonce: NonceField { offset: 76, format: NonceFormat::U32Le },
        target: Target::from_zero_bits(60),
        share: Target::from_zero_bits(40),
    };
    pool.set_job(Duration::ZERO, &job, 0..=u64::from(u32::MAX)).unwrap();
    for conn in 0..100 {
        pool.handle_connected(Duration::ZERO, ConnId(conn), WorkerId(u64::from(conn))).unwrap();
    }
    Box::new(move |n| {
        let conn = ConnId(n as u32 % 100);
        let mut buf = [0; 200];
        let mut sent = 0;
        while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        let message = PoolMessage::Share { lease: LeaseId(n as u32 % 100), nonce: n << 10 };
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let received = pool.handle_bytes(millis(n), conn, &bytes);
        if received.is_err() {
            let _ = pool.handle_connected(millis(n), conn, WorkerId(u64::from(conn.0)));
        }
        let taken = received.map_or(0, |received| received.consumed);
        while pool.poll_event().is_some() {}
        pool.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn headers() -> Send {
    use pow::{CompactTarget, Header, HeaderChain, HeaderId, Retarget};
    let genesis = Header {
        version: 1,
        previous: HeaderId::default(),
        merkle_root: [7; 32],
        time: 1_300_000_000,
        bits: CompactTarget(0x1d00_ffff),
        nonce: 0,
    };
    let mut chain = HeaderChain::new(Retarget::MAINNET, &genesis, []).unwrap();
    Box::new(move |n| {
        let next =
            Header { previous: chain.tip(), time: genesis.time + 600, nonce: n as u32, ..genesis };
        let refused = chain.append(u64::from(next.time), &next);
        assert!(core::hint::black_box(refused).is_err());
        Step { taken: 80, sent: 0 }
    })
}
