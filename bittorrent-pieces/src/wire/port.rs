//! `port`: the UDP port of the sender's DHT node (BEP 5).

use super::{DecodeError, field};

/// The id of `port`.
pub const PORT: u8 = 9;

/// The length behind the prefix, in bytes.
pub(super) const LEN: usize = 3;

pub(super) fn decode(payload: &[u8]) -> Result<u16, DecodeError> {
    field::exactly(PORT, payload).map(|port| u16::from_be_bytes(*port))
}

pub(super) fn encode(port: u16, out: &mut field::Out<'_>) {
    out.u8(PORT);
    out.u16(port);
}
