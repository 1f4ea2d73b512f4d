//! What a torrent does with what a peer sends.

use core::time::Duration;

use super::peer::{Link, PeerSlot, Phase, Step, UPLOADS};
use super::state::{View, holds, own, row, split};
use super::{Handled, PeerError, receive_len};
use crate::geometry::count;
use crate::rng::mix;
use crate::wire::{DecodeError, Handshake, LEN_LEN, Message, Piece};
use crate::{BLOCK_LEN, Bitfield, Block, ConnId, PieceIndex, Received};

/// The ids of the fast extension (BEP 6), which this crate does not offer.
const FAST: core::ops::RangeInclusive<u8> = 0x0D..=0x11;

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
        if handshake.info_hash != self.core.config.info_hash {
            return Err(PeerError::InfoHash(handshake.info_hash));
        }
        if handshake.peer_id == self.core.config.peer_id {
            return Err(PeerError::OwnId);
        }
        self.core.see(now);
        if let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) {
            link.phase = Phase::Ready;
            link.flags.ready = true;
            link.peer_id = handshake.peer_id;
            (link.heard_at, link.block_at) = (self.core.now, self.core.now);
        }
        Ok(Handled::Message { consumed: bytes.len().saturating_sub(rest.len()) })
    }

    fn message<'b>(
        &mut self,
        now: Duration,
        index: usize,
        bytes: &'b [u8],
    ) -> Result<Handled<'b>, PeerError> {
        let limit = count(receive_len(self.core.geometry.pieces()).saturating_sub(LEN_LEN));
        let (message, rest) = Message::decode(bytes, limit)?;
        let consumed = bytes.len().saturating_sub(rest.len());
        self.check(&message)?;
        self.core.see(now);
        let Some(PeerSlot(link)) = self.regions.peers.get_mut(index) else {
            return Ok(Handled::Gone);
        };
        if matches!(message, Message::Request(block) if link.is_busy(block)) {
            return Ok(Handled::Busy);
        }
        link.heard_at = self.core.now;
        match message {
            Message::Choke => self.choke(index),
            Message::Unchoke => {
                link.flags.unchokes_us = true;
                self.settle(Some(index));
            }
            Message::Interested | Message::NotInterested => {
                link.card.interested = message == Message::Interested;
                self.mend();
            }
            Message::Have(piece) => self.have(index, piece),
            Message::Bitfield(payload) => self.bitfield(index, payload),
            Message::Request(block) => link.request(block),
            Message::Cancel(block) => link.cancel(block),
            Message::Piece(piece) => {
                if self.piece(index, piece) {
                    let block = piece.block();
                    return Ok(Handled::Block { consumed, block, data: piece.data });
                }
            }
            Message::KeepAlive | Message::Port(_) | Message::Other { .. } => {}
        }
        Ok(Handled::Message { consumed })
    }

    /// Refuses what a peer must not say; nothing is changed yet.
    fn check(&self, message: &Message<'_>) -> Result<(), PeerError> {
        let geometry = self.core.geometry;
        let within = |block: Block| {
            let fits = geometry.contains(block) && block.len <= BLOCK_LEN;
            if fits { Ok(()) } else { Err(PeerError::Block(block)) }
        };
        match *message {
            Message::Have(piece) if piece.0 >= geometry.pieces() => Err(PeerError::Piece(piece)),
            Message::Bitfield(payload) => {
                Bitfield::new(geometry.pieces(), payload)?;
                Ok(())
            }
            Message::Request(block) => {
                within(block)?;
                let had = self.core.picker.is_had(self.regions.pieces, block.piece);
                if had { Ok(()) } else { Err(PeerError::NotHeld(block.piece)) }
            }
            Message::Piece(piece) => within(piece.block()),
            Message::Other { id, .. } if FAST.contains(&id) => Err(PeerError::FastOff(id)),
            _ => Ok(()),
        }
    }

    /// A choke drops all requests (BEP 3; without BEP 6 there are no rejects).
    fn choke(&mut self, index: usize) {
        let (mut picker, peers, _) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        link.flags.unchokes_us = false;
        if !link.asked.is_empty() {
            link.asked.clear();
            picker.abandon(link.card.conn);
        }
        self.settle(None);
    }

    fn have(&mut self, index: usize, piece: PieceIndex) {
        let now = self.core.now;
        let geometry = self.core.geometry;
        let (mut picker, peers, bits) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        let mut bits = Bitfield::trusted(geometry.pieces(), row(bits, geometry, index));
        if link.flags.seed || !bits.set(piece) {
            return; // old news
        }
        picker.have(piece);
        link.held = link.held.saturating_add(1);
        if !picker.state.is_had(picker.pieces, piece) {
            link.want(1, now);
            self.settle(Some(index));
        }
    }

    fn bitfield(&mut self, index: usize, payload: &[u8]) {
        let now = self.core.now;
        let geometry = self.core.geometry;
        let (mut picker, peers, bits) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return };
        // BEP 3 has it first and once; aria2 sends it again to sum up what it got meanwhile.
        picker.count(&holds(link, bits, geometry, index), false);
        row(bits, geometry, index).copy_from_slice(payload);
        link.held = Bitfield::trusted(geometry.pieces(), payload).count_ones();
        link.flags.seed = link.held == geometry.pieces() && link.held > 0;
        picker.count(&holds(link, bits, geometry, index), true);
        let ours = own(bits, geometry);
        let missing = payload.iter().zip(ours.as_bytes()).map(|(its, our)| its & !our);
        let wanted = missing.map(u8::count_ones).fold(0, u32::saturating_add);
        let more = wanted.saturating_sub(link.wanted);
        link.wanted = link.wanted.min(wanted);
        link.want(more, now);
        self.settle(Some(index));
    }

    /// Takes in a block; returns whether it was missing.
    fn piece(&mut self, index: usize, piece: Piece<'_>) -> bool {
        let (now, block) = (self.core.now, piece.block());
        let checksum = checksum(self.core.config.seed, piece.data);
        let (mut picker, peers, _) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return false };
        link.answered(block, now);
        let bytes = u64::from(block.len);
        let Received::Accepted { also, .. } = picker.receive(link.card.conn, block, checksum)
        else {
            link.traffic.bytes_wasted = link.traffic.bytes_wasted.saturating_add(bytes);
            self.settle(Some(index));
            return false;
        };
        link.block_at = now;
        link.flags.snubbed = false;
        link.traffic.blocks_taken = link.traffic.blocks_taken.saturating_add(1);
        link.traffic.bytes_taken = link.traffic.bytes_taken.saturating_add(bytes);
        let [newest, _] = &mut link.taken;
        *newest = newest.saturating_add(bytes);
        let other = also.and_then(|conn| self.live(conn));
        if let Some(PeerSlot(link)) = other.and_then(|index| self.regions.peers.get_mut(index)) {
            link.take_back(block);
        }
        self.settle(Some(index));
        self.settle(other);
        true
    }
}

impl Link {
    /// Counts pieces that we miss and the peer has.
    fn want(&mut self, pieces: u32, now: Duration) {
        if self.wanted == 0 {
            self.block_at = now; // from now on we wait for it
        }
        self.wanted = self.wanted.saturating_add(pieces);
        self.dry = None;
    }

    /// Returns whether a request cannot be kept in mind.
    fn is_busy(&self, block: Block) -> bool {
        self.flags.unchoked
            && self.uploads.len() >= UPLOADS
            && !self.uploads.iter().any(|known| *known == block)
    }

    /// Keeps a request in mind. A choked peer may have sent it before it knew.
    fn request(&mut self, block: Block) {
        if self.flags.unchoked && !self.uploads.iter().any(|known| *known == block) {
            let _ = self.uploads.push_back(block); // there is room: `is_busy`
        }
    }

    fn cancel(&mut self, block: Block) {
        for _ in 0..self.uploads.len() {
            match self.uploads.pop_front() {
                Some(known) if known != block => {
                    let _ = self.uploads.push_back(known); // its own place
                }
                _ => {}
            }
        }
    }

    /// Takes back a request that another peer answered.
    fn take_back(&mut self, block: Block) {
        self.asked.retain(|ask| ask.block != block || ask.step == Step::Sent);
        if let Some(ask) = self.asked.iter_mut().find(|ask| ask.block == block) {
            ask.step = Step::Cancel;
        }
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
