//! The picker under the load of a swarm: P peers whose random bitfields have half of N pieces, each of
//! 16 blocks of 16 KiB. The random numbers are splitmix64 of fixed seeds.
//!
//! - W1 join: all bitfields are counted, then one block is picked; per bitfield.
//! - W2 churn: 200 rounds (40 at 100,000 pieces): peer `k` leaves, `k + 1` picks a block, `k` joins,
//!   `k` picks one; per round. Nothing stays marked.
//! - W3 have: 100,000 HAVEs of random pieces, then the same ones taken back; each.
//! - W4 fresh: 2,000 picks of 16 blocks, peers in turn, nothing marked; per pick.
//! - W5 sparse: 1,000 picks of 16 for 200 peers that have 0.1 % of the pieces; per pick.
//! - W7 one: 100 picks for a peer that has exactly one piece; per pick.
//! - W6 download: in turn, each peer delivers what it was asked for and is asked for 16 more, until
//!   all is there; per block, with how many blocks came twice and how many pieces were open at most.
//!
//! Time is that of this thread on a processor, the least of five runs. Behind each figure stands its
//! bar, and what libtorrent `RC_2_0` (aab2a10e2f) took for the same workload on one machine of two cores
//! under g++ 12.2 -O2: another machine than yours, so compare orders of magnitude. The last part is a
//! torrent of 30 million blocks, with the longest single call of each kind.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::picker::{
    PeerPieces, PickerVec, PieceSlot, RarestSlot, ReceivedBlock, Selection, piece_slots,
    rarest_slots,
};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, PieceIndex, Policy};

type Picker = bittorrent_pieces::Picker<PickerVec>;

const SEED: u64 = 0xB17;
const BATCH: usize = 16;
const RUNS: usize = 5;

/// What a workload may take, and what libtorrent takes for it, both at 100,000 pieces and 50 peers.
const BARS: [(&str, &str, f64, f64); 8] = [
    ("W1 join a bitfield", "us", 60.0, 551.521),
    ("W2 churn", "us", 300.0, 3_229.0),
    ("W3 have", "ns", 30.0, 39.2),
    ("W3 taken back", "ns", 30.0, 34.2),
    ("W4 pick of 16, fresh", "ns", 60.0, 60.0),
    ("W5 pick of 16, 0.1 % of the pieces", "ns", f64::INFINITY, 9_562.0),
    ("W7 pick, exactly one piece", "ns", 4_000.0, 407_701.0),
    ("W6 whole download, per block", "ns", 100.0, 100.0),
];

fn main() {
    for (pieces, peers) in [
        (1_000, 50),
        (1_000, 200),
        (10_000, 50),
        (10_000, 200),
        (100_000, 50),
        (100_000, 200),
        (1_000_000, 50),
    ] {
        let swarm = Swarm::new(pieces, peers);
        let mut least = [f64::INFINITY; 8];
        let mut waste = (0, 0);
        for _ in 0..RUNS {
            let (mut picker, join) = swarm.join();
            let churn = swarm.churn(&mut picker);
            let (have, back) = swarm.have(&mut picker);
            let fresh = swarm.fresh(&mut picker);
            let sparse = swarm.sparse(&mut picker);
            let one = swarm.one(&mut picker);
            let (download, twice, open) = swarm.download();
            waste = (twice, open);
            let all = [join, churn, have, back, fresh, sparse, one, download];
            least.iter_mut().zip(all).for_each(|(least, time)| *least = least.min(time));
        }
        println!("\n{pieces} pieces, {peers} peers");
        let marked = (pieces, peers) == (100_000, 50);
        for ((name, unit, bar, libtorrent), time) in BARS.iter().zip(least) {
            let time = if *unit == "us" { time / 1000.0 } else { time };
            print!("  {name:36} {time:>9.1} {unit}");
            match bar.is_finite() {
                true if marked => print!("   bar {bar:>6}, libtorrent {libtorrent}"),
                false if marked => print!("               libtorrent {libtorrent}"),
                _ => {}
            }
            println!("{}", if marked && time > *bar { "   MISSED" } else { "" });
        }
        println!("  blocks that came twice {}, most open pieces {}", waste.0, waste.1);
        let bytes = piece_slots(pieces) * size_of::<PieceSlot>()
            + rarest_slots(pieces) * size_of::<RarestSlot>();
        println!(
            "  {:.2} bytes for each piece beside the bitfields (bar 10, libtorrent 13)",
            bytes as f64 / f64::from(pieces)
        );
    }
    huge();
}

struct Swarm {
    geometry: Geometry<'static>,
    bitfields: Vec<Bitfield<Vec<u8>>>,
}

impl Swarm {
    fn new(pieces: u32, peers: u32) -> Self {
        let geometry = Geometry::new(u64::from(pieces) << 18, 1 << 18).expect("it fits");
        let mut bitfields: Vec<_> = (0..peers).map(|peer| bitfield(pieces, peer, 500)).collect();
        for piece in (0..pieces).map(PieceIndex) {
            if !bitfields.iter().any(|bits| bits.has(piece)) {
                bitfields[0].set(piece); // so that the download can end
            }
        }
        Self { geometry, bitfields }
    }

    fn picker(&self) -> Picker {
        picker(self.geometry, 2 * self.bitfields.len())
    }

    fn holds(&self, peer: usize) -> PeerPieces<'_> {
        PeerPieces::Some(self.bitfields[peer].as_view())
    }

    fn join(&self) -> (Picker, f64) {
        let mut picker = self.picker();
        let start = cpu();
        for peer in 0..self.bitfields.len() {
            picker.join(&self.holds(peer));
        }
        propose(&mut picker, self.holds(0), 1);
        (picker, since(start) / self.bitfields.len() as f64)
    }

    fn churn(&self, picker: &mut Picker) -> f64 {
        let peers = self.bitfields.len();
        let rounds = if self.geometry.pieces() >= 100_000 { 40 } else { 200 };
        let start = cpu();
        for round in 0..rounds {
            let p = round % peers;
            let q = (round + 1) % peers;
            picker.leave(&self.holds(p));
            propose(picker, self.holds(q), 1);
            picker.join(&self.holds(p));
            propose(picker, self.holds(p), 1);
        }
        since(start) / rounds as f64
    }

    fn have(&self, picker: &mut Picker) -> (f64, f64) {
        let all = u64::from(self.geometry.pieces());
        let draw = |state: &mut u64| {
            let piece = PieceIndex((next(state) % all) as u32);
            next(state); // whose HAVE it was
            piece
        };
        let mut state = SEED + 3;
        let pieces: Vec<_> = (0..100_000).map(|_| draw(&mut state)).collect();
        let start = cpu();
        for piece in &pieces {
            picker.have(*piece);
        }
        let more = since(start);
        let start = cpu();
        for piece in &pieces {
            picker.dont_have(*piece);
        }
        (more / 100_000.0, since(start) / 100_000.0)
    }

    fn fresh(&self, picker: &mut Picker) -> f64 {
        let start = cpu();
        for turn in 0..2_000 {
            propose(picker, self.holds(turn % self.bitfields.len()), BATCH);
        }
        since(start) / 2_000.0
    }

    fn sparse(&self, picker: &mut Picker) -> f64 {
        let pieces = self.geometry.pieces();
        let peers: Vec<_> = (100_000..100_200).map(|peer| bitfield(pieces, peer, 1)).collect();
        let start = cpu();
        for turn in 0..1_000 {
            propose(picker, PeerPieces::Some(peers[turn % peers.len()].as_view()), BATCH);
        }
        since(start) / 1_000.0
    }

    fn one(&self, picker: &mut Picker) -> f64 {
        let pieces = self.geometry.pieces();
        let peers: Vec<_> = (0..100).map(|nth| only(pieces, nth * 7919 % pieces)).collect();
        let start = cpu();
        for peer in &peers {
            assert!(propose(picker, PeerPieces::Some(peer.as_view()), BATCH) > 0);
        }
        since(start) / 100.0
    }

    fn download(&self) -> (f64, u64, usize) {
        let (mut picker, _) = self.join();
        let peers = self.bitfields.len();
        let mut queues = vec![Vec::with_capacity(BATCH); peers];
        let mut twice = 0;
        let mut open = 0_usize;
        let mut most = 0;
        let want = Selection::new();
        let start = cpu();
        for turn in 0.. {
            let peer = turn % peers;
            let conn = ConnId(peer as u32);
            for block in queues[peer].drain(..) {
                match picker.receive(conn, block, 0) {
                    ReceivedBlock::Unwanted => twice += 1,
                    ReceivedBlock::Accepted { full: true, .. } => {
                        let full = picker.next_full().expect("it became full just now");
                        assert!(picker.passed(full, |_| {}));
                        open = open.saturating_sub(1);
                    }
                    _ => {}
                }
            }
            if picker.have_count() == self.geometry.pieces() {
                break;
            }
            let holds = self.holds(peer);
            let mut batch = [Block::default(); BATCH];
            let mut picked = 0;
            while picked < BATCH {
                let more = picker.pick(conn, &holds, &want, &mut batch[picked..]);
                if more == 0 {
                    break;
                }
                picked += more;
            }
            if picked == 0 {
                let block = picker.pick_endgame(conn, &holds, &want);
                picked = block.map_or(0, |block| {
                    batch[0] = block;
                    1
                });
            }
            open += batch[..picked].iter().filter(|block| block.begin == 0).count();
            queues[peer].extend(&batch[..picked]);
            most = most.max(open);
        }
        let blocks = f64::from(self.geometry.pieces()) * 16.0;
        (since(start) / blocks, twice, most)
    }
}

/// 500 GB in pieces of 256 KiB, 200 peers: what each kind of call takes at most.
fn huge() {
    const PIECES: u32 = 1_875_000;
    let geometry = Geometry::new(u64::from(PIECES) << 18, 1 << 18).expect("it fits");
    let mut picker = picker(geometry, 400);
    let peers: Vec<_> = (0..8).map(|peer| bitfield(PIECES, peer, 500)).collect();
    let holds = |peer: u32| PeerPieces::Some(peers[peer as usize % peers.len()].as_view());
    let mut worst: Vec<(&str, Duration)> = Vec::new();
    let mut timed = |name: &'static str, call: &mut dyn FnMut()| {
        let slices = cpu_slices();
        let start = Instant::now();
        call();
        let took = start.elapsed();
        if slices != cpu_slices() {
            return; // something else ran meanwhile
        }
        match worst.iter_mut().find(|(known, _)| *known == name) {
            Some((_, most)) => *most = took.max(*most),
            None => worst.push((name, took)),
        }
    };
    (0..200).for_each(|peer| timed("join", &mut || picker.join(&holds(peer))));
    let mut batch = [Block::default(); BATCH];
    let mut state = SEED;
    for turn in 0..40_000_u32 {
        let peer = turn % 200;
        let conn = ConnId(turn % 200);
        let want = Selection::new();
        let mut picked = 0;
        timed("pick", &mut || picked = picker.pick(conn, &holds(peer), &want, &mut batch));
        for block in &batch[..picked] {
            timed("receive", &mut || {
                black_box(picker.receive(conn, *block, turn));
            });
        }
        if let Some(full) = picker.next_full() {
            if turn % 10 == 0 {
                timed("failed", &mut || {
                    black_box(picker.failed(full));
                });
            } else {
                timed("passed", &mut || {
                    black_box(picker.passed(full, |_| {}));
                });
            }
        }
        let piece = PieceIndex((next(&mut state) % u64::from(PIECES)) as u32);
        timed("have", &mut || picker.have(piece));
        if turn % 100 == 0 {
            timed("leave", &mut || picker.leave(&holds(peer)));
            timed("abandon", &mut || picker.abandon(conn));
            timed("pick after a leave", &mut || {
                propose(&mut picker, holds(peer), BATCH);
            });
            timed("forget", &mut || picker.forget(conn));
            timed("join", &mut || picker.join(&holds(peer)));
        }
    }
    println!(
        "\n30,000,000 blocks (500 GB), 200 peers, 400 open pieces; the longest call of each kind,"
    );
    println!("bar 1000 us:");
    for (name, took) in worst {
        let micros = took.as_nanos() as f64 / 1000.0;
        println!("  {name:36} {micros:>9.1} us{}", if micros > 1000.0 { "   MISSED" } else { "" });
    }
}

/// Returns the nanoseconds that this thread was on a processor, where the system reports it, or else the
/// time of day.
fn cpu() -> u64 {
    std::thread::yield_now(); // else the system tells what it was at the last tick
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| START.with(|start| start.elapsed().as_nanos() as u64))
}

/// Returns how often this thread got a processor.
fn cpu_slices() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.trim().split(' ').nth(2)?.parse().ok()
}

fn since(start: u64) -> f64 {
    (cpu() - start) as f64
}

/// Chooses and marks nothing.
fn propose(picker: &mut Picker, holds: PeerPieces<'_>, blocks: usize) -> usize {
    let mut batch = [Block::default(); BATCH];
    let proposed = picker.propose(ConnId(0), &holds, &Selection::new(), &mut batch[..blocks]);
    black_box(&batch);
    proposed
}

fn picker(geometry: Geometry<'static>, partials: usize) -> Picker {
    let have = vec![0; Bitfield::byte_len(geometry.pieces())];
    let have = Bitfield::new(geometry.pieces(), &have[..]).expect("no bit is set");
    let mut picker = Picker::new(SEED, have, PickerVec::new(geometry, partials as u16))
        .expect("the slots suffice");
    // Rarest first from the start, as libtorrent was measured.
    let mut policy = Policy::new();
    policy.random_first = 0;
    picker.set_policy(policy);
    picker
}

fn bitfield(pieces: u32, peer: u32, density: u64) -> Bitfield<Vec<u8>> {
    let mut state = SEED ^ (u64::from(peer) + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let bytes = vec![0; Bitfield::byte_len(pieces)];
    let mut bits = Bitfield::new(pieces, bytes).expect("no bit is set");
    for piece in (0..pieces).map(PieceIndex) {
        if next(&mut state) % 1000 < density {
            bits.set(piece);
        }
    }
    bits
}

fn only(pieces: u32, piece: u32) -> Bitfield<Vec<u8>> {
    let mut bits = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
    bits.set(PieceIndex(piece));
    bits
}

/// splitmix64
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
