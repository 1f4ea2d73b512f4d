//! A node of the DHT among hostile ones: floods, forged addresses, one owner of many ports.

mod dht_by_hand;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::dht::krpc::{
    Body, CompactNodes, Message, Method, PROTOCOL_ERROR, Query, Response, Values, Want,
};
use bittorrent_pieces::dht::*;
use bittorrent_pieces::{CompactPeers, Family, InfoHash};
use dht_by_hand::*;

const ZERO: Duration = Duration::ZERO;
const TORRENT: InfoHash = InfoHash([0x42; 20]);

fn attacker(port: u16) -> SocketAddr {
    ([203, 0, 113, 66], port).into()
}

/// One address pings from 160 ports under 160 ids; it answers from all of them. It gets one place in each bucket,
/// and honest nodes get in.
#[test]
fn one_address_does_not_fill_the_table() {
    for answers in [false, true] {
        let mut node = node(DhtLimits { routes: 160, lookups: 2, peers: 10, items: 16 });
        let answer = |addr: SocketAddr| match addr.ip() {
            ip if ip == attacker(1).ip() => answers.then(|| id(u32::from(addr.port()))),
            _ => Some(id(1_000_000 + u32::from_be_bytes(ipv4(addr)))),
        };
        for port in 1..=160 {
            query(&mut node, secs(1), attacker(port), Query::new(id(port.into()), Method::Ping));
            exchange(&mut node, secs(1), answer);
        }
        let hostile = node.contacts().filter(|it| it.addr.ip() == attacker(1).ip()).count();
        assert!(hostile <= usize::from(node.table().buckets()), "{hostile} places");
        assert!(answers || hostile == 0, "a node that does not answer is not in the table");
        for n in 1..=40 {
            let from = honest(n);
            let name = answer(from).unwrap();
            query(&mut node, secs(2), from, Query::new(name, Method::Ping));
            exchange(&mut node, secs(2), answer);
        }
        let all = node.contacts().count();
        let hostile = node.contacts().filter(|it| it.addr.ip() == attacker(1).ip()).count();
        assert!(all - hostile >= 20, "{all} nodes, {hostile} of them hostile");
        // Each answer names at most one of them, since they share a bucket there or are far apart.
        let near = node.table().nearest(NodeId([0x80; 20]));
        assert!(near.filter(|it| it.addr.ip() == attacker(1).ip()).count() <= 1);
    }
}

/// BEP 42: where a bucket is full, an id that fits its address replaces one that does not.
#[test]
fn ids_that_fit_their_address_are_preferred() {
    let mut table = RoutingTable::new(NodeId([0; 20]), [RouteSlot::EMPTY; 64]);
    let unfit = |n: u32| {
        let mut id = id(n);
        id.0[0] |= 0x80;
        id.0[19] = 0;
        Contact { id, addr: honest(n) }
    };
    let unfit: Vec<Contact> =
        (0..).map(unfit).filter(|it| !it.id.fits(it.addr.ip())).take(9).collect();
    for contact in &unfit[..8] {
        assert!(table.responded(ZERO, *contact));
    }
    assert!(!table.responded(ZERO, unfit[8]), "the bucket is full of good nodes");
    let fit = (1_000..).map(|n| Contact {
        id: NodeId::for_address(honest(n).ip(), [n as u8; 20]),
        addr: honest(n),
    });
    let fit = fit.into_iter().find(|it| it.id.0[0] & 0x80 != 0).unwrap();
    assert!(table.responded(ZERO, fit));
    assert_eq!((table.len(), table.health(ZERO, unfit[0].id)), (8, None), "the oldest made room");
}

/// A node that answers under another id than before loses its place.
#[test]
fn an_address_that_changes_its_id_loses_its_place() {
    let mut table = RoutingTable::new(NodeId([0; 20]), [RouteSlot::EMPTY; 64]);
    let addr = honest(1);
    assert!(table.responded(ZERO, Contact { id: id(1), addr }));
    assert!(!table.responded(ZERO, Contact { id: id(2), addr }));
    assert!(table.is_empty());
}

#[test]
fn a_new_id_of_our_own_keeps_the_buckets_in_bounds() {
    let mut node = node(DhtLimits { routes: 100, lookups: 2, peers: 0, items: 16 });
    for n in 1..=200 {
        query(&mut node, secs(1), honest(n), Query::new(id(n), Method::Ping));
        exchange(&mut node, secs(1), |_| Some(id(n)));
    }
    let before = node.contacts().count();
    assert!(before > 20);
    node.set_id(id(5_000));
    assert_eq!(node.config().id, id(5_000));
    let table = node.table();
    let shared =
        |bits: u8| table.contacts().filter(|it| it.id.common_bits(&id(5_000)) == bits).count();
    assert!((0..table.buckets() - 1).all(|bits| shared(bits) <= K));
    assert!(node.contacts().count() > K);
}

/// 500 announces of one address neither hide nor flush the honest peers of 20 torrents.
#[test]
fn one_address_does_not_flush_the_peer_store() {
    let mut node = node(DhtLimits { routes: 20, lookups: 1, peers: 500, items: 16 });
    let torrents: Vec<InfoHash> = (0..20).map(|n| InfoHash([n; 20])).collect();
    for (nth, torrent) in torrents.iter().enumerate() {
        for n in 0..20 {
            announce(&mut node, secs(1), *torrent, honest(1 + n + 20 * nth as u32), 1_000);
        }
    }
    for port in 1..=500 {
        announce(&mut node, secs(2), torrents[usize::from(port) % 20], attacker(port), port);
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut hostile = 0;
    let mut all = 0;
    for n in 0..40 {
        for torrent in &torrents {
            for peer in peers(&mut node, secs(3), *torrent, n) {
                all += 1;
                if peer.ip() == attacker(1).ip() {
                    hostile += 1;
                } else {
                    seen.insert(peer);
                }
            }
        }
    }
    assert_eq!(seen.len(), 400, "every honest peer is still found, by random samples");
    assert!(hostile * 10 < all, "{hostile} of {all} peers in answers are the attacker's");
}

/// A full store replaces a random peer: the newest are not lost, and the oldest not all.
#[test]
fn a_full_store_replaces_random_peers() {
    let mut node = node(DhtLimits { routes: 20, lookups: 1, peers: 40, items: 16 });
    for n in 1..=80 {
        announce(&mut node, secs(1), TORRENT, honest(n), 1_000);
    }
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..60 {
        seen.extend(peers(&mut node, secs(1), TORRENT, n));
    }
    assert_eq!(seen.len(), 40);
    assert!(seen.contains(&SocketAddr::new(honest(80).ip(), 1_000)));
    let old = (1..=40).filter(|n| seen.contains(&SocketAddr::new(honest(*n).ip(), 1_000))).count();
    assert!((3..38).contains(&old), "{old} of the older half");
}

/// BEP 5: the token of one address does not serve another.
#[test]
fn a_token_is_bound_to_the_address_and_the_torrent() {
    let mut node = node(DhtLimits { routes: 20, lookups: 1, peers: 40, items: 16 });
    let get = Method::GetPeers { info_hash: TORRENT, noseed: false, scrape: false };
    query(&mut node, ZERO, honest(1), Query::new(id(1), get));
    let replies = exchange(&mut node, ZERO, |_| None);
    let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else { panic!() };
    let token = response.token.unwrap();
    let mut put = |info_hash, from| {
        let put = Method::AnnouncePeer { info_hash, port: Some(9), seed: false, token };
        query(&mut node, ZERO, from, Query::new(id(2), put));
        let replies = exchange(&mut node, ZERO, |_| None);
        matches!(Message::decode(&replies[0].1).unwrap().body, Body::Response(_))
    };
    assert!(!put(TORRENT, honest(2)), "another address");
    assert!(!put(InfoHash([1; 20]), honest(1)), "another torrent");
    let mut other_port = honest(1);
    other_port.set_port(9_999);
    assert!(put(TORRENT, other_port), "a port may change");
}

/// All queries are in flight and nobody answers: each times out, its lookup ends, and others are sent.
#[test]
fn queries_time_out_when_all_are_in_flight() {
    let mut node = node(DhtLimits { routes: 160, lookups: 14, peers: 0, items: 16 });
    for n in 1..=30 {
        query(&mut node, secs(1), honest(n), Query::new(id(n), Method::Ping));
        exchange(&mut node, secs(1), |_| Some(id(n)));
    }
    let mut waiting: Vec<LookupId> = (0..12)
        .map(|n| node.find_peers(secs(2), InfoHash([n * 20; 20]), Some(1)).unwrap())
        .collect();
    let mut buf = [0; MAX_LEN];
    let mut sent = 0;
    while node.poll_transmit(&mut buf).unwrap().is_some() {
        sent += 1;
    }
    assert_eq!(sent, 32);
    let mut now = secs(2);
    while !waiting.is_empty() && now < secs(600) {
        now = node.poll_timeout().expect("a query is in flight");
        node.handle_timeout(now);
        exchange(&mut node, now, |_| None);
        while let Some(DhtEvent::Finished { lookup, answers, peers, .. }) = node.poll_event() {
            assert_eq!((answers, peers), (0, 0));
            waiting.retain(|other| *other != lookup);
        }
    }
    assert_eq!(waiting, [], "every lookup ends, also one that no node answered");
}

/// It has asked three nodes, none of them answers, and no other query is in flight.
#[test]
fn a_lookup_that_nobody_answers_is_reported_as_finished() {
    let mut node = node(DhtLimits { routes: 10, lookups: 1, peers: 0, items: 16 });
    for n in 1..=3 {
        query(&mut node, ZERO, honest(n), Query::new(id(n), Method::Ping));
        exchange(&mut node, ZERO, |_| Some(id(n)));
    }
    let lookup = node.find_peers(secs(1), TORRENT, None).unwrap();
    let mut buf = [0; MAX_LEN];
    let mut asked = 0;
    while node.poll_transmit(&mut buf).unwrap().is_some() {
        asked += 1;
    }
    assert_eq!(asked, 3);
    assert_eq!(node.poll_event(), None);
    let event = loop {
        let now = node.poll_timeout().expect("a query is in flight");
        assert!(now < secs(120), "it is never reported");
        node.handle_timeout(now);
        exchange(&mut node, now, |_| None);
        if let Some(event) = node.poll_event() {
            break event;
        }
    };
    let finished =
        DhtEvent::Finished { lookup, torrent: TORRENT, peers: 0, answers: 0, announces: 0 };
    assert_eq!(event, finished);
    assert_eq!(node.poll_event(), None, "once");
}

/// A lookup without any known node ends at once.
#[test]
fn a_lookup_without_nodes_ends() {
    let mut node = node(DhtLimits { routes: 10, lookups: 1, peers: 0, items: 16 });
    let lookup = node.find_peers(ZERO, TORRENT, None).unwrap();
    let finished =
        DhtEvent::Finished { lookup, torrent: TORRENT, peers: 0, answers: 0, announces: 0 };
    assert_eq!(node.poll_event(), Some(finished));
    assert_eq!(node.find_peers(ZERO, TORRENT, None).map(|it| it.0), Ok(1), "its slot is free");
}

#[test]
fn transaction_ids_are_echoed_up_to_32_bytes() {
    let mut node = node(DhtLimits { routes: 10, lookups: 1, peers: 0, items: 16 });
    for len in [0, 1, 4, 20, 32, 33, 500] {
        let transaction = vec![0x2D; len];
        let message = Message::new(&transaction, Body::Query(Query::new(id(1), Method::Ping)));
        let mut buf = [0; MAX_LEN];
        let sent = message.encode(&mut buf).unwrap();
        node.handle_datagram(ZERO, honest(1), &buf[..sent]).unwrap();
        let replies = exchange(&mut node, ZERO, |_| None);
        let reply = Message::decode(&replies[0].1).unwrap();
        match reply.body {
            Body::Response(_) => assert_eq!(reply.transaction, transaction, "{len}"),
            Body::Error { code, .. } => assert!(code == PROTOCOL_ERROR && len > 32, "{len}"),
            Body::Query(_) => panic!("a reply"),
        }
    }
}

/// An address that has proved nothing receives at most three times what it sent.
#[test]
fn answers_to_forged_addresses_are_small() {
    let mut node = node(DhtLimits { routes: 100, lookups: 2, peers: 100, items: 16 });
    for n in 1..=60 {
        query(&mut node, ZERO, honest(n), Query::new(id(n), Method::Ping));
        exchange(&mut node, ZERO, |_| Some(id(n)));
        announce(&mut node, ZERO, TORRENT, honest(100 + n), 5_000);
    }
    let target = NodeId(TORRENT.0);
    let scrape = |scrape| Method::GetPeers { info_hash: TORRENT, noseed: false, scrape };
    let mut lens = Vec::new();
    for (from, name) in [(honest(2_000), id(2_000)), (honest(1), id(1))] {
        for method in [
            Method::Ping,
            Method::FindNode { target },
            scrape(false),
            scrape(true),
            Method::SampleInfohashes { target },
            Method::Other { name: b"x", target: None },
        ] {
            let mut buf = [0; MAX_LEN];
            let message = Message::new(b"tt", Body::Query(Query::new(name, method)));
            let sent = message.encode(&mut buf).unwrap();
            node.handle_datagram(ZERO, from, &buf[..sent]).unwrap();
            let replies = exchange(&mut node, ZERO, |_| None);
            let received = replies[0].1.len();
            if from == honest(2_000) {
                assert!(received <= 3 * sent, "{method:?}: {received} for {sent}");
            }
            lens.push(received);
        }
    }
    let proven = &lens[6..];
    assert!(proven[1] > 270 && proven[2] > 450 && proven[3] > 700, "{lens:?}");
}

/// BEP 33: seeds and other peers in filters of their own, and no seeds for a seed.
#[test]
fn a_scrape_returns_filters() {
    let mut node = node(DhtLimits { routes: 20, lookups: 1, peers: 40, items: 16 });
    query(&mut node, ZERO, honest(1), Query::new(id(1), Method::Ping));
    exchange(&mut node, ZERO, |_| Some(id(1)));
    for n in 1..=9 {
        let get = Method::GetPeers { info_hash: TORRENT, noseed: false, scrape: false };
        query(&mut node, ZERO, honest(n), Query::new(id(n), get));
        let replies = exchange(&mut node, ZERO, |_| None);
        let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else {
            panic!()
        };
        let token = response.token.unwrap();
        let method =
            Method::AnnouncePeer { info_hash: TORRENT, port: Some(9), seed: n <= 3, token };
        query(&mut node, ZERO, honest(n), Query::new(id(n), method));
        exchange(&mut node, ZERO, |_| None);
    }
    let mut ask = |noseed, scrape| {
        let get = Method::GetPeers { info_hash: TORRENT, noseed, scrape };
        query(&mut node, ZERO, honest(1), Query::new(id(1), get));
        exchange(&mut node, ZERO, |_| None).remove(0).1
    };
    let bytes = ask(false, true);
    let Body::Response(response) = Message::decode(&bytes).unwrap().body else { panic!() };
    let (seeds, leechers) = response.filters().unwrap();
    assert!(response.values.is_none());
    let expected = |range: core::ops::RangeInclusive<u32>| {
        let mut filter = BloomFilter::EMPTY;
        range.for_each(|n| filter.insert(honest(n).ip()));
        filter
    };
    assert_eq!((seeds, leechers), (expected(1..=3), expected(4..=9)));
    let bytes = ask(true, false);
    let Body::Response(response) = Message::decode(&bytes).unwrap().body else { panic!() };
    assert_eq!(response.values.unwrap().iter().count(), 6, "no seeds for a seed");
}

/// BEP 33: the published filter of 1,256 addresses.
#[test]
fn the_bloom_filter_is_that_of_bep_33() {
    let mut filter = BloomFilter::EMPTY;
    for n in 0..=255 {
        filter.insert([192, 0, 2, n].into());
    }
    for n in 0..=0x3E7_u16 {
        filter.insert([0x2001, 0xDB8, 0, 0, 0, 0, 0, n].into());
    }
    assert_eq!(filter.zero_bits(), 619);
    assert_eq!(filter.0[..8], [0xF6, 0xC3, 0xF5, 0xEA, 0xA0, 0x7F, 0xFD, 0x91]);
    assert_eq!(filter.0[250..], [0x76, 0xB6, 0xFD, 0x8F, 0x72, 0xEF]);
    let mut one = BloomFilter::EMPTY;
    one.insert([192, 168, 1, 1].into());
    let set: Vec<usize> = (0..2_048).filter(|bit| one.0[bit / 8] >> (bit % 8) & 1 == 1).collect();
    assert_eq!(set, [1_711, 1_831]);
}

/// BEP 51: a sample of the stored torrents.
#[test]
fn a_sample_names_stored_torrents() {
    let mut node = node(DhtLimits { routes: 20, lookups: 1, peers: 200, items: 16 });
    query(&mut node, ZERO, honest(1), Query::new(id(1), Method::Ping));
    exchange(&mut node, ZERO, |_| Some(id(1)));
    let torrents: Vec<InfoHash> = (0..50).map(|n| InfoHash(id(n).0)).collect();
    for (n, torrent) in torrents.iter().enumerate() {
        announce(&mut node, ZERO, *torrent, honest(100 + n as u32), 9);
        announce(&mut node, ZERO, *torrent, honest(200 + n as u32), 9);
    }
    let method = Method::SampleInfohashes { target: NodeId([0; 20]) };
    query(&mut node, ZERO, honest(1), Query::new(id(1), method));
    let replies = exchange(&mut node, ZERO, |_| None);
    let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else { panic!() };
    let samples = response.samples.unwrap();
    let mut sample: Vec<InfoHash> = samples.iter().collect();
    assert!(sample.iter().all(|torrent| torrents.contains(torrent)));
    sample.sort();
    sample.dedup();
    assert!(sample.len() >= 15, "{} torrents", sample.len());
    assert!((45..=50).contains(&samples.stored), "{}", samples.stored);
    assert!(response.nodes.is_some());
}

/// BEP 32: nodes of the family that is wanted; a query over the other one is dropped.
#[test]
fn peers_are_found_over_ipv6() {
    let mut config = DhtConfig::new(NodeId([0; 20]), [7; 16]);
    config.family = Family::V6;
    let storage = DhtVec::new(DhtLimits { routes: 40, lookups: 1, peers: 10, items: 16 });
    let mut node = DhtNode::new(config, storage).unwrap();
    let address = |n: u16| SocketAddr::new([0x2001, 0xDB8, 0, n, 0, 0, 0, 1].into(), 6881);
    let same_64 = |n: u16| SocketAddr::new([0x2001, 0xDB8, 0, 1, 0, 0, 0, n].into(), 6881);
    let mut buf = [0; MAX_LEN];
    for n in 1..=20 {
        query(&mut node, ZERO, address(n), Query::new(id(n.into()), Method::Ping));
        exchange(&mut node, ZERO, |_| Some(id(n.into())));
        query(&mut node, ZERO, same_64(n), Query::new(id(1_000 + u32::from(n)), Method::Ping));
        exchange(&mut node, ZERO, |addr| (addr == same_64(n)).then(|| id(1_000 + u32::from(n))));
    }
    let of_64 = node
        .contacts()
        .filter(|it| same_64(0).ip().to_string()[..14] == it.addr.ip().to_string()[..14]);
    assert!(of_64.count() <= usize::from(node.table().buckets()));
    for (want, nodes) in [
        (Want { v4: false, v6: false }, true),
        (Want { v4: true, v6: true }, true),
        (Want { v4: true, v6: false }, false),
    ] {
        let method = Method::FindNode { target: NodeId([0; 20]) };
        query(&mut node, ZERO, address(2), Query { want, ..Query::new(id(2), method) });
        let replies = exchange(&mut node, ZERO, |_| None);
        let Body::Response(response) = Message::decode(&replies[0].1).unwrap().body else {
            panic!()
        };
        assert_eq!((response.nodes, response.nodes6.is_some()), (None, nodes), "{want:?}");
    }
    let message = Message::new(b"tt", Body::Query(Query::new(id(1), Method::Ping)));
    let len = message.encode(&mut buf).unwrap();
    let dropped = node.handle_datagram(ZERO, honest(1), &buf[..len]);
    assert_eq!(dropped, Err(DatagramError::Family));
}

/// A node that names only its own addresses gets one of them into the lookup.
#[test]
fn one_network_does_not_fill_a_lookup() {
    let mut node = node(DhtLimits { routes: 40, lookups: 2, peers: 0, items: 16 });
    query(&mut node, ZERO, attacker(1), Query::new(id(1), Method::Ping));
    exchange(&mut node, ZERO, |_| Some(id(1)));
    node.find_peers(secs(10), TORRENT, None).unwrap();
    let mut named = Vec::new();
    for port in 2..=30 {
        let mut near = TORRENT.0;
        near[19] ^= port as u8;
        let mut out = [0; 26];
        CompactNodes::encode(NodeId(near), attacker(port), &mut out).unwrap();
        named.extend(out);
    }
    let mut queried = Vec::new();
    let mut buf = [0; MAX_LEN];
    while let Some(sent) = node.poll_transmit(&mut buf).unwrap() {
        let message = Message::decode(&buf[..sent.len]).unwrap();
        queried.push(sent.to);
        let mut response = Response::new(id(sent.to.port().into()));
        response.nodes = CompactNodes::new(Family::V4, &named);
        let mut out = [0; 2 * MAX_LEN];
        let message = Message::new(message.transaction, Body::Response(response));
        let len = message.encode(&mut out).unwrap();
        node.handle_datagram(secs(10), sent.to, &out[..len]).unwrap();
    }
    assert_eq!(queried, [attacker(1)], "no second address of its network is queried");
}

/// The regions may be empty but for the lookups, and a zero patience is refused.
#[test]
fn invalid_configurations_are_refused() {
    let limits = DhtLimits { routes: 0, lookups: 0, peers: 0, items: 16 };
    let new = |config, limits| DhtNode::new(config, DhtVec::new(limits)).err();
    let mut config = DhtConfig::new(NodeId([1; 20]), [7; 16]);
    assert_eq!(new(config, limits), Some(ConfigError::Lookups));
    assert_eq!(new(config, DhtLimits { lookups: 1, ..limits }), None);
    config.patience = ZERO;
    assert_eq!(new(config, DhtLimits { lookups: 1, ..limits }), Some(ConfigError::Patience));
    assert!(!format!("{config:?}").contains("key"), "the secret is not printed");
    let peers = CompactPeers::new(Family::V4, &[]).unwrap();
    assert_eq!(Values::new(peers).iter().count(), 0);
}
