//! What programs of many makers send and no specification says: heads of handshakes, answers of web servers and of old
//! servents.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::handshake::{Handshake, State};
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{ContentRange, Range, Request, Resource, Response};
use gnutella_wire::transfer::{
    Download, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec, FileInfo, Source,
};
use gnutella_wire::{Neighbour, Role};

fn head(lines: &[&str]) -> Vec<u8> {
    let mut head = lines.join("\r\n").into_bytes();
    head.extend(b"\r\n\r\n");
    head
}

fn neighbour(lines: &[&str]) -> Neighbour {
    let bytes = head(lines);
    Neighbour::of_head(&Head::decode(&bytes, HeadLimits::GTKG).unwrap().0)
}

fn host(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, last), 6346)
}

// Handshakes.

/// `BearShare` 4.3 says as an ultrapeer only whether it needs others, and leaves its address open.
#[test]
fn an_ultrapeer_of_bearshare() {
    let bear = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "User-Agent: BearShare 4.3.3",
        "Machine: 1,8,511,1,1133",
        "Pong-Caching: 0.1",
        "X-Query-Routing: 0.1",
        "Listen-IP: 0.0.0.0:6346",
        "Remote-IP: 203.0.113.9",
        "Hops-Flow: 1.0",
        "GGEP: 0.5",
        "X-Ultrapeer-Needed: True",
        "FP-Auth-Challenge: H45HQK3GM7ZVKDC6GNYVQ4ILCMUCDSCY",
    ]);
    assert_eq!(bear.role, Role::Ultrapeer);
    assert!(bear.query_routing && !bear.ultrapeer_query_routing);
}

/// Gnucleus and Morpheus share a core, with an uptime and a number of leaves.
#[test]
fn an_ultrapeer_of_morpheus() {
    let morpheus = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "User-Agent: Morpheus 4.0.1.15 (GnucDNA 1.0.2.6)",
        "Listen-IP: 198.51.100.7:6346",
        "X-Ultrapeer:True",
        "X-Leaf-Max: 400",
        "Uptime: 0D 21H 01M",
        "X-Query-Routing:0.1",
        "X-Try-Ultrapeers: ",
        "Accept-Encoding: Deflate",
    ]);
    assert_eq!((morpheus.role, morpheus.address), (Role::Ultrapeer, Some(host(7))));
    assert!(morpheus.query_routing && morpheus.deflate);
}

/// Phex writes in lower case and ends lists with a comma.
#[test]
fn a_leaf_of_phex() {
    let lines = [
        "GNUTELLA CONNECT/0.6",
        "x-ultrapeer: false",
        "user-agent: Phex 3.4.2.116",
        "remote-ip: 203.0.113.9:40211",
        "listen-ip: 198.51.100.8:6346",
        "x-query-routing: 0.1",
        "vendor-message: 0.1",
        "x-try-ultrapeers: 198.51.100.1:6346,198.51.100.2:6346,",
        "accept-encoding: deflate",
        "x-degree: 32",
    ];
    let phex = neighbour(&lines);
    assert_eq!((phex.role, phex.address, phex.degree), (Role::Leaf, Some(host(8)), 32));
    assert!(phex.vendor_messages && phex.deflate);
    let bytes = head(&lines);
    let (parsed, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
    assert!(parsed.addresses("X-Try-Ultrapeers").eq([host(1), host(2)]));
}

/// gtk-gnutella names its address in `Node`, with the one of version 6 behind it.
#[test]
fn a_node_of_gtk_gnutella_with_two_addresses() {
    let gtkg = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "Node: 198.51.100.9:6346, [2001:db8::9]:6346",
        "Remote-IP: 203.0.113.9",
        "User-Agent: gtk-gnutella/1.2.3 (2024-03-03; GTK2; Linux x86_64)",
        "X-Ultrapeer: True",
        "X-Degree: 46",
        "X-Features: tls/1.0, sflag/0.1, IP/6.0, HSEP/0.2",
        "X-Token: bn7NAOKr7w8wbHjb0hjz+pz6bCgyU7A=; AAQA",
    ]);
    assert_eq!((gtkg.address, gtkg.degree), (Some(host(9)), 46));
}

/// Shareaza asks for the other network in the same words.
#[test]
fn a_hub_of_shareaza() {
    let shareaza = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "Listen-IP: 198.51.100.10:6346",
        "Remote-IP: 203.0.113.9:6346",
        "User-Agent: Shareaza 2.7.10.2",
        "Accept: text/html, application/x-gnutella2,application/x-gnutella-packets",
        "Accept-Encoding: gzip, deflate;q=0.9",
        "X-Ultrapeer: True",
        "X-Ultrapeer-Needed: False",
        "X-Ultrapeer-Query-Routing: 0.1",
        "X-Try-Hubs: 198.51.100.3:6346 2009-12-18T23:47Z",
    ]);
    assert_eq!((shareaza.role, shareaza.address), (Role::Ultrapeer, Some(host(10))));
    assert!(shareaza.deflate && shareaza.ultrapeer_query_routing);
}

/// LimeWire 4 as Acquisition wears it, giFT, and what claims nothing at all.
#[test]
fn leaves_of_acquisition_and_gift() {
    let acquisition = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "X-Max-TTL: 3",
        "X-Dynamic-Querying: 0.1",
        "X-Version: 4.0.10",
        "X-Query-Routing: 0.1",
        "User-Agent: LimeWire/4.0.10 (Acquisition/104.1)",
        "Vendor-Message: 0.1",
        "X-Ultrapeer-Query-Routing: 0.1",
        "GGEP: 0.5",
        "Listen-IP: 198.51.100.11:6346",
        "X-Guess: 0.1",
        "X-Ultrapeer: False",
        "X-Degree: 15",
        "X-Locale-Pref: en",
        "Remote-IP: 203.0.113.9",
    ]);
    assert_eq!((acquisition.role, acquisition.degree), (Role::Leaf, 15));
    let gift = neighbour(&[
        "GNUTELLA CONNECT/0.6",
        "User-Agent: giFT/0.11.8.1 (FreeBSD; X11)",
        "X-Ultrapeer : False",
        "\tno header goes on here",
        "X-Query-Routing\t: 0.1",
        "a line without a colon",
    ]);
    assert_eq!((gift.role, gift.query_routing), (Role::Leaf, true));
    assert_eq!(neighbour(&["GNUTELLA CONNECT/0.6"]).role, Role::Peer);
}

/// `WireShare` agrees with two spaces; others leave out the reason or write it in another encoding.
#[test]
fn agreements_in_every_spelling() {
    for line in ["200 OK", " 200  OK", "200", "200 D\u{e9}j\u{e0}", "200\tOK"] {
        let mut handshake = Handshake::dialler_06();
        handshake.greet(&[], &mut [0; 256]).unwrap();
        let bytes = head(&[&format!("GNUTELLA/0.6 {line}"), "User-Agent: WireShare/6.0.3"]);
        let received = handshake.handle_bytes(&bytes).unwrap();
        assert_eq!(received.consumed, bytes.len(), "{line}");
        assert!(received.outcome.is_some(), "{line}");
        assert_eq!(handshake.state(), State::Confirming, "{line}");
    }
}

// Answers over HTTP.

const FILE_LEN: usize = 300_000;

fn file() -> Vec<u8> {
    let mut rng = sim::Rng::new(7);
    let mut file = vec![0; FILE_LEN];
    rng.fill(&mut file);
    file
}

/// Fetches a file from one server, which answers a request for the bytes from `first` to `last` with `answer`.
/// Returns whether the file is complete, and how many requests that took.
fn fetch(answer: impl Fn(&[u8], usize, usize) -> Vec<u8>) -> (bool, usize) {
    fetch_on(|file, first, last, _| answer(file, first, last))
}

/// The same; `answer` also receives which connection it is, from 1.
fn fetch_on(answer: impl Fn(&[u8], usize, usize, u32) -> Vec<u8>) -> (bool, usize) {
    let file = file();
    let info = FileInfo { size: FILE_LEN as u64, sha1: None, root: None, name: b"a.mp3" };
    let storage = DownloadVec::new(DownloadLimits::default());
    let mut download = Download::new(DownloadConfig::CUSTOMARY, info, storage).unwrap();
    let mut now = Duration::ZERO;
    download.add_source(now, Source::at(host(1))).unwrap();
    let mut written = vec![0; FILE_LEN];
    let mut requests = 0;
    let mut conn = ConnId(0);
    let mut received: Vec<u8> = Vec::new();
    let mut buf = [0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
    for _ in 0..200 {
        while let Some(event) = download.poll_event() {
            match event {
                DownloadEvent::Dial { source, .. } => {
                    conn = ConnId(conn.0 + 1);
                    received.clear();
                    download.handle_connected(now, source, conn).unwrap();
                }
                DownloadEvent::Closed { .. } => received.clear(),
                DownloadEvent::Completed { .. } => return (written == file, requests),
                _ => {}
            }
        }
        while let Some(sent) = download.poll_transmit(&mut buf).unwrap() {
            let (head, _) = Head::decode(&buf[..sent.len], HeadLimits::GTKG).unwrap();
            let asked = Request::from_head(&head).unwrap().range.unwrap_or(Range::From(0));
            let span = asked.of(FILE_LEN as u64).unwrap();
            received.extend(answer(&file, span.first as usize, span.last as usize, conn.0));
            requests += 1;
        }
        let mut window = 1_000; // what a socket delivers at a time
        loop {
            let available = &received[..window.min(received.len())];
            let Ok(done) = download.handle_bytes(now, conn, available) else { break };
            let consumed = done.consumed;
            if let Some(piece) = done.outcome {
                let from = piece.offset as usize;
                written[from..from + piece.bytes.len()].copy_from_slice(piece.bytes);
            }
            if consumed == 0 && window >= received.len() {
                break;
            }
            received.drain(..consumed);
            window = if consumed == 0 { window + 1_000 } else { 1_000 };
        }
        now += Duration::from_millis(500);
        download.handle_timeout(now);
    }
    (false, requests)
}

fn answer(lines: &[&str], body: &[u8]) -> Vec<u8> {
    [&head(lines), body].concat()
}

#[test]
fn apache_sends_a_part() {
    let (complete, _) = fetch(|file, first, last| {
        let range = format!("Content-Range: bytes {first}-{last}/{FILE_LEN}");
        let length = format!("Content-Length: {}", last - first + 1);
        let lines = [
            "HTTP/1.1 206 Partial Content",
            "Date: Sun, 05 Mar 2006 10:00:00 GMT",
            "Server: Apache/2.4.62 (Debian)",
            "Last-Modified: Sat, 04 Mar 2006 10:00:00 GMT",
            "ETag: \"493e0-40e1a0b2\"",
            "Accept-Ranges: bytes",
            &length,
            &range,
            "Keep-Alive: timeout=5, max=100",
            "Connection: Keep-Alive",
            "Content-Type: audio/mpeg",
        ];
        answer(&lines, &file[first..=last])
    });
    assert!(complete);
}

/// A server without ranges sends the whole file each time it is asked for a part.
#[test]
fn a_whole_file_answers_a_request_for_a_part() {
    let (complete, requests) = fetch(|file, _, _| {
        let length = format!("content-length:{FILE_LEN}");
        answer(&["HTTP/1.1 200 OK", "Server: nginx/1.22.1", &length], file)
    });
    assert!(complete);
    assert!(requests <= 2, "{requests}");
}

#[test]
fn a_part_without_its_range_is_what_was_asked_for() {
    for header in ["", "Content-Range: bytes */300000", "Content-Range: bytes *", "Content-Range: "]
    {
        let (complete, _) = fetch(|file, first, last| {
            let length = format!("Content-Length:   {} ", last - first + 1);
            answer(
                &["HTTP/1.0 206 OK", &length, "Connection: keep-alive", header]
                    [..if header.is_empty() { 3 } else { 4 }],
                &file[first..=last],
            )
        });
        assert!(complete, "{header}");
    }
}

/// Ranges as Shareaza, `BearShare` and others spell them.
#[test]
fn ranges_of_answers_in_every_spelling() {
    for value in ["bytes 5-9/100", "bytes=5-9/100", "bytes: 5-9/100", "BYTES  5 - 9 / 100"] {
        let expected = Some(ContentRange { first: 5, last: 9, size: Some(100) });
        assert_eq!(ContentRange::decode(value), expected, "{value}");
    }
    for value in ["bytes 5-9/*", "bytes=5-9"] {
        let expected = Some(ContentRange { first: 5, last: 9, size: None });
        assert_eq!(ContentRange::decode(value), expected, "{value}");
    }
    for value in
        ["bytes 9-5/100", "bytes 5-100/100", "bytes */100", "5-9/100", "bytes 5-9/x", "bytes"]
    {
        assert_eq!(ContentRange::decode(value), None, "{value}");
    }
}

#[test]
fn chunks_are_a_part_too() {
    let (complete, requests) = fetch(|file, first, last| {
        let range = format!("Content-Range: bytes {first}-{last}/{FILE_LEN}");
        let lines = ["HTTP/1.1 206 Partial Content", "Transfer-Encoding: chunked", &range];
        let mut body = Vec::new();
        for chunk in file[first..=last].chunks(4_097) {
            body.extend(format!("{:x};sig=\"a\"\r\n", chunk.len()).into_bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\nX-Checksum: none\r\n\r\n");
        answer(&lines, &body)
    });
    assert!(complete);
    assert!(requests <= 4, "the connection is kept: {requests}");
}

/// More bytes in chunks than the part has, and a chunk that is longer than it says, are refused.
#[test]
fn chunks_that_do_not_fit_end_the_connection() {
    for (chunk, text) in [("4", &b"abcde"[..]), ("fffffffffffffffff", b"abc"), ("-4", b"abcd")] {
        let (complete, _) = fetch(|_, _, _| {
            let body = [format!("{chunk}\r\n").as_bytes(), text, b"\r\n0\r\n\r\n"].concat();
            answer(&["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], &body)
        });
        assert!(!complete, "{chunk}");
    }
}

/// Bodies that are not wanted, however they are framed: the same connection is asked again for the part.
#[test]
fn bodies_that_are_not_wanted_keep_the_connection() {
    let text = b"5\r\nsorry\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked";
    let gzip = "Transfer-Encoding: gzip, chunked";
    let queue = "X-Queue: position=1,pollMin=5,pollMax=60";
    let parq = "X-Queued: position=1; ID=6a074979f3201edbf323b6425fef4a53";
    let refusals: &[(&[&str], &[u8])] = &[
        (&["HTTP/1.1 503 Busy", "Retry-After: 5", chunked], text),
        (&["HTTP/1.1 503 Busy", "Retry-After: 5", gzip], text),
        (&["HTTP/1.1 503 Queued", queue, chunked, "Content-Length: 3"], text),
        (&["HTTP/1.1 503 Queued", parq, "Retry-After: 5", chunked], text),
        (&["HTTP/1.1 503 Busy", "Retry-After: 5", "Content-Length: 5"], b"sorry"),
        (
            &["HTTP/1.0 503 Busy", "Connection: keep-alive", "Retry-After: 5", "Content-Length: 5"],
            b"sorry",
        ),
        (
            &["HTTP/1.1 503 Busy", "Retry-After: 5", "Content-Encoding: gzip", "Content-Length: 5"],
            b"sorry",
        ),
        (&["HTTP/1.1 416 Not yet", "X-Available-Ranges: bytes 262144-299999", chunked], text),
        (
            &[
                "HTTP/1.1 416 Not yet",
                "X-Available-Ranges: bytes 262144-299999",
                "Content-Length: 5",
            ],
            b"sorry",
        ),
        (&["HTTP/1.1 100 Continue"], b""),
        (&["HTTP/1.1 103 Early Hints", "Link: </a>"], b"HTTP/1.1 102 Processing\r\n\r\n"),
    ];
    for (lines, body) in refusals {
        let asked = Cell::new(0);
        let seen = Cell::new(0);
        let fetched = fetch_on(|file, first, last, conn| {
            asked.set(asked.get() + 1);
            assert_eq!(conn, 1, "{lines:?}: another connection");
            let range = format!("Content-Range: bytes {first}-{last}/{FILE_LEN}");
            let length = format!("Content-Length: {}", last - first + 1);
            let part = answer(&["HTTP/1.1 206 OK", &length, &range], &file[first..=last]);
            if asked.get() > 1 {
                return part;
            }
            let refusal = answer(lines, body);
            seen.set(refusal.len());
            if lines[0].starts_with("HTTP/1.1 1") { [refusal, part].concat() } else { refusal }
        });
        assert!(fetched.0, "{lines:?}");
        assert!(seen.get() > 0);
    }
}

/// What has no end, or is too long, or is malformed, costs the connection. The source is asked again on another.
#[test]
fn bodies_that_are_not_wanted_have_a_bound() {
    let long = [&b"20000\r\n"[..], &vec![b'x'; 0x20000], b"\r\n0\r\n\r\n"].concat();
    let busy = "HTTP/1.1 503 Busy";
    let chunked = "Transfer-Encoding: chunked";
    let refusals: &[(&[&str], &[u8])] = &[
        (&[busy, "Retry-After: 5", chunked], &long),
        (&[busy, "Retry-After: 5", "Content-Length: 131072"], &long[..0x20000]),
        (&[busy, "Retry-After: 5", "Transfer-Encoding: gzip"], b"sorry"),
        (&[busy, "Retry-After: 5", "Transfer-Encoding: chunked, chunked"], b"1\r\na\r\n0\r\n\r\n"),
        (&[busy, "Retry-After: 5"], b"sorry"),
        (&[busy, "Retry-After: 5", chunked], b"sorry\r\n"),
        (&[busy, "Retry-After: 5", "Connection: close", "Content-Length: 5"], b"sorry"),
    ];
    for (lines, body) in refusals {
        let last_conn = Cell::new(0);
        let (complete, _) = fetch_on(|file, first, last, conn| {
            last_conn.set(conn);
            if conn == 1 {
                return answer(lines, body);
            }
            let range = format!("Content-Range: bytes {first}-{last}/{FILE_LEN}");
            let length = format!("Content-Length: {}", last - first + 1);
            answer(&["HTTP/1.1 206 OK", &length, &range], &file[first..=last])
        });
        assert!(complete, "{lines:?}");
        assert_eq!(last_conn.get(), 2, "{lines:?}");
    }
}

#[test]
fn a_part_that_ends_with_the_connection() {
    let (complete, requests) = fetch(|file, first, last| {
        let range = format!("Content-Range: bytes {first}-{last}/{FILE_LEN}");
        answer(&["HTTP/1.0 206 Partial Content", &range], &file[first..=last])
    });
    assert!(complete);
    assert!(requests > 0);
}

#[test]
fn status_lines_in_every_spelling() {
    let rows = [
        ("HTTP 200 OK", 200, "OK"),
        ("http/1.1 206 Partial Content", 206, "Partial Content"),
        ("HTTP/1.1  503  Queued", 503, "Queued"),
        ("HTTP/1.0\t404", 404, ""),
        ("HTTP/1.1 416 ", 416, ""),
    ];
    for (line, status, reason) in rows {
        let bytes = head(&[line]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        let response = Response::from_head(&head).unwrap();
        assert_eq!((response.status, response.reason), (status, reason), "{line}");
    }
    for line in ["HTTPS/1.1 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 +20 OK", "HTTP/1.1", "ICY 200 OK"]
    {
        let bytes = head(&[line]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        assert!(Response::from_head(&head).is_err(), "{line}");
    }
}

/// Request lines of old servents: with a slash behind the name, in lower case, with spaces in the name.
#[test]
fn requests_of_old_servents() {
    let paths = [
        ("GET /get/1/a%20b.mp3/ HTTP/1.0", Range::From(5), "Range: bytes=5-"),
        ("GET /get/1/a%20b.mp3 HTTP/1.1", Range::Span(5, 9), "range:bytes 5-9"),
        ("GET /get/1/a%20b.mp3 HTTP/1.1", Range::Last(7), "RANGE : bytes = -7"),
    ];
    for (line, range, header) in paths {
        let bytes = head(&[line, "User-Agent: Gnutella", header]);
        let (head, _) = Head::decode(&bytes, HeadLimits::GTKG).unwrap();
        let request = Request::from_head(&head).unwrap();
        assert!(matches!(request.resource, Resource::File { index: 1, .. }), "{line}");
        assert_eq!(request.range, Some(range), "{header}");
    }
}
