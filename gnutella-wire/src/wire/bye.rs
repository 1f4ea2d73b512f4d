//! Bye: I close this connection, and this is why (GDF "Bye", 0.6).

use core::fmt;

use super::fields::{extra, malformed};
use super::function::Function;
use crate::error::{BufferTooSmall, DecodeError};
use crate::text::Text;
use crate::writer::Writer;

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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// A servent of the local network is preferred.
    pub const LOCAL_PREFERRED: Self = Self(202);
    /// The servent becomes a leaf or an ultrapeer.
    pub const CHANGING_MODE: Self = Self(203);
    /// The user did not answer in time.
    pub const USER_TIMEOUT: Self = Self(210);
    /// Any other wish of the user.
    pub const USER: Self = Self(299);
    /// The payload is longer than the limit.
    pub const TOO_LARGE: Self = Self(400);
    /// The same messages came again and again.
    pub const DUPLICATES: Self = Self(401);
    /// Queries came that are not proper.
    pub const IMPROPER_QUERIES: Self = Self(402);
    /// Messages came whose TTL and hops exceed the limit.
    pub const TTL_TOO_HIGH: Self = Self(403);
    /// Too many messages came that nobody knows.
    pub const UNKNOWN_MESSAGES: Self = Self(404);
    /// Nothing came for too long.
    pub const INACTIVE: Self = Self(405);
    /// No answer to alive pings.
    pub const NO_REPLY: Self = Self(406);
    /// The other end shares too little.
    pub const SHARES_TOO_LITTLE: Self = Self(407);
    /// Messages came with TTL 0.
    pub const TTL_ZERO: Self = Self(408);
    /// Too many errors of several kinds.
    pub const TOO_MANY_ERRORS: Self = Self(409);
    /// More messages came than are bearable.
    pub const TOO_MANY_MESSAGES: Self = Self(410);
    /// Payloads came that were shorter than their fields.
    pub const INVALID_PAYLOAD: Self = Self(411);
    /// What came looks like an attack.
    pub const SECURITY: Self = Self(412);
    /// The messages of a query-routing table do not fit together.
    pub const QRP: Self = Self(413);
    /// A leaf relayed messages of others.
    pub const LEAF_RELAYED: Self = Self(414);
    /// Any other fault of the other end.
    pub const PEER: Self = Self(499);
    /// An error on this side.
    pub const INTERNAL: Self = Self(500);
    /// No message boundaries could be found any more.
    pub const DESYNCHRONISED: Self = Self(501);
    /// The other end reads too slowly.
    pub const SEND_QUEUE: Self = Self(502);
    /// The connection closes.
    pub const CLOSING: Self = Self(503);
    /// The servent became a leaf or an ultrapeer during the handshake.
    pub const MODE_CHANGED: Self = Self(504);
    /// The protocol is not supported.
    pub const UNSUPPORTED: Self = Self(505);
    /// Any other trouble on this side.
    pub const SERVENT: Self = Self(599);

    /// Returns the words that go with a code of this list, of at most 38 bytes; none for others.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SHUTDOWN => "Servent shuts down",
            Self::REMOVED => "Removed by the user",
            Self::LOCAL_PREFERRED => "A nearer servent is preferred",
            Self::CHANGING_MODE => "Changing between leaf and ultrapeer",
            Self::USER_TIMEOUT => "User timeout",
            Self::USER => "Closed by the user",
            Self::TOO_LARGE => "Message too large",
            Self::DUPLICATES => "Too many duplicates",
            Self::IMPROPER_QUERIES => "Improper queries",
            Self::TTL_TOO_HIGH => "Relayed messages with too high a TTL",
            Self::UNKNOWN_MESSAGES => "Too many unknown messages",
            Self::INACTIVE => "Nothing was sent for too long",
            Self::NO_REPLY => "No reply to alive pings",
            Self::SHARES_TOO_LITTLE => "Shares too little",
            Self::TTL_ZERO => "Received messages with TTL 0",
            Self::TOO_MANY_ERRORS => "Too many errors",
            Self::TOO_MANY_MESSAGES => "Too many messages",
            Self::INVALID_PAYLOAD => "Invalid payloads",
            Self::SECURITY => "Security",
            Self::QRP => "Invalid query routing messages",
            Self::LEAF_RELAYED => "Leaf relayed messages",
            Self::PEER => "Trouble with this servent",
            Self::INTERNAL => "Internal error",
            Self::DESYNCHRONISED => "Message boundaries lost",
            Self::SEND_QUEUE => "Send queue full",
            Self::CLOSING => "Closing",
            Self::MODE_CHANGED => "Mode changed during the handshake",
            Self::UNSUPPORTED => "Protocol not supported",
            Self::SERVENT => "Trouble on this side",
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
        extra(f, self.extensions)
    }
}
