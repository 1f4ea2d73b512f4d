//! The fast extension (BEP 6): five messages, the allowed-fast set, and its rules.
//!
//! [`Message::decode`](super::Message::decode) leaves these messages as
//! [`Other`](super::Message::Other); [`Fast::decode`] reads its id and payload.

mod allowed;
mod rules;

use core::fmt;

use super::{DecodeError, LEN_LEN, Message, field, request};
use crate::block::{Block, PieceIndex};
use crate::error::BufferTooSmall;
use crate::index::count;
pub use allowed::{ALLOWED_FAST, allowed_fast};
pub use rules::{AnswerRules, Asked, RuleError, RuleSlot, Unanswered};

/// The id of `suggest piece`.
pub const SUGGEST: u8 = 0x0D;
/// The id of `have all`.
pub const HAVE_ALL: u8 = 0x0E;
/// The id of `have none`.
pub const HAVE_NONE: u8 = 0x0F;
/// The id of `reject request`.
pub const REJECT: u8 = 0x10;
/// The id of `allowed fast`.
pub const ALLOWED: u8 = 0x11;

/// A message of the fast extension. Without it, receiving one must close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the five messages of BEP 6")]
pub enum Fast {
    /// 13: this piece is cheap to send just now.
    Suggest(PieceIndex),
    /// 14: in place of a bitfield, the sender has all pieces.
    HaveAll,
    /// 15: in place of a bitfield, it has none.
    HaveNone,
    /// 16: this request will not be answered with a block.
    Reject(Block),
    /// 17: the receiver may ask for this piece even while choked.
    AllowedFast(PieceIndex),
}

impl Fast {
    /// Reads the payload of a message; `None` if the id is not one of this extension.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Payload`], and [`DecodeError::Block`] for a reject of no bytes.
    pub fn decode(id: u8, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        let index = || {
            let bytes = field::exactly(id, payload)?;
            Ok(PieceIndex(u32::from_be_bytes(*bytes)))
        };
        Ok(Some(match id {
            SUGGEST => Self::Suggest(index()?),
            HAVE_ALL => field::exactly::<0>(id, payload).map(|_| Self::HaveAll)?,
            HAVE_NONE => field::exactly::<0>(id, payload).map(|_| Self::HaveNone)?,
            REJECT => Self::Reject(request::decode(id, payload)?),
            ALLOWED => Self::AllowedFast(index()?),
            _ => return Ok(None),
        }))
    }

    /// Reads a message of this extension; `None` if it is another.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn of(message: &Message<'_>) -> Result<Option<Self>, DecodeError> {
        match *message {
            Message::Other { id, payload } => Self::decode(id, payload),
            _ => Ok(None),
        }
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> u8 {
        match self {
            Self::Suggest(_) => SUGGEST,
            Self::HaveAll => HAVE_ALL,
            Self::HaveNone => HAVE_NONE,
            Self::Reject(_) => REJECT,
            Self::AllowedFast(_) => ALLOWED,
        }
    }

    /// Returns the number of bytes on the wire, the length prefix included.
    #[must_use]
    pub const fn encoded_len(&self) -> usize {
        match self {
            Self::HaveAll | Self::HaveNone => 5,
            Self::Suggest(_) | Self::AllowedFast(_) => 9,
            Self::Reject(_) => 17,
        }
    }

    /// Writes the message, its length prefix included, and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = self.encoded_len();
        let mut out = field::Out::new(out, needed)?;
        out.u32(count(needed.saturating_sub(LEN_LEN)));
        let (id, piece) = match self {
            Self::Suggest(piece) => (SUGGEST, Some(piece)),
            Self::HaveAll => (HAVE_ALL, None),
            Self::HaveNone => (HAVE_NONE, None),
            Self::AllowedFast(piece) => (ALLOWED, Some(piece)),
            Self::Reject(block) => {
                request::encode(REJECT, *block, &mut out);
                return Ok(needed);
            }
        };
        out.u8(id);
        if let Some(piece) = piece {
            out.u32(piece.0);
        }
        Ok(needed)
    }
}

impl fmt::Display for Fast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suggest(piece) => write!(f, "SUGGEST piece={piece}"),
            Self::HaveAll => f.write_str("HAVE ALL"),
            Self::HaveNone => f.write_str("HAVE NONE"),
            Self::Reject(block) => write!(f, "REJECT {block}"),
            Self::AllowedFast(piece) => write!(f, "ALLOWED FAST piece={piece}"),
        }
    }
}
