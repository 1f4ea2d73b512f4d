//! The connections of a servent: one slot each.

use core::time::Duration;

use super::{Config, Event, Reason, Role};
use crate::wire::ByeCode;
use crate::{Guid, LinkId, Via};

/// The serial number of a slot that was never used; also what own messages come by.
pub(super) const NEVER: u32 = u32::MAX;

/// Room for one connection: 72 bytes on a 64-bit host.
#[derive(Debug, Clone)]
pub struct LinkSlot {
    /// Names the connection for good: the index of the slot plus a multiple of their number.
    serial: u32,
    pub(super) link: Option<Link>,
}

/// What is known of a neighbour, and what is to be said to it.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) role: Role,
    pub(super) deadline: Option<Duration>, // when it has been silent for too long
    pub(super) asked: bool,                // a keep-alive ping is out
    pub(super) missed: u8,
    pub(super) ping_due: bool,
    pub(super) pong_due: Option<(Guid, u8)>, // with the TTL that it needs
    pub(super) leaving: Option<Leaving>,
    pub(super) faults: Faults,
}

/// A connection about to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) reason: Reason,
    pub(super) bye_due: bool,
}

/// What is to be said to a neighbour next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Bye(ByeCode),
    Pong(Guid, u8),
    Ping,
}

/// What a neighbour has done wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) received: u32, // right or wrong
    pub(super) repeats: u32,
    pub(super) ttl_zero: u8,
    pub(super) ttl_too_high: u8,
    pub(super) malformed: u8,
}

impl LinkSlot {
    /// No connection.
    pub const EMPTY: Self = Self { serial: NEVER, link: None };

    pub(super) fn via(&self) -> Via {
        Via(self.serial)
    }

    /// Returns the link unless it is about to end.
    pub(super) fn live(&self) -> Option<&Link> {
        self.link.as_ref().filter(|link| link.leaving.is_none())
    }

    /// Begins a connection under a number that no earlier one had.
    pub(super) fn open(&mut self, index: usize, slots: usize, link: Link) {
        let number = |n: usize| u32::try_from(n).unwrap_or(NEVER);
        let next = self.serial.checked_add(number(slots)).filter(|next| *next != NEVER);
        self.serial = next.unwrap_or(number(index));
        self.link = Some(link);
    }

    /// Ends a connection that has nothing more to say, and tells why.
    pub(super) fn take_event(&mut self) -> Option<Event> {
        let link = self.link.as_ref()?;
        let Leaving { reason, bye_due: false } = link.leaving? else { return None };
        let event = Event::Lost { link: link.id, reason };
        self.link = None;
        Some(event)
    }
}

impl Link {
    pub(super) fn new(id: LinkId, role: Role) -> Self {
        Self {
            id,
            role,
            deadline: None,
            asked: false,
            missed: 0,
            ping_due: false,
            pong_due: None,
            leaving: None,
            faults: Faults::default(),
        }
    }

    /// Traffic of any kind is a sign of life.
    pub(super) fn heard(&mut self, now: Duration, config: &Config) {
        (self.asked, self.missed, self.ping_due) = (false, 0, false);
        self.rearm(now, config);
    }

    /// Returns what is to be said next.
    pub(super) fn due(&self) -> Option<Due> {
        match self.leaving {
            Some(Leaving { reason: Reason::Dismissed(code), bye_due: true }) => {
                Some(Due::Bye(code))
            }
            Some(_) => None,
            None => self
                .pong_due
                .map(|(guid, ttl)| Due::Pong(guid, ttl))
                .or_else(|| self.ping_due.then_some(Due::Ping)),
        }
    }

    /// Takes note that it was said.
    pub(super) fn said(&mut self, due: Due) {
        match (due, &mut self.leaving) {
            (Due::Bye(_), Some(leaving)) => leaving.bye_due = false,
            (Due::Bye(_), None) => {}
            (Due::Pong(..), _) => self.pong_due = None,
            (Due::Ping, _) => (self.ping_due, self.asked) = (false, true),
        }
    }

    /// Asks a silent neighbour for a sign of life, or gives it up.
    pub(super) fn handle_timeout(&mut self, now: Duration, config: &Config) {
        if self.leaving.is_some() || self.deadline.is_none_or(|at| at > now) {
            return;
        }
        if self.asked && !self.ping_due {
            self.missed = self.missed.saturating_add(1);
        }
        if self.missed > 0 && self.missed >= config.misses {
            self.dismiss(ByeCode::NO_REPLY);
        } else {
            self.ping_due = true;
            self.rearm(now, config);
        }
    }

    fn rearm(&mut self, now: Duration, config: &Config) {
        self.deadline = now.checked_add(config.idle.max(Duration::from_millis(1)));
    }

    /// Says bye before the connection ends.
    pub(super) fn dismiss(&mut self, code: ByeCode) {
        self.leave(Leaving { reason: Reason::Dismissed(code), bye_due: true });
    }

    pub(super) fn leave(&mut self, leaving: Leaving) {
        if self.leaving.is_none() {
            self.leaving = Some(leaving);
        }
    }
}

/// Which slot a connection had, if any ever had that number.
pub(super) fn index_of(via: Via, slots: usize) -> Option<usize> {
    usize::try_from(via.0).ok()?.checked_rem(slots)
}
