//! What an index remembers of a user and of a file.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use super::entries::NONE;
use super::event::IndexEvent;
use super::link::{By, LINKS, Link};
use super::user_state::UserState;
use crate::machine::ConnId;
use crate::opennap::search::Bound;
use crate::opennap::values::{File, LinkType, NapAddress, UNKNOWN_MD5};
use crate::text::Text;

/// The longest nick that an index takes, in bytes.
pub const MAX_NICK: usize = 19;
/// The longest name of a file that an index takes, in bytes.
pub const MAX_NAME: usize = 255;
const MAX_MD5: usize = 48;
const MAX_WORDS: usize = 255;
const REPLIES: usize = 4;
const HOTLIST: usize = 8;
const WANTED: usize = 4;

/// How many entries a user may need: its connection, its address, its network, its nick, and those of its hotlist.
pub(super) const USER_ENTRIES: usize = 4 + HOTLIST;

pub(super) type Nick = Bytes<MAX_NICK>;
pub(super) type Name = Bytes<MAX_NAME>;
pub(super) type Words = Bytes<MAX_WORDS>;

/// Storage for one connection.
#[derive(Debug, Clone, PartialEq)]
#[repr(C)] // the links beside what every message changes
pub struct UserSlot {
    pub(super) event: Option<IndexEvent>,
    links: [Link; LINKS],
    pub(super) user: Option<User>,
}

/// Storage for one file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSlot {
    pub(super) row: Option<Row>,
    pub(super) next_free: u32,
}

impl UserSlot {
    /// No connection.
    pub const EMPTY: Self = Self { user: None, event: None, links: [Link::NONE; LINKS] };

    pub(super) const fn link(&self, by: By) -> &Link {
        let [deadline, replies, rows, events, wanted] = &self.links;
        match by {
            By::Deadline => deadline,
            By::Replies => replies,
            By::Rows => rows,
            By::Events => events,
            By::Wanted => wanted,
        }
    }

    pub(super) const fn link_mut(&mut self, by: By) -> &mut Link {
        let [deadline, replies, rows, events, wanted] = &mut self.links;
        match by {
            By::Deadline => deadline,
            By::Replies => replies,
            By::Rows => rows,
            By::Events => events,
            By::Wanted => wanted,
        }
    }
}

impl FileSlot {
    /// No file.
    pub const EMPTY: Self = Self { row: None, next_free: NONE };
}

#[derive(Debug, Clone, PartialEq)]
#[repr(C)] // what every message reads or changes lies together
pub(super) struct User {
    pub(super) deadline: Option<Duration>,
    pub(super) wanted_until: Option<Duration>, // when the files that it wants are looked at
    pub(super) conn: ConnId,
    pub(super) ip: Ipv4Addr,
    pub(super) first_file: u32,
    pub(super) files: u32,
    pub(super) pinged: bool,
    pub(super) ping_due: bool,
    pub(super) online: Option<Online>,
    pub(super) replies: Replies,
    pub(super) wanted: [Option<WantedFile>; WANTED],
    pub(super) hotlist: [Option<Watched>; HOTLIST],
    pub(super) entries: [u32; 3], // of its connection, its address, and its network
    pub(super) listing: Option<Listing>,
    pub(super) refused: Option<(Nick, Name)>, // of a `Reply::Refused` in the queue
}

/// The content of a login.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Online {
    pub(super) nick: Nick,
    pub(super) entry: u32, // of the nick
    pub(super) port: u16,
    pub(super) speed: LinkType,
}

/// A file and the number of its content: another file in the same slot has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) file: u32,
    pub(super) stamp: u32,
}

/// A file that a user wants, until the answer is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WantedFile {
    pub(super) id: FileId,
    pub(super) pushed: bool, // the sharer is to connect
    pub(super) since: Duration,
    pub(super) answer: Option<Answer>,
}

/// What a sharer answered, or did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Accepted,
    /// It allows no more uploads than this. Bytes need no padding around them.
    Limit([u8; 4]),
    Failed,
}

/// A nick on a hotlist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Watched {
    pub(super) nick: Nick,
    pub(super) entry: u32,
    pub(super) due: bool, // whether the user is to be told that it came or went
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) owner: u32,
    pub(super) stamp: u32,
    pub(super) first_entry: u32,
    pub(super) prev: u32, // of the owner's files, the newest first
    pub(super) next: u32,
    pub(super) name: Name,
    pub(super) md5: Bytes<MAX_MD5>,
    pub(super) numbers: [u32; 4], // size, bitrate, frequency, seconds
}

/// A message that is due, in compact form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reply {
    LoginAck,
    Error(&'static str),
    Notice(&'static str),
    NickFree,
    NickTaken,
    NickInvalid,
    Stats,
    Pong,
    Refused,
    /// Where the file is. A port of 0 asks for 500.
    Source(FileId),
    /// Neither end can be connected to.
    FirewallError(FileId),
    /// This user wants the file.
    Request(FileId, Nick),
    /// Connect to this user.
    Deliver(FileId, Online, NapAddress),
    AcceptFailed(FileId),
    PortError(Nick),
    /// This user pings, or answers a ping.
    UserPing(Nick),
    UserPong(Nick),
    HotlistAck(Nick),
    HotlistError(Nick),
    Speed(Nick, LinkType),
    BrowseEnd(Nick),
    ResumeEnd,
}

/// What is looked up as it is sent: an answer of many rows, or words for another user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Listing {
    Search(Search),
    Browse { owner: u32, nick: Nick, at: FileId },
    Private { to: Nick, text: Words },
}

/// A search that is under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Search {
    pub(super) words: Words,
    pub(super) bounds: [Option<Bound>; 3],
    pub(super) left: u16, // rows
    pub(super) key: u32,  // of the word that the fewest files have
    pub(super) at: u32,   // the next entry, which is pinned
}

/// At most four, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Replies([Option<Reply>; REPLIES]);

impl User {
    pub(super) const fn new(conn: ConnId, ip: Ipv4Addr, entries: [u32; 3]) -> Self {
        Self {
            conn,
            ip,
            entries,
            online: None,
            deadline: None,
            pinged: false,
            ping_due: false,
            replies: Replies([None; REPLIES]),
            listing: None,
            refused: None,
            hotlist: [None; HOTLIST],
            wanted: [None; WANTED],
            wanted_until: None,
            first_file: NONE,
            files: 0,
        }
    }
}

impl User {
    pub(super) const fn state(&self) -> UserState {
        match (&self.online, self.pinged, &self.listing) {
            (None, ..) => UserState::Connected,
            (Some(_), true, _) => UserState::Pinged,
            (Some(_), false, None | Some(Listing::Private { .. })) => UserState::LoggedIn,
            (Some(_), false, Some(_)) => UserState::Listing,
        }
    }

    /// Remembers a file that it wants. Returns whether there is room. One that it wants already is asked for again.
    pub(super) fn want(&mut self, wanted: WantedFile) -> bool {
        let known =
            self.wanted.iter().position(|old| old.is_some_and(|old| old.is_open(wanted.id)));
        let place = known.or_else(|| self.wanted.iter().position(Option::is_none));
        let Some(place) = place.and_then(|place| self.wanted.get_mut(place)) else { return false };
        *place = Some(wanted);
        true
    }

    /// Returns the file that it wants, if nobody has answered yet.
    pub(super) fn wanted_mut(&mut self, id: FileId) -> Option<&mut Option<WantedFile>> {
        self.wanted.iter_mut().find(|wanted| wanted.is_some_and(|wanted| wanted.is_open(id)))
    }
}

impl WantedFile {
    fn is_open(&self, id: FileId) -> bool {
        self.id == id && self.answer.is_none()
    }
}

impl Replies {
    /// Returns whether two more fit: a message has at most two answers.
    pub(super) const fn has_room(&self) -> bool {
        matches!(self.0, [.., None, None])
    }

    /// Appends one; if there is no room, it is dropped.
    pub(super) fn push(&mut self, reply: Reply) {
        if let Some(free) = self.0.iter_mut().find(|reply| reply.is_none()) {
            *free = Some(reply);
        }
    }

    pub(super) const fn first(&self) -> Option<Reply> {
        let [first, ..] = self.0;
        first
    }

    pub(super) fn pop(&mut self) {
        let [_, rest @ ..] = self.0;
        self.0 = [None; REPLIES];
        self.0.iter_mut().zip(rest).for_each(|(to, from)| *to = from);
    }
}

impl Row {
    /// Returns a row for a file.
    pub(super) fn new(owner: u32, name: Name, file: &File<'_>) -> Self {
        let md5 = Bytes::EMPTY;
        let numbers = [0; 4];
        let mut row =
            Self { owner, stamp: 0, first_entry: NONE, prev: NONE, next: NONE, name, md5, numbers };
        row.describe(file);
        row
    }

    /// Sets what is announced of the file besides its name. An MD5 that is too long counts as unknown.
    pub(super) fn describe(&mut self, file: &File<'_>) {
        self.numbers = [file.size, file.bitrate, file.frequency, file.seconds];
        let known = Bytes::new(file.md5);
        self.md5 = known.or_else(|| Bytes::new(UNKNOWN_MD5)).unwrap_or(Bytes::EMPTY);
    }

    pub(super) const fn id(&self, file: u32) -> FileId {
        FileId { file, stamp: self.stamp }
    }

    pub(super) const fn size(&self) -> u32 {
        let [size, ..] = self.numbers;
        size
    }

    pub(super) fn file(&self) -> File<'_> {
        let [size, bitrate, frequency, seconds] = self.numbers;
        let name = self.name.text();
        let md5 = self.md5.text();
        File { name, md5, size, bitrate, frequency, seconds }
    }
}

/// Text of bounded length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

impl<const N: usize> Bytes<N> {
    pub(super) const EMPTY: Self = Self { len: 0, bytes: [0; N] };

    /// `None` if it is too long.
    pub(super) fn new(text: Text<'_>) -> Option<Self> {
        let mut kept = Self::EMPTY;
        kept.append(text)?;
        Some(kept)
    }

    pub(super) fn append(&mut self, text: Text<'_>) -> Option<()> {
        let from = usize::from(self.len);
        let end = from.checked_add(text.len())?;
        self.bytes.get_mut(from..end)?.copy_from_slice(text.as_bytes());
        self.len = u8::try_from(end).ok()?;
        Some(())
    }

    pub(super) fn text(&self) -> Text<'_> {
        Text::of_text(self.bytes.get(..usize::from(self.len)).unwrap_or_default())
    }
}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}
