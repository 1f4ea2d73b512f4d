//! An electricity meter that follows a chain of small blocks, of which it can take back one. Built for a device this is a
//! program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::convert::Infallible;
use core::time::Duration;

use ledger_core::ledger::Standard;
use ledger_core::node::{Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress};
use ledger_core::{
    Account, Ancestry, Block, Body, ChainSpec, Claim, ConnId, Engine, Hash, Header, JournalSlot,
    Refused, Rules, Slot, Weight,
};

const ENTRIES: usize = 8;
const WRITES: usize = 8; // a block
const BLOCK_LEN: usize = 1024;
const DEPTH: usize = 1; // blocks that can be taken back

type Storage = NodeSlots<
    [Slot; ENTRIES],
    [JournalSlot; (2 * DEPTH + 1) * (WRITES + 1)],
    [HeaderSlot; 2 * DEPTH + 4],
    [OrphanSlot; 1],
    [u8; BLOCK_LEN],
>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = NodeSlots {
    entries: [Slot::EMPTY; ENTRIES],
    journal: [JournalSlot::EMPTY; (2 * DEPTH + 1) * (WRITES + 1)],
    headers: [HeaderSlot::EMPTY; 2 * DEPTH + 4],
    orphans: [OrphanSlot::EMPTY; 1],
    block: [0; BLOCK_LEN],
};

/// Accepts every block. `pow` and `consensus` bring engines for work, stake and authority.
#[derive(Debug, Clone)]
struct Open;

impl Engine for Open {
    type Error = Infallible;

    fn digest(&self) -> Hash {
        Hash::of(b"open")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        _: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<Infallible>> {
        Ok(Weight(1))
    }
}

/// Follows `blocks` blocks, which it makes itself in place of the network. Returns the height of the chain.
fn follow(storage: &mut Storage, blocks: u64) -> Option<u64> {
    let mut rules = Rules::SMALL;
    rules.max_entries = 8;
    rules.max_writes = 8;
    rules.max_block_len = 1024;
    let spec = ChainSpec { name: "meter", rules, time: 0, allocation: &[] };
    let mut node = Node::new(&spec, NodeConfig::new(1, 7), Open, Standard, storage).ok()?;
    let mut received = [0; BLOCK_LEN];
    for second in 1..=blocks {
        let now = Duration::from_secs(second); // since the Unix epoch, from a clock of the device
        let body = Body::default();
        let header = node.propose(second, Account::default(), &body, Claim::NONE).ok()?;
        let len = Block::new(header, &[], body).ok()?.encode(&mut received).ok()?;
        node.handle_block(now, ConnId(0), received.get(..len)?).ok()?;
        loop {
            let progress = node.work(4);
            match node.poll_event() {
                Some(Event::Keep { id, .. }) => node.handle_saved(now, &id), // once it is in flash
                None if progress == Progress::Idle => break,
                _ => {} // `Need`: ask a peer for the block; nothing: read the meter, then go on
            }
        }
        if node.poll_timeout().is_some_and(|deadline| deadline <= now) {
            node.handle_timeout(now);
        } // else sleep until then, or until a block arrives
    }
    Some(node.tip().height.0)
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let height = follow(&mut STORED.lock().expect("not poisoned"), 5);
    println!("height {height:?} with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::follow(black_box(&mut storage), black_box(5)));
        loop {}
    }
}
