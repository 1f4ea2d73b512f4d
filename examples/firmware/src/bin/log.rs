//! Verifies that an entry is in a transparency log, by a checkpoint that two of three witnesses cosigned, on a
//! board with 16 KiB of memory. Its linker script gives static data 4 KiB and the stack the rest.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::cell::RefCell;

use cortex_m::interrupt::{self, Mutex};
use cortex_m_rt::entry;
use cortex_m_semihosting::hprintln;
use firmware::{Counter, exit};
use ledger_core::log::{Policy, ProofFile, VerifierKey};
use ledger_core::{Hash, MerkleTree};

const LOG: &str = "example.com/ledger+3481d542+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
const WITNESSES: [&str; 3] = [
    "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
    "witness.example/w2+bfff2874+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
    "witness.example/w3+82b2b688+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58",
];

/// What a radio would bring.
const FILE: &[u8] = include_bytes!("../../../../ledger-core/tests/data/made.tlog-proof");

/// The entry that the file proves.
const ENTRY: &[u8] = &[0x10];

/// What the device keeps beside the stack.
struct Memory {
    file: [u8; 2048],
    path: [Hash; 32], // enough for 2^32 entries
}

static MEMORY: Mutex<RefCell<Memory>> =
    Mutex::new(RefCell::new(Memory { file: [0; 2048], path: [Hash::ZERO; 32] }));

const _: () = assert!(size_of::<Memory>() < 4096);

#[entry]
fn main() -> ! {
    let Some(counter) = Counter::start() else { exit(false) };
    let (verified, refused) = interrupt::free(|token| {
        let memory = &mut *MEMORY.borrow(token).borrow_mut();
        let Some(file) = memory.file.get_mut(..FILE.len()) else { exit(false) };
        file.copy_from_slice(FILE);
        let mut verified = false;
        let instructions = counter.count(|| verified = is_logged(file, ENTRY, &mut memory.path));
        hprintln!("checkpoint, 2 of 3 witnesses, inclusion: {}", verified);
        hprintln!("it takes {} instructions; the file has {} bytes", instructions, file.len());
        let other = is_logged(file, b"another entry", &mut memory.path);
        let few = is_logged(with_one_witness(file), ENTRY, &mut memory.path);
        (verified, !other && !few)
    });
    hprintln!("another entry and a checkpoint with one witness are refused: {}", refused);
    exit(verified && refused)
}

/// Returns whether a proof file proves that the log has the entry.
fn is_logged(file: &[u8], entry: &[u8], path: &mut [Hash; 32]) -> bool {
    let Some((index, path)) = read_path(file, path) else { return false };
    let (Ok(log), [Ok(one), Ok(two), Ok(three)]) =
        (VerifierKey::parse(LOG), WITNESSES.map(VerifierKey::parse))
    else {
        return false;
    };
    let witnesses = [one, two, three];
    let Ok(policy) = Policy::new(log, &witnesses, 2) else { return false };
    let Ok(checkpoint) = policy.open(note(file)) else { return false };
    checkpoint.verify_inclusion(index, &MerkleTree::leaf(entry), path).is_ok()
}

/// Moves the path to where it takes no stack while signatures are checked.
#[inline(never)]
fn read_path<'p>(file: &[u8], path: &'p mut [Hash; 32]) -> Option<(u64, &'p [Hash])> {
    let proof = ProofFile::parse(file).ok()?;
    let path = path.get_mut(..proof.path().len())?;
    path.copy_from_slice(proof.path());
    Some((proof.index(), path))
}

/// Returns what follows the first empty line.
fn note(file: &[u8]) -> &[u8] {
    let end = file.windows(2).position(|two| two == b"\n\n");
    end.and_then(|end| file.get(end.saturating_add(2)..)).unwrap_or_default()
}

/// Returns the file without the last two cosignatures.
fn with_one_witness(file: &[u8]) -> &[u8] {
    let mut ends = file.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    let end = ends.nth(2).map_or(0, |(at, _)| at.saturating_add(1));
    file.get(..end).unwrap_or_default()
}
