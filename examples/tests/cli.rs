//! The tour as a person meets it: good files, bad files, wrong words.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

fn tour(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tour")).args(words).output().expect("it starts")
}

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_file_of_one_byte_is_shared() {
    let folder = folder("one-byte");
    let file = folder.join("x");
    fs::write(&file, b"x").expect("it can be written");
    let out = folder.join("out");
    let out = out.to_str().expect("text");
    let file = file.to_str().expect("text");
    let done = tour(&["--sim", "--quiet", "--out", out, file]);
    let table = text(&done.stdout);
    assert!(done.status.success(), "{table}{}", text(&done.stderr));
    for stage in ["BOOT", "LOOKUP", "RING", "SHARE", "LEDGER", "AUDIT"] {
        let row = table.lines().find(|line| line.trim_start().starts_with(stage));
        assert!(row.is_some_and(|row| row.ends_with("OK")), "{stage} in {table}");
    }
}

#[test]
fn an_empty_or_missing_file_or_a_folder_is_refused_clearly() {
    let folder = folder("refused");
    let empty = folder.join("empty");
    fs::write(&empty, b"").expect("it can be written");
    for (path, why) in
        [(empty, "is empty"), (folder.join("missing"), "cannot read"), (folder, "is not a file")]
    {
        let done = tour(&[path.to_str().expect("text")]);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(done.stdout.is_empty(), "{said}");
        assert!(said.starts_with("error: ") && said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [
        &["--nodes"][..],
        &["--nodes", "7"],
        &["--nodes", "many"],
        &["--loss", "31"],
        &["--seed", "-1"],
        &["--out"],
        &["--fast"],
        &["one", "two"],
    ] {
        let done = tour(words);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(said.starts_with("error: ") && said.contains("--help"), "{words:?}: {said}");
    }
    let help = tour(&["--help"]);
    assert!(help.status.success());
    let help = text(&help.stdout);
    for part in ["Example:", "Exit codes: 0 success; 1 failure", "--quiet"] {
        assert!(help.contains(part), "{part} in {help}");
    }
}
