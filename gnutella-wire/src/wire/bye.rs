//! Bye: I close this connection, and this is why (GDF "Bye", 0.6).

use core::fmt;

use super::{Function, malformed};
use crate::writer::Writer;
use crate::{BufferTooSmall, DecodeError, Text};

const CODE: usize = 2; // little-endian
// then a text, a NUL, and nothing

/// The last message on a connection. Hops 0, TTL 1; never forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bye<'a> {
    /// Why.
    pub code: ByeCode,
    /// Why, in words; header lines may follow after a line end.
    pub text: Text<'a>,
    /// What follows the NUL, kept as it stands; usually nothing.
    pub extensions: &'a [u8],
}

/// Why a connection ends: 2xx you did nothing wrong, 4xx you did, 5xx trouble on my side. Any value
/// is legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByeCode(pub u16);

impl<'a> Bye<'a> {
    /// Reads a whole payload. A missing NUL after the text is forgiven.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] below 2 bytes.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let short = malformed(Function::BYE, payload);
        let (code, rest) = payload.split_first_chunk::<CODE>().ok_or(short)?;
        let (text, extensions) = Text::split(rest);
        let extensions = extensions.unwrap_or_default();
        Ok(Self { code: ByeCode(u16::from_le_bytes(*code)), text, extensions })
    }

    /// Returns the length of the payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        Writer::measure(|w| self.write(w))
    }

    /// Writes the payload and returns its length.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(w))
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.u16(self.code.0);
        w.bytes(self.text.as_bytes());
        w.u8(0);
        w.bytes(self.extensions);
    }
}

impl ByeCode {
    /// The servent shuts down.
    pub const SHUTDOWN: Self = Self(200);
    /// The user removed the connection.
    pub const REMOVED: Self = Self(201);
    /// The servent goes on in another role, and so needs other neighbours.
    pub const CHANGING_MODE: Self = Self(203);
    /// The payload is longer than the limit.
    pub const TOO_LARGE: Self = Self(400);
    /// The same messages came again and again.
    pub const DUPLICATES: Self = Self(401);
    /// Messages came whose TTL and hops exceed the limit.
    pub const TTL_TOO_HIGH: Self = Self(403);
    /// No answer to alive pings.
    pub const NO_REPLY: Self = Self(406);
    /// Messages came with TTL 0.
    pub const TTL_ZERO: Self = Self(408);
    /// Payloads came that were shorter than their fields.
    pub const INVALID_PAYLOAD: Self = Self(411);
    /// The messages of a query-routing table do not fit together.
    pub const QRP: Self = Self(413);
    /// A leaf relayed messages of others.
    pub const LEAF_RELAYED: Self = Self(414);
    /// The neighbour does not read what is sent to it.
    pub const SEND_QUEUE: Self = Self(502);

    /// Returns the words that go with a code of this list, of at most 38 bytes; none for others.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SHUTDOWN => "Servent shuts down",
            Self::REMOVED => "Removed by the user",
            Self::CHANGING_MODE => "Changing peer mode",
            Self::TOO_LARGE => "Message too large",
            Self::DUPLICATES => "Too many duplicates",
            Self::TTL_TOO_HIGH => "Relayed messages with too high a TTL",
            Self::NO_REPLY => "No reply to alive pings",
            Self::TTL_ZERO => "Received messages with TTL 0",
            Self::INVALID_PAYLOAD => "Invalid payloads",
            Self::QRP => "Invalid query routing messages",
            Self::LEAF_RELAYED => "Leaf relayed messages",
            Self::SEND_QUEUE => "Send queue full",
            _ => "",
        }
    }
}

impl fmt::Display for ByeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Bye<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.code, self.text)?;
        super::extra(f, self.extensions)
    }
}
