//! A miner in static memory, as firmware has it. Built for a device this is a program without `std`; built for
//! a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use pow::{HashFunction, Miner, NonceField, NonceFormat, Puzzle, Step, Target};

const FIELD: NonceField = NonceField { offset: 7, format: NonceFormat::U32Le };

/// Searches in slices that leave time for other work. No allocation, no panic path.
#[must_use]
pub fn search(message: &[u8]) -> Option<u64> {
    let puzzle = Puzzle::new(HashFunction::Sha256, message, FIELD).ok()?;
    let mut miner: Miner = Miner::new(puzzle, Target::from_zero_bits(12), 0..=u64::MAX);
    loop {
        match miner.step(64) {
            Step::Found(nonce) => return Some(nonce),
            Step::Exhausted => return None,
            Step::Working => {} // read the sensors
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("{:?} with {} bytes of state", search(b"sensor ____"), size_of::<Miner>());
}

#[cfg(target_os = "none")]
mod device {
    use core::hint::black_box;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        black_box(super::search(black_box(b"sensor ____")));
        loop {}
    }
}
