//! A BitTorrent tracker over HTTP and UDP on one port, with all it knows in memory and, if wanted, in a file.

mod http;
mod save;
mod store;
mod udp;

use core::net::SocketAddr;
use core::time::Duration;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use examples::cli::{self, Exit, within};
use examples::udp::Udp;
use examples::{interrupt, warning};
use save::StateFile;
use store::Store;

use crate::client::json::Json;

/// How often the state file is written.
const SAVE: Duration = Duration::from_secs(60);

/// A tracker over HTTP and UDP on one port
///
/// It runs until it is stopped. A peer that does not announce for two intervals is forgotten. The path /stats has its
/// statistics, /stats?json the same as JSON.
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
    /// Keep what is known in this file, every minute and at the end
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print the start and the statistics at the end as JSON, one object in a line
    #[arg(long)]
    json: bool,
    /// Print every request as one line
    #[arg(long)]
    trace: bool,
}

/// What both threads share.
struct Ctx {
    store: Mutex<Store>,
    interval: Duration,
    started: Instant,
    trace: bool,
}

impl Ctx {
    /// Returns the statistics as lines or as a JSON object.
    fn stats(&self, json: bool) -> String {
        let stats = self.store.lock().expect("no panics").stats();
        let count = |count: usize| count as u64;
        let fields = [
            ("uptime", self.started.elapsed().as_secs()),
            ("torrents", count(stats.torrents)),
            ("peers", count(stats.peers)),
            ("seeders", count(stats.seeders)),
            ("addresses", count(stats.addresses)),
            ("announces", stats.announces),
            ("scrapes", stats.scrapes),
            ("refused", stats.refused),
        ];
        if json {
            let fields = fields.map(|(name, number)| (name, Json::Number(number)));
            return format!("{}\n", Json::Object(fields.to_vec()));
        }
        fields.map(|(name, number)| format!("{name:<10} {number}\n")).concat()
    }

    /// Writes the state file, if there is one.
    fn save(&self, file: Option<&StateFile>) {
        let Some(file) = file else { return };
        let bytes = {
            let mut store = self.store.lock().expect("no panics");
            store.sweep_all(Instant::now());
            save::encode(&store)
        };
        if let Err(error) = file.save(&bytes) {
            warning!("{error}");
        }
    }

    fn trace(&self, from: SocketAddr, what: &impl core::fmt::Display) {
        if self.trace {
            println!("{from} {what}");
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    interrupt::install();
    let named = |error| format!("cannot listen on {}: {error}", args.listen);
    let tcp = TcpListener::bind(args.listen).map_err(named)?;
    let address = tcp.local_addr().map_err(named)?;
    let mut udp = Udp::bind(address)?;
    let interval = Duration::from_secs(args.interval);
    let mut store = Store::new(2 * interval);
    let file = args.state.as_deref().map(StateFile::new);
    let known = file.as_ref().map_or(Ok(0), |file| file.load(&mut store))?;
    if let Some(file) = &file {
        file.save(&save::encode(&store))?; // one that cannot be written is found out now and not at the end
    }
    let started = Instant::now();
    let ctx = Ctx { store: Mutex::new(store), interval, started, trace: args.trace };
    let ctx = Arc::new(ctx);
    let url = format!("http://{address}/announce");
    if args.json {
        let fields = vec![
            ("event", Json::text("tracking")),
            ("http", Json::text(url)),
            ("udp", Json::text(format!("udp://{address}"))),
            ("known_peers", Json::Number(known as u64)),
        ];
        println!("{}", Json::Object(fields));
    } else {
        println!("tracking on {url} and udp://{address}");
        if known > 0 {
            println!("{known} peers are known from the last run");
        }
    }
    let other = Arc::clone(&ctx);
    std::thread::spawn(move || {
        if let Err(error) = udp::serve(&other, &mut udp) {
            eprintln!("error: {error}");
        }
    });
    let web = Arc::clone(&ctx);
    let served = std::thread::spawn(move || http::serve(&web, &tcp));
    let mut saved = Instant::now();
    while !interrupt::interrupted() && !served.is_finished() {
        std::thread::sleep(Duration::from_millis(100));
        if saved.elapsed() >= SAVE {
            saved = Instant::now();
            ctx.save(file.as_ref());
        }
    }
    ctx.save(file.as_ref());
    print!("{}", ctx.stats(args.json));
    if served.is_finished() {
        served.join().map_err(|_| "the HTTP server failed")??;
    }
    Ok(Exit::Stopped)
}
