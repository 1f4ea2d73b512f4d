//! A neighbour, as described by its handshake.

use core::net::SocketAddrV4;

use super::config::Role;
use crate::head::{Head, Value};

/// The degree of an ultrapeer without `X-Degree` (GDF "Dynamic Query Protocol").
const USUAL_DEGREE: u16 = 32;

/// What the servent at the other end of a connection is and can do.
///
/// A [`Role`] alone serves where nothing more is known; then no tables and no vendor messages go
/// there, and all queries do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a header of its own")]
#[non_exhaustive]
pub struct Neighbour {
    /// What it is.
    pub role: Role,
    /// Where it accepts connections, as it announces.
    pub address: Option<SocketAddrV4>,
    /// Where this servent dialled it, if it did: see
    /// [`handle_dialled`](super::Servent::handle_dialled).
    pub dialled: Option<SocketAddrV4>,
    /// The first two bytes of the address that its socket comes from, if the driver sets them:
    /// neighbours of one network share quotas. For one that was dialled the address is known.
    pub network: Option<[u8; 2]>,
    /// Whether leaves send it tables, or it does so as a leaf (`X-Query-Routing`).
    pub query_routing: bool,
    /// Whether it exchanges tables with other ultrapeers (`X-Ultrapeer-Query-Routing`).
    pub ultrapeer_query_routing: bool,
    /// Whether it reads vendor messages (`Vendor-Message`).
    pub vendor_messages: bool,
    /// Whether it reads compressed data (`Accept-Encoding: deflate`): tables are then sent compressed.
    pub deflate: bool,
    /// How many ultrapeers it is connected to (`X-Degree`).
    pub degree: u16,
}

impl Neighbour {
    /// Reads the header lines of a neighbour's handshake. A servent without
    /// `X-Ultrapeer` is a peer of 0.4.
    ///
    /// ```
    /// use gnutella_wire::head::{Head, HeadLimits};
    /// use gnutella_wire::{Neighbour, Role};
    ///
    /// let head = b"GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: False\r\nX-Query-Routing: 0.1\r\n\r\n";
    /// let (head, _) = Head::decode(head, HeadLimits::GTKG)?;
    /// let neighbour = Neighbour::of_head(&head);
    /// assert_eq!((neighbour.role, neighbour.query_routing), (Role::Leaf, true));
    /// # Ok::<(), gnutella_wire::DecodeError>(())
    /// ```
    #[must_use]
    #[cfg_attr(target_os = "none", inline(never))] // smaller on a device than within its caller
    pub fn of_head(head: &Head<'_>) -> Self {
        let role = match head.header("X-Ultrapeer") {
            // BearShare 4.3: an ultrapeer that says only whether it needs others.
            None if head.header("X-Ultrapeer-Needed").is_some() => Role::Ultrapeer,
            None => Role::Peer,
            Some(_) if head.is_true("X-Ultrapeer") => Role::Ultrapeer,
            Some(_) => Role::Leaf,
        };
        let listens = ["Listen-IP", "X-My-Address", "Node", "X-Node"];
        let listens = listens.into_iter().find_map(|name| head.addresses(name).next());
        let degree = head.header("X-Degree").and_then(Value::number);
        Self {
            role,
            address: listens,
            dialled: None,
            network: None,
            query_routing: head.header("X-Query-Routing").is_some(),
            ultrapeer_query_routing: head.header("X-Ultrapeer-Query-Routing").is_some(),
            vendor_messages: head.header("Vendor-Message").is_some(),
            deflate: head.has_item("Accept-Encoding", "deflate"),
            degree: degree.unwrap_or(USUAL_DEGREE),
        }
    }

    /// The network with which it shares quotas, if that is known. What it announces does not count.
    pub(super) fn network(&self) -> Option<[u8; 2]> {
        let of_dialled = |address: SocketAddrV4| {
            let [a, b, ..] = address.ip().octets();
            [a, b]
        };
        self.network.or_else(|| self.dialled.map(of_dialled))
    }

    /// Whether it is reached at that address.
    #[cfg_attr(target_os = "none", inline(never))] // once in the image of a device
    pub(super) fn is_at(&self, address: SocketAddrV4) -> bool {
        self.address == Some(address) || self.dialled == Some(address)
    }

    /// Whether a table of `own`'s words is to be sent there.
    pub(super) fn reads_tables_of(&self, own: Role) -> bool {
        self.role == Role::Ultrapeer && self.routes_with(own)
    }

    /// Whether a table is expected from there.
    pub(super) fn sends_tables_to(&self, own: Role) -> bool {
        own == Role::Ultrapeer && self.routes_with(own)
    }

    fn routes_with(&self, own: Role) -> bool {
        match (own, self.role) {
            (Role::Ultrapeer, Role::Ultrapeer) => self.ultrapeer_query_routing,
            (Role::Leaf, Role::Ultrapeer) | (Role::Ultrapeer, Role::Leaf) => self.query_routing,
            _ => false,
        }
    }
}

impl From<Role> for Neighbour {
    fn from(role: Role) -> Self {
        Self {
            role,
            address: None,
            dialled: None,
            network: None,
            query_routing: false,
            ultrapeer_query_routing: false,
            vendor_messages: false,
            deflate: false,
            degree: USUAL_DEGREE,
        }
    }
}
