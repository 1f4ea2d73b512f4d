//! The optional keys of a metainfo file, written where a canonical dictionary has them.

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::metainfo::{Content, MetainfoBuilder, MetainfoOptions, Version};
use bittorrent_pieces::{Metainfo, PieceHashes};

fn encoded(options: MetainfoOptions<'_>, private: Option<bool>) -> Vec<u8> {
    let builder = MetainfoBuilder {
        announce: Some(b"http://a/"),
        tiers: &[],
        name: b"n",
        piece_len: 16_384,
        hashes: PieceHashes::new(&[[0x41; 20]]),
        private,
        content: Content::Single(1),
        version: Version::V1,
        options,
    };
    let mut out = vec![0; 1_000];
    let len = builder.encode(&mut out).unwrap();
    out.truncate(len);
    out
}

#[test]
fn optional_keys_stand_in_order_and_the_source_is_part_of_the_hash() {
    let options = MetainfoOptions {
        comment: Some(b"hello"),
        created_by: Some(b"me"),
        creation_date: Some(1_700_000_000),
        source: Some(b"club"),
        web_seeds: &[b"http://w/", b"http://v/"],
    };
    let text = encoded(options, Some(true));
    let expected = "d8:announce9:http://a/7:comment5:hello10:created by2:me13:creation datei1700000000e\
        4:infod6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces20:AAAAAAAAAAAAAAAAAAAA\
        7:privatei1e6:source4:clube8:url-listl9:http://w/9:http://v/ee";
    assert_eq!(String::from_utf8_lossy(&text), expected);
    let read = Metainfo::decode(&text, Mode::Strict).unwrap();
    assert_eq!(read.announce(), Some(&b"http://a/"[..]));
    let hash = |bytes: &[u8]| Metainfo::decode(bytes, Mode::Strict).unwrap().info_hash();
    let other = encoded(MetainfoOptions { source: None, ..options }, Some(true));
    assert_ne!(hash(&text), hash(&other));
    let commented = MetainfoOptions { comment: Some(b"other"), ..options };
    assert_eq!(hash(&text), hash(&encoded(commented, Some(true))));
}

#[test]
fn without_options_nothing_is_added() {
    let text = encoded(MetainfoOptions::default(), None);
    let expected = "d8:announce9:http://a/4:infod6:lengthi1e4:name1:n12:piece lengthi16384e\
        6:pieces20:AAAAAAAAAAAAAAAAAAAAee";
    assert_eq!(String::from_utf8_lossy(&text), expected);
}

/// BEP 52: a file without bytes has no `pieces root`.
#[test]
fn an_empty_file_has_no_root() {
    let builder = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: 16_384,
        hashes: PieceHashes::new(&[]),
        private: None,
        content: Content::Single(0),
        version: Version::V2,
        options: MetainfoOptions::default(),
    };
    let mut out = [0; 200];
    let len = builder.encode(&mut out).unwrap();
    let expected = "d4:infod9:file treed1:nd0:d6:lengthi0eeee12:meta versioni2e4:name1:n\
        12:piece lengthi16384ee12:piece layersdee";
    assert_eq!(String::from_utf8_lossy(&out[..len]), expected);
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    assert_eq!((torrent.announce(), torrent.root()), (None, None));
}
