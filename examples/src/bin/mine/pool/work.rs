//! A worker: one thread that hashes, and listens between two slices.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use examples::cli::{self, Exit};
use pow::pool::{Worker, WorkerEvent};

const SLICE: u32 = 1 << 16;

pub fn work(address: &str) -> cli::Result {
    let failed = |error| format!("{address}: {error}");
    let mut stream = TcpStream::connect(address)
        .map_err(|error| format!("cannot reach a pool at {address}: {error}"))?;
    let mut worker = Worker::new();
    let mut received = Vec::new();
    let mut buf = [0; 4096];
    let mut busy = false;
    let mut had_lease = false;
    loop {
        stream.set_nonblocking(busy).map_err(failed)?;
        match stream.read(&mut buf) {
            Ok(0) => break,
            Ok(len) => received.extend_from_slice(&buf[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => return Err(failed(error)),
        }
        loop {
            let taken = worker.handle_bytes(&received);
            if taken.consumed == 0 {
                break;
            }
            had_lease |= taken.outcome.is_some();
            received.drain(..taken.consumed);
        }
        if let Some(WorkerEvent::Closed { reason }) = worker.poll_event() {
            return Err(format!("{address} is not a pool: {reason}"));
        }
        stream.set_nonblocking(false).map_err(failed)?;
        busy = worker.step(SLICE);
        while let Some(len) = worker.poll_transmit(&mut buf).map_err(|error| error.to_string())? {
            if stream.write_all(&buf[..len]).is_err() {
                break; // closed; reading says so
            }
            busy = worker.step(SLICE);
        }
    }
    if !had_lease {
        return Err(format!("{address} has no lease for this worker; it may be full"));
    }
    let (accepted, refused) = worker.tally();
    println!("{} hashes, {accepted} shares accepted, {refused} refused", worker.tried());
    Ok(Exit::Success)
}
