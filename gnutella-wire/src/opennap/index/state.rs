//! What an index remembers besides its storage, and both together at work.

use core::time::Duration;

use super::config::IndexConfig;
use super::entries::{Entries, EntrySlot, EntryUse, NONE, slot, slot_mut};
use super::key::{self, Kind};
use super::link::By;
use super::lists::List;
use super::slots::{FileSlot, Online, Reply, User, UserSlot};
use crate::machine::ConnId;
use crate::text::Text;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) config: IndexConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) stamp: u32, // of the last file, so that a reply knows its file from another in the same slot
    pub(super) entries: EntryUse,
    pub(super) reserved: usize, // entries that users may still need
    pub(super) online: u32,
    pub(super) files: u32,
    pub(super) bytes: u64,      // of all files
    pub(super) fresh_user: u32, // slots from here on were never used
    pub(super) fresh_file: u32,
    pub(super) free_file: u32,
    pub(super) free_users: List,
    pub(super) logins: List, // the two lists of deadlines
    pub(super) idles: List,
    pub(super) replies: List,
    pub(super) lists: List,
    pub(super) searches: List,
    pub(super) events: List,
    pub(super) wanted: List,
    pub(super) paused: bool,                // searches are
    pub(super) resume_at: Option<Duration>, // when they go on
}

/// An index at work, whatever its storage is.
pub(super) struct Core<'m> {
    pub(super) state: &'m mut State,
    pub(super) users: &'m mut [UserSlot],
    pub(super) files: &'m mut [FileSlot],
    pub(super) entries: &'m mut [EntrySlot],
}

impl State {
    pub(super) const fn new(config: IndexConfig, reserved: usize) -> Self {
        Self {
            config,
            now: Duration::ZERO,
            stamp: 0,
            entries: EntryUse::NONE,
            reserved,
            online: 0,
            files: 0,
            bytes: 0,
            fresh_user: 0,
            fresh_file: 0,
            free_file: NONE,
            free_users: List::new(By::Deadline),
            logins: List::new(By::Deadline),
            idles: List::new(By::Deadline),
            replies: List::new(By::Replies),
            lists: List::new(By::Rows),
            searches: List::new(By::Rows),
            events: List::new(By::Events),
            wanted: List::new(By::Wanted),
            paused: false,
            resume_at: None,
        }
    }

    /// Returns the list of deadlines of users that are logged in, or of those that are not. Both lists use the same
    /// link of a slot, so a user is removed from its own list only.
    pub(super) const fn deadlines(&mut self, is_online: bool) -> &mut List {
        if is_online { &mut self.idles } else { &mut self.logins }
    }
}

/// Returns the slot of a connection.
pub(super) fn find_conn(
    users: &[UserSlot],
    entries: &[EntrySlot],
    seed: u64,
    conn: ConnId,
) -> Option<u32> {
    let hash = key::of_conn(seed, conn.0);
    let is = |at: u32| slot(users, at)?.user.as_ref().filter(|user| user.conn == conn).map(|_| at);
    find(entries, hash, is)
}

/// Returns the first entry's value that `is` accepts.
pub(super) fn find(
    entries: &[EntrySlot],
    hash: u32,
    is: impl Fn(u32) -> Option<u32>,
) -> Option<u32> {
    let mut at = super::entries::first(entries, hash);
    while at != NONE {
        if let Some(found) = super::entries::value(entries, hash, at).and_then(&is) {
            return Some(found);
        }
        at = super::entries::next(entries, hash, at);
    }
    None
}

impl Core<'_> {
    pub(super) fn table(&mut self) -> Entries<'_> {
        Entries { slots: self.entries, usage: &mut self.state.entries }
    }

    pub(super) fn user(&mut self, at: u32) -> Option<&mut User> {
        slot_mut(self.users, at)?.user.as_mut()
    }

    pub(super) fn online_at(&self, at: u32) -> Option<&Online> {
        slot(self.users, at)?.user.as_ref()?.online.as_ref()
    }

    /// Returns the slot of the user with that nick, in any case.
    pub(super) fn named(&self, nick: Text<'_>) -> Option<u32> {
        let hash = key::of_nick(self.state.config.seed, Kind::Nick, nick);
        let same =
            |online: &&Online| online.nick.text().as_bytes().eq_ignore_ascii_case(nick.as_bytes());
        find(self.entries, hash, |at| self.online_at(at).filter(same).map(|_| at))
    }

    /// Appends a reply to what is due to a user. A user whose replies are full misses it.
    pub(super) fn reply(&mut self, at: u32, reply: Reply) {
        if let Some(user) = self.user(at) {
            user.replies.push(reply);
            self.state.replies.push(self.users, at);
        }
    }

    /// Takes a user from the list of those with something to be sent, if there is nothing more.
    pub(super) fn unlist(&mut self, at: u32) {
        if self.user(at).is_none_or(|user| user.due().is_none()) {
            self.state.replies.remove(self.users, at);
        }
    }

    /// Inserts an entry of a user, for which there is always a slot.
    pub(super) fn insert_user_entry(&mut self, hash: u32, at: u32) -> u32 {
        self.state.reserved = self.state.reserved.saturating_sub(1);
        self.table().insert(hash, at, NONE).unwrap_or(NONE)
    }

    /// Removes an entry of a user.
    pub(super) fn remove_user_entry(&mut self, entry: u32) {
        self.state.reserved = self.state.reserved.saturating_add(1);
        self.table().remove(entry);
    }

    /// Sets when a user has been silent for too long, or should have logged in.
    pub(super) fn rearm(&mut self, at: u32) {
        let Some(user) = slot_mut(self.users, at).and_then(|slot| slot.user.as_mut()) else {
            return;
        };
        let is_online = user.online.is_some();
        let config = &self.state.config;
        let wait = if is_online { config.idle } else { config.login_timeout };
        user.deadline = self.state.now.checked_add(wait);
        let ever = user.deadline.is_none();
        let list = self.state.deadlines(is_online);
        list.remove(self.users, at);
        if !ever {
            list.push(self.users, at);
        }
    }
}
