//! `torrent make`, `seed` and `get` with what most tests pass to them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Running, TORRENT, bytes, folder, path, text, torrent};

pub const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// Writes a file of this length into a new folder and makes a torrent of it; returns the folder, the file and the path
/// of the metainfo file.
pub fn new_film(name: &str, len: u32, more: &[&str]) -> (PathBuf, PathBuf, String) {
    let home = folder(name);
    let film = home.join("film");
    fs::write(&film, bytes(len)).unwrap();
    let made = make(&film, more);
    (home, film, made)
}

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
