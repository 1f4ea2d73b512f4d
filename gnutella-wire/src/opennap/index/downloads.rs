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
use super::slots::{Answer, Bytes, FileId, Name, Nick, Online, Reply, Row, WantedFile};
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
        self.ask(at, owner, id, false, wanted)
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
        self.ask(at, owner, id, true, wanted)
    }

    fn ask(
        &mut self,
        at: u32,
        owner: u32,
        id: FileId,
        pushed: bool,
        wanted: &Wanted<'_>,
    ) -> Option<Reply> {
        let nick = self.online_at(at)?.nick;
        if !self.user(owner)?.replies.has_room() {
            return self.refuse(at, wanted); // it does not read what is sent to it
        }
        let file = WantedFile { id, pushed, since: self.state.now, answer: None };
        if !self.user(at)?.want(file) {
            return Some(Reply::AcceptFailed(id)); // it waits for too many others
        }
        self.watch_wanted(at);
        self.reply(owner, Reply::Request(id, nick));
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
        let Some(user) = self.user(at) else { return };
        user.wanted_until = None;
        let mut waits = false;
        let mut is_due = false;
        for wanted in user.wanted.iter_mut().flatten().filter(|wanted| wanted.answer.is_none()) {
            let is_over = now.saturating_sub(wanted.since) >= timeout;
            wanted.answer = is_over.then_some(Answer::Failed);
            is_due |= is_over;
            waits |= !is_over;
        }
        if is_due {
            self.state.replies.push(self.users, at);
        }
        if waits {
            self.watch_wanted(at);
        }
    }

    /// Handles 608: the sharer at `at` agrees to send a file to a user that asked for it.
    pub(super) fn accept(&mut self, at: u32, accepted: &Wanted<'_>) -> Option<Reply> {
        let (asker, id) = self.asked_for(at, accepted)?;
        let wanted = self.user(asker)?.wanted_mut(id)?;
        if wanted.is_some_and(|wanted| wanted.pushed) {
            *wanted = None; // the sharer receives the answer
            let online = *self.online_at(asker)?;
            let address = NapAddress::from(self.user(asker)?.ip);
            return Some(Reply::Deliver(id, online, address));
        }
        self.answer(asker, id, Answer::Accepted);
        None
    }

    /// Handles 609 and 619: the sharer lets nobody have the file now.
    pub(super) fn decline(&mut self, at: u32, declined: &Wanted<'_>, limit: Option<u32>) {
        if let Some((asker, id)) = self.asked_for(at, declined) {
            let limit = limit.map(|limit| Answer::Limit(limit.to_le_bytes()));
            self.answer(asker, id, limit.unwrap_or(Answer::Failed));
        }
    }

    /// Stores what a sharer answered, until it is sent.
    fn answer(&mut self, asker: u32, id: FileId, answer: Answer) {
        let wanted = self.user(asker).and_then(|user| user.wanted_mut(id)?.as_mut());
        if let Some(wanted) = wanted {
            wanted.answer = Some(answer);
            self.state.replies.push(self.users, asker);
        }
    }

    /// Handles 626, 751 and 752: sends the nick of this user to another one.
    pub(super) fn relay(
        &mut self,
        at: u32,
        nick: Text<'_>,
        reply: fn(Nick) -> Reply,
    ) -> Option<Reply> {
        let own = self.online_at(at)?.nick;
        let Some(other) = self.named(nick) else { return Some(Reply::Notice("no such user")) };
        if !self.user(other)?.replies.has_room() {
            return Some(Reply::Notice("that user does not read what is sent to it"));
        }
        self.reply(other, reply(own));
        None
    }

    /// Returns the user that asked the sharer at `at` for a file. What nobody asked for is ignored.
    fn asked_for(&mut self, at: u32, wanted: &Wanted<'_>) -> Option<(u32, FileId)> {
        let id = self.file_id(at, wanted.name)?;
        let asker = self.named(wanted.nick)?;
        self.user(asker)?.wanted_mut(id)?;
        Some((asker, id))
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
