//! `torrent` beside other BitTorrent clients: one torrent of 2 GiB goes from one client to another over loopback, in memory.
//!
//! Each leech fetches from the same seed, and each seed gives to the same leech; the pairs run in turn, three times. All find
//! each other through `torrent tracker`. `TORRENT_BUILDS` may name more builds of `torrent`, separated by colons, which become
//! rows of their own: to compare two versions.

mod clients;
mod process;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clients::{Client, Job};
use process::Process;

const BYTES: usize = 2 << 30;
const ROUNDS: usize = 3;
/// A transfer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// A seed is ready when it did nothing for this long.
const QUIET: Duration = Duration::from_millis(600);

/// What a client used while the content went over the connection; the least of all rounds.
#[derive(Clone, Copy)]
struct Usage {
    cpu: f64, // seconds
    wall: f64,
    resident: f64, // MiB
}

const UNKNOWN: Usage = Usage { cpu: f64::INFINITY, wall: f64::INFINITY, resident: f64::INFINITY };

/// Measures all clients that are there, and says what is missing.
///
/// # Errors
///
/// A sentence if `torrent` cannot be built, or a transfer fails.
pub fn measure(root: &Path) -> Result<String, String> {
    let torrent = build(root)?;
    let (others, missing) = clients::others(root);
    let ours = Client::Torrent { name: "torrent".into(), path: torrent.clone() };
    let clients: Vec<_> = [ours].into_iter().chain(others).collect();
    let place = Place::new(&torrent)?;
    let mut leeches = vec![UNKNOWN; clients.len()];
    let mut seeds = vec![UNKNOWN; clients.len()];
    for round in 1..=ROUNDS {
        for at in 0..clients.len() {
            eprintln!("  round {round}: {} as leech", clients[at].name());
            let (seed, leech) = place.transfer(&clients[0], &clients[at])?;
            leeches[at] = leeches[at].least(leech);
            if at == 0 {
                seeds[at] = seeds[at].least(seed);
                continue;
            }
            eprintln!("  round {round}: {} as seed", clients[at].name());
            seeds[at] = seeds[at].least(place.transfer(&clients[at], &clients[0])?.0);
        }
    }
    let mut text = table("leech, from `torrent seed`", &clients, &leeches);
    text.push('\n');
    text += &table("seed, to `torrent get`", &clients, &seeds);
    for reason in missing {
        _ = writeln!(text, "\nNot measured: {reason}."); // a `String` takes all
    }
    Ok(text)
}

/// Returns the rows of all clients in one role, beside the first.
fn table(title: &str, clients: &[Client], usage: &[Usage]) -> String {
    let mut text = format!(
        "| {title} | CPU s | times the first | wall s | MB/s | most memory MiB |\n|---|---|---|---|---|---|\n"
    );
    for (client, used) in clients.iter().zip(usage) {
        let name = client.name();
        let Usage { cpu, wall, resident } = used;
        let ratio = cpu / usage[0].cpu;
        let rate = BYTES as f64 / 1e6 / wall;
        _ = writeln!(
            text,
            "| {name} | {cpu:.2} | {ratio:.2} | {wall:.1} | {rate:.0} | {resident:.1} |"
        );
    }
    text
}

impl Usage {
    fn least(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.min(other.cpu),
            wall: self.wall.min(other.wall),
            resident: self.resident.min(other.resident),
        }
    }
}

/// Builds `torrent` and returns its path.
fn build(root: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new("cargo");
    command.args(["build", "--quiet", "--release", "-p", "programs", "--bin", "torrent"]);
    let status = command.current_dir(root).status();
    let status = status.map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err("`cargo build -p programs --bin torrent` failed; see above".into());
    }
    Ok(root.join("target/release/torrent"))
}

/// The folder in memory with the content, and what all transfers share. It is removed at the end.
struct Place {
    folder: PathBuf,
    torrent: PathBuf,
    tracker_port: u16,
}

impl Place {
    /// Makes the content and the metainfo file.
    fn new(torrent: &Path) -> Result<Self, String> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let folder = parent.join(format!("figures-{}", std::process::id()));
        let place = Self { folder, torrent: torrent.into(), tracker_port: free_port()? };
        fs::create_dir_all(place.seed()).map_err(|error| place.named(&error))?;
        place.fill().map_err(|error| place.named(&error))?;
        let url = format!("http://127.0.0.1:{}/announce", place.tracker_port);
        let mut make = Command::new(torrent);
        make.arg("make").arg(place.content()).args(["--tracker", &url]);
        make.arg("--output").arg(place.metainfo());
        let made = make.output().map_err(|error| format!("torrent make: {error}"))?;
        if !made.status.success() {
            return Err(format!("torrent make: {}", String::from_utf8_lossy(&made.stderr)));
        }
        Ok(place)
    }

    /// Writes content that no file system and no client can make smaller.
    fn fill(&self) -> std::io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(self.content())?);
        let mut state = 0x0123_4567_89AB_CDEF_u64;
        for _ in 0..BYTES / 8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            file.write_all(&state.to_le_bytes())?;
        }
        file.flush()
    }

    fn seed(&self) -> PathBuf {
        self.folder.join("seed")
    }

    fn content(&self) -> PathBuf {
        self.seed().join("content")
    }

    fn metainfo(&self) -> PathBuf {
        self.folder.join("content.torrent")
    }

    fn named(&self, error: &std::io::Error) -> String {
        format!("{}: {error}", self.folder.display())
    }

    /// Runs a transfer; returns what the seed and the leech used.
    fn transfer(&self, seed: &Client, leech: &Client) -> Result<(Usage, Usage), String> {
        let into = self.folder.join("leech");
        let _ = fs::remove_dir_all(&into); // of a transfer before
        fs::create_dir_all(&into).map_err(|error| self.named(&error))?;
        let mut tracker = Command::new(&self.torrent);
        tracker.args(["tracker", "--listen", &format!("127.0.0.1:{}", self.tracker_port)]);
        tracker.args(["--interval", "10"]); // a leech that asks before the seed is known asks again
        let _tracker = Process::start(tracker, "the tracker", &self.folder)?;
        let metainfo = self.metainfo();
        let given = Job { metainfo: &metainfo, folder: &self.seed(), port: free_port()? };
        let mut seeding = Process::start(seed.seed(&given), seed.name(), &self.folder)?;
        seeding.wait_until_quiet(QUIET, PATIENCE)?;
        let before = seeding.cpu();
        let fetched = Job { metainfo: &metainfo, folder: &into, port: free_port()? };
        let start = Instant::now();
        let leeching = Process::start(leech.leech(&fetched), leech.name(), &self.folder)?;
        let ended = leeching.wait_until_ended(start, PATIENCE, || seeding.sample())?;
        sleep(Duration::from_millis(50)); // the seed sees the end of the connection
        let len = fs::metadata(into.join("content")).map_or(0, |metadata| metadata.len());
        if len != BYTES as u64 {
            return Err(format!("{} fetched {len} bytes from {}", leech.name(), seed.name()));
        }
        let given =
            Usage { cpu: seeding.cpu() - before, wall: ended.wall, resident: seeding.resident() };
        let _ = fs::remove_dir_all(&into); // memory
        Ok((given, Usage { cpu: ended.cpu, wall: ended.wall, resident: ended.resident }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns a port that nobody listens on.
fn free_port() -> Result<u16, String> {
    let socket = TcpListener::bind(("127.0.0.1", 0));
    let address = socket.and_then(|socket| socket.local_addr());
    address.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}
