//! What a servent bears from a neighbour, and what it asks of it and passes on.

mod one_servent;

use core::time::Duration;

use gnutella_wire::wire::{ByeCode, Function, Query};
use gnutella_wire::{
    CloseReason, Config, Event, Guid, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};
use one_servent::{A, B, address, message, receive, servent, ultrapeer};

/// A neighbour that begins more pings and queries than any user does is dismissed. What it relays is not its own.
#[test]
fn a_neighbour_that_begins_too_much_is_dismissed() {
    for (function, payload) in [(Function::PING, &b""[..]), (Function::QUERY, b"\x00\x00hey\x00")] {
        let mut servent = ultrapeer();
        let mut sent = 0;
        let closed = (0..10_000).find_map(|n| {
            sent = n + 1;
            receive(&mut servent, Duration::ZERO, A, &message(function, n, 1, 0, payload), 65_558)
        });
        let reason = CloseReason::Dismissed(ByeCode::TOO_MANY_MESSAGES);
        assert_eq!(closed, Some(Event::Closed { conn: A, reason }));
        // 16 are its share of 1,000 slots, and 200 more are forgiven.
        assert_eq!(sent, 16 + 201, "{function}");
        let other = message(function, 20_000, 1, 0, payload);
        assert_eq!(receive(&mut servent, Duration::ZERO, B, &other, 65_558), None);
        let mut relayed = ultrapeer();
        let closed = (0..1_000).find_map(|n| {
            receive(&mut relayed, Duration::ZERO, A, &message(function, n, 1, 1, payload), 65_558)
        });
        assert_eq!(closed, None, "{function}");
    }
}

/// The one that stays is still pinged when it is silent, whichever of the two left.
#[test]
fn a_silent_neighbour_is_pinged_after_another_has_left() {
    for (role, left, stays) in
        [(Role::Ultrapeer, A, B), (Role::Ultrapeer, B, A), (Role::Leaf, A, B), (Role::Leaf, B, A)]
    {
        let mut config = Config::ultrapeer(ServentId([1; 16]), address(1));
        config.max_missed_pings = 0; // a single ping is waited for all the same
        let mut servent = servent(config);
        servent.handle_connected(Duration::ZERO, A, role).unwrap();
        servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
        servent.handle_closed(Duration::ZERO, left);
        let mut pinged = false;
        let mut out = [0; 540];
        for _ in 0..100 {
            let Some(due) = servent.poll_timeout() else { break };
            servent.handle_timeout(due);
            while let Some(sent) = servent.poll_transmit(&mut out).unwrap() {
                assert_eq!(sent.conn, stays);
                pinged |= out[16] == Function::PING.0;
            }
        }
        assert!(pinged, "{role:?}: {left} left");
    }
}

/// `BEAR/4`: a neighbour gets the queries that have fewer hops than it asked for.
#[test]
fn queries_of_the_hops_that_a_neighbour_wants_go_there() {
    let mut servent = ultrapeer();
    let limit = message(Function::VENDOR_STANDARD, 1, 1, 0, b"BEAR\x04\x00\x01\x00\x02");
    servent.handle_bytes(Duration::ZERO, A, &limit).unwrap();
    for (hops, is_wanted) in [(0, true), (1, false), (2, false)] {
        let query = message(Function::QUERY, 10 + u64::from(hops), 4, hops, b"\0\0hey jude\0");
        let received = servent.handle_bytes(Duration::ZERO, B, &query).unwrap();
        let forward = received.outcome.and_then(|handled| handled.forward);
        let to = forward.map(|forward| servent.targets(forward.to).collect::<Vec<_>>());
        let expected = is_wanted.then(|| vec![A]);
        assert_eq!(to.filter(|to| !to.is_empty()), expected, "{hops} hops, and one more");
    }
}

/// A servent that keeps no pongs for others passes their pings on.
#[test]
fn pings_are_passed_on_where_no_pongs_are_kept() {
    for (pongs, is_forwarded) in [(0, true), (10, false)] {
        let mut config = Config::ultrapeer(ServentId([1; 16]), address(1));
        config.pongs = pongs;
        let mut servent = servent(config);
        servent.handle_connected(Duration::ZERO, A, Role::Ultrapeer).unwrap();
        servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
        let ping = message(Function::PING, 1, 3, 1, &[]);
        let received = servent.handle_bytes(Duration::ZERO, A, &ping).unwrap();
        let forward = received.outcome.and_then(|handled| handled.forward);
        let to_other = forward.is_some_and(|it| servent.targets(it.to).eq([B]));
        assert_eq!(to_other, is_forwarded, "{pongs} pongs");
    }
}

/// The send buffer of a neighbour may be as full as the configuration says, and no fuller.
#[test]
fn a_full_send_buffer_is_borne() {
    let mut servent = ultrapeer();
    let queue = servent.config().send_queue;
    let mut out = [0; 540];
    for (bytes, is_closed) in [(queue - 1, false), (queue, false), (queue + 1, true)] {
        servent.handle_backlog(Duration::ZERO, A, bytes).unwrap();
        while servent.poll_transmit(&mut out).unwrap().is_some() {}
        let reason = CloseReason::Dismissed(ByeCode::SEND_QUEUE);
        let expected = is_closed.then_some(Event::Closed { conn: A, reason });
        assert_eq!(servent.poll_event(), expected, "{bytes} bytes");
    }
}

/// A vendor message has at least the vendor, the selector and the version: 8 bytes.
#[test]
fn a_short_vendor_message_is_malformed() {
    let mut servent = ultrapeer();
    let bytes = b"BEAR\x04\x00\x01\x00\x02";
    for (len, malformed) in [(9, 0), (8, 0), (7, 1), (0, 2)] {
        let number = 100 + len as u64;
        let message = message(Function::VENDOR_STANDARD, number, 1, 0, &bytes[..len]);
        servent.handle_bytes(Duration::ZERO, A, &message).unwrap();
        assert_eq!(servent.stats().malformed, malformed, "{len} bytes");
    }
}

/// A query that is asked in turn has crossed one connection if it is a leaf's, and none if it is an own one.
#[test]
fn queries_asked_in_turn_have_their_hops() {
    for is_own in [true, false] {
        let config = Config::ultrapeer(ServentId([1; 16]), address(1));
        let storage = ServentVec::new(ServentLimits::of(&config));
        let mut servent = Servent::new(config, storage).unwrap();
        servent.handle_connected(Duration::ZERO, A, Role::Leaf).unwrap();
        servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
        let mut out = [0; 540];
        if is_own {
            let query = Query::new(Text::new(b"hey jude").unwrap());
            servent.search(Duration::ZERO, Guid([9; 16]), &query, &mut out).unwrap();
        } else {
            let query = message(Function::QUERY, 5, 4, 0, b"\0\0hey jude\0");
            servent.handle_bytes(Duration::ZERO, A, &query).unwrap();
        }
        let mut hops = None;
        for second in 0..20 {
            servent.handle_timeout(Duration::from_secs(second));
            while let Some(sent) = servent.poll_transmit(&mut out).unwrap() {
                if sent.conn == B && out[16] == Function::QUERY.0 {
                    hops = hops.or(Some(out[18]));
                }
            }
        }
        assert_eq!(hops, Some(u8::from(!is_own)), "own: {is_own}");
    }
}

/// A ping that comes again with a higher TTL reaches more servents, where that is wanted and pongs are not kept.
#[test]
fn a_ping_with_a_higher_ttl_is_passed_on_again() {
    for (pongs, refloods, again) in
        [(0, true, true), (0, false, false), (10, true, false), (10, false, false)]
    {
        let mut config = Config::ultrapeer(ServentId([1; 16]), address(1));
        config.pongs = pongs;
        config.refloods_higher_ttl = refloods;
        let mut servent = servent(config);
        servent.handle_connected(Duration::ZERO, A, Role::Ultrapeer).unwrap();
        servent.handle_connected(Duration::ZERO, B, Role::Ultrapeer).unwrap();
        let mut forwarded = |ttl| {
            let ping = message(Function::PING, 1, ttl, 1, &[]);
            let received = servent.handle_bytes(Duration::ZERO, A, &ping).unwrap();
            received.outcome.is_some_and(|handled| handled.forward.is_some())
        };
        assert_eq!(forwarded(2), pongs == 0);
        assert!(!forwarded(2), "the same again");
        assert_eq!(forwarded(4), again, "{pongs} pongs, {refloods}");
    }
}
