//! The command line.

use core::time::Duration;
use std::path::PathBuf;

use examples::cli::within;

use super::ask::Ask;
use super::endpoint::Endpoint;
use super::store::Limits;
use super::task::Goal;

/// A node of a ring over UDP with a store: a value put under a name is found by every node of the ring
///
/// Nodes may join, leave and crash meanwhile. While it runs it reads commands: put NAME VALUE (a NAME of one word),
/// get NAME, delete NAME, ring, fingers, leave. The subcommands ask a running ring, and do not join it.
#[derive(Debug, Clone, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Example, in three terminals:
  chord node --listen 127.0.0.1:4000
  chord node --listen 127.0.0.1:4001 --join localhost:4000 --store node.store
  chord node put hey-jude \"at 127.0.0.1:6346\" --node 127.0.0.1:4001

On all addresses of a host, of both families, among members with a key only:
  chord node --listen [::]:4000 --public host.example:4000 --join other.example:4000 --key-file ring.key"
)]
pub struct Args {
    #[command(subcommand)]
    pub ask: Option<Ask>,
    #[command(flatten)]
    pub run: Run,
}

/// The options of a node.
#[derive(Debug, Clone, clap::Args)]
pub struct Run {
    /// Receive datagrams here; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4000", value_parser = Endpoint::parse)]
    pub listen: Endpoint,
    /// Where others reach this node, if it listens on all addresses (0.0.0.0 or ::); port 0 is that of --listen
    #[arg(long, value_name = "ADDR", value_parser = Endpoint::parse)]
    pub public: Option<Endpoint>,
    /// Join the ring of this node; several are tried in turn. Without it this node founds a ring
    #[arg(long, value_name = "ADDR", value_parser = Endpoint::parse)]
    pub join: Vec<Endpoint>,
    /// How long to try to join, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = within(0..=86_400_u64))]
    join_for: u64,
    /// Keep the store in this file from run to run
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// How much the store may take, in MiB; one host may use a quarter of it
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = within(1..=4096_usize))]
    store_limit: usize,
    /// Exchange datagrams only with nodes and clients that have the key in this file, of 16 bytes at least
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// How many nodes each node knows next to it, and how many copies are made; the same in the whole ring
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within(1..=20_u8))]
    pub successors: u8,
    /// How often the ring is repaired, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = within(10..=60_000_u64))]
    stabilize: u64,
    /// How much of the room for lookups questions that this node passes on for others may take, in percent
    #[arg(long, value_name = "P", default_value_t = 50, value_parser = within(0..=100_u8))]
    pub relay_percent: u8,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    pub trace: bool,
}

/// What the user has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Store, find or delete the value under a name.
    Task(String, Goal),
    Ring,
    Fingers,
    Leave,
}

impl Run {
    /// Returns how much the store may take.
    pub fn limits(&self) -> Limits {
        Limits::of(self.store_limit << 20)
    }

    /// Returns how often the ring is repaired.
    pub fn stabilize(&self) -> Duration {
        Duration::from_millis(self.stabilize)
    }

    /// Returns how long to try to join.
    pub fn join_for(&self) -> Duration {
        Duration::from_secs(self.join_for)
    }
}

impl Command {
    /// Reads a line that was typed.
    pub fn parse(line: &str) -> Result<Self, String> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        match (verb, rest.split_once(' ')) {
            ("put", Some((name, value))) => {
                let value = value.trim().as_bytes().to_vec();
                Ok(Self::Task(name.into(), Goal::Put { value, lifetime: 0 }))
            }
            ("get", _) if !rest.is_empty() => Ok(Self::Task(rest.into(), Goal::Get)),
            ("delete", _) if !rest.is_empty() => Ok(Self::Task(rest.into(), Goal::Delete)),
            ("ring", _) => Ok(Self::Ring),
            ("fingers", _) => Ok(Self::Fingers),
            ("leave" | "quit", _) => Ok(Self::Leave),
            _ => {
                Err("commands are: put NAME VALUE, get NAME, delete NAME, ring, fingers, leave"
                    .into())
            }
        }
    }
}
