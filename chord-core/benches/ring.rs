//! The ring: one decision, one step of maintenance, one node, one lookup, one round.
//!
//! - next hop: a node among 100,000 random identifiers of 160 bits decides where a key leads; 8 such nodes with
//!   exact tables, r = 20, 16,384 keys in a row, the best of 20. "First": keys anywhere, as the first node of a
//!   lookup sees them. "Mid": keys at distances whose logarithm is uniform, as later nodes see them. Beside it two
//!   over `(u32, u128)` that know nothing else: from the top of all 160 fingers downwards, and over the distinct ones
//!   as distances.
//! - steps: two nodes whose third is calm. A stabilization is a query, its answer and the notification, written, read
//!   and acted on; a rectification is a notification from a newcomer, the ping of the old predecessor, its answer.
//! - ring: nodes of 64 bits with addresses of four bytes in one process and in virtual time, r = 20, after a
//!   first round, without lookups. A node-round is one stabilization of one node.
//!
//! `cargo bench -p chord-core --bench ring -- steps` runs one of `next_hop`, `steps`, `sizes`, `lookups` and `rounds`.
//! CPU time of the thread. Compare within one run only. `figures next_hop` runs rings-core too.

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::time::Instant;

use chord_core::{
    Config, Event, Id64, Id160, Identifier, Message, Node, NodeArrays, Peer, RoutingTableVec,
};
use sim::Rng;

#[path = "../tests/crowd/mod.rs"]
mod crowd;

use crowd::{Crowd, id64};

type Wide = Peer<Id160, SocketAddrV4>;

const RING: usize = 100_000;
const KEYS: usize = 16_384;
const ROUNDS: usize = 20;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return; // `cargo test` runs it to see that it builds
    }
    let named: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let parts: [(&str, fn()); 5] = [
        ("next_hop", next_hop),
        ("steps", steps),
        ("sizes", sizes),
        ("lookups", lookups),
        ("rounds", rounds),
    ];
    for (name, run) in parts {
        if named.is_empty() || named.iter().any(|part| part == name) {
            run();
        }
    }
}

/// Returns the CPU time of this thread, where the system reports it, or else the time of day.
fn cpu_seconds() -> f64 {
    std::thread::yield_now(); // else the system reports what it was at the last tick
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns / 1e9)
}

/// Returns nanoseconds for each of `count`, the best of 20.
fn best(count: usize, mut run: impl FnMut()) -> f64 {
    best_round(count, |_| run())
}

/// The same; `run` is passed the number of the round.
fn best_round(count: usize, mut run: impl FnMut(usize)) -> f64 {
    let rounds = (0..ROUNDS).map(|round| {
        let start = cpu_seconds();
        run(round);
        cpu_seconds() - start
    });
    rounds.fold(f64::INFINITY, f64::min) / count as f64 * 1e9
}

fn next_hop() {
    let mut rng = Rng::new(1);
    let mut id = || {
        let mut bytes = [0; 20];
        rng.fill(&mut bytes);
        Id160::from(bytes)
    };
    let ring: Vec<Wide> = (0..RING as u32)
        .map(|n| Peer { id: id(), address: SocketAddrV4::new(Ipv4Addr::from(n), 4000) })
        .collect();
    let tables: Vec<_> =
        ring[..8].iter().map(|me| RoutingTableVec::of_ring(*me, 20, 16, &ring)).collect();
    let full: Vec<_> = tables.iter().map(all_fingers).collect();
    let distinct: Vec<_> = full.iter().map(|all| deduplicated(all)).collect();
    let mut first = || (0..KEYS).map(|_| id()).collect::<Vec<_>>();
    let repeated = first();
    let fresh: Vec<_> = (0..ROUNDS).map(|_| first()).collect();
    // Every second key, or each, is moved to a distance whose logarithm is uniform.
    let nearer = |keys: &[Id160], every: usize| {
        let near = |(n, key): (usize, &Id160)| {
            let me = tables[n % 8].me.id;
            let octave = 142 + n / every % 18; // the nearest of 100,000 nodes are at about 2^143
            if n % every == 0 { me.plus(within(*key, octave)) } else { *key }
        };
        keys.iter().enumerate().map(near).collect::<Vec<_>>()
    };
    println!("next hop, {RING} nodes, 160 bits, r = 20, {:.1} fingers; ns", {
        let fingers: usize = tables.iter().map(|table| table.fingers.len()).sum();
        fingers as f64 / 8.0
    });
    let mid = nearer(&repeated, 1);
    let fresh: Vec<_> = fresh.iter().map(|keys| nearer(keys, 2)).collect();
    for (name, keys) in [
        ("first", core::slice::from_ref(&repeated)),
        ("mid  ", core::slice::from_ref(&mid)),
        ("fresh", &fresh[..]),
    ] {
        let round = |n: usize| &keys[n % keys.len()];
        let ours = best_round(KEYS, |n| {
            for (n, key) in round(n).iter().enumerate() {
                black_box(tables[n % 8].route(*key));
            }
        });
        let distance = |(n, key): (usize, &Id160)| top(tables[n % 8].me.id.distance(*key));
        let far: Vec<Vec<u128>> =
            (0..ROUNDS).map(|n| round(n).iter().enumerate().map(distance).collect()).collect();
        let scan = best_round(KEYS, |round| {
            for (n, key) in far[round].iter().enumerate() {
                black_box(full[n % 8].iter().rev().find(|(_, distance)| distance < key));
            }
        });
        let short = best_round(KEYS, |round| {
            for (n, key) in far[round].iter().enumerate() {
                black_box(distinct[n % 8].iter().rev().find(|(_, distance)| distance < key));
            }
        });
        println!("  {name}  RoutingTable::route                 {ours:7.1}  {}", bar(ours));
        println!("         160 fingers as (u32, u128), from top {scan:6.1}  {}", bar(scan));
        println!("         distinct ones as distances          {short:7.1}  {}", bar(short));
    }
}

/// Returns the number from 2^octave up to 2^(octave + 1) that has the lower bits of `random`.
fn within(random: Id160, octave: usize) -> Id160 {
    let mut bytes = <[u8; 20]>::from(random);
    bytes.reverse();
    for (at, byte) in bytes.iter_mut().enumerate() {
        let bits = octave.saturating_sub(8 * at).min(8);
        *byte = (u16::from(*byte) & ((1 << bits) - 1)) as u8;
    }
    bytes[octave / 8] |= 1 << (octave % 8);
    bytes.reverse();
    Id160::from(bytes)
}

/// One mark for each five nanoseconds.
fn bar(ns: f64) -> String {
    "#".repeat((ns / 5.0).ceil() as usize)
}

/// The upper 128 of 160 bits.
fn top(id: Id160) -> u128 {
    u128::from_be_bytes(*<[u8; 20]>::from(id).first_chunk().expect("20 bytes"))
}

/// Finger 1 to 160 of a node, by distance.
fn all_fingers(table: &RoutingTableVec<Id160, SocketAddrV4>) -> Vec<(u32, u128)> {
    let known = table.fingers.iter().chain(table.successors.as_slice().iter().copied());
    let mut known: Vec<_> = known.map(|peer| table.me.id.distance(peer.id)).collect();
    known.sort_unstable();
    let finger = |i| {
        let start = Id160::power_of_two(i);
        let distance = known.iter().find(|distance| **distance >= start).or(known.last());
        (i, top(*distance.expect("it knows somebody")))
    };
    (0..160).map(finger).collect()
}

fn deduplicated(all: &[(u32, u128)]) -> Vec<(u32, u128)> {
    let mut all = all.to_vec();
    all.dedup_by_key(|finger| finger.1);
    all
}

type SmallSlots = NodeArrays<Id64, u32, 20, 16, 2, 0>;
type Small = Node<Id64, u32, SmallSlots>;
type WideSlots<const L: usize> = NodeArrays<Id160, SocketAddrV4, 20, 16, L, 0>;

/// Hands over what each of the nodes says until all are silent; returns how many datagrams that were.
fn talk(nodes: &mut [Small], now: Duration) -> usize {
    let mut buf = [0; Message::<Id64, u32>::MAX_LEN];
    let mut sent = 0;
    loop {
        let before = sent;
        for from in 0..nodes.len() {
            while let Some(letter) = nodes[from].poll_transmit(&mut buf).expect("room") {
                sent += 1;
                let to = letter.to as usize;
                if to < nodes.len() {
                    let _ = nodes[to].handle_datagram(now, from as u32, &buf[..letter.len]);
                }
            }
        }
        if before == sent {
            return sent;
        }
    }
}

fn steps() {
    const STEPS: usize = 20_000;
    let members: Vec<_> =
        (0..22u32).map(|n| Peer { id: id64(u64::from(n) << 58), address: n }).collect();
    let mut config = Config::default();
    config.fix_fingers = Duration::MAX;
    let mut nodes: Vec<Small> = (0..22)
        .map(|n| {
            if n == 1 {
                config.stabilize = Duration::MAX; // all but the first only answer
            }
            let mut node = Node::new(config, members[n], SmallSlots::EMPTY).unwrap();
            node.create_base(Duration::ZERO, &members).expect("22 members");
            node
        })
        .collect();
    let mut now = Duration::ZERO;
    let stabilize = best(STEPS, || {
        for _ in 0..STEPS {
            now += Duration::from_secs(10);
            nodes[0].handle_timeout(now);
            assert_eq!(talk(&mut nodes[..2], now), 3, "query, state, notify");
        }
    });
    // Node 0 claims to be before node 2, whose predecessor, 1, is asked whether it lives.
    let mut claim = [0; 32];
    let len = Message::<Id64, u32>::Notify { id: members[0].id }.encode(&mut claim).expect("room");
    let rectify = best(STEPS, || {
        for _ in 0..STEPS {
            now += Duration::from_millis(1);
            nodes[2].handle_datagram(now, 0, &claim[..len]).expect("a message");
            assert!(talk(&mut nodes[..3], now) >= 2, "ping, pong");
        }
    });
    println!("steps, r = 20, all datagrams written, read and acted on");
    println!("  stabilize {stabilize:7.0} ns, {:8.0} a second", 1e9 / stabilize);
    println!("  rectify   {rectify:7.0} ns, {:8.0} a second", 1e9 / rectify);
}

fn sizes() {
    println!("bytes of a node at r = 20, with slots for 0 and 1 lookups of the application");
    println!(
        "  160 bits, SocketAddrV4   {:5} {:5}",
        size_of::<Node<Id160, SocketAddrV4, WideSlots<1>>>(),
        size_of::<Node<Id160, SocketAddrV4, WideSlots<2>>>()
    );
    println!(
        "  64 bits, u32             {:5} {:5}",
        size_of::<Node<Id64, u32, NodeArrays<Id64, u32, 20, 16, 1, 0>>>(),
        size_of::<Small>()
    );
}

fn lookups() {
    let mut crowd = Crowd::ring(1000, crowd::config(), 3);
    let mut rng = Rng::new(3);
    crowd.listens = true;
    let mut quiet = 0;
    crowd.run_until(Duration::from_secs(60)); // at first all nodes wait
    for ask in [false, true] {
        let sent = crowd.sent;
        for _ in 0..600 {
            while ask && !crowd.ask(rng.below(1000) as u32, id64(rng.next_u64())) {}
            crowd.run_until(crowd.now + Duration::from_secs(1));
        }
        if ask {
            let done = crowd.events.iter().filter_map(|(_, event)| match event {
                Event::LookupDone { hops, .. } => Some(f64::from(*hops)),
                _ => None,
            });
            let hops = done.clone().sum::<f64>() / done.count() as f64;
            let each = (crowd.sent - sent - quiet) as f64 / 600.0;
            println!("  for each lookup         {each:6.2}, {hops:.2} hops");
        } else {
            quiet = crowd.sent - sent;
            let rounds = 600.0 / 30.0 * 1000.0;
            println!(
                "messages, 1,000 nodes, r = 20; a lookup is iterative and asks the owner for a sign of life"
            );
            println!("  for each node and round {:6.2}", quiet as f64 / rounds);
        }
    }
}

fn rounds() {
    println!("simulated rings, one thread");
    for nodes in [1000, 100_000, 1_000_000] {
        let mut crowd = Crowd::ring(nodes, crowd::config(), 5);
        crowd.run_until(Duration::from_secs(38));
        let start = cpu_seconds();
        let sent = crowd.sent;
        let end = crowd.now + Duration::from_secs(if nodes > 1000 { 60 } else { 6000 });
        crowd.run_until(end);
        let took = cpu_seconds() - start;
        let stabilizations = (crowd.sent - sent) as f64 / 3.0;
        println!(
            "  {nodes:8} nodes {:6.2} M node-rounds/s, {:5} MB",
            stabilizations / took / 1e6,
            crowd::memory()
        );
    }
}
