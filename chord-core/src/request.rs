//! A question on its way: asked again while nobody answers, given up in the end.

use core::time::Duration;

use crate::config::Config;
use crate::rng::Rng;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Request<A> {
    pub(crate) to: A,
    pub(crate) token: u32,
    /// How often it may still be asked after the one that runs.
    tries: u8,
    deadline: Option<Duration>, // `None`: beyond the end of time
    due: bool,                  // to be sent
}

/// What the time brings for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It goes on waiting.
    Lasts,
    /// Nobody has answered any of the tries.
    Ends,
}

impl<A: Copy + PartialEq> Request<A> {
    pub(crate) fn new(to: A, now: Duration, config: &Config, rng: &mut Rng) -> Self {
        let (token, tries) = (rng.next_u32(), config.tries.saturating_sub(1));
        Self { to, token, tries, deadline: deadline(now, config), due: true }
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, config: &Config) -> Patience {
        if self.deadline.is_none_or(|at| at > now) {
            return Patience::Lasts;
        }
        if !self.due {
            // A try that the driver has not yet sent says nothing about the peer.
            let Some(tries) = self.tries.checked_sub(1) else { return Patience::Ends };
            (self.tries, self.due) = (tries, true);
        }
        self.deadline = deadline(now, config);
        Patience::Lasts
    }

    pub(crate) fn set_sent(&mut self) {
        self.due = false;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.due
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    pub(crate) fn is_answered_by(&self, from: A, token: u32) -> bool {
        self.to == from && self.token == token
    }
}

fn deadline(now: Duration, config: &Config) -> Option<Duration> {
    now.checked_add(config.patience.max(Duration::from_millis(1)))
}

/// Returns the earlier of two points in time, of which `None` is beyond the end of time.
pub(crate) fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}
