//! Finds the nonce of Bitcoin's genesis block again, and counts the instructions of a hash.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::hint::black_box;

use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use firmware::{Counter, exit};
use pow::{
    CompactTarget, HashFunction, Kernel, LittleEndian, Miner, NonceField, NonceFormat, Puzzle,
    Step, Target,
};

const NONCE: u64 = 2_083_236_893;
const BEFORE: u64 = 500; // hashes that find nothing
const HASHES: u32 = 1000;

/// Bitcoin's first header, without its nonce.
const HEADER: [u8; 80] = *b"\x01\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x3b\xa3\xed\xfd\x7a\x7b\x12\xb2\x7a\xc7\x2c\x3e\x67\x76\x8f\x61\
    \x7f\xc8\x1b\xc3\x88\x8a\x51\x32\x3a\x9f\xb8\xaa\x4b\x1e\x5e\x4a\
    \x29\xab\x5f\x49\xff\xff\x00\x1d\0\0\0\0";

#[entry]
fn main() -> ! {
    let Some(counter) = Counter::start() else { exit(false) };
    let field = NonceField { offset: 76, format: NonceFormat::U32Le };
    let (Ok(puzzle), Ok(target)) = (
        Puzzle::new(HashFunction::Sha256d, black_box(&HEADER), field),
        CompactTarget::BITCOIN_LIMIT.to_target(),
    ) else {
        exit(false)
    };
    let mut miner = search(puzzle, target, NONCE - BEFORE);
    let found = loop {
        match miner.step(100) {
            Step::Working => {}
            step => break step,
        }
    };
    let mut miner = black_box(search(puzzle, target, 0));
    let instructions = counter.count(|| {
        black_box(miner.step(HASHES));
    });
    // Nothing of 64 bits is printed: that divides, and the search must be seen not to.
    let found = found == Step::Found(NONCE);
    hprintln!("the nonce of the genesis block, {} hashes on: {}", BEFORE as u32, found);
    hprintln!("a miner has {} bytes", size_of::<Miner<LittleEndian>>());
    hprintln!("a hash of a header (double SHA-256) takes {} instructions", instructions / HASHES);
    exit(found && miner.tried() == u64::from(HASHES))
}

fn search(puzzle: Puzzle, target: Target, from: u64) -> Miner<LittleEndian> {
    Miner::new(puzzle, target, from..=u64::MAX).with_kernel(Kernel::BLOCK)
}
