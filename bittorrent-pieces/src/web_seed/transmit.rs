//! What a web seed sends to the torrent.

use super::inner::View;
use super::storage::{Step, WebFile};
use crate::bitfield::Bitfield;
use crate::block::PieceIndex;
use crate::error::BufferTooSmall;
use crate::index::{count, slot};
use crate::torrent::extension::frame;
use crate::wire::extended::{self, HandshakeDraft};
use crate::wire::fast::Fast;
use crate::wire::have::BITFIELD;
use crate::wire::piece::{HEADER_LEN, encode_header};
use crate::wire::{Handshake, LEN_LEN, Message, Reserved, field};

/// The name of the peer in its extended handshake.
const VERSION: &[u8] = b"web seed";

impl View<'_> {
    pub(super) fn transmit(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let len = match self.write_opening(buf)? {
            Some(len) => Some(len),
            None if self.core.handshake_received => self.write_message(buf)?,
            None => None,
        };
        if len.is_some() {
            self.core.sent_at = self.core.now;
            self.core.due.keepalive = false;
        }
        Ok(len)
    }

    /// Writes what is sent first: handshake, pieces, extended handshake.
    fn write_opening(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        if self.core.due.handshake {
            let reserved = if self.core.fast { Reserved::FAST } else { Reserved::default() };
            let extended =
                if self.core.extended { Reserved::EXTENDED } else { Reserved::default() };
            let reserved = reserved | extended;
            let info_hash = self.core.config.info_hash;
            let peer_id = self.core.config.peer_id;
            let len = Handshake { reserved, info_hash, peer_id }.encode(buf)?;
            self.core.due.handshake = false;
            return Ok(Some(len));
        }
        if self.core.due.pieces {
            let whole = !self.parts.files.iter().any(|file| file.missing);
            let len = if whole && self.core.fast {
                Fast::HaveAll.encode(buf)?
            } else {
                self.encode_pieces(buf)?
            };
            self.core.due.pieces = false;
            return Ok(Some(len));
        }
        if self.core.due.extended {
            let draft = HandshakeDraft {
                request_queue: Some(count(self.parts.requests.len())),
                upload_only: Some(true),
                version: Some(VERSION),
                ..HandshakeDraft::default()
            };
            let len = frame(extended::HANDSHAKE, buf, |body| draft.encode(body))?;
            self.core.due.extended = false;
            return Ok(Some(len));
        }
        Ok(None)
    }

    /// Writes the pieces that lie in files which the server has.
    fn encode_pieces(&self, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let pieces = self.core.pieces;
        let len = Bitfield::byte_len(pieces);
        let head = LEN_LEN.saturating_add(1);
        let needed = head.saturating_add(len);
        let mut out = field::Out::new(buf, needed)?;
        out.u32(count(len.saturating_add(1)));
        out.u8(BITFIELD);
        let mut bits = Bitfield::trusted(pieces, buf.get_mut(head..needed).unwrap_or_default());
        bits.fill();
        let piece_at = |at: u64| at.checked_div(u64::from(self.core.piece_len)).unwrap_or(0);
        let missing = |file: &&WebFile| file.missing && file.len > 0;
        for file in self.parts.files.iter().filter(missing) {
            let last = piece_at(file.end().saturating_sub(1)).min(u64::from(pieces));
            for piece in piece_at(file.offset)..=last {
                bits.clear(PieceIndex(u32::try_from(piece).unwrap_or(u32::MAX)));
            }
        }
        Ok(needed)
    }

    fn write_message(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let chokes = self.core.is_paused();
        if chokes != self.core.choke_sent {
            let message = if chokes { Message::Choke } else { Message::Unchoke };
            let len = message.encode(buf)?;
            self.core.choke_sent = chokes;
            return Ok(Some(len));
        }
        let rejected = self.parts.requests.iter().position(|slot| slot.step == Step::Reject);
        if let Some((at, slot)) = rejected.and_then(|at| Some((at, self.parts.requests.get(at)?))) {
            let len = Fast::Reject(slot.block()).encode(buf)?;
            self.remove(at);
            return Ok(Some(len));
        }
        if self.is_ready() {
            return self.write_block(buf);
        }
        if self.core.due.keepalive {
            return Ok(Some(Message::KeepAlive.encode(buf)?));
        }
        Ok(None)
    }

    /// Writes the block that has arrived, and goes on with the next.
    fn write_block(&mut self, buf: &mut [u8]) -> Result<Option<usize>, BufferTooSmall> {
        let Some((at, block)) = self.front() else { return Ok(None) };
        let data = self.parts.block.get(..slot(block.len)).unwrap_or_default();
        let needed = HEADER_LEN.saturating_add(data.len());
        let mut out = field::Out::new(buf, needed)?;
        let mut head = [0; HEADER_LEN];
        encode_header(block, &mut head)?;
        out.bytes(&head);
        out.bytes(data);
        self.remove(at);
        self.core.block_len = 0;
        self.advance();
        Ok(Some(needed))
    }
}
