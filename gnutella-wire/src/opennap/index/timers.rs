//! The timers of an index: one deadline per user, whose meaning depends on how far the user is, one for the files
//! that it wants, and one for searches.

use core::time::Duration;

use super::entries::{NONE, slot};
use super::event::IndexCloseReason;
use super::lists::List;
use super::slots::{User, UserSlot};
use super::state::{Core, State};

/// How long searches pause after a slice. A slice is shorter than a millisecond.
const PAUSE: Duration = Duration::from_millis(1);

/// What an index waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The connection is to log in: `IndexConfig::login_timeout` after it was opened.
    Login,
    /// The user is silent and is to be pinged: `IndexConfig::idle` after its last message.
    Ping,
    /// The user is to answer a ping: `IndexConfig::idle` after it.
    Pong,
    /// A sharer is to answer that a file is wanted: `IndexConfig::request_timeout`.
    Request,
    /// Searches go on: a millisecond after a slice in which no row was found.
    Search,
}

impl Timer {
    const fn of(user: &User) -> Self {
        match (user.online.is_some(), user.pinged) {
            (false, _) => Self::Login,
            (true, false) => Self::Ping,
            (true, true) => Self::Pong,
        }
    }
}

/// Returns the earliest deadline.
pub(super) fn deadline(state: &State, users: &[UserSlot]) -> Option<Duration> {
    let first = |list: &List| slot(users, list.head())?.user.as_ref()?.deadline;
    let wanting = slot(users, state.wanted.head());
    let wanted = wanting.and_then(|slot| slot.user.as_ref()?.wanted_until);
    let users = [first(&state.logins), first(&state.idles)].into_iter().flatten().min();
    let waits = state.paused && state.searches.head() != NONE;
    let search = state.resume_at.filter(|at| waits && *at > state.now);
    [users, search, wanted].into_iter().flatten().min()
}

impl Core<'_> {
    pub(super) fn handle_timeout(&mut self) {
        let now = self.state.now;
        if self.may_search() {
            self.fire(0, Timer::Search);
        }
        while let Some(user) = slot(self.users, self.state.wanted.head())
            && let Some(user) = user.user.as_ref()
            && user.wanted_until.is_some_and(|until| until <= now)
        {
            self.fire(self.state.wanted.head(), Timer::Request);
        }
        loop {
            let heads = [self.state.logins.head(), self.state.idles.head()];
            let due = heads.into_iter().find_map(|at| {
                let user = slot(self.users, at)?.user.as_ref()?;
                user.deadline.is_some_and(|due| due <= now).then_some((at, Timer::of(user)))
            });
            let Some((at, timer)) = due else { break };
            self.fire(at, timer);
        }
    }

    fn fire(&mut self, at: u32, timer: Timer) {
        match timer {
            Timer::Login => self.close(at, IndexCloseReason::LoginTimedOut),
            Timer::Pong => self.close(at, IndexCloseReason::Silent),
            Timer::Ping => {
                if let Some(user) = self.user(at) {
                    user.pinged = true;
                    user.ping_due = true;
                }
                self.rearm(at);
                self.state.replies.push(self.users, at);
            }
            Timer::Request => self.expire_wanted(at),
            Timer::Search => self.state.paused = false,
        }
    }

    /// Pauses all searches.
    pub(super) fn pause(&mut self) {
        self.state.paused = true;
        self.state.resume_at = self.state.now.checked_add(PAUSE);
    }

    /// Returns whether searches may go on.
    pub(super) fn may_search(&self) -> bool {
        !self.state.paused || self.state.resume_at.is_some_and(|at| at <= self.state.now)
    }
}
