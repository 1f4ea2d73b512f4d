//! The client's side of a member: commands for the owner of a key, which may change meanwhile.

use core::time::Duration;

use chord_core::{Address, Id160, LookupId};

use super::member::{Member, MemberEvent, PATIENCE, SILENCE};
use super::pending::{Action, PendingCommand};
use super::transfer::Transfer;

/// How long a command is tried.
const DEADLINE: Duration = Duration::from_secs(30);

impl<A: Address> Member<A> {
    pub(crate) fn begin(&mut self, now: Duration, key: Id160, what: Action) {
        self.now = self.now.max(now);
        self.last_token = self.last_token.wrapping_add(1).max(1);
        self.commands.push(PendingCommand {
            what,
            key,
            token: self.last_token,
            lookup: None,
            retry_at: self.now,
            until: self.after(DEADLINE),
        });
        self.retry_commands();
        self.listen(now);
    }

    pub(crate) fn find_owner(&mut self, lookup: LookupId, owner: A) {
        let Some(command) = self.commands.iter_mut().find(|command| command.lookup == Some(lookup))
        else {
            return;
        };
        command.lookup = None;
        let token = command.token;
        let key = command.key;
        let transfer = match &command.what {
            Action::Put(value) => Transfer::Put { token, key, value: value.clone() },
            Action::Get => Transfer::Get { token, key },
            Action::Return => match self.store.find(key).cloned() {
                Some(entry) if owner != self.node.me().address => {
                    Transfer::Copy { token, key, entry }
                }
                _ => {
                    // This node is the owner again.
                    self.commands.retain(|command| command.token != token);
                    return;
                }
            },
        };
        self.send(owner, transfer);
    }

    /// Looks the owner up again for commands that have waited for too long.
    pub(crate) fn retry_commands(&mut self) {
        let now = self.now;
        let mut given_up = vec![];
        self.commands.retain(|command| {
            if command.until <= now && command.what != Action::Return {
                given_up.push(command.key);
            }
            command.until > now
        });
        self.events.extend(given_up.into_iter().map(|key| MemberEvent::GaveUp { key }));
        for command in self.commands.iter_mut().filter(|command| command.retry_at <= now) {
            command.lookup = self.node.lookup(now, command.key).ok();
            let wait = if command.lookup.is_some() { SILENCE * 2 } else { PATIENCE };
            command.retry_at = now.saturating_add(wait);
        }
    }

    pub(crate) fn end(&mut self, token: u32, event: impl FnOnce(&Self, Id160) -> MemberEvent<A>) {
        if let Some(at) = self.commands.iter().position(|command| command.token == token) {
            let command = self.commands.swap_remove(at);
            let event = event(self, command.key);
            self.events.push_back(event);
        }
    }

    /// The owner cannot answer yet, or has changed: the command is retried later.
    pub(crate) fn postpone(&mut self, token: u32) {
        let command = self.commands.iter_mut().find(|command| command.token == token);
        if let Some(command) = command {
            command.retry_at = self.now.saturating_add(PATIENCE);
            command.lookup = None;
        }
    }

    /// The owner has stored the stray entry, so it is dropped here.
    pub(crate) fn finish_return(&mut self, token: u32) {
        let home =
            |command: &PendingCommand| command.token == token && command.what == Action::Return;
        if let Some(at) = self.commands.iter().position(home) {
            let command = self.commands.swap_remove(at);
            self.store.drop(command.key);
        }
    }
}
