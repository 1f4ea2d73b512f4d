//! The priority of connections (BEP 40), and its checksum.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Returns the priority of a connection between two peers: both compute the same value, so
/// that both keep the same connections when they have too many. Higher is better (BEP 40). It is
/// for use inside one torrent.
///
/// The addresses are masked the more, the further apart they are; of equal addresses the ports
/// count. IPv4 and IPv6 do not mix: then the priority is 0.
///
/// ```
/// use bittorrent_pieces::priority::peer_priority;
///
/// let (ours, theirs) = ("123.213.32.10:1".parse().unwrap(), "98.76.54.32:2".parse().unwrap());
/// assert_eq!(peer_priority(ours, theirs), 0xEC2D_7224);
/// ```
#[must_use]
pub fn peer_priority(ours: SocketAddr, theirs: SocketAddr) -> u32 {
    if ours.ip() == theirs.ip() {
        return pair(ours.port().to_be_bytes(), theirs.port().to_be_bytes());
    }
    match (ours.ip(), theirs.ip()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let mask = mask4(a, b);
            pair((a.to_bits() & mask).to_be_bytes(), (b.to_bits() & mask).to_be_bytes())
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let mask = mask6(a, b);
            pair((a.to_bits() & mask).to_be_bytes(), (b.to_bits() & mask).to_be_bytes())
        }
        _ => 0,
    }
}

/// Returns the CRC-32C (Castagnoli) of bytes: reflected, polynomial 0x82F63B78.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    !update(!0, bytes)
}

fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 }
        })
    })
}

/// The smaller first.
fn pair<const N: usize>(a: [u8; N], b: [u8; N]) -> u32 {
    !update(update(!0, &a.min(b)), &a.max(b))
}

/// /16 apart: ff.ff.55.55; in one /16: ff.ff.ff.55; in one /24: all.
fn mask4(a: Ipv4Addr, b: Ipv4Addr) -> u32 {
    match (a.to_bits() ^ b.to_bits()).leading_zeros() {
        0..16 => 0xFFFF_5555,
        16..24 => 0xFFFF_FF55,
        _ => u32::MAX,
    }
}

/// Six whole bytes, and in one /48 seven, in one /56 eight, and so on.
fn mask6(a: Ipv6Addr, b: Ipv6Addr) -> u128 {
    let common = (a.to_bits() ^ b.to_bits()).leading_zeros() / 8;
    let whole = common.saturating_add(1).max(6);
    let rest = u128::MAX.checked_shr(whole.saturating_mul(8)).unwrap_or(0);
    !rest | rest & 0x5555_5555_5555_5555_5555_5555_5555_5555
}
