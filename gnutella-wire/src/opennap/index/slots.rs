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
use crate::opennap::values::{File, LinkType, NapAddress};
use crate::text::Text;

/// The longest nick that an index takes, in bytes.
pub const MAX_NICK: usize = 19;
/// The longest name of a file that an index takes, in bytes.
pub const MAX_NAME: usize = 255;
const MAX_MD5: usize = 48;
const MAX_WORDS: usize = 255;
/// What servers send where they have no MD5.
const UNKNOWN_MD5: &[u8] = &[b'0'; 32];
const REPLIES: usize = 4;
const HOTLIST: usize = 8;
const WANTED: usize = 4;

/// How many entries a user may need: its connection, its nick, and those of its hotlist.
pub(super) const USER_ENTRIES: usize = 2 + HOTLIST;

pub(super) type Nick = Bytes<MAX_NICK>;
pub(super) type Name = Bytes<MAX_NAME>;
pub(super) type Words = Bytes<MAX_WORDS>;

/// Storage for one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct UserSlot {
    pub(super) user: Option<User>,
    pub(super) event: Option<IndexEvent>,
    links: [Link; LINKS],
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
pub(super) struct User {
    pub(super) conn: ConnId,
    pub(super) ip: Ipv4Addr,
    pub(super) entry: u32, // of its connection
    pub(super) online: Option<Online>,
    pub(super) deadline: Option<Duration>,
    pub(super) pinged: bool,
    pub(super) replies: Replies,
    pub(super) listing: Option<Listing>,
    pub(super) refused: Option<(Nick, Name)>, // of a `Reply::Refused` in the queue
    pub(super) hotlist: [Option<(Nick, u32)>; HOTLIST], // with its entry
    pub(super) wanted: [Option<WantedFile>; WANTED], // the oldest first
    pub(super) wanted_until: Option<Duration>, // when these are looked at
    pub(super) first_file: u32,
    pub(super) files: u32,
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

/// A file that a user wants, until its sharer accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WantedFile {
    pub(super) id: FileId,
    pub(super) pushed: bool, // the sharer is to connect
    pub(super) since: Duration,
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
    Ping,
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
    /// The sharer allows no more uploads than this.
    Limit(FileId, u32),
    AcceptFailed(FileId),
    PortError(Nick),
    HotlistAck(Nick),
    HotlistError(Nick),
    UserOn(Nick, LinkType),
    UserOff(Nick),
    Speed(Nick, LinkType),
    BrowseEnd(Nick),
    ResumeEnd,
}

/// An answer of many rows, which are looked up as they are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "without an allocator a search has no other place")]
pub(super) enum Listing {
    Search(Search),
    Browse { owner: u32, nick: Nick, at: FileId },
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
    pub(super) const fn new(conn: ConnId, ip: Ipv4Addr, entry: u32) -> Self {
        Self {
            conn,
            ip,
            entry,
            online: None,
            deadline: None,
            pinged: false,
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
            (Some(_), false, Some(_)) => UserState::Listing,
            (Some(_), false, None) => UserState::LoggedIn,
        }
    }

    /// Remembers a file that it wants, in place of the oldest if there are too many.
    pub(super) fn want(&mut self, wanted: WantedFile) {
        self.wanted.rotate_left(1);
        if let Some(last) = self.wanted.last_mut() {
            *last = Some(wanted);
        }
    }

    /// Forgets a file that it wanted, and returns it.
    pub(super) fn take_wanted(&mut self, id: FileId) -> Option<WantedFile> {
        let is = |wanted: &&mut Option<WantedFile>| wanted.is_some_and(|wanted| wanted.id == id);
        self.wanted.iter_mut().find(is)?.take()
    }
}

impl Replies {
    /// Returns whether two more fit: a message has at most two answers.
    pub(super) const fn has_room(&self) -> bool {
        matches!(self.0, [.., None, None])
    }

    /// Returns whether not even one fits.
    pub(super) const fn is_full(&self) -> bool {
        matches!(self.0, [.., Some(_)])
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
    /// Returns a row for a file. An MD5 that is too long counts as unknown.
    pub(super) fn new(owner: u32, name: Name, file: &File<'_>) -> Self {
        let numbers = [file.size, file.bitrate, file.frequency, file.seconds];
        let unknown = Text::new(UNKNOWN_MD5).unwrap_or_default();
        let md5 = Bytes::new(file.md5).or_else(|| Bytes::new(unknown)).unwrap_or(Bytes::EMPTY);
        Self { owner, stamp: 0, first_entry: NONE, prev: NONE, next: NONE, name, md5, numbers }
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
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        Text::new(bytes).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}
