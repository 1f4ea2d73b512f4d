//! What the extensions of pongs, pings and hits mean.

#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use super::number::Number;
use crate::wire::Vendor;

/// A value that this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Known<'a> {
    /// `VC`: who made the servent, and the version as the maker codes it. gtk-gnutella has the year
    /// since 2000 in the high half (its low four bits) and the month in the low half.
    Vendor(Vendor, Option<u8>),
    /// `UP`: the servent is an ultrapeer.
    Ultrapeer(FreeSlots),
    /// `DU`: for how many seconds a day it is there on average.
    Uptime(u64),
    /// `IPP`: other servents that accept connections.
    Endpoints(Endpoints<'a>),
    /// `ALT`: other places of the same file.
    Alternates(Endpoints<'a>),
    /// `PUSH`: servents that pass on a push to this one.
    PushProxies(Endpoints<'a>),
    /// `DHT`: it is part of the distributed hash table: major and minor version, and mode.
    Dht([u8; 3]),
    /// `6`: its address of version 6.
    Ipv6(Ipv6Addr),
    /// `QK`: the key that a query by datagram must show; empty in a ping, which asks for one.
    QueryKey(&'a [u8]),
    /// `GUE`: it answers queries by datagram. The version, and in a ping of introduction the port.
    Guess(Option<u8>, Option<u16>),
    /// `SCP`: it wants endpoints of the asked one's cache.
    Scp(Scp),
    /// `H`: the hash of a file.
    Hash(Hash<'a>),
    /// `LF`: the size of a file of 4 GiB or more, in bytes.
    LargeFile(u64),
    /// `CT`: when a file was made, in seconds since 1970.
    CreationTime(u64),
    /// `TT`: the root of the file's tree of Tiger hashes.
    TigerTree(&'a [u8; 24]),
}

/// How many more connections an ultrapeer takes; 255 means that many or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FreeSlots {
    /// Of the ultrapeer protocol.
    pub version: u8,
    /// Slots for leaves. Some notes print this one last.
    pub leaves: u8,
    /// Slots for ultrapeers.
    pub ultrapeers: u8,
}

/// Addresses in a row, six bytes each: IPv4 in network order, port little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints<'a>(&'a [[u8; 6]]);

/// What kind of endpoints are wanted: one byte, of which any is legal; none counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Scp(pub u8);

/// The hash of a file, with the byte of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hash<'a> {
    /// 1: SHA-1.
    Sha1(&'a [u8; 20]),
    /// 2: SHA-1, then the root of the tree of Tiger hashes.
    Bitprint(&'a [u8; 20], &'a [u8; 24]),
    /// Any other kind, or a length that does not fit the kind.
    Other(u8, &'a [u8]),
}

impl<'a> Known<'a> {
    /// Reads a value, unstuffed and inflated; `None` if the id is not one of these, or the value
    /// does not have its form. Bytes after fixed fields are ignored.
    #[must_use]
    pub fn read(id: &[u8], value: &'a [u8]) -> Option<Self> {
        let number = || Number::decode(value).map(Number::value);
        Some(match id {
            b"VC" => {
                let (vendor, rest) = value.split_first_chunk()?;
                Self::Vendor(Vendor(*vendor), rest.first().copied())
            }
            b"UP" => {
                let [version, leaves, ultrapeers] = *value.first_chunk()?;
                Self::Ultrapeer(FreeSlots { version, leaves, ultrapeers })
            }
            b"DU" => Self::Uptime(number()?),
            b"IPP" => Self::Endpoints(Endpoints::read(value)?),
            b"ALT" => Self::Alternates(Endpoints::read(value)?),
            b"PUSH" => Self::PushProxies(Endpoints::read(value)?),
            b"DHT" => Self::Dht(*value.first_chunk()?),
            b"6" => Self::Ipv6(Ipv6Addr::from(*value.first_chunk::<16>()?)),
            b"QK" => Self::QueryKey(value),
            b"GUE" => Self::Guess(value.first().copied(), guess_port(value)),
            b"SCP" => Self::Scp(Scp(value.first().copied().unwrap_or_default())),
            b"H" => Self::Hash(Hash::read(value)?),
            b"LF" => Self::LargeFile(number()?),
            b"CT" => Self::CreationTime(number()?),
            b"TT" => Self::TigerTree(value.first_chunk()?),
            _ => return None,
        })
    }
}

fn guess_port(value: &[u8]) -> Option<u16> {
    let [_, low, high] = *value.first_chunk()?;
    Some(u16::from_le_bytes([low, high]))
}

impl<'a> Endpoints<'a> {
    /// Reads a value; `None` if its length is not a multiple of six.
    #[must_use]
    pub fn read(value: &'a [u8]) -> Option<Self> {
        match value.as_chunks() {
            (endpoints, []) => Some(Self(endpoints)),
            _ => None,
        }
    }

    /// Returns the six bytes of an address, in the order of this list.
    #[must_use]
    pub fn to_bytes(address: SocketAddrV4) -> [u8; 6] {
        let [a, b, c, d] = address.ip().octets();
        let [low, high] = address.port().to_le_bytes();
        [a, b, c, d, low, high]
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Returns whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the addresses. They may be of any kind, also one's own.
    #[must_use]
    pub fn iter(self) -> EndpointIter<'a> {
        EndpointIter(self.0.iter())
    }
}

/// Iterates over [`Endpoints`].
#[derive(Debug, Clone)]
pub struct EndpointIter<'a>(core::slice::Iter<'a, [u8; 6]>);

impl Iterator for EndpointIter<'_> {
    type Item = SocketAddrV4;

    fn next(&mut self) -> Option<SocketAddrV4> {
        let [a, b, c, d, low, high] = *self.0.next()?;
        Some(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_le_bytes([low, high])))
    }
}

impl Scp {
    /// Wants ultrapeers; otherwise leaves.
    pub const ULTRAPEERS: Self = Self(1);
    /// Knows TLS.
    pub const TLS: Self = Self(2);
    /// Wants IPv6 too.
    pub const IPV6: Self = Self(4);
    /// Wants no IPv4.
    pub const NO_IPV4: Self = Self(8);

    /// Returns whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> Hash<'a> {
    /// Reads a value; `None` if it is empty.
    #[must_use]
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (kind, hash) = value.split_first()?;
        Some(match (kind, hash.len()) {
            (1, 20) => Self::Sha1(hash.first_chunk()?),
            (2, 44) => {
                let (sha1, rest) = hash.split_first_chunk()?;
                Self::Bitprint(sha1, rest.first_chunk()?)
            }
            _ => Self::Other(*kind, hash),
        })
    }
}
