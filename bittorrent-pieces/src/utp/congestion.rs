//! How many bytes may be in flight: LEDBAT (RFC 6817), with the constants of libutp.

use core::time::Duration;

/// The queuing delay that is aimed for, in microseconds.
const TARGET: u32 = 100_000;
/// The growth of the window in one round trip, in bytes.
const GAIN: i64 = 3_000;
/// The least window in bytes. One packet may be in flight in any case.
const LEAST: u32 = 10;
/// The largest window in bytes.
const MOST: u32 = 1 << 24;
/// How long a slot of the base delay covers, in seconds.
const SLOT_SECS: u64 = 60;
/// The number of slots of the base delay.
const SLOTS: usize = 13;
/// Below this share of [`TARGET`] slow start goes on.
const SLOW_START_DELAY: u32 = TARGET / 10 * 9;

/// The congestion window of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Congestion {
    pub(super) window: Window,
    base: BaseDelay,
    recent: [u32; 3], // delays; the least one counts
}

/// The window and what it remembers of earlier losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) bytes: u32,
    threshold: u32,
    slow_start: bool,
}

/// An acknowledgement, as the window sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Acked {
    /// Bytes that were not acknowledged before.
    pub(super) bytes: u32,
    /// The payload of a full packet.
    pub(super) packet: u32,
    /// The queuing delay in microseconds.
    pub(super) delay: u32,
    /// Whether the window is what limits the sender.
    pub(super) limited: bool,
}

impl Congestion {
    pub(super) const fn new(packet: u32) -> Self {
        Self {
            window: Window { bytes: packet, threshold: MOST, slow_start: true },
            base: BaseDelay::EMPTY,
            recent: [u32::MAX; 3],
        }
    }

    /// Handles a delay that the peer has measured; returns the queuing delay.
    pub(super) fn delay(&mut self, now: Duration, sample: u32) -> u32 {
        let delay = self.base.delay(now, sample);
        let [_, second, third] = self.recent;
        self.recent = [second, third, delay];
        self.recent.iter().copied().min().unwrap_or(delay)
    }
}

impl Window {
    pub(super) fn acked(&mut self, acked: Acked) {
        let growth = self.growth(acked);
        let grown = i64::from(self.bytes).saturating_add(growth);
        let grown = u32::try_from(grown.max(i64::from(LEAST))).unwrap_or(MOST).min(MOST);
        if !self.slow_start {
            self.bytes = grown;
            return;
        }
        let share = u64::from(acked.packet).saturating_mul(u64::from(acked.bytes.min(self.bytes)));
        let doubled = share.checked_div(u64::from(acked.bytes.max(self.bytes))).unwrap_or(0);
        let doubled = u32::try_from(doubled).unwrap_or(MOST).saturating_add(self.bytes);
        if doubled > self.threshold {
            self.slow_start = false;
        } else if acked.delay > SLOW_START_DELAY {
            self.slow_start = false;
            self.threshold = self.bytes;
        } else if acked.limited {
            self.bytes = doubled.max(grown);
        }
    }

    /// Returns by how many bytes the delay changes the window.
    fn growth(&self, acked: Acked) -> i64 {
        let few = i64::from(acked.bytes.min(self.bytes));
        let many = i64::from(acked.bytes.max(self.bytes)).max(1);
        let off_target = i64::from(TARGET).saturating_sub(i64::from(acked.delay));
        let change = GAIN.saturating_mul(few).saturating_mul(off_target);
        let change = change.checked_div(many.saturating_mul(i64::from(TARGET))).unwrap_or(0);
        if acked.limited { change } else { change.min(0) }
    }

    /// A packet was lost: halves the window.
    pub(super) fn lost(&mut self, packet: u32) {
        self.bytes = (self.bytes / 2).max(packet);
        self.threshold = self.bytes;
        self.slow_start = false;
    }

    /// Nothing was acknowledged in time: starts again with one packet.
    pub(super) fn timed_out(&mut self, packet: u32) {
        self.threshold = (self.bytes / 2).max(packet.saturating_mul(2));
        self.bytes = packet;
        self.slow_start = true;
    }
}

/// The least delay of the last minutes. Delays contain the unknown difference of two clocks, and wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BaseDelay {
    slots: [Option<u32>; SLOTS], // the newest first
    since: Duration,
}

impl BaseDelay {
    const EMPTY: Self = Self { slots: [None; SLOTS], since: Duration::ZERO };

    /// Handles a sample; returns how much it exceeds the base.
    fn delay(&mut self, now: Duration, sample: u32) -> u32 {
        if self.slots.iter().all(Option::is_none) {
            self.since = now;
        }
        let passed = now.saturating_sub(self.since).as_secs() / SLOT_SECS;
        if passed > 0 {
            let steps = usize::try_from(passed).unwrap_or(SLOTS).min(SLOTS);
            self.slots.rotate_right(steps % SLOTS);
            self.slots.iter_mut().take(steps).for_each(|slot| *slot = None);
            self.since = now;
        }
        let [newest, ..] = &mut self.slots;
        *newest = Some(newest.map_or(sample, |known| least(known, sample)));
        let base = self.slots.iter().copied().flatten().reduce(least).unwrap_or(sample);
        sample.wrapping_sub(base)
    }
}

/// Returns the lesser of two delays that wrap around.
const fn least(one: u32, other: u32) -> u32 {
    if one.wrapping_sub(other) < 1 << 31 { other } else { one }
}

#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a malformed table fails the test"
)]
mod tests {
    use super::*;
    use crate::utp::vectors::rows;

    /// The steps of the window that libutp makes.
    #[test]
    fn the_window_steps_as_that_of_libutp() {
        let mut steps = 0;
        for row in rows("libutp_step") {
            let number = |at: usize| row[at].parse::<u32>().expect("a number");
            let mut window =
                Window { bytes: number(1), slow_start: row[4] == "true", threshold: number(5) };
            window.acked(Acked {
                bytes: number(2),
                packet: 1_382,
                delay: number(3),
                limited: row[6] == "true",
            });
            let slow_start = row[8] == "true";
            assert_eq!(window, Window { bytes: number(7), slow_start, threshold: number(9) });
            steps += 1;
        }
        assert_eq!(steps, 10);
    }

    /// Slow start goes on up to the threshold (RFC 5681, section 3.1) and ends above it.
    #[test]
    fn slow_start_ends_above_the_threshold() {
        for (threshold, slow_start) in [(4_000, true), (3_999, false)] {
            let mut window = Window { bytes: 3_000, slow_start: true, threshold };
            window.acked(Acked { bytes: 3_000, packet: 1_000, delay: 0, limited: true });
            assert_eq!(window.slow_start, slow_start, "{threshold}");
        }
    }

    #[test]
    fn the_base_delay_is_the_least_and_wraps_around() {
        for row in rows("base_delay") {
            let (samples, delays) = row[1..].split_at(row.len() / 2);
            let mut base = BaseDelay::EMPTY;
            for (sample, delay) in samples.iter().zip(delays) {
                let found = base.delay(Duration::ZERO, sample.parse().expect("a number"));
                assert_eq!(found, delay.parse::<u32>().expect("a number"));
            }
        }
    }

    #[test]
    fn the_base_delay_is_forgotten_after_13_minutes() {
        let mut base = BaseDelay::EMPTY;
        base.delay(Duration::ZERO, 100);
        assert_eq!(base.delay(Duration::from_secs(12 * 60 + 59), 500), 400);
        assert_eq!(base.delay(Duration::from_secs(40 * 60), 500), 0);
    }

    /// The least of the last three samples counts: one slow packet is not a queue.
    #[test]
    fn three_slow_packets_are_a_queue() {
        let mut congestion = Congestion::new(528);
        let delays = [1_000, 401_000, 301_000, 501_000, 1_000, 401_000, 401_000, 401_000]
            .map(|sample| congestion.delay(Duration::ZERO, sample));
        assert_eq!(delays, [0, 0, 0, 300_000, 0, 0, 0, 400_000]);
    }

    /// A loss halves the window, and a timeout begins again with one packet (RFC 6817, section 2.4.2). The least window
    /// after a loss is one packet, where the RFC has two. Slow start ends at half of the window, but at no less than two
    /// packets (RFC 5681, section 3.1).
    #[test]
    fn a_loss_halves_the_window_and_a_timeout_begins_again() {
        for (bytes, halved) in [(10_000, 5_000), (2_000, 1_000), (1_998, 1_000)] {
            let mut window = Window { bytes, threshold: MOST, slow_start: true };
            window.lost(1_000);
            assert_eq!(window, Window { bytes: halved, threshold: halved, slow_start: false });
        }
        for (bytes, threshold) in [(10_000, 5_000), (4_000, 2_000), (3_000, 2_000)] {
            let mut window = Window { bytes, threshold: MOST, slow_start: false };
            window.timed_out(1_000);
            assert_eq!(window, Window { bytes: 1_000, threshold, slow_start: true });
        }
    }

    /// The window stays between 10 bytes and 16 MiB, and a queue shrinks it also where it does not limit the sender.
    #[test]
    fn the_window_has_bounds() {
        let step = |bytes, acked, delay, limited| {
            let mut window = Window { bytes, threshold: MOST, slow_start: false };
            window.acked(Acked { bytes: acked, packet: 1_000, delay, limited });
            window.bytes
        };
        assert_eq!(step(MOST, 1_000_000, 0, true), 1 << 24);
        assert_eq!(step(MOST - 100, MOST, 0, true), 1 << 24);
        assert_eq!(step(1_000, 1_000, 900_000, true), 10);
        assert_eq!(step(10_000, 10_000, 200_000, false), 7_000);
        assert_eq!(step(10_000, 5_000, 150_000, false), 9_250);
        assert_eq!(step(10_000, 10_000, 0, false), 10_000);
        assert_eq!(step(10_000, 20_000, 0, true), 11_500, "half of what was acknowledged");
    }

    /// Slow start doubles the window in a round trip at most, and goes on up to 90 ms of queuing delay.
    #[test]
    fn slow_start_ends_in_a_queue() {
        for (delay, expected) in [
            (90_000, Window { bytes: 21_000, threshold: MOST, slow_start: true }),
            (90_001, Window { bytes: 20_000, threshold: 20_000, slow_start: false }),
        ] {
            let mut window = Window { bytes: 20_000, threshold: MOST, slow_start: true };
            window.acked(Acked { bytes: 20_000, packet: 1_000, delay, limited: true });
            assert_eq!(window, expected, "{delay}");
        }
        // The step of a packet is larger than that of the delay here, and half of it is acknowledged.
        let mut window = Window { bytes: 20_000, threshold: MOST, slow_start: true };
        window.acked(Acked { bytes: 10_000, packet: 8_000, delay: 0, limited: true });
        assert_eq!(window.bytes, 24_000);
    }

    /// A slot covers a minute; the least of 13 counts, and they move one by one.
    #[test]
    fn the_base_delay_moves_minute_by_minute() {
        let mut base = BaseDelay::EMPTY;
        let mut delay = |secs, sample| base.delay(Duration::from_secs(secs), sample);
        assert_eq!(delay(1_000, 100), 0, "the first slot begins with the first sample");
        assert_eq!(delay(1_059, 300), 200);
        assert_eq!(delay(1_060, 200), 100, "in a slot of its own");
        for minute in 2..=12 {
            assert_eq!(delay(1_000 + 60 * minute, 500), 400, "{minute}");
        }
        assert_eq!(delay(1_000 + 60 * 13, 500), 300, "that of the second minute");
        assert_eq!(delay(1_000 + 60 * 14, 500), 0);
    }
}
