//! What a web seed does with the messages of the torrent.

use core::time::Duration;

use super::event::CloseReason;
use super::inner::{Exchange, View};
use super::storage::{Step, WebRequestSlot};
use crate::block::Block;
use crate::index::count;
use crate::torrent::receive_len;
use crate::wire::{DecodeError, Handshake, Message};

impl View<'_> {
    pub(super) fn bytes(&mut self, now: Duration, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut consumed = 0_usize;
        loop {
            let rest = bytes.get(consumed..).unwrap_or_default();
            let decoded = if self.core.handshake_received {
                self.message(rest)
            } else {
                self.handshake(rest)
            };
            match decoded {
                Ok(Some(len)) => consumed = consumed.saturating_add(len),
                Ok(None) | Err(DecodeError::Incomplete { .. }) => break,
                Err(error) if consumed == 0 => return Err(error),
                Err(_) => break, // the next call returns it
            }
        }
        self.core.advance_clock(now);
        if consumed > 0 {
            self.advance();
        }
        Ok(consumed)
    }

    fn handshake(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        let (handshake, _) = Handshake::decode(bytes)?;
        self.core.handshake_received = true;
        self.core.fast = handshake.reserved.fast();
        self.core.extended = handshake.reserved.extended();
        self.core.due.handshake = true;
        self.core.due.pieces = true;
        self.core.due.extended = self.core.extended;
        if handshake.info_hash != self.core.config.info_hash {
            self.close(CloseReason::WrongTorrent);
        }
        Ok(Some(Handshake::LEN))
    }

    /// Processes a message; `None` if there is no room for it now.
    fn message(&mut self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        let (message, rest) = Message::decode(bytes, count(receive_len(self.core.pieces)))?;
        let len = bytes.len().saturating_sub(rest.len());
        match message {
            Message::Request(block) => return Ok(self.request(block).then_some(len)),
            Message::Cancel(block) => self.cancel(block),
            _ => {} // the torrent has nothing that a server wants
        }
        Ok(Some(len))
    }

    fn request(&mut self, block: Block) -> bool {
        let serves = !self.core.is_paused() && self.core.contains(block);
        if serves || self.core.fast {
            let step = if serves { Step::Serve } else { Step::Reject };
            return self.push(WebRequestSlot::new(block, step));
        }
        true
    }

    /// Cancels a request, unless it is part of the request over HTTP: then the block is sent all the same.
    fn cancel(&mut self, block: Block) {
        let covered = self.covered();
        let mut served = 0_usize;
        for at in 0..self.parts.requests.len() {
            let Some(slot) = self.parts.requests.get(at).copied() else { break };
            if slot.step != Step::Serve {
                continue;
            }
            served = served.saturating_add(1);
            if slot.block() == block && served > covered {
                self.refuse(at);
                return;
            }
        }
    }

    /// Returns how many blocks of the queue the request over HTTP covers, wholly or in part.
    fn covered(&self) -> usize {
        let begun = usize::from(self.core.block_len > 0);
        let left = match self.core.exchange {
            Exchange::Idle | Exchange::Pause { .. } => return begun,
            Exchange::Asked(get) => get.len,
            Exchange::Body { left, .. } => left,
        };
        let got = u64::try_from(self.core.block_len).unwrap_or(u64::MAX);
        let mut bytes = left.saturating_add(got);
        let mut blocks = 0_usize;
        for slot in self.parts.requests.iter().filter(|slot| slot.step == Step::Serve) {
            if bytes == 0 {
                break;
            }
            blocks = blocks.saturating_add(1);
            bytes = bytes.saturating_sub(u64::from(slot.block().len));
        }
        blocks.max(begun)
    }
}
