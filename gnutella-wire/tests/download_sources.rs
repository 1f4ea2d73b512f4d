//! The sources of a download: which are kept, how much each is asked for, and what a faster one takes from a slower.

mod exchange;
mod one_download;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use exchange::{Behaviour, World, address_of, file_of, sha1_of};
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::thex::{Node, Tree, TreeHasher};
use gnutella_wire::transfer::{
    AddSourceError, Download, DownloadCloseReason, DownloadConfig, DownloadEvent, DownloadLimits,
    DownloadVec, FileInfo, Source, SourceFault,
};
use gnutella_wire::{ConnId, ConnectError, ServentId};
use one_download::{
    BLOCK, SINGLE, T0, WHOLE, asked, connect, connect_first_of_two, dial, events, fetch,
    fetch_with, head, host, info, receive, requests, seconds,
};

/// A block is the smallest power of two, from 64 KiB on, with which the slots suffice.
#[test]
fn blocks_are_as_small_as_the_slots_allow() {
    for (size, blocks, len) in [
        (60_000, 1, 60_000),
        (65_536, 1, 65_536),
        (65_537, 1, 65_537),
        (524_287, 2, 262_144),
        (524_288, 2, 262_144),
        (524_289, 2, 524_288),
        (524_288, 4, 131_072),
        (4 << 20, 3, 2 << 20), // a third of it is more than 1 MiB
    ] {
        let storage = DownloadVec::new(DownloadLimits { sources: 1, blocks });
        let mut fetch = Download::new(SINGLE, info(size), storage).unwrap();
        connect(&mut fetch, T0, 1);
        assert_eq!(asked(&mut fetch), [(1, 0, len)], "{size} bytes, {blocks} slots");
    }
}

/// A source of unknown speed is asked for `min_request` bytes, in whole blocks, and never for more than `max_request`.
#[test]
fn a_new_source_is_asked_for_little() {
    for (least, most, blocks) in [
        (1, 4 << 20, 1),
        (3 * BLOCK - 1, 4 << 20, 2),
        (3 * BLOCK, 4 << 20, 3),
        (8 * BLOCK, 2 * BLOCK, 2),
    ] {
        let mut config = DownloadConfig::CUSTOMARY;
        config.min_request = least;
        config.max_request = most;
        let mut fetch = fetch(config, 64 * BLOCK);
        connect(&mut fetch, T0, 1);
        assert_eq!(asked(&mut fetch), [(1, 0, blocks * BLOCK)], "{least} to {most}");
        connect(&mut fetch, T0, 2);
        assert_eq!(asked(&mut fetch), [(2, blocks * BLOCK, 2 * blocks * BLOCK)], "the next ones");
    }
}

/// Later requests take ten seconds: 65,536 bytes a second are 5 blocks. The time before the request does not count.
#[test]
fn a_known_source_is_asked_for_ten_seconds() {
    let mut config = DownloadConfig::CUSTOMARY;
    config.min_request = 1;
    let size = 64 * BLOCK;
    let mut fetch = fetch(config, size);
    connect(&mut fetch, seconds(100), 1);
    assert_eq!(asked(&mut fetch), [(1, 0, BLOCK)]);
    let bytes = vec![0; BLOCK as usize];
    receive(&mut fetch, seconds(100), 1, &head(size, 0, BLOCK, ""));
    assert_eq!(receive(&mut fetch, seconds(102), 1, &bytes), bytes.len());
    assert_eq!(fetch.progress().rate, 65_536);
    assert_eq!(asked(&mut fetch), [(1, BLOCK, 6 * BLOCK)]);
}

/// A request ends before a block that is there, and before one that has a beginning; that one is then continued.
#[test]
fn a_request_is_for_blocks_in_a_row() {
    let mut fetch = fetch_with(WHOLE, 16 * BLOCK, &[(4 * BLOCK, BLOCK), (7 * BLOCK, 100)]);
    for number in 1..=3 {
        connect(&mut fetch, T0, number);
    }
    let parts = [(1, 0, 4 * BLOCK), (2, 5 * BLOCK, 7 * BLOCK), (3, 7 * BLOCK + 100, 16 * BLOCK)];
    let mut found = asked(&mut fetch);
    found.sort_unstable();
    assert_eq!(found, parts);
}

/// Nobody was measured, so that 16 blocks are taken to need 64 seconds, and half of them 32. A source gives up its second
/// half to one that is twice as fast, with a second of grace; its silence counts once it exceeds 3 seconds.
#[test]
fn a_silent_source_loses_the_second_half() {
    for (millis, is_taken) in [(0, false), (3_000, false), (3_001, true), (4_000, true)] {
        let now = Duration::from_millis(millis);
        let mut fetch = fetch(WHOLE, 16 * BLOCK);
        let second = connect_first_of_two(&mut fetch, 16 * BLOCK);
        fetch.handle_connected(now, second, ConnId(2)).unwrap();
        let half = (2, 8 * BLOCK, 16 * BLOCK);
        assert_eq!(asked(&mut fetch), Vec::from_iter(is_taken.then_some(half)), "{millis} ms");
    }
}

/// A single block needs 4 seconds, so that it is taken after more than 9.
#[test]
fn the_last_block_is_taken_whole() {
    for (silence, is_taken) in [(5, false), (6, true)] {
        let mut fetch = fetch(WHOLE, BLOCK);
        let second = connect_first_of_two(&mut fetch, BLOCK);
        fetch.handle_connected(seconds(silence), second, ConnId(2)).unwrap();
        let whole = (2, 0, BLOCK);
        assert_eq!(asked(&mut fetch), Vec::from_iter(is_taken.then_some(whole)), "{silence} s");
    }
}

/// Half of what is still to come is taken: of 7 blocks the last 4.
#[test]
fn half_of_what_is_missing_is_taken() {
    let size = 8 * BLOCK;
    let mut fetch = fetch(WHOLE, size);
    let second = connect_first_of_two(&mut fetch, size);
    receive(&mut fetch, T0, 1, &head(size, 0, size, ""));
    receive(&mut fetch, seconds(10), 1, &vec![0; BLOCK as usize]);
    fetch.handle_connected(seconds(10), second, ConnId(2)).unwrap();
    assert_eq!(asked(&mut fetch), [(2, 4 * BLOCK, size)]);
}

/// A block of which a source sent the beginning is continued by the one that takes it. The first one is read to its end
/// if at most 64 KiB follow, and closed otherwise.
#[test]
fn a_long_rest_that_is_not_wanted_is_not_read() {
    for (rest, is_closed) in [(65_536, false), (65_537, true)] {
        let mut fetch = fetch(WHOLE, BLOCK);
        let second = connect_first_of_two(&mut fetch, BLOCK);
        let sent = BLOCK - rest - 1;
        receive(&mut fetch, seconds(1), 1, &head(BLOCK, 0, BLOCK, ""));
        let bytes = vec![0; sent as usize];
        assert_eq!(receive(&mut fetch, seconds(1), 1, &bytes), bytes.len());
        fetch.handle_connected(seconds(20), second, ConnId(2)).unwrap();
        assert_eq!(asked(&mut fetch), [(2, sent, BLOCK)]);
        assert_eq!(receive(&mut fetch, seconds(20), 1, &[0]), 0, "another was asked for it");
        let reason = DownloadCloseReason::Superseded;
        let closed = DownloadEvent::Closed { conn: ConnId(1), reason };
        let expected = Vec::from_iter(is_closed.then_some(closed));
        assert_eq!(events(&mut fetch), expected, "{rest} bytes follow");
    }
}

/// Of a wrong file that two sources made together neither is blamed. It is then fetched from one source at a time.
#[test]
fn a_mixed_block_is_nobodys_fault() {
    let mut fetch = fetch(WHOLE, BLOCK);
    let second = connect_first_of_two(&mut fetch, BLOCK);
    receive(&mut fetch, seconds(1), 1, &head(BLOCK, 0, BLOCK, ""));
    receive(&mut fetch, seconds(1), 1, &vec![0; 100_000]);
    fetch.handle_connected(seconds(20), second, ConnId(2)).unwrap();
    asked(&mut fetch);
    receive(&mut fetch, seconds(20), 2, &head(BLOCK, 100_000, BLOCK, ""));
    receive(&mut fetch, seconds(20), 2, &vec![0; 31_072]);
    assert_eq!(events(&mut fetch), [DownloadEvent::VerifyFile]);
    fetch.handle_file_verified(seconds(20), Sha1([2; 20]));
    assert_eq!(events(&mut fetch), [], "nobody is given up");
    assert_eq!(asked(&mut fetch), [(2, 0, BLOCK)], "the other still sends what it was asked for");
}

/// Two sources sent a block each, and the file is wrong: then only one of them is asked.
#[test]
fn a_wrong_file_is_fetched_from_one_source_at_a_time() {
    let size = 2 * BLOCK;
    let mut fetch = fetch(SINGLE, size);
    connect(&mut fetch, T0, 1);
    connect(&mut fetch, T0, 2);
    assert_eq!(asked(&mut fetch).len(), 2);
    let bytes = vec![0; BLOCK as usize];
    for (conn, first) in [(1, 0), (2, BLOCK)] {
        receive(&mut fetch, T0, conn, &head(size, first, first + BLOCK, ""));
        receive(&mut fetch, T0, conn, &bytes);
    }
    assert_eq!(events(&mut fetch), [DownloadEvent::VerifyFile]);
    fetch.handle_file_verified(T0, Sha1([2; 20]));
    assert_eq!(asked(&mut fetch).len(), 1);
    assert_eq!(events(&mut fetch), []);
}

/// Then that one says for ever that it is busy. After five minutes it is the turn of the other one.
#[test]
fn a_busy_source_does_not_hold_a_file_back_that_is_fetched_from_one() {
    let size = 2 * BLOCK;
    let mut fetch = fetch(SINGLE, size);
    let sources = [connect(&mut fetch, T0, 1), connect(&mut fetch, T0, 2)];
    assert_eq!(asked(&mut fetch).len(), 2);
    for (conn, first) in [(1, 0), (2, BLOCK)] {
        receive(&mut fetch, T0, conn, &head(size, first, first + BLOCK, ""));
        receive(&mut fetch, T0, conn, &vec![0; BLOCK as usize]);
    }
    assert_eq!(events(&mut fetch), [DownloadEvent::VerifyFile]);
    fetch.handle_file_verified(T0, Sha1([2; 20]));
    let [(busy, _, _)] = asked(&mut fetch)[..] else { panic!("one request") };
    let answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 45\r\nContent-Length: 0\r\n\r\n";
    receive(&mut fetch, T0, busy, answer);
    let mut now;
    let other = loop {
        now = fetch.poll_timeout().unwrap();
        assert!(now < seconds(400), "the other one is not asked");
        fetch.handle_timeout(now);
        for event in events(&mut fetch) {
            if let DownloadEvent::Dial { source, .. } = event {
                let conn = sources.iter().position(|known| *known == source).unwrap() as u32 + 1;
                fetch.handle_connected(now, source, ConnId(conn)).unwrap();
            }
        }
        match asked(&mut fetch)[..] {
            [] => {}
            [(conn, _, _)] if conn == busy => {
                receive(&mut fetch, now, busy, answer);
            }
            [(conn, first, _)] => break (conn, first),
            _ => panic!("two requests"),
        }
    };
    assert_eq!((now, other), (seconds(300), (3 - busy, 0)));
}

/// One source names at most a quarter of the slots, which is 2 of 8, and each of them once.
#[test]
fn a_source_names_a_quarter_of_the_slots() {
    let size = 64 * BLOCK;
    let names = |from: u8| {
        let all = (from..from + 10).map(|number| format!("10.0.0.{number}:6346"));
        format!("X-Alt: {}\r\n", all.collect::<Vec<_>>().join(","))
    };
    let mut fetch = fetch(SINGLE, size);
    connect(&mut fetch, T0, 1);
    connect(&mut fetch, T0, 2);
    asked(&mut fetch);
    receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &names(10)));
    assert_eq!(fetch.sources().count(), 2 + 2);
    receive(&mut fetch, T0, 2, &head(size, BLOCK, 2 * BLOCK, &names(10)));
    assert_eq!(fetch.sources().count(), 2 + 4, "others of the same list");
    let last = fetch.sources().last().unwrap().source.address;
    assert_eq!(last, SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 13), 6346));
}

#[test]
fn invalid_addresses_are_no_sources() {
    let own = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 6346);
    let mut config = SINGLE;
    config.address = Some(own);
    let size = 64 * BLOCK;
    for (named, is_valid) in [
        ("192.0.2.1:6347", true), // another servent on this computer
        ("192.0.2.1:6346", false),
        ("192.0.2.2:0", false),
        ("0.0.0.0:6346", false),
        ("224.0.0.1:6346", false),
        ("255.255.255.255:6346", false),
        ("198.51.100.1:6346", false), // known
    ] {
        let mut fetch = fetch(config, size);
        connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &format!("X-Alt: {named}\r\n")));
        assert_eq!(fetch.sources().count(), 1 + usize::from(is_valid), "{named}");
    }
}

/// A source is known by its servent, if both have one, and by its address otherwise.
#[test]
fn a_source_is_added_once() {
    let mut fetch = fetch(SINGLE, 64 * BLOCK);
    let servent = ServentId([7; 16]);
    let id = fetch.add_source(T0, Source::of_hit(host(1), servent, 0, false)).unwrap();
    let known = Err(AddSourceError::Known(id));
    let moved = Source::of_hit(host(2), servent, 0, false);
    assert_eq!(fetch.add_source(T0, moved), known);
    assert_eq!(fetch.add_source(T0, Source::at(host(1))), known);
    let other = Source::of_hit(host(1), ServentId([8; 16]), 0, false);
    assert!(fetch.add_source(T0, other).is_ok(), "another servent at that address");
}

/// The slot of a source that was given up is free once that is reported.
#[test]
fn a_lost_source_makes_room_when_it_is_reported() {
    let storage = DownloadVec::new(DownloadLimits { sources: 2, blocks: 64 });
    let mut fetch = Download::new(SINGLE, info(64 * BLOCK), storage).unwrap();
    let first = connect(&mut fetch, T0, 1);
    dial(&mut fetch, T0, 2);
    asked(&mut fetch);
    let full = Err(AddSourceError::Full { capacity: 2 });
    let third = Source::at(host(3));
    assert_eq!(fetch.add_source(T0, third), full);
    receive(&mut fetch, T0, 1, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(fetch.add_source(T0, third), full, "its connection is not closed");
    let reason = DownloadCloseReason::SourceLost;
    assert_eq!(fetch.poll_event(), Some(DownloadEvent::Closed { conn: ConnId(1), reason }));
    assert_eq!(fetch.add_source(T0, third), full, "it is not reported");
    let fault = SourceFault::Refused;
    assert_eq!(fetch.poll_event(), Some(DownloadEvent::SourceLost { source: first, fault }));
    assert!(fetch.add_source(T0, third).is_ok());
}

/// The number of a connection is free when its end is reported.
#[test]
fn a_connection_has_its_number_alone() {
    let mut fetch = fetch(SINGLE, 64 * BLOCK);
    let first = connect(&mut fetch, T0, 1);
    let second = dial(&mut fetch, T0, 2);
    let in_use = Err(ConnectError::InUse(ConnId(1)));
    assert_eq!(fetch.handle_connected(T0, second, ConnId(1)), in_use);
    let again = Err(ConnectError::NotExpected(ConnId(9)));
    assert_eq!(fetch.handle_connected(T0, first, ConnId(9)), again, "it is connected");
    receive(&mut fetch, T0, 1, b"nonsense\r\n\r\n");
    assert_eq!(fetch.handle_connected(T0, second, ConnId(1)), in_use, "its end is not reported");
    let reason = DownloadCloseReason::Malformed;
    assert_eq!(events(&mut fetch), [DownloadEvent::Closed { conn: ConnId(1), reason }]);
    assert_eq!(fetch.handle_connected(T0, second, ConnId(1)), Ok(()));
}

/// A connection that ends after bytes of the file is opened again at once; one that ends before is a failure.
#[test]
fn a_connection_without_a_byte_is_a_failure() {
    for (sent, pause) in [(0, 5), (1, 0)] {
        let mut fetch = fetch(SINGLE, 64 * BLOCK);
        let source = connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        receive(&mut fetch, T0, 1, &head(64 * BLOCK, 0, BLOCK, ""));
        receive(&mut fetch, T0, 1, &[0; 1][..sent]);
        fetch.handle_closed(T0, ConnId(1));
        let dial = DownloadEvent::Dial { source, address: host(1) };
        for (now, is_due) in [(0, pause == 0), (4, false), (5, pause == 5)] {
            fetch.handle_timeout(seconds(now));
            let expected = Vec::from_iter(is_due.then_some(dial));
            assert_eq!(events(&mut fetch), expected, "{sent} bytes, {now} s");
        }
    }
}

/// Only sources of which a block was checked are named to others.
#[test]
fn sources_that_sent_nothing_are_not_recommended() {
    let file = file_of(2_000_000);
    let mut world = World::new(&file);
    let good = world.add(Behaviour { most: Some(300_000), ..Behaviour::GOOD });
    let busy = Some((seconds(500), "Retry-After: 400\r\n"));
    let idle = world.add(Behaviour { busy, ..Behaviour::GOOD });
    world.run(seconds(60));
    assert_eq!(world.outcome, Some(DownloadEvent::Completed { verified: true }));
    let named = format!("X-Alt: {}", address_of(idle));
    assert!(world.heads(good).len() > 3);
    assert!(world.heads(good).iter().all(|head| !head.contains(&named)));
}

fn node_of(bytes: &[u8]) -> Node {
    let mut hasher = TreeHasher::new();
    hasher.update(bytes);
    hasher.finish().0
}

/// All rows of the tree of a file over parts of this length, the root first, and the root.
fn rows_of(file: &[u8], span: usize) -> (Vec<u8>, TigerRoot) {
    let nodes: Vec<_> = file.chunks(span).map(node_of).collect();
    let tree = Tree { size: file.len() as u64, nodes: &nodes };
    let mut body = vec![0; tree.encoded_len()];
    tree.encode(&mut body).unwrap();
    let mut total = 0;
    let mut row = nodes.len();
    loop {
        total += row;
        if row == 1 {
            break;
        }
        row = row.div_ceil(2);
    }
    (body.split_off(body.len() - 24 * total), tree.root().unwrap())
}

/// A tree that is nothing but its rows: nodes of a block or of parts of it serve, coarser ones do not, nor do wrong ones.
#[test]
fn the_rows_of_a_tree_are_checked() {
    let file = file_of(4 * BLOCK as usize);
    let wrong = file_of(4 * BLOCK as usize + 1);
    let span = BLOCK as usize;
    for (rows, is_used) in [
        (rows_of(&file, span).0, true),
        (rows_of(&file, span / 2).0, true),
        (rows_of(&file, span / 128).0, true),
        (rows_of(&file, 2 * span).0, false),
        (rows_of(&wrong[..file.len()], span).0, false),
    ] {
        let size = file.len() as u64;
        let storage = DownloadVec::new(DownloadLimits { sources: 8, blocks: 1_024 });
        let known = FileInfo { sha1: Some(sha1_of(&file)), ..info(size) };
        let mut fetch = Download::new(SINGLE, known, storage).unwrap();
        connect(&mut fetch, T0, 1);
        asked(&mut fetch);
        let root = rows_of(&file, span).1;
        let offer = format!("X-Thex-URI: /uri-res/N2X?it;{root}\r\n");
        receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &offer));
        receive(&mut fetch, T0, 1, &file[..span]);
        let request = requests(&mut fetch).pop().unwrap().1;
        assert!(request.starts_with("GET /uri-res/N2X?it HTTP/1.1\r\n"), "{request}");
        let len = rows.len();
        let media = "application/tigertree-breadthfirst";
        let tree =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len}\r\n\r\n");
        receive(&mut fetch, T0, 1, tree.as_bytes());
        // Nodes are read when they are whole.
        for part in rows.chunks(240) {
            receive(&mut fetch, T0, 1, part);
        }
        let verify = DownloadEvent::Verify { offset: 0, len: BLOCK };
        assert_eq!(events(&mut fetch).contains(&verify), is_used, "{len} bytes");
        fetch.handle_verified(T0, 1, TigerRoot([9; 24])); // no block begins there
        fetch.handle_verified(T0, 0, TigerRoot(node_of(&file[..span])));
        let verified: Vec<_> = fetch.verified().collect();
        assert_eq!(verified, Vec::from_iter(is_used.then_some((0, BLOCK))), "{len} bytes");
    }
}

/// A tree that a source announced, and whose blocks make a wrong file, is dropped with that source. The others go on, on their
/// connections.
#[test]
fn a_wrong_tree_is_the_fault_of_its_source() {
    let file = file_of(2 * BLOCK as usize);
    let size = file.len() as u64;
    let span = BLOCK as usize;
    let (rows, root) = rows_of(&file, span);
    let mut fetch = fetch(SINGLE, size); // of another file
    let first = connect(&mut fetch, T0, 1);
    connect(&mut fetch, T0, 2);
    let mut found = asked(&mut fetch);
    found.sort_unstable();
    assert_eq!(found, [(1, 0, BLOCK), (2, BLOCK, size)]);
    let offer = format!("X-Thex-URI: /uri-res/N2X?it;{root}\r\n");
    receive(&mut fetch, T0, 1, &head(size, 0, BLOCK, &offer));
    receive(&mut fetch, T0, 1, &file[..span]);
    assert!(requests(&mut fetch).pop().unwrap().1.starts_with("GET /uri-res/N2X?it HTTP/1.1\r\n"));
    let media = "application/tigertree-breadthfirst";
    let len = rows.len();
    let tree = format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len}\r\n\r\n");
    receive(&mut fetch, T0, 1, tree.as_bytes());
    receive(&mut fetch, T0, 1, &rows);
    receive(&mut fetch, T0, 2, &head(size, BLOCK, size, ""));
    receive(&mut fetch, T0, 2, &file[span..]);
    for (offset, part) in [(0, &file[..span]), (BLOCK, &file[span..])] {
        let verify = DownloadEvent::Verify { offset, len: BLOCK };
        assert_eq!(fetch.poll_event(), Some(verify));
        fetch.handle_verified(T0, offset, TigerRoot(node_of(part)));
    }
    assert_eq!(events(&mut fetch), [DownloadEvent::VerifyFile]);
    fetch.handle_file_verified(T0, sha1_of(&file));
    let reason = DownloadCloseReason::SourceLost;
    let closed = DownloadEvent::Closed { conn: ConnId(1), reason };
    let fault = SourceFault::WrongBytes;
    let lost = DownloadEvent::SourceLost { source: first, fault };
    assert_eq!(events(&mut fetch), [closed, lost]);
    assert_eq!(asked(&mut fetch), [(2, 0, BLOCK)]);
}
