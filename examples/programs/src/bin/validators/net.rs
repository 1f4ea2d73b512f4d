//! Datagrams in virtual time, with a partition into two halves.

use core::ops::Range;
use core::time::Duration;
use std::collections::BTreeMap;

use sim::Rng;

/// The greatest delay of a datagram.
pub const DELAY: Duration = Duration::from_millis(100);

/// Why nothing happens any more.
pub const SILENCE: &str = "all validators are silent";

/// A datagram that arrives.
pub struct Arrival {
    pub from: usize,
    pub to: usize,
    pub bytes: Vec<u8>,
}

/// The datagrams under way, in the order of arrival.
pub struct Net {
    rng: Rng,
    sent: u64,
    queue: BTreeMap<(Duration, u64), Arrival>,
    /// Between these times the even and the odd validators do not reach each other.
    partition: Range<Duration>,
}

impl Net {
    pub fn new(seed: u64, partition: Range<Duration>) -> Self {
        Self { rng: Rng::new(seed), sent: 0, queue: BTreeMap::new(), partition }
    }

    pub fn send(&mut self, now: Duration, from: usize, to: usize, bytes: &[u8]) {
        let is_cut = self.partition.contains(&now) && from % 2 != to % 2;
        if from == to || is_cut {
            return;
        }
        let delay = DELAY / 10 + DELAY * self.rng.below(90) as u32 / 100;
        self.sent += 1;
        self.queue.insert((now + delay, self.sent), Arrival { from, to, bytes: bytes.to_vec() });
    }

    /// Returns when the next datagram arrives.
    pub fn next_at(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next datagram that has arrived by `now`.
    pub fn next(&mut self, now: Duration) -> Option<Arrival> {
        let is_due = self.next_at().is_some_and(|at| at <= now);
        if is_due { self.queue.pop_first().map(|(_, arrival)| arrival) } else { None }
    }
}
