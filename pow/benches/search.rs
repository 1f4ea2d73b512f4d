//! Nonce search: each kernel of this crate against a plain loop over the block function of `sha2` with the
//! midstate taken by hand.
//!
//! Workload A is double SHA-256 of the 80-byte header of Bitcoin's block 125,552; first every kernel must find
//! the real nonce in a window of 9,600, then each tries nonces from 0x10000000 on. Workload B is one SHA-256
//! of 32 bytes and an eight-byte nonce, most significant byte first, from 2^40 on. About 0.2 s a repetition,
//! CPU time of the thread, the best of eight, all contestants in turn. Compare within one run only.
//!
//! The last table is workload A on one thread and on two at once: idle cores give twice the rate.

use core::hint::black_box;
use std::time::Instant;

use pow::{
    BigEndian, CompactTarget, DigestOrder, HashFunction, Kernel, LittleEndian, Miner, NonceField,
    NonceFormat, Puzzle, Step, Target,
};
use sha2::block_api::compress256;

const HEADER: &str = "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000\
                      e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74d\
                      f2b9441a00000000";
const NONCE: u64 = 0x9546_a142;
const FROM: u64 = 0x1000_0000;
const HASHES: u32 = 2_000_000;
const ROUNDS: u32 = 8;
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
    for kernel in Kernel::available() {
        let found = search::<LittleEndian>(kernel, puzzle, target, NONCE - 4800, 9600);
        assert_eq!(found, Step::Found(NONCE), "{kernel}");
    }
    let by_hand = ByHand::new(&header);
    assert_eq!(by_hand.double(NONCE - 4800, 9600), Some(NONCE));
    table("A, double SHA-256 of a header", &|| by_hand.double(FROM, HASHES).is_some(), &|kernel| {
        search::<LittleEndian>(kernel, puzzle, target, FROM, HASHES)
    });

    let message: Vec<u8> =
        (1..=8_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_be_bytes()).chain([0; 8]).collect();
    let field = NonceField { offset: 32, format: NonceFormat::U64Be };
    let single = Puzzle::new(HashFunction::Sha256, &message, field).expect("40 bytes");
    let by_hand = ByHand::new(&[&[0; 64], &message[..]].concat());
    table("B, SHA-256 of 40 bytes", &|| by_hand.single(1 << 40, HASHES), &|kernel| {
        search::<BigEndian>(kernel, single, Target::from_zero_bits(64), 1 << 40, HASHES)
    });

    threads(&|| search::<LittleEndian>(Kernel::best(), puzzle, target, FROM, 8 * HASHES));
}

fn search<R: DigestOrder>(
    kernel: Kernel,
    puzzle: Puzzle,
    target: Target,
    from: u64,
    hashes: u32,
) -> Step {
    let last = from + u64::from(hashes) - 1;
    Miner::<R>::new(puzzle, target, from..=last).with_kernel(kernel).step(hashes)
}

/// Prints millions of hashes per second, and the ratio to the loop by hand.
fn table(title: &str, by_hand: &dyn Fn() -> bool, search: &dyn Fn(Kernel) -> Step) {
    let kernels: Vec<Kernel> = Kernel::available().collect();
    let mut hand = 0_f64;
    let mut ours = vec![0_f64; kernels.len()];
    for _ in 0..ROUNDS {
        hand = hand.max(rate(|| assert!(!black_box(by_hand()), "no nonce of this range counts")));
        for (best, kernel) in ours.iter_mut().zip(&kernels) {
            *best = best.max(rate(|| assert_eq!(black_box(search(*kernel)), Step::Exhausted)));
        }
    }
    println!("workload {title}");
    println!("  {hand:6.2} MH/s  1.00  compress256 of sha2 by hand");
    for (rate, kernel) in ours.iter().zip(&kernels) {
        let best = if *kernel == Kernel::best() { "  <- the default here" } else { "" };
        println!("  {rate:6.2} MH/s  {:.2}  {kernel}{best}", rate / hand);
    }
}

fn rate(run: impl Fn()) -> f64 {
    let start = cpu_seconds();
    run();
    f64::from(HASHES) / (cpu_seconds() - start) / 1e6
}

/// Returns the CPU time of this thread, where the system tells it, or else the time of day.
fn cpu_seconds() -> f64 {
    std::thread::yield_now(); // else the system tells what it was at the last tick
    thread_local!(static START: Instant = Instant::now());
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| START.with(|start| start.elapsed().as_secs_f64()), |ns| ns / 1e9)
}

fn threads(search: &(dyn Fn() -> Step + Sync)) {
    let seconds = |threads: u32| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| black_box(search()));
            }
        });
        start.elapsed().as_secs_f64()
    };
    let best = |threads| (0..ROUNDS).map(|_| seconds(threads)).fold(f64::INFINITY, f64::min);
    println!("two threads hash {:.2} times as fast as one", 2.0 * best(1) / best(2));
}

/// The usual miner: midstate, one block or two for each nonce, and a look at one word.
struct ByHand {
    midstate: [u32; 8],
    tail: [u8; 64],
}

impl ByHand {
    fn new(message: &[u8]) -> Self {
        let (first, rest) = message.split_at(64);
        let mut midstate = INITIAL;
        compress256(&mut midstate, &[first.try_into().expect("64 bytes")]);
        let mut tail = [0; 64];
        tail[..rest.len()].copy_from_slice(rest);
        tail[rest.len()] = 0x80;
        tail[56..].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
        Self { midstate, tail }
    }

    fn double(&self, from: u64, hashes: u32) -> Option<u64> {
        let mut tail = self.tail;
        let mut second = [0; 64];
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

    fn single(&self, from: u64, hashes: u32) -> bool {
        let mut tail = self.tail;
        (from..from + u64::from(hashes)).any(|nonce| {
            tail[32..40].copy_from_slice(&nonce.to_be_bytes());
            let mut state = self.midstate;
            compress256(&mut state, &[tail]);
            state[0] == 0 && state[1] == 0
        })
    }
}
