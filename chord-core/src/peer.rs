//! A peer: an identifier and an address.

use core::fmt;

use crate::id::Identifier;
use crate::slots::Fill;
use crate::wire::{Address, Wire};

/// A node of the ring as others know it.
///
/// ```
/// use chord_core::{Peer, Word};
///
/// let peer = Peer { id: Word::<8>::new(200), address: 7u32 };
/// assert_eq!(peer.to_string(), "200@7");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a peer is an identifier and an address")]
pub struct Peer<I, A> {
    /// Its place on the ring.
    pub id: I,
    /// Where it receives datagrams.
    pub address: A,
}

impl<I: Wire, A: Wire> Peer<I, A> {
    /// Fills an unused slot.
    pub const EMPTY: Self = Self { id: I::ZERO, address: A::ZERO };
}

impl<I: Wire, A: Wire> Fill for Peer<I, A> {
    const EMPTY: Self = Self::EMPTY;
}

impl<I: Identifier, A: Address> fmt::Display for Peer<I, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:?}", self.id, self.address)
    }
}

/// An address for virtual nodes (Stoica 2003, IV-B): several nodes behind one host address, distinguished
/// by a number. It is up to the driver to send both numbers in front of the datagram.
///
/// ```
/// use chord_core::{Virtual, Wire};
///
/// let mut bytes = [0; Virtual::<u32>::LEN];
/// Virtual { host: 0x0102_0304_u32, node: 7 }.write(&mut bytes);
/// assert_eq!(bytes, [1, 2, 3, 4, 7]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Virtual<A> {
    /// Where the host receives datagrams.
    pub host: A,
    /// Which of its nodes.
    pub node: u8,
}

/// The host's address, then one byte.
impl<A: Wire> Wire for Virtual<A> {
    const LEN: usize = A::LEN.saturating_add(1);
    const ZERO: Self = Self { host: A::ZERO, node: 0 };

    fn write(&self, out: &mut [u8]) {
        if let Some((node, host)) = out.split_last_mut() {
            self.host.write(host);
            *node = self.node;
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (node, host) = bytes.split_last()?;
        Some(Self { host: A::read(host)?, node: *node })
    }
}
