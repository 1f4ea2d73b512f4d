//! What other threads send to the loop.

use core::net::{IpAddr, SocketAddr};

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::peer_book::PeerSource;
use examples::tcp;

use super::web::WebPart;

/// Sends what was found to the loop.
#[derive(Clone)]
pub struct Mailbox(pub(super) tcp::Mailbox<Message>);

impl Mailbox {
    pub fn send(&self, found: Found) {
        self.0.send(Message::Found(found));
    }

    pub fn send_web(&self, part: WebPart) {
        self.0.send(Message::Web(part));
    }
}

/// What other threads send to the loop.
pub(super) enum Message {
    Found(Found),
    /// A part of a response of a web seed.
    Web(WebPart),
    /// A datagram of uTP.
    Datagram {
        from: SocketAddr,
        bytes: Vec<u8>,
    },
}

/// Addresses of peers, and where they were found.
#[derive(Debug)]
pub struct Found {
    pub torrent: InfoHash,
    pub source: String,
    pub kind: PeerSource,
    pub peers: Vec<SocketAddr>,
    /// Our own address, as the source sees it.
    pub external: Option<IpAddr>,
}
