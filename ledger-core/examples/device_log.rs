//! A device that follows a log: its newest checkpoint lies in a `static`, and an update is installed only if the log
//! has it and two of three witnesses saw that checkpoint. Compiled for a microcontroller in CI, and run here.
//!
//! `cargo run -p ledger-core --example device_log`
#![cfg_attr(target_os = "none", no_std, no_main)]

use ledger_core::log::{FollowError, Follower, KeyError, Policy, VerifiedCheckpoint, VerifierKey};
use ledger_core::{Hash, MerkleTree};

/// A checkpoint with a log's signature and those of some witnesses.
pub type Memory = [u8; 1024];

/// All zero bytes, so that a `static` of it lies in `.bss`.
pub const MEMORY: Memory = [0; 1024];

/// A proof for any log of up to 2^32 entries.
pub type Path = [Hash; 32];

const _: () = assert!(size_of::<Follower<'_, Memory>>() + size_of::<Path>() < 4096);

/// Continues from the checkpoint that was saved; from nothing on the first start.
///
/// # Errors
///
/// [`FollowError`] if the saved checkpoint was damaged.
pub fn start<'k, S: AsRef<[u8]> + AsMut<[u8]>>(
    policy: Policy<'k>,
    saved: Option<&[u8]>,
    memory: S,
) -> Result<Follower<'k, S>, FollowError> {
    match saved {
        Some(note) => Follower::resume(policy, memory, note),
        None => Ok(Follower::new(policy, memory)),
    }
}

/// Returns whether an update may be installed.
#[must_use]
pub fn is_logged(
    checkpoint: &VerifiedCheckpoint<'_>,
    index: u64,
    update: &[u8],
    path: &[Hash],
) -> bool {
    checkpoint.verify_inclusion(index, &MerkleTree::leaf(update), path).is_ok()
}

/// Returns the keys of a log and its three witnesses.
///
/// # Errors
///
/// [`KeyError`] names the part of a key that is wrong.
pub fn keys() -> Result<(VerifierKey<'static>, [VerifierKey<'static>; 3]), KeyError> {
    let log = "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    let witnesses = [
        VerifierKey::parse(
            "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
        )?,
        VerifierKey::parse(
            "witness.example/w2+bfff2874+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
        )?,
        VerifierKey::parse(
            "witness.example/w3+82b2b688+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58",
        )?,
    ];
    Ok((VerifierKey::parse(log)?, witnesses))
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
        let mut memory = super::MEMORY;
        if let Ok((log, witnesses)) = super::keys()
            && let Ok(policy) = super::Policy::new(log, &witnesses, 2)
            && let Ok(mut follower) = super::start(policy, None, &mut memory[..])
        {
            let received: &[u8] = black_box(&[]);
            black_box(follower.update(received, None).is_ok());
            if let Some(checkpoint) = follower.checkpoint() {
                black_box(super::is_logged(&checkpoint, 0, received, &[]));
            }
        }
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() -> Result<(), Box<dyn core::error::Error>> {
    use ledger_core::log::ProofFile;
    use std::sync::Mutex;

    static RECEIVED: &[u8] = include_bytes!("../tests/data/made.tlog-proof");
    static STORAGE: Mutex<Memory> = Mutex::new(MEMORY);

    let (log, witnesses) = keys()?;
    let policy = Policy::new(log, &witnesses, 2)?;
    let proof = ProofFile::parse(RECEIVED)?;
    let note = RECEIVED.windows(2).position(|two| two == b"\n\n").map_or(0, |end| end + 2);

    let mut storage = STORAGE.lock().expect("nobody else has it");
    let mut follower = start(policy, None, &mut storage[..])?;
    let update = follower.update(&RECEIVED[note..], None)?;
    let checkpoint = follower.checkpoint().ok_or("no checkpoint")?;
    println!(
        "{update:?}: {} entries, {} witnesses",
        follower.head().size,
        checkpoint.cosignatures()
    );
    for update in [[0x10], [0x11]] {
        let logged = is_logged(&checkpoint, proof.index(), &update, proof.path());
        println!("update {update:02x?}: {}", if logged { "install" } else { "refuse" });
    }
    Ok(())
}
