//! `ut_metadata`: the info dictionary in pieces (BEP 9).

use super::{ExtendedError, dict, number};
use crate::bencode::{WriteError, Writer};
use crate::index::slot;

/// The length of every piece of metadata but the last, in bytes.
pub const METADATA_PIECE_LEN: u32 = 16_384;
/// The largest info dictionary that is accepted, in bytes: 30 MiB, as libtorrent has it.
pub const MAX_METADATA_SIZE: u32 = 30 << 20;

/// A request for a part of the info dictionary, or an answer. The whole must be checked against
/// the info-hash before it is used or passed on; until then every request is to be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three messages of BEP 9")]
pub enum Metadata<'a> {
    /// 0: asks for a piece.
    Request {
        /// Its number, from 0.
        piece: u32,
    },
    /// 1: a piece.
    Data {
        /// Its number, from 0.
        piece: u32,
        /// The length of the whole in bytes.
        total_size: u32,
        /// 16,384 bytes, or the rest: what follows the dictionary.
        data: &'a [u8],
    },
    /// 2: the sender does not send this piece.
    Reject {
        /// Its number, from 0.
        piece: u32,
    },
    /// Any other type: to be ignored.
    Unknown(i64),
}

impl<'a> Metadata<'a> {
    /// Its name in the handshake.
    pub const NAME: &'static [u8] = b"ut_metadata";

    /// Reads the body of a message.
    ///
    /// # Errors
    ///
    /// [`ExtendedError`]. Data of the wrong length for its piece is [`ExtendedError::Length`].
    pub fn decode(body: &'a [u8]) -> Result<Self, ExtendedError> {
        let (dict, data) = dict(body)?;
        let kind = number(dict, b"msg_type").ok_or(ExtendedError::Key("msg_type"))?;
        if !(0..=2).contains(&kind) {
            return Ok(Self::Unknown(kind));
        }
        let piece = number(dict, b"piece").ok_or(ExtendedError::Key("piece"))?;
        match kind {
            0 => Ok(Self::Request { piece }),
            1 => {
                let size = number(dict, b"total_size").filter(|size| *size <= MAX_METADATA_SIZE);
                let total_size = size.ok_or(ExtendedError::Key("total_size"))?;
                let expected =
                    Self::piece_len(piece, total_size).ok_or(ExtendedError::Key("piece"))?;
                match data.len() {
                    len if len == expected => Ok(Self::Data { piece, total_size, data }),
                    len => Err(ExtendedError::Length { len, expected }),
                }
            }
            _ => Ok(Self::Reject { piece }),
        }
    }

    /// Returns the length of a piece of metadata of a total size, both in bytes; `None` if there is
    /// no such piece.
    #[must_use]
    pub fn piece_len(piece: u32, total_size: u32) -> Option<usize> {
        let left = total_size.checked_sub(piece.checked_mul(METADATA_PIECE_LEN)?)?;
        (left > 0).then_some(slot(left.min(METADATA_PIECE_LEN)))
    }

    /// Writes the body of the message and returns its length.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let (kind, piece, data) = match *self {
            Self::Request { piece } => (0, Some(piece), None),
            Self::Data { piece, total_size, data } => (1, Some(piece), Some((total_size, data))),
            Self::Reject { piece } => (2, Some(piece), None),
            Self::Unknown(kind) => (kind, None, None),
        };
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            dict.int(b"msg_type", kind)?;
            piece.map_or(Ok(()), |piece| dict.int(b"piece", i64::from(piece)))?;
            data.map_or(Ok(()), |(size, _)| dict.int(b"total_size", i64::from(size)))
        })?;
        if let Some((_, data)) = data {
            writer.raw(data);
        }
        writer.finish()
    }
}
