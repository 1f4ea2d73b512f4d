//! What a web seed does as time passes.

use core::time::Duration;

use super::inner::{Core, Exchange, View};

/// The timers of a web seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A response made no progress for [`WebSeedConfig::timeout`](super::WebSeedConfig::timeout): it is given up, and
    /// the web seed pauses.
    Response,
    /// The pause ends.
    Retry,
    /// Nothing was sent to the torrent for [`WebSeedConfig::keep_alive`](super::WebSeedConfig::keep_alive): a keepalive
    /// is due.
    KeepAlive,
}

impl Timer {
    const ALL: [Self; 3] = [Self::Response, Self::Retry, Self::KeepAlive];
}

impl Core {
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        Timer::ALL.into_iter().filter_map(|timer| self.deadline(timer)).min()
    }

    fn deadline(&self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Response if self.exchange != Exchange::Idle => {
                self.active_at.checked_add(self.config.timeout)
            }
            Timer::Retry => self.retry_at,
            Timer::KeepAlive if self.handshake_received && self.closed.is_none() => {
                let waits = self.due.keepalive;
                self.sent_at.checked_add(self.config.keep_alive).filter(|_| !waits)
            }
            Timer::Response | Timer::KeepAlive => None,
        }
    }
}

impl View<'_> {
    pub(super) fn timeout(&mut self, now: Duration) {
        self.core.advance_clock(now);
        for timer in Timer::ALL {
            if self.core.deadline(timer).is_some_and(|at| at <= self.core.now) {
                self.fire(timer);
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Response => {
                let asked = !self.core.due.get; // the caller knows of it
                self.core.due.abort = self.core.number_in_flight().filter(|_| asked);
                self.pause(None);
            }
            Timer::Retry => self.core.retry_at = None,
            Timer::KeepAlive => self.core.due.keepalive = true,
        }
    }
}
