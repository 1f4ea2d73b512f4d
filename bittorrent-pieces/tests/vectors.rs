//! Published bytes and figures, each with its source.

use core::fmt::Write as _;

use bittorrent_pieces::bencode::{BencodeError, Limits, MAX_DEPTH, Mode, Value};
use bittorrent_pieces::metainfo::{
    Content, ContentFile, MetainfoBuilder, MetainfoError, MetainfoOptions, Version,
};
use bittorrent_pieces::picker::{BlockSlot, PartialSlot, PieceSlot, RarestSlot};
use bittorrent_pieces::torrent::{PeerSlot, RequestSlot, bits_len, receive_len};
use bittorrent_pieces::wire::{DecodeError, Handshake, Message, Reserved, piece};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, Event, Geometry, InfoHash, Metainfo, PeerId, PieceHasher,
    PieceHashes, PieceIndex, Side, Torrent, TorrentContent, TorrentSetup, TorrentSlots,
};

fn unhex(text: &str) -> Vec<u8> {
    let text = if text == "-" { "" } else { text };
    let digits: Vec<_> = text.bytes().map(|byte| (byte as char).to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0].unwrap() * 16 + pair[1].unwrap()) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split(' ').collect())
}

fn verdict(result: Result<Value<'_>, BencodeError>) -> &'static str {
    match result {
        Ok(_) => "accept",
        Err(error) if error.is_limit() => "limit",
        Err(_) => "reject",
    }
}

/// BEP 3; the table names the test of libtorrent that each case is like.
#[test]
fn bencode_is_accepted_and_refused_as_libtorrent_does() {
    let mut cases = 0;
    for row in rows(include_str!("data/bencode.txt")) {
        let [name, strict, lenient, prefix, depth, items, bytes] = row[..] else {
            panic!("{row:?}")
        };
        let bytes = unhex(bytes);
        let mut limits = Limits::DEFAULT;
        limits.depth = depth.parse().unwrap_or(MAX_DEPTH);
        limits.items = items.parse().unwrap_or(u32::MAX);
        assert_eq!(verdict(Value::from_bytes(&bytes, Mode::Strict, limits)), strict, "{name}");
        assert_eq!(verdict(Value::from_bytes(&bytes, Mode::Lenient, limits)), lenient, "{name}");
        let read = Value::decode(&bytes, Mode::Strict, limits);
        let len = read.map(|(value, _)| value.as_raw().len().to_string());
        assert_eq!(len.as_deref().unwrap_or("-"), prefix, "{name}");
        for end in 0..bytes.len() {
            let _ = Value::decode(&bytes[..end], Mode::Lenient, limits); // never a panic
        }
        cases += 1;
    }
    assert_eq!(cases, 89);
}

#[test]
fn depth_is_bounded_whatever_is_asked_for() {
    let deep = "l".repeat(100) + &"e".repeat(100);
    let deeper = "l".repeat(101);
    let mut limits = Limits::DEFAULT;
    limits.depth = u8::MAX;
    assert!(Value::from_bytes(deep.as_bytes(), Mode::Strict, limits).is_ok());
    let refused = Value::from_bytes(deeper.as_bytes(), Mode::Strict, limits);
    assert!(matches!(refused, Err(BencodeError::Depth(_))));
}

/// The torrent of the workload: splitmix64(1), 5,000,001 bytes, as transmission-create 3.00 writes it.
fn payload() -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::new();
    while bytes.len() < 5_000_001 {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend((word ^ (word >> 31)).to_le_bytes());
    }
    bytes.truncate(5_000_001);
    bytes
}

#[test]
fn payload_v1_is_read() {
    let info = unhex(include_str!("data/payload_v1.hex").trim());
    let mut file = b"d8:announce10:http://a/b4:info".to_vec();
    file.extend(&info);
    file.extend(b"e");
    let torrent = Metainfo::decode(&file, Mode::Strict).unwrap();
    let hash = "e4c9cc93f9679a5a513ea8d646821bb5eba48527";
    assert_eq!(torrent.info_hash().to_string(), hash);
    assert_eq!(torrent.geometry(), Geometry::new(5_000_001, 262_144).unwrap());
    assert_eq!(torrent.geometry().pieces(), 20);
    assert_eq!(torrent.geometry().piece_len(PieceIndex(19)), 19_265);
    assert_eq!(torrent.name(), b"payload.bin");
    assert!(!torrent.is_private() && torrent.is_single());
    let payload = payload();
    assert_eq!(hex(&PieceHasher::digest(&payload)), "e3ba324c47de85e753cfc3cd466c5f06cbf36b6f");
    for (index, piece) in (0..).zip(payload.chunks(262_144)) {
        assert_eq!(torrent.hashes().of(PieceIndex(index)), Some(&PieceHasher::digest(piece)));
    }
}

#[test]
fn payload_v1_is_written() {
    let info = unhex(include_str!("data/payload_v1.hex").trim());
    let payload = payload();
    let hashes: Vec<_> = payload.chunks(262_144).map(PieceHasher::digest).collect();
    let mut draft = MetainfoBuilder {
        announce: None,
        tiers: &[],
        name: b"payload.bin",
        piece_len: 262_144,
        hashes: PieceHashes::new(&hashes),
        private: Some(false),
        version: Version::V1,
        content: Content::Single(5_000_001),
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 1000];
    let (len, _) = draft.encode_info(&mut out).unwrap();
    assert_eq!(hex(&out[..len]), hex(&info));
    draft.private = None;
    let (_, hash) = draft.encode_info(&mut out).unwrap();
    assert_eq!(hash.to_string(), "53cb90e392fc005c45e6a7e7ecfb248d8bdb7855");
    assert!(draft.encode_info(&mut out[..100]).is_err());
}

/// BEP 3: the info-hash is over the bytes as found, also where the keys are out of order.
#[test]
fn unordered_info_keys_keep_their_hash() {
    let info = b"d4:name1:n6:lengthi0e12:piece lengthi1e6:pieces0:e";
    let file = [b"d4:info", &info[..], b"e"].concat();
    let refused = Metainfo::decode(&file, Mode::Strict).map(|_| ());
    assert_eq!(refused, Err(MetainfoError::Bencode(BencodeError::Order)));
    let torrent = Metainfo::decode(&file, Mode::Lenient).unwrap();
    assert_eq!(torrent.info_hash(), InfoHash(PieceHasher::digest(info)));
}

/// Names like those of libtorrent's `test/test_torrents`.
#[test]
fn hostile_torrents_are_refused() {
    let multi = |path: &str, len: &str| {
        format!(
            "d4:infod5:filesld6:lengthi{len}e4:pathl{path}eee4:name1:n12:piece lengthi4e6:pieces20:\
             01234567890123456789ee"
        )
    };
    let refusal = |file: &str| Metainfo::decode(file.as_bytes(), Mode::Lenient).map(|_| ()).err();
    assert_eq!(refusal(&multi("1:a", "4")), None);
    assert_eq!(refusal(&multi("", "4")), Some(MetainfoError::Key("path")));
    assert_eq!(refusal(&multi("i1e", "4")), Some(MetainfoError::Key("path")));
    assert_eq!(refusal(&multi("1:a", "-1")), Some(MetainfoError::Length(-1)));
    let five = MetainfoError::Pieces { hashes: 1, pieces: 2 };
    assert_eq!(refusal(&multi("1:a", "5")), Some(five));
    let single = |length: &str, piece: &str, pieces: &str| {
        format!("d4:infod{length}4:name1:n12:piece lengthi{piece}e6:pieces{pieces}ee")
    };
    assert_eq!(refusal(&single("6:lengthi0e", "1", "0:")), None);
    assert_eq!(refusal(&single("6:lengthi0e", "0", "0:")), Some(MetainfoError::Length(0)));
    assert_eq!(refusal(&single("6:lengthi0e", "1", "3:abc")), Some(MetainfoError::Hashes(3)));
    assert_eq!(refusal(&single("", "1", "0:")), Some(MetainfoError::Content));
    assert_eq!(refusal(&single("5:filesle", "1", "0:")), Some(MetainfoError::Content));
    assert_eq!(refusal(&single("5:filesi1e", "1", "0:")), Some(MetainfoError::Content));
    let huge = "6:lengthi9223372036854775807e";
    assert_eq!(refusal(&single(huge, "1", "0:")), Some(MetainfoError::TooLong));
}

/// BEP 12, BEP 27 and files across piece borders.
#[test]
fn files_tiers_and_spans() {
    let hashes = [[7; 20]; 3];
    let draft = MetainfoBuilder {
        announce: Some(b"http://ignored"),
        tiers: &[&[b"http://a", b"http://b"], &[b"udp://c"]],
        name: b"folder",
        piece_len: 4,
        hashes: PieceHashes::new(&hashes),
        private: Some(true),
        version: Version::V1,
        content: Content::Multi(&[
            ContentFile { len: 3, path: &[b"a"], root: None },
            ContentFile { len: 0, path: &[b"empty"], root: None },
            ContentFile { len: 7, path: &[b"sub", b"b"], root: None },
        ]),
        options: MetainfoOptions::default(),
    };
    let mut out = vec![0; 1000];
    let len = draft.encode(&mut out).unwrap();
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    assert!(torrent.is_private() && !torrent.is_single());
    let tiers: Vec<Vec<_>> = torrent.tiers().map(Iterator::collect).collect();
    assert_eq!(tiers, [vec![&b"http://a"[..], b"http://b"], vec![b"udp://c"]]);
    let path = torrent.files().last().unwrap().raw_path().collect::<Vec<_>>();
    assert_eq!(path, [&b"folder"[..], b"sub", b"b"]);
    let spans = torrent.spans(2, 4).map(|span| (span.file.offset(), span.offset, span.len));
    assert_eq!(spans.collect::<Vec<_>>(), [(0, 2, 1), (3, 0, 3)]);
    let plain = MetainfoBuilder { tiers: &[], ..draft };
    let len = plain.encode(&mut out).unwrap();
    let torrent = Metainfo::decode(&out[..len], Mode::Strict).unwrap();
    let tiers: Vec<Vec<_>> = torrent.tiers().map(Iterator::collect).collect();
    assert_eq!(tiers, [[&b"http://ignored"[..]]]);
}

/// C-BIT-01, C-BIT-07 (E-21): 256 KiB pieces; 20 bytes of hash for each.
#[test]
fn sizes_of_the_course() {
    for (total, pieces, bytes) in
        [(64_u64 << 20, 256, 5_120), (700 << 20, 2_800, 56_000), (4 << 30, 16_384, 327_680)]
    {
        let geometry = Geometry::new(total, 262_144).unwrap();
        assert_eq!(geometry.pieces(), pieces);
        assert_eq!(pieces * 20, bytes);
    }
}

/// BEP 3, 5, 6, 9, 10, 52, 54: every frame round trips, whole and cut anywhere.
#[test]
fn frames_of_the_wire() {
    let mut stream = Vec::new();
    let mut frames = 0;
    for row in rows(include_str!("data/peer_wire.txt")).filter(|row| row[0] == "frame") {
        let bytes = unhex(row[2]);
        let (message, rest) = Message::decode(&bytes, 1 << 20).expect(row[1]);
        assert!(rest.is_empty());
        let mut out = vec![0; bytes.len()];
        assert_eq!(message.encode(&mut out), Ok(bytes.len()));
        assert_eq!(out, bytes, "{}", row[1]);
        for end in 0..bytes.len() {
            let cut = Message::decode(&bytes[..end], 1 << 20);
            assert!(matches!(cut, Err(DecodeError::Incomplete { .. })), "{} {cut:?}", row[1]);
        }
        stream.extend(bytes);
        frames += 1;
    }
    assert_eq!(frames, 27);
    let mut left = &stream[..];
    while let Ok((_, rest)) = Message::decode(left, 1 << 20) {
        left = rest;
        frames -= 1;
    }
    assert_eq!((left.len(), frames), (0, 0));
}

#[test]
fn handshakes_of_programs_are_read_and_written_back() {
    for row in rows(include_str!("data/peer_wire.txt")).filter(|row| row[0] == "handshake") {
        let bytes = unhex(row[3]);
        let (handshake, rest) = Handshake::decode(&bytes).unwrap();
        assert!(rest.is_empty());
        assert_eq!(handshake.reserved.0[..], unhex(row[2]), "{}", row[1]);
        let hash = "e4c9cc93f9679a5a513ea8d646821bb5eba48527";
        assert_eq!(handshake.info_hash.to_string(), hash);
        let mut out = [0; Handshake::LEN];
        handshake.encode(&mut out).unwrap();
        assert_eq!(out[..], bytes);
    }
    let libtorrent = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x05]);
    assert!(libtorrent.extended() && libtorrent.fast() && libtorrent.dht() && !libtorrent.v2());
}

/// Invalid frames, fed to a torrent that has all its pieces, end the connection; but invalid requests, which
/// can be refused politely, do not.
#[test]
fn invalid_frames_are_refused() {
    let mut refused = 0;
    for row in rows(include_str!("data/peer_wire.txt")).filter(|row| row[0] == "invalid") {
        let bytes = unhex(row[3]);
        let pieces = row[2].parse().unwrap_or(10);
        if row[1].starts_with("handshake") {
            assert_eq!(Handshake::decode(&bytes), Err(DecodeError::Protocol));
        } else if bytes[4] < 21 {
            let polite = ["request_too_large", "request_zero_length", "request_offset_wraps"]
                .contains(&row[1]);
            assert_eq!(offer(pieces, &bytes).is_none(), polite, "{}", row[1]);
        } else {
            continue; // v2 hash requests: kept as they are, to be judged by who offers v2
        }
        refused += 1;
    }
    assert_eq!(refused, 17);
}

/// Returns the refusal of a frame by a ready torrent.
fn offer(pieces: u32, frame: &[u8]) -> Option<String> {
    let geometry = Geometry::new(u64::from(pieces) * 32_768, 32_768).unwrap();
    let hashes = vec![[0; 20]; pieces as usize];
    let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).unwrap();
    have.fill();
    let config = Config::new(InfoHash([1; 20]), PeerId([2; 20]));
    let storage = TorrentSlots {
        content: TorrentContent::new(geometry, PieceHashes::new(&hashes)),
        pieces: [PieceSlot::EMPTY; 10],
        rarest: [],
        partials: [PartialSlot::EMPTY; 1],
        blocks: [BlockSlot::EMPTY; 2],
        peers: [PeerSlot::EMPTY; 1],
        bits: vec![0; bits_len(pieces, 1)],
        requests: [RequestSlot::EMPTY; 8],
    };
    let mut setup = TorrentSetup::new(config);
    setup.have = Some(have.as_view());
    let mut torrent = Torrent::new(setup, storage).unwrap();
    let now = core::time::Duration::ZERO;
    let conn = ConnId(1);
    torrent.handle_connected(now, conn, Side::Accepted).unwrap();
    let hello = Handshake {
        reserved: Reserved::default(),
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([3; 20]),
    };
    let mut out = [0; Handshake::LEN];
    hello.encode(&mut out).unwrap();
    torrent.handle_bytes(now, conn, &out).unwrap();
    torrent.handle_bytes(now, conn, frame).unwrap();
    core::iter::from_fn(|| torrent.poll_event()).find_map(|event| match event {
        Event::Closed { reason, .. } => Some(reason.to_string()),
        _ => None,
    })
}

#[test]
fn a_block_is_sent_as_13_bytes_and_its_data() {
    let block = Block { piece: PieceIndex(1), begin: 0, len: 4 };
    let mut out = [0; piece::HEADER_LEN];
    piece::encode_header(block, &mut out).unwrap();
    assert_eq!(hex(&out), "0000000d070000000100000000");
}

#[test]
fn messages_print_as_one_line() {
    let frames = rows(include_str!("data/peer_wire.txt")).filter(|row| row[0] == "frame").take(11);
    let lines = frames.map(|row| {
        let bytes = unhex(row[2]);
        Message::decode(&bytes, 100).unwrap().0.to_string()
    });
    let expected = [
        "KEEPALIVE",
        "CHOKE",
        "UNCHOKE",
        "INTERESTED",
        "NOT INTERESTED",
        "HAVE piece=7",
        "BITFIELD bytes=2",
        "REQUEST piece=1 begin=16384 len=16384",
        "PIECE piece=1 begin=0 len=4",
        "CANCEL piece=1 begin=16384 len=16384",
        "PORT 6881",
    ];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// The sizes that the documentation promises.
#[test]
fn slots_are_as_large_as_documented() {
    assert_eq!(size_of::<PieceSlot>(), 192); // for 64 pieces
    assert_eq!(size_of::<PartialSlot>(), 32);
    assert_eq!(size_of::<BlockSlot>(), 24);
    assert_eq!(size_of::<RequestSlot>(), 16);
    assert_eq!(size_of::<RarestSlot>(), 8);
    assert!(size_of::<PeerSlot>() <= 204, "{}", size_of::<PeerSlot>());
    assert!(size_of::<Torrent<()>>() <= 800, "{}", size_of::<Torrent<()>>());
    assert_eq!(receive_len(100), 13 + 16_384);
    assert_eq!(bits_len(10, 3), 8);
}
