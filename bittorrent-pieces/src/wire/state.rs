//! `choke`, `unchoke`, `interested`, `not interested`: no payload (BEP 3).

use super::{DecodeError, Message, field};

/// The id of `choke`.
pub const CHOKE: u8 = 0;
/// The id of `unchoke`.
pub const UNCHOKE: u8 = 1;
/// The id of `interested`.
pub const INTERESTED: u8 = 2;
/// The id of `not interested`.
pub const NOT_INTERESTED: u8 = 3;

/// The length behind the prefix, in bytes.
pub(super) const LEN: usize = 1;

pub(super) fn decode(id: u8, payload: &[u8]) -> Result<Message<'static>, DecodeError> {
    let [] = field::exactly(id, payload)?;
    Ok(match id {
        CHOKE => Message::Choke,
        UNCHOKE => Message::Unchoke,
        INTERESTED => Message::Interested,
        NOT_INTERESTED => Message::NotInterested,
        id => Message::Other { id, payload: &[] },
    })
}
