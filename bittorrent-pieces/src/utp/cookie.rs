//! Accepting connections without memory: the number of our first packet is a keyed hash of the SYN.
//!
//! A peer that acknowledges the number has received our answer, so its address is not forged. Until then nothing is
//! stored, and a flood of SYNs takes no slot. A blind guess succeeds once in 8,192 attempts.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use sha1::{Digest as _, Sha1};

/// How long an answer counts: this to twice this, in seconds.
const PERIOD_SECS: u64 = 16;

/// What a SYN contains.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syn {
    pub(super) from: SocketAddr,
    pub(super) connection: u16,
    pub(super) seq: u16,
}

/// Returns the number of our first packet.
pub(super) fn first_seq(key: [u8; 16], now: Duration, syn: Syn) -> u16 {
    hash(key, now.as_secs() / PERIOD_SECS, syn)
}

/// Returns whether a number was an answer to this SYN a short time ago.
pub(super) fn verifies(key: [u8; 16], now: Duration, syn: Syn, seq: u16) -> bool {
    let period = now.as_secs() / PERIOD_SECS;
    let previous = period.checked_sub(1);
    hash(key, period, syn) == seq || previous.is_some_and(|period| hash(key, period, syn) == seq)
}

fn hash(key: [u8; 16], period: u64, syn: Syn) -> u16 {
    let mut hasher = Sha1::new();
    hasher.update(key);
    hasher.update(period.to_be_bytes());
    match syn.from.ip() {
        IpAddr::V4(ip) => hasher.update(ip.octets()),
        IpAddr::V6(ip) => hasher.update(ip.octets()),
    }
    hasher.update(syn.from.port().to_be_bytes());
    hasher.update(syn.connection.to_be_bytes());
    hasher.update(syn.seq.to_be_bytes());
    let digest: [u8; 20] = hasher.finalize().into();
    let [first, second, ..] = digest;
    u16::from_be_bytes([first, second])
}
