//! The deadlines of an FFG machine: every third of a slot.

use core::time::Duration;

use super::config::FfgConfig;

/// Every timer of an FFG machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "all of them are documented")]
pub enum Timer {
    /// The slot begins: the validator that was drawn proposes.
    Propose,
    /// A third of the slot is over: attest.
    Attest,
    /// Two thirds of the slot are over: send the attestation again. A datagram may be lost.
    Repeat,
}

/// A part of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) slot: u64,
    pub(super) timer: Timer,
}

impl FfgConfig {
    /// Returns the phase at a time, or `None` before the start.
    pub(super) fn phase_at(&self, now: Duration) -> Option<Phase> {
        let thirds = self.thirds_until(now)?;
        let timer = match thirds.checked_rem(3) {
            Some(0) => Timer::Propose,
            Some(1) => Timer::Attest,
            _ => Timer::Repeat,
        };
        let slot = thirds.checked_div(3).unwrap_or(0);
        Some(Phase { slot: u64::try_from(slot).unwrap_or(u64::MAX), timer })
    }

    /// Returns when the phase after `now` begins.
    pub(super) fn next_phase(&self, now: Duration) -> Option<Duration> {
        let Some(thirds) = self.thirds_until(now) else { return Some(self.start) };
        // Rounded up, so that the phase has begun at its deadline.
        let passed = thirds.checked_add(1)?.checked_mul(self.slot.as_nanos())?.div_ceil(3);
        let seconds = passed.checked_div(NANOS)?;
        let nanos = passed.checked_rem(NANOS)?;
        let passed = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?);
        self.start.checked_add(passed)
    }

    fn thirds_until(&self, now: Duration) -> Option<u128> {
        let passed = now.checked_sub(self.start)?.as_nanos();
        passed.checked_mul(3)?.checked_div(self.slot.as_nanos())
    }
}

const NANOS: u128 = 1_000_000_000;
