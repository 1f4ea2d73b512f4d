//! `torrent make`, `seed` and `get` with what most tests pass to them.

use std::path::Path;

use super::{Running, TORRENT, path, text, torrent};

pub const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Makes a torrent of a path; returns the path of its metainfo file.
pub fn make(content: &Path, more: &[&str]) -> String {
    let made = format!("{}.torrent", content.display());
    let words = [&["make", path(content), "--out", &made], more].concat();
    let done = torrent(&words);
    assert!(done.status.success(), "{}", text(&done.stderr));
    made
}

pub fn seed(made: &str, content: &Path, more: &[&str]) -> (Running, String) {
    let words = [&["seed", made, path(content)], &LISTEN[..], more].concat();
    let seed = Running::start(TORRENT, &words);
    let peer = seed.after("listening on ");
    (seed, peer)
}

pub fn get<'a>(made: &'a str, into: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["get", made, "--into", path(into)], &LISTEN[..], more].concat()
}

/// Runs `torrent get` to a good end; returns what it printed.
pub fn got(made: &str, into: &Path, more: &[&str]) -> String {
    let done = torrent(&get(made, into, more));
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}
