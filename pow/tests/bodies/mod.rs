//! What must hold for any bytes; shared by the property tests, the replay of the corpus and the fuzz
//! targets.

mod chain;
mod difficulty;
mod pool;
mod stamp;

use pow::{
    BigEndian, CompactTarget, HashFunction, LittleEndian, Miner, NonceField, NonceFormat, Puzzle,
    Ratio, Reading, Step, Target, U256, Work,
};
use sim::laws::Input;

/// A function that must hold for any bytes.
pub type Body = fn(&[u8]);

/// All bodies by name.
pub const BODIES: &[(&str, Body)] = &[
    ("pow_compact", compact),
    ("pow_number", number),
    ("pow_miner", miner),
    ("pow_difficulty", difficulty::rules),
    ("pow_stamp", stamp::stamp),
    ("pow_ratio", ratio),
    ("pow_header", chain::header),
    ("pow_chain", chain::chain),
    ("pow_pool_message", pool::messages),
    ("pow_pool", pool::pool),
];

/// Every 32 bits are a target or a typed error, and encoding never makes a target easier.
pub fn compact(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let compact = CompactTarget(input.u32());
    let raw = compact.decode();
    match compact.to_target() {
        Ok(target) => {
            assert!(!raw.negative && !raw.overflow && raw.value == target.number());
            let again = target.to_compact().to_target().expect("it was a target");
            assert_eq!(again, target, "three bytes hold what three bytes held");
            assert!(target.work().hashes() >= U256::ONE);
        }
        Err(_) => assert!(raw.negative || raw.overflow || raw.value == U256::ZERO),
    }
    let value = U256::from_be_bytes(&input.array());
    let encoded = CompactTarget::encode(value, false);
    let cut = encoded.decode();
    assert!(!cut.negative && !cut.overflow && cut.value <= value);
    assert_eq!(CompactTarget::encode(cut.value, false), encoded);
}

/// 256-bit arithmetic agrees with 128-bit arithmetic where both apply, and with itself elsewhere.
pub fn number(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (a, b) = (U256::from_be_bytes(&input.array()), U256::from_be_bytes(&input.array()));
    let by = u32::from(input.u16() % 300);
    assert_eq!(U256::from_be_bytes(&a.to_be_bytes()), a);
    assert_eq!(a.cmp(&b), a.to_be_bytes().cmp(&b.to_be_bytes()));
    assert_eq!(a.unbounded_shl(by).unbounded_shr(by).unbounded_shl(by), a.unbounded_shl(by));
    assert_eq!(a.unbounded_shr(by).bits(), a.bits().saturating_sub(by));
    match a.checked_div(b) {
        None => assert_eq!(b, U256::ZERO),
        Some(quotient) => {
            // quotient * b <= a < (quotient + 1) * b, the products made by shifting and adding.
            let product = multiply(quotient, b).expect("it does not exceed a");
            assert!(product <= a);
            let beyond = quotient.saturating_add(U256::ONE);
            let product = multiply(beyond, b).filter(|_| beyond != quotient); // 2^256 does not fit
            assert!(product.is_none_or(|product| product > a));
        }
    }
    let (small_a, small_b) = (a.unbounded_shr(128), b.unbounded_shr(128));
    let (x, y) = (small_a.saturating_u128(), small_b.saturating_u128());
    assert_eq!(small_a.checked_div(small_b).map(U256::saturating_u128), x.checked_div(y));
    // The work of a target is 2^256 / (target + 1).
    let work = Target::new(a).work().hashes();
    if let Some(product) = multiply(work, a.saturating_add(U256::ONE)) {
        assert!(a == U256::MAX || product > U256::MAX.unbounded_shr(1));
    }
}

/// Ratios and expected times agree with 128-bit arithmetic where it applies, and never panic.
pub fn ratio(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let by = u32::from(input.byte());
    let (a, b) = (U256::from_be_bytes(&input.array()), U256::from_be_bytes(&input.array()));
    let rate = input.u64().unbounded_shr(by % 64);
    let time = Work::new(a.unbounded_shr(by)).expected_time(rate);
    assert!(rate != 0 || time == core::time::Duration::MAX);
    let small = a.unbounded_shr(192).saturating_u128();
    let nanoseconds = (small * 1_000_000_000).checked_div(u128::from(rate));
    let time = Work::new(a.unbounded_shr(192)).expected_time(rate);
    assert!(nanoseconds.is_none_or(|expected| time.as_nanos() == expected));
    let Some(ratio) = Ratio::new(a.unbounded_shr(by), b) else { return };
    let text = format!("{ratio:.9}");
    let (whole, _) = text.split_once('.').expect("nine decimals");
    assert!(
        ratio.floor().saturating_u128() == u128::MAX
            || whole == ratio.floor().saturating_u128().to_string()
    );
    let digits: String = text.chars().filter(|digit| *digit != '.').collect();
    let scaled = ratio.scaled(1_000_000_000);
    if scaled.bits() <= 127 {
        assert_eq!(digits.parse(), Ok(scaled.saturating_u128()), "{text}");
    }
    let product = multiply(a.unbounded_shr(by), U256::from(rate));
    let scaled = ratio.scaled(rate);
    assert!(product.is_none_or(|product| product.checked_div(b) == Some(scaled)));
}

/// Multiplies byte by byte, as on paper; `None` if the product exceeds 256 bits.
fn multiply(a: U256, b: U256) -> Option<U256> {
    let mut product = [0_u32; 64]; // least significant byte first
    for (i, x) in a.to_be_bytes().iter().rev().enumerate() {
        let mut carry = 0;
        for (j, y) in b.to_be_bytes().iter().rev().enumerate() {
            let sum = product[i + j] + u32::from(*x) * u32::from(*y) + carry;
            product[i + j] = sum % 256;
            carry = sum / 256;
        }
        product[i + 32] = carry;
    }
    let (low, high) = product.split_at(32);
    let mut bytes = [0; 32];
    for (byte, digit) in bytes.iter_mut().rev().zip(low) {
        *byte = *digit as u8;
    }
    high.iter().all(|digit| *digit == 0).then(|| U256::from_be_bytes(&bytes))
}

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

fn check_slices<R: Reading + core::fmt::Debug + PartialEq>(
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
