//! Addresses of peers in their compact form (BEP 23 for IPv4, BEP 7 for IPv6).

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::BufferTooSmall;
use crate::wire::field;

/// Which version of IP an address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// 4 bytes of address: 6 bytes for a peer.
    V4,
    /// 16 bytes of address: 18 bytes for a peer.
    V6,
}

impl Family {
    /// Returns how many bytes a peer takes: address and port.
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

/// Addresses one behind the other, each an IP address and a port, big-endian; borrowed.
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
    /// Takes in bytes; `None` if their number is not a multiple of [`Family::stride`].
    #[must_use]
    pub const fn new(family: Family, bytes: &'a [u8]) -> Option<Self> {
        if bytes.len().is_multiple_of(family.stride()) {
            Some(Self { family, bytes })
        } else {
            None
        }
    }

    /// Takes in the whole entries at the front of bytes.
    pub(crate) fn front(family: Family, bytes: &'a [u8]) -> Self {
        let spare = bytes.len().checked_rem(family.stride()).unwrap_or(0);
        let whole = bytes.len().saturating_sub(spare);
        Self { family, bytes: bytes.get(..whole).unwrap_or_default() }
    }

    /// Returns how many addresses there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.family.stride()).unwrap_or(0)
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the version of IP.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Returns the bytes as they go over the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the addresses in order. Nobody vouches for them.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> + Clone + use<'a> {
        let family = self.family;
        self.bytes.chunks_exact(family.stride()).filter_map(move |entry| read(family, entry))
    }

    /// Returns the address of a number, from 0.
    #[must_use]
    pub fn nth(&self, number: usize) -> Option<SocketAddr> {
        let start = number.checked_mul(self.family.stride())?;
        let end = start.checked_add(self.family.stride())?;
        read(self.family, self.bytes.get(start..end)?)
    }

    /// Writes an address and returns how many bytes it took: 6 or 18.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(addr: SocketAddr, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let needed = Family::of(addr).stride();
        let mut out = field::Out::new(out, needed)?;
        match addr {
            SocketAddr::V4(addr) => out.bytes(&addr.ip().octets()),
            SocketAddr::V6(addr) => out.bytes(&addr.ip().octets()),
        }
        out.u16(addr.port());
        Ok(needed)
    }
}

fn read(family: Family, entry: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = entry.split_last_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    Some(match family {
        Family::V4 => {
            let ip: [u8; 4] = ip.try_into().ok()?;
            SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(ip), port))
        }
        Family::V6 => {
            let ip: [u8; 16] = ip.try_into().ok()?;
            SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, 0))
        }
    })
}
