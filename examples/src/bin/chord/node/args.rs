//! The command line.

use core::net::SocketAddrV4;
use core::time::Duration;

use examples::cli::{self, within};

/// A node of a ring over UDP with a store: a value put under a name is found by every node of the ring
///
/// Nodes may join, leave and crash meanwhile. While it runs it reads commands: put NAME VALUE (a NAME of one word),
/// get NAME, ring, fingers, leave.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in three terminals:
  chord node --listen 127.0.0.1:4000
  chord node --listen 127.0.0.1:4001 --join 127.0.0.1:4000
  chord node --listen 127.0.0.1:0 --join 127.0.0.1:4001 --put hey-jude \"127.0.0.1:6346\" --trace")]
pub struct Args {
    /// Receive datagrams at this address, as others reach it; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4000", value_parser = specified)]
    pub listen: SocketAddrV4,
    /// Join the ring that this node belongs to; without it this node founds a ring
    #[arg(long, value_name = "ADDR")]
    pub join: Option<SocketAddrV4>,
    /// Join, store a value, and leave; success if all copies are made
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"], requires = "join", conflicts_with = "get")]
    put: Option<Vec<String>>,
    /// Join, print the value, and leave; success if there is one
    #[arg(long, value_name = "NAME", requires = "join")]
    get: Option<String>,
    /// How many nodes each node knows next to it, and how many copies are made; the same in the whole ring
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = within(1..=20_u8))]
    pub successors: u8,
    /// How often the ring is repaired, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = within(10..=60_000_u64))]
    stabilize: u64,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    pub trace: bool,
}

/// What the user wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Put(String, String),
    Get(String),
    Ring,
    Fingers,
    Leave,
}

impl Args {
    /// Returns what to do before leaving, if anything.
    pub fn command(&self) -> Option<Command> {
        match (self.put.as_deref(), &self.get) {
            (Some([name, value]), _) => Some(Command::Put(name.clone(), value.clone())),
            (_, Some(name)) => Some(Command::Get(name.clone())),
            _ => None,
        }
    }

    /// Returns how often the ring is repaired.
    pub fn stabilize(&self) -> Duration {
        Duration::from_millis(self.stabilize)
    }
}

/// Parses an address that others can send to.
fn specified(text: &str) -> cli::Result<SocketAddrV4> {
    let address: SocketAddrV4 = text.parse().map_err(cli::sentence)?;
    if address.ip().is_unspecified() {
        return Err("the address that others reach is expected, not 0.0.0.0".into());
    }
    Ok(address)
}

impl Command {
    /// Reads a line that was typed.
    pub fn parse(line: &str) -> Result<Self, String> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        match (verb, rest.split_once(' ')) {
            ("put", Some((name, value))) => Ok(Self::Put(name.into(), value.trim().into())),
            ("get", _) if !rest.is_empty() => Ok(Self::Get(rest.into())),
            ("ring", _) => Ok(Self::Ring),
            ("fingers", _) => Ok(Self::Fingers),
            ("leave" | "quit", _) => Ok(Self::Leave),
            _ => Err("commands are: put NAME VALUE, get NAME, ring, fingers, leave".into()),
        }
    }
}
