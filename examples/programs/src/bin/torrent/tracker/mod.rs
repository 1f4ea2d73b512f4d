//! A BitTorrent tracker over HTTP and UDP on one port, with all it knows in memory.

mod http;
mod store;
mod udp;

use core::net::SocketAddr;
use core::time::Duration;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use examples::cli::{self, Exit, within};
use examples::udp::Udp;
use store::Store;

/// A tracker over HTTP and UDP on one port, with all it knows in memory
///
/// It runs until it is stopped. A peer that does not announce for two intervals is forgotten.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Example, in two terminals:
  torrent tracker --interval 60
  torrent make film.mp4 --tracker http://127.0.0.1:6969/announce --tracker udp://127.0.0.1:6969")]
pub struct Args {
    /// Listen at this address, over TCP and UDP; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969")]
    listen: SocketAddr,
    /// How often peers are to announce
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800, value_parser = within(1..=86_400_u64))]
    interval: u64,
    /// Print every request as one line
    #[arg(long)]
    trace: bool,
}

/// What both threads share.
struct Ctx {
    store: Mutex<Store>,
    interval: Duration,
    trace: bool,
}

impl Ctx {
    fn trace(&self, from: SocketAddr, what: &impl core::fmt::Display) {
        if self.trace {
            println!("{from} {what}");
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let named = |error| format!("cannot listen on {}: {error}", args.listen);
    let tcp = TcpListener::bind(args.listen).map_err(named)?;
    let address = tcp.local_addr().map_err(named)?;
    let mut udp = Udp::bind(address)?;
    let interval = Duration::from_secs(args.interval);
    let store = Mutex::new(Store::new(2 * interval));
    let ctx = Arc::new(Ctx { store, interval, trace: args.trace });
    println!("tracking on http://{address}/announce and udp://{address}");
    let other = Arc::clone(&ctx);
    std::thread::spawn(move || {
        if let Err(error) = udp::serve(&other, &mut udp) {
            eprintln!("error: {error}");
        }
    });
    http::serve(&ctx, &tcp)?;
    Ok(Exit::Success)
}
