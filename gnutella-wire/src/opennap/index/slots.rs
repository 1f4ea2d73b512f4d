//! What an index remembers of a user and of a file.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use super::event::IndexEvent;
use crate::machine::ConnId;
use crate::opennap::search::Bound;
use crate::opennap::values::{File, LinkType, NapAddress};
use crate::text::Text;

/// The longest nick that an index takes, in bytes.
pub const MAX_NICK: usize = 19;
/// The longest name of a file that an index takes, in bytes.
pub const MAX_NAME: usize = 120;
const MAX_MD5: usize = 40;
const MAX_WORDS: usize = 100;
const REPLIES: usize = 4;
const HOTLIST: usize = 8;

pub(super) type Nick = Bytes<MAX_NICK>;
pub(super) type Name = Bytes<MAX_NAME>;
pub(super) type Words = Bytes<MAX_WORDS>;

/// Storage for one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct UserSlot {
    pub(super) user: Option<User>,
    pub(super) event: Option<IndexEvent>,
}

/// Storage for one file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSlot(pub(super) Option<Row>);

impl UserSlot {
    /// No connection.
    pub const EMPTY: Self = Self { user: None, event: None };

    pub(super) const fn is_free(&self) -> bool {
        self.user.is_none() && self.event.is_none()
    }
}

impl FileSlot {
    /// No file.
    pub const EMPTY: Self = Self(None);
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct User {
    pub(super) conn: ConnId,
    pub(super) ip: Ipv4Addr,
    pub(super) online: Option<Online>,
    pub(super) deadline: Option<Duration>,
    pub(super) pinged: bool,
    pub(super) replies: Replies,
    pub(super) listing: Option<Listing>,
    pub(super) refused: Option<(Nick, Name)>, // of a `Reply::Refused` in the queue
    pub(super) hotlist: [Option<Nick>; HOTLIST],
}

/// The content of a login.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Online {
    pub(super) nick: Nick,
    pub(super) port: u16,
    pub(super) speed: LinkType,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) owner: usize,
    pub(super) stamp: u32,
    pub(super) name: Name,
    pub(super) md5: Bytes<MAX_MD5>,
    pub(super) numbers: [u32; 4], // size, bitrate, frequency, seconds
}

/// A message that is due, in compact form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reply {
    LoginAck,
    Error(&'static str),
    NickFree,
    NickTaken,
    NickInvalid,
    Stats,
    Ping,
    Pong,
    Refused,
    Source { file: usize, stamp: u32 },
    Deliver { file: usize, stamp: u32, to: Online, address: NapAddress },
    HotlistAck(Nick),
    HotlistError(Nick),
    UserOn(Nick, LinkType),
    UserOff(Nick),
    Speed(Nick, LinkType),
    BrowseEnd(Nick),
}

/// An answer of many rows, which are looked up as they are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Listing {
    Search { words: Words, bounds: [Option<Bound>; 3], left: u16, next: usize },
    Browse { owner: usize, nick: Nick, next: usize },
}

/// At most four, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Replies([Option<Reply>; REPLIES]);

impl User {
    pub(super) const fn new(conn: ConnId, ip: Ipv4Addr, deadline: Option<Duration>) -> Self {
        Self {
            conn,
            ip,
            online: None,
            deadline,
            pinged: false,
            replies: Replies([None; REPLIES]),
            listing: None,
            refused: None,
            hotlist: [None; HOTLIST],
        }
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
    /// Keeps a file; `None` if its name or hash is too long.
    pub(super) fn new(owner: usize, stamp: u32, file: &File<'_>) -> Option<Self> {
        let numbers = [file.size, file.bitrate, file.frequency, file.seconds];
        let name = Bytes::new(file.name)?;
        let md5 = Bytes::new(file.md5)?;
        Some(Self { owner, stamp, name, md5, numbers })
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
    /// `None` if it is too long.
    pub(super) fn new(text: Text<'_>) -> Option<Self> {
        let mut kept = Self { len: 0, bytes: [0; N] };
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
