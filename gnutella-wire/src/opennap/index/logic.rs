//! What an index does with a message, over plain slices.

use super::config::IndexConfig;
use super::entries::{self, NONE, slot, slot_mut};
use super::event::{IndexCloseReason, IndexEvent};
use super::key::{self, Kind as KeyKind};
use super::slots::{Bytes, Nick, Online, Reply, User, Watched};
use super::state::Core;
use crate::machine::{ConnId, Received};
use crate::opennap::frame::{Frame, Kind, NapError};
use crate::opennap::message::Message;
use crate::opennap::values::Login;
use crate::text::Text;
use core::net::Ipv4Addr;

impl Core<'_> {
    pub(super) fn handle_bytes(&mut self, at: u32, bytes: &[u8]) -> Option<Received<Kind>> {
        let frame = match Frame::decode(bytes, self.state.config.max_data) {
            Ok((frame, _)) => frame,
            Err(NapError::Incomplete { .. }) => return None,
            Err(error) => {
                self.close(at, IndexCloseReason::Frame(error));
                return Some(Received::skip(bytes.len()));
            }
        };
        let message = Message::from_frame(frame);
        let user = self.user(at)?;
        let lists =
            matches!(message, Ok(Message::Search(_) | Message::Browse(_) | Message::Private(..)));
        if !user.replies.has_room() || lists && user.listing.is_some() {
            return None; // first what is waiting has to go out
        }
        let is_online = user.online.is_some();
        if is_online {
            user.pinged = false;
            user.ping_due = false;
            self.unlist(at);
            self.rearm(at);
        }
        let reply = match message {
            Err(_) if is_online => Some(Reply::Notice("malformed fields")),
            Err(_) => Some(Reply::Error("malformed fields")),
            Ok(message) if is_online => self.handle_user(at, &message),
            Ok(message) => self.handle_stranger(at, &message),
        };
        if let Some(reply) = reply {
            self.reply(at, reply);
        }
        Some(Received { consumed: frame.encoded_len(), outcome: Some(frame.kind) })
    }

    fn handle_stranger(&mut self, at: u32, message: &Message<'_>) -> Option<Reply> {
        match message {
            Message::Login(login) | Message::NewUser(login, _) => self.login(at, login),
            Message::NickCheck(nick) => {
                Some(self.check(*nick).map_or_else(|why| why, |_| Reply::NickFree))
            }
            _ => Some(Reply::Error("log in first")),
        }
    }

    /// Returns the nick, if it is one and free.
    fn check(&self, nick: Text<'_>) -> Result<Nick, Reply> {
        let valid = !nick.as_bytes().contains(&b'"');
        let kept = Bytes::new(nick).filter(|_| valid).ok_or(Reply::NickInvalid)?;
        if self.named(nick).is_some() { Err(Reply::NickTaken) } else { Ok(kept) }
    }

    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    fn login(&mut self, at: u32, login: &Login<'_>) -> Option<Reply> {
        let nick = match self.check(login.nick) {
            Ok(nick) => nick,
            Err(Reply::NickTaken) => return Some(Reply::Error("this nick is in use")),
            Err(why) => return Some(why),
        };
        let hash = key::of_nick(self.state.config.seed, KeyKind::Nick, login.nick);
        let entry = self.insert_user_entry(hash, at);
        self.state.logins.remove(self.users, at);
        if let Some(user) = self.user(at) {
            user.online = Some(Online { nick, entry, port: login.port, speed: login.link });
        }
        self.state.online = self.state.online.saturating_add(1);
        self.rearm(at);
        self.reply(at, Reply::LoginAck);
        self.notify_hotlists(&nick);
        None
    }

    fn handle_user(&mut self, at: u32, message: &Message<'_>) -> Option<Reply> {
        match *message {
            Message::Share(file) => self.share(at, &file),
            Message::ShareFolder(folder) => self.share_folder(at, &folder),
            Message::Unshare(name) => self.unshare(at, name),
            Message::Search(search) => self.search(at, &search),
            Message::Browse(nick) => self.browse(at, nick),
            Message::Download(wanted) => self.download(at, &wanted),
            Message::DownloadFirewalled(wanted) => self.download_pushed(at, &wanted),
            Message::UploadAccept(wanted) => self.accept(at, &wanted),
            Message::UploadLimit(wanted, limit) => {
                self.decline(at, &wanted, Some(limit));
                None
            }
            Message::AcceptFailed(wanted) => {
                self.decline(at, &wanted, None);
                None
            }
            Message::PortError(nick) => self.relay(at, nick, Reply::PortError),
            Message::PingUser(nick) => self.relay(at, nick, Reply::UserPing),
            Message::Pong(nick) if self.named(nick).is_some() => {
                self.relay(at, nick, Reply::UserPong)
            }
            Message::Private(nick, text) => self.send_private(at, nick, text),
            Message::HotlistAdd(nick) | Message::HotlistInit(nick) => self.watch(at, nick),
            Message::HotlistRemove(nick) => self.unwatch(at, nick),
            Message::SpeedRequest(nick) => {
                let online = self.named(nick).and_then(|at| self.online_at(at));
                let speed = online.map(|online| Reply::Speed(online.nick, online.speed));
                Some(speed.unwrap_or(Reply::Notice("no such user")))
            }
            Message::StatsRequest | Message::Stats(..) => Some(Reply::Stats),
            Message::Ping(_) => Some(Reply::Pong),
            Message::Login(_) | Message::NewUser(..) => Some(Reply::Notice("logged in already")),
            Message::NickCheck(nick) => {
                Some(self.check(nick).map_or_else(|why| why, |_| Reply::NickFree))
            }
            Message::Other(frame) if frame.kind == Kind::RESUME => Some(Reply::ResumeEnd),
            Message::Other(frame) if frame.kind != Kind::LOGIN_OPTIONS => {
                Some(Reply::Notice("this index does not support that"))
            }
            _ => None, // counts of transfers, pongs, and what only an index sends
        }
    }

    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    fn watch(&mut self, at: u32, nick: Text<'_>) -> Option<Reply> {
        let Some(kept) = Bytes::new(nick) else { return Some(Reply::Notice("no such user")) };
        let hash = key::of_nick(self.state.config.seed, KeyKind::Hotlist, nick);
        let due = self.named(nick).is_some();
        let hotlist = &mut self.user(at)?.hotlist;
        if let Some(old) = hotlist.iter_mut().flatten().find(|old| is_same(&old.nick, nick)) {
            old.due |= due;
        } else {
            let free = hotlist.iter().position(Option::is_none);
            let Some(free) = free else { return Some(Reply::HotlistError(kept)) };
            let entry = self.insert_user_entry(hash, at);
            let watched = Watched { nick: kept, entry, due };
            *self.user(at)?.hotlist.get_mut(free)? = Some(watched);
        }
        Some(Reply::HotlistAck(kept)) // and then whether it is there
    }

    #[cfg_attr(target_os = "none", inline(never))] // not on the stack of the other messages
    fn unwatch(&mut self, at: u32, nick: Text<'_>) -> Option<Reply> {
        let hotlist = &mut self.user(at)?.hotlist;
        let is = |kept: &&mut Option<Watched>| kept.is_some_and(|kept| is_same(&kept.nick, nick));
        let Watched { entry, .. } = hotlist.iter_mut().find(is)?.take()?;
        self.remove_user_entry(entry);
        self.unlist(at);
        None
    }

    /// Notifies the users that have a nick on their hotlists. They receive what holds when it is sent, so that none
    /// misses the last change however many there are at once.
    fn notify_hotlists(&mut self, nick: &Nick) {
        let hash = key::of_nick(self.state.config.seed, KeyKind::Hotlist, nick.text());
        let mut entry = entries::first(self.entries, hash);
        while let Some(watcher) = entries::value(self.entries, hash, entry) {
            let hotlist = self.user(watcher).map(|user| &mut user.hotlist);
            let mut nicks = hotlist.into_iter().flatten().flatten();
            if let Some(watched) = nicks.find(|watched| is_same(&watched.nick, nick.text())) {
                watched.due = true;
                self.state.replies.push(self.users, watcher);
            }
            entry = entries::next(self.entries, hash, entry);
        }
    }

    /// Returns a free slot for a connection.
    pub(super) fn free_user(&self) -> Option<u32> {
        let freed = self.state.free_users.head();
        let at = if freed == NONE { self.state.fresh_user } else { freed };
        slot(self.users, at).map(|_| at)
    }

    /// Begins a connection in a free slot.
    pub(super) fn connected(&mut self, at: u32, conn: ConnId, ip: Ipv4Addr) {
        if at == self.state.fresh_user {
            self.state.fresh_user = self.state.fresh_user.saturating_add(1);
        } else {
            self.state.free_users.remove(self.users, at);
        }
        let seed = self.state.config.seed;
        let [address, network] = key::of_address(seed, ip);
        let hashes = [key::of_conn(seed, conn.0), address, network];
        let entries = hashes.map(|hash| self.insert_user_entry(hash, at));
        if let Some(slot) = slot_mut(self.users, at) {
            slot.user = Some(User::new(conn, ip, entries));
        }
        self.rearm(at);
    }

    /// Returns the limit that one more connection from `ip` would exceed.
    pub(super) fn crowded(&self, ip: Ipv4Addr) -> Option<u32> {
        let IndexConfig { seed, max_per_address, max_per_network, .. } = self.state.config;
        let limits = [(32, max_per_address), (16, max_per_network)];
        let mut keys = key::of_address(seed, ip).into_iter().zip(limits);
        let is_full = |(hash, (bits, limit)): (u32, (u32, u32))| {
            limit < u32::MAX && self.is_full(hash, ip, bits, limit)
        };
        keys.find(|key| is_full(*key)).map(|(_, (_, limit))| limit)
    }

    /// Returns whether `limit` connections or more share the first `bits` of their addresses with `ip`.
    fn is_full(&self, hash: u32, ip: Ipv4Addr, bits: u32, limit: u32) -> bool {
        let own = ip.to_bits();
        let mut left = limit;
        let mut entry = entries::first(self.entries, hash);
        while left > 0 {
            let Some(at) = entries::value(self.entries, hash, entry) else { return false };
            let user = slot(self.users, at).and_then(|slot| slot.user.as_ref());
            let is_near =
                user.is_some_and(|user| (user.ip.to_bits() ^ own).leading_zeros() >= bits);
            left = left.saturating_sub(is_near.into());
            entry = entries::next(self.entries, hash, entry);
        }
        true
    }

    pub(super) fn close(&mut self, at: u32, reason: IndexCloseReason) {
        let Some(conn) = self.user(at).map(|user| user.conn) else { return };
        self.remove(at);
        self.state.free_users.remove(self.users, at);
        if let Some(slot) = slot_mut(self.users, at) {
            slot.event = Some(IndexEvent::Closed { conn, reason });
        }
        self.state.events.push(self.users, at);
    }

    pub(super) fn poll_event(&mut self) -> Option<IndexEvent> {
        let at = self.state.events.head();
        let event = slot_mut(self.users, at)?.event.take();
        self.state.events.remove(self.users, at);
        self.state.free_users.push(self.users, at);
        event
    }

    /// Removes a user and its files, and notifies the users that have it on their hotlist.
    pub(super) fn remove(&mut self, at: u32) {
        self.set_listing(at, None);
        while let Some(file) = self.user(at).map(|user| user.first_file).filter(|at| *at != NONE) {
            self.remove_file(file);
        }
        let Some(user) = slot_mut(self.users, at).and_then(|slot| slot.user.take()) else { return };
        let online = user.online;
        let hotlist = user.hotlist;
        for entry in user.entries {
            self.remove_user_entry(entry);
        }
        for watched in hotlist.into_iter().flatten() {
            self.remove_user_entry(watched.entry);
        }
        self.state.deadlines(online.is_some()).remove(self.users, at);
        self.state.replies.remove(self.users, at);
        self.state.wanted.remove(self.users, at);
        self.state.free_users.push(self.users, at);
        if let Some(Online { nick, entry, .. }) = online {
            self.remove_user_entry(entry);
            self.state.online = self.state.online.saturating_sub(1);
            self.notify_hotlists(&nick);
        }
    }
}

fn is_same(nick: &Nick, other: Text<'_>) -> bool {
    nick.text().as_bytes().eq_ignore_ascii_case(other.as_bytes())
}
