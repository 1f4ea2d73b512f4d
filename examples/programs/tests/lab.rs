//! The lab: half of a ring fails and it heals; with lists too short it does not, and the program says so.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn lab(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chord")).arg("lab").args(words).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn half_of_a_ring_fails_and_it_heals_the_same_each_time() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let run = |name: &str| {
        let out = folder.join(name);
        let words = ["--nodes", "150", "--successors", "12", "--lookups", "30", "--out"];
        let done = lab(&[&words[..], &[out.to_str().expect("a name")]].concat());
        let said = text(&done.stdout);
        assert!(done.status.success(), "{said}{}", text(&done.stderr));
        (said.replace(name, ""), fs::read_to_string(out.join("lab.svg")).expect("a picture"))
    };
    let (said, picture) = run("lab-1");
    for line in [
        "| 10 | 150 | 0 | 0 | ",
        "| 10 | 75 fail |",
        "| 11 | 75 | ",
        "All first successors were right ",
        "All lists were right ",
        "All lookups were right throughout",
    ] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
    assert!(picture.starts_with("<svg ") && picture.contains(">wrong lists</text>"));
    assert!(picture.contains(">50 % fail</text>"), "the failure is marked");
    assert_eq!(run("lab-2"), (said, picture));
}

#[test]
fn lists_that_are_too_short_do_not_survive() {
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lab-short");
    let words = ["--nodes", "150", "--successors", "2", "--kill", "90", "--seconds", "30", "--out"];
    let done = lab(&[&words[..], &[out.to_str().expect("a name")]].concat());
    let said = text(&done.stdout);
    assert!(!done.status.success() && said.contains("A longer list survives more"), "{said}");
    let wrong = lab(&["--kill", "91"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("a number from 0 to 90"));
    assert!(text(&lab(&["--help"]).stdout).contains("Example"));
}
