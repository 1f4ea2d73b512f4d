//! Difficulty and expected time.

mod table;

use core::time::Duration;

use pow::{CompactTarget, Ratio, Target, U256, Work};
use table::compact;

/// Source: the page "Difficulty" of the Bitcoin wiki (16307.420938523983, the row with all its decimals
/// recomputed by decimal arithmetic), and block explorers' figures of the
/// blocks 100,000 and 125,552.
#[test]
fn difficulties_as_they_are_usually_written() {
    let one = CompactTarget::BITCOIN_LIMIT.to_target().expect("a target");
    let difficulty =
        |bits| compact(bits).to_target().expect("a target").difficulty(one).expect("not 0");
    assert_eq!(format!("{:.3}", difficulty("1d00ffff")), "1.000");
    assert_eq!(format!("{:.24}", difficulty("1b0404cb")), "16307.420938523983278341199296");
    assert_eq!(difficulty("1b04864c").to_string(), "14484.16236122");
    assert_eq!(format!("{:.2}", difficulty("1a44b9f2")), "244112.48");
    assert_eq!(format!("{:.0}", difficulty("1b0404cb")), "16307");
    assert_eq!(difficulty("1b0404cb").floor(), U256::from(16307));
    assert_eq!(difficulty("1b0404cb").scaled(1000), U256::from(16_307_420));
    assert_eq!(format!("{:.10}", difficulty("207fffff")), "0.0000000004", "easier than 1");
    assert_eq!(Target::new(U256::ZERO).difficulty(one), None);
    let greatest = Ratio::new(U256::MAX, U256::ONE).expect("not 0");
    assert_eq!(
        format!("{greatest:.1}"),
        "115792089237316195423570985008687907853269984665640564039457584007913129639935.0"
    );
    assert_eq!(greatest.scaled(2), U256::MAX);
    // The numerator times the scale needs 320 bits here, and the ratio does not.
    let near_one = Ratio::new(U256::MAX, Target::from_zero_bits(1).number()).expect("not 0");
    assert_eq!(near_one.scaled(1_000_000), U256::from(2_000_000));
    let below = Ratio::new(Target::from_zero_bits(1).number(), U256::MAX).expect("not 0");
    assert_eq!(below.scaled(u64::MAX), U256::from(u64::MAX / 2));
    assert_eq!(format!("{below:.5}"), "0.49999");
}

#[test]
fn the_expected_time_is_work_over_rate_at_any_size() {
    let work = |hashes: u64| Work::new(U256::from(hashes));
    assert_eq!(work(3_000_000).expected_time(2_000_000), Duration::from_millis(1500));
    assert_eq!(work(1).expected_time(3), Duration::from_nanos(333_333_333));
    assert_eq!(work(u64::MAX).expected_time(u64::MAX), Duration::from_secs(1));
    assert_eq!(work(u64::MAX - 1).expected_time(u64::MAX), Duration::from_nanos(999_999_999));
    assert_eq!(work(u64::MAX).expected_time(1), Duration::from_secs(u64::MAX));
    assert_eq!(Work::new(U256::MAX).expected_time(u64::MAX), Duration::MAX);
    assert_eq!(work(5).expected_time(0), Duration::MAX);
    assert_eq!(Work::ZERO.expected_time(1), Duration::ZERO);
    // Difficulty 1 takes 2^32 hashes: a bit more than seven minutes at ten million a second.
    let one = CompactTarget::BITCOIN_LIMIT.to_target().expect("a target").work();
    assert_eq!(one.expected_time(10_000_000).as_secs(), 429);
}
