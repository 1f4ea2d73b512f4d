//! Which blocks a torrent asks its peers for.

use core::time::Duration;

use super::Padding;
use super::peer::PeerSlot;
use super::queue::{Queue, RequestSlot, Step, queues};
use super::state::{View, holds, split};
use crate::small::{Maybe, Stamp};
use crate::{Block, Want};

/// At the end, a block is asked for twice once it took so many times longer than others did,
const LATE: u32 = 3;
/// and no sooner than this.
const SOONEST: Duration = Duration::from_millis(250);
/// How many blocks are chosen at a time.
const BATCH: usize = 16;

impl View<'_, '_> {
    /// Asks the peer of a slot for blocks, and all others where something became free.
    pub(super) fn settle(&mut self, index: Option<usize>) {
        let generation = self.core.picker.generation();
        if generation != self.core.generation {
            self.core.generation = generation;
            for index in 0..self.regions.peers.len() {
                self.fill(index);
            }
        } else if let Some(index) = index {
            self.fill(index);
        }
    }

    /// Asks a peer for blocks until its pipeline is full or there is nothing to ask for.
    pub(super) fn fill(&mut self, index: usize) {
        let (now, config, count) = (self.core.now, self.core.config, self.regions.peers.len());
        let (mut picker, peers, bits, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let chokes = !link.flags.unchokes_us;
        let silent = chokes && (!link.flags.fast || link.allowed.is_empty());
        if !link.is_ready() || link.flags.rests || link.wanted == 0 || silent {
            return;
        }
        let (mut asked, _) = queues(requests, count, index);
        let most = if link.flags.snubbed { 1 } else { config.pipeline.min(link.window).max(1) };
        let idle = asked.under_way() == 0;
        let room = usize::from(most).saturating_sub(asked.under_way()).min(asked.free());
        let geometry = picker.state.geometry;
        let holds = holds(link, bits, geometry, index);
        let (conn, allowed, suggested) =
            (link.card.conn, link.allowed.clone(), link.suggested.piece());
        let late = Duration::from_millis(u64::from(self.core.tempo));
        let pads = self.core.padding;
        let padding = |piece| Padding::bytes_of(pads, piece);
        let mut want = Want {
            now,
            delay: Duration::from_millis(u64::from(link.pace)),
            patience: late.saturating_mul(LATE).max(SOONEST),
            reverse: link.flags.snubbed,
            whole: link.run(geometry.full_piece_len(), config.whole_within),
            exclusive: link.flags.parole,
            padding: &padding,
            suggested: suggested.as_slice(),
            only: chokes.then_some(&allowed[..]),
            ..Want::new()
        };
        let mut blocks = [Block::default(); BATCH];
        let mut left = room;
        while left > 0 && (chokes || link.dry != Maybe::some(picker.state.generation())) {
            let out = blocks.get_mut(..left.min(BATCH)).unwrap_or_default();
            let picked = picker.pick(conn, &holds, &want, out);
            for block in blocks.iter().take(picked) {
                asked.push(RequestSlot::new(*block, now, Step::Due)); // `left` fits
            }
            left = left.saturating_sub(picked);
            if picked == 0 && want.exclusive && idle && left == room && picker.has_room() {
                want.exclusive = false; // others left what nobody else may have
            } else if picked == 0 {
                let again = chokes || link.flags.parole && !idle;
                link.dry = if again { link.dry } else { Maybe::some(picker.state.generation()) };
                break;
            }
        }
        let trusted = !chokes && !link.flags.parole;
        if trusted && left > 0 {
            // What is due soon is asked for twice, if need be.
            let urgent = picker.pick_urgent(conn, &holds, &want);
            if let Some(block) = urgent {
                asked.push(RequestSlot::new(block, now, Step::Due));
                left = left.saturating_sub(1);
            }
        }
        if idle && trusted && left == room && room > 0 {
            if let Some(block) = picker.pick_endgame(conn, &holds, &want) {
                asked.push(RequestSlot::new(block, now, Step::Due));
                left = left.saturating_sub(1);
            } else if self.core.recheck.is_none() {
                self.core.recheck = now.checked_add(want.patience);
            }
        }
        if idle && left < room {
            link.block_at = Stamp::of(now);
        }
    }
}

impl Queue<'_> {
    /// Cancels requests that were sent.
    pub(super) fn take_back(&mut self, is: impl Fn(&RequestSlot) -> bool) {
        let sent = self.iter_mut().filter(|ask| ask.step == Step::Sent && is(ask));
        sent.for_each(|ask| ask.step = Step::Cancel);
    }
}
