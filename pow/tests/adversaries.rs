//! A pool of which 30 % of the workers lie: it finishes its job, pays nothing twice and skips nothing.

use core::num::NonZeroU64;
use core::time::Duration;
use std::collections::BTreeSet;

use pow::pool::{
    AccountSlot, ConnSlot, Event, Job, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage,
    PoolSlots, Transmit, Worker, WorkerId,
};
use pow::{BigEndian, ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Puzzle, Target};
use sim::Rng;

const MESSAGE: &[u8] = b"seventy honest in a hundred: ____";
const NONCE: NonceField = NonceField { offset: 29, format: NonceFormat::U32Be };
const LAST: u64 = 8000;
const WORKERS: usize = 10;
const SEEDS: u64 = 1000;

type Slots = PoolSlots<[LeaseSlot; 64], [ConnSlot; WORKERS], [AccountSlot; 24], [u8; 64]>;

const STORAGE: Slots = PoolSlots {
    leases: [LeaseSlot::EMPTY; 64],
    connections: [ConnSlot::EMPTY; WORKERS],
    accounts: [AccountSlot::EMPTY; 24],
    message: [0; 64],
};

fn job() -> Job<'static> {
    Job {
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        message: MESSAGE,
        nonce: NONCE,
        target: Target::from_zero_bits(10),
        share: Target::from_zero_bits(4),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Honest,
    /// Reports every lease done at once.
    Idler,
    /// Claims the shares of others, under its own lease and theirs.
    Thief,
    /// Holds its lease and says nothing.
    Holder,
    /// Sends shares and reports of leases that it invents.
    Flooder,
}

const LIES: [Role; 4] = [Role::Idler, Role::Thief, Role::Holder, Role::Flooder];

struct Member {
    role: Role,
    worker: Worker,
    account: u64,
    lease: Option<LeaseId>,
}

struct Game {
    seed: u64,
    rng: Rng,
    now: Duration,
    pool: Pool<Slots>,
    members: Vec<Member>,
    paid: BTreeSet<u64>,
    latest: Vec<(LeaseId, u64)>, // shares of others, for the thief
    accounts: u64,
}

impl Game {
    fn new(seed: u64) -> Self {
        let lease = NonZeroU64::new(512).expect("not 0");
        let config = PoolConfig::new(lease, Duration::from_secs(5));
        let mut pool = Pool::new(config, STORAGE).expect("a configuration");
        pool.set_job(Duration::ZERO, &job(), 0..=LAST).expect("a job");
        let mut rng = Rng::new(seed);
        let mut roles = [Role::Honest; WORKERS];
        for role in &mut roles[..3] {
            *role = LIES[rng.below(4) as usize];
        }
        rng.shuffle(&mut roles);
        let members = roles.into_iter().enumerate().map(|(n, role)| {
            let conn = ConnId(n as u32);
            let account = n as u64;
            pool.handle_connected(Duration::ZERO, conn, WorkerId(account)).expect("a slot");
            Member { role, worker: Worker::new(), account, lease: None }
        });
        let members = members.collect();
        let accounts = WORKERS as u64;
        let paid = BTreeSet::new();
        let latest = Vec::new();
        Self { seed, rng, now: Duration::ZERO, pool, members, paid, latest, accounts }
    }

    fn send(&mut self, from: usize, message: &PoolMessage<'_>) {
        let mut bytes = [0; 13];
        let len = message.encode(&mut bytes).expect("13 bytes");
        let Ok(received) = self.pool.handle_bytes(self.now, ConnId(from as u32), &bytes[..len])
        else {
            return; // closed
        };
        let PoolMessage::Share { lease, nonce } = *message else { return };
        if let Some(Ok(share)) = received.outcome {
            assert_eq!(share.nonce, nonce);
            assert!(self.paid.insert(nonce), "seed {}: {nonce} paid twice", self.seed);
            self.latest.push((lease, nonce));
        }
    }

    /// One member does what its role does in a tenth of a second.
    fn act(&mut self, at: usize) {
        let lease = self.members[at].lease;
        match self.members[at].role {
            Role::Honest => {
                self.members[at].worker.step(100);
                let mut buf = [0; 13];
                let len = self.members[at].worker.poll_transmit(&mut buf).expect("13 bytes");
                if let Some(len) = len {
                    let (message, _) = PoolMessage::decode(&buf[..len]).expect("a message");
                    self.send(at, &message);
                }
            }
            Role::Idler => {
                if let Some(lease) = lease {
                    self.send(at, &PoolMessage::Done { lease });
                }
            }
            Role::Thief => {
                for (theirs, nonce) in self.latest.clone().into_iter().rev().take(3) {
                    for lease in lease.into_iter().chain([theirs]) {
                        self.send(at, &PoolMessage::Share { lease, nonce });
                    }
                }
            }
            Role::Holder => {}
            Role::Flooder => {
                for _ in 0..20 {
                    let lease = LeaseId(self.rng.below(40) as u32);
                    let nonce = self.rng.below(LAST + 10);
                    self.send(at, &PoolMessage::Share { lease, nonce });
                    self.send(at, &PoolMessage::Done { lease });
                }
            }
        }
    }

    fn deliver(&mut self, transmit: Transmit, bytes: &[u8]) {
        let member = &mut self.members[transmit.conn.0 as usize];
        let received = member.worker.handle_bytes(bytes);
        assert_eq!(received.consumed, bytes.len());
        member.lease = received.outcome.or(member.lease);
    }

    /// Takes messages and events, and returns whether the job is finished.
    fn poll(&mut self) -> bool {
        let mut buf = [0; 128];
        loop {
            while let Some(transmit) = self.pool.poll_transmit(&mut buf).expect("long enough") {
                self.deliver(transmit, &buf[..transmit.len]);
            }
            match self.pool.poll_event() {
                None => return false,
                Some(Event::Exhausted) => return true,
                Some(Event::Closed { conn, .. }) => self.reconnect(conn),
                Some(_) => {}
            }
        }
    }

    /// A liar that was closed comes again under another name.
    fn reconnect(&mut self, conn: ConnId) {
        let seed = self.seed;
        let member = &mut self.members[conn.0 as usize];
        assert_ne!(member.role, Role::Honest, "seed {seed}: an honest worker was closed");
        self.accounts += 1;
        let account = self.accounts;
        *member = Member { account, worker: Worker::new(), lease: None, ..*member };
        let worker = WorkerId(member.account);
        self.pool.handle_connected(self.now, conn, worker).expect("its slot was free");
    }

    /// Returns the number of steps that the job took.
    fn play(mut self, expected: &BTreeSet<u64>) -> u32 {
        for step in 1..20_000 {
            self.now += Duration::from_millis(100);
            if self.pool.poll_timeout().is_some_and(|at| at <= self.now) {
                self.pool.handle_timeout(self.now);
            }
            for at in 0..WORKERS {
                self.act(at);
            }
            if self.poll() {
                let skipped: Vec<_> = expected.difference(&self.paid).collect();
                assert!(skipped.is_empty(), "seed {}: skipped {skipped:?}", self.seed);
                assert_eq!(self.paid.len(), expected.len());
                let credit: u64 = self.pool.accounts().map(|account| account.credit).sum();
                assert_eq!(credit, 16 * expected.len() as u64, "seed {}", self.seed);
                return step;
            }
        }
        panic!("seed {}: the job was not finished", self.seed);
    }
}

#[test]
fn a_job_is_finished_correctly_though_three_of_ten_workers_lie() {
    let puzzle = Puzzle::new(HashFunction::Sha256, MESSAGE, NONCE).expect("a puzzle");
    let is_share = |nonce: &u64| job().share.is_met_by::<BigEndian>(&puzzle.digest(*nonce));
    let expected: BTreeSet<u64> = (0..=LAST).filter(is_share).collect();
    let steps: u32 = (0..SEEDS).map(|seed| Game::new(seed).play(&expected)).sum();
    println!("{} steps on average", steps / SEEDS as u32);
}
