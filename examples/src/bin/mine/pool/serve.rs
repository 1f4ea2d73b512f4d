//! The pool: a thread for each line that reads, and one that keeps the accounts.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use examples::cli::{self, Exit};
use pow::pool::{Account, Event, Job, Pool, PoolConfig, PoolLimits, PoolVec, WorkerId};
use pow::{ByteOrder, ConnId, HashFunction, NonceField, NonceFormat, Target};

use super::Serve;

const CONNECTIONS: usize = 64;
/// How long the pool waits before it looks whether it was interrupted.
const ATTENTION: Duration = Duration::from_millis(200);
/// A worker that does not read for so long is sent away.
const STUCK: Duration = Duration::from_secs(5);

enum Input {
    Connected(TcpStream),
    Bytes(Vec<u8>),
    Closed,
}

struct Line {
    stream: TcpStream,
    received: Vec<u8>,
}

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

    let cannot = |error| format!("cannot listen at {}: {error}", args.listen);
    let listener = TcpListener::bind(&args.listen).map_err(cannot)?;
    println!("listening at {}", listener.local_addr().map_err(cannot)?);
    examples::interrupt::install();
    let (sender, inputs) = channel();
    thread::spawn(move || accept(&listener, &sender));

    let start = Instant::now();
    let mut lines = BTreeMap::new();
    let mut solution = None;
    let mut exhausted = false;
    while solution.is_none() && !exhausted && !examples::interrupt::interrupted() {
        let now = start.elapsed();
        let wait =
            pool.poll_timeout().map_or(ATTENTION, |at| at.saturating_sub(now).min(ATTENTION));
        match inputs.recv_timeout(wait) {
            Ok((id, input)) => solution = handle(&mut pool, &mut lines, start.elapsed(), id, input),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("nobody listens any more".into()),
        }
        if pool.poll_timeout().is_some_and(|at| at <= start.elapsed()) {
            pool.handle_timeout(start.elapsed());
        }
        exhausted = report(&mut pool, &mut lines);
        send(&mut pool, &mut lines);
    }
    match solution {
        Some(nonce) => println!("found: nonce {nonce}"),
        None if exhausted => println!("all nonces were tried"),
        None => println!("stopped"),
    }
    print_accounts(&pool, args.reward);
    for line in lines.values() {
        let _ = line.stream.shutdown(Shutdown::Both);
    }
    Ok(match solution {
        Some(_) => Exit::Success,
        None if exhausted => Exit::Failure,
        None => Exit::Stopped,
    })
}

/// Prints what happened, and returns whether all nonces were tried.
fn report(pool: &mut Pool<PoolVec>, lines: &mut BTreeMap<ConnId, Line>) -> bool {
    let mut exhausted = false;
    while let Some(event) = pool.poll_event() {
        match event {
            Event::Expired { conn, lease } => {
                println!("worker {} is silent; {lease} is given again", conn.0);
            }
            Event::Closed { conn, reason } => {
                println!("worker {} is sent away: {reason}", conn.0);
                if let Some(line) = lines.remove(&conn) {
                    let _ = line.stream.shutdown(Shutdown::Both);
                }
            }
            Event::Exhausted => exhausted = true,
            _ => {}
        }
    }
    exhausted
}

fn accept(listener: &TcpListener, sender: &Sender<(ConnId, Input)>) {
    for (stream, id) in listener.incoming().flatten().zip(1..) {
        let sender = sender.clone();
        let id = ConnId(id);
        thread::spawn(move || {
            let _ = read(stream, id, &sender); // the pool may be gone
        });
    }
}

fn read(mut stream: TcpStream, id: ConnId, to: &Sender<(ConnId, Input)>) -> Option<()> {
    to.send((id, Input::Connected(stream.try_clone().ok()?))).ok()?;
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf) {
            Ok(0) | Err(_) => return to.send((id, Input::Closed)).ok(),
            Ok(len) => to.send((id, Input::Bytes(buf[..len].to_vec()))).ok()?,
        }
    }
}

/// Takes what came, and returns the nonce that solves the job, if it is among it.
fn handle(
    pool: &mut Pool<PoolVec>,
    lines: &mut BTreeMap<ConnId, Line>,
    now: Duration,
    id: ConnId,
    input: Input,
) -> Option<u64> {
    match input {
        Input::Connected(stream) => {
            let _ = stream.set_write_timeout(Some(STUCK));
            match pool.handle_connected(now, id, WorkerId(id.0.into())) {
                Ok(()) => {
                    println!("worker {} is here", id.0);
                    lines.insert(id, Line { stream, received: Vec::new() });
                }
                Err(full) => {
                    println!("worker {} is sent away: {full}", id.0);
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
        }
        Input::Closed => {
            if lines.remove(&id).is_some() {
                println!("worker {} has left", id.0);
                pool.handle_closed(now, id);
            }
        }
        Input::Bytes(bytes) => {
            let line = lines.get_mut(&id)?;
            line.received.extend(bytes);
            loop {
                let received = match pool.handle_bytes(now, id, &line.received) {
                    Ok(received) if received.consumed > 0 => received,
                    Ok(_) | Err(_) => break, // incomplete, or closed by the pool
                };
                line.received.drain(..received.consumed);
                match received.outcome {
                    Some(Ok(share)) => {
                        println!("worker {}: share {}", id.0, share.nonce);
                        if share.solves {
                            return Some(share.nonce);
                        }
                    }
                    Some(Err(error)) => println!("worker {}: {error}", id.0),
                    None => {}
                }
            }
        }
    }
    None
}

fn send(pool: &mut Pool<PoolVec>, lines: &mut BTreeMap<ConnId, Line>) {
    let mut buf = vec![0; 1 << 17]; // longer than any message
    while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
        let Some(line) = lines.get_mut(&transmit.conn) else { continue };
        if line.stream.write_all(&buf[..transmit.len]).is_err() {
            let _ = line.stream.shutdown(Shutdown::Both); // reading says that it is closed
        }
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
