//! A Gnutella servent: joins real peers, shares a folder, searches, is searched, and downloads.
//!
//! One thread owns the `Servent` and the `Datagrams` and receives from all others by a channel: one that accepts
//! connections, one that receives datagrams, two for each link, one for all uploads, one for each download, one that
//! watches the shared folder.

mod args;
mod browse;
mod ctx;
mod fetch;
mod guess;
mod hits;
mod links;
mod node;
mod proxy;
mod serve;
mod share;
mod transfer;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{self, BufRead as _};
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, RwLock};
use std::thread;
use std::time::Instant;

use examples::cli::{self, Exit};
use examples::interrupt;
use examples::random::random;
use gnutella_wire::{Role, ServentId};

pub use args::Args;
use ctx::{Ctx, Input};
use share::Library;

/// How many connections may wait for a first request or handshake at a time.
const MAX_STRANGERS: usize = 128;

/// Runs the subcommand.
pub fn run(args: Args) -> cli::Result {
    let library = match &args.share {
        Some(folder) => Library::read(folder)
            .map_err(|error| format!("cannot share {}: {error}", folder.display()))?,
        None => Library::default(),
    };
    let listener = TcpListener::bind(args.listen)
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = own_address(&listener, &args).map_err(|error| error.to_string())?;
    let (inputs, received) = channel();
    let (uploads, requests) = channel();
    let ctx = Arc::new(Ctx {
        start: Instant::now(),
        trace: args.trace,
        role: if args.ultrapeer { Role::Ultrapeer } else { Role::Leaf },
        servent: ServentId(random()),
        address,
        firewalled: args.firewalled,
        library: RwLock::new(Arc::new(library)),
        strangers: AtomicUsize::new(0),
        into: args.into,
        busy: AtomicBool::new(false),
        uploads: uploads.clone(),
        partials: Mutex::new(Vec::new()),
        downloads: Mutex::new(Vec::new()),
        proxied: Mutex::new(Vec::new()),
        expected: Mutex::new(Vec::new()),
        inputs,
    });
    serve::start(&ctx, uploads, requests, args.upload_rate);
    interrupt::install();
    println!("listening on {address}, sharing {} files", ctx.library().0.len());
    let socket = listener.local_addr().ok().and_then(guess::bind);
    if let Some(folder) = args.share {
        share::watch(&ctx, folder);
    }
    let strangers = Arc::clone(&ctx);
    thread::spawn(move || accept_all(&strangers, &listener));
    let user = Arc::clone(&ctx);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            user.send(Input::Line(line));
        }
    });
    let guess = socket.map(|socket| guess::Guess::start(&ctx, socket, &args.guess)).transpose();
    let guess = guess.map_err(|error| format!("cannot receive datagrams: {error}"))?;
    let wait = Duration::from_secs(args.wait);
    let node = node::Node::new(Arc::clone(&ctx), args.find, wait, guess);
    for to in &args.connect {
        links::dial(&ctx, *to);
    }
    let found = node.run(&received)?;
    Ok(Exit::stopped_if(found.is_none() && interrupt::interrupted()))
}

fn accept_all(ctx: &Arc<Ctx>, listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        if ctx.strangers.load(Ordering::Relaxed) >= MAX_STRANGERS {
            continue; // whoever waits for nothing must not keep out the others for long
        }
        ctx.strangers.fetch_add(1, Ordering::Relaxed);
        let ctx = Arc::clone(ctx);
        thread::spawn(move || {
            let from = ctx::peer(&stream);
            if let Err(error) = transfer::welcome(&ctx, stream) {
                ctx.trace(|| format!("   {from}: {error}"));
            }
            ctx.strangers.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Returns the address to tell others: where it listens, or if that is all interfaces, the one that
/// leads to the first servent to be dialled.
fn own_address(listener: &TcpListener, args: &Args) -> io::Result<SocketAddrV4> {
    let SocketAddr::V4(address) = listener.local_addr()? else {
        return Err(io::Error::other("Gnutella knows addresses of version 4 only"));
    };
    if !address.ip().is_unspecified() {
        return Ok(address);
    }
    let ip = args.connect.first().and_then(|to| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect(to).ok()?; // sends nothing
        match socket.local_addr().ok()? {
            SocketAddr::V4(own) => Some(*own.ip()),
            SocketAddr::V6(_) => None,
        }
    });
    Ok(SocketAddrV4::new(ip.unwrap_or(Ipv4Addr::LOCALHOST), address.port()))
}
