//! `ut_pex`: peers that connected and departed (BEP 11).

use core::net::SocketAddr;

use super::{ExtendedError, dict};
use crate::bencode::{WriteError, Writer};
use crate::compact::{CompactPeers, Family, PeersIter};

/// The most peers added, and the most dropped, that are read of any exchange but the first. BEP 11 allows 50; libtorrent
/// adds up to 100, and drops as many as it lost.
pub const MAX_CHANGES: usize = 100;
/// The most peers added that are read of the first exchange. BEP 11 sets no limit; this is ours.
pub const MAX_FIRST: usize = 200;

/// Peers that the sender connected to or lost since its last exchange, at most once a minute.
///
/// ```
/// use bittorrent_pieces::wire::extended::{Pex, PexFlags};
///
/// let pex = Pex::decode(b"d5:added6:\xC0\x00\x02\x01\x1A\xE17:added.f1:\x02e", true)?;
/// let seed = ("192.0.2.1:6881".parse().unwrap(), PexFlags::SEED);
/// assert!(pex.added().eq([seed]));
/// assert_eq!(pex.dropped().count(), 0);
/// # Ok::<(), bittorrent_pieces::wire::extended::ExtendedError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Pex<'a> {
    /// Peers over IPv4.
    pub added: CompactPeers<'a>,
    /// A byte for each of `added`; see [`PexFlags`].
    pub added_flags: &'a [u8],
    /// Peers over IPv6.
    pub added6: CompactPeers<'a>,
    /// A byte for each of `added6`.
    pub added6_flags: &'a [u8],
    /// Lost peers over IPv4.
    pub dropped: CompactPeers<'a>,
    /// Lost peers over IPv6.
    pub dropped6: CompactPeers<'a>,
}

/// What the sender knows of a peer that it added; bits of other meaning are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct PexFlags(pub u8);

impl PexFlags {
    /// It prefers encryption.
    pub const ENCRYPTION: Self = Self(0x01);
    /// It is a seed, or a partial seed that downloads nothing.
    pub const SEED: Self = Self(0x02);
    /// It speaks uTP.
    pub const UTP: Self = Self(0x04);
    /// It helps with holes in firewalls.
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender reached it by dialling.
    pub const REACHABLE: Self = Self(0x10);

    /// Returns whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl<'a> Pex<'a> {
    /// Its name in the handshake.
    pub const NAME: &'static [u8] = b"ut_pex";

    /// Reads the body of a message; `first` if it is the first one of this peer. It is read as leniently as it is written:
    /// peers above the limits, IPv6 first, and bytes that make no whole peer are left out. A peer may occur twice, or be
    /// both added and dropped.
    ///
    /// # Errors
    ///
    /// [`ExtendedError`]: not a dictionary.
    pub fn decode(body: &'a [u8], first: bool) -> Result<Self, ExtendedError> {
        let (dict, _) = dict(body)?;
        let bytes =
            |key: &[u8]| dict.find(key).and_then(|value| value.as_bytes()).unwrap_or_default();
        let limit = if first { MAX_FIRST } else { MAX_CHANGES };
        let lists = |v4: &[u8], v6: &[u8]| {
            let v4 = list(bytes(v4), Family::V4, limit);
            let v6 = list(bytes(v6), Family::V6, limit.saturating_sub(v4.len()));
            (v4, v6)
        };
        let (added, added6) = lists(b"added", b"added6");
        let (dropped, dropped6) = lists(b"dropped", b"dropped6");
        let added_flags = bytes(b"added.f");
        let added6_flags = bytes(b"added6.f");
        Ok(Self { added, added_flags, added6, added6_flags, dropped, dropped6 })
    }

    /// Returns the peers that the sender connected to, IPv4 first, and what it knows of them.
    #[must_use]
    pub fn added(&self) -> Added<'a> {
        Added {
            v4: self.added.iter(),
            v4_flags: self.added_flags,
            v6: self.added6.iter(),
            v6_flags: self.added6_flags,
        }
    }

    /// Returns the peers that the sender lost, IPv4 first.
    #[must_use]
    pub fn dropped(&self) -> Dropped<'a> {
        Dropped { v4: self.dropped.iter(), v6: self.dropped6.iter() }
    }

    /// Writes the body of the message and returns its length. Limits are the caller's to keep.
    ///
    /// # Errors
    ///
    /// [`WriteError::Buffer`] with the length of the whole.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let mut writer = Writer::new(out);
        writer.dict(|dict| {
            dict.bytes(b"added", self.added.as_bytes())?;
            dict.bytes(b"added.f", self.added_flags)?;
            dict.bytes(b"added6", self.added6.as_bytes())?;
            dict.bytes(b"added6.f", self.added6_flags)?;
            dict.bytes(b"dropped", self.dropped.as_bytes())?;
            dict.bytes(b"dropped6", self.dropped6.as_bytes())
        })?;
        writer.finish()
    }
}

/// The peers that the sender of a [`Pex`] connected to.
#[derive(Debug, Clone)]
pub struct Added<'a> {
    v4: PeersIter<'a>,
    v4_flags: &'a [u8],
    v6: PeersIter<'a>,
    v6_flags: &'a [u8],
}

impl Iterator for Added<'_> {
    type Item = (SocketAddr, PexFlags);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(addr) = self.v4.next() {
            return Some((addr, next_flags(&mut self.v4_flags)));
        }
        let addr = self.v6.next()?;
        Some((addr, next_flags(&mut self.v6_flags)))
    }
}

/// Takes the flags of the next peer; a list that is too short counts as zeros.
fn next_flags(flags: &mut &[u8]) -> PexFlags {
    let Some((first, rest)) = flags.split_first() else { return PexFlags::default() };
    *flags = rest;
    PexFlags(*first)
}

/// The peers that the sender of a [`Pex`] lost.
#[derive(Debug, Clone)]
pub struct Dropped<'a> {
    v4: PeersIter<'a>,
    v6: PeersIter<'a>,
}

impl Iterator for Dropped<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.v4.next().or_else(|| self.v6.next())
    }
}

/// Reads at most `limit` whole peers at the front of a list.
fn list(bytes: &[u8], family: Family, limit: usize) -> CompactPeers<'_> {
    let most = family.stride().saturating_mul(limit);
    CompactPeers::front(family, bytes.get(..most).unwrap_or(bytes))
}
