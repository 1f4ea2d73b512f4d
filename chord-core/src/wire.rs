//! Values of fixed size on the wire: identifiers and addresses. In `shared_key`, the tag of datagrams.

mod shared_key;

use core::fmt;
use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use shared_key::{SharedKey, Unauthenticated};

/// A value of fixed size on the wire. An identifier or an address of your own implements it.
///
/// ```
/// use chord_core::Wire;
///
/// #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
/// struct Short(u16); // the short address of a radio network
///
/// impl Wire for Short {
///     const LEN: usize = 2;
///     const ZERO: Self = Self(0);
///
///     fn write(&self, out: &mut [u8]) {
///         out.copy_from_slice(&self.0.to_be_bytes());
///     }
///
///     fn read(bytes: &[u8]) -> Option<Self> {
///         Some(Self(u16::from_be_bytes(bytes.try_into().ok()?)))
///     }
/// }
/// assert_eq!(chord_core::Message::<u32, Short>::max_len(4), 50);
/// ```
pub trait Wire: Copy + Eq {
    /// How many bytes the value takes; at most 32.
    const LEN: usize;

    /// A value for unused slots, best the one whose bytes are all zero.
    const ZERO: Self;

    /// Writes the value into `out`, which has `LEN` bytes.
    fn write(&self, out: &mut [u8]);

    /// Reads the value from exactly `LEN` bytes; `None` if they spell none. No two spellings may
    /// give the same value.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Where datagrams go: whatever the caller's network uses. The crate compares, copies and prints
/// it, and never looks inside.
///
/// Ready for use: [`SocketAddrV4`] (6 bytes on the wire), [`SocketAddrV6`] (18), [`SocketAddr`]
/// (19), `u32`, `u64`, and `[u8; N]` for anything else.
pub trait Address: Wire + Hash + fmt::Debug {}

impl<T: Wire + Hash + fmt::Debug> Address for T {}

impl<const N: usize> Wire for [u8; N] {
    const LEN: usize = N;
    const ZERO: Self = [0; N];

    fn write(&self, out: &mut [u8]) {
        if let Some(out) = out.first_chunk_mut() {
            *out = *self;
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
}

/// Four bytes of address and two of port, both in network order.
impl Wire for SocketAddrV4 {
    const LEN: usize = 6;
    const ZERO: Self = Self::new(Ipv4Addr::UNSPECIFIED, 0);

    fn write(&self, out: &mut [u8]) {
        if let Some((ip, port)) = out.split_first_chunk_mut()
            && let Some((port, _)) = port.split_first_chunk_mut()
        {
            *ip = self.ip().octets();
            *port = self.port().to_be_bytes();
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (ip, port) = bytes.split_first_chunk::<4>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(Self::new(Ipv4Addr::from(*ip), port))
    }
}

/// Sixteen bytes of address and two of port, both in network order. Flow information and scope
/// belong to one host and do not travel.
impl Wire for SocketAddrV6 {
    const LEN: usize = 18;
    const ZERO: Self = Self::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0);

    fn write(&self, out: &mut [u8]) {
        if let Some((ip, port)) = out.split_first_chunk_mut()
            && let Some((port, _)) = port.split_first_chunk_mut()
        {
            *ip = self.ip().octets();
            *port = self.port().to_be_bytes();
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (ip, port) = bytes.split_first_chunk::<16>()?;
        let port = u16::from_be_bytes(port.try_into().ok()?);
        Some(Self::new(Ipv6Addr::from(*ip), port, 0, 0))
    }
}

/// One byte 4 or 6, then the address as above; behind an IPv4 address twelve zero bytes.
impl Wire for SocketAddr {
    const LEN: usize = 19;
    const ZERO: Self = Self::V4(SocketAddrV4::ZERO);

    fn write(&self, out: &mut [u8]) {
        let Some((family, rest)) = out.split_first_mut() else { return };
        rest.fill(0);
        match (self.ip(), rest) {
            (IpAddr::V4(ip), [a, b, c, d, high, low, ..]) => {
                *family = 4;
                [*a, *b, *c, *d] = ip.octets();
                [*high, *low] = self.port().to_be_bytes();
            }
            (IpAddr::V6(ip), rest) => {
                *family = 6;
                SocketAddrV6::new(ip, self.port(), 0, 0).write(rest);
            }
            (IpAddr::V4(_), _) => {} // `out` has `LEN` bytes
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (4, rest) => {
                let (address, zeros) = rest.split_at_checked(SocketAddrV4::LEN)?;
                let blank = zeros.len() == 12 && zeros.iter().all(|byte| *byte == 0);
                SocketAddrV4::read(address).filter(|_| blank).map(Self::V4)
            }
            (6, rest) => SocketAddrV6::read(rest).map(Self::V6),
            _ => None,
        }
    }
}
