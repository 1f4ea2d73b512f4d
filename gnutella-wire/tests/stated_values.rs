//! Values that the documentation states: texts, presets, headers of answers, and the ends of formats.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::datagram::DatagramEvent;
use gnutella_wire::deflate::{InflateError, inflate};
use gnutella_wire::ggep::{Block, Endpoints, GgepWriter};
use gnutella_wire::handshake::Handshake;
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::Name;
use gnutella_wire::opennap::{Index, IndexConfig, IndexLimits, IndexVec};
use gnutella_wire::routes::{Key, Lifetimes, Route, RouteSlot, RouteSource, RouteTable};
use gnutella_wire::transfer::{Offer, UploadConfig, UploadSlot, Uploads};
use gnutella_wire::wire::{Limits, Ping, Records, Vendor, VendorId, VendorMessage};
use gnutella_wire::{Config, ConfigError, ConnId, Guid, ServentId};

const START: Duration = Duration::ZERO;
const GET: &str = "GET /uri-res/N2R?urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB HTTP/1.1\r\n";

fn host(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, number), 6346)
}

#[test]
fn events_of_datagrams_print_what_happened() {
    let guid = Guid([0xAB; 16]);
    assert_eq!(DatagramEvent::Reachable.to_string(), "reachable by datagram");
    let wanted = DatagramEvent::HitsWanted { to: host(2), guid, records: 3 };
    assert_eq!(wanted.to_string(), "10.0.0.2:6346 wants 3 hits of abababab");
    let ended = DatagramEvent::SearchEnded { guid, asked: 7, hits: 2 };
    assert_eq!(ended.to_string(), "search abababab ended: 2 hits of 7 hosts");
}

/// A head prints on one line; what is folded is joined by a space.
#[test]
fn a_head_prints_on_one_line() {
    let bytes =
        b"GNUTELLA/0.6 200 OK\r\nX-Try: 10.0.0.1,\r\n 10.0.0.2,\r\n\t10.0.0.3\r\nPort: 1\r\n\r\n";
    let (head, _) = Head::decode(bytes, HeadLimits::GTKG).unwrap();
    let value = head.header("X-Try").unwrap();
    assert_eq!(value.to_string(), "10.0.0.1, 10.0.0.2, 10.0.0.3");
    let expected = "GNUTELLA/0.6 200 OK | X-Try: 10.0.0.1, 10.0.0.2, 10.0.0.3 | Port: 1";
    assert_eq!(head.to_string(), expected);
}

#[test]
fn traces_name_what_they_show() {
    assert_eq!(ConnId(7).to_string(), "conn 7");
    for (vendor, text) in [
        (b"BEAR", "BEAR (BearShare)"),
        (b"GNUC", "GNUC (Gnucleus)"),
        (b"GTKG", "GTKG (gtk-gnutella)"),
        (b"LIME", "LIME (LimeWire)"),
        (b"MRPH", "MRPH (Morpheus)"),
        (b"RAZA", "RAZA (Shareaza)"),
        (b"ABCD", "ABCD"),
    ] {
        assert_eq!(Vendor(*vendor).to_string(), text);
    }
    assert_eq!(Ping { extensions: &[] }.to_string(), "");
    assert_eq!(Ping { extensions: &[0; 3] }.to_string(), " +3 bytes");
    let mut out = [0; 64];
    for (len, text) in
        [(0, "X"), (1, "X=07"), (8, "X=0707070707070707"), (9, "X=0707070707070707.. (9 bytes)")]
    {
        let mut writer = GgepWriter::new(&mut out);
        writer.push(b"X", &[7; 9][..len]).unwrap();
        let len = writer.finish();
        let (block, _) = Block::decode(&out[..len]).unwrap();
        assert_eq!(block.find(b"X").unwrap().to_string(), text);
    }
}

/// A request for a push proxy has the version that it was read with.
#[test]
fn a_request_for_a_push_proxy_keeps_its_version() {
    for version in [1, 2] {
        let id = VendorMessage::PushProxyRequest { version }.id();
        assert_eq!(id, VendorId::new(*b"LIME", 21, version));
    }
}

/// A head may be as long as the limits of the handshake say.
#[test]
fn a_handshake_has_limits() {
    let greeting = format!("GNUTELLA CONNECT/0.6\r\nX-Long: {}\r\n\r\n", "x".repeat(200));
    for (bytes, is_read) in [(greeting.len(), true), (100, false)] {
        let limits = HeadLimits { bytes, ..HeadLimits::GTKG };
        let mut handshake = Handshake::acceptor().with_limits(limits);
        assert_eq!(handshake.handle_bytes(greeting.as_bytes()).is_ok(), is_read, "{bytes}");
    }
}

#[test]
fn names_are_equal_by_their_bytes() {
    assert_eq!(Name::new(b"a b"), Name::new(b"a b"));
    assert_ne!(Name::new(b"a b"), Name::new(b"a c"));
    assert_ne!(Name::new(b"a"), Name::new(b"ab"));
}

#[test]
fn lists_count_what_is_in_them() {
    let two = [10, 0, 0, 2, 0xCA, 0x18, 10, 0, 0, 3, 0xCA, 0x18];
    for (bytes, len) in [(&two[..0], 0), (&two[..6], 1), (&two[..], 2)] {
        let list = Endpoints::read(bytes).unwrap();
        assert_eq!((list.len(), list.is_empty()), (len, len == 0));
        assert!(list.iter().eq([host(2), host(3)].into_iter().take(len)));
    }
    assert!(Endpoints::read(&two[..7]).is_none());
    let none = Records::from_slice(&[]).unwrap();
    assert_eq!((none.len(), none.is_empty()), (0, true));
    assert_eq!(Ping { extensions: &two }.encoded_len(), 12);
}

/// Without an extension there is no block, not even its first byte.
#[test]
fn an_empty_block_is_not_written() {
    let mut out = [0; 8];
    assert_eq!(GgepWriter::new(&mut out).finish(), 0);
    assert_eq!(out, [0; 8]);
}

/// Extensions of messages with fixed fields end where other messages do, but the fields always fit.
#[test]
fn what_is_fixed_in_a_message_fits() {
    use gnutella_wire::wire::Function;
    for (extensions, other, pong) in [(0, 50, 14), (36, 50, 50), (37, 50, 50), (5, 10, 19)] {
        let mut limits = Limits::GTKG;
        limits.extensions = extensions;
        limits.other = other;
        assert_eq!(limits.of(Function::PONG), pong, "{extensions} of {other}");
    }
}

/// RFC 1950 and RFC 1951: a stream without its end is not damaged.
#[test]
fn a_stream_without_its_end_is_truncated() {
    let zlib = [
        0x78, 0x9C, 0x3B, 0xC0, 0xC0, 0xC4, 0x78, 0x5A, 0xE2, 0x00, 0x03, 0x13, 0xD3, 0x19, 0x10,
        0xC9, 0x7C, 0x16, 0x44, 0xB2, 0x9C, 0x03, 0x91, 0xAC, 0xE7, 0x25, 0x00, 0x82, 0xCD, 0x08,
        0x53,
    ];
    let mut out = [0; 64];
    let len = inflate(&zlib, &mut out).unwrap();
    let raw = &zlib[2..27];
    assert_eq!(inflate(raw, &mut out), Ok(len), "without a header");
    for cut in [1, 5, 10] {
        for stream in [&zlib[..], raw] {
            let short = &stream[..stream.len() - cut];
            assert_eq!(inflate(short, &mut out), Err(InflateError::Truncated), "{cut} bytes");
        }
    }
}

/// A table counts what it remembers now: nothing at first, and nothing that is too old.
#[test]
fn a_route_table_counts_its_keys() {
    let lifetimes = Lifetimes::default();
    let mut routes = RouteTable::new(1, lifetimes, vec![RouteSlot::EMPTY; 64]);
    let route = Route { source: RouteSource(1), ttl: 1, hops: 0 };
    assert_eq!((routes.len(START), routes.capacity()), (0, 64));
    for number in 1..=3 {
        routes.insert(START, Key::Ping(Guid([number; 16])), route);
    }
    assert_eq!(routes.len(START), 3);
    assert_eq!(routes.len(lifetimes.ping), 3);
    assert_eq!(routes.len(lifetimes.ping + Duration::from_secs(2)), 0);
}

/// The presets have the numbers of their documentation.
#[test]
fn presets_have_their_numbers() {
    let servent = ServentId([1; 16]);
    let peer = Config::peer(servent, host(1));
    assert_eq!((peer.max_peers, peer.max_leaves, peer.target_peers, peer.max_ttl), (5, 0, 3, 7));
    let leaf = Config::leaf(servent, host(1));
    assert_eq!((leaf.max_peers, leaf.max_leaves, leaf.target_peers, leaf.max_ttl), (3, 0, 3, 4));
    let ultra = Config::ultrapeer(servent, host(1));
    assert_eq!((ultra.max_peers, ultra.max_leaves, ultra.target_peers), (16, 16, 8));
    assert_eq!((ultra.max_ttl, ultra.pongs, ultra.results), (4, 10, 150));
    assert_eq!(Config::supernode(30, servent, host(1)).max_leaves, 30);
}

#[test]
fn an_index_has_no_times_of_zero() {
    let new = |change: fn(&mut IndexConfig)| {
        let mut config = IndexConfig::CUSTOMARY;
        change(&mut config);
        Index::new(config, IndexVec::new(IndexLimits { users: 2, files: 2 })).err()
    };
    let zero = |field| Some(ConfigError::ZeroDuration { field });
    assert_eq!(new(|_| {}), None);
    assert_eq!(new(|config| config.login_timeout = START), zero("login_timeout"));
    assert_eq!(new(|config| config.idle = START), zero("idle"));
    assert_eq!(new(|config| config.request_timeout = START), zero("request_timeout"));
}

/// Asks for a file, and returns the head of the answer.
fn answer(uploads: &mut Uploads<Vec<UploadSlot>>, number: u32, offer: &Offer<'_>) -> String {
    let request = format!("{GET}X-Queue: 0.1\r\nRange: bytes=0-\r\n\r\n");
    let conn = ConnId(number);
    let _ = uploads.handle_connected(START, conn, Ipv4Addr::from(0x0A00_0000 + number));
    uploads.handle_bytes(START, conn, request.as_bytes()).unwrap();
    let mut head = [0; 1_024];
    let len = uploads.offer(START, conn, offer, &mut head).unwrap();
    String::from_utf8(head[..len].to_vec()).unwrap()
}

/// The lists of an answer have commas between what they name, and leave out what is empty.
#[test]
fn an_answer_lists_its_parts_and_other_sources() {
    let mut uploads = Uploads::new(UploadConfig::CUSTOMARY, vec![UploadSlot::EMPTY; 4]).unwrap();
    let mut offer = Offer::new(1, 10_000);
    let parts = [(0, 1_000), (2_000, 0), (3_000, 500), (5_000, 1)];
    let others = [host(8), host(9)];
    offer.available = Some(&parts);
    offer.alternates = &others;
    let head = answer(&mut uploads, 1, &offer);
    for line in [
        "HTTP/1.1 206 Partial Content\r\n",
        "\r\nServer: gnutella-wire/",
        "\r\nConnection: Keep-Alive\r\n",
        "\r\nContent-Length: 1000\r\n",
        "\r\nContent-Range: bytes 0-999/10000\r\n",
        "\r\nX-Available-Ranges: bytes 0-999, 3000-3499, 5000-5000\r\n",
        "\r\nX-Alt: 10.0.0.8:6346,10.0.0.9:6346\r\n\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

/// Those that wait have the places 1, 2 and 3 of a queue that grows.
#[test]
fn places_in_the_queue_are_counted_from_one() {
    let mut config = UploadConfig::CUSTOMARY;
    config.slots = 2;
    let mut uploads = Uploads::new(config, vec![UploadSlot::EMPTY; 16]).unwrap();
    let offer = Offer::new(1, 10_000);
    for (number, is_busy) in [(1, false), (2, true)] {
        assert!(answer(&mut uploads, number, &offer).starts_with("HTTP/1.1 206 "));
        assert_eq!(uploads.is_busy(), is_busy, "{number} of 2");
    }
    for place in 1..=3 {
        let head = answer(&mut uploads, 2 + place, &offer);
        let expected = format!("X-Queue: position={place},length={place},limit=2,");
        assert!(head.contains(&expected), "{expected} in {head}");
    }
}
