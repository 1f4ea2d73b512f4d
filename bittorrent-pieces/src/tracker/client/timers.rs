//! The timers of a client.

use core::time::Duration;

use super::inner::{Connection, Core, Phase, UdpSlot};
use super::patience::LAST_TRY;

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A request was not answered: it is retransmitted, or has failed.
    Request,
    /// A connect request was not answered: it is retransmitted, or all requests that wait for it have failed.
    Connect,
}

impl Timer {
    const ALL: [Self; 2] = [Self::Request, Self::Connect];
}

impl<P> Core<P> {
    /// Advances the clock and fires what has expired; an older time counts as the newest seen.
    pub(super) fn advance_clock(&mut self, slots: &mut [UdpSlot], now: Duration) {
        self.now = self.now.max(now);
        for timer in Timer::ALL {
            if self.deadline(slots, timer).is_some_and(|at| at <= self.now) {
                self.fire(slots, timer);
            }
        }
        self.stop_connecting_if_idle(slots);
    }

    pub(super) fn next_deadline(&self, slots: &[UdpSlot]) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(slots, *timer)).min()
    }

    fn deadline(&self, slots: &[UdpSlot], timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Request => slots.iter().filter_map(UdpSlot::deadline).min(),
            Timer::Connect => match self.connection {
                Connection::Connecting { again, .. } => again,
                Connection::Idle | Connection::Connected { .. } => None,
            },
        }
    }

    fn fire(&mut self, slots: &mut [UdpSlot], timer: Timer) {
        match timer {
            Timer::Request => {
                let now = self.now;
                for slot in
                    slots.iter_mut().filter(|slot| slot.deadline().is_some_and(|at| at <= now))
                {
                    slot.expire(LAST_TRY);
                }
            }
            Timer::Connect => self.expire_connect(slots),
        }
    }

    fn expire_connect(&mut self, slots: &mut [UdpSlot]) {
        let Connection::Connecting { tries, again, .. } = &mut self.connection else { return };
        *again = None;
        if *tries > LAST_TRY {
            self.connection = Connection::Idle;
            for slot in slots.iter_mut().filter(|slot| slot.phase() == Some(Phase::Due)) {
                slot.set_phase(Phase::Failed);
            }
        }
    }
}
