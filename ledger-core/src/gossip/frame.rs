//! What all messages have in common: a kind and a length before the payload.

use thiserror::Error;

use crate::codec::Writer;
use crate::error::BufferTooSmall;

/// The version of the protocol that [`Hello`](super::Hello) names.
pub const VERSION: u8 = 1;
/// The length of kind and length before each payload, in bytes.
pub const FRAME_LEN: usize = 5;

/// The kinds, in wire order.
pub(super) mod kind {
    pub(in crate::gossip) const HELLO: u8 = 1;
    pub(in crate::gossip) const STATUS: u8 = 2;
    pub(in crate::gossip) const GET_HEADERS: u8 = 3;
    pub(in crate::gossip) const HEADERS: u8 = 4;
    pub(in crate::gossip) const GET_BLOCK: u8 = 5;
    pub(in crate::gossip) const BLOCK: u8 = 6;
    pub(in crate::gossip) const HAVE_TRANSACTIONS: u8 = 7;
    pub(in crate::gossip) const GET_TRANSACTION: u8 = 8;
    pub(in crate::gossip) const TRANSACTION: u8 = 9;
    pub(in crate::gossip) const NOT_FOUND: u8 = 10;
    pub(in crate::gossip) const HAVE_SNAPSHOT: u8 = 11;
    pub(in crate::gossip) const GET_SNAPSHOT: u8 = 12;
    pub(in crate::gossip) const SNAPSHOT: u8 = 13;
    pub(in crate::gossip) const MORE_TRANSACTIONS: u8 = 14;
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MessageError {
    /// The bytes end too early. The only error that more bytes can cure.
    #[error("incomplete: at least {needed} more bytes needed")]
    Incomplete {
        /// A lower bound of the missing bytes.
        needed: usize,
    },
    /// The kind is unknown. A reader may skip it.
    #[error("unknown message {kind} of {len} bytes")]
    UnknownKind {
        /// The kind.
        kind: u8,
        /// The length of the payload in bytes.
        len: usize,
    },
    /// The payload is not what the kind asks for.
    #[error("malformed message {0}")]
    Malformed(u8),
}

/// Returns kind and length of the payload.
pub(super) fn frame(bytes: &[u8]) -> Result<(u8, usize), MessageError> {
    let Some(([kind, len @ ..], _)) = bytes.split_first_chunk::<FRAME_LEN>() else {
        return Err(MessageError::Incomplete { needed: FRAME_LEN.saturating_sub(bytes.len()) });
    };
    let len = usize::try_from(u32::from_be_bytes(*len));
    Ok((*kind, len.map_err(|_| MessageError::Malformed(*kind))?))
}

/// Writes the frame of a message that has `needed` bytes in all.
pub(super) fn put_frame(
    writer: &mut Writer<'_>,
    kind: u8,
    needed: usize,
) -> Result<(), BufferTooSmall> {
    let len = u32::try_from(needed.saturating_sub(FRAME_LEN));
    let len = len.map_err(|_| BufferTooSmall { needed })?;
    writer.put(&[kind])?;
    writer.put(&len.to_be_bytes())
}
