//! What a torrent has to say, derived from its state when asked.

use super::Transmit;
use super::peer::{Link, PeerSlot, Step};
use super::state::{View, own, split};
use crate::picker::{self, News};
use crate::wire::{Handshake, Message, Reserved, piece};
use crate::{BufferTooSmall, ConnId, PieceIndex};

impl View<'_, '_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let (start, end) = (self.core.cursor, self.regions.peers.len());
        for index in (start..end).chain(0..start.min(end)) {
            let sent = self.transmit_from(index, buf)?;
            if sent.is_some() {
                self.core.cursor = index.saturating_add(1); // then it is the next peer's turn
                return Ok(sent);
            }
        }
        Ok(None)
    }

    pub(super) fn transmit_to(
        &mut self,
        conn: ConnId,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        match self.live(conn) {
            Some(index) => self.transmit_from(index, buf),
            None => Ok(None),
        }
    }

    /// Writes the most urgent message to the peer of a slot.
    fn transmit_from(
        &mut self,
        index: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let now = self.core.now;
        let (had, completed) = (self.core.picker.have_count(), self.core.picker.completed());
        let (picker, peers, bits) = split(&mut self.core.picker, &mut self.regions);
        let Some(PeerSlot(link)) = peers.get_mut(index) else { return Ok(None) };
        let to = link.card.conn;
        if link.is_live() && !link.flags.greeted && (link.flags.dialled || link.is_ready()) {
            let (info_hash, peer_id) = (self.core.config.info_hash, self.core.config.peer_id);
            let handshake = Handshake { reserved: Reserved::default(), info_hash, peer_id };
            let len = handshake.encode(buf)?;
            link.flags.greeted = true;
            link.flags.announced = had == 0; // an empty bitfield may be left out
            link.told = completed;
            link.sent(now);
            return Ok(Some(Transmit { to, len, block: None }));
        }
        if !link.is_ready() {
            return Ok(None);
        }
        if !link.flags.announced {
            let len = Message::Bitfield(own(bits, self.core.geometry).as_bytes()).encode(buf)?;
            link.flags.announced = true;
            link.told = completed;
            link.sent(now);
            return Ok(Some(Transmit { to, len, block: None }));
        }
        let sent = match link.say(buf)? {
            Some(sent) => Some(sent),
            None => match link.next_have(&picker) {
                Some((piece, told, retell)) => {
                    let len = Message::Have(piece).encode(buf)?;
                    (link.told, link.retell) = (told, retell);
                    Some(Transmit { to, len, block: None })
                }
                None => link.upload(buf)?,
            },
        };
        if sent.is_some() {
            link.sent(now);
        }
        Ok(sent)
    }
}

impl Link {
    /// Returns the piece that the peer is to be told of next, and `told` and `retell` after that.
    fn next_have(&self, picker: &picker::View<'_>) -> Option<(PieceIndex, u32, Option<u32>)> {
        let again = |from| {
            let piece = picker.state.next_had(picker.pieces, from)?;
            Some((piece, piece.0.checked_add(1)))
        };
        if let Some((piece, retell)) = self.retell.and_then(again) {
            return Some((piece, self.told, retell));
        }
        match picker.state.news(self.told) {
            News::Nothing => None,
            News::Piece(piece) => Some((piece, self.told.wrapping_add(1), None)),
            News::Many => {
                // It was not told for so long that all are told again.
                again(0).map(|(piece, retell)| (piece, picker.state.completed(), retell))
            }
        }
    }

    /// Says what changed: choking, interest, requests.
    fn say(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let wants = self.wanted > 0;
        let ask = |step| self.asked.iter().position(|ask| ask.step == step);
        let urgent = ask(Step::Cancel).or_else(|| ask(Step::Due));
        let asked = urgent.and_then(|at| Some((at, *self.asked.get(at)?)));
        let message = if self.card.unchoked != self.flags.unchoked {
            if self.card.unchoked { Message::Unchoke } else { Message::Choke }
        } else if wants != self.flags.interested {
            if wants { Message::Interested } else { Message::NotInterested }
        } else if let Some((_, ask)) = asked {
            match ask.step {
                Step::Cancel => Message::Cancel(ask.block),
                Step::Due | Step::Sent => Message::Request(ask.block),
            }
        } else {
            return Ok(None);
        };
        let len = message.encode(buf)?;
        match (message, asked) {
            (Message::Choke, _) => {
                self.flags.unchoked = false;
                self.uploads.clear(); // without BEP 6 a choke drops all requests
            }
            (Message::Unchoke, _) => self.flags.unchoked = true,
            (Message::Interested | Message::NotInterested, _) => self.flags.interested = wants,
            (Message::Cancel(_), Some((at, _))) => {
                self.asked.remove(at);
            }
            (_, Some((at, _))) => {
                if let Some(ask) = self.asked.get_mut(at) {
                    ask.step = Step::Sent;
                }
            }
            _ => {}
        }
        Ok(Some(Transmit { to: self.card.conn, len, block: None }))
    }

    /// Gives the block that was asked for first, or at least a sign of life.
    fn upload(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let to = self.card.conn;
        if let Some(block) = self.uploads.front().copied() {
            let len = piece::encode_header(block, buf)?;
            let _ = self.uploads.pop_front(); // just written
            let bytes = u64::from(block.len);
            self.traffic.blocks_given = self.traffic.blocks_given.saturating_add(1);
            self.traffic.bytes_given = self.traffic.bytes_given.saturating_add(bytes);
            let [newest, _] = &mut self.given;
            *newest = newest.saturating_add(bytes);
            return Ok(Some(Transmit { to, len, block: Some(block) }));
        }
        if self.flags.keepalive {
            let len = Message::KeepAlive.encode(buf)?;
            return Ok(Some(Transmit { to, len, block: None }));
        }
        Ok(None)
    }
}
