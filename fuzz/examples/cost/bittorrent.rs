//! Rows of `bittorrent-pieces`.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::wire::extended::Extended;
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{Block, ConnId, InfoHash, PeerId, PieceIndex};
use sim::Rng;

use super::{Row, Send, Step, datagrams, file, millis, row};

/// The id that the torrent gives to messages of peer exchange.
const EXCHANGE: u8 = 2;

pub(super) const ROWS: &[Row] = &[
    datagrams("DhtNode: find_node from forged addresses", || dht(false)),
    datagrams("DhtNode: get_peers from forged addresses", || dht(true)),
    datagrams("UtpEndpoint: openings from forged addresses", || utp(true)),
    datagrams("UtpEndpoint: data for no connection", || utp(false)),
    row("Torrent: requests without an unchoke", || {
        let block = |n| Block { piece: PieceIndex(n), begin: 0, len: 16_384 };
        torrent(move |n| plain(&Message::Request(block(n))))
    }),
    row("Torrent: blocks that nobody asked for", || {
        let data = vec![0; 16_384];
        torrent(move |n| {
            plain(&Message::Piece(Piece { piece: PieceIndex(n), begin: 0, data: &data }))
        })
    }),
    row("Torrent: haves again and again", || torrent(|n| plain(&Message::Have(PieceIndex(n))))),
    row("Torrent: exchange of 50 made-up peers", || {
        let body = [&b"d5:added300:"[..], &[80; 300], b"e"].concat();
        torrent(move |_| extended(EXCHANGE, &body))
    }),
    row("Torrent: requests for hashes of no tree", || torrent(hashes)),
    row("MetadataFetch: extended messages that mean nothing", fetch),
    row("PeerBook: addresses that a peer makes up", peer_book),
    row("bencode: lists in lists", bencode),
    file("Metainfo: 2,000 files of one byte", metainfo),
];

fn dht(peers: bool) -> Send {
    use bittorrent_pieces::dht::krpc::{Body, Message, Method, Query, Want};
    use bittorrent_pieces::dht::{DhtConfig, DhtLimits, DhtNode, DhtVec, MAX_LEN, NodeId};
    let config = DhtConfig::new(NodeId([7; 20]), [9; 16]);
    let storage = DhtVec::new(DhtLimits { routes: 1_280, lookups: 4, peers: 10_000, items: 16 });
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

fn plain(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    bytes
}

fn extended(id: u8, body: &[u8]) -> Vec<u8> {
    let extended = Extended { id, body };
    let mut bytes = vec![0; extended.encoded_len()];
    extended.encode(&mut bytes).unwrap();
    bytes
}

/// A request for 512 hashes, as large as one may be.
fn hashes(n: u32) -> Vec<u8> {
    use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
    let root = [n as u8; 32];
    let range = HashRange { root, base: 0, index: 0, length: 512, proof_layers: 10 };
    let message = HashMessage::Request(range);
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    bytes
}

/// A torrent of 10,000 pieces with 50 peers, which all send the message for a number below 10,000.
fn torrent(message: impl Fn(u32) -> Vec<u8> + 'static) -> Send {
    use bittorrent_pieces::torrent::transmit_len;
    use bittorrent_pieces::{
        Config, Geometry, PieceHashes, Side, Torrent, TorrentContent, TorrentLimits, TorrentSetup,
        TorrentVec,
    };
    const PIECES: u32 = 10_000;
    let geometry = Geometry::new(u64::from(PIECES) << 18, 1 << 18).unwrap();
    let hashes = vec![[0; 20]; PIECES as usize];
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let limits = TorrentLimits { peers: 50, open_pieces: 50, pipeline: 64 };
    let setup = TorrentSetup::new(Config::new(InfoHash([7; 20]), PeerId([1; 20])));
    let mut torrent = Torrent::new(setup, TorrentVec::new(&content, limits)).unwrap();
    let mut buf = vec![0; transmit_len(PIECES)];
    let greet = |torrent: &mut Torrent<TorrentVec>, now: Duration, conn: ConnId| {
        let peer_id = PeerId([conn.0 as u8 + 2; 20]);
        let reserved = Reserved::EXTENDED;
        let hello = Handshake { reserved, info_hash: InfoHash([7; 20]), peer_id };
        let mut bytes = [0; Handshake::LEN];
        hello.encode(&mut bytes).unwrap();
        let _ = torrent.handle_connected(now, conn, Side::Accepted);
        let _ = torrent.handle_bytes(now, conn, &bytes);
    };
    for conn in 0..50 {
        greet(&mut torrent, Duration::ZERO, ConnId(conn));
    }
    Box::new(move |n| {
        let bytes = message(n as u32 % PIECES);
        let conn = ConnId(n as u32 % 50);
        let handled = torrent.handle_bytes(millis(n), conn, &bytes);
        if handled.is_err() {
            greet(&mut torrent, millis(n), conn); // it was closed
        }
        let taken = handled.map_or(0, |received| received.consumed);
        let sent = drain!(torrent, buf);
        torrent.handle_timeout(millis(n));
        Step { taken, sent }
    })
}

fn utp(opens: bool) -> Send {
    use bittorrent_pieces::utp::{
        Extensions, MAX_LEN, Packet, PacketKind, UtpConfig, UtpEndpoint, UtpLimits, UtpVec,
    };
    let limits = UtpLimits { conns: 200, packets: 64, reorder: 16, send: 65_536, receive: 65_536 };
    let mut endpoint = UtpEndpoint::new(UtpConfig::new([7; 16]), UtpVec::new(limits)).unwrap();
    let mut buf = [0; MAX_LEN];
    Box::new(move |n| {
        let packet = Packet {
            kind: if opens { PacketKind::Syn } else { PacketKind::Data },
            connection: n as u16,
            timestamp: n as u32,
            difference: 0,
            window: 1 << 20,
            seq: 1,
            ack: 0,
            extensions: Extensions::NONE,
            payload: &[],
        };
        let mut bytes = [0; 64];
        let len = packet.encode(&mut bytes).unwrap();
        let from = ([80, (n >> 16) as u8, (n >> 8) as u8, n as u8], 6881).into();
        let _ = endpoint.handle_datagram(millis(n), from, &bytes[..len]);
        let sent = drain!(endpoint, buf);
        endpoint.handle_timeout(millis(n));
        Step { taken: len, sent }
    })
}

fn fetch() -> Send {
    use bittorrent_pieces::fetch::{FetchLimits, FetchVec};
    use bittorrent_pieces::{FetchConfig, MetadataFetch, Side};
    let config = FetchConfig::new(InfoHash([7; 20]), PeerId([1; 20]));
    let mut fetch = MetadataFetch::new(config, FetchVec::new(FetchLimits::new())).unwrap();
    let peer_id = PeerId([2; 20]);
    let hello = Handshake { reserved: Reserved::EXTENDED, info_hash: InfoHash([7; 20]), peer_id };
    let mut opening = [0; Handshake::LEN];
    hello.encode(&mut opening).unwrap();
    let body = [&b"d1:m"[..], &vec![b'l'; 500], &vec![b'e'; 500], b"e"].concat();
    let bytes = extended(0, &body);
    let mut buf = [0; 1_024];
    Box::new(move |n| {
        let conn = ConnId(n as u32);
        let _ = fetch.handle_connected(millis(n), conn, Side::Accepted);
        let _ = fetch.handle_bytes(millis(n), conn, &opening);
        let received = fetch.handle_bytes(millis(n), conn, &bytes);
        let taken = received.map_or(0, |received| received.consumed);
        let sent = drain!(fetch, buf);
        fetch.handle_closed(millis(n), conn);
        Step { taken, sent }
    })
}

fn peer_book() -> Send {
    use bittorrent_pieces::PeerBook;
    use bittorrent_pieces::peer_book::{PeerBookConfig, PeerBookLimits, PeerBookVec, PeerSource};
    let storage = PeerBookVec::new(PeerBookLimits::new());
    let mut book = PeerBook::new(PeerBookConfig::new(7), storage).unwrap();
    Box::new(move |n| {
        let mut ip = [0; 4];
        Rng::new(n).fill(&mut ip);
        let source = PeerSource::Exchange(ConnId(3));
        core::hint::black_box(book.add(millis(n), (ip, 6881).into(), source, false));
        while book.poll_event().is_some() {}
        book.handle_timeout(millis(n));
        Step { taken: 6, sent: 0 } // an address in a message of peer exchange
    })
}

fn bencode() -> Send {
    use bittorrent_pieces::bencode::{Limits, Mode, Value};
    let nested = [vec![b'l'; 1_000], vec![b'e'; 1_000]].concat();
    Box::new(move |_| {
        let _ = core::hint::black_box(Value::from_bytes(&nested, Mode::Strict, Limits::DEFAULT));
        Step { taken: nested.len(), sent: 0 }
    })
}

fn metainfo() -> Send {
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
