//! What hostile input costs each machine: processor time per byte and per message, and bytes out for each byte in.
//! The machines have the sizes of a server. Each row repeats one message that costs its sender little.
//!
//! `cargo run --release -p fuzz --example cost [--check]`; with `--check` a row beyond its bars ends it with 1.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::num::NonZeroU64;
use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

use sim::Rng;

/// Nanoseconds per byte and per message that no row may take, and bytes out for each byte in where the source is
/// unproved. The machine that checks may be busy: the least of several runs counts, and the bars have room.
const PER_BYTE: f64 = 2_000.0;
const PER_MESSAGE: f64 = 200_000.0;
/// What any message may take, however short.
const SHORT: f64 = 20_000.0;
const ANSWER: f64 = 3.0;
/// Rows that miss a bar today, with the nanoseconds per message that they may take until they are mended.
const MISSED: [(&str, f64); 3] = [
    ("Index: searches that match nothing", 2_500_000.0),
    ("Index: searches that match all", 500_000.0),
    ("Metainfo: 2,000 files of one byte", 5_000_000.0), // a file, not a message; 55 kB
];
const RUNS: usize = 5;
const MESSAGES: u64 = 2_000;

/// What one message did.
struct Step {
    taken: usize,
    sent: usize,
}

/// A machine, and who sends: whether answers go to an address that is not proved.
struct Row {
    name: &'static str,
    unproved: bool,
    new: fn() -> Box<dyn FnMut(u64) -> Step>,
}

const fn row(name: &'static str, new: fn() -> Box<dyn FnMut(u64) -> Step>) -> Row {
    Row { name, unproved: false, new }
}

const fn datagrams(name: &'static str, new: fn() -> Box<dyn FnMut(u64) -> Step>) -> Row {
    Row { name, unproved: true, new }
}

const ROWS: [Row; 15] = [
    row("Servent: queries with fresh GUIDs", || servent(0x80, 40)),
    row("Servent: pings with fresh GUIDs", || servent(0x00, 0)),
    row("Servent: hits without a route", || servent(0x81, 60)),
    row("Servent: pushes without a route", || servent(0x40, 26)),
    row("Index: searches that match nothing", || index("zzzz")),
    row("Index: searches that match all", || index("song")),
    datagrams("DhtNode: find_node from forged addresses", || dht(false)),
    datagrams("DhtNode: get_peers from forged addresses", || dht(true)),
    datagrams("chord Node: lookups from forged addresses", chord),
    row("Torrent: requests without an unchoke", || torrent(6)),
    row("Torrent: blocks that nobody asked for", || torrent(7)),
    row("Torrent: haves again and again", || torrent(4)),
    row("Pool: shares without work", pool),
    row("bencode: lists in lists", bencode),
    row("Metainfo: 2,000 files of one byte", metainfo),
];

fn main() -> ExitCode {
    let checks = std::env::args().any(|arg| arg == "--check");
    println!("| input | ns per byte | us per message | bytes out per byte in |");
    println!("|---|---|---|---|");
    let mut holds = true;
    for row in &ROWS {
        let (per_byte, per_message, answer) = measure(row);
        println!("| {} | {per_byte:.1} | {:.2} | {answer:.2} |", row.name, per_message / 1_000.0);
        holds &= match MISSED.iter().find(|(name, _)| *name == row.name) {
            Some((_, most)) => per_message <= *most,
            // A short message has the fixed cost of a call.
            None => per_message <= PER_MESSAGE && (per_byte <= PER_BYTE || per_message <= SHORT),
        };
        holds &= !row.unproved || answer <= ANSWER;
    }
    if checks && !holds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(row: &Row) -> (f64, f64, f64) {
    let mut least = Duration::MAX;
    let mut taken = 0;
    let mut sent = 0;
    for _ in 0..RUNS {
        let mut step = (row.new)();
        taken = 0;
        sent = 0;
        let start = Instant::now();
        for n in 0..MESSAGES {
            let done = step(n);
            taken += done.taken;
            sent += done.sent;
        }
        least = least.min(start.elapsed());
    }
    assert!(taken > 0, "{} took nothing", row.name);
    let nanos = least.as_nanos() as f64;
    (nanos / taken as f64, nanos / MESSAGES as f64, sent as f64 / taken as f64)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn servent(function: u8, len: usize) -> Box<dyn FnMut(u64) -> Step> {
    use gnutella_wire::servent::{ServentLimits, ServentVec};
    use gnutella_wire::wire::{Function, Header};
    use gnutella_wire::{Config, ConnId, Guid, Neighbour, Role, Servent, ServentId};
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 6346);
    let config = Config::ultrapeer(ServentId([1; 16]), address);
    let storage = ServentVec::new(ServentLimits::of(&config));
    let mut servent = Servent::new(config, storage).unwrap();
    for conn in 0..32 {
        let role = if conn < 8 { Role::Ultrapeer } else { Role::Leaf };
        let mut neighbour = Neighbour::from(role);
        neighbour.vendor_messages = true;
        let _ = servent.handle_connected(Duration::ZERO, ConnId(conn), neighbour); // or full
    }
    let mut rng = Rng::new(3);
    let mut buf = [0; 4_096];
    Box::new(move |n| {
        let mut guid = [0; 16];
        rng.fill(&mut guid);
        let header = Header {
            guid: Guid(guid),
            function: Function(function),
            ttl: 3,
            hops: 1,
            len: len as u32,
        };
        let mut payload = vec![b'a'; len];
        if function == 0x80 {
            payload[len - 1] = 0;
        }
        let bytes = [&header.to_bytes()[..], &payload].concat();
        let mut taken = 0;
        let mut sent = 0;
        if let Ok(received) = servent.handle_bytes(millis(n), ConnId(0), &bytes) {
            taken = received.consumed;
            if let Some(forward) = received.outcome.and_then(|handled| handled.forward) {
                sent += servent.targets(forward.to).count() * bytes.len();
            }
        } else {
            let _ =
                servent.handle_connected(millis(n), ConnId(0), Neighbour::from(Role::Ultrapeer));
        }
        while let Ok(Some(transmit)) = servent.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while servent.poll_event().is_some() {}
        servent.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn index(words: &'static str) -> Box<dyn FnMut(u64) -> Step> {
    use gnutella_wire::opennap::{
        File, Index, IndexConfig, IndexLimits, IndexVec, LinkType, Login, Message, Search,
    };
    use gnutella_wire::{ConnId, Text};
    let text = |text: &'static str| Text::new(text.as_bytes()).unwrap();
    let limits = IndexLimits { users: 100, files: 10_000 };
    let mut index = Index::new(IndexConfig::CUSTOMARY, IndexVec::new(limits)).unwrap();
    let mut send = move |now: Duration, conn: u32, message: &Message<'_>| {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let taken = index.handle_bytes(now, ConnId(conn), &bytes).map_or(0, |all| all.consumed);
        let mut sent = 0;
        let mut buf = [0; 4_096];
        while let Ok(Some(transmit)) = index.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while index.poll_event().is_some() {}
        if taken == 0 {
            let _ = index.handle_connected(now, ConnId(conn), Ipv4Addr::LOCALHOST);
        }
        Step { taken, sent }
    };
    let nicks: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    for (conn, nick) in nicks.iter().enumerate() {
        let nick = Text::new(nick.as_bytes()).unwrap();
        let login =
            Login { nick, password: nick, port: 6699, client: text("test"), link: LinkType(7) };
        for _ in 0..2 {
            send(Duration::ZERO, conn as u32, &Message::Login(login)); // the first connects
        }
        for n in 0..400 {
            let name = format!("a song of number {n} by {conn}.mp3");
            let name = Text::new(name.as_bytes()).unwrap();
            let md5 = text("00");
            let file = File { name, md5, size: 1, bitrate: 2, frequency: 3, seconds: 4 };
            send(Duration::ZERO, conn as u32, &Message::Share(file));
        }
    }
    Box::new(move |n| send(millis(n), 0, &Message::Search(Search::new(text(words)))))
}

fn dht(peers: bool) -> Box<dyn FnMut(u64) -> Step> {
    use bittorrent_pieces::InfoHash;
    use bittorrent_pieces::dht::krpc::{Body, Message, Method, Query, Want};
    use bittorrent_pieces::dht::{DhtConfig, DhtLimits, DhtNode, DhtVec, MAX_LEN, NodeId};
    let config = DhtConfig::new(NodeId([7; 20]), [9; 16]);
    let storage = DhtVec::new(DhtLimits { routes: 1_280, lookups: 4, peers: 10_000 });
    let mut node = DhtNode::new(config, storage).unwrap();
    let mut rng = Rng::new(5);
    Box::new(move |n| {
        let mut id = [0; 20];
        rng.fill(&mut id);
        let from: SocketAddr = ([80, (n >> 16) as u8, (n >> 8) as u8, n as u8], 6881).into();
        let method = if peers {
            Method::GetPeers { info_hash: InfoHash(id), noseed: false, scrape: false }
        } else {
            Method::FindNode { target: NodeId(id) }
        };
        let want = Want { v4: true, v6: true };
        let body = Body::Query(Query { want, ..Query::new(NodeId(id), method) });
        let mut bytes = [0; MAX_LEN];
        let len = Message::new(b"aa", body).encode(&mut bytes).unwrap();
        let _ = node.handle_datagram(millis(n), from, &bytes[..len]);
        let mut sent = 0;
        let mut buf = [0; MAX_LEN];
        while let Ok(Some(transmit)) = node.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while node.poll_event().is_some() {}
        node.handle_timeout(millis(n));
        Step { taken: len, sent }
    })
}

fn chord() -> Box<dyn FnMut(u64) -> Step> {
    use chord_core::{
        Config, ContactSlot, FingerSlot, Id160, LookupSlot, Message, Node, NodeSlots, Peer,
    };
    type Found = Message<Id160, SocketAddrV4>;
    let address = |n: u32| SocketAddrV4::new(Ipv4Addr::from(n), 4_000);
    let id = |n: u64| {
        let mut bytes = [0; 20];
        Rng::new(n).fill(&mut bytes);
        Id160::from(bytes)
    };
    let me = Peer { id: id(0), address: address(1) };
    let storage = NodeSlots {
        successors: vec![me; 20],
        fingers: vec![FingerSlot::EMPTY; 160],
        lookups: vec![LookupSlot::EMPTY; 16],
        contacts: vec![ContactSlot::EMPTY; 16],
    };
    let mut node = Node::new(Config::default(), me, storage).unwrap();
    let members: Vec<_> =
        (1..200).map(|n| Peer { id: id(n), address: address(n as u32 + 1) }).collect();
    node.create_base(Duration::ZERO, &members).unwrap();
    Box::new(move |n| {
        let question: Found =
            Message::Find { token: n as u32, key: id(n + 1_000), avoid: [].into_iter().collect() };
        let mut bytes = [0; Found::MAX_LEN];
        let len = question.encode(&mut bytes).unwrap();
        let from = address(0x5000_0000 + n as u32);
        let _ = node.handle_datagram(millis(n), from, &bytes[..len]);
        let mut sent = 0;
        let mut buf = [0; Found::MAX_LEN];
        while let Ok(Some(transmit)) = node.poll_transmit(&mut buf) {
            sent += transmit.len * usize::from(transmit.to == from);
        }
        while node.poll_event().is_some() {}
        node.handle_timeout(millis(n));
        Step { taken: len, sent }
    })
}

fn torrent(kind: u8) -> Box<dyn FnMut(u64) -> Step> {
    use bittorrent_pieces::torrent::transmit_len;
    use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
    use bittorrent_pieces::{
        Block, Config, ConnId, Geometry, InfoHash, PeerId, PieceHashes, PieceIndex, Side, Torrent,
        TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
    };
    const PIECES: u32 = 10_000;
    let geometry = Geometry::new(u64::from(PIECES) << 18, 1 << 18).unwrap();
    let hashes = vec![[0; 20]; PIECES as usize];
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let limits = TorrentLimits { peers: 50, open_pieces: 50, pipeline: 64 };
    let setup = TorrentSetup::new(Config::new(InfoHash([7; 20]), PeerId([1; 20])));
    let mut torrent = Torrent::new(setup, TorrentVec::new(&content, limits)).unwrap();
    let mut buf = vec![0; transmit_len(PIECES)];
    for conn in 0..50 {
        torrent.handle_connected(Duration::ZERO, ConnId(conn), Side::Accepted).unwrap();
        let peer_id = PeerId([conn as u8 + 2; 20]);
        let hello =
            Handshake { reserved: Reserved::default(), info_hash: InfoHash([7; 20]), peer_id };
        let mut bytes = [0; Handshake::LEN];
        hello.encode(&mut bytes).unwrap();
        torrent.handle_bytes(Duration::ZERO, ConnId(conn), &bytes).unwrap();
    }
    let data = vec![0; 16_384];
    Box::new(move |n| {
        let piece = PieceIndex(n as u32 % PIECES);
        let message = match kind {
            6 => Message::Request(Block { piece, begin: 0, len: 16_384 }),
            7 => Message::Piece(Piece { piece, begin: 0, data: &data }),
            _ => Message::Have(piece),
        };
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let conn = ConnId(n as u32 % 50);
        let handled = torrent.handle_bytes(millis(n), conn, &bytes);
        let taken = handled.map_or(0, |received| received.consumed);
        let mut sent = 0;
        while let Ok(Some(transmit)) = torrent.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        while torrent.poll_event().is_some() {}
        torrent.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn pool() -> Box<dyn FnMut(u64) -> Step> {
    use pow::pool::{
        AccountSlot, ConnSlot, Job, LeaseId, LeaseSlot, Pool, PoolConfig, PoolMessage, PoolSlots,
        WorkerId,
    };
    use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};
    let storage = PoolSlots {
        leases: vec![LeaseSlot::EMPTY; 200],
        connections: vec![ConnSlot::EMPTY; 100],
        accounts: vec![AccountSlot::EMPTY; 100],
        message: vec![0; 80],
    };
    let lease = NonZeroU64::new(1 << 20).unwrap();
    let mut pool = Pool::new(PoolConfig::new(lease, Duration::from_secs(600)), storage).unwrap();
    let job = Job {
        function: HashFunction::Sha256d,
        order: ByteOrder::Little,
        message: &[0; 80],
        nonce: NonceField { offset: 76, format: NonceFormat::U32Le },
        target: Target::from_zero_bits(60),
        share: Target::from_zero_bits(40),
    };
    pool.set_job(Duration::ZERO, &job, 0..=u64::from(u32::MAX)).unwrap();
    for conn in 0..100 {
        pool.handle_connected(Duration::ZERO, ConnId(conn), WorkerId(u64::from(conn))).unwrap();
    }
    Box::new(move |n| {
        let conn = ConnId(n as u32 % 100);
        let mut buf = [0; 200];
        let mut sent = 0;
        while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
            sent += transmit.len;
        }
        let message = PoolMessage::Share { lease: LeaseId(n as u32 % 100), nonce: n << 10 };
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        let received = pool.handle_bytes(millis(n), conn, &bytes);
        if received.is_err() {
            let _ = pool.handle_connected(millis(n), conn, WorkerId(u64::from(conn.0)));
        }
        let taken = received.map_or(0, |received| received.consumed);
        while pool.poll_event().is_some() {}
        pool.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn bencode() -> Box<dyn FnMut(u64) -> Step> {
    use bittorrent_pieces::bencode::{Limits, Mode, Value};
    let nested = [vec![b'l'; 1_000], vec![b'e'; 1_000]].concat();
    Box::new(move |_| {
        let _ = core::hint::black_box(Value::from_bytes(&nested, Mode::Strict, Limits::DEFAULT));
        Step { taken: nested.len(), sent: 0 }
    })
}

fn metainfo() -> Box<dyn FnMut(u64) -> Step> {
    use bittorrent_pieces::bencode::Mode;
    use bittorrent_pieces::metainfo::Metainfo;
    let mut files = Vec::new();
    for n in 0..2_000 {
        files.extend(format!("d6:lengthi1e4:pathl5:{n:05}ee").bytes());
    }
    let mut bytes = b"d4:infod5:filesl".to_vec();
    bytes.extend(files);
    bytes.extend(b"e4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
    Box::new(move |_| {
        let metainfo = Metainfo::decode(&bytes, Mode::Strict).expect("it is valid");
        core::hint::black_box(&metainfo);
        Step { taken: bytes.len(), sent: 0 }
    })
}
