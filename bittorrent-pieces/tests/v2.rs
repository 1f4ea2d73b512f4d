//! BitTorrent v2 (BEP 52): the published tree and torrent, hostile torrents, messages about hashes.

mod common;

use bittorrent_pieces::bencode::{BencodeError, Mode, WriteError, Writer};
use bittorrent_pieces::magnet::Magnet;
use bittorrent_pieces::merkle::{
    MerkleHash, MerkleHasher, PieceLayer, height, layer_root, pad_hash, piece_height, proof_root,
};
use bittorrent_pieces::metainfo::{
    Content, MetainfoBuilder, MetainfoError, MetainfoOptions, Version,
};
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::{
    Geometry, InfoHash, Metainfo, PieceCheck, PieceHasher, PieceHashes, PieceIndex,
};
use common::unhex;

/// A path, a length and the root of the pieces.
type FileRow<'a> = (&'a [u8], i64, Option<&'a [u8]>);

const LAYER: [&str; 3] = [
    "55cb871ea9fd2078069629d572f697c1ae2e268803437e9f390ebad532a7a10e",
    "eb2a165f572ea9f0ffad2e20fa183a4acf9a0802073af2527abdcac92a653977",
    "bd3a1324611d783f83cf201955e2b01035cc2e09fc77ca8f77dc6c1478c9dc4d",
];
const ROOT: &str = "8024642e7d3421ce168396c770c36c27940f2e0d7f6410e9b262497a741b22dc";

fn hash(hex: &str) -> MerkleHash {
    unhex(hex).try_into().unwrap()
}

/// The first 70,000 bytes of splitmix64(1), little-endian.
fn payload() -> Vec<u8> {
    let mut state = 1_u64;
    let words = core::iter::repeat_with(|| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)).to_le_bytes()
    });
    words.flatten().take(70_000).collect()
}

fn tree(bytes: &[u8], height: u8) -> MerkleHash {
    let mut hasher = MerkleHasher::new();
    bytes.chunks(777).for_each(|slice| hasher.update(slice));
    hasher.finish(height)
}

/// The values of which the BEP's creator and libtorrent 2.1.1 agree.
#[test]
fn a_piece_layer_has_the_published_root() {
    let payload = payload();
    assert_eq!(tree(&payload, 3), hash(ROOT));
    assert_eq!(height(5), 3);
    let layer: Vec<_> = payload.chunks(32_768).map(|piece| tree(piece, 1)).collect();
    assert_eq!(layer, LAYER.map(hash));
    assert_eq!(piece_height(32_768), 1);
    let pad = hash("f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
    assert_eq!((pad_hash(0), pad_hash(1)), ([0; 32], pad));
    assert_eq!(layer_root(&layer, pad), hash(ROOT));
    assert_eq!(PieceLayer::new(&layer).root(32_768), hash(ROOT));
    let left = hash("8ddc2638f65823dad546280e69cf408aab7e1047951b7f63b5c24e6050896d2e");
    let right = hash("be8e5d17b1772c09ddd59c8ad4b08e8e6677de3af0a5c766be4abd51b5d78ffe");
    assert_eq!(layer_root(&[left, right], [0; 32]), hash(ROOT));
    let leaf = hash("8a5b54fb111610d49beb74e67d47584f30c56823b02d5315b24a5bbb5f2996de");
    let sibling = hash("b9eb6658d63faae2fc9d7367e0bb070e5b249ed73391fd9a2699ac05601c2c2c");
    assert_eq!(tree(&payload[32_768..49_152], 0), leaf);
    // `validate_and_insert_proofs_left`, `_right`, `_root_fail`.
    assert_eq!(proof_root(leaf, 2, &[sibling, layer[0], right]), hash(ROOT));
    assert_eq!(proof_root(sibling, 3, &[leaf, layer[0], right]), hash(ROOT));
    assert_ne!(proof_root(leaf, 3, &[sibling, layer[0], right]), hash(ROOT));
    // A flipped bit anywhere is found.
    for at in [0, 16_384, 69_999] {
        let mut other = payload.clone();
        other[at] ^= 1;
        assert_ne!(tree(&other, 3), hash(ROOT));
    }
    // Against a plain tree, for any number of leaves.
    for leaves in 0..40_u64 {
        let bytes = vec![leaves as u8; leaves as usize * 16_384];
        let mut nodes: Vec<_> =
            (0..leaves).map(|at| tree(&bytes[at as usize * 16_384..][..16_384], 0)).collect();
        nodes.resize(leaves.next_power_of_two() as usize, [0; 32]);
        while nodes.len() > 1 {
            nodes = nodes.chunks(2).map(|pair| layer_root(pair, [0; 32])).collect();
        }
        assert_eq!(tree(&bytes, height(leaves)), nodes[0], "{leaves} leaves");
    }
}

#[test]
fn a_written_v2_torrent_equals_the_published_one() {
    let layer = LAYER.map(hash);
    let draft = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"a.bin",
        piece_len: 32_768,
        hashes: PieceHashes::v2(PieceLayer::new(&layer)),
        private: None,
        content: Content::Single(70_000),
        version: Version::V2,
        options: MetainfoOptions::default(),
    };
    let mut out = [0; 600];
    let len = draft.encode(&mut out).unwrap();
    let hex = include_str!("data/merkle_v2.hex").trim();
    assert_eq!(out[..len], unhex(hex), "whole");
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    let v2 = torrent.info_hash_v2().unwrap();
    assert_eq!(v2.0, hash("9291331cee7dd9bf46fcbb916ced458781cf30b0b70658ceb5051bbd05cae6e7"));
    assert_eq!(torrent.info_hash(), InfoHash(*v2.0.first_chunk().unwrap()));
    let link = format!("magnet:?xt=urn:btmh:1220{v2}");
    assert_eq!(Magnet::parse(link.as_bytes()).unwrap().v2(), Some(v2));
    assert!(torrent.is_single() && torrent.geometry().pieces() == 3);
    assert_eq!(torrent.root(), Some(hash(ROOT)));
    let file = torrent.files().next().unwrap();
    assert_eq!((file.len(), file.raw_path().collect::<Vec<_>>()), (70_000, vec![&b"a.bin"[..]]));
    let hashes = torrent.hashes();
    assert_eq!(hashes.layer().hashes(), layer);
    let payload = payload();
    for (nth, piece) in (0..).zip(payload.chunks(32_768)) {
        for flip in [0, 1] {
            let mut check = PieceCheck::new(torrent.geometry(), hashes, PieceIndex(nth));
            let mut piece = piece.to_vec();
            piece[3] ^= flip;
            let mut leaves = Vec::new();
            while let Some(block) = check.next(10_000) {
                let bytes = &piece[block.begin as usize..][..block.len as usize];
                check.hash_leaves(bytes, |leaf| leaves.push(leaf));
            }
            check.hash_leaves(&[], |_| unreachable!("each leaf comes once"));
            let blocks = piece.chunks(16_384).map(|block| tree(block, 0));
            assert_eq!(leaves, blocks.collect::<Vec<_>>());
            assert_eq!(check.passed(hashes), Some(flip == 0));
        }
    }
    // From peers alone the layer is not known.
    let info = Metainfo::from_info(torrent.info().as_raw(), Mode::Strict).unwrap();
    assert_eq!((info.info_hash_v2(), info.hashes().len()), (Some(v2), 0));
}

/// A piece of a hybrid torrent must fit both hashes.
#[test]
fn a_hybrid_piece_is_checked_twice() {
    let content = vec![9; 40_000];
    let sha1: Vec<_> = content.chunks(32_768).map(PieceHasher::digest).collect();
    let layer: Vec<_> = content.chunks(32_768).map(|piece| tree(piece, 1)).collect();
    let geometry = Geometry::new(40_000, 32_768).unwrap();
    let old = PieceHashes::new(&sha1);
    let right = PieceHashes::hybrid(old, PieceLayer::new(&layer)).unwrap();
    let wrong = [layer[0], [1; 32]];
    let wrong = PieceHashes::hybrid(old, PieceLayer::new(&wrong)).unwrap();
    for (hashes, passes) in [(right, true), (wrong, false)] {
        let mut check = PieceCheck::new(geometry, hashes, PieceIndex(1));
        assert_eq!(check.clone().passed(hashes), None, "nothing was hashed yet");
        check.hash_step(&content[32_768..]);
        assert_eq!(check.passed(hashes), Some(passes));
    }
    assert!(PieceHashes::hybrid(old, PieceLayer::new(&layer[..1])).is_none());
    let draft = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: 32_768,
        hashes: right,
        private: None,
        content: Content::Single(40_000),
        version: Version::Hybrid,
        options: MetainfoOptions::default(),
    };
    let mut out = [0; 600];
    let len = draft.encode(&mut out).unwrap();
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    assert_eq!(torrent.info_hash().0, PieceHasher::digest(torrent.info().as_raw()));
    assert!(torrent.info_hash_v2().is_some());
    assert_eq!(torrent.hashes(), right);
    // `mismatching_metadata`: the length of version 1 differs.
    let hostile = out[..len].to_vec();
    let at = hostile.windows(14).rposition(|window| window == b"6:lengthi40000").unwrap();
    let mut hostile = hostile;
    hostile[at + 13] = b'1';
    assert_eq!(Metainfo::decode(&hostile, Mode::Strict).err(), Some(MetainfoError::Hybrid));
}

/// Writes a v2 torrent of some files, each a path, a length and a root.
fn torrent(piece_len: i64, files: &[FileRow<'_>], layers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = vec![0; 4_000];
    let mut writer = Writer::new(&mut out);
    let done: Result<(), WriteError> = writer.dict(|top| {
        top.dict(b"info", |info| {
            info.dict(b"file tree", |tree| {
                files.iter().try_for_each(|(name, len, root)| {
                    tree.dict(name, |file| {
                        file.dict(b"", |properties| {
                            properties.int(b"length", *len)?;
                            root.map_or(Ok(()), |root| properties.bytes(b"pieces root", root))
                        })
                    })
                })
            })?;
            info.int(b"meta version", 2)?;
            info.bytes(b"name", b"n")?;
            info.int(b"piece length", piece_len)
        })?;
        top.dict(b"piece layers", |dict| {
            layers.iter().try_for_each(|(root, layer)| dict.bytes(root, layer))
        })
    });
    done.unwrap();
    let len = writer.finish().unwrap();
    out.truncate(len);
    out
}

/// What libtorrent refuses by these names in its `test_torrents`.
#[test]
fn hostile_torrents_are_refused() {
    let layer = LAYER.map(hash).concat();
    let root = hash(ROOT);
    let refusal = |bytes: &[u8]| Metainfo::decode(bytes, Mode::Lenient).err();
    let good = (&b"a"[..], 70_000, Some(&root[..]));
    let with = |layer: &[u8]| torrent(32_768, &[good], &[(&root, layer)]);
    assert_eq!(refusal(&with(&layer)), None);
    let small = (&b"b"[..], 5, Some(&[7_u8; 32][..]));
    let empty = (&b"c"[..], 0, None);
    assert_eq!(refusal(&torrent(32_768, &[good, small, empty], &[(&root, &layer)])), None);
    let other = [1; 32];
    let zeros = [0; 32];
    let mut flipped = layer.clone();
    flipped[40] ^= 1;
    for (name, bytes, why) in [
        (
            "no_power2_piece",
            torrent(32_769, &[good], &[(&root, &layer)]),
            MetainfoError::Length(32_769),
        ),
        ("short_piece", torrent(8_192, &[good], &[(&root, &layer)]), MetainfoError::Length(8_192)),
        ("incomplete_piece_layer", with(&layer[..64]), MetainfoError::Layer),
        ("non_multiple_piece_layer", with(&layer[..95]), MetainfoError::Layer),
        ("invalid_piece_layer_size", with(&[&layer[..], &other].concat()), MetainfoError::Layer),
        ("invalid_piece_layer", with(&flipped), MetainfoError::Layer),
        (
            "piece_layer_invalid_file_hash",
            torrent(32_768, &[(b"a", 70_000, Some(&other))], &[(&other, &layer)]),
            MetainfoError::Layer,
        ),
        (
            "invalid_piece_layer_root",
            torrent(32_768, &[good], &[(&root[..31], &layer)]),
            MetainfoError::Layer,
        ),
        (
            "unknown_piece_layer_entry",
            torrent(32_768, &[small], &[(&other, &layer)]),
            MetainfoError::Layer,
        ),
        (
            "invalid_root_hash",
            torrent(32_768, &[(b"a", 5, Some(&root[..20]))], &[]),
            MetainfoError::Root,
        ),
        ("no_root", torrent(32_768, &[(b"a", 5, None)], &[]), MetainfoError::Root),
        ("zero_root_small", torrent(32_768, &[(b"a", 5, Some(&zeros))], &[]), MetainfoError::Root),
        (
            "zero_root",
            torrent(32_768, &[(b"a", 70_000, Some(&zeros))], &[(&zeros, &layer)]),
            MetainfoError::Root,
        ),
        ("root_of_nothing", torrent(32_768, &[(b"a", 0, Some(&other))], &[]), MetainfoError::Root),
        (
            "negative_size",
            torrent(32_768, &[(b"a", -1, Some(&other))], &[]),
            MetainfoError::Length(-1),
        ),
        ("no_files", torrent(32_768, &[], &[]), MetainfoError::Tree),
    ] {
        assert_eq!(refusal(&bytes), Some(why), "{name}");
    }
    // Peers have the layers, if a file of another program has none.
    let layerless = torrent(32_768, &[good], &[]);
    assert_eq!(refusal(&layerless), None);
    let lenient = Metainfo::decode(&layerless, Mode::Lenient).unwrap();
    assert!(lenient.v2_files().all(|(_, layer)| layer.is_none()));
    assert_eq!(Metainfo::decode(&layerless, Mode::Strict).err(), Some(MetainfoError::Layer));
    let text = |tree: &str| {
        let info = format!("d9:file tree{tree}12:meta versioni2e4:name1:n12:piece lengthi32768ee");
        refusal(format!("d4:info{info}12:piece layersdee").as_bytes())
    };
    let file = "d0:d6:lengthi0eee";
    assert_eq!(text(&format!("d1:a{file}e")), None);
    assert_eq!(text("d0:d6:lengthi0eee"), Some(MetainfoError::Tree), "the tree is a file");
    let siblings = "d1:ad0:d6:lengthi0ee1:bd0:d6:lengthi0eeeee";
    assert_eq!(text(siblings), Some(MetainfoError::Tree), "a file with siblings");
    assert_eq!(text("d1:ai1ee"), Some(MetainfoError::Tree));
    let deep = format!("{}{file}{}", "d1:a".repeat(16), "e".repeat(16));
    assert_eq!(text(&deep), Some(MetainfoError::Tree), "deep_recursion");
    let less = format!("{}{file}{}", "d1:a".repeat(15), "e".repeat(15));
    assert_eq!(text(&less), None);
    let version = b"d4:infod12:meta versioni3e4:name1:n12:piece lengthi32768eee";
    assert_eq!(refusal(version), Some(MetainfoError::Version(3)));
    let unordered = torrent(32_768, &[small, empty], &[]);
    let swapped = String::from_utf8(unordered).unwrap().replace("1:b", "1:d");
    let strict = Metainfo::decode(swapped.as_bytes(), Mode::Strict).err();
    assert_eq!(strict, Some(MetainfoError::Bencode(BencodeError::Order)), "unordered_files");
    assert_eq!(refusal(swapped.as_bytes()), Some(MetainfoError::Tree), "unordered_files");
}

/// Every file begins with a piece; the lengths between are no content.
#[test]
fn files_begin_with_a_piece() {
    let root = [7; 32];
    let files: [FileRow<'_>; 3] =
        [(b"a", 10, Some(&root)), (b"b", 0, None), (b"c", 20_000, Some(&root))];
    let bytes = torrent(32_768, &files, &[]);
    let torrent = Metainfo::decode(&bytes, Mode::Strict).unwrap();
    let places: Vec<_> = torrent.files().map(|file| (file.offset(), file.len())).collect();
    assert_eq!(places, [(0, 10), (10, 0), (32_768, 20_000)]);
    assert_eq!(torrent.geometry().pieces(), 2);
    assert!(!torrent.is_single() && torrent.hashes().is_empty());
    let path: Vec<_> = torrent.files().nth(2).unwrap().raw_path().collect();
    assert_eq!(path, [&b"n"[..], b"c"]);
}

/// BEP 52: the frames round trip; the number of hashes beside the way up.
#[test]
fn hash_messages_are_read_and_written_back() {
    let mut seen = 0;
    for row in common::rows(include_str!("data/peer_wire.txt"), "frame") {
        let bytes = unhex(row[2]);
        if bytes.len() < 5 || !(21..=23).contains(&bytes[4]) {
            continue;
        }
        seen += 1;
        let message = HashMessage::decode(bytes[4], &bytes[5..]).unwrap().unwrap();
        let mut out = vec![0; message.encoded_len()];
        assert_eq!(message.encode(&mut out), Ok(bytes.len()));
        assert_eq!(out, bytes, "{}", row[1]);
        assert!(HashMessage::decode(bytes[4], &bytes[6..]).is_err());
    }
    assert!(seen >= 3, "{seen}");
    let range = |index, length, proof_layers| HashRange {
        root: [1; 32],
        base: 0,
        index,
        length,
        proof_layers,
    };
    assert_eq!([0, 1, 9, 12].map(|proof| range(0, 512, proof).uncles()), [0, 0, 1, 4]);
    assert_eq!(range(0, 2, 3).uncles(), 3);
    assert!(range(4, 4, 1).is_valid() && !range(2, 4, 1).is_valid());
    assert!(!range(0, 1, 1).is_valid() && !range(0, 0, 1).is_valid() && !range(0, 6, 1).is_valid());
}

/// Hashers are equal if they were given the same bytes, in whatever parts.
#[test]
fn hashers_are_equal_if_their_bytes_are() {
    let hasher = |parts: &[&[u8]]| {
        let mut hasher = MerkleHasher::new();
        for part in parts {
            hasher.update(part);
        }
        hasher
    };
    let bytes = vec![7; 40_000];
    let (head, rest) = bytes.split_at(20_001);
    let whole = hasher(&[&bytes]);
    assert_eq!(whole, hasher(&[head, rest]));
    assert_ne!(whole, hasher(&[&bytes[1..]]), "another length");
    for changed in [0, 39_999] {
        let mut other = bytes.clone();
        other[changed] = 8;
        assert_ne!(whole, hasher(&[&other]), "byte {changed} differs");
    }
}
