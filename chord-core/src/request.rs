//! A question in flight: asked again while no answer comes, given up in the end. Its owner knows the
//! addressee.

use crate::config::Settings;
use crate::rng::Rng;
use crate::time::Time;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    deadline: Time,
    pub(crate) token: u32,
    /// How often it may still be asked after the one that runs.
    tries: u8,
    due: bool, // to be sent
}

/// Returns a token that nobody can know who has not seen the question.
fn token(rng: &mut Rng) -> u32 {
    u32::try_from(rng.next_u64() >> 32).unwrap_or(u32::MAX)
}

/// What the time brings for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestStatus {
    /// It goes on waiting.
    Waiting,
    /// Nobody has answered any of the tries.
    Failed,
}

impl Request {
    pub(crate) fn new(now: Time, settings: &Settings, rng: &mut Rng) -> Self {
        let tries = settings.tries.saturating_sub(1);
        Self { token: token(rng), tries, deadline: now.after(settings.patience), due: true }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, settings: &Settings) -> RequestStatus {
        if self.deadline == Time::NEVER || self.deadline > now {
            return RequestStatus::Waiting;
        }
        if !self.due {
            // A try that the driver has not yet sent says nothing about the peer.
            let Some(tries) = self.tries.checked_sub(1) else { return RequestStatus::Failed };
            self.tries = tries;
            self.due = true;
        }
        self.deadline = now.after(settings.patience);
        RequestStatus::Waiting
    }

    /// Returns how often it may still be asked after the try that runs.
    pub(crate) fn tries_left(&self) -> u8 {
        self.tries
    }

    /// Returns whether no try has been given up.
    pub(crate) fn is_first(&self, settings: &Settings) -> bool {
        self.tries.saturating_add(1) >= settings.tries
    }

    pub(crate) fn set_sent(&mut self) {
        self.due = false;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    pub(crate) fn deadline(&self) -> Time {
        self.deadline
    }
}
