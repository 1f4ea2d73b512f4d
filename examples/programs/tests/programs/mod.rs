//! Starts programs as a person does, `torrent` above all.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub mod client;
pub mod ledger;

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bittorrent_pieces::wire::Message;

/// A program that runs until it is dropped.
pub struct Running {
    pub child: Child,
    first: String,
    output: Arc<Mutex<String>>,
}

impl Running {
    /// Starts one, and waits for its first line.
    pub fn start(program: &str, words: &[&str]) -> Self {
        let mut child = Command::new(program).args(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let output = Arc::new(Mutex::new(first.clone()));
        let written = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|len| len > 0) {
                written.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Self { child, first, output }
    }

    /// Returns what the first line says behind a word.
    pub fn after(&self, word: &str) -> String {
        let rest = self.first.split(word).nth(1).expect(&self.first);
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

impl Running {
    /// Returns what it has written to standard output.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until it has written a text.
    pub fn until(&self, text: &str) {
        wait_for(text, || self.output().contains(text));
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end; returns its exit code.
    pub fn code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_for("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

/// Waits for a condition, for a minute at most.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub const TORRENT: &str = env!("CARGO_BIN_EXE_torrent");

pub fn torrent(words: &[&str]) -> Output {
    Command::new(TORRENT).args(words).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An empty folder of its own for each test.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("torrent").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn bytes(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

/// Sends a message.
pub fn say(stream: &mut TcpStream, message: &Message<'_>) {
    let mut out = vec![0; message.encoded_len()];
    message.encode(&mut out).unwrap();
    stream.write_all(&out).unwrap();
}

/// Receives a message.
pub fn hear(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message)?;
    let len = u32::from_be_bytes([message[0], message[1], message[2], message[3]]);
    message.resize(4 + len as usize, 0);
    stream.read_exact(&mut message[4..])?;
    Ok(message)
}
