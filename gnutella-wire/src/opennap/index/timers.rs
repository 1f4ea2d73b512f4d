//! The timers of an index: one deadline per user, whose meaning depends on how far the user is.

use super::event::IndexCloseReason;
use super::logic::Core;
use super::slots::{Reply, User};

/// What a user's deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The connection is to log in: `IndexConfig::login_timeout` after it was opened.
    Login,
    /// The user is silent and is to be pinged: `IndexConfig::idle` after its last message.
    Ping,
    /// The user is to answer a ping: `IndexConfig::idle` after it.
    Pong,
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

impl Core<'_> {
    pub(super) fn handle_timeout(&mut self) {
        let now = self.state.now;
        for index in 0..self.users.len() {
            let due = |user: &&mut User| user.deadline.is_some_and(|due| due <= now);
            if let Some(user) = self.user(index).filter(due) {
                let timer = Timer::of(user);
                self.fire(index, timer);
            }
        }
    }

    fn fire(&mut self, index: usize, timer: Timer) {
        let deadline = self.state.now.checked_add(self.state.config.idle);
        match timer {
            Timer::Login => self.close(index, IndexCloseReason::LoginTimedOut),
            Timer::Pong => self.close(index, IndexCloseReason::Silent),
            Timer::Ping => {
                if let Some(user) = self.user(index) {
                    user.pinged = true;
                    user.deadline = deadline;
                    user.replies.push(Reply::Ping);
                }
            }
        }
    }
}
