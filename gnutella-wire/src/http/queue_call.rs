//! QUEUE: a servent behind a firewall calls a client whose turn it is (PARQ).

use core::fmt;
use core::net::SocketAddrV4;

use crate::error::{BufferTooSmall, DecodeError};
use crate::head::split_line;
use crate::writer::Writer;

const QUEUE: &str = "QUEUE "; // then the id, a blank, and the address

/// Calls a client that waits in a queue; the client answers with a request on the same connection.
///
/// ```
/// use gnutella_wire::http::QueueCall;
///
/// let line = b"QUEUE 0102030405060708090A0B0C0D0E0F10 192.0.2.1:6346\r\nGET";
/// let (call, rest) = QueueCall::decode(line)?;
/// assert_eq!((call.id.starts_with(b"01020304"), rest), (true, &b"GET"[..]));
/// # Ok::<(), gnutella_wire::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCall {
    /// The id of the place in the queue, as the answer with `X-Queued` gave it: hexadecimal digits.
    pub id: [u8; 32],
    /// Where the caller serves.
    pub address: SocketAddrV4,
}

impl QueueCall {
    /// The longest line that is read, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Reads a line that ends in CR LF or LF, and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] without an end; [`DecodeError::HeadTooLong`] without one within 128
    /// bytes; [`DecodeError::UnknownLine`] if this is not such a call.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let within = bytes.get(..Self::MAX_LEN).unwrap_or(bytes);
        let Some((line, rest)) = split_line(within) else {
            return Err(if bytes.len() < Self::MAX_LEN {
                DecodeError::Incomplete { needed: 1 }
            } else {
                DecodeError::HeadTooLong { limit: Self::MAX_LEN }
            });
        };
        let consumed = within.len().saturating_sub(rest.len());
        let call = Self::read(line).ok_or(DecodeError::UnknownLine)?;
        Ok((call, bytes.get(consumed..).unwrap_or(&[])))
    }

    fn read(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(QUEUE.as_bytes())?.trim_ascii();
        let (id, address) = rest.split_first_chunk::<32>()?;
        let address = core::str::from_utf8(address).ok()?.strip_prefix(' ')?.trim();
        let is_id = id.iter().all(u8::is_ascii_hexdigit);
        Some(Self { id: *id, address: address.parse().ok()? }).filter(|_| is_id)
    }

    /// Returns the length of the line with its end, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the line, ended by CR LF, and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.text(format_args!("{QUEUE}"));
        w.bytes(&self.id);
        w.text(format_args!(" {}\r\n", self.address));
    }
}

/// The line, without its end.
impl fmt::Display for QueueCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = core::str::from_utf8(&self.id).unwrap_or_default();
        write!(f, "{QUEUE}{id} {}", self.address)
    }
}
