//! The pool: one thread that keeps the accounts of all connections.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;
use std::time::Instant;

use examples::cli::{self, Exit};
use examples::tcp::{Event, Tcp};
use examples::{interrupt, progress};
use pow::pool::{self, Account, Job, Pool, PoolConfig, PoolLimits, PoolVec, WorkerId};
use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};

use super::Serve;

const CONNECTIONS: usize = 64;
/// How long the pool waits before it looks whether it was interrupted.
const ATTENTION: Duration = Duration::from_millis(200);
/// Longer than any message.
const MESSAGE: usize = 1 << 17;

type Net = Tcp<ConnId>;

pub fn serve(args: &Serve) -> cli::Result {
    let message = [args.text.as_bytes(), &[0; 8]].concat();
    let nonce = NonceField { offset: args.text.len(), format: NonceFormat::U64Be };
    let job = Job {
        function: HashFunction::Sha256,
        order: ByteOrder::Big,
        message: &message,
        nonce,
        target: Target::from_zero_bits(args.bits),
        share: Target::from_zero_bits(args.share_bits),
    };
    let config = PoolConfig::new(args.lease, Duration::from_secs(args.patience));
    let limits = PoolLimits { message: message.len(), ..PoolLimits::for_connections(CONNECTIONS) };
    let mut pool = Pool::new(config, PoolVec::new(limits)).map_err(|error| error.to_string())?;
    pool.set_job(Duration::ZERO, &job, 0..=args.last).map_err(|error| error.to_string())?;

    let listen = args.listen.to_socket_addrs().ok().and_then(|mut all| all.next());
    let listen =
        listen.ok_or_else(|| format!("cannot listen at {}: no such address", args.listen))?;
    let mut net = Net::listen(listen)?.numbered_from(1);
    println!("listening at {}", net.address());
    interrupt::install();

    let start = Instant::now();
    let mut solution = None;
    let mut exhausted = false;
    while solution.is_none() && !exhausted && !interrupt::interrupted() {
        let wait = pool.poll_timeout().map_or(ATTENTION, |at| at.saturating_sub(net.now()));
        let events = net.turn(Some(wait.min(ATTENTION))).map_err(cli::sentence)?;
        for event in events {
            solution = solution.or(handle(&mut pool, &mut net, &event));
        }
        if pool.poll_timeout().is_some_and(|at| at <= net.now()) {
            pool.handle_timeout(net.now());
        }
        exhausted = report(&mut pool, &mut net);
        send(&mut pool, &mut net);
        progress::show(|| describe(&pool, &net, start));
    }
    progress::clear();
    match solution {
        Some(nonce) => println!("found: nonce {nonce}"),
        None if exhausted => println!("all nonces were tried"),
        None => println!("stopped"),
    }
    print_accounts(&pool, args.reward);
    for conn in net.ids() {
        net.close(conn);
    }
    Ok(match solution {
        Some(_) => Exit::Success,
        None if exhausted => Exit::Failure,
        None => Exit::Stopped,
    })
}

/// Describes the search in one line.
fn describe(pool: &Pool<PoolVec>, net: &Net, start: Instant) -> String {
    let shares: u64 = pool.accounts().map(|account| account.accepted).sum();
    let seconds = start.elapsed().as_secs();
    format!("{} workers, {shares} shares accepted, {seconds} s", net.len())
}

/// Prints a line, below the progress.
fn say(line: &str) {
    progress::clear();
    println!("{line}");
}

/// Prints what happened, and returns whether all nonces were tried.
fn report(pool: &mut Pool<PoolVec>, net: &mut Net) -> bool {
    let mut exhausted = false;
    while let Some(event) = pool.poll_event() {
        match event {
            pool::Event::Expired { conn, lease } => {
                say(&format!("worker {} is silent; {lease} is given again", conn.0));
            }
            pool::Event::Closed { conn, reason } => {
                say(&format!("worker {} is sent away: {reason}", conn.0));
                net.close(conn);
            }
            pool::Event::Exhausted => exhausted = true,
            _ => {}
        }
    }
    exhausted
}

/// Processes an event of the network; returns the nonce that solves the job, if a worker has sent it.
fn handle(pool: &mut Pool<PoolVec>, net: &mut Net, event: &Event<ConnId, ()>) -> Option<u64> {
    let now = net.now();
    match *event {
        Event::Opened { conn, .. } => {
            match pool.handle_connected(now, conn, WorkerId(conn.0.into())) {
                Ok(()) => say(&format!("worker {} is here", conn.0)),
                Err(full) => {
                    say(&format!("worker {} is sent away: {full}", conn.0));
                    net.close(conn);
                }
            }
            None
        }
        Event::Closed(conn) => {
            say(&format!("worker {} has left", conn.0));
            pool.handle_closed(now, conn);
            None
        }
        Event::Bytes(conn) => receive(pool, net, conn),
        Event::Message(()) => None,
    }
}

fn receive(pool: &mut Pool<PoolVec>, net: &mut Net, conn: ConnId) -> Option<u64> {
    let now = net.now();
    let mut solution = None;
    net.receive(conn, |bytes| {
        let Ok(received) = pool.handle_bytes(now, conn, bytes) else { return 0 }; // closed by the pool
        match received.outcome {
            Some(Ok(share)) => {
                say(&format!("worker {}: share {}", conn.0, share.nonce));
                solution = solution.or(share.solves.then_some(share.nonce));
            }
            Some(Err(error)) => say(&format!("worker {}: {error}", conn.0)),
            None => {}
        }
        received.consumed
    });
    solution
}

fn send(pool: &mut Pool<PoolVec>, net: &mut Net) {
    let mut buf = vec![0; MESSAGE];
    while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
        net.send(transmit.conn, &buf[..transmit.len]);
    }
}

fn print_accounts(pool: &Pool<PoolVec>, reward: u64) {
    let parts: BTreeMap<_, _> = pool.split(reward).collect();
    println!("{:>8} {:>9} {:>9} {:>14} {:>12}", "worker", "accepted", "refused", "credit", "part");
    for account in pool.accounts() {
        let Account { worker: WorkerId(id), credit, accepted, refused, .. } = account;
        let part = parts.get(&account.worker).unwrap_or(&0);
        println!("{id:>8} {accepted:>9} {refused:>9} {credit:>14} {part:>12}");
    }
}
