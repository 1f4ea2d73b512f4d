//! Metainfo as other programs write it: paths that are safe to store, lenience, and limits.

mod common;

use bittorrent_pieces::bencode::{BencodeError, Mode};
use bittorrent_pieces::merkle::{MerkleHash, PieceLayer, layer_root, pad_hash};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MAX_PIECE_LEN, MetainfoBuilder, MetainfoError, MetainfoOptions,
    PathError, PathPolicy, PathSlot, SafePaths, Version,
};
use bittorrent_pieces::{Metainfo, PieceHashes};
use common::{rows, unhex};

const PATHS: &str = include_str!("data/paths.txt");

/// Writes a torrent of empty files with the given name and paths.
fn torrent(name: &[u8], paths: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut file = b"d4:infod5:filesl".to_vec();
    for path in paths {
        file.extend(b"d6:lengthi0e4:pathl");
        for element in path {
            file.extend(format!("{}:", element.len()).bytes());
            file.extend(element);
        }
        file.extend(b"ee");
    }
    file.extend(format!("e4:name{}:", name.len()).bytes());
    file.extend(name);
    file.extend(b"12:piece lengthi16384e6:pieces0:ee");
    file
}

/// Returns the path and the target of each file.
fn stored(file: &[u8], policy: PathPolicy) -> Result<Vec<(String, Option<String>)>, PathError> {
    let torrent = Metainfo::decode(file, Mode::Lenient).expect("a torrent");
    let slots = vec![PathSlot::EMPTY; torrent.path_slots()];
    let mut paths = SafePaths::new(&torrent, policy, slots)?;
    let mut buf = [0; 4_096];
    let mut stored = Vec::new();
    while let Some(file) = paths.next(&mut buf)? {
        stored.push((file.path.to_string(), file.target.map(|target| target.to_string())));
    }
    Ok(stored)
}

fn paths(file: &[u8], policy: PathPolicy) -> Result<Vec<String>, PathError> {
    Ok(stored(file, policy)?.into_iter().map(|(path, _)| path).collect())
}

fn split(path: &str) -> Vec<Vec<u8>> {
    path.split('/').map(|element| element.as_bytes().to_vec()).collect()
}

#[test]
fn names_are_made_safe_as_libtorrent_does() {
    let mut seen = 0;
    for row in rows(PATHS, "one") {
        let elements: Vec<Vec<u8>> =
            row[1].split(',').map(|it| unhex(it.trim_matches('-'))).collect();
        let expected = format!("t/{}", String::from_utf8(unhex(row[2])).unwrap());
        let file = torrent(b"t", core::slice::from_ref(&elements));
        assert_eq!(paths(&file, PathPolicy::SANITISE), Ok(vec![expected.clone()]), "{}", row[1]);
        let raw = elements.iter().map(|element| String::from_utf8_lossy(element));
        let unchanged = format!("t/{}", raw.collect::<Vec<_>>().join("/")) == expected;
        let refused = paths(&file, PathPolicy::REFUSE);
        assert_eq!(refused.is_ok(), unchanged, "{} {refused:?}", row[1]);
        seen += 1;
    }
    assert_eq!(seen, 32);
}

#[test]
fn equal_paths_are_renamed_as_libtorrent_does() {
    let mut seen = 0;
    for row in rows(PATHS, "all") {
        let [all, expected] = [1, 2].map(|column| {
            let paths = row[column].split(',').map(|path| String::from_utf8(unhex(path)).unwrap());
            paths.collect::<Vec<_>>()
        });
        let elements: Vec<_> = all.iter().map(|path| split(path)).collect();
        let file = torrent(b"t", &elements);
        let expected: Vec<String> = expected.iter().map(|path| format!("t/{path}")).collect();
        assert_eq!(paths(&file, PathPolicy::RENAME), Ok(expected), "{all:?}");
        for policy in [PathPolicy::REFUSE, PathPolicy::SANITISE] {
            let refused = paths(&file, policy);
            assert!(matches!(refused, Err(PathError::Taken(_))), "{all:?} {refused:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// Names of two files that differ in bytes but not once they are text.
#[test]
fn names_that_become_equal_are_renamed() {
    let names = |names: &[&[u8]]| names.iter().map(|name| vec![name.to_vec()]).collect::<Vec<_>>();
    for (raw, expected) in [
        (names(&[b"caf\xe9", b"caf\xe8"]), ["t/caf_", "t/caf_.1"]),
        (names(&[b"a\0", b"a"]), ["t/a", "t/a.1"]),
        (names(&["\u{200B}x".as_bytes(), b"x"]), ["t/x", "t/x.1"]),
        (names(&["\u{C9}".as_bytes(), "\u{E9}".as_bytes()]), ["t/\u{C9}", "t/\u{E9}.1"]),
        (names(&[b"..", b"."]), ["t/_", "t/_.1"]),
    ] {
        let expected = expected.map(str::to_owned).to_vec();
        assert_eq!(paths(&torrent(b"t", &raw), PathPolicy::RENAME), Ok(expected));
    }
}

/// Where an element ends counts, and not only the letters.
#[test]
fn paths_of_the_same_letters_are_not_equal() {
    let all = ["ab/c", "a/bc", "abc", "a/b/c"].map(split);
    let expected = ["t/ab/c", "t/a/bc", "t/abc", "t/a/b/c"].map(str::to_owned).to_vec();
    assert_eq!(paths(&torrent(b"t", &all), PathPolicy::REFUSE), Ok(expected));
}

#[test]
fn names_for_windows_avoid_devices_and_special_characters() {
    for (name, expected) in [
        ("CON.txt", "_CON.txt"),
        ("com1", "_com1"),
        ("com0", "com0"),
        ("lpt9 .x", "_lpt9 .x"),
        ("console", "console"),
        ("a*?<>|\"b:", "a______b_"),
        ("abc...", "abc"),
        ("   ", "_"),
        ("x. .", "x"),
    ] {
        let file = torrent(b"t", &[vec![name.as_bytes().to_vec()]]);
        let stored = paths(&file, PathPolicy::RENAME.for_windows());
        assert_eq!(stored, Ok(vec![format!("t/{expected}")]), "{name}");
    }
}

#[test]
fn the_name_of_a_torrent_is_made_safe_too() {
    let single = |name: &str| {
        let len = name.len();
        format!("d4:infod6:lengthi0e4:name{len}:{name}12:piece lengthi16384e6:pieces0:ee")
            .into_bytes()
    };
    for (name, expected) in [("AC/DC", "ACDC"), ("C: the movie", "C: the movie"), ("..x", "..x")] {
        assert_eq!(paths(&single(name), PathPolicy::SANITISE), Ok(vec![expected.to_owned()]));
    }
    let windows = PathPolicy::SANITISE.for_windows();
    assert_eq!(paths(&single("C: the movie"), windows), Ok(vec!["C_ the movie".to_owned()]));
    assert_eq!(paths(&single("AC/DC"), PathPolicy::REFUSE), Err(PathError::Name));
    for nothing in ["", "..", "/", "\u{FEFF}"] {
        let file = single(nothing);
        let hash = Metainfo::decode(&file, Mode::Strict).unwrap().info_hash().to_string();
        assert_eq!(paths(&file, PathPolicy::SANITISE), Ok(vec![hash]), "{nothing:?}");
    }
    let file = torrent(b"..", &[split("a")]);
    let hash = Metainfo::decode(&file, Mode::Strict).unwrap().info_hash();
    assert_eq!(paths(&file, PathPolicy::SANITISE), Ok(vec![format!("{hash}/a")]));
}

#[test]
fn a_refused_path_is_named() {
    let file = torrent(b"t", &[split("a"), split("b/../c"), split("d")]);
    assert_eq!(paths(&file, PathPolicy::REFUSE), Err(PathError::Unsafe(1)));
    let deep = vec![vec![b"a".to_vec(); 101]];
    assert_eq!(paths(&torrent(b"t", &deep), PathPolicy::RENAME), Err(PathError::TooDeep(0)));
    let same = vec![split("a.b"); 502];
    assert_eq!(paths(&torrent(b"t", &same), PathPolicy::RENAME), Err(PathError::Taken(501)));
    let file = torrent(b"t", &[split("a"), split("b")]);
    let metainfo = Metainfo::decode(&file, Mode::Strict).unwrap();
    let full = SafePaths::new(&metainfo, PathPolicy::RENAME, [PathSlot::EMPTY; 1]).err();
    assert_eq!(full, Some(PathError::Full { capacity: 1 }));
    let mut paths = SafePaths::new(&metainfo, PathPolicy::RENAME, [PathSlot::EMPTY; 8]).unwrap();
    assert_eq!(paths.name().as_str(), "t");
    assert!(matches!(paths.next(&mut [0; 2]), Err(PathError::Buffer(short)) if short.needed == 3));
    assert_eq!(paths.next(&mut [0; 3]).unwrap().unwrap().path.as_str(), "t/a");
}

/// BEP 47: a link has no length, and points to what the torrent contains.
#[test]
fn links_stay_inside_of_the_torrent() {
    let with = |len: &str, target: &str| {
        let link = format!("d4:attr1:l{len}4:pathl1:d1:be12:symlink pathl{target}ee");
        let files = format!("ld6:lengthi5e4:pathl1:d1:aee{link}e");
        let pieces = "p".repeat(20);
        format!("d4:infod5:files{files}4:name1:n12:piece lengthi16384e6:pieces20:{pieces}ee")
    };
    for len in ["", "6:lengthi5e"] {
        let file = with(len, "1:d1:a");
        let torrent = Metainfo::decode(file.as_bytes(), Mode::Strict).unwrap();
        assert_eq!(torrent.geometry().total(), 5);
        assert_eq!(
            torrent.files().map(|file| file.is_symlink()).collect::<Vec<_>>(),
            [false, true]
        );
    }
    for (target, stored_target) in [
        ("1:d1:a", Some("n/d/a")), // from the folder of the torrent
        ("1:a", Some("n/d/a")),    // from the folder of the link
        ("1:d", Some("n/d")),
        ("2:..2:..1:d1:a", Some("n/d/a")),
        ("2:..3:etc", None),
        ("1:x", None),
        ("4:/etc", None),
    ] {
        let file = with("", target);
        let link = stored(file.as_bytes(), PathPolicy::RENAME).unwrap().pop().unwrap();
        assert_eq!((&link.0[..], link.1.as_deref()), ("n/d/b", stored_target), "{target}");
    }
    let refused = stored(with("", "1:x").as_bytes(), PathPolicy::REFUSE);
    assert_eq!(refused, Err(PathError::Target(1)));
}

/// A file below a link would be written to the target of the link.
#[test]
fn a_symbolic_link_cannot_be_a_folder_of_another_file() {
    let file = b"d4:infod5:filesld4:attr1:l4:pathl1:xe12:symlink pathl1:dee\
        d6:lengthi0e4:pathl1:x1:yeed6:lengthi0e4:pathl1:d1:zeee4:name1:n12:piece lengthi16384e6:pieces0:ee";
    assert_eq!(
        paths(file, PathPolicy::RENAME),
        Ok(["n/x.1", "n/x/y", "n/d/z"].map(str::to_owned).to_vec())
    );
}

#[test]
fn utf8_keys_win_over_other_encodings() {
    let file = b"d4:infod5:filesld6:lengthi0e4:pathl4:caf\xe9e10:path.utf-8l5:caf\xc3\xa9eee\
        4:name2:\xff\xfe10:name.utf-84:good12:piece lengthi16384e6:pieces0:ee";
    assert_eq!(paths(file, PathPolicy::REFUSE), Ok(vec!["good/caf\u{E9}".to_owned()]));
}

#[test]
fn a_path_in_utf8_wins_in_any_order_unless_it_is_empty() {
    let path_of = |keys: &str| {
        let file = format!(
            "d4:infod5:filesld6:lengthi0e{keys}ee4:name1:n12:piece lengthi16384e6:pieces0:ee"
        );
        paths(file.as_bytes(), PathPolicy::REFUSE)
    };
    let new = Ok(vec!["n/new".to_owned()]);
    assert_eq!(path_of("4:pathl3:olde10:path.utf-8l3:newe"), new);
    assert_eq!(path_of("10:path.utf-8l3:newe4:pathl3:olde"), new);
    assert_eq!(path_of("10:path.utf-8l3:newe"), new);
    assert_eq!(path_of("4:pathl3:newe10:path.utf-8le"), new);
    assert_eq!(path_of("10:path.utf-8le4:pathl3:newe"), new);
    assert_eq!(path_of("4:pathl3:newe10:path.utf-83:old"), new);
}

#[test]
fn padding_files_need_no_path_and_get_none() {
    let file = b"d4:infod5:filesld4:attr1:p6:lengthi0eed4:attr1:p6:lengthi0e4:pathl1:aee\
        d6:lengthi0e4:pathl1:aeee4:name1:n12:piece lengthi16384e6:pieces0:ee";
    assert_eq!(paths(file, PathPolicy::REFUSE), Ok(vec!["n/a".to_owned()]));
}

#[test]
fn lenient_mode_accepts_bytes_after_the_end() {
    let file = b"d4:infod6:lengthi0e4:name1:n12:piece lengthi16384e6:pieces0:ee\r\n";
    assert!(Metainfo::decode(file, Mode::Lenient).is_ok());
    let strict = Metainfo::decode(file, Mode::Strict).err();
    assert_eq!(strict, Some(MetainfoError::Bencode(BencodeError::Trailing(2))));
}

/// A few bytes must not make a client provide memory for a piece of 4 GiB.
#[test]
fn a_piece_length_above_the_limit_is_refused() {
    let file = |len: u64| {
        let pieces = "p".repeat(20);
        format!("d4:infod6:lengthi5e4:name1:n12:piece lengthi{len}e6:pieces20:{pieces}ee")
    };
    let refusal = |len| Metainfo::decode(file(len).as_bytes(), Mode::Lenient).err();
    assert_eq!(refusal(u64::from(MAX_PIECE_LEN)), None);
    for len in [1 << 29, u32::MAX] {
        let error = MetainfoError::PieceLen { len, max: MAX_PIECE_LEN };
        assert_eq!(refusal(u64::from(len)), Some(error));
    }
    assert_eq!(refusal(1 << 32), Some(MetainfoError::Length(1 << 32)));
    let device = Metainfo::decode_with(file(65_537).as_bytes(), Mode::Strict, 65_536).err();
    assert_eq!(device, Some(MetainfoError::PieceLen { len: 65_537, max: 65_536 }));
}

/// BEP 47: `x` is executable, `l` a symbolic link, `p` padding, `h` hidden; several may stand together.
#[test]
fn attributes_are_letters() {
    let file = |attributes: &str, name: &str| {
        let link = if attributes.contains('l') { "12:symlink pathl1:1e" } else { "" };
        let len = attributes.len();
        let size = if attributes.contains('l') { "" } else { "6:lengthi5e" };
        format!("d4:attr{len}:{attributes}{size}4:pathl1:{name}e{link}e")
    };
    let files = [file("x", "1"), file("h", "2"), file("p", "3"), file("hx", "4"), file("l", "5")];
    let torrent = format!(
        "d4:infod5:filesl{}e4:name1:n12:piece lengthi16384e6:pieces20:{}ee",
        files.concat(),
        "p".repeat(20)
    );
    let metainfo = Metainfo::decode(torrent.as_bytes(), Mode::Strict).expect("a torrent");
    let facts = metainfo.files().map(|it| (it.is_executable(), it.is_padding(), it.is_symlink()));
    assert_eq!(
        facts.collect::<Vec<_>>(),
        [
            (true, false, false),
            (false, false, false),
            (false, true, false),
            (true, false, false),
            (false, false, true),
        ]
    );
}

/// What programs older than BEP 47 write, and libtorrent takes for padding; elsewhere the same name is a name.
#[test]
fn padding_without_an_attribute_is_known_by_its_name() {
    let torrent = b"d4:infod5:filesld6:lengthi5e4:pathl1:aeed6:lengthi7e4:pathl1:d\
        20:_____padding_file_0_eed6:lengthi4e4:pathl18:_____padding_file_1:beee4:name1:n12:piece lengthi16384e\
        6:pieces20:01234567890123456789ee";
    let metainfo = Metainfo::decode(torrent, Mode::Strict).unwrap();
    let padding: Vec<_> = metainfo.files().map(|file| file.is_padding()).collect();
    assert_eq!(padding, [false, true, false]);
    let single = b"d4:infod6:lengthi5e4:name20:_____padding_file_0_12:piece lengthi16384e\
        6:pieces20:01234567890123456789ee";
    let metainfo = Metainfo::decode(single, Mode::Strict).unwrap();
    assert!(metainfo.files().all(|file| !file.is_padding()));
}

/// Some programs write a list of trackers without a usable one beside `announce`.
#[test]
fn a_list_without_trackers_does_not_hide_the_tracker() {
    let info = "4:infod6:lengthi0e4:name1:n12:piece lengthi16384e6:pieces0:e";
    for (list, expected) in [
        ("le", &["udp://a"][..]),
        ("llee", &["udp://a"]),
        ("li5eli5eee", &["udp://a"]),
        ("ll9:http://b/i5eei5elee", &["http://b/"]),
        ("ll0:ee", &["udp://a"]),
        ("ll2: \nel0:ee", &["udp://a"]),
        ("l9:http://b/e", &["udp://a"]), // a tier is a list
        ("ll0:11: http://b/\nel0:9:http://c/ee", &["http://b/", "http://c/"]),
    ] {
        let file = format!("d8:announce9: udp://a\n13:announce-list{list}{info}e");
        let torrent = Metainfo::decode(file.as_bytes(), Mode::Strict).expect(list);
        let urls: Vec<_> = torrent.tiers().flatten().collect();
        let expected: Vec<_> = expected.iter().map(|url| url.as_bytes()).collect();
        assert_eq!(urls, expected, "{list}");
    }
}

/// The work must grow with the number of files, not with its square: a search looks at some of the layers.
#[test]
fn all_layers_of_many_files_are_found() {
    const PIECE: u32 = 16_384;
    let count = 3_000_u32;
    let layers: Vec<[MerkleHash; 2]> = (0..count)
        .map(|n| {
            [0, 1].map(|half| {
                bittorrent_pieces::PieceHasher::digest(&[n.to_be_bytes(), [half; 4]].concat())
            })
        })
        .map(|pair| pair.map(|hash| [&hash[..], &hash[..12]].concat().try_into().unwrap()))
        .collect();
    let paths: Vec<[String; 1]> = (0..count).map(|n| [format!("{n:06}")]).collect();
    let paths: Vec<[&[u8]; 1]> = paths.iter().map(|path| [path[0].as_bytes()]).collect();
    let files: Vec<ContentFile<'_>> = layers
        .iter()
        .zip(&paths)
        .map(|(layer, path)| ContentFile {
            len: u64::from(2 * PIECE),
            path,
            root: Some(layer_root(layer, pad_hash(0))),
        })
        .collect();
    let all = layers.as_flattened();
    let builder = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"n",
        piece_len: PIECE,
        hashes: PieceHashes::v2(PieceLayer::new(all)),
        private: None,
        version: Version::V2,
        content: Content::Multi(&files),
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 1 << 20];
    let len = builder.encode(&mut out).unwrap();
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    let mut seen = 0;
    for ((_, layer), expected) in torrent.v2_files().zip(&layers) {
        assert_eq!(layer.map(|layer| layer.hashes()), Some(&expected[..]));
        seen += 1;
    }
    assert_eq!(seen, count);
    assert_eq!(torrent.path_slots(), 3 * 3_000 * 3 / 2 + 8);
}
