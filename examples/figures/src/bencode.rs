//! Torrents of version 1 and a message of the DHT, beside librqbit.

use std::fmt::Write as _;
use std::hint::black_box;

use bittorrent_pieces::Metainfo;
use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::dht::krpc::{Body, Message};
use librqbit_bencode::{ByteBuf, from_bytes};
use librqbit_core::torrent_metainfo::torrent_from_bytes;
use serde::Deserialize;

use crate::measure::{Contestant, MICROSECONDS, NANOSECONDS, table};

const FILE_LEN: usize = 100;
const PIECE_LEN: usize = 16_384;
const STRANGE_KEYS: usize = 20_000;
const MESSAGES: usize = 10_000;

/// Info-hash and lengths of all files, from the bytes of a torrent.
pub fn metainfo() -> String {
    let sizes = [1, 100, 20_000].map(|files| {
        let name = format!("a torrent of {files} file{}", if files == 1 { "" } else { "s" });
        torrents(&name, &torrent("", files), files)
    });
    let keys: String = (0..STRANGE_KEYS).map(|n| format!("8:a{n:07}i1e")).collect();
    let strange = torrents(
        &format!("a torrent of 1 file and {STRANGE_KEYS} keys that nobody knows"),
        &torrent(&keys, 1),
        1,
    );
    sizes.join("\n") + "\n" + &strange
}

fn torrents(name: &str, bytes: &[u8], files: usize) -> String {
    let peer = || {
        let torrent = torrent_from_bytes(black_box(bytes)).expect("a torrent");
        let files = torrent.info.data.files.as_ref().expect("several files");
        (torrent.info_hash.0, files.iter().map(|file| file.length).sum::<u64>())
    };
    let ours = || {
        let torrent = Metainfo::decode(black_box(bytes), Mode::Lenient).expect("a torrent");
        (torrent.info_hash().0, torrent.files().map(|file| file.len()).sum::<u64>())
    };
    assert_eq!(peer(), ours());
    assert_eq!(peer().1, (files * FILE_LEN) as u64);
    let repeat = (4_000_000 / bytes.len()).clamp(1, 2_000);
    table(
        &format!("{name}, {} bytes", bytes.len()),
        repeat,
        MICROSECONDS,
        7,
        vec![
            Contestant::new("librqbit-core 9", || (0..repeat).for_each(|_| _ = black_box(peer()))),
            Contestant::new("`Metainfo::decode`", || {
                (0..repeat).for_each(|_| _ = black_box(ours()));
            }),
        ],
    )
}

/// Writes a torrent with files of 100 bytes, and other keys in front.
fn torrent(keys: &str, files: usize) -> Vec<u8> {
    let mut text = format!("d{keys}8:announce31:http://tracker.example/announce4:infod5:filesl");
    for file in 0..files {
        _ = write!(text, "d6:lengthi{FILE_LEN}e4:pathl11:file-{file:06}ee"); // a `String` takes all
    }
    let hashes = 20 * (files * FILE_LEN).div_ceil(PIECE_LEN);
    _ = write!(text, "e4:name1:n12:piece lengthi{PIECE_LEN}e6:pieces{hashes}:");
    let mut bytes = text.into_bytes();
    bytes.resize(bytes.len() + hashes, 7);
    bytes.extend(b"ee");
    bytes
}

/// A query without arguments, answers of two sizes, and a datagram that opens lists without end.
pub fn messages() -> String {
    [ping(), response(8, 50), response(8, 150), refused()].join("\n")
}

fn ping() -> String {
    let mut bytes = b"d1:ad2:id20:".to_vec();
    bytes.extend([1; 20]);
    bytes.extend(b"e1:q4:ping1:t2:aa1:y1:qe");
    let peer = || {
        let message = any(&bytes).expect("a message");
        assert_eq!(message.y.0, b"q");
        let (name, arguments) = message.q.zip(message.a).expect("a query");
        message.t.0.len() + name.0.len() + arguments.id.0.len()
    };
    let ours = || {
        let message = Message::decode(black_box(&bytes)).expect("a message");
        let Body::Query(query) = message.body else { panic!("a query") };
        message.transaction.len() + query.method.name().len() + query.id.0.len()
    };
    assert_eq!((peer(), ours()), (26, 26));
    beside("a `ping`", peer, ours)
}

/// All fields read, peers and nodes counted.
fn response(nodes: u8, peers: u8) -> String {
    let bytes = answer(nodes, peers);
    let peer = || {
        let message = any(&bytes).expect("a message");
        assert_eq!(message.y.0, b"r");
        let answer = message.r.expect("an answer");
        let nodes = answer.nodes.map_or(0, |nodes| nodes.0.len() / 26);
        let peers = answer.values.map_or(0, |values| values.len());
        nodes + peers + answer.token.map_or(0, |token| token.0.len()) + answer.id.0.len()
    };
    let ours = || {
        let message = Message::decode(black_box(&bytes)).expect("a message");
        let Body::Response(answer) = message.body else { panic!("an answer") };
        let nodes = answer.nodes.map_or(0, |nodes| nodes.iter().count());
        let peers = answer.values.map_or(0, |values| values.iter().count());
        nodes + peers + answer.token.map_or(0, <[u8]>::len) + answer.id.0.len()
    };
    assert_eq!(peer(), ours());
    let title = format!("a `get_peers` answer with {nodes} nodes and {peers} peers");
    beside(&title, peer, ours)
}

fn refused() -> String {
    let mut bytes = b"d1:rd2:id20:".to_vec();
    bytes.extend([1; 20]);
    bytes.extend(b"6:values");
    bytes.resize(1_400, b'l');
    let peer = || usize::from(any(&bytes).is_none());
    let ours = || usize::from(Message::decode(black_box(&bytes)).is_err());
    assert_eq!((peer(), ours()), (1, 1));
    beside("1,400 bytes that open lists and close none, refused", peer, ours)
}

/// Measures both. A message that is not refused is also read twice by the peer: the DHT of librqbit finds out first what a
/// message is, and then reads it again as that.
fn beside(title: &str, peer: impl Fn() -> usize, ours: impl Fn() -> usize) -> String {
    let peer = &peer;
    let ours = &ours;
    let mut contestants = vec![Contestant::new("librqbit-bencode 9 and serde", || {
        (0..MESSAGES).for_each(|_| _ = black_box(peer()));
    })];
    if !title.ends_with("refused") {
        contestants.push(Contestant::new(
            "the same twice, as the DHT of librqbit reads it",
            || {
                (0..MESSAGES).for_each(|_| _ = black_box((peer(), peer())));
            },
        ));
    }
    contestants.push(Contestant::new("`krpc::Message::decode`", || {
        (0..MESSAGES).for_each(|_| _ = black_box(ours()));
    }));
    table(title, MESSAGES, NANOSECONDS, 7, contestants)
}

fn any(bytes: &[u8]) -> Option<AnyMessage<'_>> {
    from_bytes(black_box(bytes)).ok()
}

/// A message that may be any: what it is, it says itself.
#[derive(Deserialize)]
struct AnyMessage<'a> {
    #[serde(borrow)]
    t: ByteBuf<'a>,
    #[serde(borrow)]
    y: ByteBuf<'a>,
    #[serde(borrow)]
    q: Option<ByteBuf<'a>>,
    #[serde(borrow)]
    a: Option<Arguments<'a>>,
    #[serde(borrow)]
    r: Option<Results<'a>>,
    #[serde(borrow, rename = "e")]
    _error: Option<(i64, ByteBuf<'a>)>,
    #[serde(borrow, rename = "v")]
    _version: Option<ByteBuf<'a>>,
    #[serde(borrow, rename = "ip")]
    _ip: Option<ByteBuf<'a>>,
    #[serde(rename = "ro")]
    _read_only: Option<i64>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    id: ByteBuf<'a>,
    #[serde(borrow, rename = "target")]
    _target: Option<ByteBuf<'a>>,
    #[serde(borrow, rename = "info_hash")]
    _info_hash: Option<ByteBuf<'a>>,
    #[serde(borrow, rename = "token")]
    _token: Option<ByteBuf<'a>>,
    #[serde(rename = "port")]
    _port: Option<i64>,
    #[serde(rename = "implied_port")]
    _implied_port: Option<i64>,
    #[serde(borrow, rename = "want")]
    _want: Option<Vec<ByteBuf<'a>>>,
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    id: ByteBuf<'a>,
    #[serde(borrow)]
    nodes: Option<ByteBuf<'a>>,
    #[serde(borrow, rename = "nodes6")]
    _nodes6: Option<ByteBuf<'a>>,
    #[serde(borrow)]
    token: Option<ByteBuf<'a>>,
    #[serde(borrow)]
    values: Option<Vec<ByteBuf<'a>>>,
}

fn answer(nodes: u8, peers: u8) -> Vec<u8> {
    let mut bytes = b"d1:rd2:id20:".to_vec();
    bytes.extend([1; 20]);
    bytes.extend(format!("5:nodes{}:", 26 * u32::from(nodes)).bytes());
    for node in 1..=nodes {
        bytes.extend([node; 20]);
        bytes.extend([node, 1, 1, 1, 0x1A, 0xE1]);
    }
    bytes.extend(b"5:token8:12345678");
    bytes.extend(b"6:valuesl");
    for peer in 1..=peers {
        bytes.extend(b"6:");
        bytes.extend([peer, 2, 2, 2, 0x1A, 0xE1]);
    }
    bytes.extend(b"ee1:t2:aa1:y1:re");
    bytes
}
