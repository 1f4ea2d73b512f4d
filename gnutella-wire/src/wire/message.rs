//! A whole message: a header and one of the payloads.

use core::fmt;

use super::bye::Bye;
use super::function::Function;
use super::header::{HEADER_LEN, Header, Limits};
use super::other::Other;
use super::ping::Ping;
use super::pong::Pong;
use super::push::Push;
use super::query::Query;
use super::query_hit::QueryHit;
use crate::error::{BufferTooSmall, DecodeError};
use crate::id::Guid;
use crate::writer::Writer;

/// A whole message. Its function and length follow from the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Names the message; an answer repeats the GUID of its question.
    pub guid: Guid,
    /// How many more links the message may cross.
    pub ttl: u8,
    /// How many links it has crossed.
    pub hops: u8,
    /// The payload.
    pub payload: Payload<'a>,
}

/// The payload of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Asks for hosts.
    Ping(Ping<'a>),
    /// Answers a ping.
    Pong(Pong<'a>),
    /// Ends the connection.
    Bye(Bye<'a>),
    /// Asks a servent to connect.
    Push(Push<'a>),
    /// Asks for files.
    Query(Query<'a>),
    /// Answers a query.
    QueryHit(QueryHit<'a>),
    /// Any other function.
    Other(Other<'a>),
}

impl<'a> Message<'a> {
    /// Reads one message and returns it with the bytes after it.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Incomplete`] if the bytes end before the message; the errors of
    /// [`Header::decode`], which end the connection; [`DecodeError::Malformed`], after which the
    /// next message begins where [`Header::len`] announces.
    pub fn decode(bytes: &'a [u8], limits: Limits) -> Result<(Self, &'a [u8]), DecodeError> {
        let (header, payload, rest) = split(bytes, limits)?;
        let payload = Payload::decode(header.function, payload)?;
        let Header { guid, ttl, hops, .. } = header;
        Ok((Self { guid, ttl, hops, payload }, rest))
    }

    /// Returns the header.
    #[must_use]
    pub fn header(&self) -> Header {
        let Self { guid, ttl, hops, payload } = *self;
        let len = u32::try_from(payload.encoded_len()).unwrap_or(u32::MAX);
        Header { guid, function: payload.function(), ttl, hops, len }
    }

    /// Returns the length of header and payload, in bytes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN.saturating_add(self.payload.encoded_len())
    }

    /// Writes header and payload and returns their length.
    ///
    /// No servent accepts a payload of 65,536 bytes or more; [`Limits`] names the customary ones.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let header = self.header();
        Writer::fill(out, |w| {
            header.write(w);
            self.payload.write(w);
        })
    }
}

impl<'a> Payload<'a> {
    /// Reads a whole payload.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Malformed`] if it ends within its fixed fields or records.
    pub fn decode(function: Function, payload: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(match function {
            Function::PING => Self::Ping(Ping::decode(payload)),
            Function::PONG => Self::Pong(Pong::decode(payload)?),
            Function::BYE => Self::Bye(Bye::decode(payload)?),
            Function::PUSH => Self::Push(Push::decode(payload)?),
            Function::QUERY => Self::Query(Query::decode(payload)?),
            Function::QUERY_HIT => Self::QueryHit(QueryHit::decode(payload)?),
            other => Self::Other(Other::decode(other, payload)),
        })
    }

    /// Returns the function, the byte in the header.
    #[must_use]
    pub const fn function(&self) -> Function {
        match self {
            Self::Ping(_) => Function::PING,
            Self::Pong(_) => Function::PONG,
            Self::Bye(_) => Function::BYE,
            Self::Push(_) => Function::PUSH,
            Self::Query(_) => Function::QUERY,
            Self::QueryHit(_) => Function::QUERY_HIT,
            Self::Other(other) => other.function,
        }
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

    fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Ping(ping) => ping.write(w),
            Self::Pong(pong) => pong.write(w),
            Self::Bye(bye) => bye.write(w),
            Self::Push(push) => push.write(w),
            Self::Query(query) => query.write(w),
            Self::QueryHit(hit) => hit.write(w),
            Self::Other(other) => other.write(w),
        }
    }
}

/// Returns the header, its payload, and the bytes after both.
pub(crate) fn split(bytes: &[u8], limits: Limits) -> Result<(Header, &[u8], &[u8]), DecodeError> {
    let (header, rest) = Header::decode(bytes, limits)?;
    let len = usize::try_from(header.len).unwrap_or(usize::MAX);
    let needed = len.saturating_sub(rest.len());
    let (payload, rest) = rest.split_at_checked(len).ok_or(DecodeError::Incomplete { needed })?;
    Ok((header, payload, rest))
}

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping(ping) => write!(f, "{ping}"),
            Self::Pong(pong) => write!(f, " {pong}"),
            Self::Bye(bye) => write!(f, " {bye}"),
            Self::Push(push) => write!(f, " {push}"),
            Self::Query(query) => write!(f, " {query}"),
            Self::QueryHit(hit) => write!(f, " {hit}"),
            Self::Other(other) => write!(f, "{other}"),
        }
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guid, ttl, hops, payload } = self;
        write!(f, "{} {guid:.8} ttl={ttl} hops={hops}{payload}", payload.function())
    }
}
