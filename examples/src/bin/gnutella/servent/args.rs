//! The command line.

use core::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use examples::words::Words;

pub const HELP: &str = "\
A Gnutella servent over TCP: joins real peers, shares a folder, searches, is searched, and downloads with
a checked SHA-1.

Usage: servent [OPTIONS]

  --listen ADDR     where to accept connections (default 127.0.0.1:6346; port 0 picks one)
  --connect ADDR    dial this servent; may be given several times
  --ultrapeer       route for leaves; without it this is a leaf, which needs an ultrapeer to connect to
  --share DIR       offer the files of this folder (not of folders in it)
  --into DIR        where downloads go (default downloads)
  --find WORDS      search, download the first file that is found, and leave;
                    the exit status is 0 if it came whole and its hash is right
  --wait SECONDS    how long --find waits for hits (default 20)
  --firewalled      behave as behind a firewall: take no connections, but for files that were asked for by
                    push, and tell others to push
  --trace           print every message as one line: <- received, -> sent
  --help            print this

While it runs it reads commands: find WORDS, get N, links, quit.

Example, in two terminals:
  servent --listen 127.0.0.1:6346 --ultrapeer --share ~/music
  servent --listen 127.0.0.1:6347 --connect 127.0.0.1:6346 --find \"hey jude\" --trace";

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Args {
    pub listen: SocketAddr,
    pub connect: Vec<SocketAddrV4>,
    pub ultrapeer: bool,
    pub share: Option<PathBuf>,
    pub into: PathBuf,
    pub find: Option<String>,
    pub wait: u64,
    pub firewalled: bool,
    pub trace: bool,
}

impl Args {
    pub fn parse(mut words: Words) -> Result<Self, String> {
        let mut args = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 6346)),
            connect: Vec::new(),
            ultrapeer: false,
            share: None,
            into: PathBuf::from("downloads"),
            find: None,
            wait: 20,
            firewalled: false,
            trace: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.value(&word);
            match word.as_str() {
                "--ultrapeer" => args.ultrapeer = true,
                "--firewalled" => args.firewalled = true,
                "--trace" => args.trace = true,
                "--listen" => {
                    args.listen = parsed(&word, &value()?, "an address such as 127.0.0.1:6346")?;
                }
                "--connect" => {
                    let address = parsed(&word, &value()?, "an address such as 127.0.0.1:6346")?;
                    args.connect.push(address);
                }
                "--wait" => args.wait = parsed(&word, &value()?, "a number of seconds")?,
                "--share" => args.share = Some(PathBuf::from(value()?)),
                "--into" => args.into = PathBuf::from(value()?),
                "--find" => args.find = Some(value()?),
                other => return Err(format!("there is no option {other}")),
            }
        }
        Ok(args)
    }
}

fn parsed<T: core::str::FromStr>(flag: &str, value: &str, what: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} takes {what}, not {value}"))
}
