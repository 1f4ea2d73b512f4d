//! Catching up: against the table of the whitepaper, and the races against what they must come to.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn attack(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mine")).arg("attack").args(words).output().expect("it starts")
}

/// The lines of one table: z, and the three probabilities.
fn rows(words: &[&str]) -> Vec<[f64; 4]> {
    let done = attack(words);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).expect("text");
    let row = |line: &str| {
        let numbers: Vec<f64> =
            line.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn the_formula_gives_the_table_of_the_whitepaper() {
    // "Bitcoin: A Peer-to-Peer Electronic Cash System", section 11.
    let ten = rows(&["--q", "10", "--z", "10", "--races", "1"]);
    let published = [
        1.0,
        0.204_587_3,
        0.050_977_9,
        0.013_172_2,
        0.003_455_2,
        0.000_913_7,
        0.000_242_8,
        0.000_064_7,
        0.000_017_3,
        0.000_004_6,
        0.000_001_2,
    ];
    assert_eq!(ten.iter().map(|[_, nakamoto, ..]| *nakamoto).collect::<Vec<_>>(), published);
    let thirty = rows(&["--q", "30", "--z", "50", "--races", "1"]);
    for (z, published) in [
        (0, 1.0),
        (5, 0.177_352_3),
        (10, 0.041_660_5),
        (15, 0.010_100_8),
        (20, 0.002_480_4),
        (25, 0.000_613_2),
        (30, 0.000_152_2),
        (35, 0.000_037_9),
        (40, 0.000_009_5),
        (45, 0.000_002_4),
        (50, 0.000_000_6),
    ] {
        let [at, nakamoto, ..] = thirty[z];
        assert_eq!((at, nakamoto), (z as f64, published));
    }
}

#[test]
fn the_races_come_to_the_exact_probability() {
    const RACES: f64 = 20_000.0;
    for seed in ["1", "2"] {
        let all = rows(&["--q", "10,30,40", "--z", "6", "--races", "20000", "--seed", seed]);
        assert_eq!(all.len(), 21);
        for [z, _, exact, simulated] in all {
            let deviation = (exact * (1.0 - exact) / RACES).sqrt();
            let off = (simulated - exact).abs();
            assert!(off <= 5.0 * deviation + 1e-5, "z {z}: {simulated}, not {exact}");
            // By hand: his block is the next or, with q / p, one of those after it; 2 q in all.
            assert!(z as u32 != 1 || [0.2, 0.6, 0.8].contains(&exact), "{exact}");
        }
    }
}

#[test]
fn the_picture_is_the_same_for_the_same_seed() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let draw = |name: &str, seed: &str| {
        let path = folder.join(name);
        let out = path.to_str().expect("text");
        rows(&["--races", "500", "--z", "4", "--seed", seed, "--out", out]);
        fs::read_to_string(path.join("attack.svg")).expect("a picture")
    };
    let one = draw("attack-1", "7");
    let two = draw("attack-2", "7");
    let other = draw("attack-3", "8");
    assert!(one == two && one != other);
    assert!(one.starts_with("<svg ") && one.ends_with("</svg>\n"));
    // The exact curve and Nakamoto's for each of four shares, and both in the legend.
    assert_eq!(one.matches("<polyline").count(), 16);
    assert_eq!(one.matches("%, exact</text>").count(), 4);
    assert!(!one.contains("NaN") && !one.contains("inf"), "{one}");
}

#[test]
fn a_single_column_is_drawn_with_markers() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("attack-one");
    rows(&["--races", "10", "--z", "0", "--out", out.to_str().expect("text")]);
    let picture = fs::read_to_string(out.join("attack.svg")).expect("a picture");
    assert!(picture.matches("<circle").count() > 2 && !picture.contains("NaN"), "{picture}");
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [&["--q", "46"][..], &["--q", "1,,2"], &["--z"], &["--races", "0"], &["--fast"]] {
        let done = attack(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("--help"), "{words:?}");
    }
    assert!(String::from_utf8_lossy(&attack(&["--help"]).stdout).contains("Example:"));
}
