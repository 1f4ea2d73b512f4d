//! The messages of the DHT (BEP 5, "KRPC protocol"; BEP 32, 33, 42, 43, 44, 51): one bencoded dictionary in each
//! datagram.
//!
//! ```
//! use bittorrent_pieces::dht::krpc::{Body, Message, Method};
//!
//! let message = Message::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")?;
//! let Body::Query(query) = message.body else { panic!() };
//! assert_eq!(query.method, Method::Ping);
//! assert_eq!(query.id.0, *b"abcdefghij0123456789");
//! # Ok::<(), bittorrent_pieces::dht::krpc::KrpcError>(())
//! ```
#![expect(clippy::exhaustive_enums, reason = "the three kinds of message of BEP 5")]

mod error;
mod fields;
mod nodes;
mod query;
mod response;

use core::fmt;
use core::net::SocketAddr;

use crate::bencode::{Limits, Mode, Value, WriteError, Writer};
use crate::compact::CompactPeers;
pub use error::KrpcError;
use fields::{flag, peer};
pub use nodes::{CompactNodes, NodesIter, Values, ValuesIter};
use query::Arguments;
pub use query::{Method, Put, Query, Want};
use response::Results;
pub use response::{Response, Samples, SamplesIter};

/// The limits of a message: 8 levels, 1,024 values and keys, 16 keys out of order.
pub const LIMITS: Limits = Limits { depth: 8, items: 1 << 10, unordered: 16 };

/// 201: an error of no other kind.
pub const GENERIC_ERROR: i64 = 201;
/// 202: the server failed.
pub const SERVER_ERROR: i64 = 202;
/// 203: a malformed message, an invalid argument, or a wrong token.
pub const PROTOCOL_ERROR: i64 = 203;
/// 204: the method is unknown.
pub const METHOD_UNKNOWN: i64 = 204;

/// 205: the value of an item is too long (BEP 44).
pub const VALUE_TOO_LONG: i64 = 205;
/// 206: the signature of an item does not verify (BEP 44).
pub const INVALID_SIGNATURE: i64 = 206;
/// 207: the salt of an item is too long (BEP 44).
pub const SALT_TOO_LONG: i64 = 207;
/// 301: the stored item has another sequence number than `cas` (BEP 44).
pub const CAS_MISMATCH: i64 = 301;
/// 302: the stored item is newer (BEP 44).
pub const SEQ_TOO_LOW: i64 = 302;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Message<'a> {
    /// Matches a response to its query; the response echoes it.
    pub transaction: &'a [u8],
    /// The program and its version.
    pub version: Option<&'a [u8]>,
    /// In a response, the address that the query came from (BEP 42). The word of one node is no proof.
    pub ip: Option<SocketAddr>,
    /// The sender answers no queries: it does not belong in the routing table (BEP 43).
    pub read_only: bool,
    /// The query, response or error.
    pub body: Body<'a>,
}

/// The kind of a message, `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// `q`
    Query(Query<'a>),
    /// `r`
    Response(Response<'a>),
    /// `e`
    Error {
        /// 201 to 207, 301, 302, or another.
        code: i64,
        /// A text for people.
        text: &'a [u8],
    },
}

/// The keys of a message, read in one pass.
#[derive(Default)]
struct Fields<'a> {
    arguments: Option<Arguments<'a>>,
    error: Option<Value<'a>>,
    ip: Option<SocketAddr>,
    kind: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    read_only: bool,
    results: Option<Results<'a>>,
    transaction: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn set(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"e" => self.error = Some(value),
            b"ip" => self.ip = value.as_bytes().and_then(peer),
            b"q" => self.method = value.as_bytes(),
            b"ro" => self.read_only = flag(value),
            b"t" => self.transaction = value.as_bytes(),
            b"v" => self.version = value.as_bytes(),
            b"y" => self.kind = value.as_bytes(),
            _ => {}
        }
    }
}

impl<'a> Message<'a> {
    /// Creates a message without the optional keys.
    #[must_use]
    pub const fn new(transaction: &'a [u8], body: Body<'a>) -> Self {
        Self { transaction, version: None, ip: None, read_only: false, body }
    }

    /// Parses a datagram.
    ///
    /// # Errors
    ///
    /// [`KrpcError`]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, KrpcError> {
        let (dict, _) = Value::decode_shallow(bytes, Mode::Lenient, LIMITS)?;
        let mut fields = Fields::default();
        let mut entries = dict.entries();
        while let Some(key) = entries.pull_key() {
            match key {
                b"a" => {
                    let arguments = fields.arguments.insert(Arguments::default());
                    entries.visit_value(|key, value| arguments.set(key, value));
                }
                b"r" => {
                    let results = fields.results.insert(Results::default());
                    entries.visit_value(|key, value| results.set(key, value));
                }
                _ => fields.set(key, entries.pull_value()),
            }
        }
        let transaction = fields.transaction.ok_or(KrpcError::Key("t"))?;
        let body = match fields.kind {
            Some(b"q") => {
                let name = fields.method.ok_or(KrpcError::Key("q"))?;
                Body::Query(fields.arguments.as_ref().ok_or(KrpcError::Key("a"))?.query(name)?)
            }
            // libtorrent sends both `r` and `e` in its errors: `y` counts.
            Some(b"r") => {
                Body::Response(fields.results.as_ref().ok_or(KrpcError::Key("r"))?.response()?)
            }
            Some(b"e") => {
                // Whatever it says, the query has failed.
                let error = fields.error.unwrap_or(Value::EMPTY_DICT);
                let code = error.items().find_map(|code| code.as_int()).unwrap_or(GENERIC_ERROR);
                let text = error.items().find_map(|text| text.as_bytes()).or(error.as_bytes());
                Body::Error { code, text: text.unwrap_or_default() }
            }
            _ => return Err(KrpcError::Key("y")),
        };
        let Fields { version, ip, read_only, .. } = fields;
        Ok(Self { transaction, version, ip, read_only, body })
    }

    /// Writes the datagram and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            let kind: &[u8] = match &self.body {
                Body::Query(query) => {
                    dict.dict(b"a", |args| query.encode_arguments(args))?;
                    b"q"
                }
                Body::Error { code, text } => {
                    dict.list(b"e", |list| {
                        list.int(*code);
                        list.bytes(text);
                        Ok(())
                    })?;
                    b"e"
                }
                Body::Response(_) => b"r",
            };
            if let Some(ip) = self.ip {
                let mut room = [0; 18];
                let len = CompactPeers::encode(ip, &mut room)?;
                dict.bytes(b"ip", room.get(..len).unwrap_or_default())?;
            }
            match &self.body {
                Body::Query(query) => dict.bytes(b"q", query.method.name())?,
                Body::Response(response) => {
                    dict.dict(b"r", |values| response.encode_values(values))?;
                }
                Body::Error { .. } => {}
            }
            if self.read_only {
                dict.int(b"ro", 1)?;
            }
            dict.bytes(b"t", self.transaction)?;
            self.version.map_or(Ok(()), |version| dict.bytes(b"v", version))?;
            dict.bytes(b"y", kind)
        })?;
        writer.finish()
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Query(query) => query.fmt(f),
            Body::Response(response) => response.fmt(f),
            Body::Error { code, text } => {
                write!(f, "ERROR code={code} text=\"{}\"", text.escape_ascii())
            }
        }
    }
}
