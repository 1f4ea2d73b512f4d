//! Queries (BEP 5; `want` BEP 32, `noseed` and `scrape` BEP 33, `get` and `put` BEP 44, `sample_infohashes`
//! BEP 51).

use core::fmt;

use super::error::KrpcError;
use super::fields::{array, flag};
use crate::bencode::{DictWriter, Value, WriteError};
use crate::dht::id::NodeId;
use crate::dht::item::Signed;
use crate::id::InfoHash;

/// A query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Query<'a> {
    /// The id of the sender.
    pub id: NodeId,
    /// Which nodes the sender wants (BEP 32).
    pub want: Want,
    /// The method and its arguments.
    pub method: Method<'a>,
}

/// Which nodes are wanted in a response (BEP 32).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the two versions of IP")]
pub struct Want {
    /// `n4`: nodes with IPv4 addresses.
    pub v4: bool,
    /// `n6`: nodes with IPv6 addresses.
    pub v6: bool,
}

/// A method and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method<'a> {
    /// Asks whether the node is reachable.
    Ping,
    /// Asks for the nodes nearest to an id.
    FindNode {
        /// The id.
        target: NodeId,
    },
    /// Asks for the peers of a torrent.
    GetPeers {
        /// The torrent.
        info_hash: InfoHash,
        /// Seeds are not wanted (BEP 33).
        noseed: bool,
        /// Bloom filters of the peers are wanted (BEP 33).
        scrape: bool,
    },
    /// Announces the sender as a peer of a torrent.
    AnnouncePeer {
        /// The torrent.
        info_hash: InfoHash,
        /// The TCP port of the peer; `None` is that of the datagram, over UDP too (`implied_port`).
        port: Option<u16>,
        /// The peer has all of the torrent (BEP 33).
        seed: bool,
        /// The token of the response to `get_peers`.
        token: &'a [u8],
    },
    /// Asks for an item (BEP 44).
    Get {
        /// Its target.
        target: NodeId,
        /// A mutable item is wanted only if its sequence number is higher.
        seq: Option<i64>,
    },
    /// Stores an item (BEP 44).
    Put(Put<'a>),
    /// Asks for a sample of the torrents that the node stores (BEP 51).
    SampleInfohashes {
        /// The id whose nearest nodes are wanted.
        target: NodeId,
    },
    /// Any other method.
    Other {
        /// Its name.
        name: &'a [u8],
        /// Its `target` or `info_hash`. With one it is answered like `find_node`, otherwise with error 204.
        target: Option<NodeId>,
    },
}

/// The arguments of `put` (BEP 44). They are not checked: see [`Item`](crate::dht::Item).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Put<'a> {
    /// The token of the response to `get`.
    pub token: &'a [u8],
    /// The value, bencoded.
    pub value: &'a [u8],
    /// Key, sequence number, signature and salt of a mutable item.
    pub signed: Option<Signed<'a>>,
    /// The item is stored only if the stored one has this sequence number.
    pub cas: Option<i64>,
}

impl<'a> Query<'a> {
    /// Creates a query without `want`.
    #[must_use]
    pub const fn new(id: NodeId, method: Method<'a>) -> Self {
        Self { id, want: Want { v4: false, v6: false }, method }
    }

    pub(super) fn encode_arguments(&self, args: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        if let Method::Put(Put { cas: Some(cas), .. }) = self.method {
            args.int(b"cas", cas)?;
        }
        args.bytes(b"id", &self.id.0)?;
        match &self.method {
            Method::Ping | Method::Other { target: None, .. } => {}
            Method::FindNode { target }
            | Method::SampleInfohashes { target }
            | Method::Other { target: Some(target), .. } => args.bytes(b"target", &target.0)?,
            Method::GetPeers { info_hash, noseed, scrape } => {
                args.bytes(b"info_hash", &info_hash.0)?;
                set(args, b"noseed", *noseed)?;
                set(args, b"scrape", *scrape)?;
            }
            Method::Get { target, seq } => {
                seq.map_or(Ok(()), |seq| args.int(b"seq", seq))?;
                args.bytes(b"target", &target.0)?;
            }
            Method::Put(put) => put.encode_rest(args)?,
            Method::AnnouncePeer { info_hash, port, seed, token } => {
                set(args, b"implied_port", port.is_none())?;
                args.bytes(b"info_hash", &info_hash.0)?;
                args.int(b"port", i64::from(port.unwrap_or(1)))?;
                set(args, b"seed", *seed)?;
                args.bytes(b"token", token)?;
            }
        }
        let Want { v4, v6 } = self.want;
        if !v4 && !v6 {
            return Ok(());
        }
        args.list(b"want", |want| {
            for (wanted, name) in [(v4, b"n4"), (v6, b"n6")] {
                if wanted {
                    want.bytes(name);
                }
            }
            Ok(())
        })
    }
}

impl Put<'_> {
    /// Writes the arguments behind `id`.
    fn encode_rest(&self, args: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        if let Some(signed) = &self.signed {
            args.bytes(b"k", &signed.public_key)?;
            if !signed.salt.is_empty() {
                args.bytes(b"salt", signed.salt)?;
            }
            args.int(b"seq", signed.seq)?;
            args.bytes(b"sig", &signed.signature)?;
        }
        args.bytes(b"token", self.token)?;
        args.raw(b"v", self.value)
    }
}

impl<'a> Method<'a> {
    /// Returns the name of the method.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        match self {
            Self::Ping => b"ping",
            Self::FindNode { .. } => b"find_node",
            Self::GetPeers { .. } => b"get_peers",
            Self::AnnouncePeer { .. } => b"announce_peer",
            Self::Get { .. } => b"get",
            Self::Put(_) => b"put",
            Self::SampleInfohashes { .. } => b"sample_infohashes",
            Self::Other { name, .. } => name,
        }
    }
}

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.method {
            Method::Ping => write!(f, "PING node={}", self.id),
            Method::FindNode { target } => write!(f, "FIND NODE target={target}"),
            Method::GetPeers { info_hash, .. } => write!(f, "GET PEERS torrent={info_hash}"),
            Method::AnnouncePeer { info_hash, port: Some(port), .. } => {
                write!(f, "ANNOUNCE PEER torrent={info_hash} port={port}")
            }
            Method::AnnouncePeer { info_hash, port: None, .. } => {
                write!(f, "ANNOUNCE PEER torrent={info_hash} port=implied")
            }
            Method::Get { target, .. } => write!(f, "GET target={target}"),
            Method::Put(put) => match put.signed {
                Some(signed) => {
                    write!(f, "PUT mutable seq={} {} bytes", signed.seq, put.value.len())
                }
                None => write!(f, "PUT immutable {} bytes", put.value.len()),
            },
            Method::SampleInfohashes { target } => {
                write!(f, "SAMPLE INFOHASHES target={target}")
            }
            Method::Other { name, .. } => write!(f, "QUERY method={}", name.escape_ascii()),
        }
    }
}

/// The arguments of a query, `a`, read in one pass.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of the format")]
pub(super) struct Arguments<'a> {
    cas: Option<i64>,
    id: Option<[u8; 20]>,
    implied_port: bool,
    info_hash: Option<[u8; 20]>,
    key: Option<Value<'a>>,
    noseed: bool,
    port: Option<u16>,
    salt: &'a [u8],
    scrape: bool,
    seed: bool,
    seq: Option<i64>,
    signature: Option<Value<'a>>,
    target: Option<[u8; 20]>,
    token: Option<&'a [u8]>,
    value: Option<Value<'a>>,
    want: Want,
}

impl<'a> Arguments<'a> {
    pub(super) fn set(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"cas" => self.cas = value.as_int(),
            b"id" => self.id = array(value),
            b"implied_port" => self.implied_port = flag(value),
            b"info_hash" => self.info_hash = array(value),
            b"k" => self.key = Some(value),
            b"noseed" => self.noseed = flag(value),
            b"port" => self.port = value.as_int().and_then(|port| u16::try_from(port).ok()),
            b"salt" => self.salt = value.as_bytes().unwrap_or_default(),
            b"scrape" => self.scrape = flag(value),
            b"seed" => self.seed = flag(value),
            b"seq" => self.seq = value.as_int(),
            b"sig" => self.signature = Some(value),
            b"target" => self.target = array(value),
            b"token" => self.token = value.as_bytes(),
            b"v" => self.value = Some(value),
            b"want" => self.want = want(value),
            _ => {}
        }
    }

    /// Returns the query with a method of this name.
    pub(super) fn query(&self, name: &'a [u8]) -> Result<Query<'a>, KrpcError> {
        let id = NodeId(self.id.ok_or(KrpcError::Key("id"))?);
        let torrent = || self.info_hash.map(InfoHash).ok_or(KrpcError::Key("info_hash"));
        let target = || self.target.map(NodeId).ok_or(KrpcError::Key("target"));
        let method = match name {
            b"ping" => Method::Ping,
            b"find_node" => Method::FindNode { target: target()? },
            b"get_peers" => {
                Method::GetPeers { info_hash: torrent()?, noseed: self.noseed, scrape: self.scrape }
            }
            b"announce_peer" => {
                let port = match self.port {
                    _ if self.implied_port => None,
                    Some(port) => Some(port),
                    None => return Err(KrpcError::Key("port")),
                };
                let token = self.token.ok_or(KrpcError::Key("token"))?;
                Method::AnnouncePeer { info_hash: torrent()?, port, seed: self.seed, token }
            }
            b"get" => Method::Get { target: target()?, seq: self.seq },
            b"put" => Method::Put(self.put()?),
            b"sample_infohashes" => Method::SampleInfohashes { target: target()? },
            name => Method::Other { name, target: self.target.or(self.info_hash).map(NodeId) },
        };
        Ok(Query { id, want: self.want, method })
    }

    fn put(&self) -> Result<Put<'a>, KrpcError> {
        let signed = match self.key {
            Some(key) => Some(Signed {
                public_key: array(key).ok_or(KrpcError::Key("k"))?,
                signature: self.signature.and_then(array).ok_or(KrpcError::Key("sig"))?,
                seq: self.seq.ok_or(KrpcError::Key("seq"))?,
                salt: self.salt,
            }),
            None => None,
        };
        Ok(Put {
            token: self.token.ok_or(KrpcError::Key("token"))?,
            value: self.value.ok_or(KrpcError::Key("v"))?.as_raw(),
            signed,
            cas: self.cas,
        })
    }
}

/// Reads `want`; names other than `n4` and `n6` are ignored.
fn want(names: Value<'_>) -> Want {
    let mut want = Want::default();
    for name in names.items() {
        match name.as_bytes() {
            Some(b"n4") => want.v4 = true,
            Some(b"n6") => want.v6 = true,
            _ => {}
        }
    }
    want
}

/// Writes a flag if it is set.
fn set(args: &mut DictWriter<'_, '_>, key: &[u8], flag: bool) -> Result<(), WriteError> {
    if flag { args.int(key, 1) } else { Ok(()) }
}
