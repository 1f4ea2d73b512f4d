//! A file from three servents at once: a slow one, one that sends a wrong byte, and one that answers with less than was
//! asked for. The program is killed in the middle and continues.

mod programs;

use core::net::SocketAddrV4;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{Method, Request};
use programs::{Running, folder, path, text, wait_for};

const GNUTELLA: &str = env!("CARGO_BIN_EXE_gnutella");
/// How often a stranger sends a piece of its answer.
const BEAT: Duration = Duration::from_millis(50);
/// No byte of a file is wrong here.
const NOWHERE: u64 = u64::MAX;

/// A servent of another make that has the file.
struct Stranger {
    song: Arc<Vec<u8>>,
    bytes_per_second: usize,
    /// The most bytes of an answer.
    most: u64,
    /// Whether it sends one byte wrong: the first of its second answer, and that byte ever after.
    lies: bool,
    answers: AtomicU64,
    wrong: AtomicU64,
}

impl Stranger {
    fn new(song: &Arc<Vec<u8>>, bytes_per_second: usize) -> Self {
        Self {
            song: Arc::clone(song),
            bytes_per_second,
            most: u64::MAX,
            lies: false,
            answers: AtomicU64::new(0),
            wrong: AtomicU64::new(NOWHERE),
        }
    }

    /// Listens on a port of its own.
    fn listen(self) -> (Arc<Self>, SocketAddrV4) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let stranger = Arc::new(self);
        let serving = Arc::clone(&stranger);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                thread::spawn(move || serving.serve(stream)); // until the other end closes
            }
        });
        (stranger, address)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut received = Vec::new();
        let mut buf = [0; 2_048];
        loop {
            let len = stream.read(&mut buf)?;
            if len == 0 {
                return Ok(());
            }
            received.extend_from_slice(&buf[..len]);
            if let Ok((head, rest)) = Head::decode(&received, HeadLimits::GTKG) {
                let request = Request::from_head(&head).map_err(io::Error::other)?;
                self.answer(&request, &mut stream)?;
                received = rest.to_vec();
            }
        }
    }

    fn answer(&self, request: &Request<'_>, stream: &mut TcpStream) -> io::Result<()> {
        let size = self.song.len() as u64;
        let part = request.range.and_then(|range| range.of(size));
        let (Some(mut part), Method::Get) = (part, request.method) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        };
        part.last = part.last.min(part.first.saturating_add(self.most - 1));
        if self.answers.fetch_add(1, Ordering::Relaxed) == 1 && self.lies {
            self.wrong.store(part.first, Ordering::Relaxed);
        }
        let mut body = self.song[part.first as usize..=part.last as usize].to_vec();
        let wrong = self.wrong.load(Ordering::Relaxed).checked_sub(part.first);
        if let Some(byte) = wrong.and_then(|at| body.get_mut(usize::try_from(at).ok()?)) {
            *byte ^= 0xFF;
        }
        let first = part.first;
        let last = part.last;
        let len = body.len();
        write!(
            stream,
            "HTTP/1.1 206 OK\r\nServer: Strange 1.0\r\nContent-Range: bytes={first}-{last}/{size}\r\n\
             Content-Length: {len}\r\n\r\n"
        )?;
        for piece in body.chunks(self.bytes_per_second / 20) {
            stream.write_all(piece)?;
            thread::sleep(BEAT);
        }
        Ok(())
    }
}

/// Returns how much an unfinished download has saved.
fn saved(into: &Path) -> u64 {
    let ranges = fs::read_to_string(into.join("Hey Jude.mp3.part-ranges")).unwrap_or_default();
    let lengths =
        ranges.lines().skip(1).filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok());
    lengths.sum::<u64>()
}

/// Tells a servent by a request of a downloader where else the file is.
fn announce(to: &str, others: [SocketAddrV4; 2]) {
    let [one, other] = others;
    let mut stream = TcpStream::connect(to).unwrap();
    let request = format!(
        "HEAD /get/1/Hey%20Jude.mp3 HTTP/1.1\r\nX-Alt: {one},{other}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", text(&answer));
}

/// Fetches a file of this size; `rate` is the bandwidth of the slow one, in bytes per second.
fn fetch_from_three(name: &str, size: u64, rate: u64) {
    let shared = folder(&format!("{name}-shared"));
    let into = folder(&format!("{name}-into"));
    let mut rng = sim::Rng::new(size);
    let mut song = vec![0; size as usize];
    rng.fill(&mut song);
    fs::write(shared.join("Hey Jude.mp3"), &song).unwrap();
    let song = Arc::new(song);
    let rate_text = rate.to_string();
    let listen = ["servent", "--listen", "127.0.0.1:0"];
    let share = ["--ultrapeer", "--share", path(&shared), "--upload-rate", &rate_text];
    let slow = Running::start(GNUTELLA, &[&listen[..], &share].concat());
    wait_for("the end of hashing", || slow.output().contains(", sharing"));
    let output = slow.output();
    let address = output.split("listening on ").nth(1).and_then(|rest| rest.split(',').next());
    let slow = (address.expect(&output).to_owned(), slow);
    let fast = rate as usize * 4;
    let (liar, liar_at) = Stranger { lies: true, ..Stranger::new(&song, fast) }.listen();
    let (short, short_at) = Stranger { most: 300_000, ..Stranger::new(&song, fast) }.listen();
    announce(&slow.0, [liar_at, short_at]);

    let find = ["--connect", &slow.0, "--find", "hey jude", "--wait", "60", "--into", path(&into)];
    let find = [&listen[..], &find].concat();
    let first = Running::start(GNUTELLA, &find);
    wait_for("a third of the file", || saved(&into) > size / 3);
    let before = first.output();
    drop(first); // by SIGKILL
    assert!(!into.join("Hey Jude.mp3").exists(), "it was faster than expected: {before}");

    announce(&slow.0, [liar_at, short_at]); // the first run may have warned of the liar
    let done = Command::new(GNUTELLA).args(&find).stdin(Stdio::null()).output().unwrap();
    let said = text(&done.stdout);
    assert!(done.status.success(), "{before}{said}{}", text(&done.stderr));
    assert!(said.contains("continues with "), "{said}");
    assert!(fs::read(into.join("Hey Jude.mp3")).unwrap() == *song, "byte for byte");
    assert_ne!(liar.wrong.load(Ordering::Relaxed), NOWHERE, "it was asked twice at least");
    assert!(short.answers.load(Ordering::Relaxed) > 1);
    let both = before + &said;
    assert!(both.contains(&format!("{liar_at} is given up: WrongBytes")), "{both}");
    for honest in [short_at.to_string(), slow.0] {
        assert!(!both.contains(&format!("{honest} is given up: WrongBytes")), "{both}");
    }
}

#[test]
fn a_file_comes_from_three_servents_whatever_one_sends() {
    fetch_from_three("three", 8_000_000, 300_000);
}

#[test]
#[ignore = "100 MB: .ci/nightly.d/gnutella.sh"]
fn a_hundred_megabytes_come_from_three_servents() {
    fetch_from_three("hundred", 100_000_000, 1_000_000);
}
