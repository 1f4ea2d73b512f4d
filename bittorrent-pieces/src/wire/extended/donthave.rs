//! `lt_donthave`: the sender lost a piece (BEP 54).

use super::ExtendedError;
use crate::block::PieceIndex;

/// The sender no longer has this piece. With the fast extension it still answers each request;
/// without, requests for the piece are dropped on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct DontHave(pub PieceIndex);

impl DontHave {
    /// Its name in the handshake.
    pub const NAME: &'static [u8] = b"lt_donthave";

    /// Reads the body of a message: 4 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`ExtendedError::Length`]
    pub fn decode(body: &[u8]) -> Result<Self, ExtendedError> {
        let length = ExtendedError::Length { len: body.len(), expected: 4 };
        let index = body.try_into().map_err(|_| length)?;
        Ok(Self(PieceIndex(u32::from_be_bytes(index))))
    }

    /// Returns the body of the message.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.0.to_be_bytes()
    }
}
