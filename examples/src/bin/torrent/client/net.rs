//! All sockets of a torrent, none of which blocks.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use bittorrent_pieces::{ConnId, Side};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// A connection that holds more received bytes than this is not read for now.
const UNREAD: usize = 256 << 10;

/// The listening socket and all connections.
pub struct Net {
    poll: Poll,
    listener: TcpListener,
    address: SocketAddr,
    conns: BTreeMap<u32, Conn>,
    next: u32,
    start: Instant,
    inbox: Receiver<NetEvent>,
    mailbox: Mailbox,
}

/// A connection.
pub struct Conn {
    pub addr: SocketAddr,
    /// What was read and not yet used.
    pub received: Vec<u8>,
    side: Side,
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize, // of `out`
    opened: bool,
    readable: bool,
    closed: bool,
}

/// What happened during [`Net::turn`].
#[derive(Debug)]
pub enum NetEvent {
    Opened(ConnId, Side),
    Bytes(ConnId),
    Closed(ConnId),
    /// Addresses of peers, and where they were found.
    Found(String, Vec<SocketAddr>),
}

/// Sends events from other threads to the session.
#[derive(Clone)]
pub struct Mailbox {
    sender: Sender<NetEvent>,
    waker: Arc<Waker>,
}

impl Mailbox {
    pub fn send(&self, event: NetEvent) {
        let _ = self.sender.send(event); // the session may be over
        let _ = self.waker.wake();
    }
}

impl Net {
    pub fn new(listen: SocketAddr) -> Result<Self, String> {
        let named = |error| format!("cannot listen on {listen}: {error}");
        let mut listener = TcpListener::bind(listen).map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        let poll = Poll::new().map_err(named)?;
        let registered = poll.registry().register(&mut listener, LISTENER, Interest::READABLE);
        registered.map_err(named)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(named)?);
        let (sender, inbox) = channel();
        let mailbox = Mailbox { sender, waker };
        let conns = BTreeMap::new();
        let start = Instant::now();
        Ok(Self { poll, listener, address, conns, next: 0, start, inbox, mailbox })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// Returns the time on the clock of the machines.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(&id.0)
    }

    pub fn ids(&self) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, conn)| conn.opened).map(|(id, _)| ConnId(*id)).collect()
    }

    /// Returns whether there is a connection to an address, or one is being opened.
    pub fn knows(&self, addr: SocketAddr) -> bool {
        self.conns.values().any(|conn| conn.addr == addr)
    }

    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Begins to dial; what comes of it is told by a later turn.
    pub fn dial(&mut self, addr: SocketAddr) {
        if let Ok(stream) = TcpStream::connect(addr) {
            self.add(stream, addr, Side::Dialled);
        }
    }

    pub fn close(&mut self, id: ConnId) {
        if let Some(mut conn) = self.conns.remove(&id.0) {
            let _ = conn.flush(); // the last words, if there is room
        }
    }

    /// Waits for something to happen, no longer than `wait`.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<Vec<NetEvent>> {
        let pending = self.conns.values().any(Conn::wants_to_read);
        let mut ready = Events::with_capacity(256);
        match self.poll.poll(&mut ready, if pending { Some(Duration::ZERO) } else { wait }) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut events = Vec::new();
        for event in &ready {
            match event.token() {
                WAKER => events.extend(self.inbox.try_iter()),
                LISTENER => self.accept(&mut events),
                Token(id) => {
                    let Some(conn) = self.conns.get_mut(&(id as u32)) else { continue };
                    conn.readable |= event.is_readable();
                    if event.is_writable() && !conn.opened && conn.stream.peer_addr().is_ok() {
                        conn.opened = true;
                        events.push(NetEvent::Opened(ConnId(id as u32), conn.side));
                    }
                    conn.closed |= event.is_error() || conn.flush().is_err();
                }
            }
        }
        for (id, conn) in &mut self.conns {
            if conn.wants_to_read() && conn.read() {
                events.push(NetEvent::Bytes(ConnId(*id)));
            }
        }
        let gone: Vec<_> =
            self.conns.iter().filter(|(_, conn)| conn.closed).map(|(id, _)| *id).collect();
        for id in gone {
            self.conns.remove(&id);
            events.push(NetEvent::Closed(ConnId(id)));
        }
        Ok(events)
    }

    fn accept(&mut self, events: &mut Vec<NetEvent>) {
        while let Ok((stream, addr)) = self.listener.accept() {
            if let Some(id) = self.add(stream, addr, Side::Accepted) {
                events.push(NetEvent::Opened(id, Side::Accepted));
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream, addr: SocketAddr, side: Side) -> Option<ConnId> {
        let id = self.next;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(id as usize), interest).ok()?;
        let _ = stream.set_nodelay(true);
        self.next += 1;
        let opened = side == Side::Accepted;
        let received = Vec::new();
        let out = Vec::new();
        let conn = Conn {
            addr,
            received,
            side,
            stream,
            out,
            sent: 0,
            opened,
            readable: opened,
            closed: false,
        };
        self.conns.insert(id, conn);
        Some(ConnId(id))
    }
}

impl Conn {
    /// Sends bytes, or keeps them until there is room.
    pub fn send(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.closed |= self.flush().is_err();
    }

    /// Returns how many bytes wait to be sent.
    pub fn unsent(&self) -> usize {
        self.out.len() - self.sent
    }

    fn wants_to_read(&self) -> bool {
        self.opened && self.readable && !self.closed && self.received.len() < UNREAD
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.opened && self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads what there is; returns whether there was something.
    fn read(&mut self) -> bool {
        let before = self.received.len();
        let mut buf = [0; 16 << 10];
        while self.received.len() < UNREAD {
            match self.stream.read(&mut buf) {
                Ok(0) => self.closed = true,
                Ok(len) => {
                    self.received.extend_from_slice(&buf[..len]);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.closed = true,
            }
            break;
        }
        self.received.len() > before
    }
}
