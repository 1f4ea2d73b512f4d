//! The timers.

use core::time::Duration;

use super::blocks::BlockRequest;
use super::config::{GossipConfig, Timer};
use super::inner::{Inner, InnerMut};
use super::moment::Moment;
use super::peer::{PeerSlot, Phase, Sync};
use super::storage::GossipPartsRef;
use super::transactions::TransactionsRef;
use super::types::CloseReason;

impl Timer {
    const ALL: [Self; 7] = [
        Self::Hello,
        Self::Silence,
        Self::KeepAlive,
        Self::Headers,
        Self::Block,
        Self::Transaction,
        Self::Snapshot,
    ];
}

impl Inner {
    /// Returns when the next timer fires. What is due already has no deadline: it is polled.
    pub(super) fn next_deadline(&self, parts: &GossipPartsRef<'_>) -> Option<Duration> {
        let deadlines = Timer::ALL.into_iter().filter_map(|timer| self.deadline(timer, parts));
        deadlines.min()
    }

    fn deadline(&self, timer: Timer, parts: &GossipPartsRef<'_>) -> Option<Duration> {
        let config = &self.config;
        let later = |at: &Duration| *at > self.now;
        match timer {
            Timer::Block => {
                let blocks = parts.blocks.iter();
                let at = blocks.filter_map(|request| match request.asking.asked {
                    Some(_) => request.deadline(config, parts.peers, parts.blocks),
                    None => request.retry_at,
                });
                at.filter(later).min()
            }
            Timer::Snapshot => {
                let at = self.chunk.and_then(|chunk| chunk.deadline(config.request_timeout));
                at.filter(later)
            }
            Timer::Transaction => {
                let table = TransactionsRef::new(&self.transactions, parts.transactions);
                let requests = table.deadlines(config.request_timeout);
                let last = self.transactions.last;
                let peers = parts.peers.iter().filter(|peer| peer.is_open());
                let announcements = peers.clone().filter(|peer| peer.announced != last);
                let announcements = announcements.map(|peer| peer.announce_at.get());
                let more = peers.filter(|peer| peer.more_due);
                let more = more.filter_map(|peer| peer.credit_deadline(config));
                requests.chain(announcements).chain(more).filter(later).min()
            }
            _ => {
                let peers = parts.peers.iter().filter(|peer| peer.is_connected());
                peers.filter_map(|peer| peer_deadline(timer, config, peer)).filter(later).min()
            }
        }
    }
}

/// Returns when a timer of a peer fires.
fn peer_deadline(timer: Timer, config: &GossipConfig, peer: &PeerSlot) -> Option<Duration> {
    match timer {
        Timer::Hello if peer.phase == Phase::Hello => {
            peer.since.get().checked_add(config.hello_timeout)
        }
        Timer::Silence => peer.heard_at.get().checked_add(config.silence_timeout),
        Timer::KeepAlive if peer.is_open() => peer.sent_at.get().checked_add(config.keep_alive),
        Timer::Headers => match peer.sync {
            Sync::At(at) => Some(at.get()),
            Sync::Paused { until } => Some(until.get()),
            Sync::Asked { at, .. } => at.get().checked_add(config.request_timeout),
            Sync::Idle => None,
        },
        _ => None,
    }
}

impl InnerMut<'_> {
    /// Fires what is due.
    pub(super) fn timeout(&mut self, now: Duration) {
        let now = self.advance_clock(now);
        let config = self.inner.config;
        for at in 0..self.parts.peers.len() {
            for timer in [Timer::Hello, Timer::Silence, Timer::KeepAlive, Timer::Headers] {
                let peer = self.peer(at);
                let deadline = peer_deadline(timer, &config, peer);
                if peer.is_connected() && deadline.is_some_and(|at| at <= now) {
                    self.fire(timer, at, now);
                }
            }
        }
        self.expire_blocks(now);
        self.expire_transactions(now);
        self.expire_snapshot(now);
    }

    fn fire(&mut self, timer: Timer, at: usize, now: Duration) {
        match timer {
            Timer::Hello => self.change(at, |peer| peer.close(CloseReason::NoHello)),
            Timer::Silence => self.change(at, |peer| peer.close(CloseReason::Silent)),
            Timer::KeepAlive => self.change(at, |peer| peer.status_due = true),
            Timer::Headers => match self.peer(at).sync {
                Sync::Asked { .. } => {
                    let retry = now.saturating_add(self.inner.config.retry);
                    self.change(at, |peer| {
                        peer.sync = Sync::At(Moment::of(retry));
                        peer.header_stalls = peer.header_stalls.saturating_add(1);
                    });
                    self.close_if_stalled(at);
                }
                Sync::Paused { .. } => {
                    self.change(at, |peer| peer.sync = Sync::At(Moment::of(now)));
                }
                Sync::At(_) | Sync::Idle => {}
            },
            Timer::Block | Timer::Transaction | Timer::Snapshot => {}
        }
    }

    /// Disconnects a peer that did not answer too often, unless it is the only one.
    pub(super) fn close_if_stalled(&mut self, at: usize) {
        let max = self.inner.config.max_stalls;
        let is_last = self.parts.peers.iter().filter(|peer| peer.is_open()).count() <= 1;
        self.change(at, |peer| {
            if peer.stalls.max(peer.header_stalls) >= max && !is_last {
                peer.close(CloseReason::Stalled);
            }
        });
    }

    fn expire_blocks(&mut self, now: Duration) {
        for slot in 0..self.parts.blocks.len() {
            let Some(request) = self.parts.blocks.get(slot) else { break };
            let config = &self.inner.config;
            let deadline = request.deadline(config, self.parts.peers, self.parts.blocks);
            let late = request.asking.asked.filter(|_| deadline.is_some_and(|at| at <= now));
            let Some(request) = self.parts.blocks.get_mut(slot) else { break };
            request.retry_at = request.retry_at.filter(|at| *at > now);
            let Some(asked) = late else { continue };
            request.asking.exclude(asked.peer);
            if !request.is_wanted {
                *request = BlockRequest::EMPTY;
            }
            self.change(asked.peer, |peer| {
                peer.window = 1;
                peer.stalls = peer.stalls.saturating_add(1);
            });
            self.close_if_stalled(asked.peer);
        }
    }

    fn expire_transactions(&mut self, now: Duration) {
        let timeout = self.inner.config.request_timeout;
        self.transactions().expire(now, timeout);
    }
}
