//! Any bytes as messages of a pool, and any calls to a pool.

use core::num::NonZeroU64;
use core::time::Duration;

use pow::pool::{
    AccountSlot, ConnSlot, Job, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage, PoolSlots,
    Worker, WorkerId,
};
use pow::{ByteOrder, ConnId, DecodeError, HashFunction, NonceField, NonceFormat, Target};
use sim::laws::{self, Input, Machine, Outcome};

const MESSAGE: &[u8] = b"work for all: ____";
const NONCE: NonceField = NonceField { offset: 14, format: NonceFormat::U32Be };

/// A message decodes to what was encoded, and a worker withstands any bytes.
pub fn messages(bytes: &[u8]) {
    match PoolMessage::decode(bytes) {
        Ok((message, rest)) => {
            let mut out = vec![0; message.encoded_len()];
            assert_eq!(message.encode(&mut out), Ok(out.len()));
            assert_eq!([&out[..], rest].concat(), bytes);
            assert!(!message.to_string().contains('\n'));
            for len in 0..out.len() {
                let Err(DecodeError::Incomplete { needed }) = PoolMessage::decode(&out[..len])
                else {
                    panic!("a part of a message is not complete");
                };
                assert!(needed > 0 && len + needed <= out.len());
                assert!(message.encode(&mut vec![0; len]).is_err());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let mut worker = Worker::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let received = worker.handle_bytes(rest);
        if received.consumed == 0 {
            break;
        }
        rest = &rest[received.consumed..];
        let before = worker.tried();
        for _ in 0..4 {
            worker.step(40);
            let sent = worker.poll_transmit(&mut [0; 13]).expect("13 bytes are enough");
            assert!(sent.is_none_or(|len| len == 5 || len == 13));
        }
        assert!(worker.tried() - before <= 160);
        if worker.poll_event().is_some() {
            assert_eq!(worker.poll_event(), None, "reported once");
            assert_eq!(worker.handle_bytes(rest).consumed, rest.len(), "closed");
        }
    }
}

type Memory = PoolSlots<Vec<LeaseSlot>, Vec<ConnSlot>, Vec<AccountSlot>, Vec<u8>>;

struct Driven(Pool<Memory>);

/// The seven laws, for any capacity.
pub fn pool(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let storage = PoolSlots {
        leases: vec![LeaseSlot::EMPTY; input.below(4)],
        connections: vec![ConnSlot::EMPTY; input.below(4)],
        accounts: vec![AccountSlot::EMPTY; input.below(4)],
        message: vec![0; MESSAGE.len() * input.below(4).min(1)],
    };
    let lease = NonZeroU64::new(u64::from(input.byte()) + 1).expect("not 0");
    let lease_timeout = Duration::from_millis(1 + input.below(3) as u64 * 100);
    let mut config = PoolConfig::new(lease, lease_timeout);
    config.idle_timeout = Duration::from_millis(1 + input.below(4) as u64 * 100);
    let new = || Driven(Pool::new(config, storage.clone()).expect("no timeout is 0"));
    let rest = input.bytes(usize::MAX);
    laws::check(new, 60 + MESSAGE.len(), rest);
    laws::check_poll_order(new, 60 + MESSAGE.len(), rest);
}

impl Machine for Driven {
    fn call(&mut self, now: Duration, input: &mut Input<'_>) -> Outcome {
        let conn = ConnId(input.below(4) as u32);
        match input.below(8) {
            0 => {
                let first = u64::from(input.byte());
                let last = u64::from(input.byte()) * 16;
                let job = Job {
                    function: [HashFunction::Sha256, HashFunction::Sha256d][input.below(2)],
                    order: [ByteOrder::Big, ByteOrder::Little][input.below(2)],
                    message: MESSAGE,
                    nonce: NONCE,
                    target: Target::from_zero_bits(6),
                    share: Target::from_zero_bits(2),
                };
                Outcome::of(self.0.set_job(now, &job, first..=last))
            }
            1 | 2 => {
                let worker = WorkerId(input.below(4) as u64);
                Outcome::of(self.0.handle_connected(now, conn, worker))
            }
            3 => {
                self.0.handle_closed(now, conn);
                Outcome::Done(String::new())
            }
            4 => {
                self.0.handle_timeout(now);
                let reward = input.u64();
                let parts: Vec<(WorkerId, u64)> = self.0.split(reward).collect();
                let sum: u64 = parts.iter().map(|(_, part)| part).sum();
                assert!(parts.is_empty() || sum == reward);
                self.0.settle();
                Outcome::Done(format!("{parts:?}"))
            }
            5 => Outcome::of(self.0.handle_bytes(now, conn, input.bytes(13))),
            6 => {
                let lease = LeaseId(u32::from(input.byte()));
                self.message(now, conn, &PoolMessage::Done { lease })
            }
            _ => {
                let lease = LeaseId(input.below(8) as u32);
                let nonce = u64::from(input.byte());
                self.message(now, conn, &PoolMessage::Share { lease, nonce })
            }
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.0.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.0.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(String, usize)>, usize> {
        let transmit = self.0.poll_transmit(buf).map_err(|error| error.needed)?;
        Ok(transmit.map(|transmit| (transmit.conn.to_string(), transmit.len)))
    }

    fn poll_event(&mut self) -> Option<String> {
        self.0.poll_event().map(|event| format!("{event:?}"))
    }

    fn state(&self) -> String {
        format!("{:?}", self.0)
    }

    fn same_state(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Driven {
    fn message(&mut self, now: Duration, conn: ConnId, message: &PoolMessage<'_>) -> Outcome {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).expect("the length was asked for");
        Outcome::of(self.0.handle_bytes(now, conn, &bytes))
    }
}
