//! Compact nodes and lists of peers.

use core::iter;
use core::net::SocketAddr;
use core::slice::ChunksExact;

use super::fields::peer;
use crate::bencode::{Items, Value};
use crate::compact::{self, CompactPeers, Family, PeersIter};
use crate::dht::id::NodeId;
use crate::error::BufferTooSmall;

/// The length of an id in bytes.
const ID_LEN: usize = 20;

/// Concatenated nodes: id, address, port; 26 bytes each, or 38 over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactNodes<'a> {
    family: Family,
    bytes: &'a [u8],
}

impl<'a> CompactNodes<'a> {
    /// Reads nodes from bytes; `None` if the length is not a multiple of 26 or 38.
    #[must_use]
    pub const fn new(family: Family, bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(stride(family)) { Some(Self { family, bytes }) } else { None }
    }

    /// Reads the whole nodes at the front of bytes.
    pub(super) fn front(family: Family, bytes: &'a [u8]) -> Self {
        let spare = bytes.len().checked_rem(stride(family)).unwrap_or(0);
        let whole = bytes.len().saturating_sub(spare);
        Self { family, bytes: bytes.get(..whole).unwrap_or_default() }
    }

    /// Returns the bytes as they are sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the nodes in order.
    #[must_use]
    pub fn iter(&self) -> NodesIter<'a> {
        NodesIter { family: self.family, nodes: self.bytes.chunks_exact(stride(self.family)) }
    }

    /// Writes a node and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(id: NodeId, addr: SocketAddr, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = stride(Family::of(addr));
        let room = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        if let Some((name, room)) = room.split_first_chunk_mut::<ID_LEN>() {
            *name = id.0;
            CompactPeers::encode(addr, room)?;
        }
        Ok(needed)
    }
}

const fn stride(family: Family) -> usize {
    family.stride().saturating_add(ID_LEN)
}

/// The nodes of a [`CompactNodes`].
#[derive(Debug, Clone)]
pub struct NodesIter<'a> {
    family: Family,
    nodes: ChunksExact<'a, u8>,
}

impl Iterator for NodesIter<'_> {
    type Item = (NodeId, SocketAddr);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, addr) = self.nodes.next()?.split_first_chunk::<ID_LEN>()?;
        Some((NodeId(*id), CompactPeers::new(self.family, addr)?.nth(0)?))
    }
}

impl<'a> IntoIterator for &CompactNodes<'a> {
    type Item = (NodeId, SocketAddr);
    type IntoIter = NodesIter<'a>;

    fn into_iter(self) -> NodesIter<'a> {
        self.iter()
    }
}

/// The peers of a response: a list of compact peers, each a string of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'a>(pub(super) Listed<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed<'a> {
    Value(Value<'a>),
    Peers(CompactPeers<'a>),
}

impl<'a> Values<'a> {
    /// Creates the list from compact peers.
    #[must_use]
    pub const fn new(peers: CompactPeers<'a>) -> Self {
        Self(Listed::Peers(peers))
    }

    /// Returns the peers. Strings of another length are skipped.
    #[must_use]
    pub fn iter(&self) -> ValuesIter<'a> {
        match self.0 {
            Listed::Value(list) => ValuesIter { list: Some(list.items()), peers: None },
            Listed::Peers(peers) => ValuesIter { list: None, peers: Some(peers.iter()) },
        }
    }
}

/// The peers of a [`Values`].
#[derive(Debug, Clone)]
pub struct ValuesIter<'a> {
    list: Option<Items<'a>>,
    peers: Option<PeersIter<'a>>,
}

impl Iterator for ValuesIter<'_> {
    type Item = SocketAddr;

    #[inline]
    fn next(&mut self) -> Option<SocketAddr> {
        if let Some(list) = &mut self.list {
            if let Some(entry) = list.next_six() {
                return Some(compact::read_v4(*entry));
            }
            return iter::from_fn(|| list.next_bytes()).find_map(peer);
        }
        self.peers.as_mut()?.next()
    }
}

impl<'a> IntoIterator for &Values<'a> {
    type Item = SocketAddr;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        self.iter()
    }
}
