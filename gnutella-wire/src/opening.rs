//! What an accepted connection begins with: all three protocols share one port.

use crate::error::DecodeError;

const WORDS: [(&[u8], Opening); 5] = [
    (b"GNUTELLA", Opening::Handshake),
    (b"GET ", Opening::Http),
    (b"HEAD ", Opening::Http),
    (b"GIV ", Opening::Giv),
    (b"QUEUE ", Opening::Queue),
];

/// What the first bytes of an accepted connection begin.
///
/// ```
/// use gnutella_wire::{DecodeError, Opening};
///
/// assert_eq!(Opening::of(b"GNUTELLA CONNECT/0.6\r\n"), Ok(Opening::Handshake));
/// assert_eq!(Opening::of(b"G"), Err(DecodeError::Incomplete { needed: 1 }));
/// assert_eq!(Opening::of(b"SSH-2.0"), Err(DecodeError::UnknownLine));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "every driver must handle each case")]
pub enum Opening {
    /// A [handshake](crate::handshake).
    Handshake,
    /// A [request](crate::http::Request) for a file.
    Http,
    /// A [file on offer](crate::http::Giv), after a push.
    Giv,
    /// A [free place](crate::http::QueueCall) at a servent in whose queue a download waits.
    Queue,
}

impl Opening {
    /// Recognises the first word; the bytes are not consumed.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] if more bytes may decide; [`DecodeError::UnknownLine`] for
    /// anything else.
    pub fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut error = DecodeError::UnknownLine;
        for (word, opening) in WORDS {
            if bytes.starts_with(word) {
                return Ok(opening);
            }
            if word.starts_with(bytes) {
                error = DecodeError::Incomplete { needed: 1 };
            }
        }
        Err(error)
    }
}
