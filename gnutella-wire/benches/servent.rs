//! What the calls of an ultrapeer cost with 10, 100 and 1,000 connections. `cargo bench -p gnutella-wire --bench servent`
//!
//! Two neighbours are ultrapeers, the others leaves whose tables match nothing, each of another network. Each row is a call, with
//! the polls that follow it until they return nothing, in nanoseconds of the thread's own time: the best of five rounds.
//!
//! - idle polls: `poll_transmit`, `poll_event` and `poll_timeout`, when nothing is due.
//! - `poll_timeout`: alone.
//! - ping: one of an ultrapeer, answered with an own pong.
//! - hit: one that goes back the way of its query.
//! - known: a query that came before, which is dropped.
//! - backlog: the number of bytes that wait to be sent to a leaf.
//! - comes and goes: a leaf connects and closes.
//! - query: a new one of an ultrapeer, which is compared with the table of every leaf: the cost of each leaf is in the last column.

mod clock;

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use clock::Clock;
use gnutella_wire::hosts::HostSlot;
use gnutella_wire::routes::RouteSlot;
use gnutella_wire::servent::{Neighbour, QuerySlot};
use gnutella_wire::wire::{HitData, Message, Payload, Ping, Qrp, Query, QueryHit, Record, Records};
use gnutella_wire::{Config, ConnId, ConnSlot, Guid, Role, Servent, ServentId, ServentSlots, Text};

type Storage = ServentSlots<Vec<ConnSlot>, Vec<RouteSlot>, Vec<HostSlot>, Vec<QuerySlot>, Vec<u8>>;
type Node = Servent<Storage>;

const ROUNDS: usize = 5;
const CALLS: u32 = 2_000;
const T0: Duration = Duration::ZERO;

fn main() {
    println!(
        "connections | idle polls | poll_timeout |   ping |    hit |  known | backlog | comes and goes |   query   a leaf"
    );
    for conns in [10, 100, 1_000] {
        measure(conns);
    }
}

fn measure(conns: u32) {
    let mut node = node(conns);
    let mut number = 0;
    let idle = best(&mut node, |node| {
        poll(node);
    });
    let timeout = best(&mut node, |node| {
        black_box(node.poll_timeout());
    });
    let ping = best(&mut node, |node| {
        number += 1;
        receive(node, 0, &message(number, Payload::Ping(Ping::default())));
    });
    let query = best(&mut node, |node| {
        number += 1;
        receive(node, 0, &message(number, a_query()));
    });
    let known = message(number, a_query());
    let again = best(&mut node, |node| receive(node, 1, &known));
    let hit_message = message(number, a_hit());
    let hit = best(&mut node, |node| receive(node, 1, &hit_message));
    let backlog = best(&mut node, |node| {
        number += 1;
        node.handle_backlog(T0, ConnId(2 + number % (conns - 2)), number).unwrap();
        poll(node);
    });
    let lifecycle = best(&mut node, |node| {
        node.handle_connected(T0, ConnId(conns), leaf(conns)).unwrap();
        poll(node);
        node.handle_closed(T0, ConnId(conns));
        poll(node);
    });
    let a_leaf = query / f64::from(conns);
    println!(
        "{conns:>11} | {idle:>10.0} | {timeout:>12.0} | {ping:>6.0} | {hit:>6.0} | {again:>6.0} | {backlog:>7.0} | {lifecycle:>14.0} | {query:>7.0} {a_leaf:>8.1}"
    );
}

/// An ultrapeer whose neighbours are connected, and have sent their tables.
fn node(conns: u32) -> Node {
    let mut config = Config::ultrapeer(ServentId([7; 16]), host(9));
    config.max_leaves = conns as usize;
    config.target_peers = 0;
    let slots = ServentSlots {
        conns: vec![ConnSlot::EMPTY; conns as usize + 1],
        routes: vec![RouteSlot::EMPTY; 1 << 20],
        hosts: vec![HostSlot::EMPTY; 200],
        queries: vec![QuerySlot::EMPTY; 64],
        tables: vec![0; (conns as usize + 4) * 2_048],
    };
    let mut node = Servent::new(config, slots).unwrap();
    for conn in 0..conns {
        let neighbour = if conn < 2 { Role::Ultrapeer.into() } else { leaf(conn) };
        node.handle_connected(T0, ConnId(conn), neighbour).unwrap();
        poll(&mut node);
        if conn >= 2 {
            let mut body = [0; 6];
            let len = Qrp::Reset(gnutella_wire::wire::Reset { slots: 1 << 14, infinity: 7 })
                .encode(&mut body)
                .unwrap();
            let mut bytes =
                [&[1; 16][..], &[0x30, 1, 0], &u32::try_from(len).unwrap().to_le_bytes()].concat();
            bytes.extend(&body[..len]);
            receive(&mut node, conn, &bytes);
        }
    }
    node
}

fn leaf(number: u32) -> Neighbour {
    let mut leaf = Neighbour::from(Role::Leaf);
    leaf.query_routing = true;
    leaf.network = Some([(number >> 8) as u8, number as u8]);
    leaf
}

fn host(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 6346)
}

fn a_query() -> Payload<'static> {
    Payload::Query(Query::new(Text::new(b"hey jude").unwrap()))
}

fn a_hit() -> Payload<'static> {
    const NAME: Text<'static> = Text::new(b"Hey Jude.mp3").unwrap();
    const FOUND: &[Record<'static>] =
        &[Record { index: 1, size: 2, name: NAME, extensions: Text::EMPTY }];
    let records = Records::from_slice(FOUND).unwrap();
    let data = HitData::EMPTY;
    Payload::QueryHit(QueryHit {
        address: host(3),
        speed: 1,
        records,
        data,
        servent: ServentId([3; 16]),
    })
}

fn message(number: u32, payload: Payload<'_>) -> Vec<u8> {
    let mut guid = [0; 16];
    guid[..4].copy_from_slice(&number.to_le_bytes());
    let message = Message { guid: Guid(guid), ttl: 3, hops: 1, payload };
    let mut bytes = vec![0; 256];
    let len = message.encode(&mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

fn receive(node: &mut Node, conn: u32, bytes: &[u8]) {
    let received = node.handle_bytes(T0, ConnId(conn), bytes).unwrap();
    assert_eq!(black_box(received).consumed, bytes.len());
    poll(node);
}

fn poll(node: &mut Node) {
    let mut buf = [0; Node::MAX_TRANSMIT_LEN];
    while black_box(node.poll_transmit(&mut buf).unwrap()).is_some() {}
    while black_box(node.poll_event()).is_some() {}
    black_box(node.poll_timeout());
}

/// Returns the nanoseconds of a call.
fn best(node: &mut Node, mut call: impl FnMut(&mut Node)) -> f64 {
    let mut round = || {
        let clock = Clock::start();
        (0..CALLS).for_each(|_| call(node));
        clock.nanos(CALLS as usize)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
