//! Runs the program `ledger` in a folder as a person does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const LEDGER: &str = env!("CARGO_BIN_EXE_ledger");

pub fn ledger(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(LEDGER);
    command.args(words).arg("--quiet").current_dir(folder).output().expect("it starts")
}

/// Runs a command that succeeds, and returns what it printed.
pub fn done(folder: &Path, words: &[&str]) -> String {
    let output = ledger(folder, words);
    let text = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {text}{errors}");
    text
}

/// The last word of the line that begins with `name`.
pub fn word<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no line {name} in {text}"));
    line.split(' ').next_back().expect("a word")
}

/// An empty folder.
pub fn fresh(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("it is made");
    folder
}
