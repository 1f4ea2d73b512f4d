//! The command line.

use core::net::SocketAddr;
use std::path::PathBuf;

/// The central index of Napster over TCP, as OpenNap servers speak it: a server, or a client of one
///
/// A client shares a folder, searches, and fetches files from peers. It reads commands: find WORDS, get N, browse NICK,
/// watch NICK, tell NICK WORDS, stats, quit. Names, files and the password (which is always "none") are sent as plain text.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(after_help = "\
Example, in two terminals:
  gnutella napster --serve 127.0.0.1:8888
  gnutella napster --connect 127.0.0.1:8888 --nick ann --share ~/music --trace")]
pub struct Args {
    /// Be the index, at this address
    #[arg(long, value_name = "ADDR", required_unless_present = "connect")]
    pub serve: Option<SocketAddr>,
    /// Be a client of the index at this address
    #[arg(long, value_name = "ADDR", conflicts_with = "serve", requires = "nick")]
    pub connect: Option<SocketAddr>,
    #[command(flatten)]
    pub client: Client,
    /// Print every message as one line: <- received, -> sent
    #[arg(long)]
    pub trace: bool,
}

/// Options of a client.
#[derive(Debug, Clone, clap::Args)]
pub struct Client {
    /// The name to log in with; any that is free
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub nick: String,
    /// Offer the files of this folder
    #[arg(long, value_name = "DIR")]
    pub share: Option<PathBuf>,
    /// Where peers fetch them; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Accept no connections: peers ask the index, and this client connects to them
    #[arg(long)]
    pub firewalled: bool,
    /// Put downloads into this folder
    #[arg(long, value_name = "DIR", default_value = "downloads")]
    pub into: PathBuf,
}
