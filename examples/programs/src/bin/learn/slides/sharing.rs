//! Trackers, peers without a tracker, television, and input that nobody can trust.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bittorrent_pieces::compact::{CompactPeers, Family};
use bittorrent_pieces::dht::{DhtConfig, DhtLimits, DhtNode, DhtOutcome, DhtVec, MAX_LEN, NodeId};
use bittorrent_pieces::tracker::Announce;
use bittorrent_pieces::tracker::http::{
    AnnounceReply, Announced, Answer, HttpRequest, announce_url,
};
use bittorrent_pieces::{InfoHash, PeerId, PieceHasher};
use ledger_core::{Block, KeyPair};
use pow::Target;
use sim::Rng;
use web::Player;

use super::lesson::{find, items, number, run, search};
use super::work::{puzzle, search as search_nonce};
use super::{Check, Fact, equal, fact, failed, holds};

const TORRENT: InfoHash = InfoHash([7; 20]);

/// Lets peers announce themselves to a tracker one after the other; returns the ports that each is told of.
fn announce(peers: u16) -> Result<Vec<Vec<u16>>, String> {
    let mut known = Vec::new();
    let mut told = Vec::new();
    for nth in 0..peers {
        let port = 7_000 + nth;
        let asks = Announce::started(TORRENT, PeerId([nth as u8; 20]), port, 1 << 20);
        let mut url = [0; 512];
        let len = announce_url(b"http://tracker.example/announce", &asks, None, &mut url)
            .map_err(failed)?;
        let target = &url[b"http://tracker.example".len()..len];
        let HttpRequest::Announce { announce, .. } = HttpRequest::decode(target).map_err(failed)?
        else {
            return Err("no announce".into());
        };
        if announce.info_hash != TORRENT {
            return Err("another torrent".into());
        }
        let list = CompactPeers::new(Family::V4, &known).ok_or("no list")?;
        let reply = AnnounceReply::new(Duration::from_secs(1_800), 0, u32::from(nth), list);
        let mut out = [0; 512];
        let len = reply.encode(&mut out).map_err(failed)?;
        let Answer::Done(answer) = Announced::decode(&out[..len]).map_err(failed)? else {
            return Err("refused".into());
        };
        told.push(answer.contacts().map(|contact| contact.port).collect());
        known.extend_from_slice(&Ipv4Addr::LOCALHOST.octets());
        known.extend_from_slice(&announce.port.to_be_bytes());
    }
    Ok(told)
}

/// Nodes of the DHT, and datagrams that take 20 ms.
struct Mesh {
    nodes: BTreeMap<SocketAddr, DhtNode<DhtVec>>,
    wire: VecDeque<(Duration, SocketAddr, SocketAddr, Vec<u8>)>,
    now: Duration,
    peers: Vec<SocketAddr>,
}

fn place(nth: u8) -> SocketAddr {
    ([10, 0, 0, nth], 6_881).into()
}

impl Mesh {
    fn new(count: u8) -> Result<Self, String> {
        let mut nodes = BTreeMap::new();
        for nth in 0..count {
            let mut config = DhtConfig::new(NodeId(PieceHasher::digest(&[nth])), [7; 16]);
            config.seed = u64::from(nth);
            let storage = DhtVec::new(DhtLimits { routes: 64, lookups: 3, peers: 20, items: 16 });
            let mut node = DhtNode::new(config, storage).map_err(failed)?;
            if nth > 0 {
                node.add(Duration::ZERO, place(nth / 2)).map_err(failed)?;
            }
            nodes.insert(place(nth), node);
        }
        Ok(Self { nodes, wire: VecDeque::new(), now: Duration::ZERO, peers: Vec::new() })
    }

    fn run(&mut self, until: Duration) {
        loop {
            for (from, node) in &mut self.nodes {
                let mut buf = [0; MAX_LEN];
                while let Ok(Some(sent)) = node.poll_transmit(&mut buf) {
                    let at = self.now + Duration::from_millis(20);
                    self.wire.push_back((at, *from, sent.to, buf[..sent.len].to_vec()));
                }
                while node.poll_event().is_some() {}
            }
            let due = self.nodes.values().filter_map(DhtNode::poll_timeout).min();
            let next = self.wire.front().map(|(at, ..)| *at).into_iter().chain(due).min();
            let Some(next) = next.filter(|at| *at <= until) else { break };
            self.now = self.now.max(next);
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
                let Some((_, from, to, bytes)) = self.wire.pop_front() else { break };
                let Some(node) = self.nodes.get_mut(&to) else { continue };
                let handled = node.handle_datagram(self.now, from, &bytes);
                if let Ok(DhtOutcome::Peers { peers, .. }) = handled {
                    self.peers.extend(peers.iter());
                }
            }
            for node in self.nodes.values_mut() {
                if node.poll_timeout().is_some_and(|at| at <= self.now) {
                    node.handle_timeout(self.now);
                }
            }
        }
        self.now = until;
    }
}

/// One node announces a torrent, another looks for its peers; returns the addresses that it is told.
fn meet() -> Result<Vec<SocketAddr>, String> {
    let mut mesh = Mesh::new(30)?;
    mesh.run(Duration::from_secs(60));
    for (nth, announce) in [(20, Some(7_000)), (5, None)] {
        let now = mesh.now;
        let node = mesh.nodes.get_mut(&place(nth)).ok_or("no such node")?;
        node.find_peers(now, TORRENT, announce).map_err(failed)?;
        mesh.run(now + Duration::from_secs(60));
    }
    let mut peers = mesh.peers;
    peers.sort();
    peers.dedup();
    Ok(peers)
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-GEN-02",
        "nobody is trusted: 2,000 random messages for each of five decoders, refused or read without harm",
        "decode of all crates",
        "INTRO What is P2P, Management Issue",
        random_bytes,
    ),
    fact(
        "C-GEN-10",
        "boot, lookup, sharing: messages before the first search, of one search, and the pieces that eight peers then fetch",
        "gnutella_wire::Servent, bittorrent_pieces::Torrent",
        "ARCH The phases of a P2P application",
        phases,
    ),
    fact(
        "C-GEN-22",
        "sensors and appliances take part: bytes of a ring node with four successors, of a nonce search and of a target",
        "chord_core::RoutingTable, pow::Miner, Target",
        "PPN Hardware Used in Distributed Network; Use Cases",
        small,
    ),
    fact(
        "C-DHT-01",
        "references only, not files: bytes of what a lookup for a torrent of any size returns for a peer",
        "bittorrent_pieces::compact::CompactPeers",
        "BAUN Distributed Hash Table (DHT)",
        || {
            let peers = meet()?;
            let mut bytes = Vec::new();
            for peer in &peers {
                if let SocketAddr::V4(peer) = peer {
                    bytes.extend_from_slice(&peer.ip().octets());
                    bytes.extend_from_slice(&peer.port().to_be_bytes());
                }
            }
            let list = CompactPeers::new(Family::V4, &bytes).ok_or("no list")?;
            let read: Vec<SocketAddr> = list.iter().collect();
            let each = bytes.len() / peers.len().max(1);
            holds(read == peers && each == 6, format!("{each}"))
        },
    ),
    fact(
        "C-OVL-07",
        "every client is a lightweight tracker: the peer that one of 30 nodes finds after another has announced itself",
        "bittorrent_pieces::dht::DhtNode",
        "BAUN BitTorrent can be used without a dedicated Tracker",
        || equal(meet()?, vec![SocketAddr::from(([10, 0, 0, 20], 7_000))]),
    ),
    fact(
        "C-BIT-08",
        "a tracker keeps the list of peers: what it tells two that ask one after the other",
        "bittorrent_pieces::tracker::http",
        "BAUN BitTorrent (1/3)",
        || equal(announce(2)?, vec![vec![], vec![7_000]]),
    ),
    fact(
        "C-STR-02",
        "the tracker stores the new peer as a potential source: how many sources each of four viewers is told of",
        "bittorrent_pieces::tracker::http",
        "BAUN Television via P2P",
        || equal(announce(4)?.iter().map(Vec::len).collect(), vec![0, 1, 2, 3]),
    ),
    fact(
        "C-STR-04",
        "switching takes 5 s, the delay is 20 s: when the last viewer has its first piece, and when the first is shown",
        "bittorrent_pieces::picker::Playback",
        "BAUN Zattoo",
        || {
            let mut player =
                Player::open("swarm", "mode=tv&peers=6&pieces=48&uplink=64&seeduplink=96")
                    .map_err(failed)?;
            let mut first = None;
            for tenth in 1..300 {
                player.advance(Duration::from_millis(100 * tenth));
                let view = player.view();
                let nodes = items(find(&view, &["view", "nodes"])?);
                let count = |node| find(node, &["count"]).map_or(0.0, number);
                if first.is_none() && nodes.iter().all(|node| count(node) > 0.0) {
                    first = Some(tenth as f64 / 10.0);
                }
                if number(find(&view, &["view", "shown"])?) > 0.0 {
                    let shown = tenth as f64 / 10.0;
                    let first = first.ok_or("shown before it came")?;
                    return holds(
                        first <= 5.0 && shown <= 20.0,
                        format!("{first} s and {shown} s"),
                    );
                }
            }
            Err("nothing is shown".into())
        },
    ),
    fact(
        "C-STR-05",
        "uplinks of about 1:10 and 1:16 of the stream: the server's share of what the viewers got, at least 1 - u / r",
        "bittorrent_pieces::Torrent",
        "BAUN Reasons for Failure (2/2)",
        server_share,
    ),
];

fn random_bytes() -> Check {
    let mut rng = Rng::new(1);
    let mut refused = [0; 5];
    for _ in 0..2_000 {
        let mut bytes = vec![0; rng.below(200) as usize];
        rng.fill(&mut bytes);
        let results = [
            gnutella_wire::wire::Message::decode(&bytes, gnutella_wire::wire::Limits::GTKG)
                .is_err(),
            chord_core::Message::<chord_core::Id160, u32>::decode(&bytes).is_err(),
            bittorrent_pieces::wire::Message::decode(&bytes, 1 << 20).is_err(),
            Block::decode(&bytes).is_err(),
            consensus::SignedStatement::decode(&bytes).is_err(),
        ];
        for (count, refused) in refused.iter_mut().zip(results) {
            *count += u32::from(refused);
        }
    }
    holds(refused.iter().all(|count| *count > 1_000), format!("refused: {refused:?}"))
}

fn phases() -> Check {
    let mut player = Player::open("flood", "nodes=60&degree=5&ttl=15").map_err(failed)?;
    let view = player.view();
    let networks = items(find(&view, &["view", "networks"])?);
    let boot = networks
        .iter()
        .filter_map(|network| find(network, &["setup"]).ok())
        .map(number)
        .filter(|count| *count > 0.0)
        .sum::<f64>();
    let lookup = search("nodes=60&degree=5&ttl=15", &[], 17, "debaser")?.hybrid;
    let view = run("swarm", "peers=8&pieces=24", &[("", 60)])?;
    let nodes = items(find(&view, &["nodes"])?).iter().skip(1);
    let pieces: f64 = nodes.filter_map(|node| find(node, &["count"]).ok()).map(number).sum();
    let messages = lookup.queries + lookup.hits;
    holds(
        boot > 0.0 && messages > 0 && lookup.found > 0 && (pieces - 192.0).abs() < 0.1,
        format!("{boot}, {messages} and {pieces}"),
    )
}

/// What fits a microcontroller with 16 KiB also works: a nonce of 12 bits is found and a record is signed.
fn small() -> Check {
    use chord_core::{FingerSlot, Id160, Peer, RoutingTable};
    type Table = RoutingTable<Id160, u32, [Peer<Id160, u32>; 4], [FingerSlot<Id160, u32>; 16]>;
    let (nonce, _) = search_nonce(puzzle("Received 6327 barrels")?, 12).ok_or("none")?;
    let digest = puzzle("Received 6327 barrels")?.digest(nonce);
    let met = Target::from_zero_bits(12).is_met_by::<pow::BigEndian>(&digest);
    let sizes = [size_of::<Table>(), size_of::<pow::Miner>(), size_of::<KeyPair>()];
    holds(met && sizes.iter().sum::<usize>() < 4_096, format!("{sizes:?}"))
}

/// A piece of 32 KiB plays one second.
fn server_share() -> Check {
    let mut shares = Vec::new();
    for uplink in [3_u32, 2] {
        let options = format!("mode=tv&peers=4&pieces=48&uplink={uplink}&seeduplink=400");
        let mut player = Player::open("swarm", &options).map_err(failed)?;
        player.advance(Duration::from_secs(90));
        let mut sent = [0.0; 5];
        for (node, sent) in (0..).zip(&mut sent) {
            player.select(Some(node));
            let view = player.view();
            let rows = items(find(&view, &["view", "selected", "peers"])?).to_vec();
            *sent = rows.iter().filter_map(|row| items(row).get(7)).map(number).sum();
        }
        let all: f64 = sent.iter().sum();
        shares.push((sent[0] / all, 1.0 - f64::from(uplink) / 32.0));
    }
    let right = shares.iter().all(|(share, least)| share >= least);
    let text = shares
        .iter()
        .map(|(share, least)| format!("{:.1} % of at least {:.1} %", 100.0 * share, 100.0 * least));
    holds(right, text.collect::<Vec<_>>().join(", "))
}
