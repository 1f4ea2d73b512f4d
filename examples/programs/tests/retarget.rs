//! The rules under shocks, against what arithmetic says must come of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn retarget(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mine"))
        .arg("retarget")
        .args(words)
        .output()
        .expect("it starts")
}

/// Headers and minutes at last of Bitcoin, ASERT, LWMA-1 and none, under each of the three changes.
fn rows(words: &[&str]) -> Vec<(f64, f64)> {
    let done = retarget(words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("text");
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, headers, minutes, _] = words[..] else { return None };
        Some((headers.parse().ok()?, minutes.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn shocks_come_to_what_they_must() {
    let close = |value: f64, to: f64, part: f64| {
        assert!((value - to).abs() <= to * part, "{value}, not {to}");
    };
    let rows = rows(&["--days", "40"]);
    let [bitcoin, asert, lwma, fixed, bitcoin_low, asert_low, lwma_low, fixed_low, ..] = rows[..]
    else {
        panic!("{rows:?}");
    };
    // 10 days as before, 30 days with ten times or a tenth of the hashes.
    close(fixed.0, 1440.0 + 43_200.0, 0.03);
    close(fixed_low.0, 1440.0 + 432.0, 0.15);
    // ASERT is ahead or late by its half-life (288 spacings) for each doubling or halving.
    let shift = 288.0 * 10_f64.log2();
    close(asert.0 - 5760.0, shift, 0.15);
    close(5760.0 - asert_low.0, shift, 0.15);
    for (_, minutes) in [asert, lwma, asert_low, lwma_low] {
        close(minutes, 10.0, 0.2);
    }
    // Bitcoin's rule: 576 headers of the first period are left, then one period at 4 times the difficulty or
    // less; a tenth of the hashes needs longer than there is.
    assert!(bitcoin.0 > asert.0 && bitcoin.0 < fixed.0, "{bitcoin:?}");
    close(bitcoin_low.0, fixed_low.0, 0.1);
}

#[test]
fn the_pictures_are_the_same_for_the_same_seed() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let draw = |name: &str, seed: &str| {
        let out = folder.join(name);
        rows(&["--days", "8", "--seed", seed, "--out", out.to_str().expect("text")]);
        let read = |file| fs::read_to_string(out.join(file)).expect("a picture");
        ["times10.svg", "tenth.svg", "swing.svg"].map(read)
    };
    let one = draw("r1", "7");
    let two = draw("r2", "7");
    let other = draw("r3", "8");
    assert!(one == two && one != other);
    for picture in one {
        assert!(picture.matches("<polyline").count() >= 8, "four rules, and the legend");
        assert!(picture.contains("the hash rate changes</text>"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [&["--days", "7"][..], &["--seed"], &["--fast"]] {
        let done = retarget(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("--help"), "{words:?}");
    }
    assert!(String::from_utf8_lossy(&retarget(&["--help"]).stdout).contains("Example:"));
}
