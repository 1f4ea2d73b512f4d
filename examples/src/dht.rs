//! A node of the DHT over a UDP socket, for the programs that want one.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::time::Instant;

use bittorrent_pieces::dht::krpc::Message;
use bittorrent_pieces::dht::{
    DhtConfig, DhtEvent, DhtLimits, DhtNode, DhtOutcome, DhtVec, MAX_LEN, NodeId,
};
use bittorrent_pieces::{Family, InfoHash};

use crate::random::random;

/// A node, its socket and its clock.
pub struct Node {
    machine: DhtNode<DhtVec>,
    socket: UdpSocket,
    start: Instant,
    trace: bool,
}

/// What happened during [`Node::turn`].
#[derive(Debug)]
pub enum NodeEvent {
    /// Peers of a torrent.
    Peers(InfoHash, Vec<SocketAddr>),
    /// The end of a lookup.
    Dht(DhtEvent),
}

impl Node {
    /// Opens a socket and asks some nodes whether they are there.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn open(listen: SocketAddr, others: &[SocketAddr], trace: bool) -> io::Result<Self> {
        let socket = UdpSocket::bind(listen)?;
        let mut config = DhtConfig::new(NodeId::for_address(listen.ip(), random()), random());
        config.family = Family::of(listen);
        let storage = DhtVec::new(DhtLimits::default());
        let mut node = DhtNode::new(config, storage).map_err(io::Error::other)?;
        for addr in others {
            let _ = node.add(Duration::ZERO, *addr); // one of the other IP version is of no use
        }
        Ok(Self { machine: node, socket, start: Instant::now(), trace })
    }

    /// Returns our name.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.machine.config().id
    }

    /// Returns where the node listens.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Returns how many nodes are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.machine.contacts().count()
    }

    /// Asks a node whether it is there.
    pub fn add(&mut self, addr: SocketAddr) {
        let _ = self.machine.add(self.start.elapsed(), addr); // the next one may have room
    }

    /// Looks for the peers of a torrent, and announces us at a TCP port; returns whether there is room.
    pub fn find(&mut self, torrent: InfoHash, announce: Option<u16>) -> bool {
        self.machine.find_peers(self.start.elapsed(), torrent, announce).is_ok()
    }

    /// Sends what is due, and waits for one datagram or `patience`.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub fn turn(&mut self, patience: Duration) -> io::Result<Vec<NodeEvent>> {
        let mut buf = [0; 2_048];
        while let Some(sent) =
            self.machine.poll_transmit(&mut buf[..MAX_LEN]).map_err(io::Error::other)?
        {
            self.say("->", sent.to, &buf[..sent.len]);
            let _ = self.socket.send_to(&buf[..sent.len], sent.to); // as if the network lost it
        }
        let due = self.machine.poll_timeout().unwrap_or(Duration::MAX);
        let wait = due.saturating_sub(self.start.elapsed()).min(patience);
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let mut events = Vec::new();
        if let Ok((len, from)) = self.socket.recv_from(&mut buf) {
            self.say("<-", from, &buf[..len]);
            match self.machine.handle_datagram(self.start.elapsed(), from, &buf[..len]) {
                Ok(DhtOutcome::Peers { torrent, peers, .. }) => {
                    events.push(NodeEvent::Peers(torrent, peers.iter().collect()));
                }
                Err(error) if self.trace => println!("   {from}: {error}"),
                Ok(_) | Err(_) => {}
            }
        }
        self.machine.handle_timeout(self.start.elapsed());
        events.extend(core::iter::from_fn(|| self.machine.poll_event()).map(NodeEvent::Dht));
        Ok(events)
    }

    fn say(&self, way: &str, addr: SocketAddr, bytes: &[u8]) {
        if self.trace {
            match Message::decode(bytes) {
                Ok(message) => println!("{way} {addr} {message}"),
                Err(error) => println!("{way} {addr} {error}"),
            }
        }
    }
}
