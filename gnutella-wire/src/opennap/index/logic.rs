//! What an index does, over plain slices.

use super::config::IndexConfig;
use super::event::{IndexCloseReason, IndexEvent};
use super::slots::{
    Bytes, FileSlot, Listing, Name, Nick, Online, Reply, Row, User, UserSlot, Words,
};
use core::time::Duration;

use crate::machine::{ConnId, Received};
use crate::opennap::frame::{Frame, Kind, NapError};
use crate::opennap::message::Message;
use crate::opennap::search::{MAX_RESULTS, Search};
use crate::opennap::values::{File, Login, NapAddress, Wanted};
use crate::text::Text;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub(super) config: IndexConfig,
    pub(super) now: Duration, // the newest seen
    pub(super) stamp: u32, // of the last file, so that a reply knows its file from another in the same slot
    pub(super) turn: usize, // the user that was sent to last
}

pub(super) struct Core<'m> {
    pub(super) state: &'m mut State,
    pub(super) users: &'m mut [UserSlot],
    pub(super) files: &'m mut [FileSlot],
}

/// Returns the slot of a connection.
pub(super) fn find(users: &[UserSlot], conn: ConnId) -> Option<usize> {
    users.iter().position(|slot| slot.user.as_ref().is_some_and(|user| user.conn == conn))
}

/// Returns how many users are logged in.
pub(super) fn online(users: &[UserSlot]) -> usize {
    users.iter().filter_map(|slot| slot.user.as_ref()).filter(|user| user.online.is_some()).count()
}

/// Returns the slot of the user with that nick, in any case.
pub(super) fn named(users: &[UserSlot], nick: Text<'_>) -> Option<usize> {
    let is = |online: &Online| online.nick.text().as_bytes().eq_ignore_ascii_case(nick.as_bytes());
    users
        .iter()
        .position(|slot| slot.user.as_ref().and_then(|user| user.online.as_ref()).is_some_and(is))
}

impl Core<'_> {
    pub(super) fn handle_bytes(&mut self, index: usize, bytes: &[u8]) -> Option<Received<Kind>> {
        let frame = match Frame::decode(bytes, self.state.config.max_data) {
            Ok((frame, _)) => frame,
            Err(NapError::Incomplete { .. }) => return None,
            Err(error) => {
                self.close(index, IndexCloseReason::Frame(error));
                return Some(Received::skip(bytes.len()));
            }
        };
        let message = Message::from_frame(frame);
        let now = self.state.now;
        let idle = self.state.config.idle;
        let user = self.user(index)?;
        let lists = matches!(message, Ok(Message::Search(_) | Message::Browse(_)));
        if !user.replies.has_room() || lists && user.listing.is_some() {
            return None; // first what is waiting has to go out
        }
        if user.online.is_some() {
            user.pinged = false;
            user.deadline = now.checked_add(idle);
        }
        let reply = match (&user.online, message) {
            (_, Err(_)) => Some(Reply::Error("malformed fields")),
            (None, Ok(message)) => Some(self.handle_stranger(index, &message)),
            (Some(_), Ok(message)) => self.handle_user(index, &message),
        };
        if let Some(reply) = reply {
            self.tell(index, reply);
        }
        Some(Received { consumed: frame.encoded_len(), outcome: Some(frame.kind) })
    }

    fn handle_stranger(&mut self, index: usize, message: &Message<'_>) -> Reply {
        match message {
            Message::Login(login) | Message::NewUser(login, _) => self.login(index, login),
            Message::NickCheck(nick) => {
                self.check(*nick).map_or_else(|why| why, |_| Reply::NickFree)
            }
            _ => Reply::Error("log in first"),
        }
    }

    /// Returns the nick, if it is one and free.
    fn check(&self, nick: Text<'_>) -> Result<Nick, Reply> {
        let sound = !nick.as_bytes().contains(&b'"');
        let kept = Bytes::new(nick).filter(|_| sound).ok_or(Reply::NickInvalid)?;
        if named(self.users, nick).is_some() { Err(Reply::NickTaken) } else { Ok(kept) }
    }

    fn login(&mut self, index: usize, login: &Login<'_>) -> Reply {
        let nick = match self.check(login.nick) {
            Ok(nick) => nick,
            Err(Reply::NickTaken) => return Reply::Error("this nick is in use"),
            Err(_) => return Reply::Error("a nick has at most 19 letters and no quotes"),
        };
        let online = Online { nick, port: login.port, speed: login.link };
        let due = self.state.now.checked_add(self.state.config.idle);
        if let Some(user) = self.user(index) {
            user.online = Some(online);
            user.deadline = due;
        }
        self.tell_hotlists(&nick, Reply::UserOn(nick, login.link));
        Reply::LoginAck
    }

    fn handle_user(&mut self, index: usize, message: &Message<'_>) -> Option<Reply> {
        match *message {
            Message::Share(file) => self.share(index, &file),
            Message::Unshare(name) => match self.row(index, name) {
                Some(at) => {
                    self.files.get_mut(at)?.0 = None;
                    None
                }
                None => Some(Reply::Error("this file is not shared")),
            },
            Message::Search(search) => self.search(index, &search),
            Message::Browse(nick) => self.browse(index, nick),
            Message::Download(wanted) => self.download(index, &wanted),
            Message::DownloadFirewalled(wanted) => self.deliver(index, &wanted),
            Message::HotlistAdd(nick) | Message::HotlistInit(nick) => self.watch(index, nick),
            Message::HotlistRemove(nick) => {
                let hotlist = &mut self.user(index)?.hotlist;
                let is = |kept: &&mut Option<Nick>| kept.is_some_and(|kept| kept.text() == nick);
                *hotlist.iter_mut().find(is)? = None;
                None
            }
            Message::SpeedRequest(nick) => Some(match self.online(nick) {
                Some(Online { nick, speed, .. }) => Reply::Speed(nick, speed),
                None => Reply::Error("no such user"),
            }),
            Message::Stats(..) => Some(Reply::Stats),
            Message::Ping(_) => Some(Reply::Pong),
            Message::Login(_) | Message::NewUser(..) => Some(Reply::Error("logged in already")),
            _ => None, // counts of transfers, pongs, and what is not known here
        }
    }

    fn share(&mut self, index: usize, file: &File<'_>) -> Option<Reply> {
        let mine = |slot: &&FileSlot| slot.0.as_ref().is_some_and(|row| row.owner == index);
        let count = self.files.iter().filter(mine).count();
        let old = self.row(index, file.name);
        let full = u32::try_from(count).is_ok_and(|count| count >= self.state.config.max_files);
        if old.is_none() && full {
            return Some(Reply::Error("you share too many files"));
        }
        let stamp = self.state.stamp.wrapping_add(1);
        let Some(row) = Row::new(index, stamp, file) else {
            return Some(Reply::Error("the name of the file is too long"));
        };
        let at = old.or_else(|| self.files.iter().position(|slot| slot.0.is_none()));
        match at.and_then(|at| self.files.get_mut(at)) {
            Some(slot) => {
                slot.0 = Some(row);
                self.state.stamp = stamp;
                None
            }
            None => Some(Reply::Error("the index is full")),
        }
    }

    fn search(&mut self, index: usize, search: &Search<'_>) -> Option<Reply> {
        let mut words = Words::new(search.artist.unwrap_or_default());
        if let (Some(words), Some(title)) = (&mut words, search.title) {
            let space = Text::new(b" ").unwrap_or_default();
            if words.append(space).and_then(|()| words.append(title)).is_none() {
                return Some(Reply::Error("the search is too long"));
            }
        }
        let Some(words) = words else { return Some(Reply::Error("the search is too long")) };
        if words_of(words.text()).next().is_none() {
            return Some(Reply::Error("search for words"));
        }
        let left = search.max_results.unwrap_or(MAX_RESULTS).min(MAX_RESULTS);
        let bounds = [search.speed, search.bitrate, search.frequency];
        self.user(index)?.listing = Some(Listing::Search { words, bounds, left, next: 0 });
        None
    }

    fn browse(&mut self, index: usize, nick: Text<'_>) -> Option<Reply> {
        let Some(kept) = Bytes::new(nick) else { return Some(Reply::Error("no such user")) };
        match named(self.users, nick) {
            Some(owner) => {
                self.user(index)?.listing = Some(Listing::Browse { owner, nick: kept, next: 0 });
                None
            }
            None => Some(Reply::BrowseEnd(kept)),
        }
    }

    fn download(&mut self, index: usize, wanted: &Wanted<'_>) -> Option<Reply> {
        let row = named(self.users, wanted.nick).and_then(|owner| self.row(owner, wanted.name));
        match row.and_then(|at| Some((at, self.files.get(at)?.0.as_ref()?.stamp))) {
            Some((file, stamp)) => Some(Reply::Source { file, stamp }),
            None => self.refuse(index, wanted),
        }
    }

    /// Asks a sharer behind a firewall to connect to the user that wants the file.
    fn deliver(&mut self, index: usize, wanted: &Wanted<'_>) -> Option<Reply> {
        let user = self.user(index)?;
        let to = user.online?;
        let address = NapAddress::from(user.ip);
        if to.port == 0 {
            return Some(Reply::Error("both of you are behind firewalls"));
        }
        let owner = named(self.users, wanted.nick);
        let row = owner.and_then(|owner| self.row(owner, wanted.name));
        let stamp = |at: usize| Some(self.files.get(at)?.0.as_ref()?.stamp);
        let found = row.and_then(|at| Some((owner?, at, stamp(at)?)));
        let Some((owner, file, stamp)) = found else { return self.refuse(index, wanted) };
        if !self.user(owner)?.replies.has_room() {
            return self.refuse(index, wanted); // it does not read what is sent to it
        }
        self.tell(owner, Reply::Deliver { file, stamp, to, address });
        None
    }

    fn refuse(&mut self, index: usize, wanted: &Wanted<'_>) -> Option<Reply> {
        let user = self.user(index)?;
        let kept = Bytes::new(wanted.nick).zip(Name::new(wanted.name));
        if kept.is_none() || user.refused.is_some() {
            return Some(Reply::Error("no such file"));
        }
        user.refused = kept;
        Some(Reply::Refused)
    }

    fn watch(&mut self, index: usize, nick: Text<'_>) -> Option<Reply> {
        let Some(kept) = Bytes::new(nick) else { return Some(Reply::Error("no such user")) };
        let present = self.online(nick);
        let hotlist = &mut self.user(index)?.hotlist;
        if !hotlist.contains(&Some(kept)) {
            let Some(free) = hotlist.iter_mut().find(|kept| kept.is_none()) else {
                return Some(Reply::HotlistError(kept));
            };
            *free = Some(kept);
        }
        self.tell(index, Reply::HotlistAck(kept));
        present.map(|online| Reply::UserOn(online.nick, online.speed))
    }

    pub(super) fn close(&mut self, index: usize, reason: IndexCloseReason) {
        let conn = self.user(index).map(|user| user.conn);
        self.remove(index);
        if let (Some(slot), Some(conn)) = (self.users.get_mut(index), conn) {
            slot.event = Some(IndexEvent::Closed { conn, reason });
        }
    }

    /// Removes a user and its files, and notifies the users that have it on their hotlist.
    pub(super) fn remove(&mut self, index: usize) {
        let Some(user) = self.users.get_mut(index).and_then(|slot| slot.user.take()) else {
            return;
        };
        let mine = |slot: &&mut FileSlot| slot.0.as_ref().is_some_and(|row| row.owner == index);
        self.files.iter_mut().filter(mine).for_each(|slot| slot.0 = None);
        if let Some(Online { nick, .. }) = user.online {
            self.tell_hotlists(&nick, Reply::UserOff(nick));
        }
    }

    /// A user whose reply queue is full misses the notification.
    fn tell_hotlists(&mut self, nick: &Nick, reply: Reply) {
        let users = self.users.iter_mut().filter_map(|slot| slot.user.as_mut());
        users
            .filter(|user| user.hotlist.contains(&Some(*nick)))
            .for_each(|user| user.replies.push(reply));
    }

    fn tell(&mut self, index: usize, reply: Reply) {
        if let Some(user) = self.user(index) {
            user.replies.push(reply);
        }
    }

    pub(super) fn user(&mut self, index: usize) -> Option<&mut User> {
        self.users.get_mut(index)?.user.as_mut()
    }

    fn online(&self, nick: Text<'_>) -> Option<Online> {
        self.users.get(named(self.users, nick)?)?.user.as_ref()?.online
    }

    fn row(&self, owner: usize, name: Text<'_>) -> Option<usize> {
        let is = |row: &Row| row.owner == owner && row.name.text() == name;
        self.files.iter().position(|slot| slot.0.as_ref().is_some_and(is))
    }
}

/// Cuts at whatever is neither a letter nor a digit; bytes beyond ASCII are letters.
pub(super) fn words_of(text: Text<'_>) -> impl Iterator<Item = &[u8]> {
    let separates = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    text.as_bytes().split(separates).filter(|word| !word.is_empty())
}
