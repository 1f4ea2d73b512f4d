//! Servents of Gnutella in a graph, and what they do with single messages.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::VecDeque;

use gnutella_wire::servent::{ServentLimits, ServentVec, Target};
use gnutella_wire::wire::{
    Function, HitData, Limits, Message, Payload, Ping, Query, Record, Records,
};
use gnutella_wire::{Config, ConnId, Event, Guid, Neighbour, Role, Servent, ServentId, Text};
use sim::Graph;

use super::{Check, Fact, equal, fact, failed, holds};

type Machine = Servent<ServentVec>;

const NOW: Duration = Duration::from_secs(1);
const QUERY: Guid = Guid([0x51; 16]);

pub fn address(node: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(0x0A00_0001 + node as u32), 6_346)
}

pub fn id(node: usize) -> ServentId {
    ServentId([node as u8 + 1; 16])
}

fn servent(config: Config) -> Result<Machine, String> {
    let limits = ServentLimits { conns: 64, routes: 256, hosts: 8, ..ServentLimits::default() };
    Servent::new(config, ServentVec::new(limits)).map_err(failed)
}

/// Returns how many neighbours of a role a servent admits.
pub fn admitted(config: Config, role: Role) -> Result<usize, String> {
    let mut servent = servent(config)?;
    let admits = |conn: &u32| servent.handle_connected(NOW, ConnId(*conn), role).is_ok();
    Ok((0..60).take_while(admits).count())
}

/// Returns the TTL of a servent's own query.
pub fn ttl_of_query(config: Config) -> Result<u8, String> {
    let mut servent = servent(config)?;
    servent.handle_connected(NOW, ConnId(0), Role::Ultrapeer).map_err(failed)?;
    let query = Query::new(Text::new(b"hey jude").unwrap_or_default());
    let mut buf = [0; 256];
    let sent = servent.search(NOW, QUERY, &query, &mut buf).map_err(failed)?;
    let (message, _) = Message::decode(&buf[..sent.len], Limits::GTKG).map_err(failed)?;
    Ok(message.ttl)
}

/// Servents that hear each other at once. A connection has the number of the node at its other end.
struct Town {
    servents: Vec<Machine>,
    /// Sender, receiver and kind of each message.
    sent: Vec<(usize, usize, Function)>,
}

impl Town {
    fn new(nodes: usize, links: &[(usize, usize)], ttl: u8) -> Result<Self, String> {
        let config = |node| Config::peer_of(64, ttl, id(node), address(node));
        let servents = (0..nodes).map(|node| servent(config(node))).collect::<Result<Vec<_>, _>>();
        let mut town = Self { servents: servents?, sent: Vec::new() };
        for (one, other) in links {
            for (here, there) in [(*one, *other), (*other, *one)] {
                let conn = ConnId(there as u32);
                let neighbour = Neighbour::from(Role::Peer);
                let connected = town.servents[here].handle_connected(NOW, conn, neighbour);
                connected.map_err(failed)?;
            }
        }
        Ok(town)
    }

    /// Sends a message, and what others forward of it, in the order of the hops.
    fn spread(&mut self, from: usize, to: Target, bytes: &[u8]) -> Result<(), String> {
        let mut queue = VecDeque::from([(from, to, bytes.to_vec())]);
        while let Some((from, to, bytes)) = queue.pop_front() {
            let receivers: Vec<ConnId> = self.servents[from].targets(to).collect();
            let (message, _) = Message::decode(&bytes, Limits::GTKG).map_err(failed)?;
            let function = message.payload.function();
            for conn in receivers {
                let at = conn.0 as usize;
                self.sent.push((from, at, function));
                let received = self.servents[at].handle_bytes(NOW, ConnId(from as u32), &bytes);
                let handled = received.map_err(failed)?.outcome;
                if let Some(forward) = handled.and_then(|handled| handled.forward) {
                    let bytes = [&forward.header[..], forward.payload].concat();
                    queue.push_back((at, forward.to, bytes));
                }
            }
        }
        Ok(())
    }

    fn search(&mut self, node: usize) -> Result<(), String> {
        let query = Query::new(Text::new(b"hey jude").unwrap_or_default());
        let mut buf = [0; 256];
        let sent = self.servents[node].search(NOW, QUERY, &query, &mut buf).map_err(failed)?;
        self.spread(node, sent.to, &buf[..sent.len])
    }

    fn answer(&mut self, node: usize) -> Result<(), String> {
        let name = Text::new(b"hey jude.mp3").unwrap_or_default();
        let found = [Record { index: 7, size: 4_000_000, name, extensions: Text::EMPTY }];
        let records = Records::from_slice(&found).ok_or("no records")?;
        let mut buf = [0; 512];
        let servent = &mut self.servents[node];
        let sent = servent.answer(NOW, QUERY, records, HitData::EMPTY, &mut buf).map_err(failed)?;
        self.spread(node, sent.to, &buf[..sent.len])
    }

    fn push(&mut self, node: usize, owner: usize) -> Result<(), String> {
        let mut buf = [0; 64];
        let guid = Guid([0x50; 16]);
        let servent = &mut self.servents[node];
        let sent = servent.push(NOW, guid, id(owner), 7, &mut buf).map_err(failed)?;
        self.spread(node, sent.to, &buf[..sent.len])
    }

    fn paths(&self, function: Function) -> Vec<(usize, usize)> {
        let of_kind = self.sent.iter().filter(|(_, _, kind)| *kind == function);
        of_kind.map(|(from, to, _)| (*from, *to)).collect()
    }

    /// Returns how many nodes a query has reached.
    fn reached(&self, asker: usize) -> usize {
        let mut reached: Vec<usize> =
            self.paths(Function::QUERY).into_iter().map(|(_, to)| to).collect();
        reached.sort_unstable();
        reached.dedup();
        reached.retain(|node| *node != asker);
        reached.len()
    }
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-GEN-04",
        "periodic pings, or any message: pings during 100 s of traffic, then until the silent neighbour is dropped",
        "gnutella_wire::Servent",
        "INTRO Overlay Graph; PPN Overlay Graph (continue)",
        keep_alive,
    ),
    fact(
        "C-GNU-19",
        "a push goes only where the matching hit came from: its steps in a star of four around node 1",
        "gnutella_wire::Servent::push",
        "BAUN Forwarding (2/2)",
        || {
            let mut town = Town::new(5, &[(0, 1), (1, 2), (1, 3), (1, 4)], 7)?;
            town.search(0)?;
            town.answer(3)?;
            town.push(0, 3)?;
            equal(town.paths(Function::PUSH), vec![(0, 1), (1, 3)])
        },
    ),
    fact(
        "C-GNU-29",
        "a servent stores, routes and answers: the messages of node 1 of a line while 0 asks and 2 answers, and while 1 asks",
        "gnutella_wire::Servent",
        "DT Gnutella; ARCH Decentralized: Component Diagram",
        || {
            let mut town = Town::new(3, &[(0, 1), (1, 2)], 7)?;
            town.search(0)?;
            town.answer(2)?;
            let routed = town.sent.iter().filter(|(from, _, _)| *from == 1).count();
            let mut town = Town::new(3, &[(0, 1), (1, 2)], 7)?;
            town.search(1)?;
            let asked = town.sent.iter().filter(|(from, _, _)| *from == 1).count();
            town.answer(2)?;
            equal((routed, asked, town.paths(Function::QUERY_HIT)), (2, 2, vec![(2, 1)]))
        },
    ),
    fact(
        "C-GNU-31",
        "a random graph, or neighbours that are near: of 60 nodes with four neighbours each, those reached with TTL 4",
        "gnutella_wire::Servent",
        "ARCH P2P: Decentralized",
        || {
            let random = Graph::new(1).regular(60, 4);
            let near: Vec<_> = (0..60).flat_map(|a| [1, 2].map(|by| (a, (a + by) % 60))).collect();
            let reached = |links: &[(usize, usize)]| {
                let mut town = Town::new(60, links, 4)?;
                town.search(0)?;
                Ok::<_, String>(town.reached(0))
            };
            let random = reached(&random)?;
            let near = reached(&near)?;
            holds(near == 16 && random > 2 * near, format!("{random} and {near}"))
        },
    ),
    fact(
        "C-HYB-08",
        "the software ships with addresses of some supernodes: the first that a new leaf dials",
        "gnutella_wire::Servent::add_host",
        "BAUN Hybrid P2P: FastTrack",
        || {
            let mut leaf = servent(Config::leaf(id(9), address(9)))?;
            let shipped = [address(1), address(2), address(3)];
            for host in shipped {
                leaf.add_host(NOW, host);
            }
            leaf.handle_timeout(NOW);
            let dials: Vec<SocketAddrV4> = core::iter::from_fn(|| leaf.poll_event())
                .filter_map(|event| match event {
                    Event::Dial { address } => Some(address),
                    _ => None,
                })
                .collect();
            let known = !dials.is_empty() && dials.iter().all(|host| shipped.contains(host));
            holds(known, format!("{dials:?}"))
        },
    ),
    fact(
        "C-HYB-11",
        "a client has a connection to a single super peer: those that a leaf limited to one admits",
        "gnutella_wire::Config::max_peers",
        "ARCH P2P: Hybrid Architecture",
        || {
            let mut config = Config::leaf(id(9), address(9));
            config.max_peers = 1;
            config.target_peers = 1;
            equal(admitted(config, Role::Ultrapeer)?, 1)
        },
    )
    .but("E-29"),
];

/// A neighbour pings every 10 s for 100 s, then falls silent.
fn keep_alive() -> Check {
    let mut servent = servent(Config::peer(id(0), address(0)))?;
    servent.handle_connected(Duration::ZERO, ConnId(1), Role::Peer).map_err(failed)?;
    let mut buf = [0; Machine::MAX_TRANSMIT_LEN];
    let mut pings = [0, 0];
    for second in 1..600 {
        let now = Duration::from_secs(second);
        let talks = second <= 100;
        if talks && second % 10 == 0 {
            let guid = Guid([second as u8; 16]);
            let ping = Message { guid, ttl: 1, hops: 0, payload: Payload::Ping(Ping::default()) };
            let len = ping.encode(&mut buf).map_err(failed)?;
            servent.handle_bytes(now, ConnId(1), &buf[..len]).map_err(failed)?;
        }
        servent.handle_timeout(now);
        while let Ok(Some(sent)) = servent.poll_transmit(&mut buf) {
            let (message, _) = Message::decode(&buf[..sent.len], Limits::GTKG).map_err(failed)?;
            if message.payload.function() == Function::PING {
                pings[usize::from(!talks)] += 1;
            }
        }
        if let Some(Event::Closed { .. }) = servent.poll_event() {
            let text = format!("{} and {}, dropped after {} s", pings[0], pings[1], second - 100);
            return holds(pings[0] == 0 && pings[1] >= 1, text);
        }
    }
    Err(format!("{pings:?}, and it is never dropped"))
}
