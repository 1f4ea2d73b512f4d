//! What the programs for the board share: a count of instructions, and the end.
#![no_std]
#![forbid(unsafe_code)]

use core::panic::PanicInfo;

use cortex_m::Peripherals;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;

const RELOAD: u32 = 0x00ff_ffff; // the timer counts down 24 bits
const ROUNDS: u32 = 1_000_000; // of the loop that calibrates, of two instructions each

/// Counts instructions by the timer of the processor, where the emulator lets it run with them
/// (`-icount shift=0`).
pub struct Counter {
    instructions_per_tick: u32,
}

impl Counter {
    /// Starts the timer and finds out how fast it runs. `None` if somebody else has it.
    #[must_use]
    pub fn start() -> Option<Self> {
        let mut timer = Peripherals::take()?.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        let ticks = ticks(|| cortex_m::asm::delay(ROUNDS));
        Some(Self { instructions_per_tick: (2 * ROUNDS).checked_div(ticks)? })
    }

    /// Returns how many instructions `work` took, which must be fewer than some hundred million.
    pub fn count(&self, work: impl FnOnce()) -> u32 {
        ticks(work).saturating_mul(self.instructions_per_tick)
    }
}

fn ticks(work: impl FnOnce()) -> u32 {
    let before = SYST::get_current();
    work();
    before.wrapping_sub(SYST::get_current()) & RELOAD
}

/// Tells the emulator whether all went well; does not return there.
pub fn exit(well: bool) -> ! {
    debug::exit(if well { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(false)
}
