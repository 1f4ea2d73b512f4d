//! What an index sends: replies, and the rows of answers, looked up at the moment of sending.

use super::logic::{Core, named, online, words_of};
use super::slots::{Listing, Online, Reply, Row, User};
use crate::error::BufferTooSmall;
use crate::machine::Transmit;
use crate::opennap::message::Message;
use crate::opennap::search::Bound;
use crate::opennap::values::{Found, Source, Wanted};
use crate::text::Text;

impl Core<'_> {
    pub(super) fn poll_transmit(
        &mut self,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        let count = self.users.len();
        let first = self.state.turn.saturating_add(1); // so that none waits for ever
        for index in (first..count).chain(0..first.min(count)) {
            let user = self.users.get(index).and_then(|slot| slot.user.as_ref());
            let Some(user) = user else { continue };
            let conn = user.conn;
            let mut listing = user.listing;
            let len = if let Some(reply) = user.replies.first() {
                self.render(user, &reply, buf)?
            } else if let Some(rows) = &mut listing {
                let (len, more) = self.next_row(rows, buf)?;
                listing = listing.filter(|_| more);
                len
            } else {
                continue;
            };
            if let Some(user) = self.user(index) {
                if matches!(user.replies.first(), Some(Reply::Refused)) {
                    user.refused = None;
                }
                user.replies.pop();
                user.listing = listing;
            }
            self.state.turn = index;
            return Ok(Some(Transmit { conn, len }));
        }
        Ok(None)
    }

    /// Writes what a reply stands for, by what is known now.
    fn render(&self, user: &User, reply: &Reply, buf: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let words = |words: &'static str| Text::new(words.as_bytes()).unwrap_or_default();
        let row = |at: usize, stamp: u32| {
            let row = self.files.get(at).and_then(|slot| slot.0.as_ref());
            row.filter(|row| row.stamp == stamp)
        };
        let gone = Message::Error(words("the file is no longer there"));
        let message = match reply {
            Reply::LoginAck => Message::LoginAck(words("unknown")),
            Reply::Error(why) => Message::Error(words(why)),
            Reply::NickFree => Message::NickFree,
            Reply::NickTaken => Message::NickTaken,
            Reply::NickInvalid => Message::NickInvalid,
            Reply::Stats => self.stats(),
            Reply::Ping => Message::Ping(Text::EMPTY),
            Reply::Pong => Message::Pong(Text::EMPTY),
            Reply::Refused => user.refused.as_ref().map_or(gone, |(nick, name)| {
                Message::DownloadError(Wanted { nick: nick.text(), name: name.text() })
            }),
            Reply::Source { file, stamp } => row(*file, *stamp)
                .and_then(|row| self.source(row))
                .map_or(gone, Message::DownloadAck),
            Reply::Deliver { file, stamp, to, address } => row(*file, *stamp).map_or(gone, |row| {
                let name = row.name.text();
                let md5 = row.md5.text();
                let Online { nick, port, speed: link } = to;
                let nick = nick.text();
                let address = *address;
                let port = *port;
                let link = *link;
                Message::UploadFirewalled(Source { nick, address, port, name, md5, link })
            }),
            Reply::HotlistAck(nick) => Message::HotlistAck(nick.text()),
            Reply::HotlistError(nick) => Message::HotlistError(nick.text()),
            Reply::UserOn(nick, link) => Message::UserOn(nick.text(), *link),
            Reply::UserOff(nick) => Message::UserOff(nick.text()),
            Reply::Speed(nick, link) => Message::Speed(nick.text(), *link),
            Reply::BrowseEnd(nick) => Message::BrowseEnd(nick.text()),
        };
        message.encode(buf)
    }

    fn source<'s>(&'s self, row: &'s Row) -> Option<Source<'s>> {
        let owner = self.users.get(row.owner)?.user.as_ref()?;
        let Online { nick, port, speed: link } = owner.online.as_ref()?;
        let address = owner.ip.into();
        let name = row.name.text();
        let md5 = row.md5.text();
        Some(Source { nick: nick.text(), address, port: *port, name, md5, link: *link })
    }

    fn stats(&self) -> Message<'static> {
        let rows = self.files.iter().filter_map(|slot| slot.0.as_ref());
        let mut files = 0_u32;
        let mut bytes = 0_u64;
        for row in rows {
            files = files.saturating_add(1);
            bytes = bytes.saturating_add(row.file().size.into());
        }
        let users = u32::try_from(online(self.users)).unwrap_or(u32::MAX);
        Message::Stats(users, files, u32::try_from(bytes >> 30).unwrap_or(u32::MAX))
    }

    /// Writes the next row of an answer, or its end, and returns whether more is to come.
    fn next_row(
        &self,
        listing: &mut Listing,
        buf: &mut [u8],
    ) -> Result<(usize, bool), BufferTooSmall> {
        match listing {
            Listing::Search { words, bounds, left, next } => {
                let mut rows =
                    self.rows_from(*next).filter(|_| *left > 0).filter_map(|(at, row)| {
                        let found = self.found(row)?;
                        matches(&found, words.text(), bounds).then_some((at, found))
                    });
                let Some((at, found)) = rows.next() else {
                    return Ok((Message::SearchEnd.encode(buf)?, false));
                };
                let len = Message::Found(found).encode(buf)?;
                *next = at.saturating_add(1);
                *left = left.saturating_sub(1);
                Ok((len, true))
            }
            Listing::Browse { owner, nick, next } => {
                let same = named(self.users, nick.text()) == Some(*owner);
                let mut rows = self.rows_from(*next).filter(|(_, row)| same && row.owner == *owner);
                let Some((at, row)) = rows.next() else {
                    return Ok((Message::BrowseEnd(nick.text()).encode(buf)?, false));
                };
                let len = Message::Browsed(nick.text(), row.file()).encode(buf)?;
                *next = at.saturating_add(1);
                Ok((len, true))
            }
        }
    }

    fn rows_from(&self, next: usize) -> impl Iterator<Item = (usize, &Row)> {
        let slots = self.files.iter().enumerate().skip(next);
        slots.filter_map(|(at, slot)| Some((at, slot.0.as_ref()?)))
    }

    fn found<'s>(&'s self, row: &'s Row) -> Option<Found<'s>> {
        let Source { nick, address, link, .. } = self.source(row)?;
        Some(Found { file: row.file(), nick, address, link })
    }
}

fn matches(
    found: &Found<'_>,
    words: Text<'_>,
    [speed, bitrate, frequency]: &[Option<Bound>; 3],
) -> bool {
    let name = found.file.name.as_bytes();
    let has = |word: &[u8]| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    let within = |bound: &Option<Bound>, number| bound.is_none_or(|bound| bound.holds(number));
    within(speed, found.link.0.into())
        && within(bitrate, found.file.bitrate)
        && within(frequency, found.file.frequency)
        && words_of(words).all(has)
}
