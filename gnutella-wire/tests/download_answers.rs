//! Answers to a request for a part of a file: which are the bytes that were asked for, and which end the connection.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod exchange;

use core::net::Ipv4Addr;
use core::time::Duration;

use exchange::{Behaviour, World, file_of, info_of, sha1_of};
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{Giv, Request};
use gnutella_wire::huge::{TigerRoot, Urn};
use gnutella_wire::transfer::{
    Download, DownloadCloseReason, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec,
    FileInfo, Source, SourceFault,
};
use gnutella_wire::{ConnId, ConnectError, ServentId, Text};

const T0: Duration = Duration::ZERO;
const SIZE: u64 = 300_000;

fn head(lines: &[&str]) -> Vec<u8> {
    [lines.join("\r\n").as_bytes(), b"\r\n\r\n"].concat()
}

/// A download that has the bytes in `written` and has asked its source for others; and for which: the first byte, and the
/// one after the last.
fn asking(written: &[(u64, u64)]) -> (Download<DownloadVec>, u64, u64) {
    let info = FileInfo { size: SIZE, sha1: None, root: None, name: b"a.mp3" };
    let storage = DownloadVec::new(DownloadLimits::default());
    let config = DownloadConfig::CUSTOMARY;
    let mut download = Download::resume(config, info, written, storage).unwrap();
    let host = core::net::SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 6346);
    download.add_source(T0, Source::at(host)).unwrap();
    let Some(DownloadEvent::Dial { source, .. }) = download.poll_event() else { panic!("a dial") };
    download.handle_connected(T0, source, ConnId(1)).unwrap();
    let mut buf = [0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
    let sent = download.poll_transmit(&mut buf).unwrap().unwrap();
    let (head, _) = Head::decode(&buf[..sent.len], HeadLimits::GTKG).unwrap();
    let part = Request::from_head(&head).unwrap().range.unwrap().of(SIZE).unwrap();
    (download, part.first, part.last + 1)
}

/// Sends an answer and 1,000 bytes, and returns how many of these are of the file, and why the connection ends.
fn answered(lines: &[&str]) -> (usize, Option<DownloadCloseReason>) {
    let (of_file, closed, _) = deliver(asking(&[]).0, lines);
    (of_file, closed)
}

/// As above, and why the source is given up.
fn deliver(
    mut download: Download<DownloadVec>,
    lines: &[&str],
) -> (usize, Option<DownloadCloseReason>, Option<SourceFault>) {
    let mut bytes = [head(lines), vec![b'x'; 1_000]].concat();
    let mut of_file = 0;
    while let Ok(received) = download.handle_bytes(T0, ConnId(1), &bytes) {
        of_file += received.outcome.map_or(0, |piece| piece.bytes.len());
        if received.consumed == 0 {
            break;
        }
        bytes.drain(..received.consumed);
    }
    let mut closed = None;
    let mut lost = None;
    while let Some(event) = download.poll_event() {
        match event {
            DownloadEvent::Closed { reason, .. } => closed = Some(reason),
            DownloadEvent::SourceLost { fault, .. } => lost = Some(fault),
            _ => {}
        }
    }
    (of_file, closed, lost)
}

#[test]
fn answers_that_can_be_used() {
    let range = "Content-Range: bytes 0-999/300000";
    let rows: [&[&str]; 9] = [
        &["HTTP/1.1 206 OK", range, "Content-Length: 1000, 1000"],
        &["HTTP/1.1 206 OK", range, "Content-Length: 1000", "Content-Length: 1000"],
        &["HTTP/1.1 206 OK", range, "Content-Length: about 1000"],
        &["HTTP/1.1 206 OK", "Content-Range:bytes 0-999 / 300000", "content-length:1000"],
        &["HTTP/1.9 206", range, "Content-Length: 1000"],
        &["HTTP/2 206", range, "Content-Length: 1000"],
        &["HTTP 206 Partial", range, "Content-Length: 1000", "Connection: Keep-Alive, TE"],
        &["\r\nHTTP/1.1 206 OK", range, "Content-Length: 1000"],
        &["HTTP/1.1 206 OK", range, "Content-Length: 1000", "Content-Type: multipart/mixed"],
    ];
    for lines in rows {
        assert_eq!(answered(lines).0, 1_000, "{lines:?}");
    }
}

/// A body in parts with heads of their own is not the bytes that were asked for.
#[test]
fn answers_that_are_something_else() {
    let malformed = (0, Some(DownloadCloseReason::Malformed));
    let rows: [&[&str]; 5] = [
        &[
            "HTTP/1.1 206 OK",
            "Content-Type: multipart/byteranges; boundary=x",
            "Content-Length: 1000",
        ],
        &["HTTP/1.1 101 Switching Protocols", "Upgrade: h2c"],
        &["HTTP/1.1 206 OK", "Content-Range: bytes 300000-300999/301000", "Content-Length: 1000"],
        &["HTTP/1.1 206 OK", "Content-Range: bytes 0-999/300000", "Content-Encoding: gzip"],
        &["ICY 200 OK"],
    ];
    for lines in rows {
        let (of_file, closed) = answered(lines);
        assert_eq!(of_file, malformed.0, "{lines:?}");
        assert!(closed.is_some(), "{lines:?}");
    }
}

/// RFC 9110, 14.4 and 15.3.7: the range of an answer has to meet what was asked for, and its length has to fit.
#[test]
fn a_part_has_to_meet_what_was_asked_for() {
    const BLOCK: u64 = 262_144;
    let malformed = Some(DownloadCloseReason::Malformed);
    // The first block is there; the second was asked for.
    let (_, asked, end) = asking(&[(0, BLOCK)]);
    assert_eq!((asked, end), (BLOCK, SIZE));
    let range = |first: u64, last: u64| format!("Content-Range: bytes {first}-{last}/{SIZE}");
    let length = |length: u64| format!("Content-Length: {length}");
    for (first, last, len, of_file, closed) in [
        (asked, asked + 999, 1_000, 1_000, None),
        (asked, end - 1, end - asked, 1_000, None),
        (asked - 500, asked + 499, 1_000, 500, None), // begins before it
        (0, SIZE - 1, SIZE, 0, None),                 // reaches it later
        (asked + 10, asked + 2_009, 2_000, 0, None),  // without its beginning: not a byte is used
        (asked + 10, asked + 1_009, 1_000, 0, malformed), // and nothing of it was of use
        (asked - 1_000, asked - 1, 1_000, 0, malformed),
        (asked - 1_000, asked, 1_001, 0, None), // its last byte is the first that was asked for
        (0, 999, 1_000, 0, malformed),
        (asked, asked + 999, 1_001, 0, malformed),
        (asked, asked + 999, 999, 999, None), // shorter than its range
    ] {
        let lines = ["HTTP/1.1 206 OK", &range(first, last), &length(len)];
        let found = deliver(asking(&[(0, BLOCK)]).0, &lines);
        assert_eq!(found, (of_file, closed, None), "{lines:?}");
    }
    // The second block is there; the first was asked for.
    let (_, asked, end) = asking(&[(BLOCK, SIZE)]);
    assert_eq!((asked, end), (0, BLOCK));
    for (first, closed) in [(BLOCK - 1, None), (BLOCK, malformed)] {
        let lines = ["HTTP/1.1 206 OK", &range(first, first + 1_999), &length(2_000)];
        let (_, found, _) = deliver(asking(&[(BLOCK, SIZE)]).0, &lines);
        assert_eq!(found, closed, "{lines:?}");
    }
}

/// A size that is not that of the file is another file, whether a range or a whole answer says so.
#[test]
fn an_answer_with_another_size_is_another_file() {
    let part = "Content-Range: bytes 0-999/300001";
    let unknown = "Content-Range: bytes 0-999/*";
    let same = "Content-Range: bytes 0-999/300000";
    for (lines, is_other) in [
        (&["HTTP/1.1 206 OK", part, "Content-Length: 1000"][..], true),
        (&["HTTP/1.1 206 OK", unknown, "Content-Length: 1000"], false),
        (&["HTTP/1.1 206 OK", same, "Content-Length: 1000"], false),
        (&["HTTP/1.1 200 OK", "Content-Length: 300000"], false),
        (&["HTTP/1.1 200 OK", "Content-Length: 299999"], true),
        (&["HTTP/1.1 200 OK", "Content-Length: 300001"], true),
        (&["HTTP/1.1 200 OK", "Connection: close"], false),
    ] {
        let (of_file, _, lost) = deliver(asking(&[]).0, lines);
        assert_eq!(lost, is_other.then_some(SourceFault::OtherFile), "{lines:?}");
        assert_eq!(of_file, if is_other { 0 } else { 1_000 }, "{lines:?}");
    }
}

/// Only chunks are undone, once.
#[test]
fn encodings_that_were_not_asked_for_end_the_connection() {
    let range = "Content-Range: bytes 0-999/300000";
    for (encoding, is_readable) in [
        ("Transfer-Encoding: identity", true),
        ("Content-Encoding: identity", true),
        ("Transfer-Encoding: gzip", false),
        ("Transfer-Encoding: gzip, chunked", false),
        ("Transfer-Encoding: chunked, chunked", false),
        ("Content-Encoding: gzip", false),
        ("Content-Encoding: identity, br", false),
    ] {
        let lines = ["HTTP/1.1 206 OK", range, "Content-Length: 1000", encoding];
        let (of_file, closed) = answered(&lines);
        let expected = if is_readable { 1_000 } else { 0 };
        assert_eq!(of_file, expected, "{encoding}");
        let reason = (!is_readable).then_some(DownloadCloseReason::Malformed);
        assert_eq!(closed, reason, "{encoding}");
    }
}

/// HUGE 0.94 and THEX: a tree that is announced without its root has the root of the bitprint, if that is of the file.
#[test]
fn a_tree_without_a_root_has_that_of_the_bitprint() {
    let file = file_of(2_000_000);
    let sha1 = sha1_of(&file);
    let right = World::new(&file).root();
    let wrong = TigerRoot([9; 24]);
    for (hash, root, is_ours) in [
        (Some(sha1), None, true),
        (Some(sha1), Some(right), true),
        (None, Some(right), true), // known by its root alone
        (None, Some(wrong), false),
        (None, None, false),
    ] {
        for name in ["X-Gnutella-Content-URN", "X-Content-URN"] {
            let info = FileInfo { name: b"a.mp3", sha1: hash, root, ..info_of(&file) };
            let mut world = World::of(&file, DownloadConfig::CUSTOMARY, info, &[]);
            let bitprint = Urn::Bitprint(sha1, right);
            let urn = Urn::Sha1(sha1);
            let headers =
                format!("X-Thex-URI: /uri-res/N2X?{urn}\r\n{name}: {urn}, {bitprint}\r\n");
            let source =
                world.add(Behaviour { tree: None, headers: headers.into(), ..Behaviour::GOOD });
            world.run(Duration::from_secs(60));
            if root != Some(wrong) {
                let verified = hash.is_some() || root.is_some();
                assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified }));
            }
            let trees = world.heads(source).iter().filter(|head| head.contains("N2X?"));
            assert_eq!(trees.count(), usize::from(is_ours), "{name}, {hash:?}, {root:?}");
        }
    }
}

/// A tree in an encoding is declined like one that is missing: the source is asked for the file on the same connection.
#[test]
fn an_encoded_tree_is_declined() {
    let media = "Content-Type: application/dime";
    for encoding in ["Content-Encoding: gzip", "Transfer-Encoding: gzip"] {
        let refusal =
            format!("HTTP/1.1 200 OK\r\n{media}\r\n{encoding}\r\nContent-Length: 5\r\n\r\nnodes");
        let file = file_of(2_000_000);
        let mut world = World::new(&file);
        let keeps = encoding.starts_with("Content");
        world.add(Behaviour { no_tree: Some(refusal.into()), ..Behaviour::GOOD });
        world.run(Duration::from_secs(60));
        assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified: true }));
        assert_eq!(world.dials.len(), if keeps { 1 } else { 2 }, "{encoding}");
        assert!(world.closed.iter().all(|(_, reason)| *reason != DownloadCloseReason::Malformed));
    }
}

/// A refusal in chunks is read to its end if it is short, and no further than 64 KiB.
#[test]
fn a_long_refusal_in_chunks_ends_the_connection() {
    for (chunks, is_read) in [(1, true), (60, true), (70, false), (100_000, false)] {
        let (mut download, ..) = asking(&[]);
        let lines = ["HTTP/1.1 503 Busy", "Retry-After: 5", "Transfer-Encoding: chunked"];
        let mut bytes = head(&lines);
        let mut sent = 0;
        while let Ok(received) = download.handle_bytes(T0, ConnId(1), &bytes) {
            let consumed = received.consumed;
            bytes.drain(..consumed);
            if consumed > 0 {
                continue;
            }
            if sent == chunks {
                break;
            }
            sent += 1;
            bytes.extend(b"400\r\n");
            bytes.extend([b'x'; 1_024]);
            bytes.extend(if sent == chunks { &b"\r\n0\r\n\r\n"[..] } else { b"\r\n" });
        }
        let closed = core::iter::from_fn(|| download.poll_event()).find_map(|event| match event {
            DownloadEvent::Closed { reason, .. } => Some(reason),
            _ => None,
        });
        let reason = DownloadCloseReason::Busy; // what it said still holds
        assert_eq!(closed, (!is_read).then_some(reason), "{chunks} KiB");
        assert!(sent <= 70, "{sent} KiB were read");
    }
}

/// A source that gave the tree and leaves takes nothing with it: blocks are still checked as they come.
#[test]
fn a_known_tree_stays_when_its_source_leaves() {
    let file = file_of(4_000_000);
    let mut world = World::new(&file);
    let most = Some(300_000);
    let first = world.add(Behaviour { most, keep_alive: false, ..Behaviour::GOOD });
    world.run(Duration::from_secs(2));
    assert_eq!(world.outcome, None);
    assert!(world.download.progress().verified > 0);
    let trees = world.heads(first).iter().filter(|head| head.contains("N2X?")).count();
    assert_eq!(trees, 1);
    assert!(world.heads(first).len() > 2, "it has closed between");
}

/// A source that breaks off in its tree does not keep it: another one is asked for the tree.
#[test]
fn a_tree_that_breaks_off_is_fetched_elsewhere() {
    let file = file_of(4_000_000);
    let mut world = World::new(&file);
    let part =
        "HTTP/1.1 200 OK\r\nContent-Type: application/dime\r\nContent-Length: 500\r\n\r\nabc";
    let no_tree = Some(part.into());
    let first = world.add(Behaviour { no_tree, keep_alive: false, ..Behaviour::GOOD });
    let second = world.add(Behaviour { rate: 500_000, ..Behaviour::GOOD });
    world.run(Duration::from_secs(60));
    assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified: true }));
    let trees = |server| world.heads(server).iter().filter(|head| head.contains("N2X?")).count();
    assert_eq!((trees(first), trees(second)), (1, 1));
}

/// What waits to be tried again counts as waiting, and what sends as sending.
#[test]
fn progress_counts_the_sources_that_wait() {
    let file = file_of(1_000_000);
    let mut world = World::new(&file);
    world.add(Behaviour { drops_after: Some(0), ..Behaviour::GOOD });
    world.run(Duration::from_secs(2));
    let progress = world.download.progress();
    assert_eq!((progress.sending, progress.waiting), (0, 1));
    world.add(Behaviour { rate: 10_000, ..Behaviour::GOOD });
    world.run(Duration::from_secs(1));
    let progress = world.download.progress();
    assert_eq!((progress.sending, progress.waiting), (1, 1));
}

/// A servent that nobody asked for a push is refused, even if it has the file.
#[test]
fn a_giv_that_was_not_asked_for_is_refused() {
    let info = FileInfo { size: SIZE, sha1: None, root: None, name: b"a.mp3" };
    let storage = DownloadVec::new(DownloadLimits::default());
    let mut download = Download::new(DownloadConfig::CUSTOMARY, info, storage).unwrap();
    let host = core::net::SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 1), 6346);
    let servent = ServentId([7; 16]);
    download.add_source(T0, Source::of_hit(host, servent, 1, false)).unwrap();
    let Some(DownloadEvent::Dial { source, .. }) = download.poll_event() else { panic!("a dial") };
    let giv = |servent| Giv { index: 1, servent, name: Text::EMPTY };
    let refused = Err(ConnectError::NotExpected(ConnId(5)));
    assert_eq!(download.handle_giv(T0, ConnId(5), &giv(servent)), refused, "it is dialled");
    download.handle_dial_failed(T0, source);
    let mut pushed = false;
    for _ in 0..10 {
        if let Some(DownloadEvent::Push { .. }) = download.poll_event() {
            pushed = true;
            break;
        }
        let Some(due) = download.poll_timeout() else { break };
        download.handle_timeout(due);
    }
    assert!(pushed, "it cannot be dialled");
    assert_eq!(download.handle_giv(T0, ConnId(5), &giv(ServentId([8; 16]))), refused, "another");
    assert!(download.handle_giv(T0, ConnId(5), &giv(servent)).is_ok());
}

/// RFC 9112 requires `Host`; the features are those that LimeWire and gtk-gnutella look for.
#[test]
fn requests_have_the_headers_that_servents_look_for() {
    let file = file_of(1_000_000);
    let mut world = World::new(&file);
    let source = world.add(Behaviour::GOOD);
    world.run(Duration::from_secs(10));
    let heads = world.heads(source);
    assert!(heads.len() >= 2 && heads.iter().any(|head| head.contains("N2X?")));
    for head in heads {
        for line in [
            "Host: 10.0.0.1:6346\r\n",
            "Connection: Keep-Alive\r\n",
            "X-Features: queue/0.1, queue/1.1, fwalt/0.1\r\n",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(head.contains("\r\nUser-Agent: "), "{head}");
    }
}

/// The place of a tree is a path on the same servent.
#[test]
fn a_tree_elsewhere_is_not_asked_for() {
    let file = file_of(2_000_000);
    for (uri, is_asked) in [
        ("/uri-res/N2X?tree", true),
        ("http://10.0.0.9/uri-res/N2X?tree", false),
        ("uri-res/N2X?tree", false),
        ("/uri-res/N2X? tree", false),
    ] {
        let mut world = World::new(&file);
        let headers = format!("X-Thex-URI: {uri};{}\r\n", world.root());
        let source =
            world.add(Behaviour { tree: None, headers: headers.into(), ..Behaviour::GOOD });
        world.run(Duration::from_secs(30));
        let asked = world.heads(source).iter().any(|head| head.contains("N2X?"));
        assert_eq!(asked, is_asked, "{uri}");
    }
}
