//! Bodies: bytes of the file, of a tree, or of a refusal.

use super::event::{DownloadCloseReason, Piece};
use super::logic::Core;
use super::slots::{Body, BodyKind, Phase};
use crate::head::empty_lines;
use crate::machine::{ConnId, Received};
use crate::transfer::chunked::{Chunk, Chunked};

impl Core<'_> {
    pub(super) fn handle_bytes<'b>(
        &mut self,
        index: usize,
        conn: ConnId,
        bytes: &'b [u8],
    ) -> Received<Piece<'b>> {
        if bytes.is_empty() {
            return Received::WAIT;
        }
        match self.peer(index).map(|peer| peer.phase) {
            Some(Phase::Head(_, wanted)) => {
                let empty = empty_lines(bytes);
                if empty > 0 {
                    return Received::skip(empty); // the deadline stays
                }
                Received::skip(self.handle_head(index, conn, wanted, bytes))
            }
            Some(Phase::Body(_, body)) => self.handle_body(index, body, bytes),
            _ => {
                self.close_failed(index, DownloadCloseReason::Malformed); // nothing was asked for
                Received::skip(bytes.len())
            }
        }
    }

    fn handle_body<'b>(
        &mut self,
        index: usize,
        body: Body,
        bytes: &'b [u8],
    ) -> Received<Piece<'b>> {
        let rest = usize::try_from(body.end.saturating_sub(body.at)).unwrap_or(usize::MAX);
        let mut bytes = bytes;
        if let Some(chunked) = body.chunked {
            match chunked.read(bytes) {
                Chunk::Incomplete => return Received::WAIT,
                Chunk::Framing(len, next) => {
                    self.set_chunked(index, next);
                    return Received::skip(len);
                }
                Chunk::Data(len) if rest > 0 => bytes = bytes.get(..len).unwrap_or(bytes),
                Chunk::End(len) => {
                    self.finish_body(index);
                    return Received::skip(len);
                }
                Chunk::Data(len) if body.kind == BodyKind::Discard => {
                    self.end_discard(index); // it is longer than what is worth reading
                    return Received::skip(len);
                }
                Chunk::Data(_) | Chunk::Malformed => {
                    self.close_failed(index, DownloadCloseReason::Malformed);
                    return Received::skip(bytes.len());
                }
            }
        }
        let bytes = bytes.get(..rest).unwrap_or(bytes);
        let received = match body.kind {
            BodyKind::Part => self.handle_part(index, body.at, bytes),
            BodyKind::Discard => Received::skip(bytes.len()),
            BodyKind::Tree => {
                let Ok(consumed) = self.handle_tree(bytes, rest == bytes.len()) else {
                    self.refuse_tree(index);
                    return Received::skip(bytes.len());
                };
                Received::skip(consumed)
            }
        };
        if received.consumed > 0 {
            self.advance_body(index, received.consumed, received.outcome.is_some());
        }
        received
    }

    /// Handles bytes of the file that begin at `at`: at most up to the end of a block.
    fn handle_part<'b>(&mut self, index: usize, at: u64, bytes: &'b [u8]) -> Received<Piece<'b>> {
        let block = self.state.geometry.block_at(at);
        let (begin, end) = self.state.geometry.span(block);
        let room = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).max(1);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        let Some(id) = self.peer(index).map(|peer| peer.id) else { return Received::WAIT };
        let owned = self.block(block).filter(|slot| slot.owner == id);
        let Some(next) = owned.map(|slot| begin.saturating_add(slot.have)) else {
            return Received::skip(bytes.len()); // another source has sent it
        };
        if at > next {
            return Received::skip(bytes.len()); // the beginning of the block is missing
        }
        if at < next {
            let known = usize::try_from(next.saturating_sub(at)).unwrap_or(usize::MAX);
            return Received::skip(known.min(bytes.len()));
        }
        let now = self.state.now;
        if let Some(peer) = self.peer(index) {
            peer.rate.add(now, bytes.len());
            peer.delivered = peer.delivered.saturating_add(length(bytes));
        }
        self.fill(block, id, length(bytes));
        Received { consumed: bytes.len(), outcome: Some(Piece { offset: at, bytes }) }
    }

    fn set_chunked(&mut self, index: usize, chunked: Chunked) {
        let Some(peer) = self.peer(index) else { return };
        if let Phase::Body(_, body) = &mut peer.phase {
            body.chunked = Some(chunked); // the deadline stays: this is not progress
        }
    }

    fn advance_body(&mut self, index: usize, consumed: usize, is_useful: bool) {
        let deadline = self.after(self.state.config.stall_timeout);
        let Some(peer) = self.peer(index) else { return };
        let Phase::Body(_, body) = &mut peer.phase else { return };
        body.at = body.at.saturating_add(u64::try_from(consumed).unwrap_or(u64::MAX));
        body.is_useful |= is_useful || body.kind != BodyKind::Part;
        body.chunked = body.chunked.map(|chunked| chunked.advance(consumed));
        let is_complete = body.at >= body.end && body.chunked.is_none();
        if body.kind != BodyKind::Discard {
            peer.deadline = deadline; // what is not wanted has one for the whole
        }
        if is_complete {
            self.finish_body(index);
        } else {
            self.close_superseded(index);
        }
    }

    /// Closes a connection instead of reading on what is not wanted.
    fn end_discard(&mut self, index: usize) {
        if let Some(peer) = self.peer(index)
            && let Phase::Body(_, body) = &mut peer.phase
        {
            body.keep_alive = false;
        }
        self.finish_body(index);
    }

    /// The answer is complete: the connection is free, waits in a queue, or closes.
    pub(super) fn finish_body(&mut self, index: usize) {
        let place_deadline = |core: &Self, index: usize| {
            let place = core.sources.get(index)?.peer.as_ref()?.place?;
            Some(core.after(place.poll_after))
        };
        let queued = place_deadline(self, index);
        let keep_alive = self.after(self.state.config.keep_alive);
        let Some(peer) = self.peer(index) else { return };
        let Phase::Body(conn, body) = peer.phase else { return };
        if body.kind == BodyKind::Part {
            if !body.is_useful {
                return self.close_failed(index, DownloadCloseReason::Malformed);
            }
            peer.failures = 0;
        }
        if !body.keep_alive {
            let reason = match queued {
                Some(_) => DownloadCloseReason::Busy,
                None => DownloadCloseReason::Finished,
            };
            self.close(index, reason);
            if let (Some(deadline), Some(peer)) = (queued, self.peer(index)) {
                peer.deadline = deadline;
            }
            return;
        }
        if let Some(deadline) = queued {
            self.release(index);
            if let Some(peer) = self.peer(index) {
                peer.phase = Phase::Queued(conn);
                peer.deadline = deadline;
            }
            return;
        }
        peer.phase = Phase::Ready(conn);
        peer.deadline = keep_alive;
        self.state.is_dirty = true;
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
