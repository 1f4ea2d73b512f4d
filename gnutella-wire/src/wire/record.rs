//! The records of a query hit: one per file found (0.4, 2.2.4; 0.6, 2.2.4).

use core::fmt;

use crate::text::Text;
use crate::writer::Writer;

const INDEX: usize = 4; // little-endian
const SIZE: usize = 4; // little-endian, in bytes
// then the name, a NUL, the extension area, a NUL

/// One file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Names the file at its servent; it comes back in the download request.
    pub index: u32,
    /// The size in bytes.
    pub size: u32,
    /// The name.
    pub name: Text<'a>,
    /// What stands between the two NULs, kept as it is: HUGE strings, GGEP blocks, or nothing.
    pub extensions: Text<'a>,
}

/// Up to 255 records, either where they lie in a received hit or as the caller's own slice.
#[derive(Clone, Copy)]
pub struct Records<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Wire { count: u8, bytes: &'a [u8] }, // was read once from end to end
    Slice { count: u8, records: &'a [Record<'a>] },
}

/// Iterates over records.
#[derive(Clone)]
pub struct RecordIter<'a>(Source<'a>);

impl<'a> Record<'a> {
    /// Reads a record and returns it with the bytes after it; `None` if it does not end.
    fn decode(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (index, rest) = bytes.split_first_chunk::<INDEX>()?;
        let (size, rest) = rest.split_first_chunk::<SIZE>()?;
        let (name, rest) = Text::split(rest);
        let (extensions, rest) = Text::split(rest?);
        let index = u32::from_le_bytes(*index);
        let size = u32::from_le_bytes(*size);
        Some((Self { index, size, name, extensions }, rest?))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.index);
        w.u32(self.size);
        w.bytes(self.name.as_bytes());
        w.u8(0);
        w.bytes(self.extensions.as_bytes());
        w.u8(0);
    }
}

impl<'a> Records<'a> {
    /// Takes records to send; `None` if there are more than a hit can count, which is 255.
    #[must_use]
    pub fn from_slice(records: &'a [Record<'a>]) -> Option<Self> {
        let count = u8::try_from(records.len()).ok()?;
        Some(Self(Source::Slice { count, records }))
    }

    /// Reads `count` records and returns them with the bytes after them.
    pub(crate) fn decode(count: u8, bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut rest = bytes;
        for _ in 0..count {
            (_, rest) = Record::decode(rest)?;
        }
        let bytes = bytes.get(..bytes.len().saturating_sub(rest.len()))?;
        Some((Self(Source::Wire { count, bytes }), rest))
    }

    /// Returns how many records there are.
    #[must_use]
    pub const fn len(&self) -> u8 {
        match self.0 {
            Source::Wire { count, .. } | Source::Slice { count, .. } => count,
        }
    }

    /// Returns whether it is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over the records in their order.
    #[must_use]
    pub const fn iter(&self) -> RecordIter<'a> {
        RecordIter(self.0)
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        for record in self {
            record.write(w);
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        match &mut self.0 {
            Source::Wire { bytes, .. } => {
                let (record, rest) = Record::decode(bytes)?;
                *bytes = rest;
                Some(record)
            }
            Source::Slice { records, .. } => {
                let (record, rest) = records.split_first()?;
                *records = rest;
                Some(*record)
            }
        }
    }
}

impl<'a> IntoIterator for &Records<'a> {
    type Item = Record<'a>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

impl PartialEq for Records<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Records<'_> {}

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl fmt::Debug for RecordIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:?} {} bytes", self.index, self.name, self.size)
    }
}
