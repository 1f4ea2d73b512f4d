//! Reaching servents that are no neighbours: queries by datagram, the list of what one shares, and pushes that a
//! neighbour passes on.

mod programs;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use programs::{Running, folder, path, text};

const GNUTELLA: &str = env!("CARGO_BIN_EXE_gnutella");
const LISTEN: [&str; 3] = ["servent", "--listen", "127.0.0.1:0"];

fn start(words: &[&str]) -> (Running, String) {
    let running = Running::start(GNUTELLA, &[&LISTEN, words].concat());
    let address = running.after("on").trim_end_matches(',').to_owned();
    (running, address)
}

fn run(words: &[&str]) -> Output {
    let words = [&LISTEN, words].concat();
    Command::new(GNUTELLA).args(&words).stdin(Stdio::null()).output().unwrap()
}

/// A folder with one file.
fn shared(name: &str, file: &str, bytes: &[u8]) -> PathBuf {
    let folder = folder(name);
    fs::write(folder.join(file), bytes).unwrap();
    folder
}

/// Without any link: an ultrapeer is asked by datagram, and asks its leaf.
#[test]
fn files_of_an_ultrapeer_and_of_its_leaf_are_found_by_datagram() {
    let own = shared("guess-own", "Hey Jude.mp3", b"na na na");
    let leafs = shared("guess-leaf", "Let it be.mp3", b"whisper words");
    let into = folder("guess-into");
    let (up, address) = start(&["--ultrapeer", "--share", path(&own)]);
    let (_leaf, _) = start(&["--connect", &address, "--share", path(&leafs)]);
    up.until("a leaf");
    for (words, name, bytes) in [
        ("hey jude", "Hey Jude.mp3", &b"na na na"[..]),
        ("let it be", "Let it be.mp3", b"whisper words"),
    ] {
        let find = ["--guess", &address, "--find", words, "--wait", "40", "--trace"];
        let done = run(&[&find[..], &["--into", path(&into)]].concat());
        let said = text(&done.stdout);
        assert!(done.status.success(), "{said}{}", text(&done.stderr));
        assert_eq!(fs::read(into.join(name)).unwrap(), bytes);
        assert!(!said.contains("GNUTELLA CONNECT"), "{said}");
        for line in ["by datagram PING", "by datagram PONG", "by datagram QUERY", "by datagram HIT"]
        {
            assert!(said.contains(line), "no {line} in:\n{said}");
        }
    }
}

/// What a servent shares is listed to one that asks for it.
#[test]
fn a_servent_is_browsed() {
    let own = shared("browsed", "Hey Jude.mp3", b"na na na");
    fs::write(own.join("Let it be.mp3"), b"whisper words").unwrap();
    let (_up, address) = start(&["--ultrapeer", "--share", path(&own)]);
    let mut command = Command::new(GNUTELLA);
    command.args(LISTEN).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut words = child.stdin.take().unwrap();
    writeln!(words, "browse {address}").unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<_> = lines.take_while(|line| !line.contains("shares")).collect();
    writeln!(words, "quit").unwrap();
    assert!(child.wait().unwrap().success());
    for file in ["Hey Jude.mp3 (8 bytes)", "Let it be.mp3 (13 bytes)"] {
        assert!(said.iter().any(|line| line.contains(file)), "no {file} in {said:?}");
    }
    let answer = ask(&address, "GET / HTTP/1.1\r\nConnection: close\r\nAccept: text/html\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 406 "), "{answer}");
}

/// A servent behind a firewall names its neighbour in its hits, which passes on pushes.
#[test]
fn a_push_is_passed_on_by_a_neighbour() {
    let own = shared("proxied", "Hey Jude.mp3", b"na na na");
    let into = folder("proxied-into");
    let (_up, address) = start(&["--ultrapeer"]);
    let (leaf, _) = start(&["--connect", &address, "--share", path(&own), "--firewalled"]);
    leaf.until("passes on pushes");
    let find = ["--connect", &address, "--find", "jude", "--wait", "40", "--trace"];
    let done = run(&[&find[..], &["--into", path(&into)]].concat());
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    for line in ["GET /gnutella/push-proxy?ServerId=", "HTTP/1.1 202 ", "GIV 1:", "as promised"] {
        assert!(said.contains(line), "no {line} in:\n{said}");
    }
    let unknown = "GET /gnutella/push-proxy?guid=00112233445566778899aabbccddeeff HTTP/1.1\r\n";
    let answer =
        ask(&address, &format!("{unknown}X-Node: 10.0.0.1:1\r\nConnection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 410 "), "{answer}");
    let answer = ask(&address, &format!("{unknown}Connection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    text(&answer)
}
