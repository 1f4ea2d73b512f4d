//! The nodes nearest to an id in a routing table of the DHT, beside the crate `mainline`, which returns 20 where we return 8.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use bittorrent_pieces::dht::{Contact, NodeId, RouteSlot, RoutingTable};
use mainline::{Id, Node, RoutingTable as PeerTable};

use crate::measure::{Contestant, NANOSECONDS, scatter, table};

const SIZES: [u32; 4] = [8, 80, 160, 1_120];
const TARGETS: u64 = 2_000;

pub fn measure() -> String {
    let targets: Vec<[u8; 20]> = (0..TARGETS).map(|n| random_id(!n)).collect();
    let mut text = String::new();
    for size in SIZES {
        let mut ours = RoutingTable::new(NodeId([0; 20]), vec![RouteSlot::EMPTY; size as usize]);
        let mut peer = PeerTable::new(Id::from([0; 20]));
        for n in 0..size {
            let (id, addr) = node(n);
            ours.responded(Duration::ZERO, Contact { id: NodeId(id), addr: SocketAddr::V4(addr) });
            peer.add(Node::new(Id::from(id), addr));
        }
        assert_eq!((ours.len(), peer.size()), (size as usize, size as usize));
        let contestants = vec![
            Contestant::new("mainline 8, `RoutingTable::closest`", || {
                for target in &targets {
                    black_box(peer.closest(Id::from(black_box(*target))));
                }
            }),
            Contestant::new("`RoutingTable::nearest`", || {
                for target in &targets {
                    black_box(ours.nearest(NodeId(black_box(*target))));
                }
            }),
        ];
        let title = format!("the nodes nearest to an id, of {size}");
        let rows = table(&title, targets.len(), NANOSECONDS, 7, contestants);
        _ = writeln!(text, "{rows}"); // a `String` takes all
    }
    text.trim_end().to_owned() + "\n"
}

/// Returns node `n` of a table of the id 0, with which it shares `n / 8` bits, in a network of its own.
fn node(n: u32) -> ([u8; 20], SocketAddrV4) {
    let bucket = n / 8;
    let mut id = random_id(n.into());
    for (at, byte) in (0..).zip(&mut id) {
        *byte &= 0xFF_u8.checked_shr(bucket.saturating_sub(at * 8)).unwrap_or(0);
    }
    id[bucket as usize / 8] |= 0x80 >> (bucket % 8);
    let [.., high, low] = n.to_be_bytes();
    (id, SocketAddrV4::new(Ipv4Addr::new(11, high, low, 1), 6881))
}

fn random_id(n: u64) -> [u8; 20] {
    let mut id = [0; 20];
    for (part, chunk) in (0_u64..).zip(id.chunks_mut(8)) {
        let number = scatter(scatter(n) ^ part);
        chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
    }
    id
}
