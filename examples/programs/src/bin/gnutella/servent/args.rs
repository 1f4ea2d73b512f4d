//! The command line.

use core::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use examples::cli;

/// A servent over TCP: joins real peers, shares a folder, searches, and downloads with a checked SHA-1
///
/// While it runs it reads commands: find WORDS, get N, browse ADDR, links, quit.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  gnutella servent --listen 127.0.0.1:6346 --ultrapeer --share ~/music
  gnutella servent --listen 127.0.0.1:6347 --connect 127.0.0.1:6346 --find \"hey jude\" --trace")]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Args {
    /// Accept connections at this address; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6346")]
    pub listen: SocketAddr,
    /// Dial this servent; may be given several times
    #[arg(long, value_name = "ADDR")]
    pub connect: Vec<SocketAddrV4>,
    /// Ask this ultrapeer by datagram in each search (GUESS), besides those that are known; may be given several times
    #[arg(long, value_name = "ADDR")]
    pub guess: Vec<SocketAddrV4>,
    /// Route for leaves; without it this is a leaf, which needs an ultrapeer to connect to
    #[arg(long)]
    pub ultrapeer: bool,
    /// Offer the files of this folder (not of folders in it), which is watched for changes
    #[arg(long, value_name = "DIR")]
    pub share: Option<PathBuf>,
    /// Put downloads into this folder
    #[arg(long, value_name = "DIR", default_value = "downloads")]
    pub into: PathBuf,
    /// Search, download the first file that is found, and exit
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub find: Option<String>,
    /// How many seconds --find waits for hits
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub wait: u64,
    /// Send at most this many bytes per second, for all uploads together
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub upload_rate: Option<u64>,
    /// Behave as behind a firewall: accept connections only for files that were requested by push
    #[arg(long)]
    pub firewalled: bool,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    pub trace: bool,
}

fn words(text: &str) -> cli::Result<String> {
    if text.trim().is_empty() { Err("a word is expected".into()) } else { Ok(text.to_owned()) }
}
