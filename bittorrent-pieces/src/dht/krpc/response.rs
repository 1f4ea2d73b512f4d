//! Responses (BEP 5; Bloom filters BEP 33, items BEP 44, samples BEP 51).

use core::fmt;
use core::time::Duration;

use super::error::KrpcError;
use super::fields::array;
use super::nodes::{CompactNodes, Listed, Values};
use crate::bencode::{DictWriter, Value, WriteError};
use crate::compact::Family;
use crate::dht::bloom::BloomFilter;
use crate::dht::id::NodeId;
use crate::id::InfoHash;

/// A response. Which of its parts to expect depends on the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response<'a> {
    /// The id of the sender.
    pub id: NodeId,
    /// Nodes near the target, over IPv4.
    pub nodes: Option<CompactNodes<'a>>,
    /// Nodes near the target, over IPv6 (BEP 32).
    pub nodes6: Option<CompactNodes<'a>>,
    /// The token for an announce.
    pub token: Option<&'a [u8]>,
    /// Peers.
    pub values: Option<Values<'a>>,
    /// The stored seeds (`BFsd`, BEP 33).
    pub seeds: Option<&'a [u8; 256]>,
    /// The other stored peers (`BFpe`, BEP 33).
    pub leechers: Option<&'a [u8; 256]>,
    /// A sample of the torrents that the node stores (BEP 51).
    pub samples: Option<Samples<'a>>,
    /// The value of an item, bencoded (`v`, BEP 44).
    pub value: Option<&'a [u8]>,
    /// The public key of a mutable item (`k`, BEP 44).
    pub public_key: Option<&'a [u8; 32]>,
    /// Its signature (`sig`, BEP 44).
    pub signature: Option<&'a [u8; 64]>,
    /// Its sequence number (BEP 44).
    pub seq: Option<i64>,
}

/// A sample of the torrents that a node stores (BEP 51).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Samples<'a> {
    hashes: &'a [[u8; 20]],
    /// The number of torrents that the node stores.
    pub stored: u32,
    /// After this time the node draws another sample.
    pub interval: Duration,
}

impl<'a> Samples<'a> {
    /// Creates a sample.
    #[must_use]
    pub const fn new(hashes: &'a [[u8; 20]], stored: u32, interval: Duration) -> Self {
        Self { hashes, stored, interval }
    }

    /// Returns the torrents.
    #[must_use]
    pub fn iter(&self) -> SamplesIter<'a> {
        SamplesIter(self.hashes.iter())
    }
}

/// The torrents of a [`Samples`].
#[derive(Debug, Clone)]
pub struct SamplesIter<'a>(core::slice::Iter<'a, [u8; 20]>);

impl Iterator for SamplesIter<'_> {
    type Item = InfoHash;

    fn next(&mut self) -> Option<InfoHash> {
        self.0.next().map(|hash| InfoHash(*hash))
    }
}

impl<'a> IntoIterator for &Samples<'a> {
    type Item = InfoHash;
    type IntoIter = SamplesIter<'a>;

    fn into_iter(self) -> SamplesIter<'a> {
        self.iter()
    }
}

impl Response<'_> {
    /// Returns the response to a ping or an announce.
    #[must_use]
    pub const fn new(id: NodeId) -> Self {
        Self {
            id,
            nodes: None,
            nodes6: None,
            token: None,
            values: None,
            seeds: None,
            leechers: None,
            samples: None,
            value: None,
            public_key: None,
            signature: None,
            seq: None,
        }
    }

    /// Returns the filter of the seeds and that of the other peers, if the node sent both (BEP 33).
    #[must_use]
    pub fn filters(&self) -> Option<(BloomFilter, BloomFilter)> {
        Some((BloomFilter(*self.seeds?), BloomFilter(*self.leechers?)))
    }

    pub(super) fn encode_values(&self, dict: &mut DictWriter<'_, '_>) -> Result<(), WriteError> {
        self.leechers.map_or(Ok(()), |filter| dict.bytes(b"BFpe", filter))?;
        self.seeds.map_or(Ok(()), |filter| dict.bytes(b"BFsd", filter))?;
        dict.bytes(b"id", &self.id.0)?;
        if let Some(samples) = self.samples {
            let secs = i64::try_from(samples.interval.as_secs()).unwrap_or(i64::MAX);
            dict.int(b"interval", secs)?;
        }
        self.public_key.map_or(Ok(()), |key| dict.bytes(b"k", key))?;
        for (key, nodes) in [(&b"nodes"[..], self.nodes), (b"nodes6", self.nodes6)] {
            nodes.map_or(Ok(()), |nodes| dict.bytes(key, nodes.as_bytes()))?;
        }
        if let Some(samples) = self.samples {
            dict.int(b"num", i64::from(samples.stored))?;
            dict.bytes(b"samples", samples.hashes.as_flattened())?;
        }
        self.seq.map_or(Ok(()), |seq| dict.int(b"seq", seq))?;
        self.signature.map_or(Ok(()), |signature| dict.bytes(b"sig", signature))?;
        self.token.map_or(Ok(()), |token| dict.bytes(b"token", token))?;
        self.value.map_or(Ok(()), |value| dict.raw(b"v", value))?;
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

impl fmt::Display for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.or(self.nodes6).map_or(0, |nodes| nodes.iter().count());
        let peers = self.values.map_or(0, |values| values.iter().count());
        let token = if self.token.is_some() { " token" } else { "" };
        write!(f, "RESPONSE node={} nodes={nodes} peers={peers}{token}", self.id)?;
        self.value.map_or(Ok(()), |value| write!(f, " value={}", value.len()))
    }
}

/// The results of a response, `r`, read in one pass.
#[derive(Default)]
pub(super) struct Results<'a> {
    id: Option<[u8; 20]>,
    interval: Option<i64>,
    leechers: Option<&'a [u8]>,
    nodes: Option<&'a [u8]>,
    nodes6: Option<&'a [u8]>,
    public_key: Option<&'a [u8]>,
    samples: Option<&'a [u8]>,
    seeds: Option<&'a [u8]>,
    seq: Option<i64>,
    signature: Option<&'a [u8]>,
    stored: Option<i64>,
    token: Option<&'a [u8]>,
    value: Option<Value<'a>>,
    values: Option<Value<'a>>,
}

impl<'a> Results<'a> {
    pub(super) fn set(&mut self, key: &[u8], value: Value<'a>) {
        match key {
            b"BFpe" => self.leechers = value.as_bytes(),
            b"BFsd" => self.seeds = value.as_bytes(),
            b"id" => self.id = array(value),
            b"interval" => self.interval = value.as_int(),
            b"k" => self.public_key = value.as_bytes(),
            b"nodes" => self.nodes = value.as_bytes(),
            b"nodes6" => self.nodes6 = value.as_bytes(),
            b"num" => self.stored = value.as_int(),
            b"samples" => self.samples = value.as_bytes(),
            b"seq" => self.seq = value.as_int(),
            b"sig" => self.signature = value.as_bytes(),
            b"token" => self.token = value.as_bytes(),
            b"v" => self.value = Some(value),
            b"values" => self.values = Some(value).filter(Value::is_list),
            _ => {}
        }
    }

    pub(super) fn response(&self) -> Result<Response<'a>, KrpcError> {
        let nodes =
            |family, bytes: Option<&'a [u8]>| bytes.map(|bytes| CompactNodes::front(family, bytes));
        Ok(Response {
            id: self.id.map(NodeId).ok_or(KrpcError::Key("id"))?,
            nodes: nodes(Family::V4, self.nodes),
            nodes6: nodes(Family::V6, self.nodes6),
            token: self.token,
            values: self.values.map(|list| Values(Listed::Value(list))),
            seeds: self.seeds.and_then(|filter| filter.try_into().ok()),
            leechers: self.leechers.and_then(|filter| filter.try_into().ok()),
            samples: self.samples(),
            value: self.value.map(|value| value.as_raw()),
            public_key: self.public_key.and_then(|key| key.try_into().ok()),
            signature: self.signature.and_then(|signature| signature.try_into().ok()),
            seq: self.seq,
        })
    }

    /// Reads a sample; numbers that are missing count as 0.
    fn samples(&self) -> Option<Samples<'a>> {
        let (hashes, rest) = self.samples?.as_chunks();
        let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        let interval = Duration::from_secs(number(self.interval).unwrap_or(0).into());
        let stored = number(self.stored).unwrap_or(0);
        rest.is_empty().then(|| Samples::new(hashes, stored, interval))
    }
}
