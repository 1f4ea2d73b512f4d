//! The clock, the random numbers and the pickers of the workloads.

use core::hint::black_box;
use std::time::Instant;

use bittorrent_pieces::picker::{PeerPieces, PickerVec, Selection};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, PieceIndex, Policy};

pub type Picker = bittorrent_pieces::Picker<PickerVec>;

pub const SEED: u64 = 0xB17;
pub const BATCH: usize = 16;

/// Returns the nanoseconds of this thread that `run` takes, without those of the clock itself.
pub fn nanos(run: impl FnOnce()) -> f64 {
    let start = cpu();
    run();
    let took = cpu() - start;
    let empty = (0..20).map(|_| {
        let start = cpu();
        cpu() - start
    });
    took.saturating_sub(empty.min().unwrap_or(0)) as f64
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

/// Fills a batch as far as the peer has blocks, and marks nothing.
pub fn propose(picker: &mut Picker, holds: PeerPieces<'_>, batch: &mut [Block]) -> usize {
    let proposed = picker.propose(ConnId(0), &holds, &Selection::new(), batch);
    black_box(batch);
    proposed
}

pub fn picker(geometry: Geometry<'static>, partials: usize) -> Picker {
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

pub fn bitfield(pieces: u32, peer: u32, density: u64) -> Bitfield<Vec<u8>> {
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

pub fn only(pieces: u32, piece: u32) -> Bitfield<Vec<u8>> {
    let mut bits = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
    bits.set(PieceIndex(piece));
    bits
}

/// splitmix64
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
