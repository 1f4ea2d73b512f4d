//! What a torrent does with what a peer sends.

use core::time::Duration;

use super::peer::{Link, PeerSlot, Phase};
use super::queue::{Queue, RequestSlot, Step, queues};
use super::state::{View, holds, row, split};
use super::{Handled, PeerError, offered, receive_len};
use crate::geometry::count;
use crate::rng::mix;
use crate::small::{Maybe, Stamp};
use crate::wire::extended::EXTENDED;
use crate::wire::fast::{ALLOWED_FAST, Fast, allowed_fast};
use crate::wire::{DecodeError, Handshake, LEN_LEN, Message, Piece};
use crate::{Bitfield, Block, ConnId, PieceIndex, ReceivedBlock};

impl View<'_, '_> {
    pub(super) fn bytes<'b>(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Result<Handled<'b>, PeerError> {
        let Some(index) = self.live(conn) else {
            self.core.see(now);
            return Ok(Handled::Gone);
        };
        let greets = self.regions.peers.get(index).is_some_and(|slot| !slot.0.is_ready());
        let handled =
            if greets { self.greeting(now, index, bytes) } else { self.message(now, index, bytes) };
        match handled {
            Err(PeerError::Decode(DecodeError::Incomplete { needed })) => {
                self.core.see(now);
                Ok(Handled::Incomplete { needed })
            }
            handled => handled,
        }
    }

    fn greeting<'b>(
        &mut self,
        now: Duration,
        index: usize,
        bytes: &'b [u8],
    ) -> Result<Handled<'b>, PeerError> {
        let (handshake, rest) = Handshake::decode(bytes)?;
        offered(&handshake, self.core.config.info_hash, self.core.config.peer_id)?;
        self.core.see(now);
        if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
            link.phase = Phase::Arrived;
            link.flags.fast = self.core.config.fast && handshake.reserved.fast();
            link.flags.extended = handshake.reserved.extended();
            link.flags.dht = handshake.reserved.dht();
            // Without the fast extension, no pieces at all need not be told.
            let nothing = self.core.picker.have_count() == 0 || link.flags.poses;
            if !link.flags.fast && nothing {
                (link.flags.announced, link.told) = (true, self.core.picker.completed());
            }
            link.peer_id = handshake.peer_id;
            (link.heard_at, link.block_at) = (Stamp::of(self.core.now), Stamp::of(self.core.now));
        }
        self.offer(index);
        Ok(Handled::Message { consumed: bytes.len().saturating_sub(rest.len()) })
    }

    fn message<'b>(
        &mut self,
        now: Duration,
        index: usize,
        bytes: &'b [u8],
    ) -> Result<Handled<'b>, PeerError> {
        let limit = count(receive_len(self.core.geometry().pieces()).saturating_sub(LEN_LEN));
        let (message, rest) = Message::decode(bytes, limit)?;
        let consumed = bytes.len().saturating_sub(rest.len());
        let fast = Fast::of(&message)?;
        self.check(index, &message)?;
        self.check_fast(index, fast)?;
        if self.is_busy(index, &message) {
            self.core.see(now);
            return Ok(Handled::Busy);
        }
        let extended = self.regions.peers.get(index).is_some_and(|slot| slot.0.flags.extended);
        if let (Message::Other { id: EXTENDED, payload }, true) = (message, extended) {
            return self.extended(now, index, payload, consumed);
        }
        if self.hash_message(index, &message)? {
            self.core.see(now);
            if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                link.heard_at = Stamp::of(self.core.now);
            }
            return Ok(Handled::Message { consumed });
        }
        self.core.see(now);
        let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else {
            return Ok(Handled::Gone);
        };
        link.heard_at = Stamp::of(self.core.now);
        match message {
            Message::Choke => self.choke(index),
            Message::Unchoke => {
                link.flags.unchokes_us = true;
                link.flags.rests = false;
                self.settle(Some(index));
            }
            Message::Interested | Message::NotInterested => {
                link.card.interested = message == Message::Interested;
                self.mend();
            }
            Message::Have(piece) => self.have(index, piece),
            Message::Bitfield(payload) => self.bitfield(index, payload),
            Message::Request(block) => self.request(index, block),
            Message::Cancel(block) => self.cancel(index, block),
            Message::Piece(piece) => {
                if self.piece(index, piece) {
                    let block = piece.block();
                    return Ok(Handled::Block { consumed, block, data: piece.data });
                }
            }
            Message::Port(port) => return Ok(Handled::Node { consumed, port }),
            Message::KeepAlive | Message::Other { .. } => self.fast(index, fast),
        }
        Ok(Handled::Message { consumed })
    }

    /// A choke drops all requests (BEP 3), but under the fast extension each is rejected by itself.
    fn choke(&mut self, index: usize) {
        let count = self.regions.peers.len();
        let (mut picker, peers, _, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let (mut asked, _) = queues(requests, count, index);
        link.flags.unchokes_us = false;
        if link.flags.fast {
            for ask in asked.iter().filter(|ask| ask.step == Step::Due) {
                picker.release(link.card.conn, ask.block());
            }
            asked.retain(|ask| ask.step != Step::Due);
        } else if asked.len() > 0 {
            asked.clear();
            picker.abandon(link.card.conn);
        }
        self.settle(None);
    }

    fn have(&mut self, index: usize, piece: PieceIndex) {
        let now = self.core.now;
        let geometry = self.core.geometry();
        let (mut picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let mut bits = Bitfield::trusted(geometry.pieces(), row(bits, geometry, index));
        if link.flags.seed || !bits.set(piece) {
            return; // old news
        }
        picker.have(piece);
        link.held = link.held.saturating_add(1);
        if picker.state.is_sought(picker.pieces, piece) {
            link.want(1, now);
            self.settle(Some(index));
        }
        self.offer_after(index, piece);
    }

    fn bitfield(&mut self, index: usize, payload: &[u8]) {
        self.hold(index, |row| row.copy_from_slice(payload));
    }

    /// Notes which pieces a peer has. BEP 3 has it told first and once; aria2 tells it again to sum up
    /// what it got meanwhile.
    fn hold(&mut self, index: usize, write: impl FnOnce(&mut [u8])) {
        let now = self.core.now;
        let geometry = self.core.geometry();
        let (mut picker, peers, bits, _) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        picker.count(&holds(link, bits, geometry, index), false);
        let its = row(bits, geometry, index);
        write(its);
        let its = Bitfield::trusted(geometry.pieces(), &*its);
        link.held = its.count_ones();
        link.flags.seed = link.held == geometry.pieces() && link.held > 0;
        let wanted = picker.state.sought(picker.pieces, its);
        picker.count(&holds(link, bits, geometry, index), true);
        let more = wanted.saturating_sub(link.wanted);
        link.wanted = link.wanted.min(wanted);
        link.want(more, now);
        let (its, offer) = (holds(link, bits, geometry, index), link.offer.piece());
        let knew = offer.is_some_and(|piece| its.has(piece));
        self.settle(Some(index));
        if knew {
            self.offer(index); // it had the piece before it was told
        }
    }

    /// Keeps a request in mind. Without the fast extension a choked peer may have sent it before it
    /// knew; with it, each request gets its one answer.
    fn request(&mut self, index: usize, block: Block) {
        let had = self.core.picker.is_had(self.regions.pieces, block.piece);
        let count = self.regions.peers.len();
        let Some(PeerSlot(link)) = self.regions.peers.get(index) else { return };
        let flags = link.flags;
        let gives = had && (flags.unchoked || self.grants(index, block.piece));
        let (_, mut uploads) = queues(self.regions.requests, count, index);
        if flags.fast {
            let step = if gives { Step::Give } else { Step::Reject };
            uploads.push(RequestSlot::new(block, self.core.now, step)); // there is room: `is_busy`
        } else if flags.unchoked && !uploads.has(block) {
            uploads.push(RequestSlot::new(block, self.core.now, Step::Give));
        }
    }

    fn grants(&self, index: usize, piece: PieceIndex) -> bool {
        self.granted(index).is_some_and(|set| set.contains(&piece))
    }

    /// Returns the pieces that a peer gets even while choked, if it was told so.
    pub(super) fn granted(&self, index: usize) -> Option<heapless::Vec<PieceIndex, ALLOWED_FAST>> {
        let PeerSlot(link) = self.regions.peers.get(index)?;
        let core::net::SocketAddr::V4(addr) = link.addr.socket()? else { return None };
        if !link.flags.fast || link.flags.poses || self.core.config.upload_slots == 0 {
            return None;
        }
        let mut set = [PieceIndex(0); ALLOWED_FAST];
        let (hash, pieces) = (self.core.config.info_hash, self.core.geometry().pieces());
        let len = allowed_fast(*addr.ip(), hash, pieces, &mut set);
        set.get(..len).and_then(|set| heapless::Vec::from_slice(set).ok())
    }

    fn cancel(&mut self, index: usize, block: Block) {
        let count = self.regions.peers.len();
        let fast = self.is_fast(index);
        let (_, mut uploads) = queues(self.regions.requests, count, index);
        let place = uploads.position(|ask| ask.step == Step::Give && ask.block() == block);
        let Some(place) = place else { return };
        if !fast {
            uploads.remove(place);
        } else if let Some(slot) = uploads.get_mut(place) {
            slot.step = Step::Reject;
        }
    }

    /// Takes in a block; returns whether it was missing.
    fn piece(&mut self, index: usize, piece: Piece<'_>) -> bool {
        let (now, block, count) = (self.core.now, piece.block(), self.regions.peers.len());
        let checksum = checksum(self.core.config.seed, piece.data);
        let (mut picker, peers, _, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return false };
        let (mut asked, _) = queues(requests, count, index);
        if let Some(age) = link.answered(&mut asked, block, now) {
            let before = self.core.tempo;
            self.core.tempo = before.saturating_sub(before / 8).saturating_add(age / 8);
        }
        let bytes = u64::from(block.len);
        let ReceivedBlock::Accepted { also, .. } = picker.receive(link.card.conn, block, checksum)
        else {
            link.traffic.bytes_wasted = link.traffic.bytes_wasted.saturating_add(bytes);
            self.settle(Some(index));
            return false;
        };
        link.block_at = Stamp::of(now);
        (link.flags.snubbed, link.flags.rests) = (false, false);
        link.traffic.bytes_taken = link.traffic.bytes_taken.saturating_add(bytes);
        let [newest, _] = &mut link.taken;
        *newest = newest.saturating_add(block.len);
        let other = also.and_then(|conn| self.live(conn));
        if let Some(other) = other {
            let (mut asked, _) = queues(self.regions.requests, count, other);
            asked.retain(|ask| ask.step != Step::Due || ask.block() != block);
            asked.take_back(|ask| ask.block() == block);
        }
        self.settle(Some(index));
        self.settle(other);
        true
    }

    /// Takes in a message of the fast extension.
    fn fast(&mut self, index: usize, fast: Option<Fast>) {
        match fast {
            Some(Fast::HaveAll) => {
                let pieces = self.core.geometry().pieces();
                self.hold(index, |row| Bitfield::trusted(pieces, row).fill());
            }
            Some(Fast::HaveNone) => self.hold(index, |row| row.fill(0)),
            Some(Fast::Reject(block)) => self.rejected(index, block),
            Some(Fast::AllowedFast(piece)) => {
                let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else { return };
                if !link.allowed.contains(&piece) {
                    let _ = link.allowed.push(piece); // more than these are no loss
                }
                self.settle(Some(index));
            }
            Some(Fast::Suggest(piece)) => {
                if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
                    link.suggested = Maybe::some(piece.0); // the latest is the best
                }
            }
            None => {}
        }
    }

    /// A peer does not answer a request: others may. It is not asked again at once, or the two would
    /// ask and reject for ever.
    fn rejected(&mut self, index: usize, block: Block) {
        let count = self.regions.peers.len();
        let (mut picker, peers, _, requests) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let (mut asked, _) = queues(requests, count, index);
        let place = asked.position(|ask| ask.step != Step::Due && ask.block() == block);
        let ask = place.and_then(|at| asked.remove(at));
        if ask.is_some_and(|ask| ask.step == Step::Sent) {
            link.flags.rests = true;
            link.window = (link.window / 2).max(1);
            picker.release(link.card.conn, block);
        }
        self.settle(None);
    }
}

impl Link {
    /// Counts pieces that we miss, do not skip, and the peer has.
    pub(super) fn want(&mut self, pieces: u32, now: Duration) {
        if self.wanted == 0 {
            self.block_at = Stamp::of(now); // from now on we wait for it
        }
        self.wanted = self.wanted.saturating_add(pieces);
        self.dry = Maybe::NONE;
    }

    /// Counts one of these less.
    pub(super) fn lack(&mut self) {
        self.wanted = self.wanted.saturating_sub(1);
    }
}

impl Queue<'_> {
    /// Returns whether a peer waits for a block already.
    pub(super) fn has(&self, block: Block) -> bool {
        self.iter().any(|known| known.step == Step::Give && known.block() == block)
    }
}

/// Sums up a block so that two different ones are told apart, by a key that peers do not know.
fn checksum(seed: u64, data: &[u8]) -> u32 {
    let fold =
        |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let (words, rest) = data.as_chunks::<8>();
    let sum = words.iter().fold(mix(seed), |sum, word| fold(sum, u64::from_le_bytes(*word)));
    let sum = rest.iter().fold(sum, |sum, byte| fold(sum, u64::from(*byte)));
    let [a, b, c, d, ..] = mix(sum).to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
