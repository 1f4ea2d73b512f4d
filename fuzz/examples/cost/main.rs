//! What hostile input costs each machine: processor time per byte and per message, and bytes out for each byte in.
//! The machines have the sizes of a server. Each row repeats one message that costs its sender little. Where the
//! protocol asks for a signature, its check is left out: it costs the same everywhere.
//!
//! `cargo run --release -p fuzz --example cost [--check] [MACHINE]`: all rows, or those of one machine. With `--check` a
//! row beyond its bars ends it with 1.

use core::time::Duration;
use std::process::ExitCode;
use std::time::Instant;

/// Polls a machine until it has nothing to say, and returns the bytes that it sends.
macro_rules! drain {
    ($machine:expr, $buf:expr) => {{
        let mut sent = 0;
        while let Ok(Some(transmit)) = $machine.poll_transmit(&mut $buf) {
            sent += transmit.len;
        }
        while $machine.poll_event().is_some() {}
        sent
    }};
}

mod bittorrent;
mod chord;
mod consensus;
mod gnutella;
mod ledger;
mod pow;

/// Nanoseconds per byte and per message that no row may take, and bytes out for each byte in where the source is
/// unproved. The machine that checks may be busy: the least of several runs counts, and the bars have room.
const PER_BYTE: f64 = 2_000.0;
const PER_MESSAGE: f64 = 200_000.0;
/// What any message may take, however short.
const SHORT: f64 = 20_000.0;
const ANSWER: f64 = 3.0;
const RUNS: usize = 5;
const MESSAGES: u64 = 2_000;

/// What one message did.
struct Step {
    taken: usize,
    sent: usize,
}

/// Sends message number `n` and takes all that the machine says to it.
type Send = Box<dyn FnMut(u64) -> Step>;

/// Who sends.
#[derive(PartialEq)]
enum Sender {
    /// A peer of a connection.
    Peer,
    /// An address that is not proved: answers to it are bounded.
    Anyone,
    /// The user, who opens a file: its cost is bounded per byte alone.
    User,
}

/// A machine and a message for it.
struct Row {
    name: &'static str,
    sender: Sender,
    new: fn() -> Send,
}

const fn row(name: &'static str, new: fn() -> Send) -> Row {
    Row { name, sender: Sender::Peer, new }
}

const fn datagrams(name: &'static str, new: fn() -> Send) -> Row {
    Row { name, sender: Sender::Anyone, new }
}

const fn file(name: &'static str, new: fn() -> Send) -> Row {
    Row { name, sender: Sender::User, new }
}

const ROWS: [&[Row]; 6] =
    [gnutella::ROWS, chord::ROWS, bittorrent::ROWS, ledger::ROWS, pow::ROWS, consensus::ROWS];

fn main() -> ExitCode {
    let checks = std::env::args().any(|arg| arg == "--check");
    println!("| input | ns per byte | us per message | bytes out per byte in |");
    println!("|---|---|---|---|");
    let mut holds = true;
    let machine = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let rows = ROWS.into_iter().flatten();
    for row in rows.filter(|row| machine.as_ref().is_none_or(|name| row.name.starts_with(name))) {
        let (per_byte, per_message, answer) = measure(row);
        println!("| {} | {per_byte:.1} | {:.2} | {answer:.2} |", row.name, per_message / 1_000.0);
        // A short message has the fixed cost of a call.
        holds &= per_byte <= PER_BYTE || per_message <= SHORT;
        holds &= per_message <= PER_MESSAGE || row.sender == Sender::User;
        holds &= answer <= ANSWER || row.sender != Sender::Anyone;
    }
    if checks && !holds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure(row: &Row) -> (f64, f64, f64) {
    let mut least = Duration::MAX;
    let mut taken = 0;
    let mut sent = 0;
    for _ in 0..RUNS {
        let mut step = (row.new)();
        taken = 0;
        sent = 0;
        let start = Instant::now();
        for n in 0..MESSAGES {
            let done = step(n);
            taken += done.taken;
            sent += done.sent;
        }
        least = least.min(start.elapsed());
    }
    assert!(taken > 0, "{} took nothing", row.name);
    let nanos = least.as_nanos() as f64;
    (nanos / taken as f64, nanos / MESSAGES as f64, sent as f64 / taken as f64)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
