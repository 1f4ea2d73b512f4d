//! A worker: one thread that hashes, and looks at its connection between two slices.

use core::time::Duration;
use std::net::ToSocketAddrs as _;
use std::time::Instant;

use examples::cli::{self, Exit};
use examples::tcp::{Event, Tcp};
use examples::{interrupt, progress};
use pow::ConnId;
use pow::pool::{Worker, WorkerEvent};

const SLICE: u32 = 1 << 16;
/// The longest wait without work, so that a signal is noticed soon.
const ATTENTION: Duration = Duration::from_millis(200);

pub fn work(address: &str) -> cli::Result {
    let unreachable = |error| format!("cannot reach a pool at {address}: {error}");
    let to = address.to_socket_addrs().map_err(unreachable)?.next();
    let to = to.ok_or_else(|| format!("cannot reach a pool at {address}: no such host"))?;
    let mut net: Tcp<ConnId> = Tcp::dialler().map_err(unreachable)?;
    let pool = net.dial(to);
    let pool = pool.ok_or_else(|| format!("cannot reach a pool at {address}"))?;
    interrupt::install();
    let mut worker = Worker::new();
    let mut state = State::Dialling;
    let mut busy = false;
    let mut buf = [0; 4096];
    let start = Instant::now();
    while state != State::Closed && !interrupt::interrupted() {
        let wait = if busy { Duration::ZERO } else { ATTENTION };
        for event in net.turn(Some(wait)).map_err(|error| format!("{address}: {error}"))? {
            state = match event {
                Event::Opened { .. } => State::Open,
                Event::Closed(_) if state == State::Dialling => {
                    return Err(format!("cannot reach a pool at {address}: connection refused"));
                }
                Event::Closed(_) if state == State::Open => {
                    return Err(format!("{address} has no lease for this worker; it may be full"));
                }
                Event::Closed(_) => State::Closed,
                Event::Bytes(_) if receive(&mut net, pool, &mut worker) => State::Leased,
                Event::Bytes(_) | Event::Message(()) => state,
            };
        }
        if let Some(WorkerEvent::Closed { reason }) = worker.poll_event() {
            return Err(format!("{address} is not a pool: {reason}"));
        }
        busy = state != State::Closed && worker.step(SLICE);
        while let Some(len) = worker.poll_transmit(&mut buf).map_err(cli::sentence)? {
            net.send(pool, &buf[..len]);
            busy = worker.step(SLICE);
        }
        progress::show(|| {
            let rate = worker.tried() as f64 / start.elapsed().as_secs_f64().max(0.001) / 1e6;
            let (accepted, _) = worker.tally();
            format!("{} hashes, {rate:.2} MH/s, {accepted} shares accepted", worker.tried())
        });
    }
    progress::clear();
    net.close(pool);
    let (accepted, refused) = worker.tally();
    println!("{} hashes, {accepted} shares accepted, {refused} refused", worker.tried());
    Ok(Exit::stopped_if(interrupt::interrupted()))
}

/// How far the connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Dialling,
    Open,
    /// The pool has sent work.
    Leased,
    Closed,
}

/// Hands the worker what the pool has sent; returns whether the worker has had a lease.
fn receive(net: &mut Tcp<ConnId>, pool: ConnId, worker: &mut Worker) -> bool {
    let mut leased = false;
    net.receive(pool, |bytes| {
        let received = worker.handle_bytes(bytes);
        leased |= received.outcome.is_some();
        received.consumed
    });
    leased
}
