//! What finding the nodes nearest to an id costs in tables of 8 to 1,120 nodes: eight in each bucket, as many buckets as that
//! takes. Every call has a target of its own. Bar: 10 ns for each node of a table of 160.
//!
//! `cargo bench -p bittorrent-pieces --bench dht`

use core::hint::black_box;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::dht::{Contact, NodeId, RouteSlot, RoutingTable};

const CALLS: u32 = 20_000;
const RUNS: u32 = 10;

fn main() {
    println!("{:>6}  {:>10}  {:>8}", "nodes", "ns a call", "a node");
    for nodes in [8, 80, 160, 1_120] {
        let table = table(nodes);
        assert_eq!(table.len(), nodes as usize);
        let took = (0..RUNS).map(|_| nearest(&table)).min().unwrap_or_default();
        let nanos = took.as_secs_f64() * 1e9 / f64::from(CALLS);
        println!("{nodes:>6}  {nanos:>10.1}  {:>8.2}", nanos / f64::from(nodes));
    }
}

/// Fills the buckets of an id of zeros: node `n` shares `n / 8` bits with it.
fn table(nodes: u32) -> RoutingTable<Vec<RouteSlot>> {
    let mut table = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; nodes as usize]);
    let mut random = 1;
    for node in 0..nodes {
        let bucket = node / 8;
        let mut id = random_id(&mut random).0;
        for (at, byte) in (0..).zip(&mut id) {
            let free = 0xFF_u8.checked_shr(bucket.saturating_sub(at * 8)).unwrap_or(0);
            *byte &= free;
        }
        id[bucket as usize / 8] |= 0x80 >> (bucket % 8);
        let [.., high, low] = node.to_be_bytes();
        let ip = Ipv4Addr::new(11, high, low, 1); // a network for each
        let addr = SocketAddr::V4(SocketAddrV4::new(ip, 6881));
        table.responded(Duration::ZERO, Contact { id: NodeId(id), addr });
    }
    table
}

fn nearest(table: &RoutingTable<Vec<RouteSlot>>) -> Duration {
    let mut random = 2;
    let start = Instant::now();
    for _ in 0..CALLS {
        let target = random_id(&mut random);
        black_box(table.nearest(black_box(target)));
    }
    start.elapsed()
}

/// xorshift64
fn random_id(state: &mut u64) -> NodeId {
    let mut id = [0; 20];
    for part in id.chunks_mut(8) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        part.copy_from_slice(&state.to_be_bytes()[..part.len()]);
    }
    NodeId(id)
}
