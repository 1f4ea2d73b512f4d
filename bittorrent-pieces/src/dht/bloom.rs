//! Bloom filters that count the peers of a torrent over several nodes (BEP 33).

use core::fmt;
use core::net::IpAddr;

use crate::hash::PieceHasher;

/// The number of bits.
const BITS: u16 = 2_048;

/// A set of addresses in 256 bytes. The filters of several nodes are joined, and the number of addresses in
/// all of them is estimated (BEP 33).
///
/// ```
/// use bittorrent_pieces::dht::BloomFilter;
///
/// let mut seeds = BloomFilter::EMPTY;
/// seeds.insert("192.0.2.1".parse().unwrap());
/// let mut others = BloomFilter::EMPTY;
/// others.insert("192.0.2.1".parse().unwrap());
/// others.insert("192.0.2.2".parse().unwrap());
/// seeds.join(&others);
/// assert_eq!(seeds.zero_bits(), 2_048 - 4);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the field is the format")]
pub struct BloomFilter(pub [u8; 256]);

impl BloomFilter {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 256]);

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        let [low, high, second_low, second_high, ..] = match ip {
            IpAddr::V4(ip) => PieceHasher::digest(&ip.octets()),
            IpAddr::V6(ip) => PieceHasher::digest(&ip.octets()),
        };
        self.set(u16::from_le_bytes([low, high]));
        self.set(u16::from_le_bytes([second_low, second_high]));
    }

    /// Adds all addresses of another filter.
    pub fn join(&mut self, other: &Self) {
        for (byte, other) in self.0.iter_mut().zip(other.0) {
            *byte |= other;
        }
    }

    /// Returns the number of bits that are not set. For `c` of them, at most 2,047, the number of addresses is
    /// about `ln(c / 2048) / (2 ln(1 - 1 / 2048))`; a filter without a zero bit is full.
    #[must_use]
    pub fn zero_bits(&self) -> u16 {
        let zeros = self.0.iter().map(|byte| byte.count_zeros()).sum::<u32>();
        u16::try_from(zeros).unwrap_or(BITS)
    }

    fn set(&mut self, hash: u16) {
        let bit = hash % BITS;
        if let Some(byte) = self.0.get_mut(usize::from(bit / 8)) {
            *byte |= 1_u8.wrapping_shl(bit.into()); // modulo 8
        }
    }
}

impl fmt::Debug for BloomFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BloomFilter({} zero bits)", self.zero_bits())
    }
}
