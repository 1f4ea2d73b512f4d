//! The servent's side of a handshake: the headers it sends, and its judgement of the other end.

use core::net::SocketAddrV4;

use super::Servent;
use super::config::Role;
use super::connection::ConnSlot;
use super::headers::{HandshakeHeaders, MOST_HOSTS, Refusal, TextBuf};
use super::neighbour::Neighbour;
use super::storage::ServentStorage;
use crate::head::Head;

/// The degree that a leaf announces: that of [`Config::ultrapeer`](super::Config::ultrapeer), which it would have
/// as one. `LimeWire` accepts no leaf below 15.
const LEAF_DEGREE: usize = 16;

impl<S: ServentStorage> Servent<S> {
    /// Returns the headers of this servent's handshakes, from its role, degree, storage and address.
    /// `agent` names the program: some servents refuse one without a name.
    ///
    /// ```
    /// # use core::net::{Ipv4Addr, SocketAddrV4};
    /// # use gnutella_wire::{Config, Servent, ServentId, ServentLimits, ServentVec};
    /// use gnutella_wire::handshake::Handshake;
    ///
    /// # let address = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 7), 6346);
    /// # let config = Config::ultrapeer(ServentId([7; 16]), address);
    /// # let storage = ServentVec::new(ServentLimits::of(&config));
    /// # let servent = Servent::new(config, storage)?;
    /// let headers = servent.handshake_headers("demo/1.0");
    /// let mut buf = [0; 512];
    /// let len = Handshake::dialler_06().greet(headers.greeting().as_slice(), &mut buf)?;
    /// assert!(buf[..len].starts_with(b"GNUTELLA CONNECT/0.6\r\nUser-Agent: demo/1.0\r\n"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handshake_headers<'a>(&self, agent: &'a str) -> HandshakeHeaders<'a> {
        let config = &self.state.config;
        let parts = self.storage.parts_ref();
        let mut headers = HandshakeHeaders {
            agent,
            role: config.role,
            needed: self.wants_ultrapeers(),
            routes_queries: !parts.tables.is_empty(),
            caches_pongs: config.pongs > 0 && !parts.hosts.is_empty(),
            deflate: false,
            guess: false,
            degree: TextBuf::EMPTY,
            max_ttl: TextBuf::EMPTY,
            address: TextBuf::EMPTY,
            hosts: TextBuf::EMPTY,
        };
        let degree = if config.role == Role::Leaf { LEAF_DEGREE } else { config.max_peers };
        headers.degree.put(format_args!("{degree}"));
        headers.max_ttl.put(format_args!("{}", config.max_ttl));
        if !config.firewalled && !config.address.ip().is_unspecified() {
            headers.address.put(format_args!("{}", config.address));
        }
        headers.name_hosts(self.hosts().take(MOST_HOSTS));
        headers
    }

    /// Judges the other end of a handshake by its headers: returns what it is, or why it is to be
    /// refused.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if this servent left the network, is a leaf and the other is not an ultrapeer, is
    /// connected to that address, or has no free slot.
    pub fn judge(&self, head: &Head<'_>) -> Result<Neighbour, Refusal> {
        let neighbour = Neighbour::of_head(head);
        let refuse = |code, reason| Err(Refusal { code, reason });
        if self.state.left {
            return refuse(503, "Servent Shutdown");
        }
        if self.state.config.role == Role::Leaf && neighbour.role != Role::Ultrapeer {
            return refuse(503, "I am a shielded leaf node");
        }
        if neighbour.address.is_some_and(|address| self.is_connected_to(address)) {
            return refuse(409, "Already connected");
        }
        if !self.has_room(neighbour.role) {
            return refuse(
                503,
                match neighbour.role {
                    Role::Leaf => "Too many leaf connections",
                    Role::Ultrapeer => "Too many ultra connections",
                    Role::Peer => "Too many normal nodes",
                },
            );
        }
        Ok(neighbour)
    }

    fn is_connected_to(&self, address: SocketAddrV4) -> bool {
        let mut conns = self.storage.parts_ref().conns.iter().filter_map(ConnSlot::live);
        conns.any(|conn| conn.neighbour.is_at(address))
    }
}
