//! The connections of a torrent, and what other threads send to its loop.

use core::net::SocketAddr;

use bittorrent_pieces::{ConnId, Side};
use examples::tcp;

/// The listening socket and all connections.
pub type Net = tcp::Tcp<ConnId, Found>;
/// What happened during a turn.
pub type NetEvent = tcp::Event<ConnId, Found>;
/// Sends what was found to the loop.
pub type Mailbox = tcp::Mailbox<Found>;

/// Addresses of peers, and where they were found.
#[derive(Debug)]
pub struct Found {
    pub source: String,
    pub peers: Vec<SocketAddr>,
}

/// Returns our side of a connection.
pub fn side(dialled: bool) -> Side {
    if dialled { Side::Dialled } else { Side::Accepted }
}
