//! The piece layers of a v2 torrent, in any order, and the padding that a builder writes.

use bittorrent_pieces::bencode::{BencodeError, Mode};
use bittorrent_pieces::merkle::{MerkleHash, PieceLayer};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoError, MetainfoOptions, Version,
};
use bittorrent_pieces::{Metainfo, PieceHashes};

const PIECE: u32 = 16_384;

/// Files of two pieces each, with their layers and roots; the layers ascend by their roots.
fn files(count: u32) -> Vec<(MerkleHash, [MerkleHash; 2])> {
    let hash = |number: u32| {
        let mut hash = [9; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        hash
    };
    let layers = (0..count).map(|number| [hash(2 * number), hash(2 * number + 1)]);
    let mut files: Vec<_> =
        layers.map(|layer| (PieceLayer::new(&layer).root(PIECE), layer)).collect();
    files.sort_unstable();
    files
}

/// Writes a torrent with the layers in the order of the given files.
fn torrent(
    files: &[(MerkleHash, [MerkleHash; 2])],
    layers: impl IntoIterator<Item = usize>,
) -> Vec<u8> {
    let string = |bytes: &[u8]| [format!("{}:", bytes.len()).as_bytes(), bytes].concat();
    let mut out = b"d4:infod9:file treed".to_vec();
    for (number, (root, _)) in files.iter().enumerate() {
        out.extend(format!("5:{number:05}d0:d6:lengthi{}e11:pieces root", 2 * PIECE).bytes());
        out.extend(string(root));
        out.extend(b"ee");
    }
    out.extend(b"e12:meta versioni2e4:name1:n12:piece lengthi16384ee12:piece layersd");
    for number in layers {
        let (root, layer) = &files[number];
        out.extend(string(root));
        out.extend(string(layer.as_flattened()));
    }
    out.extend(b"ee");
    out
}

/// Returns whether each file is given its own layer.
fn finds_all(bytes: &[u8], files: &[(MerkleHash, [MerkleHash; 2])]) -> bool {
    let torrent = Metainfo::decode(bytes, Mode::Lenient).expect("a torrent");
    let found = torrent.v2_files().map(|(file, layer)| (file.root, layer.map(|it| it.hashes())));
    found.eq(files.iter().map(|(root, layer)| (*root, Some(&layer[..]))))
}

/// Programs that write the layers in the order of the files are read in lenient mode; each file gets its own layer.
#[test]
fn layers_are_found_in_any_order() {
    let files = files(5);
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 2, 3, 4, 0], [0, 2, 1, 4, 3]] {
        let bytes = torrent(&files, order);
        assert!(finds_all(&bytes, &files), "{order:?}");
        let strict = Metainfo::decode(&bytes, Mode::Strict).err();
        let refused = order.is_sorted().then_some(None);
        let order = Some(MetainfoError::Bencode(BencodeError::Order));
        assert_eq!(strict, refused.unwrap_or(order));
    }
}

/// A layer that no file has is refused, wherever it is; so is a layer that is missing or of another file.
#[test]
fn each_layer_belongs_to_a_file() {
    let six = files(6);
    let refusal = |bytes: &[u8]| Metainfo::decode(bytes, Mode::Strict).err();
    for extra in [0, 3, 5] {
        let mut five = six.clone();
        five.remove(extra);
        assert_eq!(refusal(&torrent(&five, 0..5)), None);
        assert_eq!(refusal(&torrent(&five, 0..4)), Some(MetainfoError::Layer), "one is missing");
        // The layer of the sixth file is there, and its file is not.
        let mut bytes = torrent(&six, 0..6);
        let name = format!("5:{extra:05}d0:d6:lengthi32768e11:pieces root32:");
        let at = bytes.windows(name.len()).position(|it| it == name.as_bytes()).unwrap();
        bytes.drain(at..at + name.len() + 32 + 2);
        assert_eq!(refusal(&bytes), Some(MetainfoError::Layer), "nobody has {extra}");
    }
}

/// A search among layers out of order looks at all of them, so that only a thousand may be.
#[test]
fn at_most_a_thousand_layers_may_be_out_of_order() {
    for (count, last, refused) in [(1_000, 0, false), (1_001, 0, true), (1_001, 1_000, false)] {
        let files = files(count);
        let others = (0..count as usize).filter(|number| *number != last);
        let bytes = torrent(&files, others.chain([last]));
        let refusal = Metainfo::decode(&bytes, Mode::Lenient).err();
        assert_eq!(refusal, refused.then_some(MetainfoError::Layer), "{count} {last}");
        assert!(refused || finds_all(&bytes, &files));
    }
}

/// More layers than places that are remembered: 224 of them, at a distance of two and more.
#[test]
fn layers_are_found_among_hundreds() {
    for count in [1, 2, 223, 224, 225, 448, 449] {
        let files = files(count);
        assert!(finds_all(&torrent(&files, 0..count as usize), &files), "{count}");
    }
}

/// In a hybrid torrent, padding follows a file that does not end with a piece, unless it is the last one.
#[test]
fn padding_is_written_where_a_file_does_not_end_with_a_piece() {
    for (lens, expected) in [
        ([16_384, 100, 5], &[16_384, 100, 16_284, 5][..]),
        ([16_383, 32_768, 16_384], &[16_383, 1, 32_768, 16_384]),
        ([16_385, 16_384, 1], &[16_385, 16_383, 16_384, 1]),
    ] {
        let pieces = lens.map(|len| u64::div_ceil(len, PIECE.into()) as usize);
        let total: usize = pieces.iter().sum();
        let old = vec![[7; 20]; total];
        let layer = vec![[9; 32]; total];
        let hashes = PieceHashes::hybrid(PieceHashes::new(&old), PieceLayer::new(&layer)).unwrap();
        let root = |pieces: usize| PieceLayer::new(&layer[..pieces]).root(PIECE);
        let paths: [[&[u8]; 1]; 3] = [[b"a"], [b"b"], [b"c"]];
        let mut files = Vec::new();
        for (at, len) in lens.into_iter().enumerate() {
            files.push(ContentFile { len, path: &paths[at], root: Some(root(pieces[at])) });
        }
        let builder = MetainfoBuilder {
            announce: None,
            tiers: &[],
            name: b"n",
            piece_len: PIECE,
            hashes,
            private: None,
            content: Content::Multi(&files),
            version: Version::Hybrid,
            options: MetainfoOptions::default(),
        };
        let mut out = [0; 2_000];
        let len = builder.encode(&mut out).unwrap();
        let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
        let written: Vec<u64> = torrent.files().map(|file| file.len()).collect();
        assert_eq!(written, expected);
        let padding = torrent.files().filter(bittorrent_pieces::metainfo::File::is_padding);
        assert_eq!(padding.count(), expected.len() - 3);
        let (short, hash) = builder.encode_info(&mut out).unwrap();
        assert!(short < len && hash == torrent_hash(&out[..short]));
    }
}

fn torrent_hash(info: &[u8]) -> bittorrent_pieces::InfoHash {
    Metainfo::from_info(info, Mode::Strict).unwrap().info_hash()
}

/// BEP 47 in a tree: a link has neither bytes nor a root, whatever length it states.
#[test]
fn a_link_in_a_tree_has_no_bytes() {
    for len in ["", "6:lengthi7e"] {
        let link = format!("1:ad0:d4:attr1:l{len}12:symlink pathl1:beee");
        let file = format!("1:bd0:d6:lengthi5e11:pieces root32:{}ee", "r".repeat(32));
        let info =
            format!("d9:file treed{link}{file}e12:meta versioni2e4:name1:n12:piece lengthi16384ee");
        let torrent =
            Metainfo::decode(format!("d4:info{info}e").as_bytes(), Mode::Strict).map(|torrent| {
                torrent
                    .files()
                    .map(|file| (file.is_symlink(), file.len(), file.offset()))
                    .collect::<Vec<_>>()
            });
        assert_eq!(torrent, Ok(vec![(true, 0, 0), (false, 5, 0)]), "{len}");
    }
    let none =
        "d4:infod9:file treed1:ad0:d0:0:eee12:meta versioni2e4:name1:n12:piece lengthi16384eee";
    let missing = Metainfo::decode(none.as_bytes(), Mode::Strict).err();
    assert_eq!(
        missing,
        Some(MetainfoError::Key("length")),
        "a file that is not a link has a length"
    );
}

/// BEP 27: only a 1 makes a torrent private.
#[test]
fn a_torrent_is_private_if_it_says_so() {
    for (private, is) in [
        ("", false),
        ("7:privatei1e", true),
        ("7:privatei0e", false),
        ("7:privatei2e", true), // as libtorrent reads it
        ("7:privatei-1e", true),
        ("7:private1:1", true),
        ("7:private4:true", true),
        ("7:private1:0", false),
        ("7:private0:", false),
        ("7:privateli1ee", false),
    ] {
        let file =
            format!("d4:infod6:lengthi0e4:name1:n12:piece lengthi16384e6:pieces0:{private}ee");
        let torrent = Metainfo::decode(file.as_bytes(), Mode::Strict).unwrap();
        assert_eq!(torrent.is_private(), is, "{private}");
        assert!(
            torrent.is_single() && torrent.info_hash_v2().is_none() && torrent.root().is_none()
        );
    }
}

/// The parts of the files that a run of the content lies in; files without bytes have none.
#[test]
fn a_run_of_the_content_lies_in_files() {
    let files: String = [("a", 10), ("b", 0), ("c", 5), ("d", 20)]
        .map(|(name, len)| format!("d6:lengthi{len}e4:pathl1:{name}ee"))
        .concat();
    let file = format!(
        "d4:infod5:filesl{files}e4:name1:n12:piece lengthi16384e6:pieces20:{}ee",
        "x".repeat(20)
    );
    let torrent = Metainfo::decode(file.as_bytes(), Mode::Strict).unwrap();
    let spans = |offset, len| -> Vec<(u64, u64, u64)> {
        torrent.spans(offset, len).map(|span| (span.file.offset(), span.offset, span.len)).collect()
    };
    assert_eq!(spans(0, 35), [(0, 0, 10), (10, 0, 5), (15, 0, 20)]);
    assert_eq!(spans(9, 1), [(0, 9, 1)]);
    assert_eq!(spans(10, 5), [(10, 0, 5)]);
    assert_eq!(spans(14, 2), [(10, 4, 1), (15, 0, 1)]);
    assert_eq!(spans(34, 100), [(15, 19, 1)]);
    assert_eq!(spans(35, 1), []);
    assert_eq!(spans(5, 0), []);
    assert_eq!(spans(0, u64::MAX).len(), 3);
    assert!(
        !torrent.is_single()
            && torrent.files().filter(bittorrent_pieces::metainfo::File::is_empty).count() == 1
    );
}
