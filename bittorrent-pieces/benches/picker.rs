//! The picker under the load of a swarm: P peers whose random bitfields have half of N pieces, pieces of
//! 16 blocks of 16 KiB.
//!
//! - join: add all bitfields, then pick one block; per bitfield.
//! - churn: 200 rounds (40 at 100,000 pieces) of leave, pick, join, pick; per round.
//! - have: 100,000 HAVEs of random pieces; each.
//! - download: peers in turn deliver what they were asked for and are asked for 16 more, until all is
//!   there; per block, with how many blocks came twice and how many pieces were open at most.

use std::time::Instant;

use bittorrent_pieces::{
    Bitfield, Block, BlockSlot, ConnId, Geometry, Holds, PartialSlot, PieceIndex, PieceSlot,
    Received, block_slots,
};

type Picker = bittorrent_pieces::Picker<Vec<PieceSlot>, Vec<PartialSlot>, Vec<BlockSlot>>;

const SEED: u64 = 0xB17;
const BATCH: usize = 16;

fn main() {
    println!(" pieces peers   join ns  churn us  have ns  download ns  twice  open");
    for (pieces, peers) in [(1_000, 50), (1_000, 200), (10_000, 50), (10_000, 200), (100_000, 50)] {
        let swarm = Swarm::new(pieces, peers);
        let (mut picker, join) = swarm.join();
        let churn = swarm.churn(&mut picker);
        let have = swarm.have(&mut picker);
        let (download, twice, open) = swarm.download();
        println!(
            "{pieces:>7} {peers:>5} {join:>9.0} {churn:>9.1} {have:>8.1} {download:>12.0} {twice:>6} {open:>5}"
        );
    }
}

struct Swarm {
    geometry: Geometry,
    bitfields: Vec<Bitfield<Vec<u8>>>,
}

impl Swarm {
    fn new(pieces: u32, peers: u32) -> Self {
        let geometry = Geometry::new(u64::from(pieces) << 18, 1 << 18).expect("it fits");
        let mut bitfields: Vec<_> = (0..peers).map(|peer| bitfield(pieces, peer)).collect();
        for piece in (0..pieces).map(PieceIndex) {
            if !bitfields.iter().any(|bits| bits.has(piece)) {
                bitfields[0].set(piece); // so that the download can end
            }
        }
        Self { geometry, bitfields }
    }

    fn picker(&self) -> Picker {
        let pieces = self.geometry.pieces();
        let partials = 2 * self.bitfields.len();
        let have = vec![0; Bitfield::byte_len(pieces)];
        let have = Bitfield::new(pieces, &have[..]).expect("no bit is set");
        Picker::new(
            self.geometry,
            SEED,
            have,
            vec![PieceSlot::EMPTY; pieces as usize],
            vec![PartialSlot::EMPTY; partials],
            vec![BlockSlot::EMPTY; block_slots(self.geometry, partials)],
        )
        .expect("the slots suffice")
    }

    fn holds(&self, peer: usize) -> Holds<'_> {
        Holds::Some(self.bitfields[peer].as_view())
    }

    fn join(&self) -> (Picker, f64) {
        let mut picker = self.picker();
        let start = Instant::now();
        for peer in 0..self.bitfields.len() {
            picker.join(&self.holds(peer));
        }
        pick_one(&mut picker, self, 0);
        let nanos = start.elapsed().as_nanos() as f64;
        (picker, nanos / self.bitfields.len() as f64)
    }

    fn churn(&self, picker: &mut Picker) -> f64 {
        let peers = self.bitfields.len();
        let rounds = if self.geometry.pieces() >= 100_000 { 40 } else { 200 };
        let start = Instant::now();
        for round in 0..rounds {
            let (p, q) = (round % peers, (round + 1) % peers);
            picker.leave(&self.holds(p));
            pick_one(picker, self, q);
            picker.join(&self.holds(p));
            pick_one(picker, self, p);
        }
        start.elapsed().as_nanos() as f64 / 1000.0 / rounds as f64
    }

    fn have(&self, picker: &mut Picker) -> f64 {
        let mut state = SEED + 3;
        let start = Instant::now();
        for _ in 0..100_000 {
            picker.have(PieceIndex((next(&mut state) % u64::from(self.geometry.pieces())) as u32));
            next(&mut state); // whose HAVE it was
        }
        start.elapsed().as_nanos() as f64 / 100_000.0
    }

    fn download(&self) -> (f64, u64, usize) {
        let (mut picker, _) = self.join();
        let peers = self.bitfields.len();
        let mut queues: Vec<Vec<Block>> = vec![Vec::new(); peers];
        let (mut twice, mut open, mut most) = (0, 0_usize, 0);
        let start = Instant::now();
        for turn in 0.. {
            let peer = turn % peers;
            let conn = ConnId(peer as u32);
            for block in queues[peer].drain(..) {
                match picker.receive(conn, block, 0) {
                    Received::Unwanted => twice += 1,
                    Received::Accepted { full: true, .. } => {
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
            while queues[peer].len() < BATCH {
                let holds = self.holds(peer);
                let picked = picker.pick(conn, &holds);
                let Some(block) = picked.or_else(|| picker.pick_endgame(conn, &holds)) else {
                    break;
                };
                open += usize::from(block.begin == 0);
                queues[peer].push(block);
            }
            most = most.max(open);
        }
        let blocks = f64::from(self.geometry.pieces()) * 16.0;
        (start.elapsed().as_nanos() as f64 / blocks, twice, most)
    }
}

/// Picks a block and gives it back, so that the torrent stays fresh.
fn pick_one(picker: &mut Picker, swarm: &Swarm, peer: usize) {
    let conn = ConnId(peer as u32);
    if let Some(block) = picker.pick(conn, &swarm.holds(peer)) {
        picker.release(conn, block);
    }
}

fn bitfield(pieces: u32, peer: u32) -> Bitfield<Vec<u8>> {
    let mut state = SEED ^ (u64::from(peer) + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let bytes = vec![0; Bitfield::byte_len(pieces)];
    let mut bits = Bitfield::new(pieces, bytes).expect("no bit is set");
    for piece in (0..pieces).map(PieceIndex) {
        if next(&mut state) % 1000 < 500 {
            bits.set(piece);
        }
    }
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
