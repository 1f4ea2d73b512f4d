//! Requests as they arrive, and the answer to what is not one.

use super::event::{Asked, UploadCloseReason};
use super::logic::Core;
use super::slots::{Phase, UploadSlot, Wish};
use crate::error::{BufferTooSmall, DecodeError};
use crate::head::{Head, empty_lines};
use crate::http::{Request, Response, Version};
use crate::machine::{Received, Transmit};

impl Core<'_> {
    pub(super) fn handle_bytes<'b>(
        &mut self,
        index: usize,
        bytes: &'b [u8],
    ) -> Received<Asked<'b>> {
        let is_idle = self.client(index).is_some_and(|client| client.phase == Phase::Idle);
        if !is_idle || bytes.is_empty() {
            return Received::WAIT;
        }
        let empty = empty_lines(bytes);
        if empty > 0 {
            return Received::skip(empty); // the deadline stays
        }
        let (head, rest) = match Head::decode(bytes, self.state.config.head) {
            Ok(decoded) => decoded,
            Err(DecodeError::Incomplete { .. }) => return Received::WAIT,
            Err(_) => return self.malformed(index, bytes),
        };
        let Ok(request) = Request::from_head(&head) else { return self.malformed(index, bytes) };
        if self.polled_too_early(index) {
            self.close(index, UploadCloseReason::PolledTooEarly);
            return Received::skip(bytes.len());
        }
        let deadline = self.after(self.state.config.request_timeout);
        if let Some(client) = self.client(index) {
            client.phase = Phase::Asked(Wish {
                method: request.method,
                version: request.version,
                keep_alive: request.keep_alive,
                range: request.range,
                can_queue: head.header("X-Queue").is_some(),
            });
            client.deadline = deadline;
        }
        let consumed = bytes.len().saturating_sub(rest.len());
        Received { consumed, outcome: Some(Asked { request, head }) }
    }

    fn malformed<'b>(&mut self, index: usize, bytes: &'b [u8]) -> Received<Asked<'b>> {
        self.close(index, UploadCloseReason::Malformed);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.refusal_due = true;
        }
        Received::skip(bytes.len())
    }

    /// Counts a request that comes before the time that the queue allows; the second in a row is too many.
    fn polled_too_early(&mut self, index: usize) -> bool {
        let now = self.state.now;
        let Some(client) = self.client(index) else { return false };
        let from = client.place.and_then(|place| place.poll_from);
        let is_early = from.is_some_and(|from| now < from);
        client.early_polls = if is_early { client.early_polls.saturating_add(1) } else { 0 };
        client.early_polls > 1
    }

    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let due = |slot: &&mut UploadSlot| slot.refusal_due;
        let Some(slot) = self.slots.iter_mut().find(due) else { return Ok(None) };
        let Some((conn, _)) = slot.closed else { return Ok(None) };
        let refusal = Response::refusal(Version::Http11, 400, "Bad Request");
        let len = refusal.encode(&[], buf)?;
        slot.refusal_due = false;
        Ok(Some(Transmit { conn, len }))
    }
}
