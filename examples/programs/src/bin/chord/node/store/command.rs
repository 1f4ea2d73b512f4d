//! The client's side of a member: commands for the owner of a key, which may change meanwhile.

use core::time::Duration;

use chord_core::{Id160, LookupId};

use super::member::{Answer, Member, MemberEvent, PATIENCE, SILENCE};
use super::pending::{Action, PendingCommand};
use super::sync::STRAY;
use super::table::Origin;
use super::transfer::Transfer;

/// How long a command is tried.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many stray entries are on their way home at a time.
const MOST_RETURNS: usize = 8;

impl<A: Origin> Member<A> {
    pub(super) fn begin(&mut self, now: Duration, key: Id160, what: Action) {
        self.now = self.now.max(now);
        let token = self.next_token();
        self.commands.push(PendingCommand {
            what,
            key,
            token,
            lookup: None,
            owner: None,
            retry_at: self.now,
            until: self.after(DEADLINE),
        });
        self.retry_commands();
        self.listen(now);
    }

    pub(super) fn find_owner(&mut self, lookup: LookupId, owner: A) {
        let mut commands = self.commands.iter_mut();
        let Some(command) = commands.find(|command| command.lookup == Some(lookup)) else {
            return;
        };
        command.lookup = None;
        command.owner = Some(owner);
        let token = command.token;
        self.send_command(token);
    }

    /// Sends the command to the owner that was found.
    fn send_command(&mut self, token: u32) {
        let Some(command) = self.commands.iter().find(|command| command.token == token) else {
            return;
        };
        let Some(owner) = command.owner else { return };
        let key = command.key;
        let transfer = match &command.what {
            Action::Put(change) => Transfer::Put { token, key, change: change.clone() },
            Action::Get => Transfer::Get { token, key },
            Action::Return => {
                let entry = self.store.find(key).cloned();
                match (entry, self.store.lifetime(key, self.now)) {
                    (Some(entry), Some(lifetime)) if owner != self.node.me().address => {
                        Transfer::Copy { token, key, entry, lifetime }
                    }
                    _ => {
                        // This node is the owner again, or the entry ends.
                        self.commands.retain(|command| command.token != token);
                        return;
                    }
                }
            }
        };
        self.send(owner, transfer);
    }

    /// The receiver of the command has given its cookie.
    pub(super) fn resend_command(&mut self, from: A, token: u32) {
        let waits =
            |command: &PendingCommand<A>| command.token == token && command.owner == Some(from);
        if self.commands.iter().any(waits) {
            self.send_command(token);
        }
    }

    /// Looks the owner up again for commands that have waited for too long.
    pub(super) fn retry_commands(&mut self) {
        let now = self.now;
        let mut given_up = vec![];
        self.commands.retain(|command| {
            if command.until <= now && command.what != Action::Return {
                given_up.push(command.key);
            }
            command.until > now
        });
        let given_up = given_up.into_iter();
        self.events
            .extend(given_up.map(|key| MemberEvent::Answered { key, answer: Answer::GaveUp }));
        for command in self.commands.iter_mut().filter(|command| command.retry_at <= now) {
            command.owner = None;
            if let Some(lookup) = command.lookup.take() {
                self.node.cancel(lookup);
            }
            command.lookup = self.node.lookup(now, command.key).ok();
            let wait = if command.lookup.is_some() { SILENCE * 2 } else { PATIENCE };
            command.retry_at = now.saturating_add(wait);
        }
    }

    /// Ends a command with an answer of the owner it was sent to.
    pub(super) fn end(&mut self, from: A, token: u32, answer: Answer) {
        let sent = |command: &PendingCommand<A>| {
            let returns = command.what == Action::Return;
            command.token == token && command.owner == Some(from) && !returns
        };
        if let Some(at) = self.commands.iter().position(sent) {
            let key = self.commands.swap_remove(at).key;
            self.events.push_back(MemberEvent::Answered { key, answer });
        }
    }

    /// The owner cannot answer yet, or has changed: the command is retried later.
    pub(super) fn postpone(&mut self, token: u32) {
        let command = self.commands.iter_mut().find(|command| command.token == token);
        if let Some(command) = command {
            command.retry_at = self.now.saturating_add(PATIENCE);
            command.lookup = None;
            command.owner = None;
        }
    }

    /// Sends stray entries back to their owners.
    pub(super) fn return_strays(&mut self) {
        let then = self.now.saturating_sub(STRAY);
        loop {
            let returns = self.commands.iter().filter(|it| it.what == Action::Return);
            if returns.count() >= MOST_RETURNS {
                return;
            }
            let Some(key) = self.store.stray(then) else { return };
            if self.commands.iter().any(|it| it.what == Action::Return && it.key == key) {
                return;
            }
            self.begin(self.now, key, Action::Return);
        }
    }

    /// The owner has stored the stray entry, so it is dropped here.
    pub(super) fn finish_return(&mut self, from: A, token: u32) {
        let home = |command: &PendingCommand<A>| {
            let returns = command.what == Action::Return;
            command.token == token && command.owner == Some(from) && returns
        };
        if let Some(at) = self.commands.iter().position(home) {
            let command = self.commands.swap_remove(at);
            self.store.remove(command.key);
            self.return_strays();
        }
    }
}
