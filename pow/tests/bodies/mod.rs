//! What must hold for any bytes; shared by the property tests, the replay of the corpus and the fuzz
//! targets.

mod chain;
mod difficulty;
pub mod number;
mod pool;
mod stamp;

use pow::{
    BigEndian, DigestOrder, HashFunction, LittleEndian, Miner, NonceField, NonceFormat, Puzzle,
    Step, Target,
};
use sim::laws::Input;

/// A function that must hold for any bytes.
pub type Body = fn(&[u8]);

/// All bodies by name.
pub const BODIES: &[(&str, Body)] = &[
    ("pow_compact", number::compact),
    ("pow_number", number::number),
    ("pow_miner", miner),
    ("pow_difficulty", difficulty::rules),
    ("pow_stamp", stamp::stamp),
    ("pow_ratio", number::ratio),
    ("pow_header", chain::header),
    ("pow_chain", chain::chain),
    ("pow_pool_message", pool::messages),
    ("pow_pool", pool::pool),
];

/// Whatever the slices, the search finds the same nonces as one that hashes each by itself.
pub fn miner(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let formats = [NonceFormat::U32Le, NonceFormat::U32Be, NonceFormat::U64Le, NonceFormat::U64Be];
    let format = formats[input.below(4)];
    let function = [HashFunction::Sha256, HashFunction::Sha256d][input.below(2)];
    let target = Target::from_zero_bits(u32::from(input.byte() % 6));
    let first = match input.below(3) {
        0 => 0,
        1 => format.max() - u64::from(input.byte() % 64),
        _ => input.u64(),
    };
    let last = first.saturating_add(u64::from(input.byte() % 64));
    let offset = usize::from(input.byte());
    let len = usize::from(input.byte());
    let message: Vec<u8> = input.clone().bytes(len).iter().copied().cycle().take(len).collect();
    let Ok(puzzle) = Puzzle::new(function, &message, NonceField { offset, format }) else { return };
    check_slices::<BigEndian>(puzzle, target, first, last, &mut input);
    check_slices::<LittleEndian>(puzzle, target, first, last, &mut input);
}

fn check_slices<R: DigestOrder + core::fmt::Debug + PartialEq>(
    puzzle: Puzzle,
    target: Target,
    first: u64,
    last: u64,
    input: &mut Input<'_>,
) {
    let last_possible = last.min(puzzle.format().max());
    let counts = |nonce: &u64| target.is_met_by::<R>(&puzzle.digest(*nonce));
    let expected: Vec<u64> = (first..=last_possible).filter(counts).collect();
    let mut miner = Miner::<R>::new(puzzle, target, first..=last);
    let mut found = Vec::new();
    loop {
        let before = miner;
        let _ = miner.step(0);
        assert_eq!(miner, before, "a step of 0 changes nothing");
        match miner.step(u32::from(input.byte() % 9) + 1) {
            Step::Found(nonce) => found.push(nonce),
            Step::Working => assert!(miner.remaining().is_some()),
            Step::Exhausted => break,
        }
    }
    assert_eq!(found, expected);
    assert_eq!(miner.tried(), (first..=last_possible).count() as u64);
    assert_eq!(miner.remaining(), None);
}
