//! Equal shares of the bandwidth: every connection in turn sends a chunk.

use core::time::Duration;

use super::event::UploadEvent;
use super::logic::{Core, State};
use super::slots::{Body, Phase, UploadSlot};

/// Returns the length of the next chunk of a connection that may send one.
fn next_chunk(slot: &UploadSlot, chunk: u32) -> Option<u64> {
    match slot.client.as_ref()?.phase {
        Phase::Sending(Body { at, end, in_flight: 0, .. }) => {
            Some(end.saturating_sub(at).min(chunk.into()))
        }
        _ => None,
    }
}

/// Returns the connection whose turn it is, and the length of its chunk.
fn next_in_turn(slots: &[UploadSlot], turn: usize, chunk: u32) -> Option<(usize, u64)> {
    let count = slots.len();
    let begin = turn.saturating_add(1);
    let turns = (0..count).map(|step| begin.saturating_add(step).checked_rem(count));
    turns.flatten().find_map(|index| Some((index, next_chunk(slots.get(index)?, chunk)?)))
}

/// Returns when the bandwidth allows the next chunk; `None` if none waits for it.
pub(super) fn next_due(state: &State, slots: &[UploadSlot]) -> Option<Duration> {
    let (_, len) = next_in_turn(slots, state.turn, state.config.chunk)?;
    state.bucket.due(len)
}

impl Core<'_> {
    /// Lets the next connection send a chunk, if the bandwidth allows.
    pub(super) fn poll_send(&mut self) -> Option<UploadEvent> {
        let (index, len) = next_in_turn(self.slots, self.state.turn, self.state.config.chunk)?;
        if !self.state.bucket.can_send(len) {
            return None; // whose turn it is waits, so that a short chunk does not pass by
        }
        let deadline = self.after(self.state.config.send_timeout);
        let client = self.client(index)?;
        let Phase::Sending(body) = &mut client.phase else { return None };
        body.in_flight = len;
        client.deadline = deadline;
        let event = UploadEvent::Send { conn: client.conn, file: body.file, offset: body.at, len };
        self.state.bucket.spend(len);
        self.state.turn = index;
        Some(event)
    }
}
