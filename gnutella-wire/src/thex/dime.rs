//! DIME: the envelope in which most servents send a tree.

use crate::error::DecodeError;
use crate::writer::Writer;

/// The type of the record of a DIME body that contains the nodes, and the media type of a body that is
/// nothing else.
pub const BREADTH_FIRST: &str = "http://open-content.net/spec/thex/breadthfirst";

const VERSION: u8 = 1 << 3;
const FIRST: u8 = 4;
const LAST: u8 = 2;
const HEADER_LEN: usize = 12;

/// The header of a DIME record: what its data is. Numbers are big-endian; each field is padded with
/// zeros to a multiple of 4 bytes. The data follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whether this is the last record.
    pub is_last: bool,
    /// How the type is to be read: 1 a media type, 2 a URI.
    pub kind: u8,
    /// Names the record.
    pub id: &'a [u8],
    /// What the data is.
    pub data_type: &'a [u8],
    /// The length of the data in bytes, without padding.
    pub len: u32,
}

impl<'a> Record<'a> {
    /// The most bytes of options, id and type together that are read.
    pub const MAX_HEADER_LEN: usize = 1_024;

    /// Reads a header and returns it with the bytes after it, which begin with the data.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`]; [`DecodeError::UnknownLine`] for another version;
    /// [`DecodeError::HeadTooLong`] beyond [`MAX_HEADER_LEN`](Self::MAX_HEADER_LEN).
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            let needed = HEADER_LEN.saturating_sub(bytes.len());
            return Err(DecodeError::Incomplete { needed });
        };
        let [flags, kind, o0, o1, i0, i1, t0, t1, len @ ..] = *fixed;
        if flags & 0xF8 != VERSION {
            return Err(DecodeError::UnknownLine);
        }
        let options = usize::from(u16::from_be_bytes([o0, o1]));
        let id = usize::from(u16::from_be_bytes([i0, i1]));
        let data_type = usize::from(u16::from_be_bytes([t0, t1]));
        let all = [options, id, data_type].map(padded).iter().sum::<usize>();
        if all > Self::MAX_HEADER_LEN {
            return Err(DecodeError::HeadTooLong { limit: Self::MAX_HEADER_LEN });
        }
        let needed = all.saturating_sub(rest.len());
        let incomplete = DecodeError::Incomplete { needed };
        let (_, rest) = field(rest, options).ok_or(incomplete)?;
        let (id, rest) = field(rest, id).ok_or(incomplete)?;
        let (data_type, rest) = field(rest, data_type).ok_or(incomplete)?;
        let is_last = flags & LAST != 0;
        let len = u32::from_be_bytes(len);
        Ok((Self { is_last, kind: kind >> 4, id, data_type, len }, rest))
    }

    /// Returns the length of the data with its padding, in bytes.
    #[must_use]
    pub const fn padded_len(&self) -> u64 {
        #[expect(clippy::as_conversions, reason = "`from` is not const")]
        let len = self.len as u64;
        len.next_multiple_of(4)
    }

    pub(super) fn write(&self, is_first: bool, w: &mut Writer<'_>) {
        let first = if is_first { FIRST } else { 0 };
        let last = if self.is_last { LAST } else { 0 };
        w.bytes(&[VERSION | first | last, self.kind << 4, 0, 0]);
        w.bytes(&short(self.id).to_be_bytes());
        w.bytes(&short(self.data_type).to_be_bytes());
        w.bytes(&self.len.to_be_bytes());
        write_padded(self.id, w);
        write_padded(self.data_type, w);
    }
}

fn write_padded(bytes: &[u8], w: &mut Writer<'_>) {
    w.bytes(bytes);
    let padding = padded(bytes.len()).saturating_sub(bytes.len());
    (0..padding).for_each(|_| w.u8(0));
}

fn short(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

const fn padded(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// Splits a padded field off.
fn field(bytes: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let (field, rest) = bytes.split_at_checked(padded(len))?;
    Some((field.get(..len)?, rest))
}

#[cfg(test)]
mod tests {
    use super::Record;

    /// The bytes of the draft (draft-nielsen-dime-02, 3.2): version and flags, kinds, three lengths, the length of the data.
    #[test]
    fn a_header_has_its_fields_in_their_places() {
        let bytes = [
            0x0A, 0x20, 0, 0, 0, 5, 0, 2, 0x12, 0x34, 0x56, 0x78, // the fixed part
            b'u', b'u', b'i', b'd', b':', 0, 0, 0, // an id of 5 bytes
            b't', b'y', 0, 0, // a type of 2 bytes
            0xFF,
        ];
        let expected =
            Record { is_last: true, kind: 2, id: b"uuid:", data_type: b"ty", len: 0x1234_5678 };
        assert_eq!(Record::decode(&bytes), Ok((expected, &[0xFF][..])));
        let first = Record { is_last: false, kind: 1, id: b"", data_type: b"", len: 9 };
        let bytes = [0x0C, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(Record::decode(&bytes), Ok((first, &[][..])));
    }
}
