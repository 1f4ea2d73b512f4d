//! Nonce search, double SHA-256 of the 80-byte header of Bitcoin's block 125,552: the search of this crate
//! against a plain loop over the block function of `sha2` with the midstate taken by hand.
//!
//! First both must find the real nonce in a window; then each tries nonces from 0x10000000 on for about
//! 0.4 s, and the best of eight counts. Compare the two within one run.

use core::hint::black_box;
use std::time::Instant;

use pow::{
    CompactTarget, HashFunction, LittleEndian, Miner, NonceField, NonceFormat, Puzzle, Step,
};
use sha2::block_api::compress256;

const HEADER: &str = "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000\
                      e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74d\
                      f2b9441a00000000";
const NONCE: u64 = 0x9546_a142;
const FROM: u64 = 0x1000_0000;
const HASHES: u32 = 2_000_000;
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

fn main() {
    let header: Vec<u8> = (0..80)
        .map(|i| u8::from_str_radix(&HEADER[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect();
    let target = CompactTarget(0x1a44_b9f2).to_target().expect("a target");
    let field = NonceField { offset: 76, format: NonceFormat::U32Le };
    let puzzle = Puzzle::new(HashFunction::Sha256d, &header, field).expect("80 bytes");
    let search = |from: u64, hashes: u32| {
        let last = from + u64::from(hashes) - 1;
        Miner::<LittleEndian>::new(puzzle, target, from..=last).step(hashes)
    };
    let by_hand = ByHand::new(&header);
    assert_eq!(search(NONCE - 4800, 9600), Step::Found(NONCE));
    assert_eq!(by_hand.search(NONCE - 4800, 9600), Some(NONCE));

    let ours = best(|| matches!(black_box(search(FROM, HASHES)), Step::Found(_)));
    let theirs = best(|| black_box(by_hand.search(FROM, HASHES)).is_some());
    println!("Miner::step         {ours:6.2} MH/s");
    println!("compress256 by hand {theirs:6.2} MH/s");
    println!("ratio               {:6.2}", ours / theirs);
}

/// Returns millions of hashes per second, the best of eight.
fn best(run: impl Fn() -> bool) -> f64 {
    let mut best = 0_f64;
    for _ in 0..8 {
        let start = Instant::now();
        assert!(!run(), "no nonce of this range counts");
        best = best.max(f64::from(HASHES) / start.elapsed().as_secs_f64() / 1e6);
    }
    best
}

/// The usual miner: midstate, two compressions a nonce, the last word must be zero.
struct ByHand {
    midstate: [u32; 8],
    tail: [u8; 64],
}

impl ByHand {
    fn new(header: &[u8]) -> Self {
        let mut midstate = INITIAL;
        compress256(&mut midstate, &[header[..64].try_into().expect("64 bytes")]);
        let mut tail = [0; 64];
        tail[..16].copy_from_slice(&header[64..]);
        tail[16] = 0x80;
        tail[56..].copy_from_slice(&640_u64.to_be_bytes());
        Self { midstate, tail }
    }

    fn search(&self, from: u64, hashes: u32) -> Option<u64> {
        let (mut tail, mut second) = (self.tail, [0; 64]);
        second[32] = 0x80;
        second[56..].copy_from_slice(&256_u64.to_be_bytes());
        (from..from + u64::from(hashes)).find(|nonce| {
            tail[12..16].copy_from_slice(&(*nonce as u32).to_le_bytes());
            let mut state = self.midstate;
            compress256(&mut state, &[tail]);
            for (bytes, word) in second.chunks_exact_mut(4).zip(state) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            let mut state = INITIAL;
            compress256(&mut state, &[second]);
            state[7] == 0 && state[6].swap_bytes() <= 0x44_b9f2
        })
    }
}
