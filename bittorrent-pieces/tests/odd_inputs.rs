//! Inputs that real programs and strangers send: names of other scripts, halves that disagree, empty and giant torrents,
//! answers of trackers, handshakes in pieces, and peers that change their mind or lie.

use core::time::Duration;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::fetch::{FetchEvent, FetchSlot, FetchSlots};
use bittorrent_pieces::metainfo::{MetainfoError, PathError, PathPolicy, PathSlot, SafePaths};
use bittorrent_pieces::tracker::http::{Announced, Answer, RetryIn};
use bittorrent_pieces::wire::extended::{Extended, Metadata};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::*;

const ZERO: Duration = Duration::ZERO;

/// A torrent of version 1 with files of three bytes.
fn torrent_of(paths: &[&str]) -> Vec<u8> {
    let file = |path: &&str| {
        let elements: Vec<_> = path.split('/').map(|it| format!("{}:{it}", it.len())).collect();
        format!("d6:lengthi3e4:pathl{}ee", elements.concat())
    };
    let files: String = paths.iter().map(file).collect();
    let pieces = "x".repeat(20 * (3 * paths.len()).div_ceil(16_384));
    let hashes = pieces.len();
    format!("d4:infod5:filesl{files}e4:name1:t12:piece lengthi16384e6:pieces{hashes}:{pieces}ee")
        .into_bytes()
}

fn safe(paths: &[&str], policy: PathPolicy) -> Result<Vec<String>, PathError> {
    let bytes = torrent_of(paths);
    let metainfo = Metainfo::decode(&bytes, Mode::Strict).unwrap();
    let mut safe = SafePaths::new(&metainfo, policy, vec![PathSlot::EMPTY; metainfo.path_slots()])?;
    let mut buf = [0; 4_096];
    let mut all = Vec::new();
    while let Some(file) = safe.next(&mut buf)? {
        all.push(file.path.as_str()[2..].to_owned());
    }
    Ok(all)
}

#[test]
fn names_of_other_scripts_stay_and_differ_without_regard_to_case() {
    let names = ["фильм.mkv", "映画.mkv", "فيلم.mkv", "ταινία.mkv", "🎬.mkv", "e\u{301}.mkv"];
    assert_eq!(safe(&names, PathPolicy::RENAME).unwrap(), names);
    for (one, other) in [
        ("ФИЛЬМ", "фильм"),
        ("Ä", "ä"),
        ("ΤΈΛΟΣ", "τέλος"), // ends in the other small sigma
        ("τέλοσ", "τέλος"),
        ("\u{212A}", "k"), // the sign of Kelvin
        ("Straße", "STRASSE"),
    ] {
        assert_eq!(safe(&[one, other], PathPolicy::SANITISE), Err(PathError::Taken(1)), "{one}");
        let renamed = safe(&[one, other], PathPolicy::RENAME).unwrap();
        assert_eq!(renamed, [one.to_owned(), format!("{other}.1")]);
    }
}

#[test]
fn characters_that_hide_an_ending_are_dropped() {
    let names =
        safe(&["a\u{202E}gpj.exe", "b\u{200B}/c\u{FEFF}", "\u{2066}.."], PathPolicy::RENAME);
    assert_eq!(names.unwrap(), ["agpj.exe", "b/c", "_"]);
    assert_eq!(safe(&["a\u{202E}gpj.exe"], PathPolicy::REFUSE), Err(PathError::Unsafe(0)));
}

#[test]
fn names_that_windows_reserves_are_changed_for_it_alone() {
    let names = [
        "CON",
        "con.txt",
        "NUL .txt",
        "aux.tar.gz",
        "COM1",
        "lpt9.x",
        "COM\u{B9}",
        "lpt\u{B3}.txt",
        "CONIN$",
        "conout$.log",
        "a.",
        "b ",
        "c: d",
        "COM10",
        "console",
        "lpt",
    ];
    assert_eq!(safe(&names, PathPolicy::RENAME).unwrap(), names);
    let changed = [
        "_CON",
        "_con.txt",
        "_NUL .txt",
        "_aux.tar.gz",
        "_COM1",
        "_lpt9.x",
        "_COM\u{B9}",
        "_lpt\u{B3}.txt",
        "_CONIN$",
        "_conout$.log",
        "a",
        "b",
        "c_ d",
        "COM10",
        "console",
        "lpt",
    ];
    assert_eq!(safe(&names, PathPolicy::RENAME.for_windows()).unwrap(), changed);
    // Two names that become one.
    let names = safe(&["a", "a.", "A "], PathPolicy::RENAME.for_windows()).unwrap();
    assert_eq!(names, ["a", "a.1", "A.2"]);
}

/// The two halves of a hybrid torrent must name the same files, in the same order, at the same places (BEP 52).
#[test]
fn a_hybrid_torrent_whose_halves_disagree_is_refused() {
    let root = "r".repeat(32);
    let leaf = |len| format!("d0:d6:lengthi{len}e11:pieces root32:{root}ee");
    let tree = format!("9:file treed1:a{}1:b{}e", leaf(100), leaf(200));
    let pad = "d4:attr1:p6:lengthi16284e4:pathl4:.pad5:16284ee";
    let a = "d6:lengthi100e4:pathl1:aee";
    let b = "d6:lengthi200e4:pathl1:bee";
    let decode = |files: &str, pieces: usize| {
        let pieces = format!("6:pieces{}:{}", 20 * pieces, "x".repeat(20 * pieces));
        let info = format!(
            "d4:infod{tree}5:filesl{files}e12:meta versioni2e4:name1:t12:piece lengthi16384e{pieces}ee"
        );
        Metainfo::decode(info.as_bytes(), Mode::Strict).map(|metainfo| metainfo.geometry().pieces())
    };
    assert_eq!(decode(&format!("{a}{pad}{b}"), 2), Ok(2));
    for (files, pieces) in [
        (format!("{a}{b}"), 1),                                   // no padding
        (format!("{b}{pad}{a}"), 2),                              // another order
        (a.into(), 1),                                            // a file is missing
        (format!("{a}{pad}{b}d6:lengthi1e4:pathl1:cee"), 2),      // one too many
        (format!("{a}{pad}{}", b.replace("200", "201")), 2),      // another length
        (format!("{a}{pad}{}", b.replace("1:b", "1:B")), 2),      // another name
        (format!("{a}{pad}{}", b.replace("l1:b", "l1:x1:b")), 2), // in a folder
        (format!("{a}{}{b}", pad.replace("16284", "16285")), 2),  // another place
    ] {
        assert_eq!(decode(&files, pieces), Err(MetainfoError::Hybrid), "{files}");
    }
}

/// With `files` and `length`, the list counts; what is not a list does not (libtorrent).
#[test]
fn a_list_of_files_wins_over_a_length() {
    let list = "5:filesld6:lengthi3e4:pathl1:aeed6:lengthi2e4:pathl1:beee";
    for (content, single, len) in [
        (format!("{list}6:lengthi1e"), false, 5),
        (format!("{list}6:length3:one"), false, 5),
        ("5:filesde6:lengthi4e".into(), true, 4),
        ("5:files1:x6:lengthi4e".into(), true, 4),
    ] {
        let hash = "x".repeat(20);
        let info = format!("d{content}4:name1:n12:piece lengthi16384e6:pieces20:{hash}e");
        let metainfo = Metainfo::from_info(info.as_bytes(), Mode::Strict).expect(&content);
        assert_eq!((metainfo.is_single(), metainfo.geometry().total()), (single, len), "{content}");
        assert_eq!(metainfo.files().map(|file| file.len()).sum::<u64>(), len, "{content}");
    }
}

/// A key in UTF-8 that is empty does not hide the name.
#[test]
fn an_empty_name_in_utf8_does_not_count() {
    for (names, name) in [
        ("4:name1:n10:name.utf-80:", "n"),
        ("4:name1:n10:name.utf-82:\u{E9}", "\u{E9}"),
        ("4:name0:10:name.utf-80:", ""),
    ] {
        let info = format!("d6:lengthi0e{names}12:piece lengthi16384e6:pieces0:e");
        let metainfo = Metainfo::from_info(info.as_bytes(), Mode::Strict).expect(names);
        assert_eq!(metainfo.name(), name.as_bytes());
    }
}

#[test]
fn torrents_without_any_byte_are_read() {
    for (bytes, files) in [
        ("d4:infod6:lengthi0e4:name1:x12:piece lengthi16384e6:pieces0:ee", 1),
        (
            "d4:infod5:filesld6:lengthi0e4:pathl1:aeed6:lengthi0e4:pathl1:beee4:name1:x12:piece lengthi16384e6:pieces0:ee",
            2,
        ),
        (
            "d4:infod9:file treed1:ad0:d6:lengthi0eeee12:meta versioni2e4:name1:x12:piece lengthi16384eee",
            1,
        ),
        (
            "d4:infod9:file treed1:xd0:d6:lengthi0eeee12:meta versioni2e4:name1:x12:piece lengthi16384eee",
            1,
        ),
    ] {
        let metainfo = Metainfo::decode(bytes.as_bytes(), Mode::Strict).expect(bytes);
        assert_eq!(metainfo.geometry().pieces(), 0, "{bytes}");
        assert_eq!(metainfo.files().count(), files, "{bytes}");
        assert_eq!(metainfo.v2_files().count(), 0, "{bytes}");
        let content = TorrentContent::new(metainfo.geometry(), metainfo.hashes());
        let setup = TorrentSetup::new(Config::new(metainfo.info_hash(), PeerId([1; 20])));
        let storage = TorrentVec::new(&content, TorrentLimits::new());
        assert!(Torrent::new(setup, storage).unwrap().is_complete(), "{bytes}");
    }
}

/// A length near the end of the numbers, with the hashes of one piece: refused, and nothing is reserved for it.
#[test]
fn a_giant_file_with_few_hashes_is_refused() {
    for len in [1_u64 << 40, 1 << 62, i64::MAX as u64] {
        for piece_len in [16_384_u32, (1 << 29) - 1] {
            let bytes = format!(
                "d4:infod6:lengthi{len}e4:name1:x12:piece lengthi{piece_len}e6:pieces20:{}ee",
                "x".repeat(20)
            );
            let error = Metainfo::decode(bytes.as_bytes(), Mode::Strict).unwrap_err();
            assert!(
                matches!(error, MetainfoError::Pieces { hashes: 1, .. } | MetainfoError::TooLong),
                "{error}"
            );
        }
    }
    let two = "d4:infod5:filesld6:lengthi9223372036854775807e4:pathl1:aeed6:lengthi9223372036854775807e4:pathl1:bee\
        d6:lengthi2e4:pathl1:ceee4:name1:x12:piece lengthi16384e6:pieces0:ee";
    let error = Metainfo::decode(two.as_bytes(), Mode::Strict).unwrap_err();
    assert_eq!(error, MetainfoError::TooLong);
}

fn announced(body: &[u8]) -> Announced<'_> {
    match Announced::decode(body) {
        Ok(Answer::Done(announced)) => announced,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tracker_that_refuses_may_say_when_to_ask_again() {
    let minutes = |minutes: u64| Some(RetryIn::After(Duration::from_secs(60 * minutes)));
    for (body, expected) in [
        (&b"d14:failure reason4:busy8:retry ini5ee"[..], minutes(5)),
        (b"d14:failure reason4:busy8:retry in2:15e", minutes(15)),
        (b"d14:failure reason4:busy8:retry in5:nevere", Some(RetryIn::Never)),
        (b"d14:failure reason4:busy8:retry ini4294967295ee", minutes(4_294_967_295)),
        (b"d14:failure reason4:busy8:retry ini-5ee", None),
        (b"d14:failure reason4:busy8:retry in4:soone", None),
        (b"d14:failure reason4:busye", None),
        (b"d8:intervali60e8:retry ini5ee", None),
        (b"retry", None),
    ] {
        assert_eq!(RetryIn::decode(body), expected, "{}", body.escape_ascii());
    }
    let body = b"d14:failure reason4:busy8:retry ini5ee";
    assert_eq!(Announced::decode(body), Ok(Answer::Failure(b"busy")));
    let beside = b"d14:failure reason4:busy8:intervali60e5:peers6:\xC0\0\x02\x01\x1A\xE1e";
    assert_eq!(Announced::decode(beside), Ok(Answer::Failure(b"busy")), "it counts");
}

/// Peers with names, IPv6 texts and binary ids; what is malformed costs only itself.
#[test]
fn a_list_of_peers_is_read_as_far_as_it_is_valid() {
    let id = "\u{0}".repeat(20);
    let entry =
        |ip: &str, port: &str| format!("d2:ip{}:{ip}7:peer id20:{id}4:porti{port}ee", ip.len());
    let entries = [
        entry("192.0.2.1", "6881"),
        entry("peer.example", "1"),
        entry("2001:db8::1", "65535"),
        entry("192.0.2.2", "0"),
        entry("192.0.2.3", "65536"),
        entry("192.0.2.4", "-1"),
        entry("not a name", "1"),
        entry("", "1"),
        "i7e".into(),
        "le".into(),
        "d2:ip9:192.0.2.5e".into(),
        entry("192.0.2.6", "2").replace("20:", "3:").replace(&id, "abc"),
    ];
    let body = format!("d8:intervali-5e12:min interval2:605:peersl{}ee", entries.concat());
    let answer = announced(body.as_bytes());
    let contacts: Vec<_> = answer.contacts().map(|contact| contact.to_string()).collect();
    let valid = ["192.0.2.1:6881", "peer.example:1", "[2001:db8::1]:65535", "192.0.2.6:2"];
    assert_eq!(
        contacts.iter().map(|it| it.replace(['[', ']'], "")).collect::<Vec<_>>(),
        valid.map(|it| it.replace(['[', ']'], ""))
    );
    assert_eq!(answer.contacts().next().unwrap().peer_id, Some(PeerId([0; 20])));
    assert_eq!(answer.interval, Duration::from_secs(1_800));
    assert_eq!(answer.min_interval, None);
}

/// BEP 3 lists the keys of a peer as `peer id`, `ip` and `port`, and some trackers write them so; so do programs that write
/// the `path` of a file before its `length`.
#[test]
fn each_of_many_dictionaries_may_be_out_of_order() {
    let peers: String = (1..=200)
        .map(|n| format!("d7:peer id20:{}2:ip9:192.0.2.14:porti{n}ee", "p".repeat(20)))
        .collect();
    let body = format!("d8:intervali60e5:peersl{peers}ee");
    assert_eq!(announced(body.as_bytes()).contacts().count(), 200);
    let files: String = (0..500).map(|n| format!("d4:pathl3:{n:03}e6:lengthi1ee")).collect();
    let hash = "x".repeat(20);
    let torrent =
        format!("d4:infod5:filesl{files}e4:name1:n12:piece lengthi16384e6:pieces20:{hash}ee");
    let metainfo = Metainfo::decode(torrent.as_bytes(), Mode::Lenient).unwrap();
    assert_eq!(metainfo.files().count(), 500);
    assert_eq!(metainfo.geometry().total(), 500);
}

#[test]
fn compact_peers_with_a_rest_and_of_both_families_are_read() {
    let body =
        b"d8:completei3e5:peers13:\xC0\x00\x02\x01\x1A\xE1\xC0\x00\x02\x02\x00\x00X6:peers620:\
        \x20\x01\x0D\xB8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x09YZe";
    let contacts: Vec<_> = announced(body).contacts().map(|it| it.port).collect();
    assert_eq!(contacts, [6_881, 9], "port 0 and what is left over are skipped");
    let body = b"d5:peersd2:ip9:192.0.2.1ee";
    assert_eq!(announced(body).contacts().count(), 0, "peers as a dictionary");
}

fn torrent() -> Torrent<TorrentVec> {
    let hashes = [[7; 20]; 4];
    let geometry = Geometry::new(65_536, 16_384).unwrap();
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let mut config = Config::new(InfoHash([7; 20]), PeerId([1; 20]));
    config.port = Some(6881);
    Torrent::new(TorrentSetup::new(config), TorrentVec::new(&content, TorrentLimits::new()))
        .unwrap()
}

fn hello(info_hash: InfoHash, peer: u8) -> [u8; Handshake::LEN] {
    let mut out = [0; Handshake::LEN];
    let reserved = Reserved::EXTENDED | Reserved::FAST;
    Handshake { reserved, info_hash, peer_id: PeerId([peer; 20]) }.encode(&mut out).unwrap();
    out
}

/// A handshake and the first message, cut at every byte, and byte by byte.
#[test]
fn a_stream_may_be_cut_anywhere() {
    let mut stream = hello(InfoHash([7; 20]), 9).to_vec();
    stream.extend([0, 0, 0, 1, 0x0E]); // have-all
    for cut in 0..=stream.len() {
        let mut torrent = torrent();
        torrent.handle_connected(ZERO, ConnId(1), Side::Accepted).unwrap();
        let mut received: Vec<u8> = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            received.extend(part);
            loop {
                let used = torrent.handle_bytes(ZERO, ConnId(1), &received).unwrap().consumed;
                if used == 0 {
                    break;
                }
                received.drain(..used);
            }
        }
        assert!(received.is_empty(), "cut at {cut}");
        let connected = core::iter::from_fn(|| torrent.poll_event());
        assert!(!connected.into_iter().any(|event| matches!(event, Event::Closed { .. })), "{cut}");
    }
}

/// The names of extensions may get other numbers later, or be switched off (BEP 10).
#[test]
fn a_later_extended_handshake_changes_the_numbers() {
    let info: Vec<u8> = (0..40_000_u32).map(|at| at as u8).collect();
    let info_hash = InfoHash(PieceHasher::digest(&info));
    let storage = FetchSlots { slots: [FetchSlot::EMPTY; 1], buffer: vec![0; 40_000] };
    let config = FetchConfig::new(info_hash, PeerId([1; 20]));
    let mut fetch = MetadataFetch::new(config, storage).unwrap();
    fetch.handle_connected(ZERO, ConnId(1), Side::Dialled).unwrap();
    fetch.handle_bytes(ZERO, ConnId(1), &hello(info_hash, 9)).unwrap();
    let mut now = ZERO;
    for (number, size) in [(3, 40_000), (200, 40_000), (0, 40_000), (5, 40_000)] {
        for _ in 0..2 {
            now += Duration::from_secs(11); // a request that was not answered is repeated later
            fetch.handle_timeout(now);
        }
        let body = format!("d1:md11:ut_metadatai{number}ee13:metadata_sizei{size}ee");
        send_extended(&mut fetch, now, 0, body.as_bytes());
        let asked = requests(&mut fetch);
        let right = asked.iter().all(|(id, _)| *id == number);
        assert!(right && asked.is_empty() == (number == 0), "{number}: {asked:?}");
    }
}

fn send_extended(
    fetch: &mut MetadataFetch<FetchSlots<[FetchSlot; 1], Vec<u8>>>,
    now: Duration,
    id: u8,
    body: &[u8],
) {
    let mut out = vec![0; body.len() + 6];
    Extended { id, body }.encode(&mut out).unwrap();
    fetch.handle_bytes(now, ConnId(1), &out).unwrap();
}

/// Returns the requests for metadata: the number of the extension, and the piece.
fn requests(fetch: &mut MetadataFetch<FetchSlots<[FetchSlot; 1], Vec<u8>>>) -> Vec<(u8, u32)> {
    let mut buf = [0; 512];
    let mut asked = Vec::new();
    while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
        let Ok((Message::Other { id: 20, payload }, _)) = Message::decode(&buf[..sent.len], 512)
        else {
            continue;
        };
        let extended = Extended::decode(payload).unwrap();
        if extended.id != 0
            && let Ok(Metadata::Request { piece }) = Metadata::decode(extended.body)
        {
            asked.push((extended.id, piece));
        }
    }
    asked
}

/// A size that is too small, too large, zero, or another one later: never more than the buffer, and never accepted.
#[test]
fn a_peer_that_lies_about_the_size_of_the_dictionary_is_not_believed() {
    let info: Vec<u8> = (0..20_000_u32).map(|at| at as u8).collect();
    let info_hash = InfoHash(PieceHasher::digest(&info));
    for (claimed, sent, closed) in [
        (16_384_u32, 16_384_u32, true), // it ends too early
        (20_001, 20_001, true),
        (20_000, 20_001, false), // the data has another size than the handshake
        (0, 20_000, false),
        (60_000, 60_000, false), // longer than the buffer
        (4_294_967_295_u32, 20_000, false),
    ] {
        let storage = FetchSlots { slots: [FetchSlot::EMPTY; 1], buffer: vec![0; 40_000] };
        let config = FetchConfig::new(info_hash, PeerId([1; 20]));
        let mut fetch = MetadataFetch::new(config, storage).unwrap();
        fetch.handle_connected(ZERO, ConnId(1), Side::Dialled).unwrap();
        fetch.handle_bytes(ZERO, ConnId(1), &hello(info_hash, 9)).unwrap();
        let body = format!("d1:md11:ut_metadatai3ee13:metadata_sizei{claimed}ee");
        send_extended(&mut fetch, ZERO, 0, body.as_bytes());
        let mut long = info.clone();
        long.resize(sent as usize, 0);
        for (piece, data) in (0_u32..).zip(long.chunks(16_384)) {
            let mut body = vec![0; 17_000];
            let message = Metadata::Data { piece, total_size: sent, data };
            let Ok(len) = message.encode(&mut body) else { continue };
            send_extended(&mut fetch, ZERO, 1, &body[..len]);
        }
        let event = fetch.poll_event();
        let corrupt = FetchEvent::Closed { conn: ConnId(1), reason: CloseReason::Corrupt };
        assert_eq!(event, closed.then_some(corrupt), "{claimed} {sent}");
        assert_eq!(fetch.metadata(), None);
    }
}
