//! A BitTorrent tracker over HTTP and UDP on one port, with all it knows in memory.

mod http;
mod store;
mod udp;

use core::net::SocketAddr;
use core::time::Duration;
use std::net::{TcpListener, UdpSocket};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use examples::words::Words;
use store::Store;

const HELP: &str = "\
A BitTorrent tracker over HTTP and UDP on one port, with all it knows in memory.

Usage: tracker [OPTIONS]

  --listen ADDR       where to listen, over TCP and UDP (default 127.0.0.1:6969; port 0 picks one)
  --interval SECONDS  how often peers are to announce, 1 to 86400 (default 1800)
  --trace             print every request as one line
  --help              print this

It runs until it is stopped. A peer that does not announce for two intervals is forgotten.

Example, in two terminals:
  tracker --interval 60
  torrent make film.mp4 --tracker http://127.0.0.1:6969/announce --tracker udp://127.0.0.1:6969";

/// What the command line asks for.
struct Args {
    listen: SocketAddr,
    interval: u64,
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
pub fn run(words: Vec<String>) -> ExitCode {
    examples::words::start(words, "torrent tracker", HELP, parse, |args| {
        serve(&args).map(|()| ExitCode::SUCCESS)
    })
}

fn parse(mut words: Words) -> Result<Args, String> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 6969));
    let mut args = Args { listen, interval: 1_800, trace: false };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--listen" => {
                let value = words.value(&word)?;
                let wrong = |_| format!("--listen takes an address such as {listen}, not {value}");
                args.listen = value.parse().map_err(wrong)?;
            }
            "--interval" => args.interval = words.number(&word, 1..=86_400)?,
            "--trace" => args.trace = true,
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn serve(args: &Args) -> Result<(), String> {
    let named = |error| format!("cannot listen on {}: {error}", args.listen);
    let tcp = TcpListener::bind(args.listen).map_err(named)?;
    let address = tcp.local_addr().map_err(named)?;
    let udp = UdpSocket::bind(address).map_err(named)?;
    let interval = Duration::from_secs(args.interval);
    let store = Mutex::new(Store::new(2 * interval));
    let ctx = Arc::new(Ctx { store, interval, trace: args.trace });
    println!("tracking on http://{address}/announce and udp://{address}");
    let other = Arc::clone(&ctx);
    std::thread::spawn(move || udp::serve(&other, &udp));
    http::serve(&ctx, &tcp)
}
