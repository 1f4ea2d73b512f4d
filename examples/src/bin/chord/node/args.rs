//! The command line.

use core::net::SocketAddrV4;
use core::time::Duration;

use examples::words::Words;

pub const HELP: &str = "\
A node of a Chord ring over UDP, with a store: puts a value under a name, and any node of the ring finds it,
while nodes join, leave and crash.

Usage: chord [OPTIONS]

  --listen ADDR     where to receive datagrams, as others reach it (default 127.0.0.1:4000; port 0 picks one)
  --join ADDR       join the ring that this node belongs to; without it this node founds a ring
  --put NAME VALUE  join, store a value, and leave; the exit status is 0 if all copies are made
  --get NAME        join, print the value, and leave; the exit status is 0 if there is one
  --successors N    how many nodes each node knows next to it, and how many copies are made, 1 to 20;
                    the same in the whole ring (default 4)
  --stabilize MS    how often the ring is repaired, in milliseconds, 10 to 60000 (default 500)
  --trace           print every message as one line: <- received, -> sent
  --help            print this

While it runs it reads commands: put NAME VALUE (a NAME of one word), get NAME, ring, fingers, leave.

Example, in three terminals:
  chord --listen 127.0.0.1:4000
  chord --listen 127.0.0.1:4001 --join 127.0.0.1:4000
  chord --listen 127.0.0.1:0 --join 127.0.0.1:4001 --put hey-jude \"127.0.0.1:6346\" --trace";

#[derive(Debug, Clone)]
pub struct Args {
    pub listen: SocketAddrV4,
    pub join: Option<SocketAddrV4>,
    pub errand: Option<Command>,
    pub successors: u8,
    pub stabilize: Duration,
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
    pub fn parse(mut words: Words) -> Result<Self, String> {
        let mut args = Self {
            listen: SocketAddrV4::new([127, 0, 0, 1].into(), 4000),
            join: None,
            errand: None,
            successors: 4,
            stabilize: Duration::from_millis(500),
            trace: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--listen" => args.listen = address(&word, &words.value(&word)?)?,
                "--join" => args.join = Some(address(&word, &words.value(&word)?)?),
                "--put" => {
                    let name = words.value(&word)?;
                    let value = words.value(&word).map_err(|_| "--put needs a name and a value")?;
                    args.errand = Some(Command::Put(name, value));
                }
                "--get" => args.errand = Some(Command::Get(words.value(&word)?)),
                "--successors" => args.successors = words.number(&word, 1..=20)?,
                "--stabilize" => {
                    args.stabilize = Duration::from_millis(words.number(&word, 10..=60_000)?);
                }
                "--trace" => args.trace = true,
                other => return Err(format!("there is no option {other}")),
            }
        }
        if args.listen.ip().is_unspecified() {
            return Err("--listen takes the address that others reach, not 0.0.0.0".into());
        }
        if args.errand.is_some() && args.join.is_none() {
            return Err("--put and --get need --join: a ring of its own knows nothing".into());
        }
        Ok(args)
    }
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

fn address(flag: &str, value: &str) -> Result<SocketAddrV4, String> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("{flag} takes an address such as 127.0.0.1:4000, not {value}"))
}
