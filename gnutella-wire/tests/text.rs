//! Heads as real programs send them: folded, repeated, dated, oddly spaced, in other encodings.

use core::net::SocketAddrV4;
use core::time::Duration;

use gnutella_wire::handshake::{Handshake, Line};
use gnutella_wire::head::{Head, HeadLimits, Value};
use gnutella_wire::http::{
    AvailableRanges, ContentRange, Name, Queued, Range, Request, Resource, Response, retry_after,
};
use gnutella_wire::{Neighbour, Role};

fn head(text: &[u8]) -> Head<'_> {
    let (head, rest) = Head::decode(text, HeadLimits::GTKG).unwrap();
    assert!(rest.is_empty());
    head
}

fn addresses(head: &Head<'_>, name: &str) -> Vec<String> {
    head.addresses(name).map(|address| address.to_string()).collect()
}

/// A refusal of gtk-gnutella 1.2.2 from a capture, with the addresses replaced.
const FOLDED: &str = "GNUTELLA/0.6 503 Too many leaf connections (300 max)\r\n\
    User-Agent: gtk-gnutella/1.2.2 (2022-02-25; GTK2; Linux x86_64)\r\n\
    Remote-IP: 203.0.113.7\r\n\
    X-Ultrapeer: True\r\n\
    X-Try-Ultrapeers: 198.51.100.1:35004, 198.51.100.2:15677,\r\n\
    \t198.51.100.3:13060, 198.51.100.4:54130, 198.51.100.5:4315,\r\n\
    \t198.51.100.6:52647, 198.51.100.7:48380, 198.51.100.8:27873,\r\n\
    \t198.51.100.9:53707, 198.51.100.10:7190\r\n\r\n";

#[test]
fn a_folded_list_is_read_to_its_end() {
    let head = head(FOLDED.as_bytes());
    let hosts = addresses(&head, "X-Try-Ultrapeers");
    assert_eq!(hosts.len(), 10);
    assert_eq!(hosts.first().unwrap(), "198.51.100.1:35004");
    assert_eq!(hosts.last().unwrap(), "198.51.100.10:7190");
    assert_eq!(head.headers().count(), 4, "a folded line is not a header");
    assert!(!head.to_string().contains(['\n', '\r', '\t']));
}

#[test]
fn a_folded_line_never_forges_a_header() {
    let head = head(b"GNUTELLA CONNECT/0.6\r\nX-Note: a\r\n X-Ultrapeer: True\r\n\r\n");
    assert!(!head.is_true("X-Ultrapeer"));
    assert_eq!(Neighbour::of_head(&head).role, Role::Peer);
    let stray = Head::decode(b"GET / HTTP/1.1\r\n Range: bytes=5-\r\n\r\n", HeadLimits::GTKG);
    let request = Request::from_head(&stray.unwrap().0).unwrap();
    assert_eq!(request.range, None, "it continues no header");
}

#[test]
fn a_value_may_begin_on_its_continuation_line() {
    let head = head(b"HTTP/1.1 200 OK\r\nX-Alt:\r\n  10.0.0.1:6347,\n\t10.0.0.2\r\n\r\n");
    assert_eq!(addresses(&head, "X-Alt"), ["10.0.0.1:6347", "10.0.0.2:6346"]);
}

#[test]
fn dates_and_junk_cost_only_their_element() {
    let dated = head(
        b"GNUTELLA/0.6 503 Full\r\nX-Try-Ultrapeers: 198.51.100.1:6348 2004-12-18T23:47Z,\
          198.51.100.2:6346 2004-12-18T23:40Z\r\n\r\n",
    );
    let hosts = ["198.51.100.1:6348", "198.51.100.2:6346"];
    assert_eq!(addresses(&dated, "X-Try-Ultrapeers"), hosts);
    let junk = head(
        b"HTTP/1.1 206 OK\r\nx-alt : tls=8,10.0.0.1:6347, \xFF\xFE ,10.0.0.2:99999,,[::1]:5\r\n\
          X-ALT:10.0.0.3\r\nX-Nalt: 10.0.0.4:1;10.0.0.5:2\r\n\r\n",
    );
    assert_eq!(addresses(&junk, "X-Alt"), ["10.0.0.1:6347", "10.0.0.3:6346"], "also repeated");
    assert_eq!(addresses(&junk, "X-Nalt"), ["10.0.0.4:1", "10.0.0.5:2"]);
}

#[test]
fn spacing_and_case_do_not_matter() {
    let head = head(
        b"GNUTELLA CONNECT/0.6\nx-ULTRAPEER :  tRUE \nX-Degree:32 (max 64)\nlisten-ip:\t10.0.0.1:7\n\
          ACCEPT-encoding: gzip;q=0.5 , Deflate\n\n",
    );
    let neighbour = Neighbour::of_head(&head);
    assert_eq!(neighbour.role, Role::Ultrapeer);
    assert_eq!(neighbour.degree, 32);
    assert_eq!(neighbour.address.unwrap().to_string(), "10.0.0.1:7");
    assert!(head.has_item("Accept-Encoding", "deflate"));
}

/// gtk-gnutella, Shareaza and PARQ 1.0 answer a busy download in three ways.
#[test]
fn places_in_queues_are_read_in_every_spelling() {
    let parq = head(
        b"HTTP/1.1 503 Queued\r\nX-Queued: position=1503; length=1840; ETA=4200; lifetime=3600;\r\n\
          \x20   ID=6a074979f3201edbf323b6425fef4a53\r\nRetry-After: 600\r\n\r\n",
    );
    let queued = Queued::of_head(&parq).unwrap();
    assert_eq!(queued.position, Some(1503));
    assert_eq!(queued.lifetime, Some(Duration::from_secs(3_600)));
    let id = queued.id.and_then(Value::as_str);
    assert_eq!(id, Some("6a074979f3201edbf323b6425fef4a53"));
    assert_eq!(retry_after(&parq), Some(Duration::from_secs(600)));
    let shareaza = head(
        b"HTTP/1.1 503 Busy Queued\r\nX-Queue: position=2,length=five,limit=4\r\n\
          X-Queue: pollMin=45,pollMax=120,id=\"default\"\r\n\r\n",
    );
    let queued = Queued::of_head(&shareaza).unwrap();
    assert_eq!((queued.position, queued.length, queued.limit), (Some(2), None, Some(4)));
    assert_eq!(queued.poll_max, Some(Duration::from_secs(120)));
    assert_eq!(queued.id.and_then(Value::as_str), Some("default"));
    assert_eq!(Queued::of_head(&head(b"HTTP/1.1 206 OK\r\nX-Queue: 1.1\r\n\r\n")), None);
}

#[test]
fn available_ranges_are_read_in_every_spelling() {
    let partial = head(
        b"HTTP/1.1 416 No\r\nX-Available-Ranges: bytes 0-285749, 425926-488271,9-3,\r\n x-y\r\n\
          X-Available-Ranges: Bytes=500000-600000\r\n\r\n",
    );
    let ranges: Vec<_> = AvailableRanges::of_head(&partial).collect();
    assert_eq!(ranges, [(0, 285_749), (425_926, 488_271), (500_000, 600_000)]);
}

#[test]
fn ranges_are_read_in_every_spelling() {
    for text in ["bytes=5-9", "Bytes=5-9", "bytes 5-9", " bytes = 5 - 9 "] {
        assert_eq!(Range::decode(text), Some(Range::Span(5, 9)), "{text}");
    }
    let expected = Some(ContentRange { first: 5, last: 9, size: Some(100) });
    for text in ["bytes 5-9/100", "bytes=5-9/100", "BYTES 5-9/100", "bytes 5 - 9 / 100"] {
        assert_eq!(ContentRange::decode(text), expected, "{text}");
    }
    assert_eq!(Range::decode("bytes5-9"), None);
}

/// Latin-1 in the request line and in a reason: "caf\xE9".
#[test]
fn other_encodings_are_read() {
    let request =
        head(b"GET /get/7/caf\xE9.mp3 HTTP/1.1\r\nX-Nick: Ren\xE9\r\nRange: bytes=1-\r\n\r\n");
    let request = Request::from_head(&request).unwrap();
    assert_eq!(request.resource, Resource::File { index: 7, name: Name::new(b"caf\xE9.mp3") });
    assert_eq!(request.range, Some(Range::From(1)));
    let other = Request::from_head(&head(b"GET /caf\xE9 HTTP/1.1\r\n\r\n")).unwrap();
    assert_eq!(other.resource, Resource::Other(b"/caf\xE9"), "can be answered with 404");
    let mut out = [0; 64];
    let len = other.encode(&[], &mut out).unwrap();
    assert!(out[..len].starts_with(b"GET /caf\xE9 HTTP/1.1\r\n"));
    let response = head(b"HTTP/1.1 503 occup\xE9\r\nContent-Length: 0\r\n\r\n");
    let response = Response::from_head(&response).unwrap();
    assert_eq!((response.status, response.reason, response.length), (503, "occup", Some(0)));
    let mut dialler = Handshake::dialler_06();
    dialler.greet(&[], &mut out).unwrap();
    let refusal = b"GNUTELLA/0.6 503 occup\xE9\r\nX-Try-Ultrapeers: 10.0.0.1:1\r\n\r\n";
    let step = dialler.handle_bytes(refusal).unwrap().outcome.unwrap();
    assert_eq!(step.line, Line::Status { code: 503, reason: "occup" });
    assert_eq!(addresses(&step.head, "X-Try-Ultrapeers"), ["10.0.0.1:1"]);
}

#[test]
fn connection_may_be_a_list() {
    let request = head(b"GET / HTTP/1.1\r\nConnection: Upgrade, close\r\n\r\n");
    assert!(!Request::from_head(&request).unwrap().keep_alive);
    let old = head(b"GET / HTTP/1.0\r\nconnection: TE,Keep-alive\r\n\r\n");
    assert!(Request::from_head(&old).unwrap().keep_alive);
}

/// Addresses are read without the standard library's parser, which is large on a device, and alike.
#[test]
fn an_address_is_read_as_the_standard_library_reads_it() {
    let parts =
        ["0", "1", "01", "00", "255", "256", "1000", "", "-1", "+1", "a", " ", "65535", "65536"];
    let mut texts = vec!["1.2.3".to_owned(), "1.2.3.4.5".into(), "1.2.3.4:".into(), ":5".into()];
    for part in parts {
        texts.push(format!("{part}.2.3.4"));
        texts.push(format!("1.2.3.{part}"));
        texts.push(format!("1.2.3.4:{part}"));
        texts.push(format!("1.2.3.{part}:007"));
    }
    for text in texts {
        let line = format!("HTTP/1.1 200 OK\r\nX-Alt: {text}\r\n\r\n");
        let word = text.trim();
        let plain = || word.parse().map(|ip| SocketAddrV4::new(ip, 6_346));
        let expected = word.parse::<SocketAddrV4>().or_else(|_| plain()).ok();
        let is_one_word = !word.contains(' ');
        let read = head(line.as_bytes()).addresses("X-Alt").next();
        assert!(read == expected || !is_one_word, "{text:?}: {read:?}, not {expected:?}");
    }
}
