//! The timers of a fetch.

use core::time::Duration;

use super::slot::{FetchSlot, Phase};
use super::state::Core;
use crate::id::ConnId;
use crate::torrent::CloseReason;

/// How long after the last message to a peer a keepalive is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// What a fetch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A peer was silent for [`FetchConfig::silence`](super::FetchConfig::silence): its connection is closed.
    Silence,
    /// The peer that was asked sent nothing for [`FetchConfig::patience`](super::FetchConfig::patience):
    /// another is asked.
    Answer,
    /// A peer that rejected a request, or was slow, may be asked again.
    Rest,
    /// Nothing was sent to a peer for two minutes: `poll_transmit` writes a keepalive.
    KeepAlive,
}

impl Timer {
    const ALL: [Self; 4] = [Self::Silence, Self::Answer, Self::Rest, Self::KeepAlive];
}

impl Core {
    /// Fires the expired timers; an older time counts as the newest seen.
    pub(super) fn timeout(&mut self, slots: &mut [FetchSlot], room: usize, now: Duration) {
        self.now = self.now.max(now);
        for timer in Timer::ALL {
            self.fire(slots, room, timer);
        }
    }

    /// Returns the first deadline to come.
    pub(super) fn next_deadline(&self, slots: &[FetchSlot]) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(slots, *timer)).min()
    }

    fn deadline(&self, slots: &[FetchSlot], timer: Timer) -> Option<Duration> {
        let live = slots.iter().filter(|slot| slot.is_live());
        let later = |at: &Duration| *at > self.now;
        match timer {
            Timer::Silence => {
                let ends = live.filter_map(|slot| slot.heard_at.checked_add(self.config.silence));
                ends.filter(later).min()
            }
            Timer::Answer => {
                let ends =
                    self.asked().filter_map(|(_, since)| since.checked_add(self.config.patience));
                ends.filter(later).min()
            }
            Timer::Rest => {
                let waits = self.asked().next().is_none();
                live.map(|slot| slot.rests_until).filter(|_| waits).filter(later).min()
            }
            Timer::KeepAlive => {
                let open = live.filter(|slot| slot.handshake_sent);
                let ends = open.filter_map(|slot| slot.sent_at.checked_add(KEEP_ALIVE));
                ends.filter(later).min()
            }
        }
    }

    /// Does what a timer is for, if it has expired.
    fn fire(&mut self, slots: &mut [FetchSlot], room: usize, timer: Timer) {
        match timer {
            Timer::Silence => self.close_silent(slots),
            Timer::Answer => {
                let slow = |(_, since): &(ConnId, Duration)| {
                    is_past(*since, self.config.patience, self.now)
                };
                let slow = self.asked().find(slow);
                if let Some((conn, _)) = slow {
                    self.rest(slots, conn);
                }
            }
            Timer::Rest => self.choose(slots, room),
            Timer::KeepAlive => {} // `is_keepalive_due` compares the times
        }
    }

    fn close_silent(&mut self, slots: &mut [FetchSlot]) {
        let silence = self.config.silence;
        let now = self.now;
        for slot in slots.iter_mut().filter(|slot| slot.is_live()) {
            if is_past(slot.heard_at, silence, now) {
                slot.phase = Phase::Closed(CloseReason::Silent);
                self.leave(slot.conn);
            }
        }
    }

    /// Returns the peers that were asked for something, and since when they owe it.
    fn asked(&self) -> impl Iterator<Item = (ConnId, Duration)> + '_ {
        let layer = self.layer.iter().filter(|layer| !layer.is_complete());
        let layer = layer.filter_map(|layer| Some((layer.source?, layer.since)));
        self.source.iter().map(|source| (source.conn, source.since)).chain(layer)
    }

    /// Returns whether a peer is to be sent a keepalive.
    pub(super) fn is_keepalive_due(&self, slot: &FetchSlot) -> bool {
        is_past(slot.sent_at, KEEP_ALIVE, self.now)
    }
}

fn is_past(since: Duration, span: Duration, now: Duration) -> bool {
    since.checked_add(span).is_some_and(|at| at <= now)
}
