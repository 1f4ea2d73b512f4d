//! The peers that a node named.

use core::net::SocketAddr;

use crate::dht::krpc::{Values, ValuesIter};
use crate::network::Network;

/// The number of peers that are taken from one response.
const MOST: usize = 128;

/// Peers that one node named: of each network (IPv4 /24, IPv6 /64) the first, at most 128. So a node that names one
/// address with many ports adds one peer. Local addresses are all returned. They are not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundPeers<'a>(pub(super) Values<'a>);

/// The peers of a [`FoundPeers`].
#[derive(Debug, Clone)]
pub struct FoundPeersIter<'a> {
    peers: ValuesIter<'a>,
    seen: heapless::Vec<u64, MOST>, // digests of networks
}

impl<'a> FoundPeers<'a> {
    /// Returns the peers.
    #[must_use]
    pub fn iter(&self) -> FoundPeersIter<'a> {
        FoundPeersIter { peers: self.0.iter(), seen: heapless::Vec::new() }
    }

    /// Returns the number of these peers.
    #[inline(never)] // the iterator has 1 KB
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.iter().count()).unwrap_or(u32::MAX)
    }

    /// Returns all that the node sent, several of one network too.
    #[must_use]
    pub const fn all(&self) -> Values<'a> {
        self.0
    }
}

impl Iterator for FoundPeersIter<'_> {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        if self.seen.is_full() {
            return None;
        }
        let seen = &mut self.seen;
        self.peers.find(|peer| {
            let network = Network::of(peer.ip());
            let digest = network.digest();
            let new = network.is_local() || !seen.contains(&digest);
            new && seen.push(digest).is_ok()
        })
    }
}

impl<'a> IntoIterator for &FoundPeers<'a> {
    type Item = SocketAddr;
    type IntoIter = FoundPeersIter<'a>;

    fn into_iter(self) -> FoundPeersIter<'a> {
        self.iter()
    }
}
