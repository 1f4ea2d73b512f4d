//! Sixteen authorities and a detector in static memory, as firmware has them. Built for a device this is a
//! program without `std`; built for a desk it prints.
#![cfg_attr(target_os = "none", no_std, no_main)]

use consensus::clique::{CandidateSlot, Clique, CliqueSlots, RecentSlot, SignerSlot};
use consensus::{
    Authorities, AuthoritySlot, EquivocationDetector, SignedStatement, StatementSlot, ValidatorId,
};

const GENESIS: [u8; 32] = [1; 32];
const WINDOW: u64 = 4; // heights, whose contradictions are noticed

/// The authorities of a chain that vote on each other (EIP-225).
pub type Voting = Clique<CliqueSlots<[SignerSlot; 16], [RecentSlot; 9], [CandidateSlot; 16]>>;

// On 32 bits and on 64.
const _: () = assert!(size_of::<Authorities<[AuthoritySlot; 16]>>() < 2048);
const _: () = assert!(size_of::<Voting>() < 2048);

/// Checks blocks of a chain with known authors.
pub struct Checker {
    authorities: Authorities<[AuthoritySlot; 16]>,
    detector: EquivocationDetector<[StatementSlot; 8]>,
}

impl Default for Checker {
    fn default() -> Self {
        Self {
            authorities: Authorities::new([AuthoritySlot::EMPTY; 16]),
            detector: EquivocationDetector::new([StatementSlot::EMPTY; 8]),
        }
    }
}

impl Checker {
    /// Adds an authority and returns whether there was a slot.
    pub fn insert(&mut self, id: ValidatorId) -> bool {
        self.authorities.insert(id).is_ok()
    }

    /// Checks the statement of an author and returns the difficulty of the block. An author that contradicts
    /// itself is removed. `height` is that of the next block.
    pub fn check(&mut self, height: u64, signed: &SignedStatement) -> Option<u8> {
        self.detector.set_window(&GENESIS, height.saturating_sub(WINDOW)..=height);
        let height = signed.statement.slot;
        let turn = self.authorities.turn(&signed.author, height).ok()?;
        if let Some(evidence) = self.detector.observe(signed, |_| true).ok()? {
            let _ = self.authorities.remove(&evidence.offender());
            return None;
        }
        self.authorities.record_signature(&signed.author, height);
        Some(turn.difficulty())
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    use ed25519_dalek::{Signer, SigningKey};

    let key = SigningKey::from_bytes(&[7; 32]);
    let author = ValidatorId(key.verifying_key().to_bytes());
    let mut checker = Checker::default();
    assert!(checker.insert(author));
    for digest in [[0xAA; 32], [0xBB; 32]] {
        let statement = consensus::Statement::propose(GENESIS, 1, 0, digest);
        let signature = key.sign(&statement.to_bytes()).to_bytes();
        let signed = SignedStatement { statement, author, signature };
        println!("{signed}: {:?}", checker.check(1, &signed));
    }
    println!("{} bytes, and {} if authorities vote", size_of::<Checker>(), size_of::<Voting>());
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
        let mut checker = super::Checker::default();
        black_box(checker.insert(super::ValidatorId([7; 32])));
        let statement = consensus::Statement::propose(super::GENESIS, 1, 0, [0; 32]);
        let author = super::ValidatorId([7; 32]);
        let signed = super::SignedStatement { statement, author, signature: [0; 64] };
        black_box(checker.check(1, black_box(&signed)));
        loop {}
    }
}
