//! The index over TCP: one thread owns the machine, one per connection reads.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use gnutella_wire::ConnId;
use gnutella_wire::opennap::{Frame, Index, IndexConfig, IndexEvent, IndexLimits, IndexVec, Kind};

const USERS: usize = 1_000;
const FILES: usize = 50_000;

enum Input {
    Came(TcpStream),
    Bytes(ConnId, Vec<u8>),
    Gone(ConnId),
}

struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

type Server = Index<IndexVec>;

pub fn run(listen: SocketAddr, trace: bool) -> Result<(), String> {
    let listener =
        TcpListener::bind(listen).map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    println!("index on {address}, with room for {USERS} users and {FILES} files");
    let (inputs, heard) = channel();
    let strangers = inputs.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if strangers.send(Input::Came(stream)).is_err() {
                return;
            }
        }
    });
    let start = Instant::now();
    let storage = IndexVec::new(IndexLimits { users: USERS, files: FILES });
    let mut index = Index::new(IndexConfig::CUSTOMARY, storage).map_err(|e| e.to_string())?;
    let mut clients: BTreeMap<u32, Client> = BTreeMap::new();
    let mut next = 0;
    loop {
        let due = index.poll_timeout().map(|at| at.saturating_sub(start.elapsed()));
        let what = heard.recv_timeout(due.unwrap_or(Duration::from_secs(60)));
        let now = start.elapsed();
        match what {
            Ok(Input::Came(stream)) => {
                let link = ConnId(next);
                next += 1;
                let ip = match stream.peer_addr() {
                    Ok(SocketAddr::V4(address)) => *address.ip(),
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                let taken = index.handle_connected(now, link, ip).map_err(|e| e.to_string());
                let read = taken.and_then(|()| read(&inputs, link, &stream));
                match read {
                    Ok(()) => drop(clients.insert(link.0, Client { stream, received: Vec::new() })),
                    Err(error) => println!("{ip}: {error}"),
                }
            }
            Ok(Input::Bytes(link, bytes)) => {
                if let Some(client) = clients.get_mut(&link.0) {
                    client.received.extend(bytes);
                }
            }
            Ok(Input::Gone(link)) => {
                clients.remove(&link.0);
                index.handle_closed(now, link);
            }
            Err(_) => {}
        }
        index.handle_timeout(now);
        while turn(&mut index, &mut clients, now, trace) {}
        while let Some(event) = index.poll_event() {
            if let IndexEvent::Closed { conn, reason } = event {
                println!("{conn} closed: {reason:?}");
                clients.remove(&conn.0);
            }
        }
    }
}

/// Handles what was received and sends what is to be sent; returns `false` if there was nothing.
fn turn(
    index: &mut Server,
    clients: &mut BTreeMap<u32, Client>,
    now: Duration,
    trace: bool,
) -> bool {
    let mut busy = false;
    for (link, client) in clients.iter_mut() {
        while let Ok(handled) = index.handle_bytes(now, ConnId(*link), &client.received)
            && handled.consumed > 0
        {
            say(trace, "<-", *link, &client.received[..handled.consumed]);
            client.received.drain(..handled.consumed);
            busy = true;
        }
    }
    let mut buf = [0; Server::MAX_TRANSMIT_LEN];
    while let Ok(Some(sent)) = index.poll_transmit(&mut buf) {
        busy = true;
        say(trace, "->", sent.conn.0, &buf[..sent.len]);
        let Some(client) = clients.get_mut(&sent.conn.0) else { continue };
        if client.stream.write_all(&buf[..sent.len]).is_err() {
            clients.remove(&sent.conn.0);
            index.handle_closed(now, sent.conn);
        }
    }
    busy
}

fn say(trace: bool, direction: &str, link: u32, bytes: &[u8]) {
    let Ok((frame, _)) = Frame::decode(bytes, u16::MAX) else { return };
    if trace && frame.kind == Kind::LOGIN {
        println!("{direction} {link} login, with a password in plain text that is not printed");
    } else if trace {
        println!("{direction} {link} {frame}");
    }
}

fn read(inputs: &Sender<Input>, link: ConnId, stream: &TcpStream) -> Result<(), String> {
    stream.set_write_timeout(Some(Duration::from_secs(5))).map_err(|e| e.to_string())?;
    let mut stream = stream.try_clone().map_err(|e| e.to_string())?;
    let inputs = inputs.clone();
    thread::spawn(move || {
        let mut buf = [0; 4_096];
        while let Ok(len @ 1..) = stream.read(&mut buf) {
            if inputs.send(Input::Bytes(link, buf[..len].to_vec())).is_err() {
                return;
            }
        }
        let _ = inputs.send(Input::Gone(link));
    });
    Ok(())
}
