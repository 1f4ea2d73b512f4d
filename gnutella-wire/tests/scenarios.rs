//! Several servents over the simulated network: what the lectures describe.
//! `C-GNU-nn` and `C-HYB-nn` number the facts of the lectures, as the example `slides` prints them.

#[allow(dead_code, reason = "the scenarios of 0.6 use the rest")]
mod world;

use core::time::Duration;

use gnutella_wire::head::HeadLimits;
use gnutella_wire::http::{Giv, Name, Request, Resource};
use gnutella_wire::servent::flood_bound;
use gnutella_wire::wire::{ByeCode, Function, Header, Limits, Message};
use gnutella_wire::{CloseReason, CommandError, Config, Event, Guid, Opening, Role, ServentId};
use sim::Addr;
use world::{Preset, World};

const QUERY: Guid = Guid([0x51; 16]);

/// A tree in which every inner servent has `degree` neighbours, `depth` links deep.
fn tree(degree: u32, depth: u32, ttl: u8) -> World {
    let mut world = World::new(1);
    let preset: Preset<'_> = &|id, address| {
        let mut config = Config::peer(id, address);
        config.max_ttl = ttl;
        config
    };
    world.add(0, preset);
    let mut ring = vec![0];
    let mut next = 1;
    for level in 0..depth {
        let mut outer = Vec::new();
        for parent in ring {
            for _ in 0..degree - u32::from(level > 0) {
                world.add(next, preset);
                world.dial(parent, next);
                outer.push(next);
                next += 1;
            }
        }
        ring = outer;
    }
    world.run(5);
    world
}

/// Section 2.3 of 0.4; the bound that the lectures compute.
#[test]
fn a_flood_on_a_tree_costs_its_bound() {
    for (degree, ttl) in [(3, 1), (3, 2), (3, 3), (4, 3), (5, 2)] {
        let mut world = tree(degree, u32::from(ttl) + 1, ttl);
        world.search(0, QUERY, "Hey Jude");
        world.run(5);
        assert_eq!(world.sent(Function::QUERY), flood_bound(degree, ttl), "{degree} {ttl}");
        let total = world.totals();
        assert_eq!(total.duplicates, 0, "a tree has no circles");
        // C-GNU-04: at TTL 0 "thrown away"; the outermost ring was never reached.
        let edge = u64::from(degree) * u64::from(degree - 1).pow(u32::from(ttl) - 1);
        assert_eq!(total.expired, edge);
    }
}

/// C-GNU-17, C-GNU-20, C-GNU-21, C-GNU-30: every link carries the query once or twice, each servent
/// handles it once; on a d-regular graph of N servents that is N(d − 1) + 1 messages.
#[test]
fn a_flood_on_a_graph_with_cycles_drops_duplicates() {
    let complete = (0..5).flat_map(|a| (0..a).map(move |b| (a, b))).collect::<Vec<_>>();
    let ring = (0..7).map(|a| (a, (a + 1) % 7)).collect::<Vec<_>>();
    for (count, degree, edges) in [(5u64, 4u64, complete), (7, 2, ring)] {
        let mut world = World::new(2);
        for number in 0..count as u32 {
            world.add(number, &Config::peer);
        }
        for (a, b) in &edges {
            world.dial(*a, *b);
        }
        world.run(5);
        world.search(0, QUERY, "Hey Jude");
        world.run(5);
        let messages = count * (degree - 1) + 1;
        assert_eq!(world.sent(Function::QUERY), messages);
        assert_eq!(world.totals().duplicates, messages - (count - 1));
        for number in 1..count as u32 {
            assert_eq!(world.queries(number), 1, "handled once by node {number}");
        }
    }
}

/// C-GNU-18 and C-GNU-26: the three steps, as one trace. A - B - C - D in a row, D has the file.
#[test]
fn a_hit_comes_back_along_the_way_of_the_query() {
    let mut world = World::new(3);
    for number in 0..4 {
        world.add(number, &Config::peer);
    }
    world.add(4, &Config::peer); // hangs off B and must not see the hit
    for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 4)] {
        world.dial(a, b);
    }
    world.run(1);
    world.share(3, "Hey Jude.mp3");
    world.trace.clear();
    world.search(0, QUERY, "hey jude");
    world.run(1);
    let hits: Vec<_> = world.trace.iter().filter(|line| !line.contains("QUERY")).cloned().collect();
    let queries: Vec<_> = world.trace.iter().filter(|line| line.contains("QUERY")).collect();
    let query = |way: &str, ttl: u8, hops: u8| {
        format!("{way}: QUERY 51515151 ttl={ttl} hops={hops} \"hey jude\"")
    };
    for line in [query("0>1", 7, 0), query("1>2", 6, 1), query("1>4", 6, 1), query("2>3", 5, 2)] {
        assert!(queries.contains(&&line), "{line} not in {queries:#?}");
    }
    assert_eq!(queries.len(), 4);
    let hit = |way: &str, ttl: u8, hops: u8| {
        format!(
            "{way}: HIT 51515151 ttl={ttl} hops={hops} #1 \"Hey Jude.mp3\" 12 bytes at 10.0.0.3:6346 1000 kbit/s"
        )
    };
    assert_eq!(hits, [hit("3>2", 7, 0), hit("2>1", 6, 1), hit("1>0", 5, 2)]);
    assert_eq!(world.hits(0), ["Hey Jude.mp3"]);
    assert_eq!((world.hits(1).len(), world.hits(4).len()), (0, 0));
    // TTL + hops is constant along the path: 7 in every line above.
}

/// C-GNU-11: no match, no hit. C-GNU-18: an answer with an unknown id is discarded and counted.
#[test]
fn hits_without_a_query_are_dropped() {
    let mut world = World::new(4);
    (0..2).for_each(|number| world.add(number, &Config::peer));
    world.dial(0, 1);
    world.run(1);
    world.share(1, "Yesterday.mp3");
    world.search(0, QUERY, "hey jude");
    world.run(1);
    assert_eq!(world.sent(Function::QUERY_HIT), 0);
    for function in [Function::PONG, Function::QUERY_HIT, Function::PUSH] {
        let header = Header { guid: Guid([9; 16]), function, ttl: 7, hops: 1, len: 27 };
        world.send_raw(0, 1, &[&header.to_bytes()[..], &[0; 27]].concat());
    }
    world.run(1);
    assert_eq!(world.stats(1).unroutable, 3);
    // The way back leads to the sender itself: nothing ever goes back there.
    let header = Header { guid: QUERY, function: Function::QUERY_HIT, ttl: 7, hops: 1, len: 27 };
    world.send_raw(0, 1, &[&header.to_bytes()[..], &[0; 27]].concat());
    world.run(1);
    assert_eq!((world.stats(1).unroutable, world.stats(1).routed), (4, 0));
    let mut servent = world.servent(1).clone();
    let now = world.net.now();
    let push = servent.push(now, Guid([1; 16]), ServentId([0; 16]), 1, &mut [0; 64]);
    assert_eq!(push, Err(CommandError::NoRoute), "a hit that went nowhere leads nowhere");
}

/// C-GNU-22: the sixth connection is refused, with another address to try.
#[test]
fn the_sixth_peer_is_refused() {
    let mut world = World::new(5);
    (0..7).for_each(|number| world.add(number, &Config::peer));
    for number in 1..7 {
        world.dial06(number, 0);
        world.run(1);
    }
    assert_eq!(world.neighbours(0).len(), 5);
    assert_eq!(world.refusals, ["503 Slots full, try 10.0.0.1:6346"]);
}

/// 0.6 with 3 ultrapeers and 9 leaves, C-HYB-01..06: a leaf never forwards, all leaves hear of a
/// search, the answer comes back, the ping of one is answered by all.
#[test]
fn leaves_search_through_ultrapeers() {
    let mut world = World::new(6);
    (0..3).for_each(|number| world.add(number, &Config::ultrapeer));
    (3..12).for_each(|number| world.add(number, &Config::leaf));
    for (a, b) in [(0, 1), (1, 2), (2, 0)] {
        world.dial06(a, b);
    }
    for leaf in 3..12 {
        world.dial06(leaf, leaf % 3);
    }
    world.dial06(3, 1); // a leaf with two ultrapeers
    world.run(2);
    world.share(11, "Hey Jude.mp3");
    world.search(3, QUERY, "jude");
    world.ping(3, Guid([0x50; 16]));
    world.run(2);
    assert_eq!(world.hits(3), ["Hey Jude.mp3"]);
    assert_eq!(world.pongs(3), 11, "every other servent answers");
    for number in (0..3).chain(4..12) {
        assert_eq!(world.queries(number), 1);
    }
    for leaf in 3..12 {
        let stats = world.stats(leaf);
        assert_eq!((stats.flooded, stats.routed), (0, 0), "leaf {leaf} forwards");
    }
    assert!(world.totals().duplicates > 0);
    assert!(world.lost.is_empty(), "{:?}", world.lost);
}

/// A leaf that relays is dismissed with 414, as gtk-gnutella 1.2.3 does.
#[test]
fn violations_get_the_bye_that_gtk_gnutella_sends() {
    let message = |function: Function, ttl, hops, payload: &[u8]| {
        let len = payload.len() as u32;
        let header = Header { guid: Guid([7; 16]), function, ttl, hops, len };
        [&header.to_bytes()[..], payload].concat()
    };
    let announced = |function, len| {
        Header { guid: Guid([7; 16]), function, ttl: 1, hops: 0, len }.to_bytes().to_vec()
    };
    let push = Function::PUSH;
    let query = Function::QUERY;
    let dismissed = |code| Some(CloseReason::Dismissed(code));
    let high = |number: u8| {
        let mut bytes = message(Function::PING, 15, 1, &[]);
        bytes[0] = number;
        bytes
    };
    for (what, bytes, expected) in [
        ("ping of 50,000 bytes", announced(Function::PING, 50_000), dismissed(ByeCode::TOO_LARGE)),
        ("70,000 bytes", announced(Function::QUERY_HIT, 70_000), Some(CloseReason::Desynchronised)),
        ("query of 1,103 bytes", announced(query, 1_103), dismissed(ByeCode::TOO_LARGE)),
        ("relayed query", message(query, 3, 1, b"\0\0x\0"), dismissed(ByeCode::LEAF_RELAYED)),
        ("one TTL 0", message(query, 0, 0, b"\0\0x\0"), None),
        ("five TTL 0", message(query, 0, 0, b"\0\0x\0").repeat(5), dismissed(ByeCode::TTL_ZERO)),
        ("one short push", message(push, 1, 0, &[0; 25]), None),
        (
            "short pushes",
            message(push, 1, 0, &[0; 25]).repeat(5),
            dismissed(ByeCode::INVALID_PAYLOAD),
        ),
        ("a repeated ping", message(Function::PING, 1, 0, &[]).repeat(2), None),
        (
            "repeated pings",
            message(Function::PING, 1, 0, &[]).repeat(9),
            dismissed(ByeCode::DUPLICATES),
        ),
        ("ten high TTLs", (0..10).flat_map(high).collect(), None),
        ("eleven high TTLs", (0..11).flat_map(high).collect(), dismissed(ByeCode::TTL_TOO_HIGH)),
        (
            "a bye",
            message(Function::BYE, 1, 0, b"\xC8\0so long\0"),
            Some(CloseReason::Left(ByeCode::SHUTDOWN)),
        ),
    ] {
        let mut world = World::new(7);
        world.add(0, &Config::ultrapeer);
        world.add(1, if what.contains("high") { &Config::ultrapeer } else { &Config::leaf });
        world.dial06(1, 0);
        world.run(1);
        world.send_raw(1, 0, &bytes);
        world.run(1);
        let of_0: Vec<_> = world.lost.iter().filter(|(at, _)| *at == Addr(0)).collect();
        assert_eq!(of_0.last().map(|(_, reason)| *reason), expected, "{what}");
        if let Some(CloseReason::Dismissed(code)) = expected {
            let received = world.lost.contains(&(Addr(1), CloseReason::Left(code)));
            assert!(received, "{what}: the neighbour did not receive {code}");
        }
    }
}

/// C-GNU-12, C-GNU-16, C-GNU-19, C-GNU-24: D is behind a firewall; A pushes along the way of the
/// hit, D connects to A with GIV, A asks for the file on that connection.
#[test]
fn a_push_brings_the_file_out_from_behind_a_firewall() {
    let mut world = World::new(8);
    (0..5).for_each(|number| world.add(number, &Config::peer));
    for (a, b) in [(0, 1), (1, 2), (2, 3), (2, 4)] {
        world.dial(a, b);
    }
    world.run(1);
    world.share(3, "Hey Jude.mp3");
    world.search(0, QUERY, "jude");
    world.run(1);
    world.trace.clear();
    world.push(0, Guid([0x40; 16]), ServentId([3; 16]), 1);
    world.run(1);
    let push = "PUSH 40404040 ttl=7 hops=0 servent 03030303 is to bring file 1 to 10.0.0.0:6346";
    assert_eq!(world.trace[0], format!("0>1: {push}"));
    assert_eq!(world.trace.len(), 3, "nobody else sees it: {:#?}", world.trace);
    let [push] = world.pushes(3) else { panic!("one push") };
    assert_eq!((push.0, push.1.to_string()), (1, "10.0.0.0:6346".into()));

    // What D now sends on a connection of its own, and what A answers there.
    let name = gnutella_wire::Text::new(b"Hey Jude.mp3").unwrap();
    let mut buf = [0; 256];
    let len = Giv { index: 1, servent: ServentId([3; 16]), name }.encode(&mut buf).unwrap();
    assert_eq!(Opening::of(&buf[..len]), Ok(Opening::Giv));
    let (giv, rest) = Giv::decode(&buf[..len]).unwrap();
    assert!(rest.is_empty());
    let request = Request::get_04(giv.index, Name::new(giv.name.as_bytes()), 0);
    let mut wire = [0; 256];
    let len = request.encode(&[], &mut wire).unwrap();
    let (head, _) = gnutella_wire::head::Head::decode(&wire[..len], HeadLimits::GTKG).unwrap();
    let asked = Request::from_head(&head).unwrap();
    assert_eq!(asked.resource, Resource::File { index: 1, name: Name::new(b"Hey Jude.mp3") });
}

/// A bye is sent once, and the link is lost only when it was.
#[test]
fn nothing_follows_a_bye() {
    let mut world = World::new(14);
    (0..2).for_each(|number| world.add(number, &Config::peer));
    world.dial(0, 1);
    world.run(1);
    let mut servent = world.servent(0).clone();
    let now = world.net.now();
    let sent = servent.ping(now, Guid([1; 16]), &mut [0; 64]).unwrap();
    let link = servent.targets(sent.to).next().unwrap();
    servent.dismiss(now, link, ByeCode::SHUTDOWN).unwrap();
    servent.dismiss(now, link, ByeCode::REMOVED).unwrap();
    assert_eq!(servent.poll_event(), None, "not before the bye is written");
    let mut buf = [0; 64];
    let bye = servent.poll_transmit(&mut buf).unwrap().unwrap();
    assert_eq!(bye.conn, link);
    let (message, _) = Message::decode(&buf[..bye.len], Limits::GTKG).unwrap();
    assert!(message.to_string().ends_with("ttl=1 hops=0 200 \"Servent shuts down\""));
    assert_eq!(servent.poll_transmit(&mut buf), Ok(None));
    let reason = CloseReason::Dismissed(ByeCode::SHUTDOWN);
    assert_eq!(servent.poll_event(), Some(Event::Closed { conn: link, reason }));
    assert!(servent.handle_bytes(now, link, &[0]).is_err(), "the connection is closed");
}

/// Routes die with their link, and a later link of the same name does not inherit them.
#[test]
fn the_way_back_ends_with_its_connection() {
    let mut world = World::new(9);
    (0..3).for_each(|number| world.add(number, &Config::peer));
    world.dial(0, 1);
    world.dial(1, 2);
    world.run(1);
    world.search(0, QUERY, "jude");
    world.run(1);
    world.net.kill(Addr(0));
    world.run(1);
    assert_eq!(world.neighbours(1), [Addr(2)]);
    world.net.revive(Addr(0));
    world.add(0, &Config::peer); // the same address, a new servent
    world.dial(0, 1);
    world.run(1);
    assert_eq!(world.neighbours(1).len(), 2);
    let before = world.stats(1).unroutable;
    world.share(2, "Hey Jude.mp3");
    world.answer(2, QUERY); // late, but the query is remembered
    world.run(1);
    assert_eq!(world.stats(1).unroutable, before + 1);
    assert_eq!(world.hits(0).len(), 0);
}

/// Traffic resets the keep-alive timer; a silent neighbour is pinged, and given up after three
/// misses with bye 406.
#[test]
fn a_lost_peer_is_noticed_and_a_quiet_one_kept() {
    let mut world = World::new(10);
    (0..3).for_each(|number| world.add(number, &Config::peer));
    world.dial(0, 1);
    world.dial(0, 2);
    world.run(1);
    world.run(600);
    assert_eq!(world.neighbours(0).len(), 2, "answers to pings keep both");
    let pings = world.sent(Function::PING);
    assert!((20..100).contains(&pings), "{pings} pings in ten minutes");
    world.unplug(1); // silence without a close
    world.run(80);
    assert_eq!(world.neighbours(0).len(), 2, "not yet");
    world.run(60);
    assert_eq!(world.neighbours(0), [Addr(2)]);
    assert_eq!(world.lost, [(Addr(0), CloseReason::Dismissed(ByeCode::NO_REPLY))]);
}

/// C-GNU-20: "within a (short) period of time": after expiry a GUID is new again.
#[test]
fn a_guid_is_new_again_after_its_route_expired() {
    let mut world = World::new(11);
    (0..2).for_each(|number| world.add(number, &Config::peer));
    world.dial(0, 1);
    world.run(1);
    let header = Header { guid: QUERY, function: Function::QUERY, ttl: 1, hops: 0, len: 4 };
    let query = [&header.to_bytes()[..], b"\0\0x\0"].concat();
    for (wait, seen) in // sent after 0, 1, 299 and 301 seconds
        [(1, 1), (298, 1), (2, 1), (1, 2)]
    {
        world.send_raw(0, 1, &query);
        world.run(wait);
        assert_eq!(world.queries(1), seen, "after {wait} s");
    }
}

/// A node never speaks on a link before its handshake is over, however the stream is cut.
#[test]
fn segments_of_any_size_give_the_same_result() {
    for segment in [1, 7, 1460] {
        let mut world = World::new(12);
        let link = sim::Link { segment, jitter: Duration::from_millis(30), ..sim::Link::default() };
        world.net.set_link(link);
        world.add(0, &Config::ultrapeer);
        (1..4).for_each(|number| world.add(number, &Config::leaf));
        (1..4).for_each(|number| world.dial06(number, 0));
        world.run(20);
        world.share(3, "Hey Jude.mp3");
        world.search(1, QUERY, "jude");
        world.run(60);
        assert_eq!(world.hits(1), ["Hey Jude.mp3"], "segments of {segment}");
    }
}

/// The role and the payload that a neighbour shows are what the servent was given.
#[test]
fn admission_counts_by_role() {
    let mut world = World::new(13);
    let one_leaf: Preset<'_> = &|id, address| {
        let mut config = Config::ultrapeer(id, address);
        config.max_leaves = 1;
        config.max_peers = 1;
        config
    };
    world.add(0, one_leaf);
    (1..3).for_each(|number| world.add(number, &Config::leaf));
    (3..5).for_each(|number| world.add(number, &Config::ultrapeer));
    for number in 1..5 {
        world.dial06(number, 0);
        world.run(1);
    }
    assert_eq!(world.neighbours(0), [Addr(1), Addr(3)]);
    let servent = world.servent(0);
    assert!(!servent.has_room(Role::Leaf) && !servent.has_room(Role::Ultrapeer));
}
