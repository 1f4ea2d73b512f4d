//! Difficulty rules: published rows, and a scenario for each special case.

mod table;

use pow::difficulty::{
    Asert, Difficulty, DifficultyError, Fixed, HeaderInfo, History, Lwma, Recent,
};
use pow::{CompactTarget, Retarget};
use table::{compact, public_file, rows};

const LIMIT: CompactTarget = CompactTarget::BITCOIN_LIMIT;
const HARD: CompactTarget = CompactTarget(0x1b04_864c);

fn seconds(text: &str) -> i64 {
    text.parse().expect("a decimal number")
}

/// Only the first header of the period and the last one are known.
struct Ends(HeaderInfo, HeaderInfo);

impl History for Ends {
    fn at(&self, height: u64) -> Option<HeaderInfo> {
        [self.0, self.1].into_iter().find(|past| past.height == height)
    }
}

#[test]
fn retargets_of_the_real_chain_and_of_bitcoin_cores_tests() {
    let table = include_str!("data/retarget.toml");
    let singles = rows(table, "row");
    let intervals = rows(table, "interval");
    assert_eq!((singles.len(), intervals.len()), (7, 2));
    for row in singles.iter().chain(&intervals) {
        let column = |key| row(key).expect("a column");
        let old = compact(column("old_bits"));
        let new = compact(column("new_bits"));
        let height = row("height").or(row("new")).expect("a column");
        let height: u64 = height.trim_start_matches("signet ").parse().expect("a height");
        let limit = row("limit").map_or(LIMIT, compact);
        let rule = Retarget { limit, ..Retarget::MAINNET };
        let first =
            HeaderInfo { height: height - 2016, time: seconds(column("first_time")), bits: old };
        let last = HeaderInfo { height: height - 1, time: seconds(column("last_time")), bits: old };
        assert_eq!(rule.required(&last, 0, &Ends(first, last)), Ok(new), "{height}");
        assert!(rule.permits(height, old, new));
        assert!(old == new || !rule.permits(height + 1, old, new));
        // In the middle of a period nothing changes, and nothing is looked up.
        let middle = HeaderInfo { height: height - 2, ..last };
        assert_eq!(rule.required(&middle, i64::MAX, &Ends(last, last)), Ok(old));
    }
    // The factor of 4 as headers round it: the clamped rows are the ends of what is permitted.
    let rule = Retarget::MAINNET;
    for (old, end, beyond) in [
        (0x1c05_a3f4, 0x1c01_68fd, 0x1c01_68fc), // Core's row for the lower clamp
        (0x1c38_7f6f, 0x1d00_e1fd, 0x1d00_e1fe), // and for the upper one
    ] {
        let [old, end, beyond] = [old, end, beyond].map(CompactTarget);
        assert!(rule.permits(4032, old, end) && !rule.permits(4032, old, beyond));
    }
    assert!(!rule.permits(4032, HARD, CompactTarget(0)) && !rule.permits(4032, LIMIT, HARD));
    assert!(Retarget::TESTNET3.permits(5, LIMIT, HARD));
}

/// 2^255 times four weeks needs 278 bits; cut to 256, the target would become far harder.
#[test]
fn regtests_limit_does_not_wrap() {
    let rule = Retarget { no_retargeting: false, ..Retarget::REGTEST };
    let limit = CompactTarget::REGTEST_LIMIT;
    assert_eq!(rule.after(limit, 1_209_600), Ok(limit));
    assert_eq!(rule.after(limit, i64::MAX), Ok(limit));
    assert_eq!(rule.after(limit, 604_800), Ok(CompactTarget(0x203f_ffff)));
    assert_eq!(rule.after(limit, i64::MIN), Ok(CompactTarget(0x201f_ffff)));
    assert!(rule.after(CompactTarget(0x0180_3456), 0).is_err());
}

#[test]
fn without_retargeting_only_the_boundary_is_skipped() {
    let rule = Retarget::REGTEST;
    let parent = HeaderInfo { height: 2015, time: 1000, bits: HARD };
    let none: &[HeaderInfo] = &[];
    assert_eq!(rule.required(&parent, 0, &none), Ok(HARD));
    // The rule of minimum difficulty goes on in the middle of a period (btclib pull request 1604).
    let parent = HeaderInfo { height: 2014, ..parent };
    assert_eq!(rule.required(&parent, 2201, &none), Ok(CompactTarget::REGTEST_LIMIT));
}

/// Heights 2016 to 2020 of a test network: one regular header, then late ones.
#[test]
fn minimum_difficulty_after_twenty_minutes_and_the_walk_back() {
    let at = |height, bits| HeaderInfo { height, time: 1_000_000, bits };
    let other = CompactTarget(0x1b01_0000);
    let past = [at(2016, HARD), at(2017, other), at(2018, LIMIT), at(2019, LIMIT)];
    let rule = Retarget::TESTNET3;
    let required =
        |parent: &HeaderInfo, late: i64| rule.required(parent, 1_000_000 + late, &&past[..]);
    assert_eq!(required(&past[3], 1201), Ok(LIMIT), "twenty minutes are over");
    assert_eq!(required(&past[3], 1200), Ok(other), "they are not: back over both late ones");
    assert_eq!(required(&past[1], 1200), Ok(other));
    assert_eq!(required(&past[0], 0), Ok(HARD));
    // The walk does not leave the period, even if its first header is at minimum difficulty itself.
    let reset = [at(2015, HARD), at(2016, LIMIT), at(2017, LIMIT)];
    assert_eq!(rule.required(&reset[2], 0, &&reset[..]), Ok(LIMIT));
    let lost = rule.required(&past[3], 0, &&past[2..]);
    assert_eq!(lost, Err(DifficultyError::Missing(2018)));
    // The main network has no such rule.
    assert_eq!(Retarget::MAINNET.required(&past[1], i64::MAX, &&past[..]), Ok(other));
}

#[test]
fn bip_94_starts_from_the_first_header_of_the_period() {
    let first = HeaderInfo { height: 2016, time: 1_000_000, bits: HARD };
    let last = HeaderInfo { height: 4031, time: 1_000_000 + 604_800, bits: LIMIT };
    let halved = |bits| Retarget::MAINNET.after(bits, 604_800).expect("a target");
    let ends = Ends(first, last);
    assert_eq!(Retarget::TESTNET3.required(&last, 0, &ends), Ok(halved(LIMIT)));
    assert_eq!(Retarget::TESTNET4.required(&last, 0, &ends), Ok(halved(HARD)));
    assert_eq!(Retarget::TESTNET4.earliest_time(&last), Some(last.time - 600));
    assert_eq!(Retarget::TESTNET4.earliest_time(&first), None);
    assert_eq!(Retarget::TESTNET3.earliest_time(&last), None);
}

/// A chain of three periods with late headers: no slot at all answers as the whole chain does.
#[test]
fn two_headers_suffice_for_every_retarget() {
    for rule in [Retarget::MAINNET, Retarget::TESTNET3, Retarget::TESTNET4] {
        let mut recent = Recent::new([]);
        let mut past = vec![HeaderInfo { height: 0, time: 0, bits: HARD }];
        for height in 1..6100 {
            let parent = past[past.len() - 1];
            recent.push(&rule, parent);
            let time = parent.time + if height % 7 < 2 { 1300 } else { 400 };
            let bits = rule.required(&parent, time, &&past[..]).expect("all is kept");
            assert_eq!(rule.required(&parent, time, &recent), Ok(bits), "{height}");
            past.push(HeaderInfo { height, time, bits });
        }
        assert_eq!(recent.newest(), Some(past[past.len() - 2]));
        let targets: Vec<_> = (2016..6100).step_by(2016).map(|at| past[at].bits).collect();
        assert!(targets.iter().all(|bits| *bits != HARD), "{targets:?}");
    }
}

#[test]
fn a_ring_keeps_what_it_has_slots_for() {
    let rule = Fixed(HARD);
    let mut recent = Recent::new([HeaderInfo::EMPTY; 3]);
    assert_eq!(recent.at(0), None);
    for height in 10..20 {
        recent.push(&rule, HeaderInfo { height, time: 0, bits: HARD });
        let kept: Vec<u64> = (0..30).filter(|at| recent.at(*at).is_some()).collect();
        assert_eq!(kept, ((height - 2).max(10)..=height).collect::<Vec<_>>());
        assert!(kept.iter().all(|at| recent.at(*at).expect("kept").height == *at));
    }
    recent.push(&rule, HeaderInfo { height: 5, time: 0, bits: HARD }); // not the next one
    assert_eq!((recent.at(5).is_some(), recent.at(19), recent.at(4)), (true, None, None));
}

#[test]
#[ignore = "needs VECTORS_DIR"]
fn published_runs_of_asert() {
    let mut checked = 0;
    for run in ["01", "02", "03", "04", "06", "07", "10"] {
        let text = public_file(&format!("pow/asert/run{run}.txt"));
        let named = |name: &str| {
            let line = text.lines().find_map(|line| line.split_once(name));
            line.expect("a heading").1.trim()
        };
        let bits = compact(named("anchor nBits:").trim_start_matches("0x"));
        let height = named("anchor height:").parse().expect("a height");
        let rule = Asert::new(height, seconds(named("anchor ancestor time:")), bits);
        for row in text.lines().filter(|line| !line.starts_with('#')) {
            let [_, height, time, bits] = row.split(' ').collect::<Vec<_>>()[..] else {
                panic!("four columns: {row}");
            };
            assert_eq!(asert(&rule, height.parse().expect("a height"), seconds(time)), {
                compact(bits.trim_start_matches("0x"))
            });
            checked += 1;
        }
    }
    assert_eq!(checked, 2265);
}

fn asert(rule: &Asert, height: u64, time: i64) -> CompactTarget {
    let parent = HeaderInfo { height, time, bits: CompactTarget(0) };
    let none: &[HeaderInfo] = &[];
    rule.required(&parent, 0, &none).expect("a target")
}

/// Source: the specification of aserti3-2d and its runs 4, 6 and 10, some rows.
#[test]
fn rows_and_extremes_of_asert() {
    let rule = |bits| Asert::new(1, 0, CompactTarget(bits));
    for (bits, height, time, expected) in [
        (0x1d00_ffff, 2, 1200, 0x1d00_ffff),
        (0x0101_0000, 2, 174_000, 0x0102_0000),
        (0x0101_0000, 226, 39_015_600, 0x1d00_ffff),
        (0x1802_aee8, 3, 1310, 0x1802_ad91),
        (0x1802_aee8, 1001, 589_738, 0x1802_91ad),
        (0x1802_aee8, 1, i64::MAX, 0x1d00_ffff), // as late as can be: the limit
        (0x1802_aee8, 1, i64::MIN, 0x0101_0000), // as early: 1
        (0x1802_aee8, u64::MAX, i64::MIN, 0x0101_0000),
        (0x1d00_ffff, u64::MAX, 0, 0x0101_0000),
    ] {
        assert_eq!(asert(&rule(bits), height, time), CompactTarget(expected), "{height} {time}");
    }
    let far = Asert::new(9_223_372_036_854_775_802, 2_147_483_047, CompactTarget(0x1802_aee8));
    assert_eq!(asert(&far, 9_223_372_036_854_775_812, 2_147_492_647).0, 0x1802_b73d);
    // With the limit of a regression test network the product needs more than 256 bits.
    let limit = CompactTarget::REGTEST_LIMIT;
    let wide = Asert { limit, ..rule(limit.0) };
    assert_eq!(asert(&wide, 2, 1200), limit);
    assert_eq!(asert(&wide, 2, 174_000), limit, "twice the limit is the limit");
    assert_eq!(asert(&wide, 2, 1200 - 172_800), CompactTarget(0x203f_ffff), "half of it");
    let sick = Asert { half_life: 0, spacing: u32::MAX, anchor_height: u64::MAX, ..wide };
    assert_eq!(asert(&sick, 0, i64::MAX), limit);
}

/// No official vectors are known: the formulas of zawy12's text, worked out by hand.
#[test]
fn lwma_follows_the_solve_times() {
    let rule = Lwma { window: 60, spacing: 600, limit: LIMIT };
    let bits = CompactTarget(0x1c10_0000);
    let chain = |len: u64, step: i64| -> Vec<HeaderInfo> {
        (0..len)
            .map(|n| HeaderInfo { height: n, time: 1_000_000 + step * n as i64, bits })
            .collect()
    };
    let next = |past: &[HeaderInfo]| rule.required(&past[past.len() - 1], 0, &past);
    assert_eq!(next(&chain(60, 600)), Ok(LIMIT), "fewer than the window and one more");
    // Equal times keep the target, but for two divisions that round down and the three bytes kept.
    assert_eq!(next(&chain(61, 600)), Ok(CompactTarget(0x1c0f_ffff)));
    assert_eq!(next(&chain(61, 300)), Ok(CompactTarget(0x1c07_ffff)));
    assert_eq!(next(&chain(99, 1200)), Ok(CompactTarget(0x1c1f_ffff)));
    // At most six spacings count; and times that run backwards count as one second each.
    assert_eq!(next(&chain(61, 1_000_000)), Ok(CompactTarget(0x1c5f_ffff)));
    assert_eq!(next(&chain(61, -1_000_000)), next(&chain(61, 1)));
    // A 600th of the target: 0x100000 * 256 / 600 = 0x6d3a0.
    assert_eq!(next(&chain(61, 1)), Ok(CompactTarget(0x1b06_d3a0)));
    let short = chain(61, 600);
    let lost = rule.required(&short[60], 0, &&short[1..]);
    assert_eq!(lost, Err(DifficultyError::Missing(0)));
    for odd in [Lwma { window: 0, ..rule }, Lwma { spacing: 0, ..rule }] {
        assert_eq!(odd.required(&short[60], 0, &&short[..]), Ok(LIMIT));
    }
}

/// Uneven times, some of them backwards, and uneven targets: recomputed with unbounded integers.
#[test]
fn lwma_of_an_uneven_window() {
    let rule = Lwma { window: 60, spacing: 600, limit: LIMIT };
    let mut time = 1_000_000;
    let past: Vec<HeaderInfo> = (0..61_u32)
        .map(|n| {
            time += i64::from(n * n * 37 % 1500) - 200;
            HeaderInfo { height: n.into(), time, bits: CompactTarget(0x1c10_0000 + n * 4099) }
        })
        .collect();
    assert_eq!(rule.required(&past[60], 0, &&past[..]), Ok(CompactTarget(0x1c14_019f)));
    let mut recent = Recent::new([HeaderInfo::EMPTY; 61]);
    for header in &past {
        recent.push(&rule, *header);
    }
    assert_eq!(rule.required(&past[60], 0, &recent), rule.required(&past[60], 0, &&past[..]));
}

/// What a rule does not say: nothing is looked up far back, no time stamp is too early, two hours ahead are allowed. A reference to a
/// rule is the rule.
#[test]
fn rules_have_defaults_and_references_are_rules() {
    struct Plain;
    impl Difficulty for Plain {
        fn required(
            &self,
            parent: &HeaderInfo,
            _: i64,
            _: &dyn History,
        ) -> Result<CompactTarget, DifficultyError> {
            Ok(parent.bits)
        }
    }
    fn facts(rule: &dyn Difficulty) -> ([bool; 2], Option<i64>, u64, Option<CompactTarget>) {
        let parent = HeaderInfo { height: 2015, time: 5000, bits: HARD };
        let required = rule.required(&parent, 0, &Ends(parent, parent));
        (rule.marks(&parent), rule.earliest_time(&parent), rule.future_limit(), required.ok())
    }
    assert_eq!(facts(&Plain), ([false; 2], None, 7200, Some(HARD)));
    assert_eq!(facts(&&Plain), facts(&Plain));
    assert_eq!(facts(&Fixed(LIMIT)), ([false; 2], None, 7200, Some(LIMIT)));
    // The parent ends a walk, as it does not claim the limit, and the next header begins a period of BIP 94.
    let rule = Retarget { no_retargeting: true, ..Retarget::TESTNET4 };
    assert_eq!(facts(&rule), ([false, true], Some(4400), 7200, Some(HARD)));
    assert_eq!(facts(&&rule), facts(&rule));
    let lwma = Lwma { window: 60, spacing: 60, limit: LIMIT };
    assert_eq!(facts(&&lwma).2, 180);
}

/// The target doubles with each half-life of two days that the chain is late, up to the limit, and halves if it is early.
#[test]
fn asert_follows_the_schedule() {
    let bits = CompactTarget(0x1c00_ffff);
    let rule = Asert::new(100, 0, bits);
    let none: &[HeaderInfo] = &[];
    let after = |late: i64| {
        let parent = HeaderInfo { height: 100, time: 600 + late, bits };
        rule.required(&parent, 0, &none).expect("a target").0
    };
    let day = 86_400;
    assert_eq!(after(0), 0x1c00_ffff);
    assert_eq!(after(2 * day), 0x1c01_fffe);
    assert_eq!(after(4 * day), 0x1c03_fffc);
    assert_eq!(after(-2 * day), 0x1b7f_ff80);
    assert_eq!(after(-4 * day), 0x1b3f_ffc0);
    assert_eq!(after(16 * day), 0x1d00_ffff, "256 times, the limit");
    assert_eq!(after(2000 * day), 0x1d00_ffff);
}
