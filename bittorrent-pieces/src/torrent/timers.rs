//! What a torrent does as time passes.

use core::time::Duration;

use super::config::{EARLY_TURN, ROUND};
use super::cursor::{PeerMut, View};
use super::event::CloseReason;
use super::inner::Core;
use super::packed::HOLEPUNCH_BUDGET;
use super::peer::{HASH_BUDGET, PeerSlot, PeerState};
use super::queue::{RequestSlot, Step, ours};
use super::refills::Refill;
use crate::compact_time::{Maybe, Stamp};
use crate::ready;

/// How long a peer may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many rounds pass before another idle peer makes room that one side still needs.
const TURNOVER: u8 = 6;
/// How long a peer counts as a newcomer for the choker.
const NEWCOMER: Duration = Duration::from_secs(60);

/// The timers of a torrent: those of each peer, then those of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// A peer sent no handshake for [`HANDSHAKE`]: its connection is closed.
    Handshake,
    /// A peer was silent for [`Config::silence`](crate::Config::silence): its connection is closed.
    Silence,
    /// Nothing was sent to a peer for [`Config::keep_alive`](crate::Config::keep_alive): a keepalive is due.
    KeepAlive,
    /// A peer left requests without a block for [`Config::patience`](crate::Config::patience): it is
    /// snubbed, and they go to others.
    Snub,
    /// [`ROUND`] passed: the choker decides, old requests go to others, peer exchanges are due.
    Round,
    /// [`EARLY_TURN`] passed before the first round: the choker decides. Else those that were interested first would
    /// keep all upload slots until the round, whether they give anything or not.
    EarlyTurn,
    /// Idle peers look for blocks that are late, at the end.
    Endgame,
}

impl Timer {
    const OF_PEER: [Self; 4] = [Self::Handshake, Self::Silence, Self::KeepAlive, Self::Snub];
    const OF_ALL: [Self; 3] = [Self::Round, Self::EarlyTurn, Self::Endgame];
}

impl Core {
    pub(super) fn next_deadline(&self, peers: &[PeerSlot]) -> Option<Duration> {
        let of_peers = ready::next_deadline(peers).map(|(at, _)| at);
        let of_all = Timer::OF_ALL.into_iter().filter_map(|timer| self.of_all(timer));
        of_all.chain(of_peers).min()
    }

    fn of_peer(&self, timer: Timer, state: &PeerState, waits: bool) -> Option<Duration> {
        let (since, span) = state.timer(timer, waits, &self.config)?;
        since.deadline(span, self.now)
    }

    fn of_all(&self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Round => self.next_round,
            Timer::EarlyTurn => self.early_turn.get().map(Stamp)?.deadline(EARLY_TURN, self.now),
            Timer::Endgame => self.swarm.endgame_at,
            Timer::Handshake | Timer::Silence | Timer::KeepAlive | Timer::Snub => None,
        }
    }
}

impl PeerState {
    /// Returns since when a timer runs, and how long; `None` if it is off. `waits` if requests are in
    /// flight.
    fn timer(
        &self,
        timer: Timer,
        waits: bool,
        config: &super::config::Config,
    ) -> Option<(Stamp, Duration)> {
        match timer {
            Timer::Handshake => (!self.is_open()).then_some((self.joined_at, HANDSHAKE)),
            Timer::Silence => Some((self.heard_at, config.silence)),
            Timer::KeepAlive => {
                self.flags.handshake_sent().then_some((self.sent_at, config.keep_alive))
            }
            Timer::Snub => waits.then_some((self.block_at, config.patience)),
            Timer::Round | Timer::EarlyTurn | Timer::Endgame => None,
        }
    }
}

impl PeerState {
    /// Updates the rate by which the choker ranks the peer.
    fn update_rate(&mut self, seeding: bool) {
        let bytes = if seeding { &self.sent_bytes } else { &self.received_bytes };
        self.choke_candidate.rate = bytes.iter().copied().fold(0, u32::saturating_add);
    }
}

impl View<'_> {
    /// Returns the deadline of the peer in a slot, from all of its timers.
    pub(super) fn deadline_of(&self, index: usize) -> Option<Duration> {
        let state = self.state(index).filter(|state| state.is_live())?;
        let mut ours = ours(self.parts.requests, self.parts.peers.len(), index);
        let waits = ours.any(RequestSlot::is_in_flight);
        let deadline = |timer| self.core.of_peer(timer, state, waits);
        Timer::OF_PEER.into_iter().filter_map(deadline).min()
    }

    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn timeout(&mut self, now: Duration) {
        self.core.advance_clock(now);
        let now = self.core.now;
        for _ in 0..self.parts.peers.len() {
            let next = ready::next_deadline(self.parts.peers);
            let Some((_, index)) = next.filter(|(at, _)| *at <= now) else { break };
            for timer in Timer::OF_PEER {
                if self.peer(index).is_some_and(|peer| peer.is_expired(timer)) {
                    self.fire(timer, index);
                }
            }
            self.settle(); // its next deadline is later
        }
        for timer in Timer::OF_ALL {
            if self.core.of_all(timer).is_some_and(|at| at <= now) {
                self.fire(timer, 0);
            }
        }
        self.refill(None);
    }

    /// Does what a timer is for; `index` is the slot of the peer, if it is one of a peer.
    fn fire(&mut self, timer: Timer, index: usize) {
        match timer {
            Timer::Handshake => self.close(index, CloseReason::NoHandshake),
            Timer::Silence => self.close(index, CloseReason::Silent),
            Timer::KeepAlive => {
                if let Some(peer) = self.peer(index) {
                    peer.state.sent_at = Stamp::of(peer.now);
                    peer.state.flags.set_keepalive_due(true);
                }
            }
            Timer::Snub => {
                if let Some(mut peer) = self.peer(index) {
                    peer.snub();
                }
            }
            Timer::Round => {
                let live = self.parts.peers.iter().any(|slot| slot.state.is_live());
                self.core.next_round = self.core.now.checked_add(ROUND).filter(|_| live);
                self.core.early_turn = Maybe::NONE;
                self.round();
            }
            Timer::EarlyTurn => {
                // It ends with the first round.
                self.core.early_turn = Maybe::some(Stamp::of(self.core.now).0);
                self.early_turn();
            }
            Timer::Endgame => {
                self.core.swarm.endgame_at = None;
                self.refills.note(Refill::All);
            }
        }
    }

    /// A choking round.
    fn round(&mut self) {
        for index in 0..self.parts.peers.len() {
            let pex_due = self.is_pex_due(index);
            if let Some(mut peer) = self.peer(index) {
                peer.state.flags.set_pex_due(pex_due);
                peer.state.flags.set_rejected_until_round(false);
                peer.state.flags.set_hash_budget(HASH_BUDGET);
                peer.state.small.set_holepunch_budget(HOLEPUNCH_BUDGET);
                peer.state.idle_rounds = peer.state.idle_rounds.saturating_add(1);
                peer.release_old_requests();
                peer.update_candidate();
            }
        }
        self.close_idle_peer();
        self.renew_offers();
        self.choose_unchoked();
        self.forgive();
        self.core.generation = self.core.picker.generation().wrapping_sub(1); // refill all
    }

    /// Forgets which peers requested what they cannot need: each round counts by itself.
    fn forgive(&mut self) {
        for slot in self.parts.peers.iter_mut() {
            slot.state.choke_candidate.unfair = false;
        }
    }

    /// Lets the choker decide before the first round, by what the peers gave up to now.
    fn early_turn(&mut self) {
        let seeding = self.core.is_complete();
        for slot in self.parts.peers.iter_mut().filter(|slot| slot.state.is_open()) {
            slot.state.update_rate(seeding);
        }
        self.choose_unchoked();
    }

    fn choose_unchoked(&mut self) {
        let rules = self.core.choker_rules();
        self.core.choker.round(rules, self.parts.peers, |slot| slot.state.candidate());
        self.touch_unchoked();
    }
}

impl View<'_> {
    /// Closes the peer that was idle for the longest time if all slots are in use: first one that neither side needs.
    fn close_idle_peer(&mut self) {
        self.core.turnover_rounds = self.core.turnover_rounds.saturating_add(1);
        let limit = self.core.config.idle;
        let states = self.parts.peers.iter().map(|slot| &slot.state).enumerate();
        if states.clone().any(|(_, state)| !state.is_used()) {
            return;
        }
        let idle = states.filter(|(_, state)| {
            state.is_open() && ROUND.saturating_mul(state.idle_rounds.into()) >= limit
        });
        let idlest = idle.max_by_key(|(_, state)| (state.is_needless(), state.idle_rounds));
        let Some((index, state)) = idlest else { return };
        if state.is_needless() || self.core.turnover_rounds >= TURNOVER {
            self.core.turnover_rounds = 0;
            self.close(index, CloseReason::Idle);
        }
    }
}

impl PeerMut<'_> {
    fn is_expired(&self, timer: Timer) -> bool {
        let waits = self.requests.in_flight() > 0;
        let running = self.state.timer(timer, waits, self.config).filter(|_| self.state.is_live());
        running.is_some_and(|(since, span)| since.is_past(span, self.now))
    }

    /// Moves all requests of a slow peer to others.
    fn snub(&mut self) {
        self.state.block_at = Stamp::of(self.now);
        self.state.flags.set_snubbed(true);
        self.requests.retain(|request| request.step != Step::Due);
        self.requests.cancel(|_| true);
        self.picker.abandon(self.state.conn());
    }

    /// Moves requests to others that the peer passed over while it answered later ones.
    fn release_old_requests(&mut self) {
        let now = self.now;
        let patience = self.config.patience;
        let old = |request: &RequestSlot| {
            request.step == Step::Sent && request.at().is_past(patience, now)
        };
        for request in self.requests.iter().filter(|request| old(request)) {
            self.picker.release(self.state.conn(), request.block());
        }
        self.requests.cancel(old);
        self.requests.forget_cancelled(|request| request.is_overdue(patience, now));
    }

    /// Updates the choke candidate of the peer for the round that ends.
    fn update_candidate(&mut self) {
        let now = self.now;
        let seeding = self.is_complete();
        let pieces = self.geometry().pieces();
        let state = &mut *self.state;
        if !state.is_open() {
            return;
        }
        let waited = state.wanted > 0 && state.block_at.is_past(self.config.patience, now);
        state.update_rate(seeding);
        let candidate = &mut state.choke_candidate;
        candidate.snubbed = !seeding && (state.flags.snubbed() || waited);
        [candidate.sent, _] = state.sent_bytes;
        candidate.progress = thousandths(state.held, pieces);
        candidate.newcomer = !state.joined_at.is_past(NEWCOMER, now);
        for bytes in [&mut state.received_bytes, &mut state.sent_bytes] {
            bytes.rotate_right(1);
            bytes.iter_mut().take(1).for_each(|newest| *newest = 0);
        }
    }
}

/// Returns a share in thousandths.
fn thousandths(some: u32, all: u32) -> u16 {
    let share = u64::from(some).saturating_mul(1000).checked_div(u64::from(all)).unwrap_or(0);
    u16::try_from(share).unwrap_or(1000)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
