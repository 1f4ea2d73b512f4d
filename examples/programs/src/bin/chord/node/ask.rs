//! `chord node get`, `put`, `delete` and `status`: a client that does not join the ring.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chord_core::{Id160, Peer};
use examples::cli::{self, Exit, failed, within};
use examples::udp::Udp;
use examples::{interrupt, progress, random};
use serde_json::{Value, json};

use super::client::{Client, ClientEvent};
use super::endpoint::{Endpoint, resolve_all};
use super::key;
use super::line::Line;
use super::parts::{LONGEST_VALUE, place};
use super::store::{Report, read_fingers};
use super::task::{Goal, Outcome, Task};

/// The longest wait for a datagram, so that a signal is noticed soon.
const TICK: Duration = Duration::from_millis(50);
/// What takes longer shows its progress.
const SHORT: Duration = Duration::from_secs(2);

/// What a client asks a ring.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Ask {
    /// Print the value under a name
    ///
    /// Asks one of the given nodes for the owner of the name, and the owner for the value. It does not join the ring.
    #[command(
        after_help = "Example: chord node get hey-jude --node 127.0.0.1:4000 --node other.example:4000"
    )]
    Get {
        /// The name of the value
        name: String,
        /// Write the value to this file
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        ring: Ring,
    },
    /// Store a value of up to 1 MiB under a name
    ///
    /// It replaces an earlier value. The answer says how many nodes have it besides its owner.
    #[command(after_help = "\
Example: chord node put hey-jude \"at 127.0.0.1:6346\" --node 127.0.0.1:4000 --ttl 3600
         chord node put photo --file photo.jpg --node 127.0.0.1:4000")]
    Put {
        /// The name of the value
        name: String,
        /// The value
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        value: Option<String>,
        /// Read the value from this file; - is the standard input
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// How long to keep it, in seconds; without it, until it is deleted
        #[arg(long, value_name = "S", value_parser = within(1..=u32::MAX))]
        ttl: Option<u32>,
        #[command(flatten)]
        ring: Ring,
    },
    /// Delete the value under a name
    ///
    /// The deletion is remembered for a day; a node that was away for longer may bring the value back.
    #[command(after_help = "Example: chord node delete hey-jude --node 127.0.0.1:4000")]
    Delete {
        /// The name of the value
        name: String,
        #[command(flatten)]
        ring: Ring,
    },
    /// Show the state of a node: its neighbours, fingers, store and counters
    #[command(after_help = "Example: chord node status --node 127.0.0.1:4000 --json")]
    Status {
        #[command(flatten)]
        ring: Ring,
    },
}

/// How to reach the ring.
#[derive(Debug, Clone, clap::Args)]
pub struct Ring {
    /// A node of the ring; several are tried in turn
    #[arg(long, value_name = "ADDR", required = true, value_parser = Endpoint::parse)]
    node: Vec<Endpoint>,
    /// How long to try, in seconds
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = within(1..=86_400_u64))]
    timeout: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// The shared key of the ring
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    trace: bool,
}

/// A client, its socket and its deadline.
struct Session {
    udp: Udp,
    line: Line<Client>,
    begun: Instant,
    timeout: Duration,
    nodes: String,
}

/// Runs the subcommand.
pub fn run(ask: &Ask) -> cli::Result {
    match ask {
        Ask::Get { name, output, ring } => {
            let outcome = Session::open(ring)?.run(Task::new(place(name), Goal::Get));
            finish(name, ring, outcome?, output.as_deref())
        }
        Ask::Put { name, value, file, ttl, ring } => {
            let value = match (value, file) {
                (Some(value), _) => value.clone().into_bytes(),
                (_, Some(file)) => read_value(file)?,
                (None, None) => return cli::refuse("a value or --file is expected"),
            };
            let goal = Goal::Put { value, lifetime: ttl.unwrap_or(0) };
            let outcome = Session::open(ring)?.run(Task::new(place(name), goal));
            finish(name, ring, outcome?, None)
        }
        Ask::Delete { name, ring } => {
            let outcome = Session::open(ring)?.run(Task::new(place(name), Goal::Delete));
            finish(name, ring, outcome?, None)
        }
        Ask::Status { ring } => Session::open(ring)?.status(ring.json),
    }
}

/// Reads no more than the longest value and a byte.
fn read_value(path: &Path) -> cli::Result<Vec<u8>> {
    let mut value = vec![];
    let most = LONGEST_VALUE as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().take(most).read_to_end(&mut value)
    } else {
        fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut value))
    };
    read.map_err(failed("read", path))?;
    if value.len() > LONGEST_VALUE {
        return Err(format!(
            "{} has more than {LONGEST_VALUE} bytes, the most for a value",
            path.display()
        ));
    }
    Ok(value)
}

impl Session {
    fn open(ring: &Ring) -> cli::Result<Self> {
        let nodes = resolve_all(&ring.node, None)?;
        let key = ring.key_file.as_deref().map(key::read).transpose()?;
        let v6 = nodes.iter().any(SocketAddr::is_ipv6);
        let any: &[&str] = if v6 { &["[::]:0", "0.0.0.0:0"] } else { &["0.0.0.0:0"] };
        let mut udp = Err(String::new());
        for address in any {
            let address: SocketAddr = address.parse().map_err(cli::sentence)?;
            udp = udp.or_else(|_: String| Udp::bind(address));
        }
        let udp = udp?;
        let socket = udp.address()?;
        interrupt::install();
        let names: Vec<String> = ring.node.iter().map(ToString::to_string).collect();
        let client = Client::new(nodes, u64::from_be_bytes(random::random()));
        Ok(Self {
            udp,
            line: Line::new(client, socket, key, ring.trace),
            begun: Instant::now(),
            timeout: Duration::from_secs(ring.timeout),
            nodes: names.join(", "),
        })
    }

    /// Exchanges datagrams for a moment.
    ///
    /// # Errors
    ///
    /// A sentence; the inner result says that a signal or the deadline came first.
    fn turn(&mut self) -> cli::Result<Result<(), Exit>> {
        if interrupt::interrupted() {
            return Ok(Err(Exit::Stopped));
        }
        if self.begun.elapsed() >= self.timeout {
            let seconds = self.timeout.as_secs();
            if !self.line.speaker.is_reached() {
                return Err(format!("no answer from {} within {seconds} s", self.nodes));
            }
            progress::clear();
            eprintln!("error: not done within {seconds} s; see --timeout");
            return Ok(Err(Exit::Stopped));
        }
        self.udp.turn(&mut self.line, TICK).map(|_| Ok(()))
    }

    /// Runs a task to its end.
    fn run(mut self, mut task: Task) -> cli::Result<Result<Outcome, Exit>> {
        loop {
            while let Some(request) = task.next() {
                self.line.speaker.request(self.udp.now(), request.key, request.change);
            }
            while let Some(event) = self.line.speaker.poll_event() {
                if let ClientEvent::Answered { key, answer } = event {
                    task.handle(key, answer);
                }
            }
            if let Some(outcome) = task.outcome() {
                progress::clear();
                return Ok(Ok(outcome));
            }
            if self.begun.elapsed() > SHORT {
                progress::show(|| task.describe());
            }
            if let Err(exit) = self.turn()? {
                return Ok(Err(exit));
            }
        }
    }

    fn status(mut self, as_json: bool) -> cli::Result {
        self.line.speaker.ask_status(self.udp.now());
        let mut report = None;
        let mut fingers = None;
        loop {
            while let Some(event) = self.line.speaker.poll_event() {
                match event {
                    ClientEvent::Report { part: 0, bytes } => report = Report::decode(&bytes),
                    ClientEvent::Report { bytes, .. } => fingers = read_fingers(&bytes),
                    ClientEvent::Answered { .. } => {}
                }
            }
            if let (Some(report), Some(fingers)) = (&report, &fingers) {
                if as_json {
                    print_json(&report.to_json(fingers));
                } else {
                    print_report(report, fingers);
                }
                return Ok(Exit::Success);
            }
            if let Err(exit) = self.turn()? {
                return Ok(exit);
            }
        }
    }
}

/// Prints how a task has ended.
fn finish(
    name: &str,
    ring: &Ring,
    outcome: Result<Outcome, Exit>,
    output: Option<&Path>,
) -> cli::Result {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(exit) => return Ok(exit),
    };
    let key = place(name);
    if let Outcome::Failed(why) = outcome {
        return Err(why);
    }
    if let (Outcome::Found { value, .. }, Some(path)) = (&outcome, output) {
        cli::write(path, value)?;
    }
    let found = outcome != Outcome::Nothing;
    if ring.json {
        print_json(&to_json(key, &outcome, output.is_none()));
    } else if let Outcome::Found { value, .. } = &outcome {
        if output.is_none() {
            let mut out = std::io::stdout().lock();
            let printed = out.write_all(value).and_then(|()| out.write_all(b"\n"));
            printed.map_err(|error| format!("cannot print the value: {error}"))?;
        }
    } else {
        println!("{}", describe(key, &outcome));
    }
    Ok(Exit::success_if(found))
}

/// Describes how a task for a key has ended in one line; a value is text here.
pub fn describe(key: Id160, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stored { version, copies, parts } => {
            let parts = if *parts > 1 { format!(", {parts} parts") } else { String::new() };
            format!("stored under {key:.8}, version {version}{parts}, {}", describe_copies(*copies))
        }
        Outcome::Deleted { copies } => format!("deleted {key:.8}, {}", describe_copies(*copies)),
        Outcome::Found { value, .. } => String::from_utf8_lossy(value).into_owned(),
        Outcome::Nothing => format!("nothing under {key:.8}"),
        Outcome::Failed(why) => format!("failed: {why}"),
    }
}

fn describe_copies(copies: u8) -> String {
    match copies {
        0 => "no copy: only its owner has it".into(),
        1 => "1 copy besides its owner's".into(),
        copies => format!("{copies} copies besides its owner's"),
    }
}

fn to_json(key: Id160, outcome: &Outcome, with_value: bool) -> Value {
    let key = key.to_string();
    match outcome {
        Outcome::Stored { version, copies, parts } => {
            json!({ "key": key, "stored": true, "version": version, "copies": copies, "parts": parts })
        }
        Outcome::Deleted { copies } => json!({ "key": key, "deleted": true, "copies": copies }),
        Outcome::Found { value, version, copies, lifetime } => {
            let ttl = (*lifetime > 0).then_some(lifetime);
            let mut json = json!({
                "key": key,
                "found": true,
                "version": version,
                "copies": copies,
                "ttl_seconds": ttl,
                "bytes": value.len(),
            });
            match core::str::from_utf8(value) {
                _ if !with_value => {}
                Ok(text) => json["value"] = text.into(),
                Err(_) => {
                    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                    json["value_hex"] = hex.into();
                }
            }
            json
        }
        Outcome::Nothing | Outcome::Failed(_) => json!({ "key": key, "found": false }),
    }
}

fn print_json(value: &Value) {
    println!("{value}");
}

fn print_report(report: &Report<SocketAddr>, fingers: &[Peer<Id160, SocketAddr>]) {
    let peer = |peer: &Peer<Id160, SocketAddr>| format!("{:.8} {}", peer.id, peer.address);
    let state = if report.member { "member of the ring" } else { "not in a ring" };
    println!("node {}, {state}, up {}", peer(&report.me), progress::span(report.uptime));
    println!("keys ({:.8}, {:.8}]", report.keys_after, report.me.id);
    let size = progress::size(report.bytes);
    println!("store: {} entries, own and copies of others', {size}", report.entries);
    println!("predecessor: {}", report.predecessor.as_ref().map_or("none".into(), peer));
    for (n, one) in (1..).zip(&report.successors) {
        println!("successor {n}: {}", peer(one));
    }
    for (n, one) in (1..).zip(fingers) {
        println!("finger {n}: {}", peer(one));
    }
    let counters = &report.counters;
    println!(
        "datagrams: {} received, {} sent, {} malformed, {} without the shared key, {} of senders unknown until then",
        counters.received,
        counters.sent,
        counters.malformed,
        counters.unauthenticated,
        counters.unproven
    );
    println!(
        "requests: {} put, {} get; {} copies sent to compare, {} entries refused for lack of room",
        counters.puts, counters.gets, counters.copies, counters.refused
    );
}
