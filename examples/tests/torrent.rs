//! The programs torrent, tracker and dht as a person meets them, among themselves over loopback.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A program that runs until it is dropped.
struct Running {
    child: Child,
    first: String,
}

impl Running {
    /// Starts one, and waits for its first line.
    fn start(program: &str, words: &[&str]) -> Self {
        let mut child = Command::new(program).args(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = lines.read_to_string(&mut rest); // so that it never waits for a reader
        });
        Self { child, first }
    }

    /// Returns what the first line says behind a word.
    fn after(&self, word: &str) -> String {
        let rest = self.first.split(word).nth(1).expect(&self.first);
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TORRENT: &str = env!("CARGO_BIN_EXE_torrent");
const TRACKER: &str = env!("CARGO_BIN_EXE_tracker");
const DHT: &str = env!("CARGO_BIN_EXE_dht");

fn torrent(words: &[&str]) -> Output {
    Command::new(TORRENT).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An empty folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("torrent").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn bytes(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

/// A folder of files goes from one to another by trackers over HTTP and UDP; a broken piece is fetched anew.
#[test]
fn a_folder_is_made_seeded_found_and_resumed() {
    let home = folder("tracked");
    let shared = home.join("songs");
    fs::create_dir_all(shared.join("b side")).unwrap();
    fs::write(shared.join("a.mp3"), bytes(300_001)).unwrap();
    fs::write(shared.join("b side/c.mp3"), bytes(150_000)).unwrap();
    fs::write(shared.join("empty"), b"").unwrap();
    let tracker = Running::start(TRACKER, &["--listen", "127.0.0.1:0", "--interval", "60"]);
    let (http, udp) = (tracker.after("tracking on "), tracker.after("/announce and "));
    let made = home.join("songs.torrent");
    let words =
        ["make", path(&shared), "--out", path(&made), "--tracker", &udp, "--tracker", &http];
    let done = torrent(&words);
    assert!(done.status.success(), "{}", text(&done.stderr));
    for line in ["450001 bytes", "songs/b side/c.mp3", "tracker    udp://", "(tier 1)", "info-hash"]
    {
        assert!(text(&done.stdout).contains(line), "{line} in {}", text(&done.stdout));
    }
    let _seed =
        Running::start(TORRENT, &["seed", path(&made), path(&shared), "--listen", "127.0.0.1:0"]);
    let into = home.join("into");
    let words =
        ["download", path(&made), "--into", path(&into), "--listen", "127.0.0.1:0", "--sequential"];
    let mut done = torrent(&words);
    for _ in 0..20 {
        if done.status.success() {
            break;
        }
        done = torrent(&words); // the seed may not have announced yet
    }
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    let c = into.join("songs/b side/c.mp3");
    assert!(fs::read(into.join("songs/a.mp3")).unwrap() == bytes(300_001));
    assert!(fs::read(&c).unwrap() == bytes(150_000) && into.join("songs/empty").exists());
    let mut broken = bytes(150_000);
    broken[149_999] ^= 1;
    fs::write(&c, broken).unwrap();
    let done = torrent(&words);
    assert!(text(&done.stdout).contains("13 of 14 pieces are here"), "{}", text(&done.stdout));
    assert!(fs::read(&c).unwrap() == bytes(150_000));
}

/// By a magnet link, with a peer found by the DHT; of all versions.
#[test]
fn a_magnet_link_and_the_dht_are_enough() {
    let home = folder("magnet");
    let file = home.join("film");
    fs::write(&file, bytes(200_000)).unwrap();
    for (version, made) in [("--private", "v1"), ("--hybrid", "hybrid"), ("--v2", "v2")] {
        let made = home.join(made);
        let done = torrent(&["make", path(&file), "--out", path(&made), version]);
        let said = text(&done.stdout);
        assert!(done.status.success() && said.contains("magnet:?xt=urn:bt"), "{said}");
        let seed =
            Running::start(TORRENT, &["seed", path(&made), path(&file), "--listen", "127.0.0.1:0"]);
        let peer = seed.after("listening on ");
        let into = home.join(format!("into{version}"));
        let link = said.split("magnet     ").nth(1).unwrap().trim();
        let words = ["download", link, "--into", path(&into), "--peer", &peer];
        let done = torrent(&[&words[..], &["--listen", "127.0.0.1:0", "--trace"]].concat());
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
        assert!(fs::read(into.join("film")).unwrap() == bytes(200_000));
        assert!(text(&done.stdout).contains("HAVE ALL"));
    }
    let node = Running::start(DHT, &["--listen", "127.0.0.1:0"]);
    let address = node.after("listening on ");
    let made = home.join("hybrid");
    let words = ["seed", path(&made), path(&file), "--listen", "127.0.0.1:0", "--dht", &address];
    let _seed = Running::start(TORRENT, &words);
    let shown = text(&torrent(&["show", path(&made)]).stdout);
    let link = shown.split("magnet     ").nth(1).unwrap().trim();
    let find = |more: &[&str]| {
        let words = ["--listen", "127.0.0.1:0", "--node", &address, "--find", link];
        Command::new(DHT).args([&words[..], more].concat()).output().unwrap()
    };
    let known = (0..50).any(|_| find(&[]).status.success());
    assert!(known, "the seed announces itself");
    let into = home.join("dht");
    let words = ["download", link, "--into", path(&into), "--dht", &address];
    let done = torrent(&[&words[..], &["--listen", "127.0.0.1:0"]].concat());
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(fs::read(into.join("film")).unwrap() == bytes(200_000));
}

#[test]
fn wrong_words_are_answered_with_help() {
    for (program, words) in [
        (TORRENT, &[][..]),
        (TORRENT, &["fetch"]),
        (TORRENT, &["download"]),
        (TORRENT, &["make", "x", "--piece-len", "17"]),
        (TORRENT, &["seed", "x"]),
        (TORRENT, &["download", "x", "--peer", "nowhere"]),
        (TRACKER, &["--interval", "0"]),
        (DHT, &["--find", "abc"]),
    ] {
        let done = Command::new(program).args(words).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(text(&done.stderr).contains("--help"), "{words:?}");
    }
    for program in [TORRENT, TRACKER, DHT] {
        let help = Command::new(program).arg("--help").output().unwrap();
        assert!(help.status.success() && text(&help.stdout).contains("Example"));
    }
    let missing = torrent(&["show", "/nowhere/at/all"]);
    assert_eq!(missing.status.code(), Some(1));
}
