//! A question on its way: asked again while nobody answers, given up in the end. Whom it was put to, its
//! owner knows.

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

/// What the time brings for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It goes on waiting.
    Lasts,
    /// Nobody has answered any of the tries.
    Ends,
}

impl Request {
    pub(crate) fn new(now: Time, settings: &Settings, rng: &mut Rng) -> Self {
        let (token, tries) = (rng.next_u32(), settings.tries.saturating_sub(1));
        Self { token, tries, deadline: now.after(settings.patience), due: true }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, settings: &Settings) -> Patience {
        if self.deadline == Time::NEVER || self.deadline > now {
            return Patience::Lasts;
        }
        if !self.due {
            // A try that the driver has not yet sent says nothing about the peer.
            let Some(tries) = self.tries.checked_sub(1) else { return Patience::Ends };
            (self.tries, self.due) = (tries, true);
        }
        self.deadline = now.after(settings.patience);
        Patience::Lasts
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
