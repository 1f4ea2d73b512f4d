//! Rules over any history.

use pow::difficulty::{Asert, Difficulty, Fixed, HeaderInfo, Lwma, Recent};
use pow::{CompactTarget, Retarget, U256};
use sim::laws::Input;

use super::number::{big, saturated};

/// Whatever the headers: no panic, never above the limit, the same from a few headers as from all of them,
/// and never a step that the check for header sync refuses.
pub fn rules(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limit =
        [CompactTarget::BITCOIN_LIMIT, CompactTarget::REGTEST_LIMIT, CompactTarget(input.u32())]
            [input.below(3)];
    let flags = input.byte();
    let retarget = Retarget {
        limit,
        timespan: if flags & 1 == 0 { 6000 } else { input.u32() },
        spacing: if flags & 2 == 0 { 600 } else { input.u32() },
        minimum_difficulty: flags & 4 != 0,
        no_retargeting: flags & 8 != 0,
        bip94: flags & 16 != 0,
    };
    let asert = Asert {
        anchor_height: input.u64(),
        anchor_parent_time: input.u64() as i64,
        anchor_bits: CompactTarget(input.u32()),
        half_life: input.u32(),
        spacing: input.u32(),
        limit,
    };
    let spacing = if flags & 2 == 0 { 60 } else { input.u32() };
    let lwma = Lwma { window: u16::from(input.byte() % 12), spacing, limit };
    let past = history(&mut input, limit);
    check(&retarget, limit, 0, &past);
    check(&asert, limit, 0, &past);
    check(&lwma, limit, usize::from(lwma.window) + 1, &past);
    check(&Fixed(limit), limit, 0, &past);
    for pair in past.windows(2) {
        let _ = retarget.permits(pair[1].height, pair[0].bits, pair[1].bits);
        let actual = pair[1].time.saturating_sub(pair[0].time);
        if let Ok(new) = retarget.after(pair[0].bits, actual) {
            let first = u64::from(retarget.timespan.checked_div(retarget.spacing).unwrap_or(0));
            let shrinks = limit.decode().value < pair[0].bits.decode().value;
            // A quarter of a target of three or less is none, and no header may claim none.
            let none = new.to_target().is_err();
            assert!(first == 0 || shrinks || none || retarget.permits(first, pair[0].bits, new));
            assert_eq!(new, on_paper(&retarget, pair[0].bits.decode().value, actual));
        }
    }
    average_bounds(&lwma, limit, &past);
}

/// The new target by the arithmetic of the library.
fn on_paper(rule: &Retarget, old: U256, actual: i64) -> CompactTarget {
    let timespan = u64::from(rule.timespan);
    let actual = (actual.max(0) as u64).clamp(timespan / 4, timespan * 4);
    let new = if timespan == 0 { big(old) } else { big(old) * actual / timespan };
    CompactTarget::encode(saturated(&new).min(rule.limit.decode().value), false)
}

fn history(input: &mut Input<'_>, limit: CompactTarget) -> Vec<HeaderInfo> {
    let mut height = if input.byte().is_multiple_of(4) { input.u64() } else { 0 };
    let mut time = if input.byte().is_multiple_of(4) { input.u64() as i64 } else { 1_300_000_000 };
    let mut past = Vec::new();
    while !input.is_empty() && past.len() < 100 {
        let bits = match input.below(4) {
            0 => limit,
            1 => CompactTarget(input.u32()),
            _ => CompactTarget(0x1c00_8000 | u32::from(input.byte())),
        };
        past.push(HeaderInfo { height, time, bits });
        let Some(next) = height.checked_add(1) else { break };
        height = next;
        let step =
            if input.byte().is_multiple_of(16) { input.u64() as i64 } else { input.u16().into() };
        time = time.wrapping_add(step);
    }
    past
}

fn check(rule: &impl Difficulty, limit: CompactTarget, slots: usize, past: &[HeaderInfo]) {
    let mut recent = Recent::new(vec![HeaderInfo::EMPTY; slots]);
    for (n, parent) in past.iter().enumerate() {
        recent.push(rule, *parent);
        for late in [-1, 600, 1_000_000] {
            let time = parent.time.saturating_add(late);
            let _ = rule.earliest_time(parent);
            let required = rule.required(parent, time, &&past[..=n]);
            assert_eq!(required, rule.required(parent, time, &recent));
            if let (Ok(bits), Ok(limit)) = (required, limit.to_target())
                && bits != parent.bits
            {
                // What is not above the limit before does not rise above it; what a walk finds is old.
                let old = past[..n].iter().any(|past| past.bits == bits);
                assert!(old || bits.decode().value <= limit.number(), "{bits} above {limit}");
            }
        }
    }
}

/// The bound that a check during header sync can use: at most six times the average target.
fn average_bounds(lwma: &Lwma, limit: CompactTarget, past: &[HeaderInfo]) {
    let window = usize::from(lwma.window);
    let Some(parent) = past.last().filter(|_| window > 0 && past.len() > window) else { return };
    let Ok(bits) = lwma.required(parent, 0, &past) else { return };
    let greatest = past[past.len() - window..].iter().map(|past| past.bits.decode().value).max();
    let six = (0..6).fold(U256::ZERO, |sum, _| sum.saturating_add(greatest.expect("a window")));
    assert!(bits == limit || bits.decode().value <= six);
}
