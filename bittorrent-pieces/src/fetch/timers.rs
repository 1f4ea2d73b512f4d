//! The timers of a fetch.

use core::time::Duration;

use super::slot::{FetchSlot, Phase};
use super::state::{Core, live};
use crate::id::ConnId;
use crate::torrent::CloseReason;

/// How long after the last message to a peer a keepalive is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// A source that others could replace sends a piece in this part of the patience, on average.
const PACE: u32 = 8;
/// The most times that the patience with a slow peer doubles.
const MOST_DOUBLINGS: u8 = 5;

/// What a fetch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A peer was silent for [`FetchConfig::silence`](super::FetchConfig::silence): its connection is closed.
    Silence,
    /// The peer that was asked sent nothing for [`FetchConfig::patience`](super::FetchConfig::patience), or too little
    /// since it was chosen: another is asked, or the same again.
    Answer,
    /// A peer that rejected a request, or was slow, may be asked again.
    Rest,
    /// Nothing was sent to a peer for two minutes: `poll_transmit` writes a keepalive.
    KeepAlive,
}

/// A peer that was asked for something.
struct Asked {
    conn: ConnId,
    deadline: Option<Duration>, // it is too slow from here on
    others: bool,               // another is ready to be asked in its place
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
    pub(super) fn next_deadline(&self, slots: &[FetchSlot], room: usize) -> Option<Duration> {
        Timer::ALL.iter().filter_map(|timer| self.deadline(slots, room, *timer)).min()
    }

    fn deadline(&self, slots: &[FetchSlot], room: usize, timer: Timer) -> Option<Duration> {
        let live = slots.iter().filter(|slot| slot.is_live());
        let later = |at: &Duration| *at > self.now;
        match timer {
            Timer::Silence => {
                let ends = live.filter_map(|slot| slot.heard_at.checked_add(self.config.silence));
                ends.filter(later).min()
            }
            Timer::Answer => {
                let ends = self.asked(slots, room).filter_map(|asked| asked.deadline);
                ends.filter(later).min()
            }
            Timer::Rest => live.map(|slot| slot.rests_until).filter(later).min(),
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
            Timer::Answer => self.replace_slow(slots, room),
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

    /// Lets a peer that is too slow rest, if another is ready, or else asks it again for what it owes.
    pub(super) fn replace_slow(&mut self, slots: &mut [FetchSlot], room: usize) {
        let now = self.now;
        let late = |asked: &Asked| asked.deadline.is_some_and(|at| at <= now);
        let Some(Asked { conn, others, .. }) = self.asked(slots, room).find(late) else { return };
        if let Some(slot) = live(slots, conn) {
            slot.slow = slot.slow.saturating_add(1).min(MOST_DOUBLINGS);
        }
        if others {
            return self.rest(slots, conn);
        }
        if let Some(source) = self.source.as_mut().filter(|source| source.conn == conn) {
            source.asked = source.next;
            source.since = now;
        }
        if let Some(layer) = self.layer.as_mut().filter(|layer| layer.source == Some(conn)) {
            layer.asked = layer.next;
            layer.since = now;
        }
    }

    /// Returns the peers that were asked for something.
    fn asked(&self, slots: &[FetchSlot], room: usize) -> impl Iterator<Item = Asked> {
        let patience = |conn| {
            let slot = slots.iter().find(|slot| slot.conn == conn && slot.is_live());
            let doubled = 1_u32 << slot.map_or(0, |slot| slot.slow.min(MOST_DOUBLINGS));
            self.config.patience.saturating_mul(doubled)
        };
        let source = self.source.as_ref().map(|source| {
            let mut others = slots.iter().filter(|slot| slot.conn != source.conn);
            let others = others.any(|slot| slot.serves(room, self.now));
            let patience = patience(source.conn);
            let pieces = source.next.saturating_sub(source.first);
            let each = patience.checked_div(PACE).unwrap_or(patience);
            let pace = each.saturating_mul(pieces).saturating_add(patience);
            let paced = source.began.checked_add(pace).filter(|_| others);
            let deadline = source.since.checked_add(patience);
            Asked { conn: source.conn, deadline: paced.into_iter().chain(deadline).min(), others }
        });
        let layer = self.layer.as_ref().filter(|layer| !layer.is_complete());
        let layer = layer.and_then(|layer| {
            let conn = layer.source?;
            let mut others = slots.iter().filter(|slot| slot.conn != conn);
            let others = others.any(|slot| self.serves_layer(slot));
            Some(Asked { conn, deadline: layer.since.checked_add(patience(conn)), others })
        });
        source.into_iter().chain(layer)
    }

    /// Returns whether a peer is to be sent a keepalive.
    pub(super) fn is_keepalive_due(&self, slot: &FetchSlot) -> bool {
        is_past(slot.sent_at, KEEP_ALIVE, self.now)
    }
}

fn is_past(since: Duration, span: Duration, now: Duration) -> bool {
    since.checked_add(span).is_some_and(|at| at <= now)
}
