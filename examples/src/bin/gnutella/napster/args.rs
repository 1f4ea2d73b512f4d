//! The command line.

use core::net::SocketAddr;
use std::path::PathBuf;

use examples::words::Words;

pub const HELP: &str = "\
The central index of Napster over TCP, as OpenNap servers speak it: a server, and a client that shares a folder,
searches, and fetches files from peers.

Usage: napster --serve ADDR [--trace]
       napster --connect ADDR --nick NAME [OPTIONS]

  --serve ADDR      be the index, at this address
  --connect ADDR    be a client of the index at this address
  --nick NAME       the name to log in with; any that is free
  --share DIR       offer the files of this folder
  --listen ADDR     where peers fetch them (default 127.0.0.1:0, a free port)
  --firewalled      take no connections: peers ask the index, and this client connects to them
  --into DIR        where downloads go (default downloads)
  --trace           print every message as one line: <- received, -> sent
  --help            print this

A client reads commands: find WORDS, get N, browse NICK, watch NICK, stats, quit.
Names, files and the password (which is always \"none\") go over the network as plain text.

Example, in two terminals:
  napster --serve 127.0.0.1:8888
  napster --connect 127.0.0.1:8888 --nick ann --share ~/music --trace";

/// What the command line asks for.
pub enum Args {
    Serve { listen: SocketAddr, trace: bool },
    Client(Options),
}

/// What a client is told.
pub struct Options {
    pub index: SocketAddr,
    pub nick: String,
    pub share: Option<PathBuf>,
    pub listen: SocketAddr,
    pub firewalled: bool,
    pub into: PathBuf,
    pub trace: bool,
}

impl Args {
    pub fn parse(mut words: Words) -> Result<Self, String> {
        let (mut serve, mut index, mut nick, mut share) = (None, None, None, None);
        let (mut firewalled, mut trace) = (false, false);
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut into = PathBuf::from("downloads");
        while let Some(word) = words.next() {
            let mut value = || words.value(&word);
            match word.as_str() {
                "--firewalled" => firewalled = true,
                "--trace" => trace = true,
                "--serve" => serve = Some(address(&word, &value()?)?),
                "--connect" => index = Some(address(&word, &value()?)?),
                "--listen" => listen = address(&word, &value()?)?,
                "--nick" => nick = Some(value()?),
                "--share" => share = Some(PathBuf::from(value()?)),
                "--into" => into = PathBuf::from(value()?),
                other => return Err(format!("there is no option {other}")),
            }
        }
        match (serve, index, nick) {
            (Some(listen), None, None) => Ok(Self::Serve { listen, trace }),
            (None, Some(index), Some(nick)) => {
                let options = Options { index, nick, share, listen, firewalled, into, trace };
                Ok(Self::Client(options))
            }
            _ => Err("give either --serve, or --connect and --nick".into()),
        }
    }
}

fn address(flag: &str, value: &str) -> Result<SocketAddr, String> {
    let bad = |_| format!("{flag} takes an address such as 127.0.0.1:8888, not {value}");
    value.parse().map_err(bad)
}
