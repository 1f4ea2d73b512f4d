//! Torrents that are of version 2 alone and have several files (BEP 52): each file begins with a piece and
//! has a tree of its own.

use core::time::Duration;

use std::sync::LazyLock;

use bittorrent_pieces::bencode::{Mode, WriteError};
use bittorrent_pieces::fetch::{FetchEvent, FetchOutcome};
use bittorrent_pieces::fetch::{FetchSlot, FetchSlots};
use bittorrent_pieces::merkle::{
    MerkleHash, MerkleHasher, PieceLayer, height, layer_root, pad_hash, piece_height, proof_root,
};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::torrent::HASHES_LEN;
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConfigError, ConnId, Event, FetchConfig, Geometry, MetadataFetch,
    Metainfo, PeerId, PieceHashes, PieceIndex, Side, Torrent, TorrentVec, V2File, Verdict,
};
use bittorrent_pieces::{InfoHash, Outcome, TorrentContent, TorrentLimits, TorrentSetup};

const PIECE: u32 = 32_768;
const CONN: ConnId = ConnId(1);

/// An empty file, one shorter than a block, one of more than a block, one of exactly a piece, two of several,
/// and one that has the content of another.
const FILES: [(&[&[u8]], u64); 7] = [
    (&[b"a"], 0),
    (&[b"b"], 100),
    (&[b"c", b"d"], 20_000),
    (&[b"c", b"e"], 32_768),
    (&[b"f"], 100_000),
    (&[b"g", b"h", b"i"], 98_304),
    (&[b"j"], 100_000),
];

/// The bytes of a file.
fn content(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251 + len) as u8).collect()
}

fn tree(bytes: &[u8], height: u8) -> MerkleHash {
    let mut hasher = MerkleHasher::new();
    hasher.update(bytes);
    hasher.finish(height)
}

/// Returns the layer of a file, and its root.
fn layer(bytes: &[u8]) -> (Vec<MerkleHash>, Option<MerkleHash>) {
    if bytes.len() <= PIECE as usize {
        let root = tree(bytes, height(bytes.len().div_ceil(16_384) as u64));
        return if bytes.is_empty() { (vec![], None) } else { (vec![root], Some(root)) };
    }
    let pieces = bytes.chunks(PIECE as usize).map(|piece| tree(piece, piece_height(PIECE)));
    let layer: Vec<_> = pieces.collect();
    let root = PieceLayer::new(&layer).root(PIECE);
    (layer, Some(root))
}

/// Writes the torrent of the files, in the given order.
fn made(order: impl IntoIterator<Item = usize>) -> Result<Vec<u8>, WriteError> {
    let mut files = Vec::new();
    let mut all = Vec::new();
    for (path, len) in order.into_iter().map(|at| FILES[at]) {
        let (layer, root) = layer(&content(len));
        all.extend(layer);
        files.push(ContentFile { len, path, root });
    }
    let draft = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: PIECE,
        hashes: PieceHashes::v2(PieceLayer::new(&all)),
        private: None,
        content: Content::Multi(&files),
        version: Version::V2,
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 4_000];
    let len = draft.encode(&mut out)?;
    out.truncate(len);
    Ok(out)
}

/// One of two, its content in the space of the pieces.
struct Node {
    torrent: Torrent<TorrentVec>,
    content: Vec<u8>,
    received: Vec<u8>,
    sent: Vec<String>,
    failed: usize,
}

impl Node {
    fn new(metainfo: &Metainfo<'_>, seeds: bool) -> Self {
        Self::with(metainfo, seeds, |_| ())
    }

    /// Builds a node with more content: leaves, or an info dictionary.
    fn with<'c>(
        metainfo: &Metainfo<'_>,
        seeds: bool,
        add: impl Fn(&mut TorrentContent<'c>),
    ) -> Self {
        let files: Vec<V2File> = metainfo.v2_files().map(|(file, _)| file).collect();
        let layers = metainfo.v2_files().flat_map(|(_, layer)| layer.unwrap().hashes());
        let layer: Vec<MerkleHash> = layers.copied().collect();
        let geometry = Geometry::of_files(&files, PIECE).unwrap();
        let pieces = geometry.pieces();
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
        let mut bytes = vec![0xEE; (pieces * PIECE) as usize]; // what is between files is never touched
        if seeds {
            have.fill();
            for file in metainfo.files() {
                bytes[file.offset() as usize..][..file.len() as usize]
                    .copy_from_slice(&content(file.len()));
            }
        }
        let config = Config::new(metainfo.info_hash(), PeerId([u8::from(seeds); 20]));
        let mut extra = TorrentContent::new(Geometry::new(0, 1).unwrap(), PieceHashes::new(&[]));
        add(&mut extra);
        let hashes = PieceHashes::v2(PieceLayer::new(&layer));
        let mut content = TorrentContent::new(geometry, hashes);
        content.info = extra.info;
        content.leaves = extra.leaves;
        let limits = TorrentLimits { peers: 2, open_pieces: 4, pipeline: 32 };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits)).unwrap();
        Self { torrent, content: bytes, received: vec![], sent: vec![], failed: 0 }
    }

    /// Handles the received bytes, checks full pieces, and returns the bytes to send.
    fn turn(&mut self, now: Duration) -> Vec<u8> {
        self.torrent.handle_timeout(now);
        let received = core::mem::take(&mut self.received);
        let mut used = 0;
        while used < received.len() {
            let handled = self.torrent.handle_bytes(now, CONN, &received[used..]).unwrap();
            if let Some(Outcome::Block { block, data }) = handled.outcome {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                self.content[at..][..data.len()].copy_from_slice(data);
            }
            assert!(handled.consumed > 0, "{handled:?}");
            used += handled.consumed;
        }
        while let Some(event) = self.torrent.poll_event() {
            let Event::Verify { piece } = event else { continue };
            let mut check = self.torrent.check(piece).unwrap();
            while let Some(block) = check.next(10_000) {
                let at = (piece.0 * PIECE + block.begin) as usize;
                check.hash_step(&self.content[at..][..block.len as usize]);
            }
            let verdict = self.torrent.handle_checked(now, check).unwrap();
            self.failed += usize::from(verdict == Verdict::Failed);
        }
        let mut out = Vec::new();
        let mut buf = vec![0; HASHES_LEN];
        while let Some(sent) = self.torrent.poll_transmit(&mut buf).unwrap() {
            out.extend_from_slice(&buf[..sent.len]);
            if let Some(block) = sent.block {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                out.extend_from_slice(&self.content[at..][..block.len as usize]);
            } else if let Ok((message, _)) = Message::decode(&buf[..sent.len], 1 << 20) {
                self.sent.push(message.to_string());
            }
            out.extend_from_slice(self.torrent.metadata(sent.metadata));
        }
        out
    }
}

fn metainfo() -> Metainfo<'static> {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| made(0..FILES.len()).unwrap());
    Metainfo::decode(&BYTES, Mode::Strict).unwrap()
}

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
