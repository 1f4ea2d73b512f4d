//! The edges of a web seed: what its requests may span, what it refuses, and what a torrent may cancel.

use core::time::Duration;

use bittorrent_pieces::bencode::Mode;
use bittorrent_pieces::web_seed::{
    HttpGet, HttpTarget, ResponseHead, WEB_BLOCK_LEN, WebFile, WebRequestSlot, WebSeed,
    WebSeedConfig, WebSeedEvent, WebSeedKind, WebSeedSlots,
};
use bittorrent_pieces::wire::{DecodeError, Handshake, Message, Reserved};
use bittorrent_pieces::{Block, ConfigError, Geometry, InfoHash, Metainfo, PeerId, PieceIndex};

type Slots = WebSeedSlots<Vec<WebFile>, Vec<WebRequestSlot>, Vec<u8>, Vec<u8>>;
type Seed = WebSeed<Slots>;

const PIECE: u32 = 65_536;
const ZERO: Duration = Duration::ZERO;

fn config(kind: WebSeedKind) -> WebSeedConfig {
    WebSeedConfig::new(kind, InfoHash([7; 20]), PeerId([9; 20]))
}

/// A web seed of 300,000 bytes.
fn seed_of(config: WebSeedConfig, files: Vec<WebFile>) -> Result<Seed, ConfigError> {
    let storage = WebSeedSlots {
        files,
        requests: vec![WebRequestSlot::EMPTY; 8],
        block: vec![0; WEB_BLOCK_LEN],
        location: vec![0; 200],
    };
    WebSeed::new(config, Geometry::new(300_000, PIECE).unwrap(), storage)
}

fn greeting() -> [u8; Handshake::LEN] {
    let mut bytes = [0; Handshake::LEN];
    let info_hash = InfoHash([7; 20]);
    let peer_id = PeerId([1; 20]);
    Handshake { reserved: Reserved::FAST, info_hash, peer_id }.encode(&mut bytes).unwrap();
    bytes
}

/// A web seed of one file that has the handshake of the torrent, and has sent its own.
fn greeted(config: WebSeedConfig, files: Vec<WebFile>) -> Seed {
    let mut seed = seed_of(config, files).unwrap();
    assert_eq!(seed.handle_bytes(ZERO, &greeting()), Ok(68));
    sent(&mut seed);
    seed
}

fn one_file() -> Vec<WebFile> {
    vec![WebFile::new(0, 300_000)]
}

fn block(piece: u32, nth: u32) -> Block {
    Block { piece: PieceIndex(piece), begin: nth * 16_384, len: 16_384 }
}

fn send(seed: &mut Seed, message: &Message<'_>) {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).unwrap();
    assert_eq!(seed.handle_bytes(ZERO, &bytes), Ok(bytes.len()));
}

/// Returns the messages that are due, as text.
fn sent(seed: &mut Seed) -> Vec<String> {
    let mut buf = vec![0; seed.transmit_len()];
    let mut out = vec![];
    while let Some(len) = seed.poll_transmit(&mut buf).unwrap() {
        if let Ok((message, _)) = Message::decode(&buf[..len], 1 << 17) {
            out.push(message.to_string());
        }
    }
    out
}

fn get(seed: &mut Seed) -> Option<HttpGet> {
    match seed.poll_event()? {
        WebSeedEvent::Get(get) => Some(get),
        other => panic!("{other:?}"),
    }
}

fn head(status: u16) -> ResponseHead<'static> {
    ResponseHead {
        status,
        url: b"http://example.org/files",
        content_range: None,
        content_length: None,
        location: None,
        retry_after: None,
    }
}

#[test]
fn a_configuration_with_a_zero_is_refused() {
    type Change = fn(&mut WebSeedConfig);
    let changes: [(&str, Change); 4] = [
        ("max_range", |config| config.max_range = 0),
        ("timeout", |config| config.timeout = ZERO),
        ("retry", |config| config.retry = ZERO),
        ("keep_alive", |config| config.keep_alive = ZERO),
    ];
    for (name, change) in changes {
        let mut config = config(WebSeedKind::Files);
        change(&mut config);
        assert_eq!(seed_of(config, one_file()).err(), Some(ConfigError::Zero(name)));
    }
}

/// A request spans as many whole blocks of the queue as `max_range` allows.
#[test]
fn a_range_is_as_long_as_the_configuration_allows() {
    for (most, len) in [(32_768, 32_768), (49_151, 32_768), (49_152, 49_152), (1, 16_384)] {
        let mut config = config(WebSeedKind::Files);
        config.max_range = most;
        let mut seed = seed_of(config, one_file()).unwrap();
        let mut bytes = greeting().to_vec();
        for nth in 0..4 {
            let mut request = [0; 17];
            Message::Request(block(0, nth)).encode(&mut request).unwrap();
            bytes.extend(request);
        }
        assert_eq!(seed.handle_bytes(ZERO, &bytes), Ok(bytes.len()));
        let get = get(&mut seed).unwrap();
        assert_eq!((get.begin, get.len), (0, len), "at most {most}");
    }
}

/// Between two files may be a gap, which is read as zeros (BEP 52: files begin with a piece).
#[test]
fn a_gap_between_files_is_read_as_zeros() {
    let files = vec![WebFile::new(0, 1_000), WebFile::new(16_000, 284_000)];
    let mut seed = greeted(config(WebSeedKind::Files), files);
    send(&mut seed, &Message::Request(block(0, 0)));
    for (number, len) in [(0, 1_000), (1, 384)] {
        let get = get(&mut seed).unwrap();
        assert_eq!((get.target, get.begin, get.len), (HttpTarget::File(number), 0, len));
        assert_eq!(seed.handle_head(ZERO, get.number, &head(200)), Ok(len));
        let body = vec![5; usize::try_from(len).unwrap()];
        assert_eq!(seed.handle_body(ZERO, get.number, &body), Ok(body.len()));
    }
    let mut buf = vec![0; seed.transmit_len()];
    let mut pieces = vec![];
    while let Some(len) = seed.poll_transmit(&mut buf).unwrap() {
        if let Ok((Message::Piece(piece), _)) = Message::decode(&buf[..len], 1 << 17) {
            pieces.push(piece.data.to_vec());
        }
    }
    let expected = [vec![5; 1_000], vec![0; 15_000], vec![5; 384]].concat();
    assert_eq!(pieces, [expected]);
}

/// BEP 47: a file with the attribute `p` is padding, which no server has.
#[test]
fn padding_of_a_torrent_is_not_requested() {
    let torrent = b"d4:infod5:filesld6:lengthi1000e4:pathl1:aeed4:attr1:p6:lengthi15384e\
        4:pathl4:.pad5:15384eee4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    let metainfo = Metainfo::decode(torrent, Mode::Strict).unwrap();
    let files: Vec<WebFile> = metainfo.files().map(|file| WebFile::from(&file)).collect();
    assert_eq!(files, [WebFile::new(0, 1_000), WebFile::padding(1_000, 15_384)]);
}

/// A message that cannot be read is reported once all before it are processed, and is not skipped.
#[test]
fn an_unreadable_message_is_an_error_behind_good_ones() {
    let mut seed = seed_of(config(WebSeedKind::Files), one_file()).unwrap();
    let bad = [0, 0, 0, 2, 4, 0]; // "have" without a whole number
    let bytes = [&greeting()[..], &bad].concat();
    assert_eq!(seed.handle_bytes(ZERO, &bytes), Ok(68));
    let error = seed.handle_bytes(ZERO, &bad).unwrap_err();
    assert!(!matches!(error, DecodeError::Incomplete { .. }), "{error:?}");
    assert_eq!(seed.handle_bytes(ZERO, &bad), Err(error));
}

/// Blocks that the request over HTTP covers come all the same; the others are rejected (BEP 6).
#[test]
fn only_blocks_that_are_not_requested_from_the_server_are_cancelled() {
    let mut seed = greeted(config(WebSeedKind::Files), one_file());
    for block in [block(0, 0), block(1, 0), block(2, 0), block(3, 0)] {
        send(&mut seed, &Message::Request(block));
    }
    assert_eq!(get(&mut seed).map(|get| (get.begin, get.len)), Some((0, 16_384)));
    send(&mut seed, &Message::Cancel(block(0, 0)));
    send(&mut seed, &Message::Cancel(block(3, 1))); // which was not requested
    assert_eq!(sent(&mut seed), [""; 0]);
    send(&mut seed, &Message::Cancel(block(2, 0)));
    assert_eq!(sent(&mut seed).len(), 1, "one reject");
    let rejected = sent(&mut seed);
    assert_eq!(rejected, [""; 0]);
}

/// A pause that BEP 17 announces in digits is as long as configured if there is no digit.
#[test]
fn a_busy_script_that_names_no_time_is_left_alone_for_the_usual_one() {
    for (body, wait) in [(&b"90"[..], 90), (b"", 30), (b"soon", 30), (b"0", 1)] {
        let mut seed = greeted(config(WebSeedKind::Pieces), one_file());
        send(&mut seed, &Message::Request(block(0, 0)));
        let get = get(&mut seed).unwrap();
        assert_eq!(get.target, HttpTarget::Piece(PieceIndex(0)));
        assert_eq!(seed.handle_head(ZERO, get.number, &head(503)), Ok(7));
        assert_eq!(seed.handle_body(ZERO, get.number, body), Ok(body.len()));
        assert_eq!(seed.handle_end(ZERO, get.number), Ok(()));
        assert_eq!(seed.pauses_until(), Some(Duration::from_secs(wait)), "{body:?}");
    }
}

/// 408 is about the connection (RFC 9110, section 15.5.9): the file may be there all the same.
#[test]
fn a_request_that_the_server_waited_for_too_long_is_made_again() {
    let mut seed = greeted(config(WebSeedKind::Files), one_file());
    send(&mut seed, &Message::Request(block(0, 0)));
    let number = get(&mut seed).unwrap().number;
    assert_eq!(seed.handle_head(ZERO, number, &head(408)), Ok(0));
    assert_eq!(seed.pauses_until(), Some(Duration::from_secs(30)));
}

/// Of a file that a server sends whole, `max_skip` bytes are skipped and no more.
#[test]
fn a_whole_file_is_skipped_as_far_as_the_configuration_allows() {
    for (skip, serves) in [(16_384, true), (16_383, false)] {
        let mut config = config(WebSeedKind::Files);
        config.max_skip = skip;
        let mut seed = greeted(config, one_file());
        send(&mut seed, &Message::Request(block(0, 1)));
        let get = get(&mut seed).unwrap();
        let bytes = seed.handle_head(ZERO, get.number, &head(200)).unwrap();
        assert_eq!(bytes, if serves { 32_768 } else { 0 }, "of {skip}");
    }
}

/// A keepalive has a deadline once there is a torrent to send it to.
#[test]
fn keepalives_begin_with_the_handshake() {
    let mut seed = seed_of(config(WebSeedKind::Files), one_file()).unwrap();
    let mut buf = vec![0; seed.transmit_len()];
    assert_eq!(seed.poll_timeout(), None);
    assert_eq!(seed.poll_transmit(&mut buf), Ok(None));
    let mut seed = greeted(config(WebSeedKind::Files), one_file());
    assert_eq!(seed.poll_timeout(), Some(Duration::from_secs(100)));
    seed.handle_timeout(Duration::from_secs(100));
    assert_eq!(sent(&mut seed), ["KEEPALIVE"]);
}
