//! Addresses of peers in their compact form (BEP 23 for IPv4, BEP 7 for IPv6).

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use core::slice::ChunksExact;

use crate::error::BufferTooSmall;

/// The version of IP of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "there are two versions of IP")]
pub enum Family {
    /// 4 bytes of address: 6 bytes for a peer.
    V4,
    /// 16 bytes of address: 18 bytes for a peer.
    V6,
}

impl Family {
    /// Returns the length of a peer in bytes: address and port.
    #[must_use]
    pub const fn stride(self) -> usize {
        match self {
            Self::V4 => 6,
            Self::V6 => 18,
        }
    }

    /// Returns the family of an address.
    #[must_use]
    pub const fn of(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// Concatenated addresses, each an IP address and a port, big-endian; borrowed.
///
/// ```
/// use bittorrent_pieces::{CompactPeers, Family};
///
/// let peers = CompactPeers::new(Family::V4, &[192, 0, 2, 1, 0x1A, 0xE1]).unwrap();
/// assert_eq!(peers.iter().next(), Some("192.0.2.1:6881".parse().unwrap()));
/// assert!(CompactPeers::new(Family::V4, &[192, 0, 2, 1, 0x1A]).is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactPeers<'a> {
    family: Family,
    bytes: &'a [u8], // whole entries
}

impl<'a> CompactPeers<'a> {
    /// Reads addresses from bytes; `None` if the length is not a multiple of [`Family::stride`].
    #[must_use]
    pub const fn new(family: Family, bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(family.stride()) {
            Some(Self { family, bytes })
        } else {
            None
        }
    }

    /// Reads the whole entries at the front of bytes.
    pub(crate) fn front(family: Family, bytes: &'a [u8]) -> Self {
        let spare = bytes.len().checked_rem(family.stride()).unwrap_or(0);
        let whole = bytes.len().saturating_sub(spare);
        Self { family, bytes: bytes.get(..whole).unwrap_or_default() }
    }

    /// Returns the number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.family.stride()).unwrap_or(0)
    }

    /// Returns whether there is no address.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the version of IP.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Returns the bytes as they are sent.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the addresses in order. They are not verified.
    #[must_use]
    pub fn iter(&self) -> PeersIter<'a> {
        PeersIter { family: self.family, entries: self.bytes.chunks_exact(self.family.stride()) }
    }

    /// Returns the address at an index, from 0.
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<SocketAddr> {
        let start = index.checked_mul(self.family.stride())?;
        let end = start.checked_add(self.family.stride())?;
        read(self.family, self.bytes.get(start..end)?)
    }

    /// Writes an address and returns its length in bytes: 6 or 18.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(addr: SocketAddr, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = Family::of(addr).stride();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        if let Some((ip, port)) = out.split_last_chunk_mut::<2>() {
            match addr {
                SocketAddr::V4(addr) => copy(ip, &addr.ip().octets()),
                SocketAddr::V6(addr) => copy(ip, &addr.ip().octets()),
            }
            *port = addr.port().to_be_bytes();
        }
        Ok(needed)
    }
}

/// The addresses of a [`CompactPeers`].
#[derive(Debug, Clone)]
pub struct PeersIter<'a> {
    family: Family,
    entries: ChunksExact<'a, u8>,
}

impl Iterator for PeersIter<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.entries.next().and_then(|entry| read(self.family, entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl<'a> IntoIterator for &CompactPeers<'a> {
    type Item = SocketAddr;
    type IntoIter = PeersIter<'a>;

    fn into_iter(self) -> PeersIter<'a> {
        self.iter()
    }
}

fn copy(out: &mut [u8], bytes: &[u8]) {
    for (to, byte) in out.iter_mut().zip(bytes) {
        *to = *byte;
    }
}

/// Reads an address and its port over IPv4.
pub(crate) const fn read_v4(entry: [u8; 6]) -> SocketAddr {
    let [a, b, c, d, high, low] = entry;
    let port = u16::from_be_bytes([high, low]);
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// Reads an address and its port; `None` if the length is not that of the family.
pub(crate) fn read(family: Family, entry: &[u8]) -> Option<SocketAddr> {
    match family {
        Family::V4 => entry.try_into().ok().map(read_v4),
        Family::V6 => {
            let (ip, port) = entry.split_last_chunk::<2>()?;
            let ip: [u8; 16] = ip.try_into().ok()?;
            let port = u16::from_be_bytes(*port);
            Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, 0)))
        }
    }
}
