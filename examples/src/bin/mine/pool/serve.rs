//! The pool: a thread for each line that reads, and one that keeps the accounts.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use examples::cli::{self, Exit};
use pow::pool::{Job, LeaseSlot, Pool, PoolConfig, PoolEvent, WorkerId, WorkerSlot};
use pow::{BigEndian, HashFunction, NonceField, NonceFormat, Target};

use super::Serve;

const WORKERS: usize = 64;
/// A worker that does not read for so long is sent away.
const STUCK: Duration = Duration::from_secs(5);

type Accounts<'a> = Pool<'a, BigEndian, Vec<LeaseSlot>, Vec<WorkerSlot>>;

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
    let (target, share) =
        (Target::from_zero_bits(args.bits), Target::from_zero_bits(args.share_bits));
    let job = Job { function: HashFunction::Sha256, message: &message, nonce, target, share };
    let config = PoolConfig { lease: args.lease, patience: Duration::from_secs(args.patience) };
    let leases = vec![LeaseSlot::EMPTY; 2 * WORKERS];
    let mut pool = Accounts::new(config, leases, vec![WorkerSlot::EMPTY; WORKERS]);
    pool.set_job(Duration::ZERO, job, 0..=args.last).map_err(|error| error.to_string())?;

    let cannot = |error| format!("cannot listen at {}: {error}", args.listen);
    let listener = TcpListener::bind(&args.listen).map_err(cannot)?;
    println!("listening at {}", listener.local_addr().map_err(cannot)?);
    let (sender, inputs) = channel();
    thread::spawn(move || accept(&listener, &sender));

    let (start, mut lines) = (Instant::now(), BTreeMap::new());
    let mut solution = None;
    while solution.is_none() {
        let now = start.elapsed();
        let wait = pool.poll_timeout().map_or(STUCK, |at| at.saturating_sub(now));
        match inputs.recv_timeout(wait) {
            Ok((id, input)) => solution = handle(&mut pool, &mut lines, start.elapsed(), id, input),
            Err(RecvTimeoutError::Timeout) => pool.handle_timeout(start.elapsed()),
            Err(RecvTimeoutError::Disconnected) => return Err("nobody listens any more".into()),
        }
        send(&mut pool, &mut lines);
        let mut exhausted = false;
        while let Some(event) = pool.poll_event() {
            match event {
                PoolEvent::Expired { worker, lease } => {
                    println!("worker {} is silent; lease {} is given again", worker.0, lease.0);
                }
                PoolEvent::Exhausted => exhausted = true,
                _ => {}
            }
        }
        if exhausted {
            break;
        }
    }
    match solution {
        Some(nonce) => println!("found: nonce {nonce}"),
        None => println!("all nonces were tried"),
    }
    print_accounts(&pool, args.reward);
    for line in lines.values() {
        let _ = line.stream.shutdown(Shutdown::Both);
    }
    Ok(Exit::Success)
}

fn accept(listener: &TcpListener, sender: &Sender<(WorkerId, Input)>) {
    for (stream, id) in listener.incoming().flatten().zip(1..) {
        let (sender, id) = (sender.clone(), WorkerId(id));
        thread::spawn(move || {
            let _ = read(stream, id, &sender); // the pool may be gone
        });
    }
}

fn read(mut stream: TcpStream, id: WorkerId, to: &Sender<(WorkerId, Input)>) -> Option<()> {
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
    pool: &mut Accounts<'_>,
    lines: &mut BTreeMap<WorkerId, Line>,
    now: Duration,
    id: WorkerId,
    input: Input,
) -> Option<u64> {
    match input {
        Input::Connected(stream) => {
            let _ = stream.set_write_timeout(Some(STUCK));
            match pool.handle_connected(now, id) {
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
                    Ok(received) if received.len > 0 => received,
                    Ok(_) => break,
                    Err(error) => {
                        println!("worker {} is sent away: {error}", id.0);
                        let _ = line.stream.shutdown(Shutdown::Both);
                        line.received.clear();
                        break;
                    }
                };
                line.received.drain(..received.len);
                match received.share {
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

fn send(pool: &mut Accounts<'_>, lines: &mut BTreeMap<WorkerId, Line>) {
    let mut buf = vec![0; 1 << 17]; // longer than any message
    while let Ok(Some(transmit)) = pool.poll_transmit(&mut buf) {
        let Some(line) = lines.get_mut(&transmit.to) else { continue };
        if line.stream.write_all(&buf[..transmit.len]).is_err() {
            let _ = line.stream.shutdown(Shutdown::Both); // reading says that it is closed
        }
    }
}

fn print_accounts(pool: &Accounts<'_>, reward: u64) {
    let parts: BTreeMap<_, _> = pool.split(reward).collect();
    println!("{:>8} {:>9} {:>9} {:>14} {:>12}", "worker", "accepted", "refused", "credit", "part");
    for worker in pool.workers() {
        let ((accepted, refused), part) = (worker.tally(), parts.get(&worker.id()).unwrap_or(&0));
        let (id, credit) = (worker.id().0, worker.credit());
        println!("{id:>8} {accepted:>9} {refused:>9} {credit:>14} {part:>12}");
    }
}
