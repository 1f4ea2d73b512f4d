//! The servent over loopback: found, fetched and checked; by push between firewalls; told off when busy or
//! full.

use core::net::SocketAddr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A servent that runs until it is dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    /// Starts one on a port of its own, and waits until it listens.
    fn start(words: &[&str]) -> Self {
        let mut child =
            servent(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(2).unwrap().trim_end_matches(',').to_owned();
        std::thread::spawn(move || {
            let mut rest = String::new();
            lines.read_to_string(&mut rest).unwrap(); // so that it never waits for a reader
        });
        Self { child, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn servent(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gnutella"));
    command.args(["servent", "--listen", "127.0.0.1:0"]).args(words);
    command
}

fn run(words: &[&str]) -> Output {
    servent(words).stdin(Stdio::null()).output().unwrap()
}

/// An empty folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servent").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A folder with a song of 3 MB that is not the same throughout, and another file.
fn music(name: &str) -> (PathBuf, Vec<u8>) {
    let folder = folder(name);
    let song: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(folder.join("Hey Jude.mp3"), &song).unwrap();
    fs::write(folder.join("Let it be.mp3"), b"whisper words").unwrap();
    (folder, song)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A leaf finds a song of another leaf through their ultrapeer; the trace reads like the protocol.
#[test]
fn a_song_is_found_and_fetched_through_an_ultrapeer() {
    let (shared, song) = music("shared");
    let into = folder("into");
    let up = Running::start(&["--ultrapeer"]);
    let _leaf = Running::start(&["--connect", &up.address, "--share", shared.to_str().unwrap()]);
    let into_path = into.to_str().unwrap();
    let done =
        run(&["--connect", &up.address, "--find", "hey jude", "--into", into_path, "--trace"]);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == song);
    assert!(!into.join("Hey Jude.mp3.part").exists());
    for line in [
        "GNUTELLA CONNECT/0.6 | User-Agent: gnutella-wire/",
        "GNUTELLA/0.6 200 OK | ",
        "Content-Encoding: deflate",
        "QRP ", // the table of words
        "reset 65536 slots, infinity 7",
        "patch 1/",
        "QUERY ",
        "\"hey jude\"",
        "HIT ",
        "ttl=",
        "#1 \"Hey Jude.mp3\" 3000000 bytes",
        "GET /uri-res/N2R?urn:sha1:",
        "206 Partial Content",
        "100 % of 3000000 bytes",
        "as promised",
        "saved ",
    ] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
}

/// Both behind firewalls, linked to an ultrapeer: the finder asks by push, the sharer connects.
#[test]
fn two_behind_firewalls_transfer_by_push() {
    let (shared, song) = music("walled");
    let into = folder("walled-into");
    let up = Running::start(&["--ultrapeer"]);
    let shared = shared.to_str().unwrap();
    let leaf = Running::start(&["--connect", &up.address, "--share", shared, "--firewalled"]);
    // The firewall holds: a request from outside is not answered.
    let mut stream = TcpStream::connect(leaf.address.parse::<SocketAddr>().unwrap()).unwrap();
    stream.write_all(b"GET /get/1/Hey%20Jude.mp3 HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    let into_path = into.to_str().unwrap();
    let words = [
        "--connect",
        &up.address,
        "--find",
        "jude",
        "--into",
        into_path,
        "--trace",
        "--firewalled",
    ];
    let done = run(&words);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == song);
    for line in ["behind a firewall", "PUSH ", "GIV 1:", "as promised"] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
}

/// What was there already is not fetched again, and what is wrong in it is found by the tree.
#[test]
fn a_download_goes_on_and_is_checked() {
    let (shared, song) = music("resumed");
    let into = folder("resumed-into");
    let up = Running::start(&["--ultrapeer", "--share", shared.to_str().unwrap()]);
    let part = into.join("Hey Jude.mp3.part");
    let words = ["--connect", &up.address, "--find", "jude", "--into", into.to_str().unwrap()];
    fs::write(&part, vec![0; 1_000_000]).unwrap(); // another file's beginning
    let done = run(&words);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == song);
    assert_eq!(fs::read_dir(&into).unwrap().count(), 1, "nothing else is left");
    fs::write(&part, &song[..2_999_999]).unwrap();
    let done = run(&[&words[..], &["--trace"]].concat());
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}");
    assert!(said.contains("Content-Range: bytes 2999999-2999999/3000000"), "{said}");
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == song);
}

/// Three servents share a file; the download is killed in the middle and then goes on where it was.
#[test]
fn a_killed_download_goes_on_from_three_servents() {
    let (shared, song) = music("killed");
    let into = folder("killed-into");
    let shared = shared.to_str().unwrap();
    let slow = ["--ultrapeer", "--share", shared, "--upload-rate", "400000"];
    let up = Running::start(&slow);
    let leaf = ["--connect", &up.address, "--share", shared, "--upload-rate", "400000"];
    let _leaves = [Running::start(&leaf), Running::start(&leaf)];
    let find = ["--connect", &up.address, "--find", "jude", "--into", into.to_str().unwrap()];
    let first = Running::start(&find);
    let ranges = into.join("Hey Jude.mp3.part-ranges");
    let begun = || fs::read_to_string(&ranges).is_ok_and(|text| text.lines().count() > 1);
    for _ in 0..200 {
        if begun() {
            break;
        }
        std::thread::sleep(core::time::Duration::from_millis(100));
    }
    assert!(begun(), "nothing was saved");
    drop(first); // killed
    assert!(into.join("Hey Jude.mp3.part").exists(), "it was faster than expected");
    let done = run(&find);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    assert!(said.contains("continues with "), "{said}");
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == song);
}

/// A file that comes into the shared folder while the servent runs is found by its words, without accents.
#[test]
fn a_folder_is_watched_for_changes() {
    let (shared, _) = music("watched");
    let into = folder("watched-into");
    let up = Running::start(&["--ultrapeer", "--share", shared.to_str().unwrap()]);
    fs::write(shared.join("Café Søren.ogg"), b"later").unwrap();
    fs::remove_file(shared.join("Let it be.mp3")).unwrap();
    let find = |words: &str, wait: &str| {
        let into = into.to_str().unwrap();
        run(&["--connect", &up.address, "--into", into, "--wait", wait, "--find", words])
    };
    let done = find("CAFE", "20");
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    assert_eq!(fs::read(into.join("Café Søren.ogg")).unwrap(), b"later");
    assert_eq!(find("let it", "1").status.code(), Some(1), "it went");
}

/// HEAD, ranges, and what there is not, as a client of any make asks for them.
#[test]
fn head_ranges_and_unknown_files_are_answered_as_http_says() {
    let (shared, song) = music("asked");
    let up = Running::start(&["--ultrapeer", "--share", shared.to_str().unwrap()]);
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(up.address.parse::<SocketAddr>().unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        (text(&answer[..at]), answer[at..].to_vec())
    };
    let get = |method: &str, range: &str| {
        ask(&format!("{method} /get/1/Hey%20Jude.mp3 HTTP/1.0\r\n{range}\r\n"))
    };
    let (head, body) = get("GET", "");
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && body == song, "{head}");
    let (head, body) = get("HEAD", "");
    assert!(head.contains("Content-Length: 3000000\r\n") && body.is_empty(), "{head}");
    let (head, body) = get("GET", "Range: bytes=100-1099\r\n");
    assert!(head.starts_with("HTTP/1.0 206 ") && body == song[100..1_100], "{head}");
    assert!(head.contains("Content-Range: bytes 100-1099/3000000\r\n"), "{head}");
    assert!(head.contains("X-Gnutella-Content-URN: urn:sha1:"), "{head}");
    let (head, body) = get("GET", "Range: bytes=3000000-\r\n");
    assert!(head.starts_with("HTTP/1.0 416 ") && body.is_empty(), "{head}");
    let (head, _) = ask("GET /get/9/nothing HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) =
        ask("GNUTELLA CONNECT/0.6\r\nX-Ultrapeer: False\r\n\r\nGNUTELLA/0.6 503 No\r\n\r\n");
    assert!(head.starts_with("GNUTELLA/0.6 200 OK\r\n"), "{head}");
}

#[test]
fn a_leaf_refuses_leaves_and_failures_have_a_status() {
    let leaf = Running::start(&[]);
    let done = run(&["--connect", &leaf.address, "--find", "x", "--wait", "2"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stdout).contains("refused: 503 I am a shielded leaf node"));
    assert!(text(&done.stderr).contains("nobody has x"));
    for words in [&["--connect"][..], &["--connect", "nowhere"], &["--fast"], &["--wait", "x"]] {
        let done = run(words);
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(text(&done.stderr).contains("--help"), "{words:?}");
    }
    let missing = run(&["--share", "/nowhere/at/all"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("cannot share"));
    assert!(text(&run(&["--help"]).stdout).contains("Example"));
}
