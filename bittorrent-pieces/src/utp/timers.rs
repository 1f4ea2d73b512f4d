//! The timers of a connection.

use core::time::Duration;

use super::cursor::ConnMut;
use super::event::CloseReason;
use super::slot::{Connection, Phase};

/// How long a peer may have no room before one packet is sent all the same (libutp).
const NO_ROOM: Duration = Duration::from_secs(15);
/// A connection ends when nothing was acknowledged after this many timeouts in a row.
const TIMEOUTS: u8 = 6;
/// A SYN is sent this many times.
const SYNS: u8 = 4;
/// After this many timeouts in a row the path may carry only short datagrams.
const TIMEOUTS_OF_LENGTH: u8 = 2;

/// A path is too short when the oldest packet has waited this long, although the peer answers,
const STALLED: Duration = Duration::from_secs(15);
/// and was sent this many times.
const SENDS_OF_LENGTH: u8 = 4;

/// How long a connection that is being closed may take to send what was written.
const LINGER: Duration = Duration::from_secs(60);

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A SYN or a packet was not acknowledged: it is sent again, or the connection ends.
    Retransmit,
    /// The peer has had no room for 15 s: one packet is sent to learn whether it has.
    ZeroWindow,
    /// A connection was closed a minute ago, and the peer has not acknowledged all of it: it ends.
    Linger,
}

impl Timer {
    const ALL: [Self; 3] = [Self::Retransmit, Self::ZeroWindow, Self::Linger];
}

impl Connection {
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(*timer)).min()
    }

    fn deadline(&self, timer: Timer) -> Option<Duration> {
        if self.closed.is_some() {
            return None;
        }
        match timer {
            Timer::Retransmit => self.retransmit_at,
            Timer::ZeroWindow => {
                let waits = self.outgoing.unsent() > 0 && self.outgoing.packets() == 0;
                let since = self.outgoing.no_room_since.filter(|_| waits)?;
                since.checked_add(NO_ROOM)
            }
            Timer::Linger => self.outgoing.closing_since?.checked_add(LINGER),
        }
    }
}

impl ConnMut<'_> {
    pub(super) fn fire_expired(&mut self) {
        if self.conn.outgoing.closing {
            self.conn.outgoing.closing_since.get_or_insert(self.now); // `close` has no time
        }
        for timer in Timer::ALL {
            if self.conn.deadline(timer).is_some_and(|at| at <= self.now) {
                self.fire(timer);
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Retransmit => self.expire(),
            Timer::ZeroWindow => {
                self.conn.outgoing.no_room_since = None;
                self.conn.outgoing.peer_window = self.conn.mtu.payload();
            }
            Timer::Linger => self.close(CloseReason::TimedOut),
        }
    }

    fn expire(&mut self) {
        self.conn.timeouts = self.conn.timeouts.saturating_add(1);
        let is_open = self.conn.phase == Phase::Open;
        let limit = if is_open { TIMEOUTS } else { SYNS };
        if self.conn.timeouts >= limit {
            self.close(CloseReason::TimedOut);
            return;
        }
        self.conn.rtt.back_off();
        if !is_open {
            self.conn.phase = Phase::SynDue;
            self.conn.retransmit_at = None; // until it is sent
            return;
        }
        self.lose_all();
        if self.conn.timeouts == TIMEOUTS_OF_LENGTH {
            self.conn.mtu.restart();
        }
        self.conn.poke_due = self.conn.timeouts >= TIMEOUTS_OF_LENGTH && self.oldest_is_long();
        self.conn.retransmit_at = self.now.checked_add(self.conn.rtt.timeout());
    }

    /// Returns whether the oldest packet is longer than what every path carries.
    fn oldest_is_long(&self) -> bool {
        let oldest = self.packet(0).filter(|_| self.conn.outgoing.packets() > 0);
        oldest.is_some_and(|slot| usize::from(slot.len) > self.conn.mtu.least_payload())
    }

    /// Ends a connection whose peer answers, but does not receive our long packets.
    pub(super) fn close_if_path_is_too_short(&mut self) {
        let sends = self.packet(0).map_or(0, |slot| slot.sends);
        let stalled = self.now.saturating_sub(self.conn.stalled_since) >= STALLED;
        if stalled && sends >= SENDS_OF_LENGTH && self.oldest_is_long() {
            self.close(CloseReason::PathTooShort);
        }
    }
}
