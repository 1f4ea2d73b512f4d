//! What a node of the DHT asks, which nodes, and when; what it makes of the answers.

mod dht_by_hand;

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::dht::krpc::{Method, Query, Response};
use bittorrent_pieces::dht::*;
use dht_by_hand::*;

const ZERO: Duration = Duration::ZERO;
const TORRENT: InfoHash = InfoHash([0x42; 20]);

fn limits() -> DhtLimits {
    DhtLimits { routes: 160, lookups: 4, peers: 10, items: 4 }
}

/// Fires the timers until a time; returns the queries that were due, with the seconds.
fn run(node: &mut DhtNode<DhtVec>, until: Duration) -> Vec<(u64, String)> {
    let mut queries = vec![];
    loop {
        let now = node.poll_timeout().filter(|at| *at <= until);
        queries.extend(queries_of(node).into_iter().map(|query| (now, query)));
        let Some(now) = now else { break };
        node.handle_timeout(now);
        let due = queries_of(node).into_iter().map(|query| (Some(now), query));
        queries.extend(due);
    }
    queries.into_iter().map(|(at, query)| (at.unwrap_or(until).as_secs(), query.text)).collect()
}

/// BEP 5, with the patience of the configuration: 4 s.
#[test]
fn a_query_waits_for_four_seconds() {
    let mut node = with_nodes(limits(), 1..=1);
    node.find_peers(secs(10), TORRENT, None).unwrap();
    let queries = queries_of(&mut node);
    assert_eq!(addresses(&queries), [honest(1)]);
    assert_eq!(queries[0].text, format!("GET PEERS torrent={TORRENT}"));
    assert_eq!(node.poll_timeout(), Some(secs(14)));
    node.handle_timeout(Duration::from_millis(13_999));
    assert_eq!(node.poll_event(), None);
    node.handle_timeout(secs(14));
    assert!(matches!(node.poll_event(), Some(DhtEvent::Finished { answers: 0, .. })));
    let late = answer(&mut node, secs(14), &queries[0], Response::new(id(1)), None);
    assert_eq!(late, Err(DatagramError::Unexpected));
}

/// BEP 5: the transaction id is echoed as it is, and the answer comes from the address that was asked.
#[test]
fn an_answer_has_the_transaction_of_its_query() {
    let mut node = with_nodes(limits(), 1..=1);
    node.find_peers(ZERO, TORRENT, None).unwrap();
    let [query] = &queries_of(&mut node)[..] else { panic!("one node is known") };
    let [high, low] = query.transaction[..] else { panic!("two bytes") };
    let wrong = [vec![high, low ^ 1], vec![high ^ 1, low], vec![high], vec![high, low, 0], vec![]];
    for transaction in wrong {
        let wrong = Asked { transaction, text: String::new(), ..*query };
        let result = answer(&mut node, ZERO, &wrong, Response::new(id(1)), None);
        assert_eq!(result, Err(DatagramError::Unexpected));
    }
    assert!(answer(&mut node, ZERO, query, Response::new(id(1)), None).is_ok());
}

/// Queries in flight are told apart by their transaction ids: of these seeds two of the first 32 draws are equal.
#[test]
fn queries_in_flight_have_different_transaction_ids() {
    for seed in [661, 715, 719] {
        let mut config = DhtConfig::new(NodeId([0; 20]), [7; 16]);
        config.seed = seed;
        let limits = DhtLimits { routes: 0, lookups: 4, ..limits() };
        let mut node = DhtNode::new(config, DhtVec::new(limits)).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..32 {
            node.add(ZERO, honest(n)).unwrap();
            let [query] = &queries_of(&mut node)[..] else { panic!("a ping") };
            assert!(seen.insert(query.transaction.clone()), "seed {seed}");
        }
        node.add(ZERO, honest(99)).unwrap();
        assert!(queries_of(&mut node).is_empty(), "32 are in flight");
    }
}

/// BEP 43: a read-only node says so in its queries, and answers none.
#[test]
fn a_read_only_node_says_so() {
    for read_only in [false, true] {
        let mut config = DhtConfig::new(NodeId([0; 20]), [7; 16]);
        config.read_only = read_only;
        let mut node = DhtNode::new(config, DhtVec::new(limits())).unwrap();
        node.add(ZERO, honest(1)).unwrap();
        let queries = queries_of(&mut node);
        assert!(queries.iter().all(|query| query.read_only == read_only) && queries.len() == 1);
        query(&mut node, ZERO, honest(2), Query::new(id(2), Method::Ping));
        assert_eq!(exchange(&mut node, ZERO, |_| None).is_empty(), read_only);
    }
}

/// Three queries in a row that are not answered make a node bad, and only those that it was sent.
#[test]
fn a_node_that_fails_three_times_is_bad() {
    let mut node = with_nodes(limits(), 1..=2);
    for round in 1..=3 {
        node.find_peers(secs(10 * round), TORRENT, None).unwrap();
        for query in queries_of(&mut node) {
            if query.to == honest(2) {
                answer(&mut node, secs(10 * round), &query, Response::new(id(2)), None).unwrap();
            }
        }
        assert_eq!(node.table().health(secs(10 * round), id(1)), Some(Health::Good));
        node.handle_timeout(secs(10 * round + 4));
        assert!(node.poll_event().is_some());
    }
    assert_eq!(node.table().health(secs(34), id(1)), Some(Health::Bad));
    assert_eq!(node.table().health(secs(34), id(2)), Some(Health::Good));
    // The address of a node alone is known: it is not in the table, and does not become so.
    let mut empty = DhtNode::new(*node.config(), DhtVec::new(limits())).unwrap();
    empty.add(ZERO, honest(3)).unwrap();
    run(&mut empty, secs(50));
    assert!(empty.table().is_empty());
}

/// A node that answers under our own id is not there any more: that counts as a failure.
#[test]
fn a_node_that_answers_under_our_id_fails() {
    let mut node = with_nodes(limits(), 1..=1);
    for round in 1..=3 {
        node.find_peers(secs(round), TORRENT, None).unwrap();
        let [query] = &queries_of(&mut node)[..] else { panic!("one node is known") };
        assert_eq!(node.table().health(secs(round), id(1)), Some(Health::Good));
        answer(&mut node, secs(round), query, Response::new(NodeId([0; 20])), None).unwrap();
        while node.poll_event().is_some() {}
    }
    assert_eq!(node.table().health(secs(3), id(1)), Some(Health::Bad));
}

/// An address that was added has no id yet: when it answers, no other node fails for it, whatever its id.
#[test]
fn an_answer_to_a_first_ping_concerns_no_other_node() {
    let mut config = DhtConfig::new(id(1_000), [7; 16]);
    config.seed = 1;
    let mut node = DhtNode::new(config, DhtVec::new(limits())).unwrap();
    let zeros = NodeId([0; 20]);
    for n in 1..=5 {
        node.add(ZERO, honest(n)).unwrap();
        exchange(&mut node, ZERO, |addr| {
            Some(if addr == honest(1) { zeros } else { id(number(addr)) })
        });
    }
    assert_eq!(node.table().len(), 5);
    assert_eq!(node.table().health(ZERO, zeros), Some(Health::Good));
}

/// BEP 5: a bucket without a message for 15 minutes is refreshed, and few nodes are not enough.
#[test]
fn buckets_are_refreshed() {
    let mut node = with_nodes(limits(), 1..=3);
    let own = format!("FIND NODE target={}", NodeId([0; 20]));
    let queries = run(&mut node, secs(63));
    assert_eq!(queries, vec![(60, own); 3], "our own neighbourhood after a minute");
    // Nobody is known: nobody is asked.
    let mut alone = dht_by_hand::node(limits());
    query(&mut alone, ZERO, honest(1), Query::new(id(1), Method::Ping));
    assert_eq!(alone.poll_timeout(), Some(secs(60)));
    alone.handle_timeout(secs(60));
    assert_eq!(alone.poll_timeout(), Some(secs(120)));
    alone.add(secs(120), honest(2)).unwrap();
    alone.handle_timeout(secs(120));
    let queries = queries_of(&mut alone);
    assert!(
        queries.iter().all(|query| query.text.starts_with("PING")),
        "an address without an id is not queried"
    );
    // Eight nodes: one bucket, which any id refreshes.
    let mut eight = with_nodes(limits(), 1..=8);
    assert_eq!(eight.table().buckets(), 1);
    let queries = run(&mut eight, secs(899));
    assert_eq!(queries, [], "heard of in the last 15 minutes");
    eight.handle_timeout(secs(900));
    let queries = queries_of(&mut eight);
    assert_eq!(queries.len(), 3);
    let first = queries[0].text.clone();
    assert!(first.starts_with("FIND NODE") && queries.iter().all(|query| query.text == first));
    for query in queries {
        answer(&mut eight, secs(901), &query, Response::new(id(number(query.to))), None).unwrap();
    }
    assert!(queries_of(&mut eight).iter().all(|query| query.text == first));
    assert_eq!(eight.poll_event(), None, "it is not the caller's");
    // A quarter of an hour later by another random id; the eight failed twice at most.
    let later = run(&mut eight, secs(1_859));
    assert!(later.iter().all(|(_, text)| *text == first), "{later:?}");
    eight.handle_timeout(secs(1_860));
    let again = queries_of(&mut eight);
    assert!(again.iter().all(|query| query.text.starts_with("FIND NODE") && query.text != first));
    assert!(!again.is_empty());
}

/// Addresses wait for their pings: 16, each once; those of the other version of IP and without a port are refused.
#[test]
fn addresses_are_checked_before_they_are_pinged() {
    let mut node = node(limits());
    let v6: SocketAddr = "[2001:db8::1]:1".parse().unwrap();
    assert_eq!(node.add(ZERO, v6), Err(AddError::Family));
    assert_eq!(node.add(ZERO, SocketAddr::new(honest(1).ip(), 0)), Err(AddError::Port));
    for n in 1..=16 {
        assert_eq!(node.add(ZERO, honest(n)), Ok(()));
    }
    assert_eq!(node.add(ZERO, honest(17)), Err(AddError::Full { capacity: 16 }));
    assert_eq!(node.add(ZERO, honest(16)), Ok(()), "it waits already");
    assert_eq!(addresses(&queries_of(&mut node)), (1..=16).map(honest).collect::<Vec<_>>());
}

/// Nodes that sent us a query are pinged before they enter the table: eight wait, each of a network of its own.
#[test]
fn eight_unproven_nodes_are_pinged_at_a_time() {
    let mut node = with_nodes(limits(), 1..=8);
    let mut buf = [0; MAX_LEN];
    let mut ask = |node: &mut DhtNode<DhtVec>, from: SocketAddr, name: u32| {
        query(node, ZERO, from, Query::new(id(name), Method::Ping));
        let sent = node.poll_transmit(&mut buf).unwrap().expect("the reply");
        assert_eq!(sent.to, from);
    };
    for n in 101..=112 {
        ask(&mut node, honest(n), n);
    }
    let first = queries_of(&mut node);
    assert_eq!(addresses(&first), (101..=108).map(honest).collect::<Vec<_>>());
    // While they are in flight, others wait, but not of the same networks.
    ask(&mut node, SocketAddr::new(honest(101).ip(), 7), 201);
    ask(&mut node, honest(113), 113);
    assert!(queries_of(&mut node).is_empty());
    // An address of the caller does not wait.
    node.add(ZERO, honest(300)).unwrap();
    assert_eq!(addresses(&queries_of(&mut node)), [honest(300)]);
    answer(&mut node, ZERO, &first[0], Response::new(id(101)), None).unwrap();
    assert_eq!(addresses(&queries_of(&mut node)), [honest(113)]);
    // The others are not pinged for our own queries that are in flight.
    let mut busy = dht_by_hand::node(limits());
    for n in 1..=9 {
        busy.add(ZERO, honest(n)).unwrap();
    }
    assert_eq!(queries_of(&mut busy).len(), 9);
    ask(&mut busy, honest(50), 50);
    assert_eq!(addresses(&queries_of(&mut busy)), [honest(50)]);
}

/// BEP 42: our address is what three networks see at least, and more than see another; each network has one vote of the last eight.
#[test]
fn our_address_is_what_most_networks_see() {
    let mut node = node(limits());
    let seen = |n: u8| -> SocketAddr { ([80, 0, 0, n], 1).into() };
    let mut vote = |addr: SocketAddr, ip| {
        node.add(ZERO, addr).unwrap();
        for query in queries_of(&mut node) {
            let ip = (query.to == addr).then_some(ip).flatten();
            answer(&mut node, ZERO, &query, Response::new(id(number(query.to))), ip).unwrap();
        }
        exchange(&mut node, ZERO, |addr| Some(id(number(addr))));
        node.external()
    };
    let ours = Some(seen(1).ip());
    assert_eq!(vote(honest(1), Some(seen(1))), None);
    assert_eq!(vote(honest(2), Some(seen(1))), None);
    assert_eq!(vote(honest(2), Some(seen(1))), None, "the same network again");
    assert_eq!(vote(honest(3), None), None, "it does not say");
    assert_eq!(vote(honest(4), Some(seen(1))), ours);
    for n in 5..=7 {
        assert_eq!(vote(honest(n), Some(seen(n as u8))), ours);
    }
    assert_eq!(vote(honest(1), Some(seen(2))), None, "it has changed its vote");
    assert_eq!(vote(honest(8), Some(seen(1))), ours);
    // The vote of the second network is the oldest of eight, and goes: two are left, and three for another address.
    assert_eq!(vote(honest(9), Some(seen(2))), ours);
    assert_eq!(vote(honest(10), Some(seen(2))), Some(seen(2).ip()));
    assert_eq!(vote(honest(6), Some(seen(1))), None, "three networks see each of two");
    assert_eq!(vote(honest(7), Some(seen(1))), ours);
}

/// Our own neighbourhood is looked up once, and again under a new id.
#[test]
fn our_neighbourhood_is_looked_up_once_for_each_id() {
    let mut node = node(limits());
    let find = |id: NodeId| format!("FIND NODE target={id}");
    let proved = |node: &mut DhtNode<DhtVec>, n: u32| -> Vec<String> {
        node.add(ZERO, honest(n)).unwrap();
        let pings = queries_of(node);
        for query in &pings {
            answer(node, ZERO, query, Response::new(id(number(query.to))), None).unwrap();
        }
        let queries = queries_of(node);
        for query in &queries {
            answer(node, ZERO, query, Response::new(id(number(query.to))), None).unwrap();
        }
        queries.into_iter().map(|query| query.text).collect()
    };
    assert_eq!(proved(&mut node, 1), [find(NodeId([0; 20]))]);
    assert_eq!(proved(&mut node, 2), [""; 0]);
    node.set_id(NodeId([9; 20]));
    assert_eq!(
        proved(&mut node, 3),
        [find(NodeId([9; 20])), find(NodeId([9; 20])), find(NodeId([9; 20]))]
    );
    assert_eq!(proved(&mut node, 4), [""; 0]);
}

/// Under a new id of our own the buckets are others: where more than eight nodes are in one, those that failed give way first, and
/// then the longest silent ones.
#[test]
fn a_new_id_keeps_the_best_of_each_bucket() {
    let mut node = node(limits());
    // Eight nodes each that share no, one and two bits with the id 0, one a second.
    let name = |n: u32| {
        let first = [0x80, 0x40, 0x20][n as usize / 8];
        NodeId([&[first][..], &[n as u8; 19]].concat().try_into().unwrap())
    };
    for n in 0..24 {
        let now = secs(u64::from(n));
        node.add(now, honest(n)).unwrap();
        exchange(&mut node, now, |addr| Some(name(number(addr))));
    }
    assert_eq!((node.table().len(), node.table().buckets()), (24, 3));
    // Of those that will share no bit with the new id, 23 fails once, and the two that are nearest to it answer again.
    let now = secs(30);
    node.find_peers(now, InfoHash(name(23).0), None).unwrap();
    for query in queries_of(&mut node) {
        if query.to != honest(23) {
            answer(&mut node, now, &query, Response::new(name(number(query.to))), None).unwrap();
        }
    }
    node.handle_timeout(secs(34));
    while node.poll_event().is_some() {}
    node.set_id(NodeId([0xFF; 20]));
    let kept: Vec<u32> = node.contacts().map(|contact| number(contact.addr)).collect();
    assert_eq!(kept, (0..8).chain(15..23).collect::<Vec<_>>());
    assert_eq!(node.table().buckets(), 2);
}

/// Eight nodes in a bucket that is not split, one a second, and another bucket.
fn full_bucket() -> DhtNode<DhtVec> {
    let mut node = node(limits());
    for n in 1..=9 {
        let now = secs(u64::from(n));
        node.add(now, honest(n)).unwrap();
        exchange(&mut node, now, |addr| Some(far(number(addr))));
    }
    assert_eq!((node.table().len(), node.table().buckets()), (9, 2));
    node
}

/// The id of a node of [`full_bucket`]: number 9 is in a bucket of its own.
fn far(n: u32) -> NodeId {
    let mut id = [n as u8; 20];
    id[0] = if n == 9 { 0x40 } else { 0x80 };
    NodeId(id)
}

/// A node that sent a query answers our ping.
fn prove(node: &mut DhtNode<DhtVec>, now: Duration, n: u32) {
    query(node, now, honest(n), Query::new(far(n), Method::Ping));
    let pings = queries_of(node);
    assert_eq!(addresses(&pings), [honest(n)]);
    answer(node, now, &pings[0], Response::new(far(n)), None).unwrap();
}

/// BEP 5: when a questionable node is in the way of a new one, it is pinged, the longest silent one first.
#[test]
fn a_node_in_the_way_of_another_is_pinged() {
    let mut node = full_bucket();
    for oldest in 1..=8 {
        let now = secs(1_000 + u64::from(oldest));
        prove(&mut node, now, 20 + oldest);
        let pings = queries_of(&mut node);
        assert_eq!(addresses(&pings), [honest(oldest)]);
        assert_eq!(pings[0].text, format!("PING node={}", NodeId([0; 20])));
        answer(&mut node, now, &pings[0], Response::new(far(oldest)), None).unwrap();
        assert_eq!(node.table().health(now, far(oldest)), Some(Health::Good));
    }
    query(&mut node, secs(1_010), honest(30), Query::new(far(30), Method::Ping));
    assert!(queries_of(&mut node).is_empty(), "the bucket is full of good nodes");
    assert!((21..=28).all(|n| node.table().health(secs(1_010), far(n)).is_none()));
}

/// A node that is asked already is not pinged besides.
#[test]
fn a_node_that_is_asked_is_not_pinged_too() {
    let mut node = full_bucket();
    node.find_peers(secs(1_000), InfoHash(far(1).0), None).unwrap();
    let queries = queries_of(&mut node);
    assert_eq!(queries[0].to, honest(1));
    prove(&mut node, secs(1_000), 20);
    assert!(queries_of(&mut node).is_empty(), "its place is wanted, and a query is in flight");
    for query in &queries {
        answer(&mut node, secs(1_000), query, Response::new(far(number(query.to))), None).unwrap();
    }
    assert!(queries_of(&mut node).iter().all(|query| query.text.starts_with("GET PEERS")));
    // The same for an address that the caller adds twice.
    let mut node = dht_by_hand::node(limits());
    node.add(ZERO, honest(1)).unwrap();
    let pings = queries_of(&mut node);
    node.add(ZERO, honest(1)).unwrap();
    assert!(queries_of(&mut node).is_empty());
    answer(&mut node, ZERO, &pings[0], Response::new(id(1)), None).unwrap();
    let rest = queries_of(&mut node);
    assert!(rest.iter().all(|query| query.text.starts_with("FIND NODE")), "no second ping");
}
