//! A node of the DHT over a UDP socket.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::Path;

use bittorrent_pieces::dht::krpc::Message;
use bittorrent_pieces::dht::{
    DhtConfig, DhtEvent, DhtLimits, DhtNode, DhtOutcome, DhtVec, Item, ItemName, MAX_LEN, NodeId,
};
use bittorrent_pieces::{Family, InfoHash};

use examples::random::random;
use examples::udp::{Datagrams, Udp};

use super::known::Known;

/// A node and its socket.
pub struct Node {
    udp: Udp,
    traced: Traced,
    known: Option<Known>,
}

/// The machine, its trace, and what happened since the last turn.
struct Traced {
    machine: DhtNode<DhtVec>,
    trace: bool,
    events: Vec<NodeEvent>,
}

/// What happened during [`Node::turn`].
#[derive(Debug)]
pub enum NodeEvent {
    /// Peers of a torrent.
    Peers(InfoHash, Vec<SocketAddr>),
    /// An item that is looked up, bencoded, and its sequence number.
    Item(Vec<u8>, Option<i64>),
    /// The end of a lookup.
    Dht(DhtEvent),
}

impl Node {
    /// Opens a socket and asks some nodes whether they are there: the given ones, and those of an earlier run if a file
    /// has them.
    ///
    /// # Errors
    ///
    /// A sentence that names the address.
    pub fn open(
        listen: SocketAddr,
        others: &[SocketAddr],
        state: Option<&Path>,
        trace: bool,
    ) -> Result<Self, String> {
        let udp = Udp::bind(listen)?;
        let mut config = DhtConfig::new(NodeId::for_address(listen.ip(), random()), random());
        config.family = Family::of(listen);
        let storage = DhtVec::new(DhtLimits::default());
        let machine = DhtNode::new(config, storage).map_err(|error| error.to_string())?;
        let traced = Traced { machine, trace, events: Vec::new() };
        let (known, earlier) = state.map(Known::load).unzip();
        let mut node = Self { udp, traced, known };
        for addr in others.iter().copied().chain(earlier.unwrap_or_default()) {
            node.add(addr);
        }
        Ok(node)
    }

    /// Returns the node's id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.traced.machine.config().id
    }

    /// Returns where the node listens.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.udp.address()
    }

    /// Returns the number of known nodes.
    #[must_use]
    pub fn known(&self) -> usize {
        self.traced.machine.contacts().count()
    }

    /// Asks a node whether it is there. One of the other IP version, or one for which there is no room, is ignored.
    pub fn add(&mut self, addr: SocketAddr) {
        let _ = self.traced.machine.add(self.udp.now(), addr);
    }

    /// Looks for the peers of a torrent, and announces us at a TCP port; returns whether there is room.
    pub fn find(&mut self, torrent: InfoHash, announce: Option<u16>) -> bool {
        self.traced.machine.find_peers(self.udp.now(), torrent, announce).is_ok()
    }

    /// Looks for an item.
    ///
    /// # Errors
    ///
    /// Why it cannot be looked for.
    pub fn get(&mut self, name: ItemName<'_>) -> Result<(), String> {
        let started = self.traced.machine.find_item(self.udp.now(), name);
        started.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Stores an item at the nodes nearest to it.
    ///
    /// # Errors
    ///
    /// Why it cannot be stored.
    pub fn put(&mut self, item: &Item<'_>, cas: Option<i64>) -> Result<(), String> {
        let started = self.traced.machine.put_item(self.udp.now(), item, cas);
        started.map(|_| ()).map_err(|error| error.to_string())
    }

    /// Sends what is due, and waits for one datagram or `patience`.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn turn(&mut self, patience: Duration) -> Result<Vec<NodeEvent>, String> {
        self.udp.turn(&mut self.traced, patience)?;
        let mut events = core::mem::take(&mut self.traced.events);
        let more = core::iter::from_fn(|| self.traced.machine.poll_event());
        events.extend(more.map(NodeEvent::Dht));
        if let Some(known) = &mut self.known {
            known.save_if_due(self.traced.addresses());
        }
        Ok(events)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(known) = &mut self.known {
            known.save(self.traced.addresses());
        }
    }
}

impl Datagrams for Traced {
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        self.print("<-", from, bytes);
        match self.machine.handle_datagram(now, from, bytes) {
            Ok(DhtOutcome::Peers { torrent, peers, .. }) => {
                self.events.push(NodeEvent::Peers(torrent, peers.iter().collect()));
            }
            Ok(DhtOutcome::Item { value, signed, .. }) => {
                self.events.push(NodeEvent::Item(value.to_vec(), signed.map(|(seq, _)| seq)));
            }
            Err(error) if self.trace => println!("   {from}: {error}"),
            Ok(_) | Err(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.machine.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.machine.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
        let sent = self.machine.poll_transmit(&mut buf[..MAX_LEN]);
        let Some(sent) = sent.map_err(|error| error.to_string())? else { return Ok(None) };
        self.print("->", sent.to, &buf[..sent.len]);
        Ok(Some((sent.to, sent.len)))
    }
}

impl Traced {
    fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.machine.contacts().map(|contact| contact.addr)
    }

    fn print(&self, way: &str, addr: SocketAddr, bytes: &[u8]) {
        if self.trace {
            match Message::decode(bytes) {
                Ok(message) => println!("{way} {addr} {message}"),
                Err(error) => println!("{way} {addr} {error}"),
            }
        }
    }
}
