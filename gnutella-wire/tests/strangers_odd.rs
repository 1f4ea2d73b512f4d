//! Odd input of programs that mean well: heads of handshakes, answers and requests over HTTP, lines of OpenNap, extensions,
//! and tables.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use core::net::Ipv4Addr;
use core::time::Duration;

use gnutella_wire::ggep::{Block, Known};
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{Giv, Range, Request, Resource, Response, Version, retry_after};
use gnutella_wire::opennap::{Frame, Kind, Message};
use gnutella_wire::qrp::TableReceiver;
use gnutella_wire::transfer::{UploadConfig, UploadSlot, Uploads};
use gnutella_wire::wire::{Compressor, Patch, Qrp, Reset};
use gnutella_wire::{ConnId, Neighbour, Role};

const T0: Duration = Duration::ZERO;

fn head(lines: &[&str]) -> Vec<u8> {
    [lines.join("\r\n").as_bytes(), b"\r\n\r\n"].concat()
}

fn neighbour(lines: &[&str]) -> Neighbour {
    let bytes = head(&[&["GNUTELLA CONNECT/0.6"], lines].concat());
    Neighbour::of_head(&Head::decode(&bytes, HeadLimits::GTKG).unwrap().0)
}

fn address(lines: &[&str]) -> Option<String> {
    neighbour(lines).address.map(|address| address.to_string())
}

// Handshakes.

/// gtk-gnutella names both of its addresses; old servents wrote names, or nothing.
#[test]
fn own_addresses_in_every_spelling() {
    let expected = Some("192.0.2.1:6346".to_owned());
    assert_eq!(address(&["Node: 192.0.2.1:6346, [2001:db8::1]:6346"]), expected);
    assert_eq!(address(&["Node: [2001:db8::1]:6346, 192.0.2.1:6346"]), expected, "IPv6 first");
    assert_eq!(address(&["Node: [2001:db8::1]:6346"]), None);
    assert_eq!(address(&["Listen-IP:192.0.2.1"]), expected, "no port");
    assert_eq!(address(&["X-My-Address: host.example:6346", "Node: 192.0.2.1:6346"]), expected);
    assert_eq!(address(&["Listen-IP: ", "X-My-Address: 192.0.2.1:6346"]), expected);
    assert_eq!(address(&["Listen-IP: 192.0.2.1:6346:6347"]), None);
    assert_eq!(address(&["Listen-IP: 192.0.2.256:6346"]), None);
    assert_eq!(address(&["Listen-IP: 192.0.2:6346"]), None);
}

#[test]
fn roles_and_numbers_in_every_spelling() {
    assert_eq!(neighbour(&["X-Ultrapeer: TRUE"]).role, Role::Ultrapeer);
    assert_eq!(neighbour(&["X-Ultrapeer:true"]).role, Role::Ultrapeer);
    assert_eq!(neighbour(&["X-ULTRAPEER :\tFalse"]).role, Role::Leaf);
    assert_eq!(neighbour(&["X-Ultrapeer:"]).role, Role::Leaf, "an empty value");
    assert_eq!(neighbour(&["X-Degree: 46 (max)"]).degree, 46);
    assert_eq!(neighbour(&["X-Degree: 99999"]).degree, neighbour(&[]).degree, "more than fits");
    assert_eq!(neighbour(&["X-Degree: -1"]).degree, neighbour(&[]).degree);
    assert!(neighbour(&["Accept-Encoding: gzip, deflate;q=0.5"]).deflate);
    assert!(neighbour(&["Accept-Encoding: gzip", "Accept-Encoding:deflate"]).deflate);
    assert!(!neighbour(&["Accept-Encoding: gzip, x-deflate"]).deflate);
}

#[test]
fn lists_of_hosts_with_other_things_in_them() {
    let rows: [(&str, &[&str]); 6] = [
        ("192.0.2.1:6346,192.0.2.2:6347,", &["192.0.2.1:6346", "192.0.2.2:6347"]),
        ("192.0.2.1:6346;192.0.2.2", &["192.0.2.1:6346", "192.0.2.2:6346"]),
        ("[2001:db8::1]:6346, 192.0.2.2:6346", &["192.0.2.2:6346"]),
        ("tls=8, 192.0.2.1:6346, host.example:80", &["192.0.2.1:6346"]),
        ("192.0.2.1:99999, 192.0.2.1:, 192.0.2.2:1", &["192.0.2.2:1"]),
        (",, ; ,", &[]),
    ];
    for (value, expected) in rows {
        let bytes = head(&["GNUTELLA/0.6 503 Full", &format!("X-Try-Ultrapeers: {value}")]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        let found: Vec<_> =
            head.addresses("X-Try-Ultrapeers").map(|host| host.to_string()).collect();
        assert_eq!(found, expected, "{value}");
    }
}

// Answers over HTTP.

#[test]
fn times_to_try_again_in_every_spelling() {
    let rows = [
        ("Retry-After: 0", Some(0)),
        ("Retry-After:  90 ", Some(90)),
        ("Retry-After: 99999999999", Some(99_999_999_999)),
        ("Retry-After: -5", None),
        ("Retry-After: soon", None),
        ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", None), // without a date to compare with
        ("Retry-After:", None),
    ];
    for (line, expected) in rows {
        let bytes = head(&["HTTP/1.1 503 Busy", line]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        assert_eq!(retry_after(&head).map(|wait| wait.as_secs()), expected, "{line}");
    }
}

// Requests over HTTP.

#[test]
fn requests_in_every_spelling() {
    let urn = "urn:sha1:PLSTHIPQGSSZTS5FJUPAKUZWUGYQYPFB";
    let rows = [
        (format!("GET /uri-res/N2R?{urn} HTTP/1.1"), "Range: bytes=0-0", Some(Range::Span(0, 0))),
        (format!("GET  /uri-res/N2R?{urn}  HTTP/1.1"), "Range: bytes=7-", Some(Range::From(7))),
        (format!("GET /uri-res/n2r?{urn} HTTP/1.1"), "Range: bytes=-9", Some(Range::Last(9))),
        (format!("GET /uri-res/N2R?{urn} HTTP/1.0"), "Range: bytes=5-1", None),
        (format!("GET /uri-res/N2R?{urn} HTTP/1.0"), "Range: lines=5-9", None),
        (
            format!("HEAD /uri-res/N2R?{urn} HTTP/1.1"),
            "Range: bytes=1-4,8-9",
            Some(Range::Span(1, 4)),
        ),
        (
            format!("GET http://192.0.2.1:6346/uri-res/N2R?{urn} HTTP/1.1"),
            "Host: 192.0.2.1:6346",
            None,
        ),
    ];
    for (line, header, range) in rows {
        let bytes = head(&[&line, header]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        let request = Request::from_head(&head).unwrap();
        assert_eq!(request.resource, Resource::Urn(urn), "{line}");
        assert_eq!(request.range, range, "{line} {header}");
    }
}

/// A client that sends an empty line before its next request, as old ones did after the first.
#[test]
fn empty_lines_before_a_request_are_passed_over() {
    let mut machine = Uploads::new(UploadConfig::CUSTOMARY, vec![UploadSlot::EMPTY; 2]).unwrap();
    machine.handle_connected(T0, ConnId(1), Ipv4Addr::new(192, 0, 2, 1)).unwrap();
    let mut bytes = b"\r\n\nGET /get/1/a.mp3 HTTP/1.1\r\n\r\n".to_vec();
    let mut asked = false;
    while !bytes.is_empty() {
        let received = machine.handle_bytes(T0, ConnId(1), &bytes).unwrap();
        asked |= received.outcome.is_some();
        assert!(received.consumed > 0, "{}", bytes.escape_ascii());
        bytes.drain(..received.consumed);
    }
    assert!(asked);
}

#[test]
fn gives_in_every_spelling() {
    for line in [
        "GIV 0:BC1F6870696111D4A74D0001031AE043/\n\n",
        "GIV 4294967295:bc1f6870696111d4a74d0001031ae043/file\n\n",
        "GIV 36:BC1F6870696111D4A74D0001031AE043/a b/c.mp3\r\n\r\n",
    ] {
        assert!(Giv::decode(line.as_bytes()).is_ok(), "{line}");
    }
    let status = |line: &str| {
        let bytes = head(&[line]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        Response::from_head(&head).map(|response| (response.version, response.status)).ok()
    };
    assert_eq!(status("HTTP/1.1\t200\tOK"), Some((Version::Http11, 200)));
    assert_eq!(status("http 404 Not Found"), Some((Version::Http10, 404)));
}

// OpenNap.

fn read(kind: u16, data: &str) -> Option<Message<'_>> {
    Message::from_frame(Frame { kind: Kind(kind), data: data.as_bytes() }).ok()
}

/// Lines that end in a NUL or a line end, as programs in C and scripts send them.
#[test]
fn lines_with_an_end() {
    for end in ["\0", "\r\n", "\n", " ", "  \0", "\0\0"] {
        let text = |data: &str| format!("{data}{end}");
        let login = text("ann pw 6699 \"nap v1.5\" 8");
        let Some(Message::Login(login)) = read(2, &login) else { panic!("{login:?}") };
        assert_eq!((login.client.as_bytes(), login.link.0), (&b"nap v1.5"[..], 8), "{end:?}");
        let wanted = text("ann \"C:\\my music\\a.mp3\"");
        let Some(Message::Download(wanted)) = read(203, &wanted) else { panic!("{wanted:?}") };
        assert_eq!(wanted.name.as_bytes(), b"C:\\my music\\a.mp3", "{end:?}");
        let nick = text("ann");
        assert!(
            matches!(read(211, &nick), Some(Message::Browse(nick)) if nick.as_bytes() == b"ann"),
            "{end:?}"
        );
        let search = text("FILENAME CONTAINS \"hey jude\" MAX_RESULTS 10");
        assert!(matches!(read(200, &search), Some(Message::Search(_))), "{end:?}");
        assert!(matches!(read(214, end), Some(Message::StatsRequest)), "{end:?}");
        let notice = text("welcome");
        assert!(matches!(read(404, &notice), Some(Message::Notice(_))), "{end:?}");
    }
}

#[test]
fn lines_with_additional_fields() {
    let wanted = |message| match message {
        Some(Message::UploadRequest(wanted) | Message::UploadAccept(wanted)) => {
            wanted.name.as_bytes().to_vec()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(wanted(read(607, "ann \"a.mp3\" 8")), b"a.mp3", "with the link of the other");
    assert_eq!(wanted(read(608, "ann \"a.mp3\" \"b\" 1 2 3")), b"a.mp3");
    assert!(matches!(read(209, "ann 8 more"), Some(Message::UserOn(_, link)) if link.0 == 8));
    assert!(matches!(read(214, "553 64692 254 7 x"), Some(Message::Stats(553, 64_692, 254))));
    assert!(matches!(read(620, "ann \"a.mp3\" 99 4 5"), Some(Message::UploadLimited(_, 99, 4))));
    assert!(matches!(read(213, "ann 3"), Some(Message::BrowseEnd(_))));
    assert!(matches!(read(202, "100 rows"), Some(Message::SearchEnd)));
}

#[test]
fn lines_with_odd_quotes_and_numbers() {
    let name = |data| match read(102, data) {
        Some(Message::Unshare(name)) => name.as_bytes().to_vec(),
        other => panic!("{data}: {other:?}"),
    };
    assert_eq!(name("\"a \"b\" c.mp3\""), b"a \"b", "a quote before a space ends it");
    assert_eq!(name("\"a.mp3"), b"a.mp3", "no closing quote");
    assert_eq!(name("a.mp3"), b"a.mp3", "no quotes");
    assert_eq!(name("   \"a.mp3\"   "), b"a.mp3");
    assert!(read(102, "").is_none());
    assert!(read(100, "\"\" 00 5 1 2 3").is_some(), "an empty name");
    for (data, size) in
        [("\"a\" 00 \"5\" 1 2 3", 5), ("\"a\" 00 0 1 2 3", 0), ("\"a\" 00 4294967295", u32::MAX)]
    {
        assert!(
            matches!(read(100, data), Some(Message::Share(file)) if file.size == size),
            "{data}"
        );
    }
    for data in ["\"a\" 00 4294967296", "\"a\" 00 -5", "\"a\" 00 +5", "\"a\" 00 5k", "\"a\" 00"] {
        assert!(read(100, data).is_none(), "{data}");
    }
}

// Extensions.

#[test]
fn values_that_are_shorter_or_longer() {
    let known = |id: &[u8], value: &'static [u8]| Known::read(id, value);
    assert!(matches!(known(b"VC", b"LIME"), Some(Known::Vendor(_, None))));
    assert!(matches!(known(b"VC", b"GTKG\x83\x01"), Some(Known::Vendor(_, Some(0x83)))));
    assert!(known(b"VC", b"LIM").is_none());
    assert!(known(b"UP", &[2, 255]).is_none());
    assert!(matches!(known(b"UP", &[2, 255, 50, 9]), Some(Known::Ultrapeer(_))));
    assert!(matches!(known(b"DU", &[]), Some(Known::Uptime(0))), "the least number of bytes for 0");
    assert!(known(b"DU", &[1; 9]).is_none());
    assert!(known(b"IPP", &[1; 7]).is_none());
    assert!(matches!(known(b"IPP", &[]), Some(Known::Endpoints(list)) if list.is_empty()));
    assert!(matches!(known(b"GUE", &[]), Some(Known::Guess(None, None))));
    assert!(matches!(known(b"GUE", &[2, 0xCA]), Some(Known::Guess(Some(2), None))));
    assert!(matches!(known(b"SCP", &[]), Some(Known::Scp(_))));
    assert!(known(b"TT", &[1; 23]).is_none());
    assert!(known(b"H", &[]).is_none());
    assert!(known(b"6", &[1; 15]).is_none());
    assert!(
        matches!(known(b"LF", &[0, 0, 0, 0, 1, 0]), Some(Known::LargeFile(size)) if size == 1 << 32),
        "a zero at the end"
    );
}

/// A hundred extensions, the same each time, and a block that ends before its last one.
#[test]
fn blocks_of_many_and_of_none() {
    let mut bytes = vec![0xC3];
    for _ in 0..99 {
        bytes.extend(b"\x02VC\x44LIME");
    }
    bytes.extend(b"\x82VC\x44GTKG");
    let (block, rest) = Block::decode(&bytes).unwrap();
    assert_eq!((block.extensions().count(), rest.len()), (100, 0));
    assert_eq!(block.find(b"VC").unwrap().data(), b"LIME");
    for cut in 1..bytes.len() {
        assert!(Block::decode(&bytes[..cut]).is_err(), "{cut}");
    }
    for malformed in [
        &b"\xC3"[..],
        b"\xC3\x80\x40",
        b"\xC3\x81\0\x40",
        b"\xC3\x81A\x00",
        b"\xC3\x81A\xBF\xBF\xBF\x40",
        b"",
    ] {
        assert!(Block::decode(malformed).is_err(), "{}", malformed.escape_ascii());
    }
}

// Tables.

fn patch(seq_no: u8, seq_size: u8, entry_bits: u8, data: &[u8]) -> Qrp<'_> {
    Qrp::Patch(Patch { seq_no, seq_size, compressor: Compressor::NONE, entry_bits, data })
}

/// Widths, numbers and sizes that no table has.
#[test]
fn patches_that_fit_no_table() {
    let rows: [(&str, Qrp<'_>); 8] = [
        ("3 bits", patch(1, 1, 3, &[0; 6])),
        ("16 bits", patch(1, 1, 16, &[0; 32])),
        ("0 bits", patch(1, 1, 0, &[])),
        ("number 0", patch(0, 1, 4, &[0; 8])),
        ("number 2 first", patch(2, 2, 4, &[0; 4])),
        ("none in all", patch(1, 0, 4, &[0; 8])),
        ("too short", patch(1, 1, 4, &[0; 7])),
        ("too long", patch(1, 1, 4, &[0; 9])),
    ];
    for (what, patch) in rows {
        let mut table = TableReceiver::new([0; 2]).unwrap();
        table.handle_reset(Reset { slots: 16, infinity: 7 }).unwrap();
        assert!(table.handle(&patch).is_err(), "{what}");
    }
    for slots in [0, 1, 3, 15, 1 << 31, u32::MAX] {
        let mut table = TableReceiver::new([0; 2]).unwrap();
        assert!(table.handle_reset(Reset { slots, infinity: 7 }).is_err(), "{slots}");
    }
}

/// Words that come, go and come again, in one table of each width; and a width that changes between patches.
#[test]
fn patches_one_after_the_other() {
    let words = |table: &TableReceiver<[u8; 1]>| table.table().unwrap().as_bytes()[0];
    let come: [(u8, &[u8]); 4] = [
        (1, &[0x20]),
        (2, &[0x0C, 0]),
        (4, &[0x00, 0xF0, 0, 0]),
        (8, &[0, 0, 0xFF, 0, 0, 0, 0, 0]),
    ];
    let go: [(u8, &[u8]); 4] =
        [(1, &[0x20]), (2, &[0x04, 0]), (4, &[0x00, 0x10, 0, 0]), (8, &[0, 0, 1, 0, 0, 0, 0, 0])];
    for (bits, first) in come {
        for (other_bits, second) in go {
            let mut table = TableReceiver::new([0; 1]).unwrap();
            table.handle_reset(Reset { slots: 8, infinity: 2 }).unwrap();
            table.handle(&patch(1, 1, bits, first)).unwrap();
            assert_eq!(words(&table), 0x20, "{bits}");
            table.handle(&patch(1, 1, other_bits, second)).unwrap();
            assert_eq!(words(&table), 0, "{bits}, then {other_bits}");
            table.handle(&patch(1, 1, bits, first)).unwrap();
            assert_eq!(words(&table), 0x20, "{bits} again");
        }
    }
}
