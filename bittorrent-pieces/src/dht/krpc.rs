//! The messages of the DHT (BEP 5, "KRPC protocol"; BEP 32, 42, 43): one bencoded dictionary in each
//! datagram.
//!
//! ```
//! use bittorrent_pieces::dht::krpc::{Body, Message, Query};
//!
//! let message = Message::decode(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe")?;
//! assert!(matches!(message.body, Body::Query(Query::Ping { .. })));
//! # Ok::<(), bittorrent_pieces::dht::krpc::KrpcError>(())
//! ```

use core::fmt;
use core::net::SocketAddr;

use thiserror::Error;

use super::NodeId;
use crate::bencode::{BencodeError, DictWriter, Items, Limits, Mode, Value, WriteError, Writer};
use crate::{CompactPeers, Family, InfoHash};

/// What a message may hold: 5 levels, 1,024 values and keys, 16 keys out of order.
pub const LIMITS: Limits = Limits { depth: 5, items: 1 << 10, unordered: 16 };

/// 201: an error of no other kind.
pub const GENERIC_ERROR: i64 = 201;
/// 202: the server failed.
pub const SERVER_ERROR: i64 = 202;
/// 203: a malformed message, an argument that is none, or a wrong token.
pub const PROTOCOL_ERROR: i64 = 203;
/// 204: the method is not known.
pub const METHOD_UNKNOWN: i64 = 204;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Ties an answer to its query; the answer echoes it.
    pub transaction: &'a [u8],
    /// The program and its version.
    pub version: Option<&'a [u8]>,
    /// In an answer, the address that the query came from (BEP 42). One node's word is no proof.
    pub ip: Option<SocketAddr>,
    /// The sender answers no queries: it is not to be put into the routing table (BEP 43).
    pub read_only: bool,
    /// The rest.
    pub body: Body<'a>,
}

/// What a message is; `y` says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// `q`
    Query(Query<'a>),
    /// `r`
    Response(Response<'a>),
    /// `e`
    Error {
        /// 201 to 204, or another.
        code: i64,
        /// For people.
        text: &'a [u8],
    },
}

/// A query. Each tells the id of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query<'a> {
    /// Whether the node is there.
    Ping {
        /// The sender.
        id: NodeId,
    },
    /// The nodes nearest to an id.
    FindNode {
        /// The sender.
        id: NodeId,
        /// The id.
        target: NodeId,
    },
    /// The peers of a torrent.
    GetPeers {
        /// The sender.
        id: NodeId,
        /// The torrent.
        info_hash: InfoHash,
    },
    /// The sender is a peer of a torrent.
    AnnouncePeer {
        /// The sender.
        id: NodeId,
        /// The torrent.
        info_hash: InfoHash,
        /// The TCP port of the peer; `None`: that of the datagram, over UDP too (`implied_port`).
        port: Option<u16>,
        /// What the receiver gave in its answer to `get_peers`.
        token: &'a [u8],
    },
    /// Any other method, to be answered with 204.
    Other {
        /// The sender.
        id: NodeId,
        /// Its name.
        method: &'a [u8],
    },
}

/// An answer; what was asked says which of its parts to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// The sender.
    pub id: NodeId,
    /// Nodes near to the target, over IPv4.
    pub nodes: Option<CompactNodes<'a>>,
    /// And over IPv6 (BEP 32).
    pub nodes6: Option<CompactNodes<'a>>,
    /// What to announce with.
    pub token: Option<&'a [u8]>,
    /// Peers.
    pub values: Option<Values<'a>>,
}

/// A datagram that cannot be used; the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KrpcError {
    /// No bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// A key that is missing or has an impossible value; `id` of other than 20 bytes, for example.
    #[error("key '{0}' is missing or impossible")]
    Key(&'static str),
    /// Nodes of a length that is not a multiple of 26 (`nodes`) or 38 (`nodes6`).
    #[error("{0} bytes of nodes")]
    Nodes(usize),
}

impl<'a> Message<'a> {
    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// [`KrpcError`]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, KrpcError> {
        let (dict, _) = Value::decode(bytes, Mode::Lenient, LIMITS)?;
        let transaction = bytes_of(dict, b"t").ok_or(KrpcError::Key("t"))?;
        let body = match bytes_of(dict, b"y") {
            Some(b"q") => Body::Query(query(dict)?),
            // libtorrent sends both `r` and `e` in its errors: `y` counts.
            Some(b"r") => Body::Response(response(dict)?),
            Some(b"e") => {
                let mut error = dict.find(b"e").ok_or(KrpcError::Key("e"))?.items();
                let code = error.next().and_then(|code| code.as_int());
                let text = error.next().and_then(|text| text.as_bytes()).unwrap_or_default();
                Body::Error { code: code.ok_or(KrpcError::Key("e"))?, text }
            }
            _ => return Err(KrpcError::Key("y")),
        };
        Ok(Self {
            transaction,
            version: bytes_of(dict, b"v"),
            ip: bytes_of(dict, b"ip").and_then(peer),
            read_only: dict.find(b"ro").and_then(|ro| ro.as_int()) == Some(1),
            body,
        })
    }

    /// Writes the datagram and returns its length.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            let kind: &[u8] = match &self.body {
                Body::Query(query) => {
                    dict.dict(b"a", |args| query.arguments(args))?;
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
                Body::Query(query) => dict.bytes(b"q", query.method())?,
                Body::Response(response) => dict.dict(b"r", |values| response.values(values))?,
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

impl<'a> Query<'a> {
    /// Returns the sender.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        match self {
            Self::Ping { id }
            | Self::FindNode { id, .. }
            | Self::GetPeers { id, .. }
            | Self::AnnouncePeer { id, .. }
            | Self::Other { id, .. } => *id,
        }
    }

    /// Returns the name of the method.
    #[must_use]
    pub const fn method(&self) -> &'a [u8] {
        match self {
            Self::Ping { .. } => b"ping",
            Self::FindNode { .. } => b"find_node",
            Self::GetPeers { .. } => b"get_peers",
            Self::AnnouncePeer { .. } => b"announce_peer",
            Self::Other { method, .. } => method,
        }
    }

    fn arguments(&self, args: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        args.bytes(b"id", &self.id().0)?;
        match self {
            Self::Ping { .. } | Self::Other { .. } => Ok(()),
            Self::FindNode { target, .. } => args.bytes(b"target", &target.0),
            Self::GetPeers { info_hash, .. } => args.bytes(b"info_hash", &info_hash.0),
            Self::AnnouncePeer { info_hash, port, token, .. } => {
                if port.is_none() {
                    args.int(b"implied_port", 1)?;
                }
                args.bytes(b"info_hash", &info_hash.0)?;
                args.int(b"port", i64::from(port.unwrap_or(1)))?;
                args.bytes(b"token", token)
            }
        }
    }
}

impl Response<'_> {
    /// Returns the answer to a ping or an announce.
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self { id, nodes: None, nodes6: None, token: None, values: None }
    }

    fn values(&self, dict: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        dict.bytes(b"id", &self.id.0)?;
        for (key, nodes) in [(&b"nodes"[..], self.nodes), (b"nodes6", self.nodes6)] {
            nodes.map_or(Ok(()), |nodes| dict.bytes(key, nodes.bytes))?;
        }
        self.token.map_or(Ok(()), |token| dict.bytes(b"token", token))?;
        match self.values {
            None => Ok(()),
            Some(Values(Listed::Value(list))) => dict.value(b"values", list),
            Some(Values(Listed::Peers(peers))) => dict.list(b"values", |list| {
                let stride = peers.family().stride();
                peers.as_bytes().chunks_exact(stride).for_each(|peer| list.bytes(peer));
                Ok(())
            }),
        }
    }
}

/// Nodes one behind the other: id, address, port; 26 bytes each, or 38 over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactNodes<'a> {
    family: Family,
    bytes: &'a [u8],
}

impl<'a> CompactNodes<'a> {
    /// Takes in bytes; `None` if their number is not a multiple of 26 or 38.
    #[must_use]
    pub const fn new(family: Family, bytes: &'a [u8]) -> Option<Self> {
        let stride = family.stride().saturating_add(20);
        if bytes.len().is_multiple_of(stride) { Some(Self { family, bytes }) } else { None }
    }

    /// Returns the nodes in order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, SocketAddr)> + use<'a> {
        let family = self.family;
        self.bytes.chunks_exact(family.stride().saturating_add(20)).filter_map(move |node| {
            let (id, addr) = node.split_first_chunk::<20>()?;
            Some((NodeId(*id), CompactPeers::new(family, addr)?.nth(0)?))
        })
    }

    /// Writes a node and returns how many bytes it took.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`](crate::BufferTooSmall); nothing is written then.
    pub fn encode(
        id: NodeId,
        addr: SocketAddr,
        out: &mut [u8],
    ) -> Result<usize, crate::BufferTooSmall> {
        let needed = Family::of(addr).stride().saturating_add(20);
        let room = out.get_mut(..needed).ok_or(crate::BufferTooSmall { needed })?;
        if let Some((name, room)) = room.split_first_chunk_mut::<20>() {
            *name = id.0;
            CompactPeers::encode(addr, room)?;
        }
        Ok(needed)
    }
}

/// The peers of an answer: a list of compact peers, each a string of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'a>(Listed<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed<'a> {
    Value(Value<'a>),
    Peers(CompactPeers<'a>),
}

impl<'a> Values<'a> {
    /// Takes in peers to be told.
    #[must_use]
    pub const fn new(peers: CompactPeers<'a>) -> Self {
        Self(Listed::Peers(peers))
    }

    /// Returns the peers; strings that are none are left out.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> + use<'a> {
        let (list, peers): (Option<Items<'a>>, _) = match self.0 {
            Listed::Value(list) => (Some(list.items()), None),
            Listed::Peers(peers) => (None, Some(peers)),
        };
        let strings = list.into_iter().flatten().filter_map(|value| value.as_bytes());
        let peers = peers.into_iter().flat_map(|peers| peers.iter());
        strings.filter_map(peer).chain(peers)
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Body::Query(Query::Ping { id }) => write!(f, "PING node={id}"),
            Body::Query(Query::FindNode { target, .. }) => write!(f, "FIND NODE target={target}"),
            Body::Query(Query::GetPeers { info_hash, .. }) => {
                write!(f, "GET PEERS torrent={info_hash}")
            }
            Body::Query(Query::AnnouncePeer { info_hash, port: Some(port), .. }) => {
                write!(f, "ANNOUNCE PEER torrent={info_hash} port={port}")
            }
            Body::Query(Query::AnnouncePeer { info_hash, port: None, .. }) => {
                write!(f, "ANNOUNCE PEER torrent={info_hash} port=implied")
            }
            Body::Query(Query::Other { method, .. }) => {
                write!(f, "QUERY method={}", method.escape_ascii())
            }
            Body::Response(Response { id, nodes, values, token, .. }) => {
                let nodes = nodes.map_or(0, |nodes| nodes.iter().count());
                let peers = values.map_or(0, |values| values.iter().count());
                let token = if token.is_some() { " token" } else { "" };
                write!(f, "ANSWER node={id} nodes={nodes} peers={peers}{token}")
            }
            Body::Error { code, text } => {
                write!(f, "ERROR code={code} text={:?}", text.escape_ascii())
            }
        }
    }
}

fn query(dict: Value<'_>) -> Result<Query<'_>, KrpcError> {
    let method = bytes_of(dict, b"q").ok_or(KrpcError::Key("q"))?;
    let args = dict.find(b"a").ok_or(KrpcError::Key("a"))?;
    let id = id_of(args, b"id").ok_or(KrpcError::Key("id"))?;
    let torrent = || {
        let hash = id_of(args, b"info_hash").ok_or(KrpcError::Key("info_hash"))?;
        Ok::<_, KrpcError>(InfoHash(hash.0))
    };
    Ok(match method {
        b"ping" => Query::Ping { id },
        b"find_node" => {
            let target = id_of(args, b"target").ok_or(KrpcError::Key("target"))?;
            Query::FindNode { id, target }
        }
        b"get_peers" => Query::GetPeers { id, info_hash: torrent()? },
        b"announce_peer" => {
            let number = |key| args.find(key).and_then(|value| value.as_int());
            let implied = number(b"implied_port").is_some_and(|implied| implied != 0);
            let port = number(b"port").and_then(|port| u16::try_from(port).ok());
            let port = if implied { None } else { Some(port.ok_or(KrpcError::Key("port"))?) };
            let token = bytes_of(args, b"token").ok_or(KrpcError::Key("token"))?;
            Query::AnnouncePeer { id, info_hash: torrent()?, port, token }
        }
        method => Query::Other { id, method },
    })
}

fn response(dict: Value<'_>) -> Result<Response<'_>, KrpcError> {
    let values = dict.find(b"r").ok_or(KrpcError::Key("r"))?;
    let nodes = |family, key| match bytes_of(values, key) {
        Some(bytes) => {
            CompactNodes::new(family, bytes).map(Some).ok_or(KrpcError::Nodes(bytes.len()))
        }
        None => Ok(None),
    };
    let list = values.find(b"values").filter(Value::is_list);
    Ok(Response {
        id: id_of(values, b"id").ok_or(KrpcError::Key("id"))?,
        nodes: nodes(Family::V4, b"nodes")?,
        nodes6: nodes(Family::V6, b"nodes6")?,
        token: bytes_of(values, b"token"),
        values: list.map(|list| Values(Listed::Value(list))),
    })
}

fn bytes_of<'a>(dict: Value<'a>, key: &[u8]) -> Option<&'a [u8]> {
    dict.find(key)?.as_bytes()
}

fn id_of(dict: Value<'_>, key: &[u8]) -> Option<NodeId> {
    bytes_of(dict, key)?.try_into().ok().map(NodeId)
}

/// Reads one compact peer of either length.
fn peer(bytes: &[u8]) -> Option<SocketAddr> {
    let family = if bytes.len() == Family::V4.stride() { Family::V4 } else { Family::V6 };
    CompactPeers::new(family, bytes).filter(|peers| peers.len() == 1)?.nth(0)
}
