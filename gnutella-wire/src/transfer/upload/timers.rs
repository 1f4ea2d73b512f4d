//! The timers of uploads: one deadline per connection, whose meaning depends on how far it is, and one
//! for the bandwidth.

use core::time::Duration;

use super::event::UploadCloseReason;
use super::logic::{Core, State};
use super::share;
use super::slots::{Client, Phase, UploadSlot};

/// What a connection's deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// A request is to come: `UploadConfig::request_timeout` after the last answer.
    Request,
    /// The application is to answer: `UploadConfig::request_timeout` after the request.
    Answer,
    /// The receiver is to take a chunk: `UploadConfig::send_timeout` after the last one.
    Send,
    /// The client is to ask again for its place: `UploadConfig::poll_max` after it was given.
    Poll,
}

impl Timer {
    const fn of(client: &Client) -> Self {
        match (client.phase, client.place) {
            (Phase::Idle, None) => Self::Request,
            (Phase::Idle, Some(_)) => Self::Poll,
            (Phase::Asked(_), _) => Self::Answer,
            (Phase::Sending(_), _) => Self::Send,
        }
    }
}

/// Returns the next deadline.
pub(super) fn next(state: &State, slots: &[UploadSlot]) -> Option<Duration> {
    let clients = slots.iter().filter_map(|slot| slot.client.as_ref());
    let deadline = clients.filter_map(|client| client.deadline).min();
    let bandwidth = share::next_due(state, slots);
    [deadline, bandwidth].into_iter().flatten().min()
}

impl Core<'_> {
    pub(super) fn handle_timeout(&mut self) {
        let now = self.state.now;
        for index in 0..self.slots.len() {
            let due = |client: &&mut Client| client.deadline.is_some_and(|due| due <= now);
            if let Some(client) = self.client(index).filter(due) {
                let reason = match Timer::of(client) {
                    Timer::Request => UploadCloseReason::Idle,
                    Timer::Answer => UploadCloseReason::NotAnswered,
                    Timer::Send => UploadCloseReason::Stalled,
                    Timer::Poll => UploadCloseReason::PlaceLost,
                };
                self.close(index, reason);
            }
        }
    }
}
