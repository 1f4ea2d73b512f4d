//! The deadlines of a BFT engine.

use core::time::Duration;

use super::config::BftConfig;

/// Every timer of a BFT engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "all of them are documented")]
pub enum Timer {
    /// No proposal: prevote nil (line 57 of the paper).
    Propose,
    /// A quorum of different prevotes: precommit nil (line 61).
    Prevote,
    /// A quorum of different precommits: next round (line 65).
    Precommit,
    /// No decision: send the statements again.
    Resend,
}

impl Timer {
    /// Returns the timeout in a round.
    pub(super) fn timeout(self, config: &BftConfig, round: u32) -> Duration {
        let first = match self {
            Self::Propose => config.propose,
            Self::Prevote => config.prevote,
            Self::Precommit => config.precommit,
            Self::Resend => return config.resend,
        };
        first.saturating_add(config.growth.saturating_mul(round))
    }
}

/// The deadlines that are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Deadlines(pub(super) [Option<Duration>; 4]);

impl Deadlines {
    pub(super) fn set(&mut self, timer: Timer, at: Duration) {
        *self.of(timer) = Some(at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        *self.of(timer) = None;
    }

    /// Clears the timer and returns true if it has expired.
    pub(super) fn take_expired(&mut self, timer: Timer, now: Duration) -> bool {
        self.of(timer).take_if(|at| *at <= now).is_some()
    }

    /// Returns the earliest deadline after `now`.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        self.0.iter().flatten().copied().filter(|at| *at > now).min()
    }

    fn of(&mut self, timer: Timer) -> &mut Option<Duration> {
        let [propose, prevote, precommit, resend] = &mut self.0;
        match timer {
            Timer::Propose => propose,
            Timer::Prevote => prevote,
            Timer::Precommit => precommit,
            Timer::Resend => resend,
        }
    }
}
