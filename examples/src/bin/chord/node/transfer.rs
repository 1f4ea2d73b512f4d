//! The messages between stores, on the same port as Chord: the first byte distinguishes the two.

use chord_core::{Id160, KeyRange};

/// Chord's messages begin with their version, 1.
pub const FIRST: u8 = b'S';

/// The longest value: the whole transfer fits into a datagram that is not fragmented.
pub const LONGEST: usize = 1024;

/// A value and how often it has been replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub version: u64,
    pub value: Vec<u8>,
}

/// A message. Tokens are the asker's and come back; 0 asks for no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// To the owner of the key.
    Put {
        token: u32,
        key: Id160,
        value: Vec<u8>,
    },
    /// The owner has it, and so have all that keep copies.
    Done {
        token: u32,
    },
    /// To the owner of the key.
    Get {
        token: u32,
        key: Id160,
    },
    Value {
        token: u32,
        entry: Entry,
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
    },
    Kept {
        token: u32,
    },
    /// From an owner to those that keep its copies: this is what its range holds.
    Compare {
        range: KeyRange<Id160>,
        digest: [u8; 20],
    },
    Same {
        range: KeyRange<Id160>,
        digest: [u8; 20],
    },
    /// All that the sender has in the range went before; send yours.
    Differs {
        range: KeyRange<Id160>,
    },
}

impl Transfer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FIRST];
        let mut head = |kind: u8, token: u32| {
            out.push(kind);
            out.extend(token.to_be_bytes());
        };
        match self {
            Self::Put { token, .. } => head(0, *token),
            Self::Done { token } => head(1, *token),
            Self::Get { token, .. } => head(2, *token),
            Self::Value { token, .. } => head(3, *token),
            Self::Nothing { token } => head(4, *token),
            Self::Later { token } => head(5, *token),
            Self::Copy { token, .. } => head(6, *token),
            Self::Kept { token } => head(7, *token),
            Self::Compare { .. } => head(8, 0),
            Self::Same { .. } => head(9, 0),
            Self::Differs { .. } => head(10, 0),
        }
        match self {
            Self::Put { key, .. } | Self::Get { key, .. } | Self::Copy { key, .. } => {
                out.extend(<[u8; 20]>::from(*key));
            }
            Self::Compare { range, .. } | Self::Same { range, .. } | Self::Differs { range } => {
                out.extend(<[u8; 20]>::from(range.after));
                out.extend(<[u8; 20]>::from(range.through));
            }
            _ => {}
        }
        match self {
            Self::Put { value, .. } => out.extend(value),
            Self::Value { entry, .. } | Self::Copy { entry, .. } => {
                out.extend(entry.version.to_be_bytes());
                out.extend(&entry.value);
            }
            Self::Compare { digest, .. } | Self::Same { digest, .. } => out.extend(digest),
            _ => {}
        }
        out
    }

    /// Returns `None` for anything that [`encode`](Self::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[FIRST, kind, a, b, c, d], rest) = bytes.split_first_chunk()? else { return None };
        let token = u32::from_be_bytes([a, b, c, d]);
        let id = |bytes: &[u8; 20]| Id160::from(*bytes);
        let value = |rest: &[u8]| Some(rest.to_vec()).filter(|value| value.len() <= LONGEST);
        let entry = |rest: &[u8]| {
            let (version, rest) = rest.split_first_chunk()?;
            Some(Entry { version: u64::from_be_bytes(*version), value: value(rest)? })
        };
        let range = |rest: &mut &[u8]| {
            let (after, more) = rest.split_first_chunk()?;
            let (through, more) = more.split_first_chunk()?;
            *rest = more;
            Some(KeyRange { after: id(after), through: id(through) })
        };
        let mut rest = rest;
        let transfer = match kind {
            0 | 2 | 6 => {
                let (key, rest) = rest.split_first_chunk()?;
                let key = id(key);
                match kind {
                    0 => Self::Put { token, key, value: value(rest)? },
                    6 => Self::Copy { token, key, entry: entry(rest)? },
                    _ => Self::Get { token, key },
                }
            }
            1 => Self::Done { token },
            3 => Self::Value { token, entry: entry(rest)? },
            4 => Self::Nothing { token },
            5 => Self::Later { token },
            7 => Self::Kept { token },
            8 => Self::Compare { range: range(&mut rest)?, digest: rest.try_into().ok()? },
            9 => Self::Same { range: range(&mut rest)?, digest: rest.try_into().ok()? },
            10 => Self::Differs { range: range(&mut rest)? },
            _ => return None,
        };
        (transfer.encode() == bytes).then_some(transfer)
    }
}

/// One line of a trace.
impl core::fmt::Display for Transfer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put { token, key, value } => {
                write!(f, "PUT {token:08x} key {key:.8} {} bytes", value.len())
            }
            Self::Done { token } => write!(f, "DONE {token:08x}"),
            Self::Get { token, key } => write!(f, "GET {token:08x} key {key:.8}"),
            Self::Value { token, entry } => {
                let version = entry.version;
                let len = entry.value.len();
                write!(f, "VALUE {token:08x} version {version}, {len} bytes")
            }
            Self::Nothing { token } => write!(f, "NOTHING {token:08x}"),
            Self::Later { token } => write!(f, "LATER {token:08x}"),
            Self::Copy { token, key, entry } => {
                let version = entry.version;
                let len = entry.value.len();
                write!(f, "COPY {token:08x} key {key:.8} version {version}, {len} bytes")
            }
            Self::Kept { token } => write!(f, "KEPT {token:08x}"),
            Self::Compare { range, .. } => {
                write!(f, "COMPARE ({:.8}, {:.8}]", range.after, range.through)
            }
            Self::Same { range, .. } => {
                write!(f, "SAME ({:.8}, {:.8}]", range.after, range.through)
            }
            Self::Differs { range } => {
                write!(f, "DIFFERS ({:.8}, {:.8}]", range.after, range.through)
            }
        }
    }
}
