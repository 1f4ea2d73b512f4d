//! What an index sends: replies, and the rows of answers, looked up at the moment of sending.

use super::entries::{NONE, slot};
use super::files::row;
use super::listing::Slice;
use super::slots::{
    Answer, FileId, Listing, Nick, Online, Reply, Row, Search, User, WantedFile, Watched,
};
use super::state::Core;
use crate::error::BufferTooSmall;
use crate::machine::Transmit;
use crate::opennap::message::Message;
use crate::opennap::values::{NapAddress, Source, Wanted};
use crate::text::Text;

/// How many searches share a slice.
const SHARES: usize = 8;
/// The budget of one search in a slice: a step costs 64, a compared byte 1.
const SHARE: u32 = 8_192;

/// What is to be sent to a user next: the replies in its queue, then what its state owes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Due {
    Reply(Reply),
    Ping,
    /// An answer of a sharer, by the place of the file among those that the user wants.
    Answer(usize, FileId, Answer),
    /// A nick on the hotlist, by its place.
    Watched(usize, Nick),
}

/// The searches that were walked in a slice, and how far.
type Progress = [Option<(u32, u32)>; SHARES];

impl Core<'_> {
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let at = self.state.replies.head();
        let user = slot(self.users, at).and_then(|slot| slot.user.as_ref());
        if let Some(due) = user.and_then(User::due) {
            return self.send_reply(at, due, buf);
        }
        let at = self.state.lists.head();
        if at != NONE {
            return self.send_browsed(at, buf);
        }
        self.send_found(buf)
    }

    fn send_reply(
        &mut self,
        at: u32,
        due: Due,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(user) = slot(self.users, at).and_then(|slot| slot.user.as_ref()) else {
            return Ok(None);
        };
        let conn = user.conn;
        let len = match &due {
            Due::Reply(reply) => self.render(user, reply, buf)?,
            Due::Ping => Message::Ping(Text::EMPTY).encode(buf)?,
            Due::Answer(_, id, answer) => self.render_answer(*id, *answer, buf)?,
            Due::Watched(_, nick) => self.render_presence(nick, buf)?,
        };
        self.state.replies.remove(self.users, at);
        if let Some(user) = self.user(at) {
            user.mark_sent(&due);
            if user.due().is_some() {
                self.state.replies.push(self.users, at); // behind the others
            }
        }
        Ok(Some(Transmit { conn, len }))
    }

    /// Writes the next row of a user's files.
    fn send_browsed(
        &mut self,
        at: u32,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let user = slot(self.users, at).and_then(|slot| slot.user.as_ref());
        let Some((conn, listing)) = user.and_then(|user| Some((user.conn, user.listing?))) else {
            return Ok(None);
        };
        if let Listing::Private { to, text } = listing {
            return self.deliver_private(at, &to, text.text(), buf);
        }
        let (len, listing) = self.write_browsed(&listing, buf)?;
        self.set_listing(at, listing);
        Ok(Some(Transmit { conn, len }))
    }

    /// Writes the words of a user for another one.
    fn deliver_private(
        &mut self,
        at: u32,
        to: &Nick,
        text: Text<'_>,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let from = self.online_at(at).map_or(Nick::EMPTY, |online| online.nick);
        let (receiver, message) = match self.named(to.text()) {
            Some(receiver) => (receiver, Message::Private(from.text(), text)),
            None => (at, Message::Notice(Text::new(b"no such user").unwrap_or_default())),
        };
        let user = slot(self.users, receiver).and_then(|slot| slot.user.as_ref());
        let Some(conn) = user.map(|user| user.conn) else { return Ok(None) };
        let len = message.encode(buf)?;
        self.set_listing(at, None);
        Ok(Some(Transmit { conn, len }))
    }

    /// Writes the next row of an answer to a search. Each search in turn has its share of a slice of time; if
    /// none finds a row in it, they pause.
    fn send_found(&mut self, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        if !self.may_search() {
            return Ok(None);
        }
        let mut progress: Progress = [None; SHARES];
        let mut at = self.state.searches.head();
        for walked in &mut progress {
            let user = slot(self.users, at).and_then(|slot| slot.user.as_ref());
            let Some((conn, Listing::Search(search))) =
                user.and_then(|user| Some((user.conn, user.listing?)))
            else {
                break;
            };
            let mut budget = SHARE;
            let (len, listing) = match self.walk(at, &search, &mut budget) {
                Slice::Paused(end) => {
                    *walked = Some((at, end));
                    at = self.state.searches.next(self.users, at);
                    continue;
                }
                Slice::Row(id, end) => {
                    let found = self.found(id).map(Message::Found);
                    let len = found.unwrap_or(Message::SearchEnd).encode(buf)?;
                    let left = search.left.saturating_sub(1);
                    (len, Some(Listing::Search(Search { left, at: end, ..search })))
                }
                Slice::End => (Message::SearchEnd.encode(buf)?, None),
            };
            self.advance(&progress);
            self.set_listing(at, listing);
            return Ok(Some(Transmit { conn, len }));
        }
        if progress.iter().any(Option::is_some) {
            self.advance(&progress);
            self.pause();
        }
        Ok(None)
    }

    /// Moves searches on that found no row.
    fn advance(&mut self, progress: &Progress) {
        for (at, end) in progress.iter().flatten() {
            let listing = slot(self.users, *at).and_then(|slot| slot.user.as_ref()?.listing);
            if let Some(Listing::Search(search)) = listing {
                let search = Search { at: *end, ..search };
                self.set_listing(*at, Some(Listing::Search(search)));
            }
        }
    }

    fn write_browsed(
        &self,
        listing: &Listing,
        buf: &mut [u8],
    ) -> Result<(usize, Option<Listing>), BufferTooSmall> {
        let Listing::Browse { owner, nick, at } = *listing else { return Ok((0, None)) };
        let id =
            if self.named(nick.text()) == Some(owner) { self.browse_row(owner, at) } else { None };
        let row = id.and_then(|id| row(self.files, id));
        let Some(row) = row else {
            return Ok((Message::BrowseEnd(nick.text()).encode(buf)?, None));
        };
        let len = Message::Browsed(nick.text(), row.file()).encode(buf)?;
        let next =
            slot(self.files, row.next).and_then(|slot| Some(slot.row.as_ref()?.id(row.next)));
        let at = next.unwrap_or(FileId { file: NONE, stamp: 0 });
        Ok((len, Some(Listing::Browse { owner, nick, at })))
    }

    /// Writes the answer of a sharer.
    fn render_answer(
        &self,
        id: FileId,
        answer: Answer,
        buf: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let Some((row, online, address)) = self.shared(id) else {
            return Message::Notice(removed()).encode(buf);
        };
        let wanted = Wanted { nick: online.nick.text(), name: row.name.text() };
        let message = match answer {
            Answer::Accepted => Message::DownloadAck(source_of(row, online, address)),
            Answer::Limit(limit) => {
                Message::UploadLimited(wanted, row.size(), u32::from_le_bytes(limit))
            }
            Answer::Failed => Message::AcceptFailed(wanted),
        };
        message.encode(buf)
    }

    /// Writes whether a user on a hotlist is logged in.
    fn render_presence(&self, nick: &Nick, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let online = self.named(nick.text()).and_then(|at| self.online_at(at));
        let message = match online {
            Some(online) => Message::UserOn(online.nick.text(), online.speed),
            None => Message::UserOff(nick.text()),
        };
        message.encode(buf)
    }

    /// Writes what a reply stands for, by what is known now.
    fn render(&self, user: &User, reply: &Reply, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let words = |words: &'static str| Text::new(words.as_bytes()).unwrap_or_default();
        let removed = Message::Notice(removed());
        let message = match reply {
            Reply::LoginAck => Message::LoginAck(words("unknown")),
            Reply::Error(why) => Message::Error(words(why)),
            Reply::Notice(why) => Message::Notice(words(why)),
            Reply::NickFree => Message::NickFree,
            Reply::NickTaken => Message::NickTaken,
            Reply::NickInvalid => Message::NickInvalid,
            Reply::Stats => self.stats(),
            Reply::Pong => Message::Pong(Text::EMPTY),
            Reply::Refused => user.refused.as_ref().map_or(removed, |(nick, name)| {
                Message::DownloadError(Wanted { nick: nick.text(), name: name.text() })
            }),
            Reply::Source(id) => self.source(*id).map_or(removed, Message::DownloadAck),
            Reply::FirewallError(id) => self.source(*id).map_or(removed, |source| {
                Message::DownloadAck(Source { md5: words("firewallerror"), ..source })
            }),
            Reply::Request(id, nick) => self.shared(*id).map_or(removed, |(row, ..)| {
                Message::UploadRequest(Wanted { nick: nick.text(), name: row.name.text() })
            }),
            Reply::Deliver(id, to, address) => self.shared(*id).map_or(removed, |(row, ..)| {
                Message::UploadFirewalled(source_of(row, to, *address))
            }),
            Reply::AcceptFailed(id) => return self.render_answer(*id, Answer::Failed, buf),
            Reply::PortError(nick) => Message::PortError(nick.text()),
            Reply::UserPing(nick) => Message::PingUser(nick.text()),
            Reply::UserPong(nick) => Message::Pong(nick.text()),
            Reply::HotlistAck(nick) => Message::HotlistAck(nick.text()),
            Reply::HotlistError(nick) => Message::HotlistError(nick.text()),
            Reply::Speed(nick, link) => Message::Speed(nick.text(), *link),
            Reply::BrowseEnd(nick) => Message::BrowseEnd(nick.text()),
            Reply::ResumeEnd => Message::ResumeEnd,
        };
        message.encode(buf)
    }

    fn source(&self, id: FileId) -> Option<Source<'_>> {
        let (row, online, address) = self.shared(id)?;
        Some(source_of(row, online, address))
    }

    fn stats(&self) -> Message<'static> {
        let gigabytes = u32::try_from(self.state.bytes >> 30).unwrap_or(u32::MAX);
        Message::Stats(self.state.online, self.state.files, gigabytes)
    }
}

impl User {
    /// Returns what is to be sent to it next.
    pub(super) fn due(&self) -> Option<Due> {
        if let Some(reply) = self.replies.first() {
            return Some(Due::Reply(reply));
        }
        if self.ping_due {
            return Some(Due::Ping);
        }
        let answered = |(place, wanted): (usize, &Option<WantedFile>)| {
            let wanted = wanted.as_ref()?;
            Some(Due::Answer(place, wanted.id, wanted.answer?))
        };
        let watched = |(place, watched): (usize, &Option<Watched>)| {
            let watched = watched.as_ref().filter(|watched| watched.due)?;
            Some(Due::Watched(place, watched.nick))
        };
        let answer = self.wanted.iter().enumerate().find_map(answered);
        answer.or_else(|| self.hotlist.iter().enumerate().find_map(watched))
    }

    /// Records that it was sent.
    fn mark_sent(&mut self, due: &Due) {
        match *due {
            Due::Reply(reply) => {
                if matches!(reply, Reply::Refused) {
                    self.refused = None;
                }
                self.replies.pop();
            }
            Due::Ping => self.ping_due = false,
            Due::Answer(place, ..) => {
                if let Some(wanted) = self.wanted.get_mut(place) {
                    *wanted = None;
                }
            }
            Due::Watched(place, _) => {
                if let Some(Some(watched)) = self.hotlist.get_mut(place) {
                    watched.due = false;
                }
            }
        }
    }
}

fn removed() -> Text<'static> {
    Text::new(b"the file is no longer shared").unwrap_or_default()
}

/// A file at the address of a user.
fn source_of<'s>(row: &'s Row, online: &'s Online, address: NapAddress) -> Source<'s> {
    let Online { nick, port, speed: link, .. } = online;
    let name = row.name.text();
    let md5 = row.md5.text();
    Source { nick: nick.text(), address, port: *port, name, md5, link: *link }
}
