//! All programs alike: help with an example and the exit codes, and one way to refuse a wrong word. The tour has the same
//! tests in its own package.

use std::process::{Command, Output};

const GNUTELLA: &str = env!("CARGO_BIN_EXE_gnutella");
const CHORD: &str = env!("CARGO_BIN_EXE_chord");
const TORRENT: &str = env!("CARGO_BIN_EXE_torrent");
const MINE: &str = env!("CARGO_BIN_EXE_mine");
const LEARN: &str = env!("CARGO_BIN_EXE_learn");
const LEDGER: &str = env!("CARGO_BIN_EXE_ledger");
const VALIDATORS: &str = env!("CARGO_BIN_EXE_validators");

/// Every program and subcommand.
const COMMANDS: &[(&str, &[&str])] = &[
    (GNUTELLA, &[]),
    (GNUTELLA, &["servent"]),
    (GNUTELLA, &["napster"]),
    (GNUTELLA, &["flood"]),
    (CHORD, &[]),
    (CHORD, &["node"]),
    (CHORD, &["node", "get"]),
    (CHORD, &["node", "put"]),
    (CHORD, &["node", "delete"]),
    (CHORD, &["node", "status"]),
    (CHORD, &["lab"]),
    (CHORD, &["overlays"]),
    (TORRENT, &[]),
    (TORRENT, &["make"]),
    (TORRENT, &["show"]),
    (TORRENT, &["seed"]),
    (TORRENT, &["get"]),
    (TORRENT, &["tracker"]),
    (TORRENT, &["dht"]),
    (TORRENT, &["dht", "put"]),
    (TORRENT, &["dht", "get"]),
    (TORRENT, &["swarm"]),
    (MINE, &[]),
    (MINE, &["search"]),
    (MINE, &["mine"]),
    (MINE, &["pool"]),
    (MINE, &["pool", "serve"]),
    (MINE, &["pool", "work"]),
    (MINE, &["attack"]),
    (MINE, &["retarget"]),
    (LEARN, &[]),
    (LEARN, &["slides"]),
    (LEARN, &["lab"]),
    (LEDGER, &[]),
    (LEDGER, &["wallet"]),
    (LEDGER, &["create"]),
    (LEDGER, &["pay"]),
    (LEDGER, &["mint"]),
    (LEDGER, &["record"]),
    (LEDGER, &["prove"]),
    (LEDGER, &["verify"]),
    (LEDGER, &["audit"]),
    (LEDGER, &["log"]),
    (LEDGER, &["log", "create"]),
    (LEDGER, &["log", "add"]),
    (LEDGER, &["log", "prove"]),
    (LEDGER, &["log", "verify"]),
    (LEDGER, &["node"]),
    (LEDGER, &["status"]),
    (LEDGER, &["follow"]),
    (LEDGER, &["supply-chain"]),
    (VALIDATORS, &[]),
    (VALIDATORS, &["run"]),
    (VALIDATORS, &["nothing-at-stake"]),
    (VALIDATORS, &["devices"]),
    (VALIDATORS, &["import"]),
    (VALIDATORS, &["export"]),
];

fn run(program: &str, words: &[&str], last: &str) -> Output {
    Command::new(program).args(words).arg(last).output().expect("it starts")
}

#[test]
fn each_command_explains_itself_with_an_example_and_the_exit_codes() {
    for (program, words) in COMMANDS {
        let help = run(program, words, "--help");
        let text = String::from_utf8(help.stdout).expect("text");
        assert_eq!(help.status.code(), Some(0), "{program} {words:?}");
        assert!(text.contains("Example"), "{program} {words:?}: {text}");
        assert!(text.contains("Exit codes: 0 success; 1 failure"), "{program} {words:?}: {text}");
        assert!(text.contains("--quiet"), "{program} {words:?}: {text}");
    }
}

#[test]
fn each_command_refuses_an_unknown_option_with_code_2_and_says_where_help_is() {
    for (program, words) in COMMANDS {
        let done = run(program, words, "--fast");
        let text = String::from_utf8(done.stderr).expect("text");
        assert_eq!(done.status.code(), Some(2), "{program} {words:?}");
        assert!(done.stdout.is_empty(), "{program} {words:?}");
        assert!(text.starts_with("error: "), "{program} {words:?}: {text}");
        assert!(text.contains("--help"), "{program} {words:?}: {text}");
    }
}

#[test]
fn a_failure_is_one_line_and_code_1() {
    for (program, words) in [
        (TORRENT, &["show", "/nowhere/at/all"][..]),
        (TORRENT, &["seed", "/nowhere/at/all", "."]),
        (GNUTELLA, &["servent", "--share", "/nowhere/at/all"]),
        (MINE, &["pool", "work", "127.0.0.1:1"]),
        (CHORD, &["node", "get", "a", "--node", "127.0.0.1:1", "--timeout", "1"]),
        (CHORD, &["node", "--key-file", "/nowhere/at/all"]),
        (LEDGER, &["audit", "/nowhere/at/all"]),
        (VALIDATORS, &["import", "/nowhere/at/all"]),
    ] {
        let done = Command::new(program).args(words).output().expect("it starts");
        let text = String::from_utf8(done.stderr).expect("text");
        assert_eq!(done.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "{words:?}: {text}");
    }
}

#[test]
fn a_value_that_makes_no_sense_is_wrong_usage_and_says_what_is_expected() {
    for (program, words, expected) in [
        (TORRENT, &["make", ".", "--tracker", "127.0.0.1:6969/announce"][..], "such as http://"),
        (TORRENT, &["make", ".", "--web-seed", "http://"], "such as http://"),
        (GNUTELLA, &["servent", "--find", " "], "a word is expected"),
        (LEDGER, &["node", "nowhere", "--local", "0"], "a number from 1 to 16"),
    ] {
        let done = Command::new(program).args(words).output().expect("it starts");
        let text = String::from_utf8(done.stderr).expect("text");
        assert_eq!(done.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(expected), "{words:?}: {text}");
    }
}

/// `chord overlays | head -1`, which closes the pipe while more is printed.
#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_a_program_without_a_word() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::process::Stdio;
    let mut child = Command::new(MINE)
        .args(["attack", "--z", "100", "--races", "20000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut String::new()).expect("a line");
    drop(out);
    let mut complaint = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut complaint).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(141), "{complaint}");
    assert_eq!(complaint, "");
}

/// `/dev/full` behaves as a file on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_is_an_error_of_one_line() {
    use std::fs::OpenOptions;
    for (program, words) in [
        (MINE, &["attack", "--races", "1", "--quiet"][..]),
        (MINE, &["search", "--bits", "1", "x"]),
        (VALIDATORS, &["nothing-at-stake"]),
        (LEARN, &["slides", "work"]),
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let done = Command::new(program).args(words).stdout(full).output().expect("it starts");
        let text = String::from_utf8(done.stderr).expect("text");
        assert_eq!(done.status.code(), Some(1), "{words:?}: {text}");
        let wanted =
            "error: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!(text, wanted, "{words:?}");
    }
}
