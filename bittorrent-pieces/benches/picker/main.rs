//! The picker under the load of a swarm: P peers whose random bitfields have half of N pieces, each of
//! 16 blocks of 16 KiB. The random numbers are splitmix64 of fixed seeds.
//!
//! - W1 join: all bitfields are counted, then one block is picked; per bitfield.
//! - W2 churn: 200 rounds (40 from 100,000 pieces on): peer `k` leaves, `k + 1` picks a block, `k` joins,
//!   `k` picks one; per round. Nothing stays marked.
//! - W3 have: 100,000 HAVEs of random pieces, then the same ones taken back; each.
//! - W4 fresh: 2,000 picks of 16 blocks, peers in turn, nothing marked; per pick.
//! - W5 sparse: 1,000 picks of 16 for 200 peers that have 0.1 % of the pieces; per pick.
//! - W6 download: in turn, each peer delivers what it was asked for and is asked for 16 more, until
//!   all is there; per block, with how many blocks came twice and how many pieces were open at most.
//! - W7 one: 100 picks for a peer that has exactly one piece; per pick.
//! - W8 haves: 2,000 times eight HAVEs of random pieces and a pick of 16; per pick.
//! - W9 download with haves: as W6, with four HAVEs of random pieces before each pick; per block.
//!
//! Time is that of this thread on a processor, the least of five runs; each pick writes to the same array.
//! Behind some figures stands a bar. The last part is a torrent of 30 million blocks, with the longest single
//! call of each kind.
//!
//! With arguments, `cargo bench -p bittorrent-pieces --bench picker -- PIECES PEERS RUNS` measures one size.
//! `examples/figures/libtorrent/picker.cpp` does the same with the picker of libtorrent.

mod huge;
mod support;
mod swarm;

use bittorrent_pieces::picker::{PieceSlot, RarestSlot, piece_slots, rarest_slots};
use swarm::Swarm;

const RUNS: u32 = 5;

/// A figure, its unit, and what it may be at 100,000 pieces and 50 peers.
const BARS: [(&str, &str, f64); 10] = [
    ("W1 join a bitfield", "us", 60.0),
    ("W2 churn", "us", 300.0),
    ("W3 have", "ns", 30.0),
    ("W3 taken back", "ns", 30.0),
    ("W4 pick of 16, fresh", "ns", 60.0),
    ("W5 pick of 16, 0.1 % of the pieces", "ns", f64::INFINITY),
    ("W6 whole download, per block", "ns", 100.0),
    ("W7 pick, exactly one piece", "ns", 4_000.0),
    ("W8 eight haves and a pick", "ns", f64::INFINITY),
    ("W9 download with haves, per block", "ns", f64::INFINITY),
];

fn main() {
    let numbers: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    if let [pieces, peers, runs] = numbers[..] {
        return measure(pieces, peers, runs);
    }
    for pieces in [1_000, 10_000, 100_000] {
        for peers in [50, 200] {
            measure(pieces, peers, RUNS);
        }
    }
    measure(1_000_000, 50, RUNS);
    huge::huge();
}

fn measure(pieces: u32, peers: u32, runs: u32) {
    let swarm = Swarm::new(pieces, peers);
    let mut least = [f64::INFINITY; 10];
    let mut waste = (0, 0);
    for _ in 0..runs {
        let (mut picker, join) = swarm.join();
        let churn = swarm.churn(&mut picker);
        let (have, back) = swarm.have(&mut picker);
        let fresh = swarm.fresh(&mut picker);
        let sparse = swarm.sparse(&mut picker);
        let one = swarm.one(&mut picker);
        let haves = swarm.haves(&mut picker);
        let (download, twice, open) = swarm.download(0);
        let (download_haves, ..) = swarm.download(4);
        waste = (twice, open);
        let all = [join, churn, have, back, fresh, sparse, download, one, haves, download_haves];
        least.iter_mut().zip(all).for_each(|(least, time)| *least = least.min(time));
    }
    println!("\n{pieces} pieces, {peers} peers");
    let marked = (pieces, peers) == (100_000, 50);
    for ((name, unit, bar), time) in BARS.iter().zip(least) {
        let time = if *unit == "us" { time / 1000.0 } else { time };
        print!("  {name:36} {time:>11.3} {unit}");
        if marked && bar.is_finite() {
            print!("   bar {bar:>6}{}", if time > *bar { "   MISSED" } else { "" });
        }
        println!();
    }
    println!("  blocks that came twice {}, most open pieces {}", waste.0, waste.1);
    let bytes = piece_slots(pieces) * size_of::<PieceSlot>()
        + rarest_slots(pieces) * size_of::<RarestSlot>();
    println!(
        "  {:.2} bytes for each piece beside the bitfields (bar 10)",
        bytes as f64 / f64::from(pieces)
    );
}
