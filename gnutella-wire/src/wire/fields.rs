//! What the payloads share.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use super::function::Function;
use crate::error::DecodeError;

/// The error of a payload that ends within its fixed fields.
pub(super) fn malformed(function: Function, payload: &[u8]) -> DecodeError {
    DecodeError::Malformed { function, len: payload.len() }
}

/// Addresses are in network order, ports little-endian.
pub(super) fn address(ip: [u8; 4], port: [u8; 2]) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_le_bytes(port))
}

/// Prints how many bytes were not interpreted.
pub(super) fn extra(f: &mut fmt::Formatter<'_>, extensions: &[u8]) -> fmt::Result {
    if extensions.is_empty() { Ok(()) } else { write!(f, " +{} bytes", extensions.len()) }
}
