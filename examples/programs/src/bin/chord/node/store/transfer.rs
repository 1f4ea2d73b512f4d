//! The messages between stores, on the same port as Chord: the first byte distinguishes the two.

use core::fmt;

use chord_core::{Id160, KeyRange};

/// Chord's messages begin with their version, 1.
pub const FIRST: u8 = b'S';

/// The longest value of an entry: the whole message fits into a datagram that is not fragmented.
pub const LONGEST: usize = 1024;

/// The longest message in bytes: a copy of the longest value.
#[cfg(test)]
pub const LONGEST_DATAGRAM: usize = 14 + 20 + 13 + LONGEST;

/// A value and how often it has been replaced. Of two entries under one key the greater one stays: the one of the
/// higher version, then a deletion, then the greater value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub version: u64,
    /// The value has been deleted: the entry keeps older copies from coming back, and is empty.
    pub deleted: bool,
    pub value: Vec<u8>,
}

/// What a client wants of a key: a new value, or `None` to delete it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub value: Option<Vec<u8>>,
    /// In seconds, from now on; 0 means without limit.
    pub lifetime: u32,
}

/// A message. Tokens are the asker's and come back; 0 asks for no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// To the owner of the key.
    Put {
        token: u32,
        key: Id160,
        change: Change,
    },
    /// The owner has it, and so have `copies` other nodes.
    Done {
        token: u32,
        version: u64,
        copies: u8,
    },
    /// To the owner of the key.
    Get {
        token: u32,
        key: Id160,
    },
    /// The owner's answer. `copies` other nodes had it when it compared last.
    Value {
        token: u32,
        copies: u8,
        entry: Entry,
        lifetime: u32,
    },
    Nothing {
        token: u32,
    },
    /// The receiver is not the owner, or has yet to compare with its successor. Look the owner up and ask again.
    Later {
        token: u32,
    },
    /// Keep this, unless it is older than what is there.
    Copy {
        token: u32,
        key: Id160,
        entry: Entry,
        lifetime: u32,
    },
    Kept {
        token: u32,
    },
    /// From an owner to those that keep its copies: this is what its range holds.
    Compare {
        range: KeyRange<Id160>,
        digest: u128,
    },
    Same {
        range: KeyRange<Id160>,
        digest: u128,
    },
    /// All that the sender has in the range went before; send yours.
    Differs {
        range: KeyRange<Id160>,
    },
    /// The message with this token was dropped: its cookie was not the right one. This one carries it.
    Cookie {
        token: u32,
    },
    /// No room for this value: the share of the sender, or the store, is full.
    Refused {
        token: u32,
    },
    /// A part of a range that differs: this is what the sender has in it.
    Check {
        range: KeyRange<Id160>,
        digest: u128,
    },
    /// Asks for a part of the report on the node.
    Status {
        token: u32,
        part: u8,
    },
    Report {
        token: u32,
        part: u8,
        bytes: Vec<u8>,
    },
}

impl Transfer {
    /// Returns the token; 0 if the message has none.
    pub fn token(&self) -> u32 {
        match self {
            Self::Put { token, .. }
            | Self::Done { token, .. }
            | Self::Get { token, .. }
            | Self::Value { token, .. }
            | Self::Nothing { token }
            | Self::Later { token }
            | Self::Copy { token, .. }
            | Self::Kept { token }
            | Self::Cookie { token }
            | Self::Refused { token }
            | Self::Status { token, .. }
            | Self::Report { token, .. } => *token,
            Self::Compare { .. }
            | Self::Same { .. }
            | Self::Differs { .. }
            | Self::Check { .. } => 0,
        }
    }

    /// Returns whether the message changes what the receiver keeps, or has an answer that may be longer: its sender has to
    /// show first that it receives at its address.
    pub fn needs_proof(&self) -> bool {
        matches!(
            self,
            Self::Put { .. }
                | Self::Get { .. }
                | Self::Copy { .. }
                | Self::Compare { .. }
                | Self::Differs { .. }
                | Self::Check { .. }
                | Self::Status { .. }
        )
    }
}

/// One line of a trace.
impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |f: &mut fmt::Formatter<'_>, name, range: &KeyRange<Id160>| {
            write!(f, "{name} ({:.8}, {:.8}]", range.after, range.through)
        };
        match self {
            Self::Put { token, key, change: Change { value: Some(value), .. } } => {
                write!(f, "PUT {token:08x} key {key:.8} {} bytes", value.len())
            }
            Self::Put { token, key, .. } => write!(f, "DELETE {token:08x} key {key:.8}"),
            Self::Done { token, version, copies } => {
                write!(f, "DONE {token:08x} version {version}, {copies} copies")
            }
            Self::Get { token, key } => write!(f, "GET {token:08x} key {key:.8}"),
            Self::Value { token, entry, .. } => write!(f, "VALUE {token:08x} {entry}"),
            Self::Nothing { token } => write!(f, "NOTHING {token:08x}"),
            Self::Later { token } => write!(f, "LATER {token:08x}"),
            Self::Copy { token, key, entry, .. } => {
                write!(f, "COPY {token:08x} key {key:.8} {entry}")
            }
            Self::Kept { token } => write!(f, "KEPT {token:08x}"),
            Self::Compare { range: all, .. } => range(f, "COMPARE", all),
            Self::Same { range: all, .. } => range(f, "SAME", all),
            Self::Differs { range: all } => range(f, "DIFFERS", all),
            Self::Cookie { token } => write!(f, "COOKIE {token:08x}"),
            Self::Refused { token } => write!(f, "REFUSED {token:08x}"),
            Self::Check { range: all, .. } => range(f, "CHECK", all),
            Self::Status { token, part } => write!(f, "STATUS {token:08x} part {part}"),
            Self::Report { token, part, .. } => write!(f, "REPORT {token:08x} part {part}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version;
        if self.deleted {
            return write!(f, "version {version}, deleted");
        }
        write!(f, "version {version}, {} bytes", self.value.len())
    }
}
