//! Published bytes, bytes of other servents, and the worked examples of the lectures.
//! `C-GNU-nn` and `C-HYB-nn` number the facts of the lectures, as the example `slides` prints them.

use core::fmt::Write as _;
use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::handshake::{Handshake, Line, State, Step, TRANSITIONS, Version};
use gnutella_wire::head::{Head, HeadLimits, Value};
use gnutella_wire::http::{
    self, ContentRange, Giv, Method, Name, Range, Request, Resource, Response,
};
use gnutella_wire::wire::{
    Bye, ByeCode, Function, HEADER_LEN, Header, HitData, HitFlags, Limits, Message, Payload, Ping,
    Pong, Push, Query, QueryFlags, QueryHit, Record, Records, Vendor,
};
use gnutella_wire::{DecodeError, Guid, Received, ServentId, Text};

fn unhex(digits: &str) -> Vec<u8> {
    let digits = digits.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn text(text: &str) -> Text<'_> {
    Text::new(text.as_bytes()).unwrap()
}

fn localhost(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Decodes a whole message, and checks that it encodes to the same bytes.
fn exactly(bytes: &[u8]) -> Message<'_> {
    let (message, rest) = Message::decode(bytes, Limits::GTKG).unwrap();
    assert!(rest.is_empty());
    let mut out = vec![0; bytes.len()];
    assert_eq!(message.encode(&mut out), Ok(bytes.len()));
    assert_eq!(out, bytes, "{message}");
    message
}

/// The five messages of a running gtk-gnutella 1.2.3-14: see the head of the file.
#[test]
fn messages_of_gtk_gnutella_decode_and_encode_back() {
    let file = include_str!("data/tcp-messages.hex");
    let lines: Vec<_> = file.lines().filter(|l| !l.starts_with('#')).map(unhex).collect();
    let messages: Vec<_> = lines.iter().map(|line| exactly(line)).collect();
    let [supported, features, pong, _, hit] = &messages[..] else { panic!("five messages") };
    assert_eq!(supported.payload.function(), Function::VENDOR);
    assert_eq!((supported.payload.encoded_len(), features.payload.encoded_len()), (218, 40));

    let Payload::Pong(pong) = pong.payload else { panic!("{pong}") };
    assert_eq!((pong.address, pong.files, pong.kilobytes), (localhost(16346), 2, 256));
    assert_eq!(pong.extensions.len(), 22);

    assert_eq!((hit.ttl, hit.hops), (6, 0));
    let Payload::QueryHit(hit) = hit.payload else { panic!("{hit}") };
    assert_eq!((hit.address, hit.speed, hit.records.len()), (localhost(16346), 16, 1));
    let record = hit.records.iter().next().unwrap();
    assert_eq!((record.index, record.size), (2, 300_000)); // bytes, not kilobytes
    assert_eq!(record.name, text("creedence travelin band.mp3"));
    let urn = b"urn:sha1:T6PFEIKJF2JB3AJEETNNY6NE4KNI25EN\x1C\xC3";
    assert!(record.extensions.as_bytes().starts_with(urn));
    assert_eq!(hit.data.vendor(), Some(Vendor(*b"GTKG")));
    let flags = hit.data.flags().unwrap();
    assert_eq!((flags.push, flags.ggep, flags.busy), (Some(false), Some(true), Some(false)));
    assert!(hit.data.private().unwrap().starts_with(b"\xC3\x85GTKGV"));
    assert_eq!(hit.data.xml(), None);
    assert_eq!(hit.servent.to_string(), "ef9c3102aefe96e798a5a255adc06f12");
}

/// nDPI, `tests/cfgs/default/pcap/gnutella.pcap`: 28 datagrams of gtk-gnutella 1.2.2.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn datagrams_of_the_capture_decode_and_encode_back() {
    let folder = std::env::var("VECTORS_DIR").unwrap();
    let file = std::fs::read_to_string(format!("{folder}/gnutella/udp-messages.hex")).unwrap();
    let lines = file.lines().filter(|line| line.starts_with("0x"));
    let mut seen = 0;
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        let bytes = unhex(words[2]);
        assert_eq!(bytes.len(), words[1].parse::<usize>().unwrap());
        let function = u8::from_str_radix(&words[0][2..], 16).unwrap();
        assert_eq!(exactly(&bytes).payload.function(), Function(function));
        seen += 1;
    }
    assert_eq!(seen, 28);
}

/// Seen from gtk-gnutella: a push on its way to the leaf that sent the hit.
#[test]
fn a_push_routed_by_gtk_gnutella_decodes() {
    let payload = unhex("7082bd8544640453ff2a1aa49759a000010000007f0000019265");
    let push = Push::decode(&payload).unwrap();
    let servent = ServentId::from_hex("7082bd8544640453ff2a1aa49759a000").unwrap();
    assert_eq!(push, Push { servent, index: 1, address: localhost(26002), extensions: &[] });
    let mut out = [0; Push::MIN_LEN];
    assert_eq!(push.encode(&mut out), Ok(26)); // C-GNU-12: 16 + 4 + 4 + 2
    assert_eq!(out[..], payload);
}

/// C-GNU-02, C-GNU-03: 16 + 1 + 1 + 1 + 4 bytes, and the five functions.
#[test]
fn the_header_of_the_lecture_decodes() {
    assert_eq!(HEADER_LEN, 23);
    let functions = [Function::PING, Function::PONG, Function::PUSH, Function::QUERY];
    assert_eq!(functions.map(|f| f.0), [0x00, 0x01, 0x40, 0x80]);
    assert_eq!(Function::QUERY_HIT.0, 0x81);
    let header =
        Header { guid: Guid([9; 16]), function: Function(0x5A), ttl: 7, hops: 1, len: 258 };
    let bytes = [[9; 16].as_slice(), &[0x5A, 7, 1, 2, 1, 0, 0]].concat(); // the length from its low end
    assert_eq!(header.to_bytes(), bytes[..]);
    for cut in 0..23 {
        let short = Header::decode(&bytes[..cut], Limits::GTKG);
        assert_eq!(short, Err(DecodeError::Incomplete { needed: 23 - cut }));
    }
    assert_eq!(Header::decode(&bytes, Limits::GTKG), Ok((header, &[][..])));
    exactly(&[&bytes[..], &[0xAB; 258]].concat()); // an unknown function survives
}

/// A length of 65,535 is valid; 65,536 is not. Limits as gtk-gnutella 1.2.3 has them.
#[test]
fn lengths_beyond_the_limit_are_refused() {
    let with = |function, len| {
        let header = Header { guid: Guid([0; 16]), function, ttl: 1, hops: 0, len };
        Header::decode(&header.to_bytes(), Limits::GTKG).map(|(header, _)| header.len)
    };
    assert_eq!(with(Function::QUERY_HIT, 0xFFFF), Ok(0xFFFF));
    assert_eq!(with(Function::QUERY_HIT, 70_000), Err(DecodeError::Desynchronised { len: 70_000 }));
    assert_eq!(with(Function::PING, 0x1_0000), Err(DecodeError::Desynchronised { len: 0x1_0000 }));
    let too_large = |function, len, limit| Err(DecodeError::TooLarge { function, len, limit });
    assert_eq!(with(Function::PING, 50_000), too_large(Function::PING, 50_000, 40_960));
    assert_eq!(with(Function::QUERY, 1_024), Ok(1_024));
    assert_eq!(with(Function::QUERY, 1_103), too_large(Function::QUERY, 1_103, 1_024));
    assert_eq!(with(Function::BYE, 4_097), too_large(Function::BYE, 4_097, 4_096));
    assert_eq!(Limits::EMBEDDED.buffer_len(), 2_071);
}

/// C-GNU-06, C-GNU-07, C-GNU-26: a ping is empty, a pong has 14 bytes.
#[test]
fn pings_and_pongs_round_trip() {
    assert_eq!(Ping::default().encoded_len(), 0);
    let address = SocketAddrV4::new(Ipv4Addr::new(10, 1, 2, 3), 0x1234);
    let pong = Pong { address, files: 5, kilobytes: 0x0102, extensions: &[] };
    let mut out = [0; Pong::MIN_LEN];
    assert_eq!(pong.encode(&mut out), Ok(14));
    assert_eq!(out, [0x34, 0x12, 10, 1, 2, 3, 5, 0, 0, 0, 2, 1, 0, 0]);
    let message = Message { guid: Guid([0xAB; 16]), ttl: 7, hops: 0, payload: Payload::Pong(pong) };
    let line = "PONG abababab ttl=7 hops=0 10.1.2.3:4660 shares 5 files, 258 kB";
    assert_eq!(message.to_string(), line);
}

/// C-GNU-08, C-GNU-26: minimum speed, text with wildcards, NUL.
#[test]
fn queries_round_trip_with_flags_and_extensions() {
    let mut out = [0; 32];
    let flags = QueryFlags::from_min_speed(0x0105).unwrap();
    let query = Query { flags, ..Query::new(text("Hey Jude *.mp3")) };
    assert_eq!(query.encode(&mut out), Ok(17));
    assert_eq!(&out[..17], b"\x05\x01Hey Jude *.mp3\0");
    assert_eq!(query.to_string(), "\"Hey Jude *.mp3\" at 261 kbit/s or more");
    assert_eq!(QueryFlags::from_min_speed(0x80), None); // would read as flags

    // Seen from gtk-gnutella: 8000 "zebra quokka" 00, 15 bytes.
    let query = Query { flags: QueryFlags::MARKER, ..Query::new(text("zebra quokka")) };
    assert_eq!(query.encode(&mut out), Ok(15));
    assert_eq!(&out[..15], b"\x80\x00zebra quokka\0");
    let flags = QueryFlags::from_bytes([0xF9, 0x32]);
    assert!(flags.contains(QueryFlags::FIREWALLED.with(QueryFlags::GGEP_H)));
    assert!(!flags.contains(QueryFlags::OUT_OF_BAND) && flags.min_speed().is_none());
    assert_eq!(flags.max_hits(), Some(0x32));

    // A missing NUL is forgiven; HUGE and GGEP behind it are kept.
    assert_eq!(Query::decode(b"\0\0abc").map(|q| q.text), Ok(text("abc")));
    let extended = b"\x80\0abc\0urn:sha1:\x1C\xC3\x82QK@\0";
    assert_eq!(Query::decode(extended).unwrap().extensions, b"urn:sha1:\x1C\xC3\x82QK@\0");
}

/// Only the push bit has its mask in the second byte. Data of gtk-gnutella and `GnutellaBun` 1.2.
#[test]
fn the_flag_pair_of_a_hit_has_an_inverted_push_bit() {
    let flags = |bytes: &[u8]| HitData::new(bytes).flags().unwrap();
    let firewalled = flags(b"GTKG\x02\x2D\x21");
    assert_eq!(firewalled.push, Some(true));
    assert_eq!(flags(b"GTKG\x02\x2C\x21").push, Some(false));
    assert_eq!(firewalled.to_data(Vendor(*b"GTKG")), *b"GTKG\x02\x2D\x21");
    let bun = flags(b"GBUN\x02\x3C\x31\xC3\x82BH@");
    assert_eq!((bun.push, bun.busy, bun.stable), (Some(false), Some(false), Some(false)));
    assert_eq!((bun.measured, bun.ggep), (Some(true), Some(true)));
    let busy = HitFlags { busy: Some(true), ..HitFlags::default() }; // C-GNU-25
    assert_eq!(busy.to_bytes(), [0x04, 0x04]);
    let silent = HitFlags::from_bytes([0x01, 0x04]); // values without their masks
    assert_eq!(silent, HitFlags::default());
    // XML: as many bytes as announced, before the servent id.
    let xml = HitData::new(b"LIME\x04\0\0\x05\0\x01\xC3<a/>\0");
    assert_eq!((xml.xml(), xml.private()), (Some(&b"<a/>\0"[..]), Some(&b"\x01\xC3"[..])));
}

/// C-GNU-09, C-GNU-10: the vendors of the lecture, in hits of two files.
#[test]
fn hits_of_every_vendor_round_trip() {
    let names =
        ["BEAR BearShare", "GNUC Gnucleus", "LIME LimeWire", "RAZA Shareaza", "MRPH Morpheus"];
    for name in names {
        let (code, maker) = name.split_once(' ').unwrap();
        let vendor = Vendor(code.as_bytes().try_into().unwrap());
        assert_eq!(vendor.to_string(), format!("{code} ({maker})"));
        let data = HitFlags { push: Some(true), ..HitFlags::default() }.to_data(vendor);
        let record =
            |index, name| Record { index, size: 10, name: text(name), extensions: Text::EMPTY };
        let records = [record(1, "a.mp3"), record(2, "b.mp3")];
        let hit = QueryHit {
            address: localhost(6346),
            speed: 1_000,
            records: Records::from_slice(&records).unwrap(),
            data: HitData::new(&data),
            servent: ServentId([7; 16]),
        };
        let mut out = vec![0; hit.encoded_len()];
        hit.encode(&mut out).unwrap();
        assert_eq!(out.len(), 11 + 2 * (8 + 5 + 2) + 7 + 16);
        assert_eq!(&out[19..26], b"a.mp3\0\0", "a double NUL closes an empty area");
        assert_eq!(QueryHit::decode(&out), Ok(hit));
        let line = format!(
            "#1 \"a.mp3\" 10 bytes and 1 more at 127.0.0.1:6346 1000 kbit/s by {vendor}, firewalled"
        );
        assert_eq!(hit.to_string(), line);
        out[0] = 3; // one record more than there are
        let len = out.len();
        let function = Function::QUERY_HIT;
        assert_eq!(QueryHit::decode(&out), Err(DecodeError::Malformed { function, len }));
    }
    assert_eq!(Vendor(*b"XY\0Z").to_string(), "XY\\x00Z");
    assert!(
        Records::from_slice(
            &[Record { index: 0, size: 0, name: Text::EMPTY, extensions: Text::EMPTY }; 256]
        )
        .is_none()
    );
}

/// GDF "Bye": the text of gtk-gnutella goes on with header lines.
#[test]
fn byes_round_trip_with_and_without_headers() {
    let bytes = b"\x9E\x01Leaf node relayed Query\r\nServer: gtk-gnutella\r\n\r\n\0";
    let bye = Bye::decode(bytes).unwrap();
    assert_eq!(bye.code, ByeCode::LEAF_RELAYED);
    assert!(bye.text.as_str().unwrap().starts_with("Leaf node relayed Query\r\n"));
    assert_eq!(Bye::decode(b"\xC8\0no end").unwrap().text, text("no end"));
    for code in 0..=u16::MAX {
        assert!(ByeCode(code).reason().len() <= 38);
    }
}

const WAIT: Received<Step<'_>> = Received { consumed: 0, outcome: None };

/// C-GNU-01: byte-exact both ways, accepted split at every byte.
#[test]
fn the_handshake_of_0_4_opens() {
    let mut ann = Handshake::dialler_04();
    let mut ben = Handshake::acceptor();
    let mut buf = [0; 64];
    let len = ann.greet(&[], &mut buf).unwrap();
    assert_eq!(&buf[..len], b"GNUTELLA CONNECT/0.4\n\n");
    for cut in 0..len {
        assert_eq!(ben.handle_bytes(&buf[..cut]), Ok(WAIT));
    }
    assert_eq!(ben.handle_bytes(&buf[..len]).unwrap().consumed, 22);
    assert_eq!(ben.version(), Version::V04);
    let mut rude = ben.clone();
    assert_eq!(rude.refuse(503, "Full", &[], &mut buf), Ok(0)); // closes without an answer
    assert_eq!(rude.state(), State::Closed);
    let len = ben.agree(&[], &mut buf).unwrap();
    assert_eq!(&buf[..len], b"GNUTELLA OK\n\n");
    buf[len] = 0x42; // the stream begins in the same read
    assert_eq!(ann.handle_bytes(&buf[..=len]).unwrap().consumed, 13);
    assert_eq!((ann.state(), ben.state()), (State::Open, State::Open));
    assert_eq!(ann.handle_bytes(&buf[len..=len]), Ok(WAIT));
}

const STEP_A: &str =
    "GNUTELLA CONNECT/0.6\r\nUser-Agent: example/0.1\r\nX-Ultrapeer: True\r\nX-Degree: 32\r\n\r\n";
const STEP_B: &str = "GNUTELLA/0.6 200 OK\r\nUser-Agent: gtk-gnutella/1.2.3-14-ga331a-dirty (2024-03-03; Topless; Linux x86_64)\r\nPong-Caching: 0.1\r\nX-Ultrapeer: True\r\nX-Live-Since: Fri, 01 Nov 2024 12:00:05 +0000\r\nX-Features: sflag/0.1, HSEP/0.2\r\n\r\n";
const STEP_C: &str = "GNUTELLA/0.6 200 OK\r\nContent-Encoding: deflate\r\n\r\n";

/// 0.6 section 2.1; step B is what gtk-gnutella 1.2.3-14 sent to an ultrapeer.
#[test]
fn the_handshake_of_0_6_opens() {
    let mut ann = Handshake::dialler_06();
    let mut ben = Handshake::acceptor();
    let mut buf = [0; 64];
    ann.greet(&[], &mut buf).unwrap();
    let received = ben.handle_bytes(STEP_A.as_bytes()).unwrap();
    assert_eq!(received.consumed, STEP_A.len());
    let step = received.outcome.unwrap();
    assert_eq!(step.line, Line::Connect(Version::V06));
    assert!(step.head.is_true("x-ultrapeer") && !step.head.is_true("X-Degree"));
    ben.agree(&[], &mut buf).unwrap();
    let step = ann.handle_bytes(STEP_B.as_bytes()).unwrap().outcome.unwrap();
    assert_eq!(step.line, Line::Status { code: 200, reason: "OK" });
    let since = step.head.header("x-live-since").and_then(Value::as_str);
    assert_eq!(since, Some("Fri, 01 Nov 2024 12:00:05 +0000"));
    assert_eq!(step.head.headers().count(), 5);
    ann.agree(&[], &mut buf).unwrap();
    let followed = [STEP_C.as_bytes(), &[0x78, 0x9C]].concat();
    assert_eq!(ben.handle_bytes(&followed).unwrap().consumed, STEP_C.len());
    assert_eq!((ann.state(), ben.state()), (State::Open, State::Open));
}

/// Statuses seen from gtk-gnutella 1.2.3 and others; none but 200 opens the stream.
#[test]
fn refusals_end_the_handshake() {
    for (code, reason) in [
        (204, "Shielded leaf node (300 peers max)"),
        (403, "Gnet connection not compressed"),
        (413, "Header has too many lines"),
        (429, "Banned for 5m 0s"),
        (503, ""),
    ] {
        let mut ann = Handshake::dialler_06();
        let mut buf = [0; 64];
        ann.greet(&[], &mut buf).unwrap();
        let try_these = "X-Try-Ultrapeers: 10.0.0.1:6346, 10.0.0.2:6347,junk";
        let answer = format!("GNUTELLA/0.6 {code} {reason}\r\n{try_these}\r\n\r\n");
        let step = ann.handle_bytes(answer.as_bytes()).unwrap().outcome.unwrap();
        assert_eq!(step.line, Line::Status { code, reason });
        assert_eq!(ann.state(), State::Closed);
        let others: Vec<_> = step.head.addresses("X-Try-Ultrapeers").collect();
        assert_eq!(others.len(), 2);
        assert_eq!(others[1].to_string(), "10.0.0.2:6347");
        assert!(ann.agree(&[], &mut buf).is_err());
    }
}

/// gtk-gnutella 1.2.3: 16,384 bytes, 128 lines; one line of 2,000 characters passes.
#[test]
fn heads_beyond_the_limits_are_refused() {
    let greeting =
        |lines: usize| format!("GNUTELLA CONNECT/0.6\r\n{}\r\n", "A: b\r\n".repeat(lines));
    assert!(
        Handshake::acceptor().handle_bytes(greeting(128).as_bytes()).unwrap().outcome.is_some()
    );
    let mut acceptor = Handshake::acceptor();
    let many = greeting(200);
    let refused = acceptor.handle_bytes(many.as_bytes());
    assert_eq!(refused, Err(DecodeError::TooManyLines { limit: 128 }));
    let mut buf = [0; 64];
    let len = acceptor.refuse(413, "Header has too many lines", &[], &mut buf).unwrap();
    assert_eq!(&buf[..len], b"GNUTELLA/0.6 413 Header has too many lines\r\n\r\n");
    let long = format!("GNUTELLA CONNECT/0.6\r\nA: {}\r\n\r\n", "x".repeat(2_000));
    assert!(Handshake::acceptor().handle_bytes(long.as_bytes()).unwrap().outcome.is_some());
    let endless = [b'G'; 16_384];
    assert_eq!(Handshake::acceptor().handle_bytes(&endless[..16_383]), Ok(WAIT));
    let refused = Handshake::acceptor().handle_bytes(&endless);
    assert_eq!(refused, Err(DecodeError::HeadTooLong { limit: 16_384 }));
    let strange = Handshake::acceptor().handle_bytes(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(strange, Err(DecodeError::UnknownLine));
}

fn head(text: &str) -> Head<'_> {
    Head::decode(text.as_bytes(), HeadLimits::GTKG).unwrap().0
}

/// C-GNU-13, C-GNU-14, C-GNU-28: request and answer of 0.4.
#[test]
fn a_request_of_0_4_and_its_answer_decode() {
    let mut out = [0; 256];
    let agent = [gnutella_wire::head::Header::new("User-Agent", "Gnutella")];
    let request = Request::get_04(2, Name::new(b"HeyJude.mp3"), 0);
    let len = request.encode(&agent, &mut out).unwrap();
    let sent = "GET /get/2/HeyJude.mp3/ HTTP/1.0\r\nConnection: Keep-Alive\r\nRange: bytes=0-\r\nUser-Agent: Gnutella\r\n\r\n";
    assert_eq!(str::from_utf8(&out[..len]), Ok(sent));
    assert_eq!(Request::from_head(&head(sent)), Ok(request));
    let spaces = head("GET /get/2/Hey Jude.mp3/ HTTP/1.0\r\n\r\n");
    let Resource::File { name, .. } = Request::from_head(&spaces).unwrap().resource else {
        panic!()
    };
    assert_eq!((name, name.to_string()), (Name::new(b"Hey Jude.mp3"), "Hey%20Jude.mp3".into()));

    let answer = head(
        "HTTP 200 OK\r\nServer: Gnutella\r\nContent-type: application/binary\r\nContent-length: 4356789\r\n\r\n",
    );
    let answer = Response::from_head(&answer).unwrap(); // no legal status line
    assert_eq!((answer.status, answer.length), (200, Some(4_356_789)));
    assert_eq!(answer.to_string(), "HTTP/1.0 200 OK");

    let resumed = Request::get_04(2, Name::new(b"HeyJude.mp3"), 1_000).range.unwrap();
    let rest = resumed.of(4_356_789).unwrap();
    assert_eq!((rest.first, rest.len()), (1_000, 4_355_789));
}

/// Heads exchanged with gtk-gnutella 1.2.3-14.
#[test]
fn requests_of_0_6_and_their_answers_decode() {
    let get = head(
        "GET /get/2/creedence%20travelin%20band.mp3 HTTP/1.1\r\nHost: x\r\nUser-Agent: g/0.1\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n",
    );
    let request = Request::from_head(&get).unwrap();
    let name = Name::new(b"creedence travelin band.mp3");
    assert_eq!(request.resource, Resource::File { index: 2, name });
    assert_eq!((request.range, request.keep_alive), (Some(Range::Span(0, 9)), false));
    assert_eq!(request.to_string(), "GET /get/2/creedence%20travelin%20band.mp3 HTTP/1.1");

    let urn = "urn:sha1:T6PFEIKJF2JB3AJEETNNY6NE4KNI25EN";
    let asked = format!("HEAD /uri-res/N2R?{urn} HTTP/1.1\r\n\r\n");
    let asked =
        Request::from_head(&head(&asked)).map(|r| (r.method, r.resource == Resource::Urn(urn)));
    assert_eq!(asked, Ok((Method::Head, true)));

    let answer = head(
        "HTTP/1.1 206 Partial Content\r\nServer: gtk-gnutella\r\nContent-Range: bytes 100-1099/300000\r\nContent-Length: 1000\r\n\r\n",
    );
    let range = ContentRange { first: 100, last: 1_099, size: Some(300_000) };
    let parsed = Response::from_head(&answer).unwrap();
    assert_eq!(parsed, Response::partial(http::Version::Http11, range));
    let disabled = head("HTTP/1.1 403 Browse Host Disabled\r\nConnection: close\r\n\r\n");
    assert_eq!(Response::from_head(&disabled).unwrap().reason, "Browse Host Disabled");
    let busy = Response::refusal(http::Version::Http11, 503, "Busy"); // C-GNU-25
    let mut out = [0; 64];
    let len = busy.encode(&[], &mut out).unwrap();
    assert_eq!(&out[..len], b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");

    let one = ContentRange { first: 0, last: 0, size: Some(1) }; // a range of one byte is one
    assert_eq!((ContentRange::decode("bytes 0-0/1"), one.len()), (Some(one), 1));
    assert_eq!(ContentRange::decode("bytes 1-1/1"), None);
    assert_eq!(Range::decode("bytes=-5").unwrap().of(3), Range::From(0).of(3));
    assert_eq!(Range::decode("bytes=9-").unwrap().of(9), None);
    assert_eq!((Range::decode("bytes=9-3"), Range::decode("bytes=+1-")), (None, None));
}

/// C-GNU-16: `\n\n` by the specification and gtk-gnutella, `\r\n` by the lecture.
#[test]
fn giv_lines_decode_with_either_line_end() {
    let line = "GIV 2:ef9c3102aefe96e798a5a255adc06f12/file";
    let servent = ServentId::from_hex("EF9C3102AEFE96E798A5A255ADC06F12").unwrap();
    let giv = Giv { index: 2, servent, name: text("file") };
    for end in ["\n\n", "\r\n", "\n"] {
        let bytes = format!("{line}{end}HTTP");
        assert_eq!(Giv::decode(bytes.as_bytes()), Ok((giv, &b"HTTP"[..])));
    }
    let cut = format!("{line}\n"); // may be either form
    assert_eq!(Giv::decode(cut.as_bytes()), Err(DecodeError::Incomplete { needed: 1 }));
    let mut out = [0; 64];
    let len = giv.encode(&mut out).unwrap();
    assert_eq!(&out[..len], format!("{line}\n\n").as_bytes());
    assert_eq!(Giv::decode(b"GIV +2:00/x\n\n"), Err(DecodeError::UnknownLine));
}

/// A line end in a header that an application copied must not forge another line.
#[test]
fn names_and_values_cannot_forge_header_lines() {
    let mut out = [0; 99];
    let bad = gnutella_wire::head::Header::new("X", "a\r\nX-Ultrapeer: True");
    let len = Handshake::dialler_06().greet(&[bad], &mut out).unwrap();
    assert_eq!(&out[..len], b"GNUTELLA CONNECT/0.6\r\n\r\n");
    let giv = Giv { index: 1, servent: ServentId([0; 16]), name: text("a\nGET") };
    let len = giv.encode(&mut out).unwrap();
    assert!(out[..len].ends_with(b"/a\n\n"));
}

#[test]
fn the_diagram_of_the_handshake_matches_the_table() {
    let mut picture = String::from("stateDiagram-v2\n");
    for (from, input, to) in TRANSITIONS {
        writeln!(picture, "    {from:?} --> {to:?}: {input:?}").unwrap();
    }
    assert!(include_str!("../docs/handshake.md").contains(&picture), "paste this:\n{picture}");
}
