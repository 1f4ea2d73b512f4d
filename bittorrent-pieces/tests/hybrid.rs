//! Hybrid torrents of several files (BEP 52): shared by both versions, and the upgrade of a connection to version 2.

use core::time::Duration;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::merkle::{MerkleHash, MerkleHasher, PieceLayer, height, piece_height};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoOptions, Version,
};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    Bitfield, Config, ConfigError, ConnId, Event, Geometry, InfoHash, Metainfo, Outcome, Padding,
    PeerId, PieceHasher, PieceHashes, PieceIndex, Side, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec, V2File,
};

const PIECE: u32 = 32_768;
const CONN: ConnId = ConnId(1);
const V1: InfoHash = InfoHash([1; 20]);
const V2: InfoHash = InfoHash([2; 20]);
/// One shorter than a block, one of several pieces, one that ends inside a block, one that is a piece.
const FILES: [u64; 4] = [100, 98_305, 20_000, 32_768];

/// The content with its padding, and what both versions know of it.
struct Shared {
    data: Vec<u8>,
    files: Vec<V2File>,
    v1: Vec<[u8; 20]>,
    layer: Vec<MerkleHash>,
    padding: Vec<Padding>,
}

fn tree(bytes: &[u8], height: u8) -> MerkleHash {
    let mut hasher = MerkleHasher::new();
    hasher.update(bytes);
    hasher.finish(height)
}

impl Shared {
    fn new() -> Self {
        let mut data: Vec<u8> = Vec::new();
        let mut files = Vec::new();
        let mut layer = Vec::new();
        let mut gaps = Vec::new();
        for (nth, len) in FILES.into_iter().enumerate() {
            let start = data.len();
            data.extend((0..len).map(|at| (at * 31 % 251) as u8 | 1));
            let bytes = &data[start..];
            let pieces: Vec<_> = if len <= u64::from(PIECE) {
                vec![tree(bytes, height(len.div_ceil(16_384)))]
            } else {
                bytes.chunks(PIECE as usize).map(|piece| tree(piece, piece_height(PIECE))).collect()
            };
            let root =
                if pieces.len() == 1 { pieces[0] } else { PieceLayer::new(&pieces).root(PIECE) };
            let first = PieceIndex((start as u64 / u64::from(PIECE)) as u32);
            files.push(V2File { first, len, root });
            layer.extend(pieces);
            if nth + 1 < FILES.len() {
                let end = data.len();
                data.resize(end.next_multiple_of(PIECE as usize), 0);
                gaps.push((end as u64, (data.len() - end) as u64));
            }
        }
        let v1 = data.chunks(PIECE as usize).map(PieceHasher::digest).collect();
        let cut = Geometry::new(data.len() as u64, PIECE).unwrap();
        let padding = gaps.iter().flat_map(|(at, len)| Padding::of(cut, *at, *len)).collect();
        Self { data, files, v1, layer, padding }
    }

    fn geometry(&self) -> Geometry<'_> {
        Geometry::of_hybrid(&self.files, self.data.len() as u64, PIECE).unwrap()
    }

    fn torrent(&self, seeds: bool, v2: bool) -> Torrent<TorrentVec> {
        let hashes = PieceHashes::hybrid(PieceHashes::new(&self.v1), PieceLayer::new(&self.layer));
        let mut content = TorrentContent::new(self.geometry(), hashes.unwrap());
        content.padding = &self.padding;
        let pieces = content.geometry.pieces();
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
        if seeds {
            have.fill();
        }
        let mut config = Config::new(V1, PeerId([u8::from(seeds); 20]));
        config.info_hash_v2 = v2.then_some(V2);
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        Torrent::new(setup, TorrentVec::new(&content, TorrentLimits::new())).unwrap()
    }
}

/// The builder writes the padding between the files, and both versions read back as they were made.
#[test]
fn a_hybrid_torrent_of_several_files_is_written_and_read() {
    let shared = Shared::new();
    let paths: [&[&[u8]]; 4] = [&[b"a"], &[b"b", b"c"], &[b"b", b"d"], &[b"e"]];
    let file = |((len, path), known): ((u64, &'static [&'static [u8]]), &V2File)| ContentFile {
        len,
        path,
        root: Some(known.root),
    };
    let files: Vec<_> = FILES.into_iter().zip(paths).zip(&shared.files).map(file).collect();
    let hashes = PieceHashes::hybrid(PieceHashes::new(&shared.v1), PieceLayer::new(&shared.layer));
    let builder = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"folder",
        piece_len: PIECE,
        hashes: hashes.unwrap(),
        private: None,
        content: Content::Multi(&files),
        version: Version::Hybrid,
        options: MetainfoOptions::default(),
    };
    let mut bytes = [0; 4_096];
    let len = builder.encode(&mut bytes).unwrap();
    let metainfo = Metainfo::decode(&bytes[..len], Mode::Strict).unwrap();
    assert_eq!(metainfo.hashes().as_bytes(), shared.v1.as_flattened());
    let v2: Vec<V2File> = metainfo.v2_files().map(|(file, _)| file).collect();
    assert_eq!(v2, shared.files);
    let layer = metainfo.v2_files().flat_map(|(_, layer)| layer.unwrap().hashes().to_vec());
    assert_eq!(layer.collect::<Vec<_>>(), shared.layer);
    assert_eq!(metainfo.geometry().total(), shared.data.len() as u64);
    let cut = metainfo.geometry();
    let gaps = metainfo.files().filter(bittorrent_pieces::metainfo::File::is_padding);
    let padding: Vec<_> =
        gaps.flat_map(|file| Padding::of(cut, file.offset(), file.len())).collect();
    assert_eq!(padding, shared.padding);
    let lens: Vec<u64> = metainfo.files().map(|file| file.len()).collect();
    assert_eq!(lens, [100, 32_668, 98_305, 32_767, 20_000, 12_768, 32_768]);
}

/// Lets one torrent download from another; returns the handshakes of both and the requests.
fn transfer(
    shared: &Shared,
    leech_v2: bool,
    seed_v2: bool,
    leech_dials: bool,
) -> (Vec<Handshake>, Vec<(PieceIndex, u32, u32)>) {
    let now = Duration::ZERO;
    let mut nodes = [shared.torrent(false, leech_v2), shared.torrent(true, seed_v2)];
    let mut disk = vec![0; shared.data.len()];
    let side = |dials| if dials { Side::Dialled } else { Side::Accepted };
    nodes[0].handle_connected(now, CONN, side(leech_dials)).unwrap();
    nodes[1].handle_connected(now, CONN, side(!leech_dials)).unwrap();
    let mut handshakes = Vec::new();
    let mut requests = Vec::new();
    let mut buf = [0; 1_024];
    let mut idle = 0;
    while !nodes[0].is_complete() {
        idle += 1;
        assert!(idle < 10, "nothing moves");
        for (from, to) in [(0, 1), (1, 0)] {
            while let Some(sent) = nodes[from].poll_transmit(&mut buf).unwrap() {
                idle = 0;
                let mut bytes = buf[..sent.len].to_vec();
                if let Some(block) = sent.block {
                    let at = (block.piece.0 * PIECE + block.begin) as usize;
                    bytes.extend(&shared.data[at..][..block.len as usize]);
                    bytes.resize(bytes.len() + sent.padding as usize, 0);
                }
                if let Ok((handshake, _)) = Handshake::decode(&bytes) {
                    handshakes.push(handshake);
                } else if let Ok((Message::Request(block), _)) = Message::decode(&bytes, 1 << 20) {
                    requests.push((block.piece, block.begin, block.len));
                }
                let received = nodes[to].handle_bytes(now, CONN, &bytes).unwrap();
                if let Some(Outcome::Block { block, data }) = received.outcome {
                    let at = (block.piece.0 * PIECE + block.begin) as usize;
                    assert_eq!(block.len as usize, data.len());
                    disk[at..][..data.len()].copy_from_slice(data);
                }
            }
        }
        for node in &mut nodes {
            while let Some(event) = node.poll_event() {
                assert!(!matches!(event, Event::Closed { .. } | Event::PieceFailed { .. }));
                let Event::Verify { piece } = event else { continue };
                let mut check = node.check(piece).unwrap();
                while let Some(block) = check.next(PIECE) {
                    let at = (block.piece.0 * PIECE + block.begin) as usize;
                    check.hash_step(&disk[at..][..block.len as usize]);
                }
                node.handle_checked(now, check).unwrap();
            }
        }
    }
    assert!(disk == shared.data);
    requests.sort_unstable();
    (handshakes, requests)
}

/// Returns the requests of the last blocks of the files.
fn tails(shared: &Shared, requests: &[(PieceIndex, u32, u32)]) -> Vec<u32> {
    let tail = |file: &V2File| {
        let last = file.len - 1;
        let piece = PieceIndex(file.first.0 + (last / u64::from(PIECE)) as u32);
        let begin = (last % u64::from(PIECE)) as u32 / 16_384 * 16_384;
        let found = requests.iter().find(|(at, from, _)| *at == piece && *from == begin);
        found.expect("it was requested").2
    };
    shared.files.iter().map(tail).collect()
}

#[test]
fn a_connection_is_upgraded_if_both_know_version_2() {
    let shared = Shared::new();
    for leech_dials in [true, false] {
        let (handshakes, requests) = transfer(&shared, true, true, leech_dials);
        let [dialled, accepted] = handshakes[..] else { panic!("{handshakes:?}") };
        assert_eq!((dialled.info_hash, dialled.reserved.v2()), (V1, true));
        assert_eq!((accepted.info_hash, accepted.reserved.v2()), (V2, false));
        // Version 2 has no padding.
        assert_eq!(tails(&shared, &requests), [100, 1, 3_616, 16_384]);
    }
}

#[test]
fn a_peer_of_version_1_gets_version_1() {
    let shared = Shared::new();
    for (leech_v2, seed_v2) in [(true, false), (false, true), (false, false)] {
        let (handshakes, requests) = transfer(&shared, leech_v2, seed_v2, true);
        let [dialled, accepted] = handshakes[..] else { panic!("{handshakes:?}") };
        assert_eq!((dialled.info_hash, dialled.reserved.v2()), (V1, leech_v2));
        assert_eq!((accepted.info_hash, accepted.reserved.v2()), (V1, seed_v2));
        assert_eq!(tails(&shared, &requests), [16_384; 4]);
    }
}

#[test]
fn a_peer_that_dials_by_version_2_is_answered_by_it() {
    let shared = Shared::new();
    for (v2, hash, answer) in
        [(true, V2, Some(V2)), (true, V1, Some(V1)), (false, V1, Some(V1)), (false, V2, None)]
    {
        let mut torrent = shared.torrent(true, v2);
        torrent.handle_connected(Duration::ZERO, CONN, Side::Accepted).unwrap();
        let reserved = Reserved::EXTENDED;
        let handshake = Handshake { reserved, info_hash: hash, peer_id: PeerId([9; 20]) };
        let mut bytes = [0; 1_024];
        handshake.encode(&mut bytes).unwrap();
        torrent.handle_bytes(Duration::ZERO, CONN, &bytes[..68]).unwrap();
        let sent = torrent.poll_transmit(&mut bytes).unwrap();
        let answered = sent.map(|_| Handshake::decode(&bytes).unwrap().0.info_hash);
        assert_eq!(answered, answer);
    }
}

/// A connection that a fetch of the metadata began keeps the version that it agreed on. Of one that we dialled, the hash in
/// the answer decides.
#[test]
fn a_connection_that_was_taken_over_keeps_its_version() {
    let shared = Shared::new();
    for (side, upgraded, hash, reserved, version2) in [
        (Side::Accepted, true, V1, Reserved::V2, true),
        (Side::Accepted, false, V1, Reserved::V2, false),
        (Side::Accepted, true, V2, Reserved::default(), true),
        (Side::Dialled, false, V2, Reserved::default(), true),
        (Side::Dialled, false, V1, Reserved::V2, false),
        (Side::Dialled, true, V1, Reserved::default(), false),
    ] {
        let mut leech = shared.torrent(false, true);
        let now = Duration::ZERO;
        leech.take_over(now, CONN, side, upgraded).unwrap();
        let mut bytes = [0; 1_024];
        let handshake = Handshake { reserved, info_hash: hash, peer_id: PeerId([9; 20]) };
        handshake.encode(&mut bytes).unwrap();
        leech.handle_bytes(now, CONN, &bytes[..68]).unwrap();
        leech.handle_bytes(now, CONN, &[0, 0, 0, 5, 4, 0, 0, 0, 0]).unwrap(); // has the first piece
        leech.handle_bytes(now, CONN, &[0, 0, 0, 1, 1]).unwrap(); // unchokes
        let mut lens = Vec::new();
        while let Some(sent) = leech.poll_transmit(&mut bytes).unwrap() {
            if let Ok((Message::Request(block), _)) = Message::decode(&bytes[..sent.len], 1 << 20) {
                lens.push(block.len);
            }
        }
        assert_eq!(lens, [if version2 { 100 } else { 16_384 }], "{side:?} {upgraded} {hash}");
    }
}

/// Bytes of the content that are wrong fail both versions, also if only one of them notices.
#[test]
fn each_version_notices_what_is_wrong() {
    let shared = Shared::new();
    for wrong in ["v1", "v2"] {
        let mut v1 = shared.v1.clone();
        let mut layer = shared.layer.clone();
        match wrong {
            "v1" => v1[0][0] ^= 1,
            _ => layer[0][0] ^= 1,
        }
        let hashes = PieceHashes::hybrid(PieceHashes::new(&v1), PieceLayer::new(&layer)).unwrap();
        let check = |piece: u32, hashes| {
            let piece = PieceIndex(piece);
            let padding = shared.padding.iter().find(|padding| padding.piece == piece);
            let check = bittorrent_pieces::PieceCheck::new(shared.geometry(), hashes, piece);
            let mut check = check.with_padding(padding.map_or(0, |padding| padding.bytes));
            while let Some(block) = check.next(PIECE) {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                check.hash_step(&shared.data[at..][..block.len as usize]);
            }
            check.passed(hashes)
        };
        assert_eq!(check(0, hashes), Some(false), "{wrong}");
        for piece in 1..shared.geometry().pieces() {
            assert_eq!(check(piece, hashes), Some(true), "{wrong} {piece}");
        }
    }
}

#[test]
fn the_two_versions_must_have_the_same_pieces() {
    let shared = Shared::new();
    let total = shared.data.len() as u64;
    let with = |total| Geometry::of_hybrid(&shared.files, total, PIECE).map(|cut| cut.pieces());
    assert_eq!(with(total), Ok(7));
    assert!(matches!(with(total + 1), Err(ConfigError::Hashes { .. })));
    assert!(matches!(with(total - u64::from(PIECE)), Err(ConfigError::Hashes { .. })));
    assert_eq!(shared.geometry().piece_len(PieceIndex(0)), PIECE, "padding counts");
}
