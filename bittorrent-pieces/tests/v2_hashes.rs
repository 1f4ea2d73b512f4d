//! The hashes that a seed of version 2 sends (BEP 52): each range is proved, and rounds have a budget.

mod v2_by_hand;

use core::time::Duration;

use bittorrent_pieces::merkle::{MerkleHash, PieceLayer, layer_root, proof_root};
use bittorrent_pieces::torrent::HASHES_LEN;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    Block, Config, Geometry, PeerId, PieceHashes, PieceIndex, Side, Torrent, TorrentVec, V2File,
};
use bittorrent_pieces::{InfoHash, TorrentContent, TorrentLimits, TorrentSetup};
use v2_by_hand::*;

/// All layers of a tree from the leaves up, the plain way.
fn layers_of(bytes: &[u8]) -> Vec<Vec<MerkleHash>> {
    let mut layer: Vec<_> = bytes.chunks(16_384).map(|block| tree(block, 0)).collect();
    layer.resize(layer.len().next_power_of_two(), [0; 32]);
    let mut layers = vec![layer];
    while layers[layers.len() - 1].len() > 1 {
        let below = &layers[layers.len() - 1];
        layers.push(below.chunks(2).map(|pair| layer_root(pair, [0; 32])).collect());
    }
    layers
}

/// Asks for hashes; returns them unless they are rejected.
fn ask(seed: &mut Torrent<TorrentVec>, range: HashRange) -> Option<Vec<MerkleHash>> {
    let mut bytes = vec![0; 53];
    let mut buf = vec![0; HASHES_LEN];
    HashMessage::Request(range).encode(&mut bytes).unwrap();
    seed.handle_bytes(Duration::ZERO, CONN, &bytes).unwrap();
    let sent = seed.poll_transmit(&mut buf).unwrap().unwrap();
    let (message, _) = Message::decode(&buf[..sent.len], 1 << 20).unwrap();
    match HashMessage::of(&message).unwrap().unwrap() {
        HashMessage::Hashes(of, hashes) if of == range => Some(hashes.to_vec()),
        HashMessage::Reject(of) if of == range => None,
        other => panic!("{other}"),
    }
}

/// Returns a torrent without pieces, which has a peer.
fn bare(content: &TorrentContent<'_>) -> Torrent<TorrentVec> {
    let config = Config::new(InfoHash([1; 20]), PeerId([1; 20]));
    let limits = TorrentLimits { peers: 1, open_pieces: 1, pipeline: 2 };
    let mut torrent =
        Torrent::new(TorrentSetup::new(config), TorrentVec::new(content, limits)).unwrap();
    greet(&mut torrent);
    torrent
}

fn greet(seed: &mut Torrent<TorrentVec>) {
    seed.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
    let info_hash = seed.config().info_hash;
    let peer_id = PeerId([9; 20]);
    let hello = Handshake { reserved: Reserved::default(), info_hash, peer_id };
    let mut bytes = vec![0; Handshake::LEN];
    hello.encode(&mut bytes).unwrap();
    seed.handle_bytes(Duration::ZERO, CONN, &bytes).unwrap();
    let mut buf = vec![0; HASHES_LEN];
    while seed.poll_transmit(&mut buf).unwrap().is_some() {}
}

/// BEP 52, base layers 0 and that of the pieces, for every file and every request within the limits.
#[test]
fn leaves_and_pieces_are_those_of_the_plain_tree() {
    let metainfo = metainfo();
    let seed = Node::new(&metainfo, true).torrent;
    let geometry = seed.geometry();
    let mut leaves = vec![[0; 32]; geometry.pieces() as usize * 2];
    for (file, (_, len)) in geometry.files().iter().zip(&FILES[1..]) {
        let blocks = content(*len);
        let hashed = blocks.chunks(16_384).map(|block| tree(block, 0));
        leaves[file.first.0 as usize * 2..]
            .iter_mut()
            .zip(hashed)
            .for_each(|(to, leaf)| *to = leaf);
    }
    leaves[2] = [0; 32]; // of the second file, one is not known
    let mut seed = Node::with(&metainfo, true, |content| content.leaves = &leaves).torrent;
    greet(&mut seed);
    let mut given = 0;
    let mut rejected = 0;
    for (number, (file, (_, len))) in geometry.files().iter().zip(&FILES[1..]).enumerate() {
        let layers = layers_of(&content(*len));
        assert_eq!(layers[layers.len() - 1], [file.root]);
        for (base, length, place, proof_layers) in (0..4_usize)
            .flat_map(|base| [2, 4, 8].map(|length| (base, length)))
            .flat_map(|(base, length)| (0..5).map(move |place| (base, length, place)))
            .flat_map(|(base, length, place)| (0..5).map(move |up| (base, length, place, up)))
        {
            let range = HashRange {
                root: file.root,
                base: base as u32,
                index: (place * length) as u32,
                length: length as u32,
                proof_layers,
            };
            let run = layers.get(base).and_then(|layer| layer.get(place * length..)?.get(..length));
            let above = layers.len().saturating_sub(base + 1);
            let piece_layer = base == 1 && *len > u64::from(PIECE);
            let known = (base == 0 || piece_layer) && !(number == 1 && base == 0);
            let expected = run.filter(|_| known && (proof_layers as usize) < above).map(|run| {
                let mut hashes = run.to_vec();
                for up in length.ilog2() as usize..=proof_layers as usize {
                    hashes.push(layers[base + up][((place * length) >> up) ^ 1]);
                }
                hashes
            });
            given += u32::from(expected.is_some());
            rejected += u32::from(expected.is_none());
            assert_eq!(ask(&mut seed, range), expected, "{range:?}");
        }
    }
    assert!(given > 40 && rejected > 40, "{given} {rejected}");
}

/// A file of more pieces than a proof may hash is proved with the nodes above each 512.
#[test]
fn a_long_layer_is_proved_by_its_runs() {
    let pieces = 70_000_u32;
    let layer: Vec<MerkleHash> = (0..pieces)
        .map(|piece| core::array::from_fn(|at| (piece >> (at % 4 * 8)) as u8 ^ at as u8))
        .collect();
    let layer = PieceLayer::new(&layer);
    let root = layer.root(16_384);
    let small = V2File { first: PieceIndex(0), len: 10, root: [1; 32] };
    let long = V2File { first: PieceIndex(1), len: u64::from(pieces) * 16_384, root };
    let with_small = [&[[1; 32]][..], layer.hashes()].concat();
    for (geometry, hashes) in [
        (Geometry::new(long.len, 16_384).unwrap(), PieceHashes::v2(layer)),
        (
            Geometry::of_files(&[small, long], 16_384).unwrap(),
            PieceHashes::v2(PieceLayer::new(&with_small)),
        ),
    ] {
        let mut content = TorrentContent::new(geometry, hashes);
        let mut seed = bare(&content);
        let range =
            |index, proof_layers| HashRange { root, base: 0, index, length: 512, proof_layers };
        assert!(ask(&mut seed, range(0, 16)).is_some(), "the storage has computed the runs");
        assert!(ask(&mut seed, range(512, 8)).is_some(), "nothing is to be proved");
        let runs: Vec<_> = hashes.runs(geometry).collect();
        content.runs = &runs;
        let mut seed = bare(&content);
        for run in [0, 1, 77, 136, 137, 255] {
            let answer = ask(&mut seed, range(run * 512, 16)).unwrap();
            let (nodes, uncles) = answer.split_at(512);
            assert_eq!(uncles.len(), 8);
            let node = layer_root(nodes, [0; 32]);
            assert_eq!(proof_root(node, run.into(), uncles), root, "{run}");
        }
    }
}

/// libtorrent 2.0.8 requests the last block of a file as if it were whole: it gets the tail and zeros.
#[test]
fn the_last_block_of_a_file_is_padded_on_request() {
    let metainfo = metainfo();
    let mut seed = Node::new(&metainfo, true).torrent;
    greet(&mut seed);
    let (file, len) = seed
        .geometry()
        .files()
        .iter()
        .zip(&FILES[1..])
        .map(|(f, (_, l))| (*f, *l))
        .find(|(_, len)| !len.is_multiple_of(16_384))
        .unwrap();
    let last = PieceIndex(file.first.0 + ((len - 1) / u64::from(PIECE)) as u32);
    let in_piece = (len - u64::from(last.0 - file.first.0) * u64::from(PIECE)) as u32;
    let begin = in_piece / 16_384 * 16_384;
    let mut buf = vec![0; 100];
    let send = |seed: &mut Torrent<TorrentVec>, message: Message<'_>| {
        let mut bytes = vec![0; message.encoded_len()];
        message.encode(&mut bytes).unwrap();
        seed.handle_bytes(Duration::ZERO, CONN, &bytes).unwrap();
    };
    send(&mut seed, Message::Interested);
    while seed.poll_transmit(&mut buf).unwrap().is_some() {}
    let whole = Block { piece: last, begin, len: 16_384 };
    send(&mut seed, Message::Request(whole));
    let sent = seed.poll_transmit(&mut buf).unwrap().unwrap();
    let tail = in_piece - begin;
    assert_eq!(sent.block, Some(Block { len: tail, ..whole }));
    assert_eq!(sent.padding, 16_384 - tail);
    assert_eq!(buf[..4], (9 + 16_384_u32).to_be_bytes(), "the prefix counts the zeros");
}

/// A flood of hash requests is answered up to a budget, then rejected until the next round.
#[test]
fn hash_requests_above_the_budget_of_a_round_are_rejected() {
    let layer: Vec<MerkleHash> = (0..70_000_u32).map(|n| [n as u8; 32]).collect();
    let layer = PieceLayer::new(&layer);
    let geometry = Geometry::new(70_000 * 16_384, 16_384).unwrap();
    let mut seed = bare(&TorrentContent::new(geometry, PieceHashes::v2(layer)));
    let root = layer.root(16_384);
    let range = HashRange { root, base: 0, index: 0, length: 512, proof_layers: 16 };
    let answered = (0..1_000).filter(|_| ask(&mut seed, range).is_some()).count();
    assert!((50..200).contains(&answered), "{answered}");
    assert!(seed.peer(CONN).is_some());
    seed.handle_timeout(Duration::from_secs(10));
    let mut buf = vec![0; HASHES_LEN];
    while seed.poll_transmit(&mut buf).unwrap().is_some() {}
    assert!(ask(&mut seed, range).is_some(), "a new round");
}
