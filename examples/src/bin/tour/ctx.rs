//! What all stages share: the network, the trace, the capture, the counters and the clock.

use core::fmt::{self, Display};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sim::Rng;

use crate::args::Args;
use crate::net::{Conn, Incoming, Net, NodeId};
use crate::pcap::Pcap;
use crate::trace::Trace;
use examples::interrupt::interrupted;
use examples::progress;

/// The shortest wait: a stage whose deadline has passed must not stop the clock.
const BREATH: Duration = Duration::from_micros(100);
/// How many arrivals may put off what is due.
const MOST_LATE: u32 = 500;
/// The longest wait, so that Ctrl-C and the screen are looked at.
const NAP: Duration = Duration::from_millis(250);

/// The protocol of a message. It decides the port in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Handshake,
    Gnutella,
    Http,
    Chord,
    Store,
    BitTorrent,
    Ledger,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Gnutella => "gnutella",
            Self::Http => "http",
            Self::Chord => "chord",
            Self::Store => "store",
            Self::BitTorrent => "bittorrent",
            Self::Ledger => "ledger",
        }
    }

    /// Dissectors know no text in front of Gnutella descriptors, so the handshake has a port of its own.
    const fn port(self) -> u16 {
        match self {
            Self::Handshake => 6345,
            Self::Gnutella => 6346,
            Self::Http => 80,
            Self::Chord | Self::Store => 4646,
            Self::BitTorrent => 6881,
            Self::Ledger => 7373,
        }
    }
}

/// Why the tour cannot go on.
#[derive(Debug)]
pub enum Failure {
    Interrupted { stage: &'static str },
    Stuck { stage: &'static str, after: Duration, progress: String },
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted { stage } => {
                write!(
                    f,
                    "interrupted in {stage}; what was traced so far is in the output directory"
                )
            }
            Self::Stuck { stage, after, progress } => {
                write!(f, "{stage} did not end within {} s: {progress}", after.as_secs())
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// A stage as the driver sees it.
pub trait Stage {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure>;
    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure>;
    /// When `handle_timeout` is next due.
    fn poll_timeout(&self) -> Option<Duration>;
    fn is_done(&self) -> bool;
    fn progress(&self) -> String;
}

pub struct Ctx {
    pub net: Box<dyn Net>,
    pub args: Args,
    pub rng: Rng,
    pub trace: Trace,
    pub messages: u64,
    pub bytes: u64,
    stage: &'static str,
    pcap: Pcap,
    ends: BTreeMap<Conn, (NodeId, NodeId, bool)>, // at, peer, dialled
}

impl Ctx {
    pub fn new(args: Args, net: Box<dyn Net>) -> io::Result<Self> {
        Ok(Self {
            rng: Rng::new(args.seed),
            trace: Trace::create(&args.out.join("trace.jsonl"))?,
            pcap: Pcap::create(&args.out.join("tour.pcap"))?,
            net,
            args,
            messages: 0,
            bytes: 0,
            stage: "",
            ends: BTreeMap::new(),
        })
    }

    pub fn begin(&mut self, stage: &'static str) {
        self.stage = stage;
        self.messages = 0;
        self.bytes = 0;
        self.trace.begin(stage);
    }

    pub fn now(&self) -> Duration {
        self.net.now()
    }

    /// Returns the directory of a node's files.
    pub fn dir(&self, node: NodeId) -> PathBuf {
        self.args.out.join(format!("node-{:02}", node.0))
    }

    pub fn out(&self) -> &Path {
        &self.args.out
    }

    /// Registers the two ends of a connection; required before anything is sent on it.
    pub fn know(&mut self, conn: Conn, at: NodeId, peer: NodeId, dialled: bool) {
        self.ends.insert(conn, (at, peer, dialled));
    }

    pub fn peer_of(&self, conn: Conn) -> Option<NodeId> {
        self.ends.get(&conn).map(|(_, peer, _)| *peer)
    }

    /// Sends one message on a stream: counted, traced, captured.
    pub fn send(
        &mut self,
        conn: Conn,
        protocol: Protocol,
        say: impl Display,
        parts: &[&[u8]],
    ) -> io::Result<()> {
        let Some((at, peer, dialled)) = self.ends.get(&conn).copied() else { return Ok(()) };
        let bytes = if let [bytes] = parts {
            (*bytes).into()
        } else {
            std::borrow::Cow::from(parts.concat())
        };
        self.count(at, peer, protocol, &say, bytes.len())?;
        let (from, to) = if dialled {
            (place(at, 20_000 + peer.0), place(peer, protocol.port()))
        } else {
            (place(at, protocol.port()), place(peer, 20_000 + at.0))
        };
        self.pcap.stream(self.net.now(), from, to, &bytes)?;
        self.net.send(conn, &bytes);
        Ok(())
    }

    /// Sends a datagram: counted, traced, captured.
    pub fn send_datagram(
        &mut self,
        from: NodeId,
        to: NodeId,
        protocol: Protocol,
        say: impl Display,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.count(from, to, protocol, &say, bytes.len())?;
        self.pcap.datagram(
            self.net.now(),
            place(from, protocol.port()),
            place(to, protocol.port()),
            bytes,
        )?;
        self.net.send_datagram(from, to, bytes);
        Ok(())
    }

    /// Writes an event into the trace.
    pub fn note(&mut self, node: NodeId, what: impl Display) -> io::Result<()> {
        self.trace.note(self.net.now(), node, &what)
    }

    /// Prints a line for the person who watches.
    pub fn tell(&mut self, line: impl Display) {
        if !self.args.common.quiet {
            progress::clear();
            println!("  {line}");
        }
    }

    pub fn heading(&mut self, line: &str) {
        if !self.args.common.quiet {
            progress::clear();
            println!("\n{line}");
        }
    }

    /// Runs a stage to its end, or gives up after `patience`.
    pub fn drive(&mut self, stage: &mut dyn Stage, patience: Duration) -> Result<(), Failure> {
        let end = self.now() + patience;
        let mut late = 0;
        while !stage.is_done() {
            if interrupted() {
                return Err(Failure::Interrupted { stage: self.stage });
            }
            let now = self.now();
            if now >= end {
                let progress = stage.progress();
                return Err(Failure::Stuck { stage: self.stage, after: patience, progress });
            }
            // What has arrived comes before what is due, so that a slow machine decides by the same
            // knowledge as a fast one; but what is due does not wait for ever.
            let due = stage.poll_timeout().is_some_and(|at| at <= now);
            let until = if due { now } else { stage.poll_timeout().unwrap_or(end).min(now + NAP) };
            match self.net.poll(until.min(end).max(now + BREATH)) {
                Some(incoming) if !due || late < MOST_LATE => {
                    late += u32::from(due);
                    self.take(stage, incoming)?;
                }
                incoming => {
                    late = 0;
                    if let Some(incoming) = incoming {
                        self.take(stage, incoming)?;
                    }
                    if due {
                        stage.handle_timeout(self)?;
                    }
                }
            }
            progress::show(|| format!("  {} ..", stage.progress()));
        }
        progress::clear();
        Ok(())
    }

    fn take(&mut self, stage: &mut dyn Stage, incoming: Incoming) -> Result<(), Failure> {
        if let Incoming::Opened { conn, at, peer, dialled, .. } = incoming {
            self.know(conn, at, peer, dialled);
        }
        stage.handle(self, incoming)
    }

    pub fn finish(&mut self) -> io::Result<()> {
        self.trace.finish()?;
        self.pcap.finish()
    }

    fn count(
        &mut self,
        from: NodeId,
        to: NodeId,
        protocol: Protocol,
        say: &dyn Display,
        len: usize,
    ) -> io::Result<()> {
        self.messages += 1;
        self.bytes += len as u64;
        self.trace.message(self.net.now(), from, to, protocol.name(), len, say)
    }
}

/// Where a node stands in the capture.
fn place(node: NodeId, port: u16) -> SocketAddrV4 {
    let [high, low] = (node.0 + 1).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 0, high, low), port)
}
