//! What a torrent does as time passes.

use core::time::Duration;

use super::LostReason;
use super::peer::{Link, PeerSlot, Phase};
use super::queue::{self, RequestSlot, Step, queues};
use super::state::{Core, View, split};
use crate::small::Stamp;

/// How often the choker decides (BEP 3).
pub(super) const ROUND: Duration = Duration::from_secs(10);
/// How long a peer counts as a newcomer for the choker.
const NEWCOMER: Duration = Duration::from_secs(60);

impl Core<'_> {
    pub(super) fn next_deadline(
        &self,
        peers: &[PeerSlot],
        requests: &[RequestSlot],
    ) -> Option<Duration> {
        let links = peers.iter().map(|slot| &slot.0).enumerate();
        let deadlines = links.filter(|(_, link)| link.is_live()).filter_map(|(index, link)| {
            let mut ours = queue::ours(requests, peers.len(), index);
            self.deadline_of(link, ours.any(RequestSlot::is_under_way))
        });
        deadlines.chain(self.next_round).chain(self.recheck).min()
    }

    fn deadline_of(&self, link: &Link, waits: bool) -> Option<Duration> {
        let config = &self.config;
        let silence = link.heard_at.deadline(config.silence, self.now);
        let keep_alive = link.sent_at.deadline(config.keep_alive, self.now);
        let patience = link.block_at.deadline(config.patience, self.now);
        let keep_alive = keep_alive.filter(|_| link.flags.greeted);
        let patience = patience.filter(|_| waits);
        [silence, keep_alive, patience].into_iter().flatten().min()
    }
}

impl View<'_, '_> {
    pub(super) fn timeout(&mut self, now: Duration) {
        self.core.see(now);
        for index in 0..self.regions.peers.len() {
            self.timeout_of(index);
        }
        let now = self.core.now;
        if self.core.next_round.is_some_and(|at| at <= now) {
            let live = self.regions.peers.iter().any(|slot| slot.0.is_live());
            self.core.next_round = now.checked_add(ROUND).filter(|_| live);
            self.round();
        }
        if self.core.recheck.is_some_and(|at| at <= now) {
            self.core.recheck = None;
            for index in 0..self.regions.peers.len() {
                self.fill(index);
            }
        }
        self.settle(None);
    }

    fn timeout_of(&mut self, index: usize) {
        let (now, config, count) = (self.core.now, self.core.config, self.regions.peers.len());
        let due = |at: Stamp, span| at.is_past(span, now);
        let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else { return };
        if !link.is_live() {
            return;
        }
        if due(link.heard_at, config.silence) {
            link.phase = Phase::Lost(LostReason::Silent);
            self.part(index);
            self.mend();
            return;
        }
        if link.flags.greeted && due(link.sent_at, config.keep_alive) {
            link.sent_at = Stamp::of(now);
            link.flags.keepalive = true;
        }
        let (mut asked, _) = queues(self.regions.requests, count, index);
        if due(link.block_at, config.patience) && asked.under_way() > 0 {
            link.block_at = Stamp::of(now);
            link.flags.snubbed = true;
            asked.retain(|ask| ask.step != Step::Due);
            asked.take_back(|_| true);
            let conn = link.card.conn;
            split(&mut self.core.picker, &mut self.regions).0.abandon(conn);
        }
    }

    /// Gives requests to others that a peer passed over while it answered later ones.
    fn expire(&mut self, index: usize) {
        let (count, now) = (self.regions.peers.len(), self.core.now);
        let patience = self.core.config.patience;
        let (mut picker, peers, _, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let (mut asked, _) = queues(requests, count, index);
        let old = |ask: &RequestSlot| ask.step == Step::Sent && ask.at().is_past(patience, now);
        for ask in asked.iter().filter(|ask| old(ask)) {
            picker.release(link.card.conn, ask.block());
        }
        asked.take_back(old);
    }

    /// Lets the choker decide.
    fn round(&mut self) {
        for index in 0..self.regions.peers.len() {
            self.expire(index);
            let exchange = self.has_news(index);
            if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                link.flags.exchange = exchange;
                link.flags.rests = false;
            }
        }
        let (now, patience) = (self.core.now, self.core.config.patience);
        let (seeding, pieces) = (self.core.is_complete(), self.core.geometry().pieces());
        for PeerSlot(link) in self.regions.peers.iter_mut().filter(|slot| slot.0.is_ready()) {
            let waited = link.wanted > 0 && link.block_at.is_past(patience, now);
            let bytes = if seeding { &link.given } else { &link.taken };
            link.card.rate = bytes.iter().copied().fold(0, u32::saturating_add);
            link.card.snubbed = !seeding && (link.flags.snubbed || waited);
            [link.card.given, _] = link.given;
            link.card.progress = thousandths(link.held, pieces);
            link.card.newcomer = !link.joined_at.is_past(NEWCOMER, now);
            for bytes in [&mut link.taken, &mut link.given] {
                bytes.rotate_right(1);
                bytes.iter_mut().take(1).for_each(|newest| *newest = 0);
            }
        }
        self.renew_offers();
        self.core.choker.round(self.regions.peers, |slot| slot.0.candidate());
        self.core.generation = self.core.picker.generation().wrapping_sub(1); // ask all again
    }
}

/// Returns how much of all pieces some are, in thousandths.
fn thousandths(some: u32, all: u32) -> u16 {
    let share = u64::from(some).saturating_mul(1000).checked_div(u64::from(all)).unwrap_or(0);
    u16::try_from(share).unwrap_or(1000)
}
