//! What an index sends: replies, and the rows of answers, looked up at the moment of sending.

use super::entries::{NONE, slot};
use super::files::row;
use super::listing::Slice;
use super::slots::{FileId, Listing, Online, Reply, Row, Search, User};
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

/// The searches that were walked in a slice, and how far.
type Progress = [Option<(u32, u32)>; SHARES];

impl Core<'_> {
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let at = self.state.replies.head();
        if at != NONE {
            return self.send_reply(at, buf);
        }
        let at = self.state.lists.head();
        if at != NONE {
            return self.send_browsed(at, buf);
        }
        self.send_found(buf)
    }

    fn send_reply(&mut self, at: u32, buf: &mut [u8]) -> Result<Option<Transmit>, BufferTooSmall> {
        let Some(user) = slot(self.users, at).and_then(|slot| slot.user.as_ref()) else {
            return Ok(None);
        };
        let conn = user.conn;
        let Some(reply) = user.replies.first() else { return Ok(None) };
        let len = self.render(user, &reply, buf)?;
        self.state.replies.remove(self.users, at);
        if let Some(user) = self.user(at) {
            if matches!(reply, Reply::Refused) {
                user.refused = None;
            }
            user.replies.pop();
            if user.replies.first().is_some() {
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
        let (len, listing) = self.write_browsed(&listing, buf)?;
        self.set_listing(at, listing);
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

    /// Writes what a reply stands for, by what is known now.
    fn render(&self, user: &User, reply: &Reply, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let words = |words: &'static str| Text::new(words.as_bytes()).unwrap_or_default();
        let removed = Message::Notice(words("the file is no longer shared"));
        let message = match reply {
            Reply::LoginAck => Message::LoginAck(words("unknown")),
            Reply::Error(why) => Message::Error(words(why)),
            Reply::Notice(why) => Message::Notice(words(why)),
            Reply::NickFree => Message::NickFree,
            Reply::NickTaken => Message::NickTaken,
            Reply::NickInvalid => Message::NickInvalid,
            Reply::Stats => self.stats(),
            Reply::Ping => Message::Ping(Text::EMPTY),
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
            Reply::Limit(id, limit) => self.shared(*id).map_or(removed, |(row, online, _)| {
                let wanted = Wanted { nick: online.nick.text(), name: row.name.text() };
                Message::UploadLimited(wanted, row.size(), *limit)
            }),
            Reply::AcceptFailed(id) => self.shared(*id).map_or(removed, |(row, online, _)| {
                Message::AcceptFailed(Wanted { nick: online.nick.text(), name: row.name.text() })
            }),
            Reply::PortError(nick) => Message::PortError(nick.text()),
            Reply::HotlistAck(nick) => Message::HotlistAck(nick.text()),
            Reply::HotlistError(nick) => Message::HotlistError(nick.text()),
            Reply::UserOn(nick, link) => Message::UserOn(nick.text(), *link),
            Reply::UserOff(nick) => Message::UserOff(nick.text()),
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

/// A file at the address of a user.
fn source_of<'s>(row: &'s Row, online: &'s Online, address: NapAddress) -> Source<'s> {
    let Online { nick, port, speed: link, .. } = online;
    let name = row.name.text();
    let md5 = row.md5.text();
    Source { nick: nick.text(), address, port: *port, name, md5, link: *link }
}
