//! The fields of a dictionary.

use core::net::SocketAddr;

use crate::bencode::Value;
use crate::compact::{self, Family};

pub(super) fn array<const N: usize>(value: Value<'_>) -> Option<[u8; N]> {
    value.as_bytes()?.try_into().ok()
}

pub(super) fn flag(value: Value<'_>) -> bool {
    value.as_int().is_some_and(|value| value != 0)
}

/// Reads one compact peer of either length.
pub(super) fn peer(bytes: &[u8]) -> Option<SocketAddr> {
    let family = if bytes.len() == Family::V4.stride() { Family::V4 } else { Family::V6 };
    compact::read(family, bytes)
}
