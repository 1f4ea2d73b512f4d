//! Which peers can bring us together with others that cannot be dialled (BEP 55).

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use bittorrent_pieces::ConnId;

/// The addresses that are remembered.
const MOST: usize = 1_000;

/// The peers that sent the address of a peer behind a firewall, and the addresses that are being dialled because a relay asked for it.
#[derive(Debug, Default)]
pub struct Relays {
    named: BTreeMap<SocketAddr, ConnId>,
    dialled: BTreeSet<SocketAddr>,
}

impl Relays {
    /// Notes that a peer is connected to a peer at an address that supports the extension.
    pub fn add(&mut self, addr: SocketAddr, relay: ConnId) {
        if self.named.len() < MOST {
            self.named.insert(addr, relay);
        }
    }

    /// Returns the relay to ask after an address could not be dialled, once.
    pub fn take(&mut self, addr: SocketAddr) -> Option<ConnId> {
        if self.dialled.remove(&addr) {
            return None;
        }
        self.named.remove(&addr)
    }

    /// Forgets a relay whose connection ended.
    pub fn forget(&mut self, relay: ConnId) {
        self.named.retain(|_, known| *known != relay);
    }

    /// Notes that an address is dialled because a relay asked for it.
    pub fn begin(&mut self, addr: SocketAddr) {
        if self.dialled.len() < MOST {
            self.dialled.insert(addr);
        }
    }

    /// Returns whether an address was dialled because a relay asked for it.
    pub fn end(&mut self, addr: SocketAddr) -> bool {
        self.dialled.remove(&addr)
    }
}
