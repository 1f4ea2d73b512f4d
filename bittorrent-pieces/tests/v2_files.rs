//! Torrents that are of version 2 alone and have several files (BEP 52): each file begins with a piece and
//! has a tree of its own.

mod v2_by_hand;

use core::time::Duration;

use bittorrent_pieces::bencode::{Mode, WriteError};
use bittorrent_pieces::fetch::{FetchEvent, FetchOutcome, FetchSlot, FetchSlots};
use bittorrent_pieces::merkle::{MerkleHash, layer_root, pad_hash, proof_root};
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    ConfigError, FetchConfig, Geometry, MetadataFetch, Metainfo, PeerId, PieceIndex, Side, V2File,
};
use v2_by_hand::*;

#[test]
fn files_are_written_and_read() {
    let metainfo = metainfo();
    let read: Vec<_> = metainfo
        .files()
        .map(|file| (file.raw_path().skip(1).map(<[u8]>::to_vec).collect::<Vec<_>>(), file.len()))
        .collect();
    for ((path, len), (read, read_len)) in FILES.iter().zip(&read) {
        assert_eq!((path.to_vec(), len), (read.iter().map(Vec::as_slice).collect(), read_len));
    }
    let firsts: Vec<_> = metainfo.v2_files().map(|(file, _)| file.first.0).collect();
    assert_eq!(firsts, [0, 1, 2, 3, 7, 10]);
    for ((file, known), (_, len)) in metainfo.v2_files().zip(&FILES[1..]) {
        let (layer, root) = layer(&content(*len));
        assert_eq!((Some(file.root), known.unwrap().hashes()), (root, &layer[..]));
    }
    let text = metainfo.top().as_raw();
    let layers = text.windows(14).position(|window| window == b"12:piece layer").unwrap();
    let f = layer(&content(100_000)).1.unwrap();
    let j = layer(&content(98_304)).1.unwrap();
    let times = |root: MerkleHash| text[layers..].windows(32).filter(|w| *w == root).count();
    assert_eq!((times(f), times(j)), (1, 1), "two files of the same content share a layer");
    // From peers alone, the layers of the long files are missing.
    let info = Metainfo::from_info(metainfo.info().as_raw(), Mode::Strict).unwrap();
    let known: Vec<_> = info.v2_files().map(|(_, layer)| layer.is_some()).collect();
    assert_eq!(known, [true, true, true, false, false, false]);
    // Files out of order, in one folder and between folders, and the same path twice.
    for order in [vec![1, 0], vec![2, 1], vec![3, 2], vec![2, 4, 3], vec![1, 1]] {
        assert_eq!(made(order.clone()), Err(WriteError::Order), "{order:?}");
    }
}

#[test]
fn pieces_end_with_their_file() {
    let root = [7; 32];
    let file = |first, len| V2File { first: PieceIndex(first), len, root };
    let files = [file(0, 100), file(1, 65_537), file(4, 32_768)];
    let geometry = Geometry::of_files(&files, PIECE).unwrap();
    assert_eq!((geometry.pieces(), geometry.total()), (5, 98_405));
    let lens: Vec<_> = (0..6).map(|piece| geometry.piece_len(PieceIndex(piece))).collect();
    assert_eq!(lens, [100, 32_768, 32_768, 1, 32_768, 0]);
    let blocks: Vec<_> = (0..6).map(|piece| geometry.blocks(PieceIndex(piece))).collect();
    assert_eq!(blocks, [1, 2, 2, 1, 2, 0]);
    assert_eq!(geometry.block(PieceIndex(0), 0).unwrap().len, 100);
    assert_eq!(geometry.block(PieceIndex(0), 1), None);
    let wrong = |files: &[V2File], len| Geometry::of_files(files, len).err();
    assert_eq!(wrong(&files[1..], PIECE), Some(ConfigError::File(0)));
    assert_eq!(wrong(&[file(0, 0)], PIECE), Some(ConfigError::File(0)));
    assert_eq!(wrong(&[file(0, 40_000), file(1, 1)], PIECE), Some(ConfigError::File(1)));
    assert_eq!(wrong(&files, 30_000), Some(ConfigError::PieceLen));
    assert_eq!(wrong(&files, 8_192), Some(ConfigError::PieceLen));
    let most = file(0, u64::MAX);
    assert_eq!(wrong(&[most], 16_384), Some(ConfigError::TooManyPieces(1 << 50)));
    let none = Geometry::of_files(&[], PIECE).unwrap();
    assert_eq!((none.pieces(), none.total(), none.piece_len(PieceIndex(0))), (0, 0, 0));
}

/// Every request ends with its file, every piece is checked by the tree of its file; a flipped byte is found,
/// and bytes between the files never count.
#[test]
fn several_files_are_given_and_taken() {
    let metainfo = metainfo();
    let mut seed = Node::new(&metainfo, true);
    let mut leech = Node::new(&metainfo, false);
    seed.torrent.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
    leech.torrent.handle_connected(Duration::ZERO, CONN, Side::Dialled).unwrap();
    for round in 0..40 {
        let now = Duration::from_secs(round);
        seed.received.extend(leech.turn(now));
        leech.received.extend(seed.turn(now));
    }
    assert!(leech.torrent.is_complete());
    assert_eq!((leech.failed, &leech.content), (0, &seed.content));
    let asked = leech.sent.iter().filter(|line| line.starts_with("REQUEST"));
    let lens = asked.map(|line| line.rsplit_once("len=").unwrap().1.parse::<u64>().unwrap());
    let total = FILES.iter().map(|(_, len)| len).sum::<u64>();
    assert_eq!(lens.sum::<u64>(), total, "no byte beyond a file, and none twice");

    let mut liar = Node::new(&metainfo, true);
    let mut victim = Node::new(&metainfo, false);
    liar.content[5] ^= 1; // in the file of 100 bytes
    liar.torrent.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
    victim.torrent.handle_connected(Duration::ZERO, CONN, Side::Dialled).unwrap();
    for round in 0..40 {
        let now = Duration::from_secs(round);
        if victim.failed > 0 {
            break;
        }
        liar.received.extend(victim.turn(now));
        victim.received.extend(liar.turn(now));
    }
    assert!(victim.failed > 0 && !victim.torrent.is_complete());
}

/// Each file answers by its own root; a file of one piece has no layer to be asked for.
#[test]
fn hashes_are_asked_for_by_root() {
    let metainfo = metainfo();
    let mut seed = Node::new(&metainfo, true);
    seed.torrent.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
    let hello = Handshake {
        reserved: Reserved::default(),
        info_hash: metainfo.info_hash(),
        peer_id: PeerId([9; 20]),
    };
    let mut bytes = vec![0; Handshake::LEN];
    hello.encode(&mut bytes).unwrap();
    seed.received = bytes;
    seed.turn(Duration::ZERO);
    let files: Vec<_> = metainfo.v2_files().collect();
    for (at, index, length, proof_layers, serves) in [
        (3, 0, 4, 1, true),
        (3, 2, 2, 1, true),
        (4, 0, 2, 1, true), // three pieces: the last of the layer is padding
        (4, 2, 2, 1, true),
        (4, 4, 2, 1, false),
        (0, 0, 2, 0, false),
        (2, 0, 2, 0, false),
    ] {
        let (file, layer) = &files[at];
        let range = HashRange { root: file.root, base: 1, index, length, proof_layers };
        let mut bytes = vec![0; 53];
        HashMessage::Request(range).encode(&mut bytes).unwrap();
        seed.received = bytes;
        let answer = seed.turn(Duration::ZERO);
        let (message, _) = Message::decode(&answer, 1 << 20).unwrap();
        match HashMessage::of(&message).unwrap().unwrap() {
            HashMessage::Hashes(of, hashes) => {
                assert!(serves && of == range);
                let layer = layer.unwrap();
                let known = &layer.hashes()[index as usize..];
                let known = &known[..known.len().min(length as usize)];
                assert_eq!(&hashes[..known.len()], known);
                let node = layer_root(&hashes[..length as usize], pad_hash(1));
                let uncles = &hashes[length as usize..];
                let up = u64::from(index / length);
                let root = proof_root(node, up, uncles);
                assert_eq!(root, file.root);
            }
            HashMessage::Reject(of) => assert!(!serves && of == range, "{range:?}"),
            HashMessage::Request(_) => panic!("nothing is asked for"),
        }
    }
    let range = HashRange { root: [5; 32], base: 1, index: 0, length: 2, proof_layers: 0 };
    let mut bytes = vec![0; 53];
    HashMessage::Request(range).encode(&mut bytes).unwrap();
    seed.torrent.handle_bytes(Duration::ZERO, CONN, &bytes).unwrap();
    assert!(seed.torrent.peer(CONN).is_some(), "a request for another file is ignored");
}

/// From a magnet link to the layers of all files, one after the other.
#[test]
fn the_layers_of_all_files_come_from_a_peer() {
    let metainfo = metainfo();
    let mut seed = Node::with(&metainfo, true, |content| content.info = metainfo.info().as_raw());
    seed.torrent.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
    let mut config = FetchConfig::new(metainfo.info_hash(), PeerId([3; 20]));
    config.v2 = metainfo.info_hash_v2();
    let mut fetch = MetadataFetch::new(
        config,
        FetchSlots { slots: [FetchSlot::EMPTY; 1], buffer: vec![0; 4_000] },
    )
    .unwrap();
    fetch.handle_connected(Duration::ZERO, CONN, Side::Dialled).unwrap();
    let mut wanted: Vec<V2File> = Vec::new();
    let mut layers = Vec::new();
    for round in 0..20 {
        let now = Duration::from_secs(round);
        let mut buf = [0; 512];
        while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
            seed.received.extend_from_slice(&buf[..sent.len]);
        }
        let answer = seed.turn(now);
        let mut used = 0;
        while used < answer.len() {
            let received = fetch.handle_bytes(now, CONN, &answer[used..]).unwrap();
            assert!(
                received.consumed > 0 && !matches!(received.outcome, Some(FetchOutcome::Peers(_)))
            );
            used += received.consumed;
        }
        while let Some(event) = fetch.poll_event() {
            match event {
                FetchEvent::Completed => {
                    let info = Metainfo::from_info(fetch.metadata().unwrap(), Mode::Strict);
                    let files = info.unwrap().v2_files().collect::<Vec<_>>();
                    let lacks = files.iter().filter(|(_, layer)| layer.is_none());
                    wanted = lacks.map(|(file, _)| *file).collect();
                }
                FetchEvent::LayerCompleted => layers.push(fetch.layer().unwrap().hashes().to_vec()),
                other => panic!("{other:?}"),
            }
            if let Some(file) = wanted.get(layers.len()) {
                let geometry = Geometry::new(file.len, PIECE).unwrap();
                fetch.fetch_layer(now, file.root, geometry).unwrap();
            }
        }
    }
    let all = metainfo.v2_files().skip(3).map(|(_, layer)| layer.unwrap().hashes().to_vec());
    assert_eq!(layers, all.collect::<Vec<_>>());
}
