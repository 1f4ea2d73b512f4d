//! A pool and its workers as processes of their own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use pow::{BigEndian, HashFunction, NonceField, NonceFormat, Puzzle, Target};

const POOL: &str = env!("CARGO_BIN_EXE_mine");

#[test]
fn no_share_is_lost_among_two_workers_and_a_stranger() {
    let words = "serve --bits 255 --share-bits 8 --lease 3000 --to 49999 --reward 1001";
    let mut server = Command::new(POOL)
        .arg("pool")
        .args(words.split(' '))
        .args(["--listen", "127.0.0.1:0", "one song"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("text");
    let address = first.trim().strip_prefix("listening at ").expect("an address").to_owned();
    // It holds a lease, so that the search does not end before both workers are here.
    let mut stranger = TcpStream::connect(&address).expect("a pool");
    stranger.read_exact(&mut [0]).expect("a lease");
    let work =
        || Command::new(POOL).arg("pool").args(["work", &address]).stdout(Stdio::piped()).spawn();
    let workers = [work().expect("it starts"), work().expect("it starts")];
    let mut text = String::new();
    while !(text.contains("worker 2 is here") && text.contains("worker 3 is here")) {
        assert!(lines.read_line(&mut text).expect("text") > 0, "{text}");
    }
    // Then it talks nonsense, is sent away, and its nonces go to somebody else.
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is read");
    lines.read_to_string(&mut text).expect("text");
    assert_eq!(server.wait().expect("it ends").code(), Some(1), "no nonce of 255 bits");
    for worker in workers {
        assert!(worker.wait_with_output().expect("it ends").status.success());
    }

    let field = NonceField { offset: 8, format: NonceFormat::U64Be };
    let puzzle = Puzzle::new(HashFunction::Sha256, b"one song________", field).expect("a puzzle");
    let target = Target::from_zero_bits(8);
    let expected =
        (0..50_000).filter(|nonce| target.is_met_by::<BigEndian>(&puzzle.digest(*nonce)));
    assert!(text.contains("worker 1 is sent away"), "{text}");
    let (_, table) = text.split_once("all nonces were tried\n").expect("the end");
    let rows: Vec<Vec<u64>> = (table.lines().skip(1))
        .map(|line| line.split_whitespace().map(|word| word.parse().expect("a number")).collect())
        .collect();
    let sum = |column: usize| rows.iter().map(|row| row[column]).sum::<u64>();
    assert_eq!((sum(1), sum(2)), (expected.count() as u64, 0), "{text}");
    assert_eq!((sum(3), sum(4)), (256 * sum(1), 1001), "{text}");
}

#[cfg(unix)]
#[test]
fn a_worker_ends_with_its_tally_on_sigterm() {
    let mut server = Command::new(POOL)
        .args(["pool", "serve", "--bits", "255", "--share-bits", "8", "--listen", "127.0.0.1:0"])
        .arg("one song")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped"));
    let mut text = String::new();
    lines.read_line(&mut text).expect("text");
    let address = text.trim().strip_prefix("listening at ").expect("an address").to_owned();
    let worker = Command::new(POOL)
        .args(["pool", "work", &address])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    while !text.contains("share") {
        assert!(lines.read_line(&mut text).expect("text") > 0, "{text}");
    }
    let kill = Command::new("kill").arg(worker.id().to_string()).status();
    assert!(kill.expect("a shell's kill").success());
    let done = worker.wait_with_output().expect("it ends");
    assert_eq!(done.status.code(), Some(3), "stopped early");
    let tally = String::from_utf8_lossy(&done.stdout);
    assert!(tally.contains("hashes, ") && tally.contains("shares accepted"), "{tally}");
    while !text.contains("worker 1 has left") {
        assert!(lines.read_line(&mut text).expect("text") > 0, "{text}");
    }
    server.kill().expect("it runs");
    server.wait().expect("it ends");
}

#[test]
fn wrong_words_are_answered_with_help() {
    for words in [&[][..], &["work"], &["serve"], &["serve", "--lease", "0", "x"], &["dig"]] {
        let done = Command::new(POOL).arg("pool").args(words).output().expect("it starts");
        assert_eq!(done.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&done.stderr).contains("--help"), "{words:?}");
    }
    let help = Command::new(POOL).arg("pool").arg("--help").output().expect("it starts");
    assert!(String::from_utf8_lossy(&help.stdout).contains("Example:"));
}
