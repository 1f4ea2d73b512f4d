//! The driver of a stream machine: a listening socket and connections, none of which blocks, in one thread.
//!
//! A program calls [`Tcp::turn`] in a loop and hands what happened to its machine:
//!
//! | [`Event`] | call of the machine |
//! |---|---|
//! | `Opened` | `handle_connected` |
//! | `Bytes` | `handle_bytes` with [`Conn::received`] until it consumes nothing more |
//! | `Closed` | `handle_closed` |
//! | `Message` | whatever another thread wants |
//!
//! [`Tcp::receive`] is the loop of the second row.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::buffer::Buffer;

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
/// A connection that holds more received bytes than this is not read for now.
const UNREAD: usize = 256 << 10;
/// A connection whose other end lets more than this wait is closed.
const UNSENT: usize = 8 << 20;

/// The connection id of a crate: each of them has its own type with a public number.
pub trait Id: Copy + Ord {
    /// Makes an id.
    fn new(number: u32) -> Self;
}

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl Id for $id {
            fn new(number: u32) -> Self {
                Self(number)
            }
        }
    )*};
}
ids!(bittorrent_pieces::ConnId, gnutella_wire::ConnId, ledger_core::ConnId, pow::ConnId);

/// The listening socket, if there is one, and all connections. Other threads send messages of type `M`.
pub struct Tcp<I, M = ()> {
    poll: Poll,
    ready: Events,
    listener: Option<TcpListener>,
    address: Option<SocketAddr>,
    conns: BTreeMap<I, Conn>,
    numbers: BTreeMap<usize, I>,
    next: u32,
    start: Instant,
    inbox: Receiver<M>,
    mailbox: Mailbox<M>,
}

/// A connection.
pub struct Conn {
    /// The other end.
    pub addr: SocketAddr,
    /// What was read and not yet used.
    pub received: Buffer,
    token: Token,
    dialled: bool,
    stream: TcpStream,
    out: Buffer,
    phase: Phase,
    readable: bool,
    drained: bool, // it is closed, and what had arrived before is read
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialling,
    Open,
    Closed,
}

/// What happened during [`Tcp::turn`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event<I, M> {
    /// A connection is open.
    Opened {
        /// The connection.
        conn: I,
        /// Whether it was opened by [`Tcp::dial`].
        dialled: bool,
    },
    /// A connection has received bytes.
    Bytes(I),
    /// The other end closed a connection, or dialling it failed. Bytes that arrived before are reported a turn earlier.
    Closed(I),
    /// Another thread sent this.
    Message(M),
}

/// Sends messages from other threads and wakes the loop.
pub struct Mailbox<M> {
    sender: Sender<M>,
    waker: Arc<Waker>,
}

impl<M> Clone for Mailbox<M> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), waker: Arc::clone(&self.waker) }
    }
}

impl<M> Mailbox<M> {
    /// Sends a message, which is ignored if the loop has ended.
    pub fn send(&self, message: M) {
        let _ = self.sender.send(message);
        let _ = self.waker.wake();
    }
}

impl<I: Id, M> Tcp<I, M> {
    /// Opens a listening socket. The clock starts here.
    ///
    /// # Errors
    ///
    /// A sentence that names the address.
    pub fn listen(address: SocketAddr) -> Result<Self, String> {
        let named = |error| format!("cannot listen on {address}: {error}");
        let mut listener = TcpListener::bind(address).map_err(named)?;
        let mut net = Self::dialler().map_err(named)?;
        let registry = net.poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).map_err(named)?;
        net.address = Some(listener.local_addr().map_err(named)?);
        net.listener = Some(listener);
        Ok(net)
    }

    /// Starts without a listening socket. The clock starts here.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn dialler() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, inbox) = channel();
        Ok(Self {
            poll,
            ready: Events::with_capacity(256),
            listener: None,
            address: None,
            conns: BTreeMap::new(),
            numbers: BTreeMap::new(),
            next: 0,
            start: Instant::now(),
            inbox,
            mailbox: Mailbox { sender, waker },
        })
    }

    /// Numbers connections from `first` on.
    #[must_use]
    pub fn numbered_from(mut self, first: u32) -> Self {
        self.next = first;
        self
    }

    /// Returns where the socket listens, or the unspecified address if none does.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.unwrap_or(SocketAddr::from(([0; 4], 0)))
    }

    /// Returns what other threads need to send messages.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox<M> {
        self.mailbox.clone()
    }

    /// Returns the time on the clock of the machines.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns a connection.
    pub fn conn(&mut self, id: I) -> Option<&mut Conn> {
        self.conns.get_mut(&id)
    }

    /// Returns the ids of all open connections.
    #[must_use]
    pub fn ids(&self) -> Vec<I> {
        self.conns.iter().filter(|(_, conn)| conn.phase == Phase::Open).map(|(id, _)| *id).collect()
    }

    /// Returns whether there is a connection to an address, or one is being opened.
    #[must_use]
    pub fn knows(&self, addr: SocketAddr) -> bool {
        self.conns.values().any(|conn| conn.addr == addr)
    }

    /// Returns the number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Returns whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Begins to dial; `Opened` or `Closed` follows. `None` if the system refuses at once.
    pub fn dial(&mut self, addr: SocketAddr) -> Option<I> {
        let stream = TcpStream::connect(addr).ok()?;
        self.add(stream, addr, true)
    }

    /// Closes a connection. What is still unsent is written as far as the socket accepts it now.
    pub fn close(&mut self, id: I) {
        if let Some(mut conn) = self.conns.remove(&id) {
            self.numbers.remove(&conn.token.0);
            let _ = conn.flush();
        }
    }

    /// Sends bytes on a connection, or keeps them until the socket accepts them; unknown ids are ignored.
    pub fn send(&mut self, id: I, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.send(bytes);
        }
    }

    /// Hands what a connection has received to `handle` until that consumes nothing more.
    ///
    /// `handle` returns how many bytes it has consumed.
    pub fn receive(&mut self, id: I, mut handle: impl FnMut(&[u8]) -> usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let mut used = 0;
        while used < conn.received.len() {
            let consumed = handle(&conn.received[used..]);
            if consumed == 0 {
                break;
            }
            used += consumed;
        }
        conn.received.consume(used);
    }

    /// Waits for something to happen, no longer than `wait`.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<Vec<Event<I, M>>> {
        let pending = self.conns.values().any(|conn| conn.wants_to_read() || conn.is_closed());
        match self.poll.poll(&mut self.ready, if pending { Some(Duration::ZERO) } else { wait }) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut events = Vec::new();
        let mut accepts = false;
        for event in &self.ready {
            match event.token() {
                WAKER => events.extend(self.inbox.try_iter().map(Event::Message)),
                LISTENER => accepts = true,
                Token(number) => {
                    let Some(id) = self.numbers.get(&number) else { continue };
                    let Some(conn) = self.conns.get_mut(id) else { continue };
                    conn.readable |= event.is_readable();
                    let dialling = conn.phase == Phase::Dialling;
                    if event.is_writable() && dialling && conn.stream.peer_addr().is_ok() {
                        conn.phase = Phase::Open;
                        events.push(Event::Opened { conn: *id, dialled: conn.dialled });
                    }
                    if event.is_error() || conn.flush().is_err() {
                        conn.phase = Phase::Closed;
                    }
                }
            }
        }
        if accepts {
            self.accept(&mut events);
        }
        let mut closed = Vec::new();
        for (id, conn) in &mut self.conns {
            let drains = conn.is_closed() && !conn.drained;
            if (drains || conn.wants_to_read()) && conn.read() {
                events.push(Event::Bytes(*id));
            } else if conn.is_closed() {
                closed.push(*id);
            }
            conn.drained |= drains;
        }
        for id in closed {
            self.close(id);
            events.push(Event::Closed(id));
        }
        Ok(events)
    }

    fn accept(&mut self, events: &mut Vec<Event<I, M>>) {
        while let Some(Ok((stream, addr))) = self.listener.as_ref().map(TcpListener::accept) {
            if let Some(conn) = self.add(stream, addr, false) {
                events.push(Event::Opened { conn, dialled: false });
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream, addr: SocketAddr, dialled: bool) -> Option<I> {
        let token = Token(self.next as usize);
        let id = I::new(self.next);
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, token, interest).ok()?;
        let _ = stream.set_nodelay(true);
        self.next += 1;
        let conn = Conn {
            addr,
            received: Buffer::new(),
            token,
            dialled,
            stream,
            out: Buffer::new(),
            phase: if dialled { Phase::Dialling } else { Phase::Open },
            readable: !dialled,
            drained: false,
        };
        self.numbers.insert(token.0, id);
        self.conns.insert(id, conn);
        Some(id)
    }
}

impl Conn {
    /// Sends bytes, or keeps them until the socket accepts them. If 8 MiB wait, the connection is closed instead.
    pub fn send(&mut self, bytes: &[u8]) {
        let sent = if self.out.is_empty() {
            self.write(bytes).map(|len| self.out.extend_from_slice(&bytes[len..]))
        } else {
            self.out.extend_from_slice(bytes);
            self.flush()
        };
        if sent.is_err() || self.unsent() > UNSENT {
            self.phase = Phase::Closed;
        }
    }

    /// Returns the number of bytes that wait to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    fn wants_to_read(&self) -> bool {
        self.phase == Phase::Open && self.readable && self.received.len() < UNREAD
    }

    fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            let out = core::mem::take(&mut self.out);
            let sent = self.write(&out);
            self.out = out;
            self.out.consume(sent?);
        }
        Ok(())
    }

    /// Writes as much as the socket accepts; returns how much that is.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while self.phase == Phase::Open && sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Reads what there is; returns whether there was something.
    fn read(&mut self) -> bool {
        let before = self.received.len();
        while self.received.len() < UNREAD {
            match self.received.read(&mut self.stream, UNREAD) {
                Ok(0) => self.phase = Phase::Closed,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => self.phase = Phase::Closed,
            }
            break;
        }
        self.received.len() > before
    }
}

#[cfg(test)]
mod tests;
