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
const MESSAGES: usize = 10_000;

/// Info-hash and lengths of all files, from the bytes of a torrent.
pub fn metainfo() -> String {
    let mut text = String::new();
    for files in [1, 100, 20_000] {
        let bytes = torrent(files);
        let len = files * FILE_LEN;
        let peer = || {
            let torrent = torrent_from_bytes(black_box(&bytes)).expect("a torrent");
            let files = torrent.info.data.files.as_ref().expect("several files");
            (torrent.info_hash.0, files.iter().map(|file| file.length).sum::<u64>())
        };
        let ours = || {
            let torrent = Metainfo::decode(black_box(&bytes), Mode::Lenient).expect("a torrent");
            (torrent.info_hash().0, torrent.files().map(|file| file.len()).sum::<u64>())
        };
        assert_eq!(peer(), ours());
        assert_eq!(peer().1, len as u64);
        let repeat = (20_000 / files).min(2_000);
        text += &table(
            &format!(
                "a torrent of {files} file{}, {} bytes",
                if files == 1 { "" } else { "s" },
                bytes.len()
            ),
            repeat,
            MICROSECONDS,
            7,
            vec![
                Contestant::new("librqbit-core 9", || {
                    (0..repeat).for_each(|_| _ = black_box(peer()))
                }),
                Contestant::new("`Metainfo::decode`", || {
                    (0..repeat).for_each(|_| _ = black_box(ours()));
                }),
            ],
        );
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
}

/// Writes a torrent with files of 100 bytes.
fn torrent(files: usize) -> Vec<u8> {
    let mut text = String::from("d8:announce31:http://tracker.example/announce4:infod5:filesl");
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

/// An answer with eight nodes, fifty peers and a token: all fields read, peers and nodes counted.
pub fn messages() -> String {
    let bytes = answer();
    let peer = || {
        let answer: Answer<'_> = from_bytes(black_box(&bytes)).expect("an answer");
        assert_eq!((answer.t.0.len(), answer.y.0, answer.r.id.0.len()), (2, &b"r"[..], 20));
        answer.r.nodes.0.len() / 26 + answer.r.values.len() + answer.r.token.0.len()
    };
    let ours = || {
        let message = Message::decode(black_box(&bytes)).expect("a message");
        let Body::Response(answer) = message.body else { panic!("an answer") };
        let nodes = answer.nodes.map_or(0, |nodes| nodes.iter().count());
        let peers = answer.values.map_or(0, |values| values.iter().count());
        nodes + peers + answer.token.map_or(0, <[u8]>::len)
    };
    assert_eq!(peer(), ours());
    table(
        "a `get_peers` answer with 8 nodes and 50 peers",
        MESSAGES,
        NANOSECONDS,
        7,
        vec![
            Contestant::new("librqbit-bencode 9 and serde", || {
                (0..MESSAGES).for_each(|_| _ = black_box(peer()));
            }),
            Contestant::new("`krpc::Message::decode`", || {
                (0..MESSAGES).for_each(|_| _ = black_box(ours()));
            }),
        ],
    )
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    t: ByteBuf<'a>,
    #[serde(borrow)]
    y: ByteBuf<'a>,
    #[serde(borrow)]
    r: Fields<'a>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    id: ByteBuf<'a>,
    #[serde(borrow)]
    nodes: ByteBuf<'a>,
    #[serde(borrow)]
    token: ByteBuf<'a>,
    #[serde(borrow)]
    values: Vec<ByteBuf<'a>>,
}

fn answer() -> Vec<u8> {
    let mut bytes = b"d1:rd2:id20:".to_vec();
    bytes.extend([1; 20]);
    bytes.extend(b"5:nodes208:");
    for node in 1..=8 {
        bytes.extend([node; 20]);
        bytes.extend([node, 1, 1, 1, 0x1A, 0xE1]);
    }
    bytes.extend(b"5:token8:12345678");
    bytes.extend(b"6:valuesl");
    for peer in 1..=50 {
        bytes.extend(b"6:");
        bytes.extend([peer, 2, 2, 2, 0x1A, 0xE1]);
    }
    bytes.extend(b"ee1:t2:aa1:y1:re");
    bytes
}
