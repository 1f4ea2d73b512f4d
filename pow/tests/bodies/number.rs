//! 256-bit arithmetic against a big-integer library that somebody else wrote.

use num_bigint::BigUint;
use pow::{CompactTarget, Ratio, Target, U256, Work};
use sim::laws::Input;

/// Every operation gives what the library gives, cut to 256 bits where that is documented.
pub fn number(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    // Shifted, so that small numbers and pairs of very different lengths occur.
    let [a_by, b_by] = [input.u16(), input.u16()].map(|by| u32::from(by % 257));
    let a = U256::from_be_bytes(&input.array()).unbounded_shr(a_by);
    let b = U256::from_be_bytes(&input.array()).unbounded_shr(b_by);
    let big_a = big(a);
    let big_b = big(b);
    let by = u32::from(input.u16() % 300);
    assert_eq!(U256::from_be_bytes(&a.to_be_bytes()), a);
    let mut reversed = a.to_be_bytes();
    reversed.reverse();
    assert_eq!(U256::from_le_bytes(&reversed), a);
    assert_eq!(a.cmp(&b), big_a.cmp(&big_b));
    assert_eq!(u64::from(a.bits()), big_a.bits());
    assert_eq!(a.to_string(), big_a.to_str_radix(16));
    assert_eq!(U256::from(u64::from(by)), cut(&BigUint::from(by)));
    assert_eq!(a.unbounded_shl(by), cut(&(&big_a << by)));
    assert_eq!(a.unbounded_shr(by), cut(&(&big_a >> by)));
    assert_eq!(a.saturating_add(b), saturated(&(&big_a + &big_b)));
    assert_eq!(a.saturating_u128(), u128::try_from(&big_a).unwrap_or(u128::MAX));
    assert_eq!(a.checked_div(b), (b != U256::ZERO).then(|| cut(&(&big_a / &big_b))));
    // The work of a target is 2^256 / (target + 1), and that of 0 is none.
    let quotient = (BigUint::from(1_u32) << 256_u32) / (&big_a + 1_u32);
    let work = if a == U256::ZERO { U256::ZERO } else { saturated(&quotient) };
    assert_eq!(Target::new(a).work().hashes(), work);
}

/// Every 32 bits say the number that the library makes of them, and encoding keeps its upper bytes.
pub fn compact(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let compact = CompactTarget(input.u32());
    let raw = compact.decode();
    let mantissa = BigUint::from(compact.0 & 0x007f_ffff);
    let size = compact.0 >> 24;
    let up = size.saturating_sub(3) * 8;
    let down = 3_u32.saturating_sub(size) * 8;
    let value = (mantissa << up) >> down;
    assert_eq!(raw.value, cut(&value));
    assert_eq!(raw.overflow, value.bits() > 256);
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
    let kept = encoded.decode();
    assert!(!kept.negative && !kept.overflow && kept.value <= value);
    assert!(big(value) - big(kept.value) < unit(value), "{kept:?} of {value}");
    assert_eq!(CompactTarget::encode(kept.value, false), encoded);
}

/// Returns one unit of the third byte, where the first may hold seven bits only.
fn unit(value: U256) -> BigUint {
    BigUint::from(1_u32) << value.bits().saturating_sub(15)
}

/// Ratios and expected times are those of the library.
pub fn ratio(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let by = u32::from(input.byte());
    let a = U256::from_be_bytes(&input.array()).unbounded_shr(by);
    let b = U256::from_be_bytes(&input.array());
    let rate = input.u64().unbounded_shr(by % 64);
    let time = Work::new(a).expected_time(rate).as_nanos();
    if rate == 0 {
        assert_eq!(time, core::time::Duration::MAX.as_nanos());
    } else {
        let nanoseconds = u128::try_from(big(a) * 1_000_000_000_u32 / rate).unwrap_or(u128::MAX);
        assert_eq!(time, nanoseconds.min(core::time::Duration::MAX.as_nanos()));
    }
    let Some(ratio) = Ratio::new(a, b) else { return };
    assert_eq!(ratio.floor(), cut(&(big(a) / big(b))));
    assert_eq!(ratio.scaled(rate), saturated(&(big(a) * rate / big(b))));
    if a.saturating_u128() < u128::MAX {
        let digits = format!("{:0>10}", (big(a) * 1_000_000_000_u32 / big(b)).to_string());
        let (whole, decimals) = digits.split_at(digits.len() - 9);
        assert_eq!(format!("{ratio:.9}"), format!("{whole}.{decimals}"));
    }
}

/// Returns the number as the library has it.
pub(super) fn big(number: U256) -> BigUint {
    BigUint::from_bytes_be(&number.to_be_bytes())
}

/// Returns the low 256 bits.
fn cut(number: &BigUint) -> U256 {
    let mut bytes = [0; 32];
    for (byte, digit) in bytes.iter_mut().rev().zip(number.to_bytes_le()) {
        *byte = digit;
    }
    U256::from_be_bytes(&bytes)
}

/// Returns the number, or the greatest one if it has more than 256 bits.
pub(super) fn saturated(number: &BigUint) -> U256 {
    if number.bits() > 256 { U256::MAX } else { cut(number) }
}
