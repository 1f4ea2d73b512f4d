//! The central index over loopback: found, fetched, delivered from behind a firewall; and the index dies.

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

const PATIENCE: Duration = Duration::from_secs(30);

/// A program whose lines are read as they come; it is stopped when dropped.
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gnutella"))
            .arg("napster")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let input = child.stdin.take().unwrap();
        Self { child, input, lines }
    }

    fn client(index: &str, nick: &str, more: &[&str]) -> Self {
        let client = Self::start(&[&["--connect", index, "--nick", nick][..], more].concat());
        client.wait("logged in as");
        client
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Waits for a line with these words.
    fn wait(&self, words: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if line.contains(words) {
                return line;
            }
            seen.push(line);
        }
        panic!("no {words} in {seen:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("napster").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_song_by_the_index_and_by_its_uploader() {
    let open = folder("open");
    let walled = folder("walled");
    let into = folder("into");
    let song: Vec<u8> =
        (0..700_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(open.join("pixies - debaser.mp3"), [b"\xFF".as_slice(), &song].concat()).unwrap();
    fs::write(walled.join("pixies - debaser live.mp3"), &song).unwrap();
    let mut index = Running::start(&["--serve", "127.0.0.1:0", "--trace"]);
    let line = index.wait("index on");
    let address = line.split_whitespace().nth(2).unwrap().trim_end_matches(',').to_owned();

    let mut cat = Running::client(&address, "cat", &["--into", into.to_str().unwrap(), "--trace"]);
    cat.say("watch ben");
    let _ann = Running::client(&address, "ann", &["--share", open.to_str().unwrap()]);
    let ben = ["--share", walled.to_str().unwrap(), "--firewalled"];
    let mut ben = Running::client(&address, "ben", &ben);
    cat.wait("ben came");
    index.wait("debaser live.mp3");
    cat.say("find debaser.mp3");
    cat.wait("2 files");
    cat.say("find debaser live");
    cat.wait("   1  pixies - debaser live.mp3 (700000 bytes) of ben");
    cat.wait("1 files");
    cat.say("get 1");
    cat.wait("<- download ack ben ");
    cat.wait("-> download firewalled ben \"pixies - debaser live.mp3\"");
    cat.wait("saved ");
    assert!(fs::read(into.join("pixies - debaser live.mp3")).unwrap() == song);
    cat.say("browse ann");
    cat.wait("   1  pixies - debaser.mp3 (700001 bytes) of ann");
    cat.wait("1 files");
    cat.say("tell BEN hello there");
    ben.wait("cat: hello there");
    ben.say("tell cat hi");
    cat.wait("ben: hi");
    cat.say("get 1");
    cat.wait("saved ");
    assert_eq!(fs::read(into.join("pixies - debaser.mp3")).unwrap().len(), 700_001);

    // A single point of failure.
    index.child.kill().unwrap();
    cat.wait("the index is disconnected");
    cat.say("find debaser");
    cat.wait("the index is disconnected");
}

#[test]
fn a_nick_is_given_once_and_wrong_words_are_answered() {
    let index = Running::start(&["--serve", "127.0.0.1:0"]);
    let line = index.wait("index on");
    let address = line.split_whitespace().nth(2).unwrap().trim_end_matches(',').to_owned();
    let _ann = Running::client(&address, "ann", &[]);
    let run = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_gnutella")).arg("napster").args(words).output().unwrap()
    };
    let again = run(&["--connect", &address, "--nick", "ANN"]);
    assert!(!again.status.success());
    for words in [&["--serve"][..], &["--connect", &address], &["--fast"], &["--serve", "x"]] {
        let done = run(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("--help"), "{words:?}");
    }
    assert!(String::from_utf8_lossy(&run(&["--help"]).stdout).contains("Example"));
}
