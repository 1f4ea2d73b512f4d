//! Connections over uTP, beside those over TCP: a socket, a thread that reads it, and the machine.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;

use bittorrent_pieces::ConnId;
use bittorrent_pieces::utp::{MAX_LEN, UtpConfig, UtpEndpoint, UtpEvent, UtpLimits, UtpVec};
use examples::buffer::Buffer;
use examples::random::random;

use super::finder::PEERS;

/// Connections over uTP have numbers from here on.
const FIRST: u32 = 1 << 31;
/// How long a peer may take to answer before it is dialled over TCP.
const PATIENCE: Duration = Duration::from_secs(4);
/// Datagrams that wait for the loop; more are lost, as in the buffer of a socket.
const WAITING: usize = 1_024;
/// The first messages of a connection go in packets of their own: Transmission 3 reads what comes in one packet with the
/// handshake only when another packet arrives.
const ALONE: u8 = 4;
/// A connection that holds more bytes than this is not read for now, so that its window closes.
const UNREAD: usize = 256 << 10;
/// The most bytes that are read at a time.
const READ: usize = 16 << 10;

/// What happened during a turn.
#[derive(Debug)]
pub enum Event {
    Opened {
        conn: ConnId,
        dialled: bool,
    },
    Bytes(ConnId),
    /// A connection has ended, or dialling failed.
    Closed(ConnId),
}

/// The socket and its connections.
pub struct Utp {
    socket: UdpSocket,
    machine: UtpEndpoint<UtpVec>,
    conns: BTreeMap<ConnId, Conn>,
    waiting: Arc<AtomicUsize>,
}

/// A connection.
pub struct Conn {
    pub addr: SocketAddr,
    pub received: Buffer,
    out: Vec<u8>, // what the machine has no room for
    alone: u8,    // messages that still go in packets of their own
    /// When a dial is given up; `None` for an open connection.
    give_up: Option<Duration>,
}

impl Conn {
    const fn new(addr: SocketAddr, give_up: Option<Duration>) -> Self {
        Self { addr, received: Buffer::new(), out: Vec::new(), alone: ALONE, give_up }
    }
}

/// Returns whether a number is that of a connection over uTP.
pub fn is_utp(conn: ConnId) -> bool {
    conn.0 >= FIRST
}

fn outer(conn: ConnId) -> ConnId {
    ConnId(conn.0 | FIRST)
}

fn inner(conn: ConnId) -> ConnId {
    ConnId(conn.0 & !FIRST)
}

impl Utp {
    /// Opens the socket. A thread hands what arrives to `deliver`; see [`handle_datagram`](Self::handle_datagram).
    pub fn bind(
        address: SocketAddr,
        deliver: impl Fn(SocketAddr, Vec<u8>) + Send + 'static,
    ) -> Result<Self, String> {
        let named = |error| format!("cannot listen on {address} (UDP): {error}");
        let socket = UdpSocket::bind(address).map_err(named)?;
        let reader = socket.try_clone().map_err(named)?;
        let limits = UtpLimits { conns: PEERS, ..UtpLimits::default() };
        let machine = UtpEndpoint::new(UtpConfig::new(random()), UtpVec::new(limits));
        let machine = machine.map_err(|error| error.to_string())?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&waiting);
        std::thread::spawn(move || read(&reader, &count, deliver));
        Ok(Self { socket, machine, conns: BTreeMap::new(), waiting })
    }

    pub fn len(&self) -> usize {
        self.conns.len()
    }

    pub fn conn(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&conn)
    }

    /// Begins to dial; `Opened` or `Closed` follows. `None` if there is no room.
    pub fn dial(&mut self, now: Duration, addr: SocketAddr) -> Option<ConnId> {
        let conn = outer(self.machine.connect(now, addr).ok()?);
        let give_up = Some(now + PATIENCE);
        self.conns.insert(conn, Conn::new(addr, give_up));
        Some(conn)
    }

    pub fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(link) = self.conns.get_mut(&conn) else { return };
        link.out.extend_from_slice(bytes);
        let alone = link.alone > 0;
        link.alone = link.alone.saturating_sub(1);
        self.write(conn);
        if alone {
            self.transmit();
        }
    }

    /// Returns whether the next message goes in packets of its own.
    pub fn sends_alone(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|link| link.alone > 0)
    }

    /// Hands the machine as much as it has room for.
    fn write(&mut self, conn: ConnId) {
        if let Some(link) = self.conns.get_mut(&conn) {
            let written = self.machine.write(inner(conn), &link.out).unwrap_or_default();
            link.out.drain(..written);
        }
    }

    pub fn unsent(&self, conn: ConnId) -> usize {
        self.conns.get(&conn).map_or(0, |link| link.out.len())
    }

    /// Closes a connection; what the machine has is still sent.
    pub fn close(&mut self, conn: ConnId) {
        if self.conns.remove(&conn).is_some() {
            let _ = self.machine.close(inner(conn)); // it may have ended already
        }
    }

    /// Processes a datagram that the thread has delivered.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let _ = self.machine.handle_datagram(now, from, bytes); // what does not fit is dropped
    }

    /// Returns how long the loop may wait.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let dials = self.conns.values().filter_map(|link| link.give_up);
        let due = dials.chain(self.machine.poll_timeout()).min()?;
        Some(due.saturating_sub(now))
    }

    /// Fires expired timers and returns what happened.
    pub fn turn(&mut self, now: Duration) -> Vec<Event> {
        self.machine.handle_timeout(now);
        let mut events = Vec::new();
        while let Some(event) = self.machine.poll_event() {
            self.handle(event, &mut events);
        }
        let late = |link: &Conn| link.give_up.is_some_and(|at| at <= now);
        let late: Vec<_> =
            self.conns.iter().filter(|(_, link)| late(link)).map(|(conn, _)| *conn).collect();
        for conn in late {
            let _ = self.machine.abort(inner(conn)); // it is open
            self.conns.remove(&conn);
            events.push(Event::Closed(conn));
        }
        let open: Vec<_> = self.conns.keys().copied().collect();
        for conn in open {
            self.read(conn, &mut events); // what was too much before may fit now
        }
        events
    }

    fn handle(&mut self, event: UtpEvent, events: &mut Vec<Event>) {
        match event {
            UtpEvent::Connected { conn } => {
                let conn = outer(conn);
                if let Some(link) = self.conns.get_mut(&conn) {
                    link.give_up = None;
                    events.push(Event::Opened { conn, dialled: true });
                }
            }
            UtpEvent::Accepted { conn, from: addr } => {
                let conn = outer(conn);
                self.conns.insert(conn, Conn::new(addr, None));
                events.push(Event::Opened { conn, dialled: false });
            }
            UtpEvent::Readable { conn } => self.read(outer(conn), events),
            UtpEvent::Writable { conn } => self.write(outer(conn)),
            UtpEvent::Finished { conn } => {
                self.read(outer(conn), events);
                let _ = self.machine.close(conn); // it may have ended already
                self.ended(outer(conn), events);
            }
            UtpEvent::Closed { conn, .. } => self.ended(outer(conn), events),
            _ => {}
        }
    }

    fn ended(&mut self, conn: ConnId, events: &mut Vec<Event>) {
        if self.conns.contains_key(&conn) {
            events.push(Event::Closed(conn)); // what was received is read before the caller closes it
        }
    }

    /// Takes what a connection has received.
    fn read(&mut self, conn: ConnId, events: &mut Vec<Event>) {
        let Some(link) = self.conns.get_mut(&conn) else { return };
        let before = link.received.len();
        while link.received.len() < UNREAD {
            let room = link.received.room(READ);
            let Ok(len @ 1..) = self.machine.read(inner(conn), room) else { break };
            link.received.fill(len);
        }
        if link.received.len() > before {
            events.push(Event::Bytes(conn));
        }
    }

    /// Sends everything that is due.
    pub fn flush(&mut self, now: Duration) {
        self.machine.handle_timeout(now);
        self.transmit();
    }

    fn transmit(&mut self) {
        let mut buf = [0; MAX_LEN];
        while let Ok(Some(sent)) = self.machine.poll_transmit(&mut buf) {
            let refused = self.socket.send_to(&buf[..sent.len], sent.to).is_err();
            if refused && sent.probe {
                self.machine.handle_too_big(sent.to, sent.len);
            }
        }
    }
}

/// Reads the socket until it fails. Some systems report here that nobody listens at an address that was sent to.
fn read(socket: &UdpSocket, waiting: &AtomicUsize, deliver: impl Fn(SocketAddr, Vec<u8>)) {
    let mut buf = [0; 2_048];
    loop {
        match socket.recv_from(&mut buf) {
            Ok((len, from)) => {
                if waiting.fetch_add(1, Ordering::Relaxed) < WAITING {
                    deliver(from, buf[..len].to_vec());
                } else {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::Interrupted => {}
                _ => return,
            },
        }
    }
}
