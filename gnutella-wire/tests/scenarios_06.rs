//! What 0.6 adds, over the simulated network: tables of words, dynamic queries, cached pongs, flow
//! control, hosts to connect to, and roles that change.

#[allow(dead_code, reason = "the scenarios of 0.4 use the rest")]
mod world;

use core::net::{Ipv4Addr, SocketAddrV4};

use gnutella_wire::wire::{ByeCode, Function, Header};
use gnutella_wire::{CloseReason, Config, Guid, Role, ServentId};
use sim::Addr;
use world::{Preset, World};

const QUERY: Guid = Guid([0x51; 16]);

fn address(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, number), 6346)
}

/// Two ultrapeers, 0 and 1; the leaves 2 and 3 at the first, 4 and 5 at the second.
fn two_ultrapeers() -> World {
    let mut world = World::new(21);
    (0..2).for_each(|number| world.add_modern(number, &Config::ultrapeer));
    (2..6).for_each(|number| world.add_modern(number, &Config::leaf));
    world.share(3, "Yesterday.mp3");
    world.share(4, "Hey Jude.mp3");
    world.share(5, "Let it be.mp3");
    world.dial06(0, 1);
    for (leaf, ultrapeer) in [(2, 0), (3, 0), (4, 1), (5, 1)] {
        world.dial06(leaf, ultrapeer);
    }
    world.run(30); // the tables of leaves, then those of ultrapeers
    world
}

/// A query reaches the one leaf that may have the file, and no other.
#[test]
fn a_query_goes_only_where_it_may_match() {
    let mut world = two_ultrapeers();
    assert_eq!(world.lost, []);
    world.search(2, QUERY, "hey jude");
    world.run(20);
    assert_eq!(world.hits(2), ["Hey Jude.mp3"]);
    let received: Vec<_> = (0..6).map(|number| world.queries(number)).collect();
    assert_eq!(received, [1, 1, 0, 0, 1, 0], "who received it");
    assert_eq!(world.sent(Function::QUERY), 3, "one per link on the way");
    assert!(world.stats(1).filtered >= 1 && world.stats(0).filtered >= 1);
}

/// On the last hop the table of an ultrapeer decides: a word that nobody has stays here.
#[test]
fn the_last_hop_is_filtered_too() {
    for (words, reached) in [("yellow submarine", 0), ("hey jude", 1), ("let jude", 1)] {
        let mut world = two_ultrapeers();
        world.add(6, &Config::ultrapeer); // sends a query with TTL 2 to 0, which is 1's last hop
        world.dial06(6, 0);
        world.run(1);
        let body = [&[0, 0][..], words.as_bytes(), &[0]].concat();
        let len = body.len() as u32;
        let header = Header { guid: QUERY, function: Function::QUERY, ttl: 2, hops: 0, len };
        world.send_raw(6, 0, &[&header.to_bytes()[..], &body].concat());
        world.run(5);
        assert_eq!(world.queries(1), reached, "{words}");
    }
}

/// Words of two files together match at the ultrapeers, and no leaf receives the query.
#[test]
fn a_merged_table_admits_the_words_of_all_leaves() {
    let mut world = two_ultrapeers();
    world.search(2, QUERY, "let jude");
    world.run(20);
    let received: Vec<_> = (0..6).map(|number| world.queries(number)).collect();
    assert_eq!(received, [1, 1, 0, 0, 0, 0]);
}

/// What a leaf no longer shares, or a leaf that went, is forgotten by the ultrapeers behind.
#[test]
fn tables_follow_what_is_shared() {
    let mut world = two_ultrapeers();
    world.command(4, |servent, now| {
        servent.unshare_all(now);
        servent.share(now, "Something.mp3");
    });
    world.run(40);
    world.search(2, QUERY, "hey jude");
    world.search(2, Guid([0x52; 16]), "something");
    world.run(20);
    assert_eq!(world.queries(4), 1, "only of what it shares now");
    assert_eq!(world.queries(1), 2, "asked by TTL 2, whatever its table has");
}

/// A star of ultrapeers around 0, each with one leaf that has the file; a leaf of 0 searches.
fn star(rays: u32, wanted: u16) -> World {
    let mut world = World::new(23);
    let preset: Preset<'_> = &|id, address| {
        let mut config = Config::ultrapeer(id, address);
        config.results = wanted;
        config
    };
    (0..=rays).for_each(|number| world.add_modern(number, preset));
    for ray in 1..=rays {
        world.dial06(ray, 0);
        world.add_modern(rays + ray, &Config::leaf);
        world.share(rays + ray, "Hey Jude.mp3");
        world.dial06(rays + ray, ray);
    }
    world.add_modern(2 * rays + 1, &Config::leaf);
    world.dial06(2 * rays + 1, 0);
    world.run(40);
    world
}

/// The first three ultrapeers bring hits enough, and the others are not asked.
#[test]
fn a_dynamic_query_ends_with_hits_enough() {
    let mut world = star(10, 3);
    let before = world.sent(Function::QUERY);
    world.search(21, QUERY, "jude");
    world.run(1);
    assert_eq!(world.hits(21).len(), 3, "the probe");
    world.run(60);
    assert_eq!(world.hits(21).len(), 3, "and no more");
    let asked = (1..=10).filter(|ray| world.queries(*ray) > 0).count();
    assert_eq!((asked, world.sent(Function::QUERY) - before), (3, 1 + 3 + 3));
}

/// A rare file: all are asked in the end, one after the other.
#[test]
fn a_dynamic_query_asks_all_for_a_rare_file() {
    let mut world = star(10, 100);
    world.search(21, QUERY, "jude");
    world.run(1);
    assert_eq!((1..=10).filter(|ray| world.queries(*ray) > 0).count(), 3);
    world.run(120);
    assert_eq!((1..=10).filter(|ray| world.queries(*ray) > 0).count(), 10);
    assert_eq!(world.hits(21).len(), 10);
    // The leaf was asked how many hits it has, and answered (BEAR/11, BEAR/12).
    let of_leaf = |line: &&String| line.starts_with("21>0: VENDOR");
    let reports = world.trace.iter().filter(of_leaf).count();
    assert_eq!(reports, 3, "after three, six and nine: {:#?}", world.trace.last());
}

/// A leaf that has enough reports it, and its ultrapeer stops.
#[test]
fn a_leaf_stops_its_query() {
    let mut world = star(10, 100);
    world.search(21, QUERY, "jude");
    world.run(1);
    assert!(world.command(21, |servent, now| servent.stop_search(now, QUERY)).is_ok());
    world.run(120);
    assert_eq!((1..=10).filter(|ray| world.queries(*ray) > 0).count(), 3);
    assert!(world.command(21, |servent, now| servent.stop_search(now, Guid([0; 16]))).is_err());
}

/// An ultrapeer's own search goes the same way.
#[test]
fn an_ultrapeer_searches_in_turn() {
    let mut world = star(10, 5);
    world.search(0, QUERY, "jude");
    world.run(120);
    assert!((5..10).contains(&world.hits(0).len()), "{} hits", world.hits(0).len());
    assert_eq!(world.queries(21), 0, "its leaf has nothing");
}

/// Pongs come from the cache; the ping itself goes no farther.
#[test]
fn pings_are_answered_from_the_cache() {
    let mut world = star(5, 3);
    world.ping(11, Guid([1; 16]));
    world.run(2);
    let first = world.pongs(11);
    assert!((1..6).contains(&first), "little is known yet, so 0 asks its peers");
    world.ping(11, Guid([2; 16]));
    world.run(2);
    assert_eq!(world.pongs(11) - first, 1 + 5, "0 and the hosts it knows");
    let relayed = world.trace.iter().filter(|line| line.contains("PING 02020202"));
    assert_eq!(relayed.count(), 1);
}

/// A neighbour that reads too slowly receives hits but no queries, and is asked for fewer.
#[test]
fn a_full_send_buffer_drops_queries_first() {
    let mut world = two_ultrapeers();
    let link = world.link(0, 1);
    let queue = world.servent(0).config().send_queue;
    world.command(0, |servent, now| servent.handle_backlog(now, link, queue / 20 * 13)).unwrap();
    assert!(world.trace.last().unwrap().starts_with("0>1: VENDOR"), "hops-flow 0");
    let message = |function, body: &[u8]| {
        let header = Header { guid: QUERY, function, ttl: 3, hops: 0, len: body.len() as u32 };
        [&header.to_bytes()[..], body].concat()
    };
    world.send_raw(1, 0, &message(Function::QUERY, b"\0\0yesterday\0"));
    world.run(1);
    let hit = [&[1, 0, 0, 10, 0, 0, 3, 0, 0, 0, 0][..], &[0; 8], b"x\0\0", &[3; 16]].concat();
    world.send_raw(3, 0, &message(Function::QUERY_HIT, &hit));
    world.search(2, Guid([9; 16]), "hey jude");
    world.run(30);
    assert_eq!(world.queries(1), 0, "choked");
    assert!(world.trace.iter().any(|line| line.starts_with("0>1: HIT")), "{:#?}", world.trace);
    world.command(0, |servent, now| servent.handle_backlog(now, link, 0)).unwrap();
    assert!(world.trace.last().unwrap().starts_with("0>1: VENDOR"), "all hops again");
    world.search(2, Guid([8; 16]), "hey jude");
    world.run(30);
    assert_eq!(world.queries(1), 1);
    world.command(0, |servent, now| servent.handle_backlog(now, link, queue + 1)).unwrap();
    world.run(1);
    assert!(world.lost.contains(&(Addr(0), CloseReason::Dismissed(ByeCode::SEND_QUEUE))));
}

/// A leaf that is busy asks for no queries, and gets none.
#[test]
fn hops_flow_stops_queries() {
    let mut world = two_ultrapeers();
    world.command(4, |servent, now| servent.limit_queries(now, 0));
    world.run(1);
    world.search(2, QUERY, "hey jude");
    world.run(20);
    assert_eq!((world.queries(1), world.queries(4)), (1, 0));
    world.command(4, |servent, now| {
        servent.limit_queries(now, 255);
        servent.set_busy(true);
        assert_eq!(servent.hit_flags().busy, Some(true));
    });
    world.run(1);
    world.search(2, Guid([2; 16]), "hey jude");
    world.run(20);
    assert_eq!(world.queries(4), 1);
}

/// GDF "QRP", and what gtk-gnutella 1.2.3 does: each violation is answered with bye 413.
#[test]
fn bad_tables_get_bye_413() {
    let cases: [(&str, &[&[u8]]); 6] = [
        ("patch before reset", &[&[1, 1, 1, 0, 4, 0, 0, 0, 0]]),
        ("second message first", &[&[0, 8, 0, 0, 0, 7], &[1, 2, 2, 0, 4, 0, 0, 0, 0]]),
        ("65,535 slots", &[&[0, 0xFF, 0xFF, 0, 0, 7]]),
        ("infinity 0", &[&[0, 8, 0, 0, 0, 0]]),
        ("too many entries", &[&[0, 8, 0, 0, 0, 7], &[1, 1, 1, 0, 4, 0, 0, 0, 0, 0]]),
        ("entries of 3 bits", &[&[0, 8, 0, 0, 0, 7], &[1, 1, 1, 0, 3, 0, 0, 0, 0]]),
    ];
    for (what, bodies) in cases {
        for modern in [true, false] {
            let mut world = World::new(24);
            if modern {
                world.add_modern(0, &Config::ultrapeer);
            } else {
                world.add(0, &Config::ultrapeer); // without memory for tables
            }
            (1..3).for_each(|number| world.add(number, &Config::leaf));
            (1..3).for_each(|number| world.dial06(number, 0));
            world.run(1);
            for body in bodies {
                let guid = Guid([1; 16]);
                let len = body.len() as u32;
                let header = Header { guid, function: Function::QRP, ttl: 1, hops: 0, len };
                world.send_raw(1, 0, &[&header.to_bytes()[..], body].concat());
            }
            world.run(1);
            let dismissed = (Addr(0), CloseReason::Dismissed(ByeCode::QRP));
            assert_eq!(world.lost.iter().filter(|lost| **lost == dismissed).count(), 1, "{what}");
            // The machine still serves the other link.
            world.ping(2, Guid([7; 16]));
            world.run(1);
            assert_eq!(world.pongs(2), 1, "{what}");
        }
    }
}

/// A compressed patch that nobody inflates makes the leaf one of which nothing is known.
#[test]
fn a_table_that_cannot_be_read_lets_all_pass() {
    let mut world = two_ultrapeers();
    world.add_modern(6, &Config::leaf);
    world.dial06(6, 0);
    world.run(20);
    for body in [&[0, 8, 0, 0, 0, 7][..], b"\x01\x01\x02\x01\x04\x78\x9c"] {
        let guid = Guid([1; 16]);
        let len = body.len() as u32;
        let header = Header { guid, function: Function::QRP, ttl: 1, hops: 0, len };
        world.send_raw(6, 0, &[&header.to_bytes()[..], body].concat());
    }
    world.run(1);
    world.search(2, QUERY, "whatever");
    world.run(1);
    assert_eq!((world.queries(6), world.queries(3)), (1, 0));
    assert_eq!(world.lost, []);
}

/// Too few peers: hosts of the cache are dialled, refused ones later again, and a lost peer is
/// replaced.
#[test]
fn peers_are_looked_for_and_replaced() {
    let mut world = World::new(25);
    (0..5).for_each(|number| world.add_modern(number, &Config::ultrapeer));
    world.add_modern(9, &Config::leaf);
    world.command(9, |servent, now| servent.add_host(now, address(9))); // itself: not kept
    for hint in 0..4 {
        world.command(9, |servent, now| servent.add_host(now, address(hint)));
    }
    world.run(2);
    assert_eq!(world.neighbours(9).len(), 3, "a leaf wants three: {:?}", world.dialled);
    assert!(world.dialled.iter().all(|(from, to)| *from == 9 && *to != address(9)));
    let gone = world.neighbours(9)[0];
    world.net.kill(gone);
    world.run(2);
    let neighbours = world.neighbours(9);
    assert_eq!(neighbours.len(), 3, "replaced by the fourth");
    assert!(!neighbours.contains(&gone));
    world.command(9, |servent, now| servent.connect(now, address(4))).unwrap();
    assert_eq!(world.dialled.last(), Some(&(9, address(4))), "asked for, so dialled");
    assert!(world.command(9, |servent, now| servent.connect(now, address(9))).is_err());
    assert!(world.servent(9).hosts().any(|host| host.address == address(4)));
}

/// Leaving sends bye 200 to all and dials nobody any more.
#[test]
fn leaving_sends_a_bye_to_every_neighbour() {
    let mut world = two_ultrapeers();
    world.command(1, gnutella_wire::Servent::leave);
    world.run(1);
    for number in [0, 4, 5] {
        assert!(world.lost.contains(&(Addr(number), CloseReason::Left(ByeCode::SHUTDOWN))));
    }
    assert_eq!((world.neighbours(1).len(), world.neighbours(0).len()), (0, 2));
}

/// A leaf that is elected becomes an ultrapeer: bye 203, and new links in the new role.
#[test]
fn a_leaf_becomes_an_ultrapeer() {
    let mut world = two_ultrapeers();
    assert!(!world.servent(2).has_room(Role::Leaf));
    world.command(2, |servent, now| servent.set_role(now, Role::Ultrapeer));
    world.run(1);
    assert!(world.lost.contains(&(Addr(0), CloseReason::Left(ByeCode::CHANGING_MODE))));
    assert!(world.servent(2).has_room(Role::Leaf) && world.servent(2).wants_ultrapeers());
    world.dial06(2, 1);
    world.add_modern(6, &Config::leaf);
    world.share(6, "Penny Lane.mp3");
    world.dial06(6, 2);
    world.run(30);
    world.search(4, QUERY, "penny lane");
    world.run(10);
    assert_eq!(world.hits(4), ["Penny Lane.mp3"]);
}

/// The numbers of `KaZaA`, as the lectures give them.
#[test]
fn a_supernode_serves_its_children() {
    let mut world = World::new(26);
    let supernode: Preset<'_> = &|id, address| Config::supernode(30, id, address);
    world.add_modern(0, supernode);
    (1..33).for_each(|number| world.add(number, &Config::leaf));
    for number in 1..33 {
        world.dial06(number, 0);
        world.run(1);
    }
    assert_eq!(world.neighbours(0).len(), 30);
    assert_eq!(world.refusals.len(), 2);
}

/// A copy with a higher TTL is passed on again where that is wanted, and counts as a duplicate
/// elsewhere.
#[test]
fn a_probe_may_be_repeated_with_a_higher_ttl() {
    for (probes, reached) in [(true, 1), (false, 0)] {
        let mut world = World::new(27);
        let preset: Preset<'_> = &|id: ServentId, address| {
            let mut config = Config::peer(id, address);
            config.refloods_higher_ttl = probes;
            config
        };
        (0..3).for_each(|number| world.add(number, preset));
        world.dial(0, 1);
        world.dial(1, 2);
        world.run(1);
        for ttl in [1, 3] {
            let header = Header { guid: QUERY, function: Function::QUERY, ttl, hops: 0, len: 4 };
            world.send_raw(0, 1, &[&header.to_bytes()[..], b"\0\0x\0"].concat());
            world.run(1);
        }
        assert_eq!((world.queries(1), world.queries(2)), (1, reached));
    }
}
