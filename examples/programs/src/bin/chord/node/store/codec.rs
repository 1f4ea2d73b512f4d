//! The bytes of the messages between stores.
//!
//! Each begins with `S`, the kind, the token, the cookie that the receiver gave the sender (0 if none), and the cookie
//! that the sender gives the receiver; numbers have four bytes, most significant first. An entry is a version of eight
//! bytes, a byte that is 1 for a deletion, the rest of its lifetime in seconds (0 means without limit), and the value.

use chord_core::{Id160, KeyRange};

use super::transfer::{Change, Entry, FIRST, LONGEST, Transfer};

/// A message with its cookies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub transfer: Transfer,
    /// The cookie of the receiver.
    pub yours: u32,
    /// The cookie of the sender.
    pub mine: u32,
}

impl Letter {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![FIRST, self.transfer.kind()];
        for number in [self.transfer.token(), self.yours, self.mine] {
            out.extend(number.to_be_bytes());
        }
        match &self.transfer {
            Transfer::Put { key, change, .. } => {
                put_id(&mut out, *key);
                out.push(change.value.is_none().into());
                out.extend(change.lifetime.to_be_bytes());
                out.extend(change.value.as_deref().unwrap_or_default());
            }
            Transfer::Done { version, copies, .. } => {
                out.extend(version.to_be_bytes());
                out.push(*copies);
            }
            Transfer::Get { key, .. } => put_id(&mut out, *key),
            Transfer::Value { copies, entry, lifetime, .. } => {
                out.push(*copies);
                put_entry(&mut out, entry, *lifetime);
            }
            Transfer::Copy { key, entry, lifetime, .. } => {
                put_id(&mut out, *key);
                put_entry(&mut out, entry, *lifetime);
            }
            Transfer::Compare { range, digest }
            | Transfer::Same { range, digest }
            | Transfer::Check { range, digest } => {
                put_id(&mut out, range.after);
                put_id(&mut out, range.through);
                out.extend(digest.to_be_bytes());
            }
            Transfer::Differs { range } => {
                put_id(&mut out, range.after);
                put_id(&mut out, range.through);
            }
            Transfer::Status { part, .. } => out.push(*part),
            Transfer::Report { part, bytes, .. } => {
                out.push(*part);
                out.extend(bytes);
            }
            Transfer::Nothing { .. }
            | Transfer::Later { .. }
            | Transfer::Kept { .. }
            | Transfer::Cookie { .. }
            | Transfer::Refused { .. } => {}
        }
        out
    }

    /// Returns `None` for anything that [`encode`](Self::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[FIRST, kind], rest) = bytes.split_first_chunk()? else { return None };
        let mut rest = Reader(rest);
        let token = rest.u32()?;
        let yours = rest.u32()?;
        let mine = rest.u32()?;
        let transfer = match kind {
            0 => {
                let key = rest.id()?;
                let deletes = rest.flag()?;
                let lifetime = rest.u32()?;
                let value = rest.value()?;
                let value = if deletes { None } else { Some(value) };
                Transfer::Put { token, key, change: Change { value, lifetime } }
            }
            1 => Transfer::Done { token, version: rest.u64()?, copies: rest.u8()? },
            2 => Transfer::Get { token, key: rest.id()? },
            3 => {
                let copies = rest.u8()?;
                let (entry, lifetime) = rest.entry()?;
                Transfer::Value { token, copies, entry, lifetime }
            }
            4 => Transfer::Nothing { token },
            5 => Transfer::Later { token },
            6 => {
                let key = rest.id()?;
                let (entry, lifetime) = rest.entry()?;
                Transfer::Copy { token, key, entry, lifetime }
            }
            7 => Transfer::Kept { token },
            8 => Transfer::Compare { range: rest.range()?, digest: rest.u128()? },
            9 => Transfer::Same { range: rest.range()?, digest: rest.u128()? },
            10 => Transfer::Differs { range: rest.range()? },
            11 => Transfer::Cookie { token },
            12 => Transfer::Refused { token },
            13 => Transfer::Check { range: rest.range()?, digest: rest.u128()? },
            14 => Transfer::Status { token, part: rest.u8()? },
            15 => Transfer::Report { token, part: rest.u8()?, bytes: rest.value()? },
            _ => return None,
        };
        let letter = Self { transfer, yours, mine };
        (letter.encode() == bytes).then_some(letter)
    }
}

impl Transfer {
    fn kind(&self) -> u8 {
        match self {
            Self::Put { .. } => 0,
            Self::Done { .. } => 1,
            Self::Get { .. } => 2,
            Self::Value { .. } => 3,
            Self::Nothing { .. } => 4,
            Self::Later { .. } => 5,
            Self::Copy { .. } => 6,
            Self::Kept { .. } => 7,
            Self::Compare { .. } => 8,
            Self::Same { .. } => 9,
            Self::Differs { .. } => 10,
            Self::Cookie { .. } => 11,
            Self::Refused { .. } => 12,
            Self::Check { .. } => 13,
            Self::Status { .. } => 14,
            Self::Report { .. } => 15,
        }
    }
}

fn put_id(out: &mut Vec<u8>, id: Id160) {
    out.extend(<[u8; 20]>::from(id));
}

/// Appends an entry and the rest of its lifetime.
pub(super) fn put_entry(out: &mut Vec<u8>, entry: &Entry, lifetime: u32) {
    out.extend(entry.version.to_be_bytes());
    out.push(entry.deleted.into());
    out.extend(lifetime.to_be_bytes());
    out.extend(&entry.value);
}

/// Appends an entry as it is saved.
pub fn write_entry(out: &mut Vec<u8>, entry: &Entry) {
    put_entry(out, entry, 0);
}

/// Reads an entry from all of these bytes.
pub fn read_entry(bytes: &[u8]) -> Option<Entry> {
    Reader(bytes).entry().map(|(entry, _)| entry)
}

/// What is left of a message.
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_be_bytes)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.u8().filter(|byte| *byte <= 1).map(|byte| byte == 1)
    }

    pub(super) fn id(&mut self) -> Option<Id160> {
        self.array::<20>().map(Id160::from)
    }

    fn range(&mut self) -> Option<KeyRange<Id160>> {
        Some(KeyRange { after: self.id()?, through: self.id()? })
    }

    /// Reads what is left.
    fn value(&mut self) -> Option<Vec<u8>> {
        let value = core::mem::take(&mut self.0);
        (value.len() <= LONGEST).then(|| value.to_vec())
    }

    pub(super) fn entry(&mut self) -> Option<(Entry, u32)> {
        let version = self.u64()?;
        let deleted = self.flag()?;
        let lifetime = self.u32()?;
        let value = self.value()?;
        let empty = value.is_empty() || !deleted;
        empty.then_some((Entry { version, deleted, value }, lifetime))
    }
}
