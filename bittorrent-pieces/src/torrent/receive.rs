//! What a torrent does with received messages.

use core::time::Duration;

use super::checksum::checksum;
use super::cursor::{PeerMut, View, peer_pieces};
use super::error::{PeerError, whole};
use super::event::{CloseReason, Outcome};
use super::extension::HOLEPUNCH;
use super::peer::Phase;
use super::queue::{RequestSlot, Step};
use super::storage::receive_len;
use crate::bitfield::Bitfield;
use crate::block::{BLOCK_LEN, Block, PieceIndex};
use crate::compact_time::{Maybe, Stamp};
use crate::error::NotConnected;
use crate::id::ConnId;
use crate::index::count;
use crate::picker::ReceivedBlock;
use crate::received::Received;
use crate::wire::extended::{EXTENDED, Holepunch};
use crate::wire::fast::Fast;
use crate::wire::{DecodeError, Handshake, LEN_LEN, Message, Piece, request};

/// What one message came to: how many bytes it had, and its outcome.
type Processed<'b> = Result<Received<Outcome<'b>>, PeerError>;

/// More bytes are needed.
const NOTHING: Received<Outcome<'static>> = Received { consumed: 0, outcome: None };

impl View<'_> {
    #[inline(never)] // its frame does not stand on the stack while requests are made
    pub(super) fn bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Received<Outcome<'b>>, NotConnected> {
        let index = self.find(conn).ok_or(NotConnected(conn))?;
        self.core.advance_clock(now);
        let processed = match self.state(index).map(|state| state.phase) {
            Some(Phase::Handshaking) => self.handshake(index, bytes),
            Some(Phase::Open) => self.message(index, bytes),
            // Closed: the rest of the stream is dropped.
            _ => Ok(Received { consumed: bytes.len(), outcome: None }),
        };
        match processed {
            Ok(received) => Ok(received),
            Err(error) => {
                self.close(index, CloseReason::Protocol(error));
                self.refill(None);
                Ok(Received { consumed: bytes.len(), outcome: None })
            }
        }
    }

    fn handshake<'b>(&mut self, index: usize, bytes: &'b [u8]) -> Processed<'b> {
        let Some((handshake, rest)) = whole(Handshake::decode(bytes))? else {
            return Ok(NOTHING);
        };
        let config = &self.core.config;
        config.names().validate(&handshake, config.peer_id)?;
        if let Some(mut peer) = self.peer(index) {
            peer.handshake(&handshake);
        }
        self.offer(index);
        Ok(Received { consumed: bytes.len().saturating_sub(rest.len()), outcome: None })
    }

    fn message<'b>(&mut self, index: usize, bytes: &'b [u8]) -> Processed<'b> {
        let Some(mut peer) = self.peer(index) else { return Ok(NOTHING) };
        let limit = count(receive_len(peer.geometry().pieces()).saturating_sub(LEN_LEN));
        let decoded = Message::decode(bytes, limit);
        if let Err(DecodeError::Block { .. }) = decoded
            && let Some(block) = request::invalid(bytes)
        {
            peer.message_received();
            return Ok(peer.refuse(block));
        }
        let Some((message, rest)) = whole(decoded)? else { return Ok(NOTHING) };
        let consumed = bytes.len().saturating_sub(rest.len());
        let mut fast = Fast::of(&message)?;
        if let Some(Fast::Reject(block)) = &mut fast {
            block.len = block.len.saturating_add(peer.padding_behind(*block));
        }
        let padding = match &message {
            Message::Piece(piece) => peer.padding_behind(piece.block()),
            _ => 0,
        };
        peer.validate(&message, padding)?;
        peer.validate_fast(fast)?;
        if peer.is_busy(&message) {
            return Ok(Received { consumed: 0, outcome: Some(Outcome::Busy) });
        }
        peer.message_received();
        let mut outcome = None;
        match message {
            Message::Choke => {
                peer.choked();
                self.refill(None);
            }
            Message::Unchoke => {
                peer.state.flags.set_unchokes_us(true);
                peer.state.flags.set_rejected_until_round(false);
                self.refill(Some(index));
            }
            Message::Interested => self.set_interested(index, true),
            Message::NotInterested => self.set_interested(index, false),
            Message::Have(piece) => self.have(index, piece),
            Message::Bitfield(payload) => {
                let copy = |bits: &mut [u8]| {
                    bits.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
                };
                self.set_pieces(index, copy);
            }
            Message::Request(block) => peer.requested(block),
            Message::Cancel(block) => peer.cancelled(block),
            Message::Piece(piece) => {
                if self.piece(index, piece, padding) {
                    outcome = Some(Outcome::Block { block: piece.block(), data: piece.data });
                }
            }
            Message::Port(port) => outcome = Some(Outcome::DhtPort(port)),
            Message::Other { id: EXTENDED, payload: [HOLEPUNCH, body @ ..] }
                if peer.state.flags.extended() && peer.config.holepunch =>
            {
                // One that cannot be read is ignored: later versions may have others.
                if let Ok(message) = Holepunch::decode(body) {
                    outcome = self.holepunch(index, message);
                }
            }
            Message::Other { id: EXTENDED, payload } if peer.state.flags.extended() => {
                outcome = peer.extended(payload)?;
            }
            Message::KeepAlive | Message::Other { .. } => {
                if !peer.hash_message(&message)? {
                    self.fast(index, fast);
                }
            }
        }
        Ok(Received { consumed, outcome })
    }

    fn set_interested(&mut self, index: usize, interested: bool) {
        let slots_full = self.core.slots_full;
        let Some(peer) = self.peer(index) else { return };
        let candidate = &mut peer.state.choke_candidate;
        let before = core::mem::replace(&mut candidate.interested, interested);
        // A choked peer changes nothing for the others, unless there is a slot for it.
        let matters = candidate.unchoked || interested && !slots_full;
        if before != interested && matters {
            self.rebalance();
        }
    }

    fn have(&mut self, index: usize, piece: PieceIndex) {
        let Some(mut peer) = self.peer(index) else { return };
        let Some(sought) = peer.has(piece) else { return };
        if sought {
            self.refill(Some(index));
        }
        self.offer_after(index, piece);
    }

    /// Replaces the pieces of a peer. BEP 3 has the bitfield sent first and once; aria2 sends it again, many
    /// times in a fast download, to sum up what it received meanwhile. The work is in proportion to its bytes.
    fn set_pieces(&mut self, index: usize, write: impl FnOnce(&mut [u8])) {
        let Some(peer) = &mut self.peer(index) else { return };
        peer.set_pieces(write);
        let offer = peer.state.superseed_offer();
        let theirs = peer_pieces(peer.state, peer.pieces, peer.content.geometry);
        let had = offer.is_some_and(|piece| theirs.has(piece));
        self.refill(Some(index));
        if had {
            self.offer(index); // it had the piece before it was announced
        }
    }

    /// Accepts a block, behind which there is padding that was not sent; returns whether it was missing.
    fn piece(&mut self, index: usize, piece: Piece<'_>, padding: u32) -> bool {
        let block = with_padding(piece.block(), padding);
        let Some(mut peer) = self.peer(index) else { return false };
        let received = peer.received(piece, padding);
        let ReceivedBlock::Accepted { also, .. } = received else {
            self.refill(Some(index));
            return false;
        };
        let other = also.and_then(|conn| self.find_live(conn));
        if let Some(mut other) = other.and_then(|other| self.peer(other)) {
            let requests = &mut other.requests;
            requests.retain(|request| request.step != Step::Due || request.block() != block);
            requests.cancel(|request| request.block() == block);
        }
        self.refill(Some(index));
        self.refill(other);
        true
    }

    /// Processes a message of the fast extension.
    fn fast(&mut self, index: usize, fast: Option<Fast>) {
        let pieces = self.geometry().pieces();
        let Some(mut peer) = self.peer(index) else { return };
        match fast {
            Some(Fast::HaveAll) => {
                self.set_pieces(index, |bits| Bitfield::trusted(pieces, bits).fill());
            }
            Some(Fast::HaveNone) => self.set_pieces(index, |bits| bits.fill(0)),
            Some(Fast::Reject(block)) => {
                peer.rejected(block);
                self.refill(None);
            }
            Some(Fast::AllowedFast(piece)) => {
                peer.state.allow(piece);
                self.refill(Some(index));
            }
            Some(Fast::Suggest(piece)) => {
                peer.state.suggested = Maybe::some(piece.0); // the latest is the best
            }
            None => {}
        }
    }
}

impl PeerMut<'_> {
    fn handshake(&mut self, handshake: &Handshake) {
        let stamp = Stamp::of(self.now);
        let state = &mut *self.state;
        state.phase = Phase::Open;
        state.peer_id = handshake.peer_id;
        state.heard_at = stamp;
        state.block_at = stamp;
        state.flags.set_connected_due(true);
        state.flags.set_fast(self.config.fast && handshake.reserved.fast());
        state.flags.set_extended(handshake.reserved.extended());
        state.flags.set_dht(handshake.reserved.dht());
        let answered = state.flags.handshake_sent() && !state.flags.dialled(); // before it was taken over
        if !answered {
            let version2 = self.config.names().is_version2(handshake, state.flags.dialled());
            state.flags.set_version2(version2);
        }
        // Without the fast extension, an empty bitfield need not be sent.
        let nothing = self.picker.state.have_count() == 0 || state.flags.super_seeding();
        if !state.flags.fast() && nothing {
            state.flags.set_bitfield_sent(true);
            state.haves_sent = self.picker.state.completed();
        }
    }

    /// A choke drops all requests (BEP 3); under the fast extension each is rejected by itself.
    fn choked(&mut self) {
        self.state.flags.set_unchokes_us(false);
        let conn = self.state.conn();
        if self.state.flags.fast() {
            for request in self.requests.iter().filter(|request| request.step == Step::Due) {
                self.picker.release(conn, request.block());
            }
            self.requests.retain(|request| request.step != Step::Due);
        } else if self.requests.len() > 0 {
            self.requests.clear();
            self.picker.abandon(conn);
        }
    }

    /// Counts a piece that the peer got; returns whether we want it, or `None` if it was known.
    fn has(&mut self, piece: PieceIndex) -> Option<bool> {
        let pieces = self.geometry().pieces();
        let mut bits = Bitfield::trusted(pieces, &mut *self.pieces);
        if self.state.flags.seed() || !bits.set(piece) {
            return None;
        }
        self.picker.have(piece);
        self.state.held = self.state.held.saturating_add(1);
        let sought = self.picker.state.is_sought(self.picker.pieces, piece);
        if sought {
            self.state.add_wanted(1, self.now);
        }
        Some(sought)
    }

    fn set_pieces(&mut self, write: impl FnOnce(&mut [u8])) {
        self.count_pieces(false);
        self.state.flags.set_pieces_received(true);
        write(self.pieces);
        let pieces = self.geometry().pieces();
        let theirs = Bitfield::trusted(pieces, &*self.pieces);
        self.state.held = theirs.count_ones();
        self.state.flags.set_seed(self.state.held == pieces && pieces > 0);
        let wanted = self.picker.state.sought(self.picker.pieces, theirs);
        self.count_pieces(true);
        let more = wanted.saturating_sub(self.state.wanted);
        self.state.wanted = self.state.wanted.min(wanted);
        self.state.add_wanted(more, self.now);
    }

    /// Queues a request. Without the fast extension a choked peer may have sent it before it knew; with
    /// it, each request gets one answer.
    fn requested(&mut self, block: Block) {
        let had = self.picker.state.is_had(self.picker.pieces, block.piece);
        if !had || self.state.sent_sample.is(self.config.seed, block) {
            self.state.choke_candidate.unfair = true;
        }
        if !self.serves(block) {
            self.uploads.push(RequestSlot::refused(block, self.state.flags.fast()));
            return;
        }
        let flags = self.state.flags;
        let allowed = |set: &[PieceIndex]| set.contains(&block.piece);
        let gives =
            had && (flags.unchoked() || self.allowed_fast().is_some_and(|set| allowed(&set)));
        if flags.fast() {
            let step = if gives { Step::Give } else { Step::Reject };
            self.uploads.push(RequestSlot::new(block, self.now, step)); // there is room: `is_busy`
        } else if gives && !self.uploads.has(block) {
            self.uploads.push(RequestSlot::new(block, self.now, Step::Give));
        }
    }

    /// Returns whether a request is for bytes that exist. The last block of a file of version 2 may be
    /// requested whole, as libtorrent 2.0 does: what is beyond the file is zeros.
    fn serves(&self, block: Block) -> bool {
        let geometry = self.geometry();
        if block.len > BLOCK_LEN || block.len == 0 {
            return false;
        }
        let tail = !self.content.hashes.layer().is_empty()
            && block.begin.is_multiple_of(BLOCK_LEN)
            && block.begin < geometry.piece_len(block.piece);
        tail || geometry.contains(block)
    }

    /// Rejects an invalid request, whose length may be zero; without the fast extension it is ignored.
    fn refuse<'b>(&mut self, block: Block) -> Received<Outcome<'b>> {
        if self.state.flags.fast() && self.uploads.is_full() {
            return Received { consumed: 0, outcome: Some(Outcome::Busy) };
        }
        self.uploads.push(RequestSlot::refused(block, self.state.flags.fast()));
        Received { consumed: request::LEN.saturating_add(LEN_LEN), outcome: None }
    }

    fn cancelled(&mut self, block: Block) {
        let give = |request: &RequestSlot| request.step == Step::Give && request.block() == block;
        let Some(place) = self.uploads.position(give) else { return };
        if !self.state.flags.fast() {
            self.uploads.remove(place);
        } else if let Some(slot) = self.uploads.get_mut(place) {
            slot.step = Step::Reject;
        }
    }

    /// Accepts a block, and measures the round-trip time of its request.
    fn received(&mut self, piece: Piece<'_>, padding: u32) -> ReceivedBlock {
        let block = with_padding(piece.block(), padding);
        let checksum = checksum(self.config.seed, piece.data, padding);
        if let Some(age) = self.state.answered(&mut self.requests, block, self.now) {
            let before = self.swarm.rtt;
            self.swarm.rtt = before.saturating_sub(before / 8).saturating_add(age / 8);
        }
        let bytes = u64::from(block.len);
        let received = self.picker.receive(self.state.conn(), block, checksum);
        if received == ReceivedBlock::Unwanted {
            self.state.bytes_wasted = self.state.bytes_wasted.saturating_add(block.len);
            return received;
        }
        self.state.bytes_received.add(bytes);
        self.state.block_at = Stamp::of(self.now);
        self.state.idle_rounds = 0;
        self.swarm.blocks_received = true;
        self.state.flags.set_snubbed(false);
        self.state.flags.set_rejected_until_round(false);
        let [newest, _] = &mut self.state.received_bytes;
        *newest = newest.saturating_add(block.len);
        received
    }

    /// The peer does not answer a request; others may. It gets no other at once, or the two would request
    /// and reject for ever.
    fn rejected(&mut self, block: Block) {
        let sent = |request: &RequestSlot| request.step != Step::Due && request.block() == block;
        let place = self.requests.position(sent);
        let request = place.and_then(|place| self.requests.remove(place));
        if request.is_some_and(|request| request.step == Step::Sent) {
            self.state.flags.set_rejected_until_round(true);
            self.state.window = (self.state.window / 2).max(1);
            self.picker.release(self.state.conn(), block);
        }
    }
}

/// Returns a block with the padding behind it.
const fn with_padding(block: Block, padding: u32) -> Block {
    Block { len: block.len.saturating_add(padding), ..block }
}
