//! `ut_holepunch`: two peers behind firewalls meet through a third (BEP 55).

use core::net::SocketAddr;

use thiserror::Error;

use super::ExtendedError;
use crate::compact::{CompactPeers, Family};
use crate::error::BufferTooSmall;
use crate::wire::field;

/// The kinds of messages.
const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const ERROR: u8 = 2;

/// A message of the holepunch extension.
///
/// ```
/// use bittorrent_pieces::wire::extended::Holepunch;
///
/// let message = Holepunch::Rendezvous("192.0.2.7:6881".parse()?);
/// let mut out = [0; Holepunch::MAX_LEN];
/// let len = message.encode(&mut out)?;
/// assert_eq!(out[..len], *b"\0\0\xC0\0\x02\x07\x1A\xE1\0\0\0\0");
/// assert_eq!(Holepunch::decode(&out[..len]), Ok(message));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three messages of BEP 55")]
pub enum Holepunch {
    /// 0: asks a relay to let the sender and the peer at this address meet.
    Rendezvous(SocketAddr),
    /// 1: the relay asks to dial this address now.
    Connect(SocketAddr),
    /// 2: the relay does not do what a rendezvous asked for.
    Error(SocketAddr, HolepunchError),
}

/// Why a relay does not let two peers meet; the numbers are those of BEP 55.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HolepunchError {
    /// 1: the address is invalid.
    #[error("no such peer")]
    NoSuchPeer,
    /// 2: the relay is not connected to the peer.
    #[error("not connected")]
    NotConnected,
    /// 3: the peer does not support the extension.
    #[error("not supported by the peer")]
    NoSupport,
    /// 4: the address is that of the relay.
    #[error("the address is that of the relay")]
    NoSelf,
    /// Another number.
    #[error("unknown error {0}")]
    Other(u32),
}

impl HolepunchError {
    const fn number(self) -> u32 {
        match self {
            Self::NoSuchPeer => 1,
            Self::NotConnected => 2,
            Self::NoSupport => 3,
            Self::NoSelf => 4,
            Self::Other(number) => number,
        }
    }

    const fn of(number: u32) -> Self {
        match number {
            1 => Self::NoSuchPeer,
            2 => Self::NotConnected,
            3 => Self::NoSupport,
            4 => Self::NoSelf,
            number => Self::Other(number),
        }
    }
}

impl Holepunch {
    /// Its name in the handshake.
    pub const NAME: &'static [u8] = b"ut_holepunch";
    /// The length in bytes of the longest message.
    pub const MAX_LEN: usize = 24;

    /// Reads the body of a message. The number of an error may be missing in the other two, as libtorrent sends them.
    ///
    /// # Errors
    ///
    /// [`ExtendedError::Length`], and [`ExtendedError::Key`] for an unknown kind or family.
    pub fn decode(body: &[u8]) -> Result<Self, ExtendedError> {
        let length = |expected| ExtendedError::Length { len: body.len(), expected };
        let (&[kind, family], rest) = body.split_first_chunk().ok_or(length(12))?;
        let family = match family {
            0 => Family::V4,
            1 => Family::V6,
            _ => return Err(ExtendedError::Key("addr_type")),
        };
        let whole = family.stride().saturating_add(6);
        let (addr, rest) = rest.split_at_checked(family.stride()).ok_or(length(whole))?;
        let addr = CompactPeers::new(family, addr).and_then(|peers| peers.nth(0));
        let addr = addr.ok_or(length(whole))?;
        match kind {
            RENDEZVOUS => Ok(Self::Rendezvous(addr)),
            CONNECT => Ok(Self::Connect(addr)),
            ERROR => {
                let number = rest.first_chunk().ok_or(length(whole))?;
                Ok(Self::Error(addr, HolepunchError::of(u32::from_be_bytes(*number))))
            }
            _ => Err(ExtendedError::Key("msg_type")),
        }
    }

    /// Returns the kind, the address and the number of the error, as they are written.
    pub(crate) const fn parts(&self) -> (u8, SocketAddr, u32) {
        match *self {
            Self::Rendezvous(addr) => (RENDEZVOUS, addr, 0),
            Self::Connect(addr) => (CONNECT, addr, 0),
            Self::Error(addr, error) => (ERROR, addr, error.number()),
        }
    }

    /// Returns the message of such parts.
    pub(crate) const fn of_parts(kind: u8, addr: SocketAddr, error: u32) -> Self {
        match kind {
            RENDEZVOUS => Self::Rendezvous(addr),
            CONNECT => Self::Connect(addr),
            _ => Self::Error(addr, HolepunchError::of(error)),
        }
    }

    /// Writes the body of the message and returns its length: 12 bytes, or 24 with an IPv6 address.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (kind, addr, error) = self.parts();
        let mut bytes = [0; 18];
        let len = CompactPeers::encode(addr, &mut bytes)?;
        let needed = len.saturating_add(6);
        let mut out = field::Out::new(out, needed)?;
        out.u8(kind);
        out.u8(u8::from(addr.is_ipv6()));
        out.bytes(bytes.get(..len).unwrap_or_default());
        out.u32(error);
        Ok(needed)
    }
}
