//! Sources of a download that queue, are busy, redirect, have a part, or name others.

mod exchange;

use core::time::Duration;

use exchange::{Behaviour, MB, VERIFIED, World, file_of, info_of, seconds, sha1_of};
use gnutella_wire::http::QueueCall;
use gnutella_wire::huge::Urn;
use gnutella_wire::transfer::{Download, DownloadCloseReason, DownloadConfig, DownloadVec};
use gnutella_wire::{ConnId, ConnectError};

/// Shareaza's and LimeWire's queue: the connection stays, and is asked again after `pollMin`.
#[test]
fn a_place_in_a_queue_is_kept_on_the_connection() {
    let file = file_of(MB);
    let queue = "X-Queue: position=2,length=5,limit=4,pollMin=45,pollMax=120\r\n";
    let mut world = World::new(&file);
    let busy = world.add(Behaviour { busy: Some((seconds(80), queue)), ..Behaviour::GOOD });
    world.run(seconds(20));
    let report = world.download.sources().next().unwrap();
    assert_eq!(report.queue_position, Some(2));
    assert_eq!(world.download.progress().waiting, 1);
    world.run(seconds(300));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.dials.len(), 1);
    let asked: Vec<_> = world.asked(busy).iter().map(Duration::as_secs).collect();
    assert_eq!(asked[..3], [0, 45, 90]);
}

/// PARQ: the identifier is repeated, on a new connection after `Retry-After`.
#[test]
fn a_place_of_parq_is_asked_for_again_by_its_id() {
    let file = file_of(MB);
    let queue = "X-Queued: position=1503; length=1840; ETA=4200; lifetime=3600;\r\n    \
                 ID=6a074979f3201edbf323b6425fef4a53\r\nRetry-After: 600\r\nConnection: close\r\n";
    let mut world = World::new(&file);
    let busy = world.add(Behaviour {
        busy: Some((seconds(100), queue)),
        keep_alive: false,
        ..Behaviour::GOOD
    });
    world.run(seconds(700));
    assert_eq!(world.outcome, VERIFIED);
    let [first, second, ..] = world.heads(busy) else { panic!("two requests") };
    assert!(first.contains("X-Queue: 1.1\r\n") && !first.contains("X-Queued"), "{first}");
    let place = "X-Queued: position=1503; ID=6a074979f3201edbf323b6425fef4a53\r\n";
    assert!(second.contains(place), "{second}");
    let asked: Vec<_> = world.asked(busy).iter().map(Duration::as_secs).collect();
    assert_eq!(asked[..2], [0, 600]);
}

/// The servent in whose queue the download waits calls before the time to ask again: the request goes there.
#[test]
fn a_queue_that_calls_is_asked_on_its_connection() {
    let file = file_of(MB);
    let queue = "X-Queued: position=3; ID=6a074979f3201edbf323b6425fef4a53\r\n\
                 Retry-After: 600\r\nConnection: close\r\n";
    let mut world = World::new(&file);
    world.add(Behaviour {
        busy: Some((seconds(900), queue)),
        keep_alive: false,
        ..Behaviour::GOOD
    });
    world.run(seconds(5));
    let line = b"QUEUE 6a074979f3201edbf323b6425fef4a53 10.0.0.1:6346\r\n";
    let (call, rest) = QueueCall::decode(line).unwrap();
    let mut again = [0; QueueCall::MAX_LEN];
    assert_eq!(call.encode(&mut again).map(|len| &again[..len]), Ok(&line[..]));
    assert!(rest.is_empty());
    let conn = ConnId(900);
    let unknown = QueueCall { id: [b'0'; 32], ..call };
    let refused = world.download.handle_queue_call(world.now, conn, &unknown);
    assert_eq!(refused, Err(ConnectError::NotExpected(conn)));
    assert!(world.download.handle_queue_call(world.now, conn, &call).is_ok());
    let mut buf = [0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
    let sent = world.download.poll_transmit(&mut buf).unwrap().unwrap();
    let request = String::from_utf8_lossy(&buf[..sent.len]);
    assert_eq!(sent.conn, conn);
    assert!(request.contains("ID=6a074979f3201edbf323b6425fef4a53\r\n"), "{request}");
}

/// A redirect, and the URL of older servents, name other sources of the same file only.
#[test]
fn redirects_lead_to_other_sources() {
    let file = file_of(MB);
    let urn = Urn::Sha1(sha1_of(&file)).to_string();
    let other = Urn::Sha1(sha1_of(b"another")).to_string();
    for (status, name) in [(301, "Location"), (302, "location"), (404, "Alt-Location")] {
        let headers = format!(
            "{name}: http://10.0.0.3:6346/uri-res/N2R?{other}\r\n\
             {name}: http://10.0.0.2:6346/uri-res/N2R?{urn} 2002-04-30T08:30Z\r\n"
        );
        let mut world = World::new(&file);
        world.add(Behaviour { status: Some(status), headers: headers.into(), ..Behaviour::GOOD });
        let second = world.add_unknown(Behaviour::GOOD);
        let third = world.add_unknown(Behaviour::GOOD);
        world.run(seconds(30));
        assert_eq!(world.outcome, VERIFIED, "{status}");
        assert!(world.delivered(second) > 0 && world.delivered(third) == 0, "{status}");
    }
}

/// `Retry-After` in seconds, as a date beside the server's `Date`, or absent.
#[test]
fn a_busy_source_is_asked_again_when_it_says() {
    let date =
        "Date: Sun, 06 Nov 1994 23:59:30 GMT\r\nRetry-After: Mon, 07 Nov 1994 00:01:00 GMT\r\n";
    for (headers, expected) in [("Retry-After: 30\r\n", 30), (date, 90), ("", 60)] {
        let file = file_of(MB);
        let mut world = World::new(&file);
        let behaviour = Behaviour { busy: Some((seconds(20), headers)), ..Behaviour::GOOD };
        let busy = world.add(behaviour);
        world.run(seconds(200));
        assert_eq!(world.outcome, VERIFIED, "{headers}");
        assert_eq!(world.asked(busy)[1].as_secs(), expected, "{headers}");
        let is_long = expected > 60; // than an unused connection is kept
        let reason = if is_long { DownloadCloseReason::Busy } else { DownloadCloseReason::Unused };
        assert_eq!(world.closed[0], (busy, reason), "{headers}");
        assert_eq!(world.dials.len(), if is_long { 2 } else { 1 }, "{headers}");
    }
}

/// A source without a place in a queue gives its connection to one that waits.
#[test]
fn a_busy_source_does_not_keep_the_only_connection() {
    let file = file_of(MB);
    let mut config = DownloadConfig::CUSTOMARY;
    config.max_connections = 1;
    let mut world = World::of(&file, config, info_of(&file), &[]);
    let headers = "Retry-After: 30\r\n";
    let busy = world.add(Behaviour { busy: Some((seconds(500), headers)), ..Behaviour::GOOD });
    world.add(Behaviour::GOOD);
    world.run(seconds(20));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.closed[0], (busy, DownloadCloseReason::Busy));
}

/// A busy source does not keep others from the part that it was asked for.
#[test]
fn a_busy_source_frees_its_part() {
    let file = file_of(2 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour { busy: Some((seconds(500), "Retry-After: 400\r\n")), ..Behaviour::GOOD });
    world.add(Behaviour::GOOD);
    world.run(seconds(10));
    assert_eq!(world.outcome, VERIFIED);
}

/// Two sources that have a half each: the answers list it, and 416 costs a source nothing.
#[test]
fn partial_sources_are_asked_for_what_they_have() {
    let file = file_of(4 * MB);
    let mut world = World::new(&file);
    let second = world.add(Behaviour { has: Some((2 << 20, 4_000_000 - 1)), ..Behaviour::GOOD });
    let first = world.add(Behaviour { has: Some((0, (2 << 20) - 1)), ..Behaviour::GOOD });
    world.run(seconds(60));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.lost, []);
    assert_eq!(world.fetched_twice(), []);
    assert!(world.delivered(first) > 0 && world.delivered(second) > 0);
}

#[test]
fn alternate_locations_are_followed() {
    let file = file_of(3 * MB);
    let mut world = World::new(&file);
    let slow = Behaviour {
        rate: 50_000,
        headers: "X-Alt: 10.0.0.2:6346, junk,\r\n\t10.0.0.3\r\n".into(),
        ..Behaviour::GOOD
    };
    world.add(slow);
    let second = world.add_unknown(Behaviour::GOOD);
    let third = world.add_unknown(Behaviour::GOOD);
    world.run(seconds(30));
    assert_eq!(world.outcome, VERIFIED);
    assert!(world.delivered(second) > 0);
    assert!(world.delivered(third) > 0);
}

/// A source behind a firewall, named in the folded form that gtk-gnutella sends.
#[test]
fn firewalled_alternates_are_pushed() {
    let file = file_of(3 * MB);
    let mut world = World::new(&file);
    let headers =
        "X-Falt: 01010101010101010101010101010101;fwt/1.0; 6346:10.0.0.2;\r\n\t192.0.2.10:6346\r\n";
    world.add(Behaviour { rate: 50_000, headers: headers.into(), ..Behaviour::GOOD });
    let walled = world.add_unknown(Behaviour { firewall: Some(true), ..Behaviour::GOOD });
    world.run(seconds(30));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.pushes.len(), 1);
    assert!(world.delivered(walled) > 0);
}

/// One source may name as many others as it likes: it fills at most a quarter of the slots.
#[test]
fn one_source_does_not_fill_the_table() {
    use core::fmt::Write as _;
    let mut headers = String::new();
    for number in 0..1_000_u32 {
        let _ = write!(headers, "X-Alt: 10.{}.{}.1\r\n", 1 + number / 250, number % 250);
    }
    let file = file_of(3 * MB);
    let mut world = World::new(&file);
    let limits = gnutella_wire::head::HeadLimits { bytes: 65_536, lines: 2_000 };
    let mut config = DownloadConfig::CUSTOMARY;
    config.head = limits;
    config.max_connections = 1;
    world = World::of(&file, config, world.info(), &[]);
    world.add(Behaviour {
        rate: 3 * MB,
        most: Some(100_000),
        headers: headers.into(),
        ..Behaviour::GOOD
    });
    world.run(seconds(5));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.download.sources().count(), 1 + 64 / 4);
}

/// A push that nobody answers ends at its deadline, and does not hold up the others.
#[test]
fn a_push_without_an_answer_has_a_deadline() {
    let file = file_of(2 * MB);
    let mut world = World::new(&file);
    world.add(Behaviour { firewall: Some(false), ..Behaviour::GOOD });
    world.run(seconds(200));
    let waits: Vec<_> =
        world.pushes.windows(2).map(|two| two[1].0.saturating_sub(two[0].0).as_secs()).collect();
    assert_eq!(waits[..2], [35, 40], "30 seconds each, then 5 and 10");
    world.add(Behaviour::GOOD);
    world.run(seconds(20));
    assert_eq!(world.outcome, VERIFIED);
    assert_eq!(world.lost, []);
}
