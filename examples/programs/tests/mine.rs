//! The nonce search as a person meets it.

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;

/// Bitcoin's first header, with its nonce 2083236893 left out.
const GENESIS: &str = "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d00000000";

fn mine(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mine")).arg("search").args(words).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn field(output: &Output, name: &str) -> String {
    let text = said(output);
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

#[test]
fn the_first_block_of_bitcoin_is_found_again() {
    for threads in ["1", "3"] {
        let range = ["--from", "2083200000", "--threads", threads];
        let done = mine(&[&["--header", GENESIS], &range[..]].concat());
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        assert_eq!(field(&done, "nonce"), "2083236893");
        let id = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        assert_eq!(field(&done, "id"), id);
    }
    let none = mine(&["--header", GENESIS, "--from", "2083230000", "--to", "2083236892"]);
    assert_eq!(none.status.code(), Some(1), "{}", said(&none));
    assert!(said(&none).contains("6893 hashes tried"), "{}", said(&none));
}

#[test]
fn threads_and_kernels_do_not_change_what_is_found() {
    let found = |more: &[&str]| {
        let done = mine(&[&["--bits", "16", "one song"], more].concat());
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        let hash = field(&done, "hash");
        assert!(hash.starts_with("0000"), "{hash}");
        field(&done, "nonce")
    };
    let one = found(&["--threads", "1", "--kernel", "block"]);
    for threads in ["2", "7"] {
        assert_eq!(found(&["--threads", threads]), one);
        assert_eq!(found(&["--threads", threads, "--kernel", "portable"]), one);
    }
}

#[test]
fn a_search_that_was_stopped_goes_on() {
    let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mine.state");
    let path = state.to_str().expect("text");
    let _ = fs::remove_file(&state);
    let words = ["--bits", "255", "--threads", "2", "--state", path, "one song"];
    let stopped = |seconds: &str| {
        let done = mine(&[&words[..], &["--seconds", seconds]].concat());
        assert_eq!(done.status.code(), Some(3), "{}", said(&done));
        let kept = fs::read_to_string(&state).expect("the progress");
        let tried: u64 = (kept.lines())
            .find_map(|line| line.strip_prefix("tried "))
            .and_then(|tried| tried.parse().ok())
            .expect("a number");
        let next = kept.lines().find_map(|line| line.strip_prefix("next ")).expect("nonces");
        // Two strides from 0 on: what each has passed is what it has tried.
        let next = next.split(' ').map(|next| next.parse::<u64>().expect("a nonce"));
        assert_eq!(next.map(|next| next / 2).sum::<u64>(), tried);
        (tried, said(&done))
    };
    let (before, _) = stopped("1");
    let (after, second) = stopped("0");
    assert!(before > 0 && after >= before);
    assert!(second.contains(&format!("going on after {before} hashes")), "{second}");

    let other = mine(&["--bits", "3", "--state", path, "one song"]);
    assert!(!other.status.success() && said(&other).contains("another search"), "{}", said(&other));
    fs::write(&state, "nonsense").expect("it can be written");
    let broken = mine(&words);
    assert!(!broken.status.success() && said(&broken).contains("not the progress"));
}

#[test]
fn a_resumed_search_finds_the_same_and_forgets_its_progress() {
    let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mine-resumed.state");
    let path = state.to_str().expect("text");
    let _ = fs::remove_file(&state);
    let words = ["--header", GENESIS, "--from", "2082000000", "--threads", "2", "--state", path];
    let stopped = mine(&[&words[..], &["--seconds", "0"]].concat());
    assert_eq!(stopped.status.code(), Some(3), "{}", said(&stopped));
    let done = mine(&words);
    assert_eq!(field(&done, "nonce"), "2083236893");
    assert!(!state.exists());
}

#[test]
fn progress_survives_a_kill_and_a_bad_state_file_is_found_before_the_search() {
    let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mine-killed.state");
    let path = state.to_str().expect("text");
    let _ = fs::remove_file(&state);
    let words = ["--bits", "255", "--threads", "2", "--state", path, "one song"];
    let mut running = Command::new(env!("CARGO_BIN_EXE_mine"))
        .arg("search")
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let kept = || {
        let text = fs::read_to_string(&state).unwrap_or_default();
        let tried = text.lines().find_map(|line| line.strip_prefix("tried "));
        tried.and_then(|tried| tried.parse().ok()).unwrap_or(0_u64)
    };
    while kept() == 0 {
        assert!(running.try_wait().expect("a child").is_none(), "it ended by itself");
        sleep(Duration::from_millis(20));
    }
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    let resumed = mine(&[&words[..], &["--seconds", "0"]].concat());
    assert_eq!(resumed.status.code(), Some(3), "{}", said(&resumed));
    assert!(said(&resumed).contains("going on after"), "{}", said(&resumed));
    assert!(said(&resumed).contains("more than"), "{}", said(&resumed));

    let nowhere = mine(&["--bits", "255", "--state", "/nonexistent/state", "one song"]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", said(&nowhere));
    assert!(said(&nowhere).contains("/nonexistent/state"), "{}", said(&nowhere));

    let text = fs::read_to_string(&state).expect("the progress");
    let task = text.lines().next().expect("a line");
    let next = vec!["7"; 200_000].join(" ");
    fs::write(&state, format!("{task}\ntried 1\nnext {next}\n")).expect("it can be written");
    let refused = mine(&words);
    assert!(said(&refused).contains("not the progress"), "{}", said(&refused));
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [
        &[][..],
        &["--bits", "256", "x"],
        &["--bits", "1"],
        &["--header", "00"],
        &["--header", "xy"],
        &["--threads", "0", "--bits", "1", "x"],
        &["--kernel", "abacus", "--bits", "1", "x"],
        &["--from", "2", "--to", "1", "--bits", "1", "x"],
        &["--fast"],
    ] {
        let done = mine(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(said(&done).contains("--help"), "{words:?}");
    }
    assert!(said(&mine(&["--help"])).contains("Example:"));
}
