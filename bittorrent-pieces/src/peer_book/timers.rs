//! The timers of a book.

use core::time::Duration;

use super::event::Ending;
use super::inner::{Core, View};
use super::slots::{Conn, ConnSlot, Entry, KINDS, Kind, Phase};
use crate::id::ConnId;
use crate::rng::mix;

/// What a book waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A peer may be dialled: one is chosen.
    Dial,
    /// A dial took longer than [`PeerBookConfig::dial_timeout`](super::PeerBookConfig::dial_timeout): it failed.
    DialTimeout,
    /// A hungry torrent asks for more addresses.
    Ask,
}

impl Timer {
    const ALL: [Self; 3] = [Self::DialTimeout, Self::Dial, Self::Ask];
}

/// A peer to dial, or when there may be one.
enum Choice {
    Dial(usize),
    Later(Option<Duration>),
}

impl Core {
    pub(super) fn next_deadline(&self, conns: &[ConnSlot]) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(conns, *timer)).min()
    }

    fn deadline(&self, conns: &[ConnSlot], timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Dial => self.dial_at,
            Timer::DialTimeout => {
                let dials = conns.iter().filter_map(|slot| slot.0).filter(Conn::is_dialling);
                dials.filter_map(|dial| dial.since.checked_add(self.config.dial_timeout)).min()
            }
            Timer::Ask => self.ask.at.filter(|_| !self.ask.due && self.is_hungry(conns)),
        }
    }

    /// Returns whether the torrent needs more peers.
    pub(super) fn is_hungry(&self, conns: &[ConnSlot]) -> bool {
        let open = conns.iter().filter_map(|slot| slot.0.as_ref());
        let open = open.filter(|conn| conn.phase == Phase::Open).count();
        !self.complete && open < usize::from(self.config.wanted)
    }

    /// A peer that sent blocks was lost: the next request for addresses comes sooner.
    pub(super) fn ask_soon(&mut self) {
        let wait = self.config.ask;
        let since = match self.ask.asked_at {
            Some(asked_at) => asked_at.checked_add(wait),
            None => Some(self.now),
        };
        self.ask.wait = wait;
        let sooner = since.map(|at| at.max(self.now));
        self.ask.at = [self.ask.at, sooner].into_iter().flatten().min();
    }
}

impl View<'_> {
    pub(super) fn timeout(&mut self, now: Duration) {
        self.core.advance_clock(now);
        for timer in Timer::ALL {
            let deadline = self.core.deadline(self.parts.conns, timer);
            if deadline.is_some_and(|at| at <= self.core.now) {
                self.fire(timer);
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Dial => self.dial(),
            Timer::DialTimeout => self.fail_late_dials(),
            Timer::Ask => {
                let now = self.core.now;
                let wait = self.core.ask.wait;
                self.core.ask.due = true;
                self.core.ask.asked_at = Some(now);
                self.core.ask.at = now.checked_add(wait);
                self.core.ask.wait = wait.saturating_mul(2).min(self.core.config.max_ask).max(wait);
            }
        }
    }

    fn fail_late_dials(&mut self) {
        let now = self.core.now;
        let span = self.core.config.dial_timeout;
        for index in 0..self.parts.conns.len() {
            let slot = self.parts.conns.get_mut(index).map(|slot| &mut slot.0);
            let late = slot.and_then(|slot| {
                slot.take_if(|dial| {
                    let end = dial.since.checked_add(span);
                    dial.is_dialling() && end.is_some_and(|end| end <= now)
                })
            });
            if let Some(dial) = late {
                self.release(&dial, Ending::Lost);
            }
        }
    }

    /// Chooses one peer to dial, and when to look for the next.
    fn dial(&mut self) {
        self.core.dial_at = None;
        let free = self.parts.conns.iter().position(|slot| slot.0.is_none());
        let Some(free) = free.filter(|_| self.may_dial()) else { return };
        let index = match self.choose() {
            Choice::Dial(index) => index,
            Choice::Later(at) => {
                self.core.dial_at = at;
                return;
            }
        };
        let now = self.core.now;
        self.core.dialled_at = Some(now);
        self.core.wake_dialler();
        let Some(addr) = self.entry_at(index).map(|entry| entry.addr) else { return };
        let over = self.limit_reached(addr).is_some();
        let retry = self.core.config.retry;
        let Some(entry) = self.entry_at(index) else { return };
        if over {
            entry.dial_at = now.saturating_add(retry);
            return;
        }
        entry.in_use = true;
        entry.tried_at = now;
        let dial = Conn::new(Phase::DialDue, ConnId(0), addr, now);
        if let Some(slot) = self.parts.conns.get_mut(free) {
            slot.0 = Some(Conn { listens: Some(addr.port()), ..dial });
        }
    }

    fn entry_at(&mut self, index: usize) -> Option<&mut Entry> {
        self.parts.addresses.get_mut(index)?.0.as_mut()
    }

    fn may_dial(&self) -> bool {
        let config = &self.core.config;
        let dials = self.live().filter(|conn| conn.is_dialling()).count();
        dials < usize::from(config.dials) && self.live().count() < usize::from(config.dialled)
    }

    /// Chooses the address to dial: the kinds of sources take turns. Of a kind, the address with the fewest failures
    /// goes first; among these, in half of the draws, the one with the highest priority (BEP 40), which a sender of
    /// addresses could aim at, and in the other half a random one.
    fn choose(&mut self) -> Choice {
        let now = self.core.now;
        let complete = self.core.complete;
        let salt = self.core.rng.next_u64();
        let mut best: [Option<(usize, (u8, u64))>; KINDS] = [None; KINDS];
        let mut later: Option<Duration> = None;
        for (index, slot) in self.parts.addresses.iter().enumerate() {
            let Some(entry) = slot.0.as_ref().filter(|entry| entry.may_be_dialled(complete)) else {
                continue;
            };
            if entry.dial_at > now {
                later = Some(later.unwrap_or(Duration::MAX).min(entry.dial_at));
                continue;
            }
            let rank = (entry.failures, entry.rank(salt));
            if let Some(best) = best.get_mut(entry.kind.index())
                && best.is_none_or(|(_, before)| rank < before)
            {
                *best = Some((index, rank));
            }
        }
        let kinds = (0..KINDS)
            .filter_map(|step| self.core.next_kind.saturating_add(step).checked_rem(KINDS));
        for kind in kinds {
            if let Some((index, _)) = best.get(kind).copied().flatten() {
                self.core.next_kind = kind.saturating_add(1);
                return Choice::Dial(index);
            }
        }
        Choice::Later(later)
    }
}

impl Entry {
    /// Returns whether the address is free to be dialled at some time; two seeds do not need each other.
    const fn may_be_dialled(&self, complete: bool) -> bool {
        !(self.in_use || complete && self.seed)
    }

    /// Returns the order among addresses with the same number of failures, for one draw. The lowest goes first.
    fn rank(&self, salt: u64) -> u64 {
        let priority = u64::from(self.priority);
        if salt & 1 == 0 { !priority } else { mix(priority ^ salt) }
    }
}

const _: () = assert!(Kind::ALL.len() == KINDS, "a place for each kind");
