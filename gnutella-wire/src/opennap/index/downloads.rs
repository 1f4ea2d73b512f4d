//! Who wants which file: requests, the answer of the sharer, and where each end is to connect.
//!
//! | step | message |
//! |---|---|
//! | a user wants a file | 203; 500 if the sharer cannot be connected to |
//! | the sharer is asked | 607 |
//! | it agrees | 608; 619 if it allows no more uploads |
//! | the user receives the address | 204; 620 with the limit |
//! | or, after 500, the sharer receives that of the user | 501 |

use super::files::row;
use super::slots::{Bytes, FileId, Name, Online, Reply, Row, WantedFile};
use super::state::Core;
use crate::opennap::values::{NapAddress, Wanted};
use crate::text::Text;

impl Core<'_> {
    /// Handles 203. A sharer with port 0 is not asked: its address without a port tells the other end to ask for
    /// a push.
    pub(super) fn download(&mut self, at: u32, wanted: &Wanted<'_>) -> Option<Reply> {
        let Some((owner, id)) = self.wanted_file(wanted) else { return self.refuse(at, wanted) };
        if self.online_at(owner)?.port == 0 {
            return Some(Reply::Source(id));
        }
        self.ask(at, owner, WantedFile { id, pushed: false, since: self.state.now }, wanted)
    }

    /// Handles 500.
    pub(super) fn download_pushed(&mut self, at: u32, wanted: &Wanted<'_>) -> Option<Reply> {
        let Some((owner, id)) = self.wanted_file(wanted) else { return self.refuse(at, wanted) };
        if self.online_at(owner)?.port != 0 {
            return Some(Reply::Notice("the sharer is not behind a firewall"));
        }
        if self.online_at(at)?.port == 0 {
            return Some(Reply::FirewallError(id));
        }
        self.ask(at, owner, WantedFile { id, pushed: true, since: self.state.now }, wanted)
    }

    fn ask(&mut self, at: u32, owner: u32, file: WantedFile, wanted: &Wanted<'_>) -> Option<Reply> {
        let nick = self.online_at(at)?.nick;
        if !self.user(owner)?.replies.has_room() {
            return self.refuse(at, wanted); // it does not read what is sent to it
        }
        self.user(at)?.want(file);
        self.watch_wanted(at);
        self.reply(owner, Reply::Request(file.id, nick));
        None
    }

    /// Sets when the files that a user wants are looked at, unless it is set.
    pub(super) fn watch_wanted(&mut self, at: u32) {
        let until = self.state.now.checked_add(self.state.config.request_timeout);
        let Some(user) = self.user(at) else { return };
        if user.wanted_until.is_none() && until.is_some() {
            user.wanted_until = until;
            self.state.wanted.push(self.users, at);
        }
    }

    /// Reports the files whose sharers have not answered in time.
    pub(super) fn expire_wanted(&mut self, at: u32) {
        self.state.wanted.remove(self.users, at);
        let now = self.state.now;
        let timeout = self.state.config.request_timeout;
        let Some(mut user) = self.user(at) else { return };
        user.wanted_until = None;
        let is_over = |wanted: &&mut Option<WantedFile>| {
            wanted.is_some_and(|wanted| now.saturating_sub(wanted.since) >= timeout)
        };
        while user.replies.has_room()
            && let Some(wanted) = user.wanted.iter_mut().find(is_over).and_then(Option::take)
        {
            user.replies.push(Reply::AcceptFailed(wanted.id));
            self.state.replies.push(self.users, at);
            let Some(again) = self.user(at) else { return };
            user = again;
        }
        if user.wanted.iter().any(Option::is_some) {
            self.watch_wanted(at);
        }
    }

    /// Handles 608: the sharer at `at` lets a user have a file that the user asked for.
    pub(super) fn accept(&mut self, at: u32, accepted: &Wanted<'_>) -> Option<Reply> {
        let (asker, file) = self.asked_for(at, accepted)?;
        if !file.pushed {
            self.reply(asker, Reply::Source(file.id));
            return None;
        }
        let online = *self.online_at(asker)?;
        let address = NapAddress::from(self.user(asker)?.ip);
        Some(Reply::Deliver(file.id, online, address))
    }

    /// Handles 609 and 619: the sharer lets nobody have the file now.
    pub(super) fn decline(&mut self, at: u32, declined: &Wanted<'_>, limit: Option<u32>) {
        if let Some((asker, WantedFile { id, .. })) = self.asked_for(at, declined) {
            self.reply(
                asker,
                limit.map_or(Reply::AcceptFailed(id), |limit| Reply::Limit(id, limit)),
            );
        }
    }

    /// Handles 626: a user could not connect to another, which learns it.
    pub(super) fn report_port(&mut self, at: u32, nick: Text<'_>) -> Option<Reply> {
        let own = self.online_at(at)?.nick;
        match self.named(nick) {
            Some(other) => {
                self.reply(other, Reply::PortError(own));
                None
            }
            None => Some(Reply::Notice("no such user")),
        }
    }

    /// Returns the user that asked the sharer at `at` for a file, which it then no longer waits for. What nobody
    /// asked for is ignored. A user that does not read what is sent to it waits on: it receives 609 after the timeout.
    fn asked_for(&mut self, at: u32, wanted: &Wanted<'_>) -> Option<(u32, WantedFile)> {
        let id = self.file_id(at, wanted.name)?;
        let asker = self.named(wanted.nick)?;
        let user = self.user(asker).filter(|user| !user.replies.is_full())?;
        Some((asker, user.take_wanted(id)?))
    }

    fn wanted_file(&self, wanted: &Wanted<'_>) -> Option<(u32, FileId)> {
        let owner = self.named(wanted.nick)?;
        Some((owner, self.file_id(owner, wanted.name)?))
    }

    fn refuse(&mut self, at: u32, wanted: &Wanted<'_>) -> Option<Reply> {
        let user = self.user(at)?;
        let kept = Bytes::new(wanted.nick).zip(Name::new(wanted.name));
        if kept.is_none() || user.refused.is_some() {
            return Some(Reply::Notice("no such file"));
        }
        user.refused = kept;
        Some(Reply::Refused)
    }

    /// Returns a file that is still shared, and its sharer.
    pub(super) fn shared(&self, id: FileId) -> Option<(&Row, &Online, NapAddress)> {
        let row = row(self.files, id)?;
        let online = self.online_at(row.owner)?;
        let user = super::entries::slot(self.users, row.owner)?.user.as_ref()?;
        Some((row, online, user.ip.into()))
    }
}
