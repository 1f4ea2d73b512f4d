//! Ids of nodes, their distance, and how they are bound to addresses (BEP 5, 42).

use core::fmt;
use core::net::IpAddr;

use crate::hex::Hex;
use crate::id::InfoHash;
use crate::network::is_local;
use crate::priority::crc32c;

/// The 160-bit id of a node.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number or bytes, and nothing else")]
pub struct NodeId(pub [u8; 20]);

impl NodeId {
    /// Returns the distance to another id: XOR, to be compared as an unsigned big-endian integer.
    #[must_use]
    pub fn distance(&self, other: &Self) -> [u8; 20] {
        let mut distance = self.0;
        for (byte, other) in distance.iter_mut().zip(other.0) {
            *byte ^= other;
        }
        distance
    }

    /// Returns the first 128 bits and the last 32 as numbers.
    pub(in crate::dht) fn words(self) -> (u128, u32) {
        let (high, rest) = self.0.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let low = rest.first_chunk().unwrap_or(&[0; 4]);
        (u128::from_be_bytes(*high), u32::from_be_bytes(*low))
    }

    /// Returns the number of leading bits that two ids share, 0 to 160.
    #[must_use]
    pub fn common_bits(&self, other: &Self) -> u8 {
        let mut bits = 0_u8;
        for byte in self.distance(other) {
            bits = bits.saturating_add(u8::try_from(byte.leading_zeros()).unwrap_or(8));
            if byte != 0 {
                break;
            }
        }
        bits
    }

    /// Returns the id that fits an address (BEP 42), with the remaining bits from `random`.
    ///
    /// ```
    /// use bittorrent_pieces::dht::NodeId;
    ///
    /// let ip = "124.31.75.21".parse().unwrap();
    /// let id = NodeId::for_address(ip, [1; 20]);
    /// assert_eq!(id.0[..2], [0x5F, 0xBF]);
    /// assert!(id.fits(ip));
    /// ```
    #[must_use]
    pub fn for_address(ip: IpAddr, random: [u8; 20]) -> Self {
        let mut id = random;
        let [.., r] = random;
        let [a, b, c, _] = prefix(ip, r).to_be_bytes();
        let [first, second, third, ..] = &mut id;
        *first = a;
        *second = b;
        *third = c & 0xF8 | *third & 0x07;
        Self(id)
    }

    /// Returns whether the id fits an address: the top 21 bits are those of the checksum (BEP 42).
    /// Private, link-local and loopback addresses fit any.
    #[must_use]
    pub fn fits(&self, ip: IpAddr) -> bool {
        let [a, b, c, .., r] = self.0;
        let top = u32::from_be_bytes([a, b, c, 0]);
        is_local(ip) || (top ^ prefix(ip, r)) & 0xFFFF_F800 == 0
    }
}

/// Returns the checksum that provides the top 21 bits of an id. Only the low 3 bits of `r` count.
fn prefix(ip: IpAddr, r: u8) -> u32 {
    let r = r & 0x07;
    match ip {
        IpAddr::V4(ip) => {
            let masked = ip.to_bits() & 0x030F_3FFF | u32::from(r) << 29;
            crc32c(&masked.to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let high = ip.octets().first_chunk().map_or(0, |high| u64::from_be_bytes(*high));
            let masked = high & 0x0103_070F_1F3F_7FFF | u64::from(r) << 61;
            crc32c(&masked.to_be_bytes())
        }
    }
}

impl From<InfoHash> for NodeId {
    fn from(hash: InfoHash) -> Self {
        Self(hash.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({:?})", Hex(&self.0))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}
