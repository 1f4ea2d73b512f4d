//! Two peers behind firewalls that meet through a third (BEP 55).

mod common;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::wire::Message;
use bittorrent_pieces::wire::extended::{
    Extended, ExtendedError, ExtendedHandshake, Holepunch, HolepunchError, Pex, PexFlags,
};
use bittorrent_pieces::{
    Config, ConnId, Geometry, InfoHash, Outcome, PeerId, PieceHashes, Side, Torrent,
    TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};
use common::unhex;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Payloads of a public client.
#[test]
fn messages_are_those_of_bep_55() {
    let target = addr("192.0.2.7:6881");
    let v6 = addr("[2001:db8::7]:6881");
    let not_connected = Holepunch::Error(target, HolepunchError::NotConnected);
    for (hex, message) in [
        ("0000c00002071ae100000000", Holepunch::Rendezvous(target)),
        ("010120010db80000000000000000000000071ae100000000", Holepunch::Connect(v6)),
        ("0200c00002071ae100000002", not_connected),
    ] {
        let bytes = unhex(hex);
        assert_eq!(Holepunch::decode(&bytes), Ok(message));
        let mut out = [0; Holepunch::MAX_LEN];
        let len = message.encode(&mut out).unwrap();
        assert_eq!(out[..len], bytes);
        for short in 0..len {
            let error = message.encode(&mut out[..short]).unwrap_err();
            assert_eq!(error.needed, len);
        }
    }
    // libtorrent sends the last field in errors only.
    assert_eq!(Holepunch::decode(&unhex("0100c00002071ae1")), Ok(Holepunch::Connect(target)));
    let length = |len, expected| Err(ExtendedError::Length { len, expected });
    assert_eq!(Holepunch::decode(&unhex("0200c00002071ae1")), length(8, 12));
    assert_eq!(Holepunch::decode(&unhex("0101c00002071ae1")), length(8, 24));
    assert_eq!(Holepunch::decode(&[0]), length(1, 12));
    assert!(Holepunch::decode(&unhex("0300c00002071ae100000000")).is_err());
    assert!(Holepunch::decode(&unhex("0002c00002071ae100000000")).is_err());
    let other = Holepunch::decode(&unhex("0200c00002071ae100000009"));
    assert_eq!(other, Ok(Holepunch::Error(target, HolepunchError::Other(9))));
}

/// A torrent that two others are connected to: 0 is the relay, connection `n` leads to node `n`.
struct World {
    nodes: Vec<Torrent<TorrentVec>>,
    addrs: Vec<SocketAddr>,
    outcomes: Vec<(usize, SocketAddr)>,
    failures: Vec<(usize, HolepunchError)>,
    now: Duration,
    flags: Vec<PexFlags>,
}

fn torrent(id: u8, holepunch: bool) -> Torrent<TorrentVec> {
    torrent_of(id, holepunch, TorrentLimits::new())
}

fn torrent_of(id: u8, holepunch: bool, limits: TorrentLimits) -> Torrent<TorrentVec> {
    let hashes = [[1; 20]];
    let content =
        TorrentContent::new(Geometry::new(100, 16_384).unwrap(), PieceHashes::new(&hashes));
    let mut config = Config::new(InfoHash([7; 20]), PeerId([id; 20]));
    config.holepunch = holepunch;
    let storage = TorrentVec::new(&content, limits);
    Torrent::new(TorrentSetup::new(config), storage).unwrap()
}

impl World {
    fn new(addrs: &[&str], supports: &[bool]) -> Self {
        Self::with(addrs, supports, TorrentLimits::new())
    }

    fn with(addrs: &[&str], supports: &[bool], limits: TorrentLimits) -> Self {
        let node = |(id, on): (usize, &bool)| torrent_of(id as u8, *on, limits);
        let nodes = supports.iter().enumerate().map(node).collect();
        let mut world = Self {
            nodes,
            addrs: addrs.iter().map(|text| addr(text)).collect(),
            outcomes: vec![],
            failures: vec![],
            now: Duration::ZERO,
            flags: vec![],
        };
        for node in 1..supports.len() {
            let conn = ConnId(node as u32);
            world.nodes[0].handle_connected(world.now, conn, Side::Dialled).unwrap();
            world.nodes[0].set_address(conn, world.addrs[node]);
            world.nodes[node].handle_connected(world.now, ConnId(0), Side::Accepted).unwrap();
            let relay = world.addrs[0];
            world.nodes[node].set_address(ConnId(0), relay);
        }
        world.run();
        world
    }

    fn run(&mut self) {
        let mut buf = [0; 1_024];
        let mut moved = true;
        while core::mem::take(&mut moved) {
            for from in 0..self.nodes.len() {
                while let Some(sent) = self.nodes[from].poll_transmit(&mut buf).unwrap() {
                    moved = true;
                    let (to, conn) = match from {
                        0 => (sent.conn.0 as usize, ConnId(0)),
                        _ => (0, ConnId(from as u32)),
                    };
                    let received = self.nodes[to].handle_bytes(self.now, conn, &buf[..sent.len]);
                    match received.unwrap().outcome {
                        Some(Outcome::Holepunch(addr)) => self.outcomes.push((to, addr)),
                        Some(Outcome::HolepunchFailed(_, error)) => self.failures.push((to, error)),
                        Some(Outcome::Peers(pex)) => {
                            self.flags.extend(Pex::added(&pex).map(|(_, flags)| flags));
                        }
                        _ => {}
                    }
                }
                while self.nodes[from].poll_event().is_some() {}
            }
        }
    }

    fn ask(&mut self, target: SocketAddr) {
        assert!(self.nodes[1].rendezvous(ConnId(0), target));
        self.run();
    }
}

const PUBLIC: [&str; 3] = ["192.0.2.1:1", "198.51.100.2:2", "203.0.113.3:3"];

#[test]
fn both_sides_dial_after_a_rendezvous() {
    let public6 = [
        "[2600:1:2:3:4:5:6:7]:1",
        "[2600:11:12:13:14:15:16:17]:2",
        "[2600:21:22:23:24:25:26:27]:3",
    ];
    for public in [PUBLIC, public6] {
        let mut world = World::new(&public, &[true; 3]);
        world.ask(addr(public[2]));
        world.outcomes.sort_unstable();
        assert_eq!(world.outcomes, [(1, addr(public[2])), (2, addr(public[1]))]);
        assert!(world.failures.is_empty());
    }
}

#[test]
fn a_relay_says_why_not() {
    let mut world = World::new(&PUBLIC, &[true; 3]);
    world.ask(addr("192.0.2.99:9"));
    world.ask(addr(PUBLIC[1]));
    world.ask(addr("192.0.2.99:0"));
    let no_such_peer = (1, HolepunchError::NoSuchPeer);
    let errors = [(1, HolepunchError::NotConnected), no_such_peer, no_such_peer];
    assert_eq!(world.failures, errors);
    let mut world = World::new(&PUBLIC, &[true, true, false]);
    world.ask(addr(PUBLIC[2]));
    assert_eq!(world.failures, [(1, HolepunchError::NoSupport)]);
    assert!(world.outcomes.is_empty());
}

#[test]
fn local_and_public_peers_are_not_brought_together() {
    let mut world = World::new(&["192.0.2.1:1", "198.51.100.2:2", "10.0.0.3:3"], &[true; 3]);
    world.ask(addr("10.0.0.3:3"));
    assert!(world.outcomes.is_empty() && world.failures.is_empty());
    let mut world = World::new(&["10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"], &[true; 3]);
    world.ask(addr("10.0.0.3:3"));
    assert_eq!(world.outcomes.len(), 2, "two of one network may meet");
}

#[test]
fn without_the_extension_nothing_is_asked_or_relayed() {
    let mut world = World::new(&PUBLIC, &[false, true, true]);
    assert!(!world.nodes[1].rendezvous(ConnId(0), addr(PUBLIC[2])), "the relay lacks it");
    assert_eq!(send(&mut world, Holepunch::Connect(addr("192.0.2.9:80"))), None);
    send(&mut world, Holepunch::Rendezvous(addr(PUBLIC[2])));
    world.run();
    let mut world = World::new(&PUBLIC, &[true, false, true]);
    assert!(!world.nodes[1].rendezvous(ConnId(0), addr(PUBLIC[2])), "we lack it");
    assert!(!world.nodes[1].rendezvous(ConnId(9), addr(PUBLIC[2])), "no such connection");
    world.run();
    assert!(world.outcomes.is_empty());
}

/// Sends a message to the relay as node 1.
fn send(world: &mut World, message: Holepunch) -> Option<SocketAddr> {
    let mut body = [0; Holepunch::MAX_LEN];
    let len = message.encode(&mut body).unwrap();
    let extended = Extended { id: 4, body: &body[..len] };
    let mut bytes = vec![0; extended.encoded_len()];
    extended.encode(&mut bytes).unwrap();
    let received = world.nodes[0].handle_bytes(world.now, ConnId(1), &bytes).unwrap();
    assert_eq!(received.consumed, bytes.len());
    match received.outcome {
        Some(Outcome::Holepunch(addr)) => Some(addr),
        _ => None,
    }
}

#[test]
fn a_peer_makes_others_dial_a_few_times_only() {
    let mut world = World::new(&PUBLIC, &[true; 3]);
    for _ in 0..100 {
        send(&mut world, Holepunch::Rendezvous(addr(PUBLIC[2])));
        world.run();
    }
    let dials = world.outcomes.iter().filter(|(node, _)| *node == 2).count();
    assert_eq!(dials, 8);
    world.now = Duration::from_secs(11);
    world.nodes[0].handle_timeout(world.now);
    let dialled = (0..100).filter(|n| {
        let target = SocketAddr::new(addr("192.0.2.50:1").ip(), 1_000 + n);
        send(&mut world, Holepunch::Connect(target)).is_some()
    });
    assert_eq!(dialled.count(), 8, "as many again in each round");
}

#[test]
fn a_connect_does_not_lead_inside_or_to_a_peer_that_is_there() {
    let mut world = World::new(&PUBLIC, &[true; 3]);
    for inside in ["127.0.0.1:80", "10.0.0.1:80", "[::1]:80", "192.0.2.9:0", PUBLIC[2]] {
        assert_eq!(send(&mut world, Holepunch::Connect(addr(inside))), None, "{inside}");
    }
    let outside = addr("192.0.2.9:80");
    assert_eq!(send(&mut world, Holepunch::Connect(outside)), Some(outside));
}

/// A peer of the local network may name others of it; one whose address is unknown gets nothing.
#[test]
fn a_local_peer_leads_to_local_peers() {
    let inside = addr("10.0.0.9:80");
    let mut world = World::new(&["10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"], &[true; 3]);
    assert_eq!(send(&mut world, Holepunch::Connect(inside)), Some(inside));
    let mut world = World::new(&PUBLIC, &[true; 3]);
    world.nodes[0].handle_closed(world.now, ConnId(1));
    world.nodes[0].handle_connected(world.now, ConnId(1), Side::Accepted).unwrap();
    world.nodes[1] = torrent(1, true);
    world.nodes[1].handle_connected(world.now, ConnId(0), Side::Dialled).unwrap();
    world.run();
    assert_eq!(send(&mut world, Holepunch::Connect(inside)), None);
    world.ask(addr(PUBLIC[2]));
    assert!(world.outcomes.is_empty() && world.failures.is_empty());
    let outside = addr("192.0.2.9:80");
    assert_eq!(send(&mut world, Holepunch::Connect(outside)), Some(outside));
}

/// What a relay sends to a peer that does not read takes half of the room for its requests.
#[test]
fn relayed_messages_leave_half_of_the_room_for_requests() {
    let limits = TorrentLimits { peers: 3, open_pieces: 1, pipeline: 16 };
    let mut world = World::with(&PUBLIC, &[true; 3], limits);
    for _ in 0..8 {
        send(&mut world, Holepunch::Rendezvous(addr(PUBLIC[2])));
    }
    world.run();
    let dials = |node| world.outcomes.iter().filter(|(at, _)| *at == node).count();
    assert_eq!((dials(1), dials(2)), (4, 4), "two of 16 slots each, while more than 8 are free");
}

/// Messages for a peer that does not read leave room for answers to its requests.
#[test]
fn messages_to_a_peer_that_does_not_read_leave_room_for_answers() {
    let mut world = World::new(&PUBLIC, &[true; 3]);
    let mut waiting = 0;
    for _ in 0..400 {
        waiting += u32::from(world.nodes[1].rendezvous(ConnId(0), addr(PUBLIC[2])));
    }
    assert_eq!(waiting, 125, "two of the 250 slots each");
    world.run();
    assert_eq!(world.outcomes.len(), 16, "8 of them are relayed, to both sides");
}

#[test]
fn the_handshake_and_the_peer_exchange_name_it() {
    let mut relay = torrent(0, true);
    relay.handle_connected(Duration::ZERO, ConnId(1), Side::Accepted).unwrap();
    let mut buf = [0; 1_024];
    let mut peer = torrent(1, false);
    peer.handle_connected(Duration::ZERO, ConnId(1), Side::Dialled).unwrap();
    let len = peer.poll_transmit(&mut buf).unwrap().unwrap().len;
    relay.handle_bytes(Duration::ZERO, ConnId(1), &buf[..len]).unwrap();
    let mut named = None;
    while let Some(sent) = relay.poll_transmit(&mut buf).unwrap() {
        if let Ok((Message::Other { id: 20, payload }, _)) =
            Message::decode(&buf[..sent.len], 1 << 20)
        {
            let hello = ExtendedHandshake::decode(&payload[1..]).unwrap();
            named = hello.id(Holepunch::NAME);
        }
    }
    assert_eq!(named, Some(4));
    let mut world = World::new(&PUBLIC, &[true, true, false]);
    world.now = Duration::from_secs(11);
    world.nodes[0].handle_timeout(world.now);
    world.run();
    let punches = world.flags.iter().filter(|flags| flags.contains(PexFlags::HOLEPUNCH)).count();
    assert_eq!((world.flags.len(), punches), (2, 1));
}
