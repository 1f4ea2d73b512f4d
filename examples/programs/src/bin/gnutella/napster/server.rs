//! The index over TCP: one thread owns the machine and all connections.

use core::net::{Ipv4Addr, SocketAddr};

use core::time::Duration;

use examples::random::random;
use examples::tcp::{Event, Tcp};
use examples::{cli, interrupt};
use gnutella_wire::ConnId;
use gnutella_wire::opennap::{Frame, Index, IndexConfig, IndexEvent, IndexLimits, IndexVec, Kind};

/// How long the program sleeps at most, so that it notices an interruption.
const TURN: Duration = Duration::from_millis(250);
const USERS: usize = 1_000;
const FILES: usize = 50_000;

type Server = Index<IndexVec>;
type Net = Tcp<ConnId>;

pub fn run(listen: SocketAddr, trace: bool) -> Result<(), String> {
    let mut net = Net::listen(listen)?;
    println!("index on {}, with room for {USERS} users and {FILES} files", net.address());
    let mut config = IndexConfig::CUSTOMARY;
    config.seed = u64::from_le_bytes(random());
    let storage = IndexVec::new(IndexLimits { users: USERS, files: FILES });
    let mut index = Index::new(config, storage).map_err(cli::sentence)?;
    interrupt::install();
    while !interrupt::interrupted() {
        let due = index.poll_timeout().map(|at| at.saturating_sub(net.now()));
        let due = Some(due.unwrap_or(TURN).min(TURN));
        for event in net.turn(due).map_err(cli::sentence)? {
            handle(&mut index, &mut net, &event);
        }
        index.handle_timeout(net.now());
        while turn(&mut index, &mut net, trace) {}
        while let Some(event) = index.poll_event() {
            if let IndexEvent::Closed { conn, reason } = event {
                println!("{conn} closed: {reason:?}");
                net.close(conn);
            }
        }
    }
    println!("interrupted: {} users shared {} files", index.users(), index.files());
    Ok(())
}

fn handle(index: &mut Server, net: &mut Net, event: &Event<ConnId, ()>) {
    let now = net.now();
    match *event {
        Event::Opened { conn, .. } => {
            let ip = match net.conn(conn).map(|client| client.addr) {
                Some(SocketAddr::V4(address)) => *address.ip(),
                _ => Ipv4Addr::UNSPECIFIED,
            };
            if let Err(error) = index.handle_connected(now, conn, ip) {
                println!("{ip}: {error}");
                net.close(conn);
            }
        }
        Event::Closed(conn) => index.handle_closed(now, conn),
        Event::Bytes(_) | Event::Message(()) => {}
    }
}

/// Handles what was received and sends what is to be sent; returns `false` if there was nothing.
fn turn(index: &mut Server, net: &mut Net, trace: bool) -> bool {
    let now = net.now();
    let mut busy = false;
    for conn in net.ids() {
        net.receive(conn, |bytes| {
            let Ok(handled) = index.handle_bytes(now, conn, bytes) else { return 0 };
            busy |= handled.consumed > 0;
            say(trace, "<-", conn, &bytes[..handled.consumed]);
            handled.consumed
        });
    }
    let mut buf = [0; Server::MAX_TRANSMIT_LEN];
    while let Ok(Some(sent)) = index.poll_transmit(&mut buf) {
        busy = true;
        say(trace, "->", sent.conn, &buf[..sent.len]);
        net.send(sent.conn, &buf[..sent.len]);
    }
    busy
}

fn say(trace: bool, direction: &str, conn: ConnId, bytes: &[u8]) {
    let number = conn.0;
    let Ok((frame, _)) = Frame::decode(bytes, u16::MAX) else { return };
    if trace && frame.kind == Kind::LOGIN {
        println!("{direction} {number} login, with a password in plain text that is not printed");
    } else if trace {
        println!("{direction} {number} {frame}");
    }
}
