//! The fields of a dictionary.

use core::net::SocketAddr;

use crate::bencode::Value;
use crate::compact::{CompactPeers, Family};
use crate::dht::id::NodeId;

pub(super) fn bytes_of<'a>(dict: Value<'a>, key: &[u8]) -> Option<&'a [u8]> {
    dict.find(key)?.as_bytes()
}

pub(super) fn id_of(dict: Value<'_>, key: &[u8]) -> Option<NodeId> {
    bytes_of(dict, key)?.try_into().ok().map(NodeId)
}

pub(super) fn int_of(dict: Value<'_>, key: &[u8]) -> Option<i64> {
    dict.find(key)?.as_int()
}

pub(super) fn flag(dict: Value<'_>, key: &[u8]) -> bool {
    dict.find(key).and_then(|value| value.as_int()).is_some_and(|value| value != 0)
}

/// Reads one compact peer of either length.
pub(super) fn peer(bytes: &[u8]) -> Option<SocketAddr> {
    let family = if bytes.len() == Family::V4.stride() { Family::V4 } else { Family::V6 };
    CompactPeers::new(family, bytes).filter(|peers| peers.len() == 1)?.nth(0)
}
