//! The command line.

use std::path::PathBuf;

pub const HELP: &str = "\
One song, from search to settlement: twelve nodes boot a Gnutella overlay, find a file by flooding and
by a Chord ring, share it by BitTorrent, settle the deliveries on a ledger, and audit all copies.

Usage: tour [OPTIONS] [FILE]

  FILE            the file to share; without it the program shares its own executable
  --nodes N       how many nodes, 8 to 40 (default 12: 3 ultrapeers, 3 seeds, 8 leeches, 1 saboteur)
  --seed N        the seed of all random choices (default 1)
  --loss PERCENT  how much of the network's datagrams is lost, 0 to 30 (default 0)
  --sim           run over the simulated network in virtual time instead of sockets on 127.0.0.1;
                  the same seed then gives the same trace, byte by byte
  --out DIR       where trace.jsonl, tour.pcap and report.html go (default target/tour)
  --quiet         print the final table only
  --help          print this

Example: tour --sim --seed 7 --loss 10 song.mp3";

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Args {
    pub file: Option<PathBuf>,
    pub nodes: u16,
    pub seed: u64,
    pub loss_percent: u8,
    pub sim: bool,
    pub out: PathBuf,
    pub quiet: bool,
}

/// What to do instead of a tour.
pub enum Otherwise {
    Help,
    Complain(String),
}

impl Args {
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Otherwise> {
        let mut args = Self {
            file: None,
            nodes: 12,
            seed: 1,
            loss_percent: 0,
            sim: false,
            out: PathBuf::from("target/tour"),
            quiet: false,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Err(Otherwise::Help),
                "--sim" => args.sim = true,
                "--quiet" | "-q" => args.quiet = true,
                "--nodes" => args.nodes = number(&word, words.next(), 8, 40)? as u16,
                "--seed" => args.seed = number(&word, words.next(), 0, u64::MAX)?,
                "--loss" => args.loss_percent = number(&word, words.next(), 0, 30)? as u8,
                "--out" => {
                    let dir = words.next().ok_or_else(|| complain("--out needs a directory"))?;
                    args.out = PathBuf::from(dir);
                }
                flag if flag.starts_with('-') => {
                    return Err(complain(&format!("there is no option {flag}")));
                }
                _ if args.file.is_some() => return Err(complain("one file at a time")),
                _ => args.file = Some(PathBuf::from(word)),
            }
        }
        Ok(args)
    }
}

fn number(flag: &str, value: Option<String>, least: u64, most: u64) -> Result<u64, Otherwise> {
    let value = value.ok_or_else(|| complain(&format!("{flag} needs a number")))?;
    match value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(complain(&format!("{flag} takes a number from {least} to {most}, not {value}"))),
    }
}

fn complain(what: &str) -> Otherwise {
    Otherwise::Complain(format!("{what}; see tour --help"))
}
