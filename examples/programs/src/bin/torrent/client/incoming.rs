//! Connections of peers that dialled us and have not named a torrent yet.

use core::cmp::Reverse;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use bittorrent_pieces::wire::Handshake;
use bittorrent_pieces::{ConnId, InfoHash};

use super::net::Net;

/// The most connections that wait.
const WAITING: usize = 16;
/// How long a peer may take to name a torrent.
const PATIENCE: Duration = Duration::from_secs(10);
/// A handshake begins with this (BEP 3).
const START: &[u8] = b"\x13BitTorrent protocol";
/// The bytes of a handshake up to the torrent: the start, eight reserved bytes and the hash.
const NAMED: usize = START.len() + 8 + 20;

/// The connections, by age: numbers grow.
#[derive(Debug, Default)]
pub struct Incoming {
    conns: BTreeMap<ConnId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    addr: SocketAddr,
    since: Duration,
}

/// What a peer has named.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Nothing,
    Torrent(InfoHash),
    /// It does not speak the protocol.
    Garbage,
}

impl Incoming {
    /// Adds a connection. If there are too many, the oldest of the address that has most is closed: a peer of the protocol
    /// names its torrent at once.
    pub fn add(&mut self, net: &mut Net, conn: ConnId, addr: SocketAddr) {
        if self.conns.len() >= WAITING
            && let Some(worst) = self.worst()
        {
            self.close(net, worst);
        }
        self.conns.insert(conn, Waiting { addr, since: net.now() });
    }

    /// Returns whether a connection is one of these.
    pub fn contains(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    /// Reads what a connection has received; returns the torrent and the address once the peer has named a torrent, and
    /// then forgets the connection.
    pub fn read(&mut self, net: &mut Net, conn: ConnId) -> Option<(InfoHash, SocketAddr)> {
        match named(&net.link(conn)?.received) {
            Named::Nothing => None,
            Named::Torrent(torrent) => {
                let waiting = self.conns.remove(&conn)?;
                Some((torrent, waiting.addr))
            }
            Named::Garbage => {
                self.close(net, conn);
                None
            }
        }
    }

    /// Forgets a connection that ended; returns whether it was one of these.
    pub fn remove(&mut self, conn: ConnId) -> bool {
        self.conns.remove(&conn).is_some()
    }

    /// Closes the connections that took too long.
    pub fn close_late(&mut self, net: &mut Net) {
        let now = net.now();
        let late = |waiting: &Waiting| now.saturating_sub(waiting.since) >= PATIENCE;
        let late: Vec<_> =
            self.conns.iter().filter(|(_, it)| late(it)).map(|(conn, _)| *conn).collect();
        for conn in late {
            self.close(net, conn);
        }
    }

    fn worst(&self) -> Option<ConnId> {
        let same = |ip| self.conns.values().filter(|waiting| waiting.addr.ip() == ip).count();
        let order = |waiting: &Waiting| (same(waiting.addr.ip()), Reverse(waiting.since));
        self.conns.iter().max_by_key(|(_, waiting)| order(waiting)).map(|(conn, _)| *conn)
    }

    fn close(&mut self, net: &mut Net, conn: ConnId) {
        self.conns.remove(&conn);
        net.close(conn);
    }
}

fn named(received: &[u8]) -> Named {
    let start = &received[..received.len().min(START.len())];
    if !START.starts_with(start) {
        return Named::Garbage;
    }
    let Some(hash) = received.get(..NAMED).and_then(|bytes| bytes.last_chunk::<20>()) else {
        return Named::Nothing;
    };
    Named::Torrent(InfoHash(*hash))
}

const _: () = assert!(NAMED + 20 == Handshake::LEN);

#[cfg(test)]
mod tests {
    use super::*;
    use bittorrent_pieces::PeerId;
    use bittorrent_pieces::wire::Reserved;

    #[test]
    fn of_too_many_the_oldest_of_the_address_with_most_gives_way() {
        let mut incoming = Incoming::default();
        for (number, ip, since) in
            [(1, [10, 0, 0, 1], 1), (2, [10, 0, 0, 2], 3), (3, [10, 0, 0, 2], 2)]
        {
            let waiting = Waiting { addr: (ip, 9).into(), since: Duration::from_secs(since) };
            incoming.conns.insert(ConnId(number), waiting);
        }
        assert_eq!(incoming.worst(), Some(ConnId(3)));
    }

    #[test]
    fn a_handshake_names_its_torrent_before_it_is_whole() {
        let info_hash = InfoHash([7; 20]);
        let handshake =
            Handshake { reserved: Reserved::default(), info_hash, peer_id: PeerId([9; 20]) };
        let mut bytes = [0; Handshake::LEN];
        handshake.encode(&mut bytes).unwrap();
        for len in 0..=bytes.len() {
            let expected = if len < 48 { Named::Nothing } else { Named::Torrent(info_hash) };
            assert_eq!(named(&bytes[..len]), expected, "{len}");
        }
        assert_eq!(named(b"GET / HTTP/1.1"), Named::Garbage);
        assert_eq!(named(b"\x13BitTorrent protocol2"), Named::Nothing, "the reserved bytes");
    }
}
