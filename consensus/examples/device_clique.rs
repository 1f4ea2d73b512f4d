//! A relay station that checks whose turn it is among up to eight authorities that vote on each other (EIP-225). Built for a
//! device this is a program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use consensus::ValidatorId;
use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueHead, CliqueSlots, CliqueVote,
    RecentSlot, SignerSlot,
};

type Storage = CliqueSlots<[SignerSlot; 8], [RecentSlot; 5], [CandidateSlot; 8]>;

/// Lies in a `static` if the program has a way to hand out `&mut`, such as a cell of its runtime.
const STORAGE: Storage = CliqueSlots {
    signers: [SignerSlot::EMPTY; 8],
    recents: [RecentSlot::EMPTY; 5],
    votes: [CandidateSlot::EMPTY; 8],
};

const ANN: ValidatorId = ValidatorId([1; 32]);
const BEN: ValidatorId = ValidatorId([2; 32]);

/// Ann adds Ben, then both sign in turns.
const BLOCKS: [CliqueBlock; 3] = [
    CliqueBlock { number: 1, signer: ANN, vote: Some(CliqueVote { target: BEN, authorize: true }) },
    CliqueBlock { number: 2, signer: BEN, vote: None },
    CliqueBlock { number: 3, signer: ANN, vote: None },
];

/// Follows a chain whose signatures are checked. Returns its total difficulty and how it compares with others.
fn follow(storage: &mut Storage, blocks: &[CliqueBlock]) -> Option<(u64, CliqueHead)> {
    let mut clique = Clique::new(CliqueConfig::new(), &[ANN], storage).ok()?;
    let mut total = 0_u64;
    let mut head = None;
    for block in blocks {
        let turn = clique.check(block).ok()?; // refused: the signer's fault
        total = total.saturating_add(u64::from(turn.difficulty()));
        head = clique.head(&block.signer, total, [0; 32]); // the hash of the block
        clique.apply(block).ok()?;
    }
    Some((total, head?))
}

#[cfg(not(target_os = "none"))]
fn main() {
    static STORED: std::sync::Mutex<Storage> = std::sync::Mutex::new(STORAGE);
    let followed = follow(&mut STORED.lock().expect("not poisoned"), &BLOCKS);
    let total = followed.map(|(total, _)| total);
    println!("total difficulty {total:?} with {} bytes of storage", size_of::<Storage>());
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
        black_box(super::follow(black_box(&mut storage), black_box(&super::BLOCKS)));
        loop {}
    }
}
