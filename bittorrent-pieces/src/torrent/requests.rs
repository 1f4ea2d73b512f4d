//! Which blocks a torrent requests of its peers.

use core::time::Duration;

use super::counter::Counter;
use super::cursor::{PeerMut, View, peer_pieces};
use super::padding::Padding;
use super::queue::{RequestSlot, Step};
use super::refills::Refill;
use crate::block::Block;
use crate::compact_time::Stamp;
use crate::picker::Selection;

/// At the end, a block is requested of a second peer once it took this many times the usual round-trip
/// time,
const LATE: u32 = 3;
/// and no sooner than this.
const SOONEST: Duration = Duration::from_millis(250);
/// The number of blocks that are chosen at a time.
const BATCH: usize = 16;

impl View<'_> {
    /// Fills the pipeline of the peer in a slot, and of all others where something became free, at the end of the call.
    pub(super) fn refill(&mut self, index: Option<usize>) {
        self.refills.note(Refill::Freed(index));
    }

    /// Fills the pipelines that the current call noted.
    #[inline]
    pub(super) fn serve_refills(&mut self) {
        for refill in self.refills.take() {
            self.serve_refill(refill);
        }
    }

    fn serve_refill(&mut self, refill: Refill) {
        let freed = self.core.picker.generation() != self.core.generation;
        match refill {
            Refill::Freed(index) if !freed => {
                if let Some(index) = index {
                    self.fill_pipeline(index);
                }
            }
            Refill::All | Refill::Freed(_) => self.refill_all(),
        }
    }

    /// Fills the pipelines of all peers that may have room. Those whose pipeline is full leave the queue.
    fn refill_all(&mut self) {
        let generation = self.core.picker.generation();
        let before = core::mem::replace(&mut self.core.generation, generation);
        self.feed_touched();
        let Some(last) = self.core.schedule.hungry.last() else { return };
        while let Some(index) = self.core.schedule.hungry.pop(self.parts.peers) {
            if self.may_be_filled(index, generation != before) {
                self.fill_pipeline(index);
                self.core.schedule.hungry.push(self.parts.peers, index);
            }
            if index == last {
                break;
            }
        }
    }

    /// Returns whether requests may be made of a peer. `freed` if blocks became free: then it no longer counts as exhausted.
    #[inline(never)] // its cursor does not stand on the stack while requests are made
    fn may_be_filled(&mut self, index: usize, freed: bool) -> bool {
        let Some(peer) = self.quiet_peer(index) else { return false };
        if freed {
            peer.state.flags.set_exhausted(false);
        }
        peer.room() > 0 && peer.may_request(!peer.state.flags.unchokes_us())
    }

    fn fill_pipeline(&mut self, index: usize) {
        if let Some(peer) = &mut self.peer(index) {
            peer.fill_pipeline();
        }
    }
}

impl PeerMut<'_> {
    /// Requests blocks until the pipeline is full or there is nothing to request.
    fn fill_pipeline(&mut self) {
        let chokes = !self.state.flags.unchokes_us();
        let room = self.room();
        if room == 0 || !self.may_request(chokes) {
            return;
        }
        let idle = self.requests.in_flight() == 0;
        let content = self.content;
        let padding = |piece| Padding::bytes_of(content.padding, piece);
        let allowed = self.state.allowed();
        let suggested = self.state.suggested.piece();
        let mut selection = self.selection();
        selection.padding = &padding;
        selection.suggested = suggested.as_slice();
        selection.only = chokes.then_some(&allowed[..]);
        let mut left = self.request_new(&mut selection, room, idle);
        // A block has two requests at most. While others send blocks, a peer that never sent one gets no second request,
        // or two that only claim to have everything could hold a block back.
        let trusted = !self.is_unproven() && !chokes && !self.state.flags.parole();
        if trusted && left > 0 {
            left = left.saturating_sub(self.request_urgent(&selection));
        }
        if idle && trusted && left == room {
            left = left.saturating_sub(self.request_endgame(&selection));
        }
        if idle && left < room {
            self.state.block_at = Stamp::of(self.now);
        }
    }

    /// Returns the selection for the peer, without the pieces that it allowed or suggested.
    #[inline(never)] // what it keeps does not stand on the stack while blocks are requested
    fn selection(&self) -> Selection<'static> {
        let piece_len = self.content.geometry.full_piece_len();
        let late = Duration::from_millis(u64::from(self.swarm.rtt));
        Selection {
            now: self.now,
            delay: Duration::from_millis(u64::from(self.state.peer_rtt)),
            patience: late.saturating_mul(LATE).max(SOONEST),
            reverse: self.state.flags.snubbed(),
            whole: self.state.run(piece_len, self.config.whole_within),
            exclusive: self.state.flags.parole(),
            ..Selection::new()
        }
    }

    fn may_request(&self, chokes: bool) -> bool {
        let state = &self.state;
        let silent = chokes && state.allowed().is_empty();
        state.is_open() && !state.flags.rejected_until_round() && state.wanted > 0 && !silent
    }

    /// Returns whether others send blocks, and this peer never sent one. It gets one request to show that it does: of
    /// those that answer nothing, each would hold back as many blocks as its window has.
    fn is_unproven(&self) -> bool {
        self.state.bytes_received == Counter::ZERO && self.swarm.blocks_received
    }

    /// Returns how many more requests the peer may get.
    fn room(&self) -> usize {
        let window = self.config.pipeline.min(self.state.window).max(1);
        let most = if self.state.flags.snubbed() || self.is_unproven() { 1 } else { window };
        usize::from(most).saturating_sub(self.requests.in_flight()).min(self.requests.free())
    }

    /// Requests blocks that no peer was asked for; returns how much room is left.
    #[inline(never)] // its blocks do not stand on the stack beside what prepares the selection
    fn request_new(&mut self, selection: &mut Selection<'_>, room: usize, idle: bool) -> usize {
        let chokes = !self.state.flags.unchokes_us();
        let conn = self.state.conn();
        let theirs = peer_pieces(self.state, self.pieces, self.content.geometry);
        let mut blocks = [Block::default(); BATCH];
        let mut left = room;
        while left > 0 {
            if !chokes && self.state.flags.exhausted() {
                break;
            }
            let out = blocks.get_mut(..left.min(BATCH)).unwrap_or_default();
            let picked = self.picker.pick(conn, &theirs, selection, out);
            for block in blocks.iter().take(picked) {
                self.requests.push(RequestSlot::new(*block, self.now, Step::Due)); // `left` fits
            }
            left = left.saturating_sub(picked);
            let first = idle && left == room;
            if picked == 0 && selection.exclusive && first && self.picker.has_room() {
                selection.exclusive = false; // others left what no other peer may have
            } else if picked == 0 {
                let again = chokes || self.state.flags.parole() && !idle;
                if !again {
                    self.state.flags.set_exhausted(true);
                }
                break;
            }
        }
        left
    }

    /// Requests a block of a second peer that is due soon; returns how many.
    #[inline(never)] // what it keeps does not stand on the stack while new blocks are requested
    fn request_urgent(&mut self, selection: &Selection<'_>) -> usize {
        let theirs = peer_pieces(self.state, self.pieces, self.content.geometry);
        let conn = self.state.conn();
        let urgent = self.picker.pick_urgent(conn, &theirs, selection);
        self.request(urgent)
    }

    /// Requests a block of a second peer at the end, or sets the time for that; returns how many.
    #[inline(never)] // what it keeps does not stand on the stack while new blocks are requested
    fn request_endgame(&mut self, selection: &Selection<'_>) -> usize {
        let theirs = peer_pieces(self.state, self.pieces, self.content.geometry);
        let conn = self.state.conn();
        let block = self.picker.pick_endgame(conn, &theirs, selection);
        if block.is_none() && self.swarm.endgame_at.is_none() {
            self.swarm.endgame_at = self.now.checked_add(selection.patience);
        }
        self.request(block)
    }

    fn request(&mut self, block: Option<Block>) -> usize {
        let Some(block) = block else { return 0 };
        self.requests.push(RequestSlot::new(block, self.now, Step::Due));
        1
    }
}
