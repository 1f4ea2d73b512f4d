//! How the cost of the calls of a pool grows with the number of its workers.
//!
//! - share: a share, then all polls: events, the tally to send, the deadline.
//! - done: a lease is done, then all polls: the next lease is sent.
//! - connect: a worker connects, gets its lease and leaves.
//! - idle: all polls when nothing is due.
//! - timeout: the lease of one worker expires, is reported and given to another.
//!
//! Bar: no row is more than 1.5 times as dear with 1,000 workers as with 10. Time is the least of five runs.
//!
//! `cargo bench -p pow --bench pool --features alloc`

use core::hint::black_box;
use core::num::NonZeroU64;
use core::time::Duration;
use std::time::Instant;

use pow::pool::{Job, LeaseId, Pool, PoolConfig, PoolLimits, PoolMessage, PoolVec, WorkerId};
use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};

const RUNS: usize = 5;
const TIMES: u32 = 2_000;
/// The nonces of a lease that is done soon.
const SHORT: u64 = 8;
const ROWS: [&str; 5] = ["share", "done", "connect and close", "idle polls", "timeout"];

fn main() {
    let counts = [10, 100, 1_000, 10_000];
    print!("{:>20}", "workers");
    for count in counts {
        print!("{count:>12}");
    }
    println!("   1,000 / 10");
    let columns = counts.map(|count| {
        let runs: Vec<_> = (0..RUNS).map(|_| measure(count)).collect();
        core::array::from_fn::<_, 5, _>(|row| runs.iter().map(|run| run[row]).min())
    });
    for (row, name) in ROWS.iter().enumerate() {
        print!("{name:>20}");
        for time in columns.iter().filter_map(|column| column[row]) {
            print!("{time:>12.1?}");
        }
        let [few, _, many, _] = columns.map(|column| column[row].map(|time| time.as_secs_f64()));
        println!("{:>13.2}", many.zip(few).map_or(0.0, |(many, few)| many / few));
    }
}

fn measure(workers: u32) -> [Duration; 5] {
    let mut room = Room::new(workers, 1 << 20);
    let share = room.shares();
    let done = Room::new(workers, SHORT).done();
    [share, done, room.connections(), room.idle(), room.timeouts()]
}

/// A pool whose workers all have a lease.
struct Room {
    pool: Pool<PoolVec>,
    now: Duration,
    workers: u32,
    leases: Vec<(ConnId, LeaseId, u64)>, // and the next nonce
    buf: Vec<u8>,
}

impl Room {
    fn new(workers: u32, nonces: u64) -> Self {
        let lease = NonZeroU64::new(nonces).expect("not 0");
        let config = PoolConfig::new(lease, Duration::from_secs(60));
        let limits = PoolLimits::for_connections(workers as usize + 8);
        let mut pool = Pool::new(config, PoolVec::new(limits)).expect("no timeout is 0");
        let job = Job {
            function: HashFunction::Sha256,
            order: ByteOrder::Big,
            message: b"shared among many: ________",
            nonce: NonceField { offset: 19, format: NonceFormat::U64Be },
            target: Target::from_zero_bits(255),
            share: Target::MAX,
        };
        pool.set_job(Duration::ZERO, &job, 0..=u64::MAX).expect("a job");
        let now = Duration::from_secs(1);
        let mut room = Self { pool, now, workers, leases: vec![], buf: vec![0; 256] };
        for worker in 0..workers {
            room.connect(worker);
            room.poll();
        }
        assert_eq!(room.leases.len(), workers as usize);
        room
    }

    fn connect(&mut self, worker: u32) {
        let id = WorkerId(u64::from(worker));
        self.now += Duration::from_millis(1);
        self.pool.handle_connected(self.now, ConnId(worker), id).expect("a slot");
    }

    /// Polls until nothing is due; keeps the leases.
    fn poll(&mut self) {
        while self.pool.poll_event().is_some() {}
        while let Some(sent) = self.pool.poll_transmit(&mut self.buf).expect("it fits") {
            let (message, _) = PoolMessage::decode(&self.buf[..sent.len]).expect("a message");
            if let PoolMessage::Lease(lease) = message {
                self.leases.push((sent.conn, lease.id, *lease.nonces.start()));
            }
        }
        while self.pool.poll_event().is_some() {}
        black_box(self.pool.poll_timeout());
    }

    fn send(&mut self, conn: ConnId, message: &PoolMessage<'_>) {
        let len = message.encode(&mut self.buf).expect("it fits");
        let bytes = &self.buf[..len];
        let received = self.pool.handle_bytes(self.now, conn, black_box(bytes));
        assert!(received.is_ok_and(|received| {
            received.consumed == len && !matches!(received.outcome, Some(Err(_)))
        }));
    }

    /// All workers in turn find shares.
    fn shares(&mut self) -> Duration {
        let start = Instant::now();
        for turn in 0..TIMES {
            let worker = (turn * 7_919 % self.workers) as usize;
            let (conn, lease, nonce) = self.leases[worker];
            self.leases[worker].2 += 1;
            self.now += Duration::from_millis(1);
            self.send(conn, &PoolMessage::Share { lease, nonce });
            self.poll();
        }
        start.elapsed() / TIMES
    }

    /// One worker finds all shares of a lease, and is done with it, again and again.
    fn done(&mut self) -> Duration {
        const TIMES: u32 = 500;
        let (conn, ..) = self.leases[self.leases.len() / 2];
        let mut total = Duration::ZERO;
        for _ in 0..TIMES {
            let at = self.leases.iter().rposition(|lease| lease.0 == conn).expect("its lease");
            let (conn, lease, first) = self.leases.swap_remove(at);
            for nonce in first..first + SHORT {
                self.send(conn, &PoolMessage::Share { lease, nonce });
            }
            self.poll();
            let start = Instant::now();
            self.send(conn, &PoolMessage::Done { lease });
            self.poll();
            total += start.elapsed();
        }
        total / TIMES
    }

    fn connections(&mut self) -> Duration {
        let start = Instant::now();
        for number in 0..TIMES {
            let worker = self.workers + number;
            self.connect(worker);
            self.poll();
            self.pool.handle_closed(self.now, ConnId(worker));
            self.poll();
        }
        start.elapsed() / TIMES
    }

    fn idle(&mut self) -> Duration {
        let start = Instant::now();
        (0..TIMES).for_each(|_| self.poll());
        start.elapsed() / TIMES
    }

    /// The leases expire one by one: no two were assigned, or had a share, in the same millisecond.
    fn timeouts(&mut self) -> Duration {
        let times = self.workers.min(TIMES) / 2;
        let mut total = Duration::ZERO;
        for _ in 0..times {
            self.now = self.pool.poll_timeout().expect("a lease expires");
            let start = Instant::now();
            self.pool.handle_timeout(self.now);
            self.poll();
            total += start.elapsed();
        }
        total / times
    }
}
