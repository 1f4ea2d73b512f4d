//! A pool of eight workers in static memory, as firmware has it. Built for a device this is a program without
//! `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::num::NonZeroU64;
use core::time::Duration;

use pow::pool::{
    AccountSlot, ConnSlot, Event, Job, LeaseSlot, Pool, PoolConfig, PoolSlots, Worker, WorkerId,
};
use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};

type Storage = PoolSlots<[LeaseSlot; 16], [ConnSlot; 8], [AccountSlot; 8], [u8; 32]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
pub const STORAGE: Storage = PoolSlots {
    leases: [LeaseSlot::EMPTY; 16],
    connections: [ConnSlot::EMPTY; 8],
    accounts: [AccountSlot::EMPTY; 8],
    message: [0; 32],
};

const CONFIG: PoolConfig =
    PoolConfig::new(NonZeroU64::MIN.saturating_add(4095), Duration::from_secs(60));

const JOB: Job<'_> = Job {
    function: HashFunction::Sha256,
    order: ByteOrder::Big,
    message: b"sensor ________",
    nonce: NonceField { offset: 7, format: NonceFormat::U64Be },
    target: Target::MAX,
    share: Target::MAX,
};

/// Runs a job with one worker in the same process, and returns its credit.
pub fn run(storage: &mut Storage) -> Option<u64> {
    let mut pool = Pool::new(CONFIG, storage).ok()?;
    let share = Target::from_zero_bits(7);
    let job = Job { target: Target::from_zero_bits(40), share, ..JOB };
    pool.set_job(Duration::ZERO, &job, 0..=9999).ok()?;
    pool.handle_connected(Duration::ZERO, ConnId(1), WorkerId(1)).ok()?;
    let mut worker = Worker::new();
    let mut buf = [0; 128];
    while pool.poll_event() != Some(Event::Exhausted) {
        while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
            worker.handle_bytes(buf.get(..transmit.len)?);
        }
        worker.step(64);
        while let Ok(Some(len)) = worker.poll_transmit(&mut buf) {
            pool.handle_bytes(Duration::ZERO, ConnId(1), buf.get(..len)?).ok()?;
        }
    }
    pool.accounts().next().map(|account| account.credit)
}

#[cfg(not(target_os = "none"))]
fn main() {
    let mut storage = STORAGE;
    println!("{:?} hashes credited in {} bytes", run(&mut storage), size_of::<Storage>());
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
        let mut storage = super::STORAGE;
        black_box(super::run(black_box(&mut storage)));
        loop {}
    }
}
