//! Real sockets on 127.0.0.1 as a [`Net`]: every node has one UDP port and one TCP port per service, all
//! chosen by the system.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::time::Instant;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token};
use sim::Rng;

use crate::net::{Conn, Incoming, Net, NodeId, Service};

/// How much is read from a stream at once.
const CHUNK: usize = 64 << 10;
/// Tokens below this belong to the hosts, those above to connections.
const FIRST_CONN: usize = 1 << 20;
const TOKENS_PER_HOST: usize = 4;

pub struct SocketNet {
    start: Instant,
    poll: Poll,
    events: Events,
    hosts: Vec<Host>,
    sockets: Vec<Option<Socket>>,
    by_udp: BTreeMap<SocketAddr, NodeId>,
    // Who dials: by both ends, since the system uses one port for several connections.
    by_dialler: BTreeMap<(SocketAddr, SocketAddr), NodeId>,
    ready: VecDeque<Incoming>,
    readable: VecDeque<usize>, // connections that may have more to read
    rng: Rng,
    loss_percent: u8,
    chunk: Vec<u8>,
}

struct Host {
    udp: Option<UdpSocket>,
    listeners: Vec<TcpListener>, // in the order of `Service::STREAMS`; empty once killed
    addresses: [SocketAddrV4; 4],
}

struct Socket {
    stream: TcpStream,
    at: NodeId,
    peer: NodeId,
    service: Service,
    dialled: bool,
    phase: Phase,
    queued: bool, // stands in `readable`
    held: Vec<u8>,
    sent: usize, // of `held`
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Dialling,
    Open,
    Closing, // once everything held back is sent
}

impl SocketNet {
    /// Opens the sockets of `nodes` nodes.
    pub fn new(seed: u64, nodes: u16, loss_percent: u8) -> io::Result<Self> {
        let mut net = Self {
            start: Instant::now(),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            hosts: Vec::new(),
            sockets: Vec::new(),
            by_udp: BTreeMap::new(),
            by_dialler: BTreeMap::new(),
            ready: VecDeque::new(),
            readable: VecDeque::new(),
            rng: Rng::new(seed),
            loss_percent,
            chunk: vec![0; CHUNK],
        };
        for node in 0..nodes {
            net.open_host(NodeId(node))?;
        }
        Ok(net)
    }

    fn open_host(&mut self, node: NodeId) -> io::Result<()> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let first = node.index() * TOKENS_PER_HOST;
        let mut udp = UdpSocket::bind(any)?;
        self.poll.registry().register(&mut udp, Token(first), Interest::READABLE)?;
        let mut addresses = [v4(udp.local_addr()?); 4];
        self.by_udp.insert(udp.local_addr()?, node);
        let mut listeners = Vec::new();
        for (n, service) in Service::STREAMS.into_iter().enumerate() {
            let mut listener = TcpListener::bind(any)?;
            let token = Token(first + 1 + n);
            self.poll.registry().register(&mut listener, token, Interest::READABLE)?;
            addresses[service as usize] = v4(listener.local_addr()?);
            listeners.push(listener);
        }
        self.hosts.push(Host { udp: Some(udp), listeners, addresses });
        Ok(())
    }

    fn add(
        &mut self,
        mut stream: TcpStream,
        at: NodeId,
        peer: NodeId,
        service: Service,
        dialled: bool,
    ) -> Conn {
        let id = self.sockets.len();
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut stream, Token(FIRST_CONN + id), both);
        let _ = stream.set_nodelay(true);
        let phase = if dialled { Phase::Dialling } else { Phase::Open };
        let socket = Socket {
            stream,
            at,
            peer,
            service,
            dialled,
            phase,
            queued: false,
            held: Vec::new(),
            sent: 0,
        };
        self.sockets.push(registered.is_ok().then_some(socket));
        Conn(id as u32)
    }

    fn wait(&mut self, until: Duration) {
        let wait = until.saturating_sub(self.now()).max(Duration::from_micros(100));
        let mut events = core::mem::replace(&mut self.events, Events::with_capacity(0));
        if self.poll.poll(&mut events, Some(wait)).is_ok() {
            for event in &events {
                let Token(token) = event.token();
                match token.checked_sub(FIRST_CONN) {
                    None => self.host_event(token),
                    Some(id) => self.conn_event(id, event.is_writable(), event.is_readable()),
                }
            }
        }
        self.events = events;
    }

    fn host_event(&mut self, token: usize) {
        let at = NodeId((token / TOKENS_PER_HOST) as u16);
        match token % TOKENS_PER_HOST {
            0 => self.receive_datagrams(at),
            n => self.accept(at, Service::STREAMS[n - 1], n - 1),
        }
    }

    fn receive_datagrams(&mut self, at: NodeId) {
        let Some(udp) = &self.hosts[at.index()].udp else { return };
        let mut buf = [0; 2048];
        while let Ok((len, from)) = udp.recv_from(&mut buf) {
            if let Some(from) = self.by_udp.get(&from) {
                self.ready.push_back(Incoming::Datagram {
                    at,
                    from: *from,
                    bytes: buf[..len].to_vec(),
                });
            }
        }
    }

    fn accept(&mut self, at: NodeId, service: Service, listener: usize) {
        while let Some(Ok((stream, from))) =
            self.hosts[at.index()].listeners.get(listener).map(TcpListener::accept)
        {
            // All diallers live in this process; a stranger on the port is turned away.
            let here = SocketAddr::V4(self.address(at, service));
            let Some(peer) = self.by_dialler.remove(&(from, here)) else { continue };
            let conn = self.add(stream, at, peer, service, false);
            self.ready.push_back(Incoming::Opened { conn, at, peer, service, dialled: false });
        }
    }

    fn conn_event(&mut self, id: usize, writable: bool, readable: bool) {
        let Some(socket) = self.sockets.get_mut(id).and_then(Option::as_mut) else { return };
        if socket.phase == Phase::Dialling && writable {
            if socket.stream.take_error().is_ok_and(|error| error.is_none())
                && socket.stream.peer_addr().is_ok()
            {
                socket.phase = Phase::Open;
                let Socket { at, peer, service, dialled, .. } = *socket;
                self.ready.push_back(Incoming::Opened {
                    conn: Conn(id as u32),
                    at,
                    peer,
                    service,
                    dialled,
                });
            } else {
                return self.closed(id);
            }
        }
        if writable && socket.phase != Phase::Dialling {
            let held = socket.held.len() > socket.sent;
            if flush(socket) && held {
                self.ready.push_back(Incoming::Drained);
            }
        }
        if readable && !socket.queued {
            socket.queued = true;
            self.readable.push_back(id);
        }
        self.finish_close(id);
    }

    /// Reads once from the connection whose turn it is.
    fn read_next(&mut self) {
        let Some(id) = self.readable.pop_front() else { return };
        let Some(socket) = self.sockets.get_mut(id).and_then(Option::as_mut) else { return };
        match socket.stream.read(&mut self.chunk) {
            Ok(0) => self.closed(id),
            Ok(len) => {
                let bytes = self.chunk[..len].to_vec();
                self.ready.push_back(Incoming::Bytes { conn: Conn(id as u32), bytes });
                self.readable.push_back(id);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => socket.queued = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => self.readable.push_back(id),
            Err(_) => self.closed(id),
        }
    }

    fn closed(&mut self, id: usize) {
        if let Some(socket) = self.sockets[id].take() {
            self.ready.push_back(Incoming::Closed { conn: Conn(id as u32), at: socket.at });
        }
    }

    fn finish_close(&mut self, id: usize) {
        let done =
            |socket: &Socket| socket.phase == Phase::Closing && socket.held.len() == socket.sent;
        if self.sockets[id].as_ref().is_some_and(done) {
            self.sockets[id] = None;
        }
    }
}

impl Net for SocketNet {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn address(&self, node: NodeId, service: Service) -> SocketAddrV4 {
        self.hosts[node.index()].addresses[service as usize]
    }

    fn connect(&mut self, from: NodeId, to: NodeId, service: Service) -> Conn {
        let address = self.address(to, service);
        if let Ok(stream) = TcpStream::connect(SocketAddr::V4(address)) {
            if let Ok(local) = stream.local_addr() {
                self.by_dialler.insert((local, SocketAddr::V4(address)), from);
            }
            return self.add(stream, from, to, service, true);
        }
        let conn = Conn(self.sockets.len() as u32);
        self.sockets.push(None);
        self.ready.push_back(Incoming::Closed { conn, at: from });
        conn
    }

    fn send(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(socket) = self.sockets[conn.0 as usize].as_mut() else { return };
        if socket.sent > CHUNK && socket.sent * 2 > socket.held.len() {
            socket.held.drain(..socket.sent);
            socket.sent = 0;
        }
        socket.held.extend_from_slice(bytes);
        if socket.phase == Phase::Open {
            flush(socket);
        }
    }

    fn held_back(&self, conn: Conn) -> usize {
        self.sockets[conn.0 as usize].as_ref().map_or(0, |socket| socket.held.len() - socket.sent)
    }

    fn close(&mut self, conn: Conn) {
        let place = &mut self.sockets[conn.0 as usize];
        match place {
            Some(socket) if socket.phase != Phase::Dialling => socket.phase = Phase::Closing,
            _ => *place = None, // nothing was said yet
        }
        self.finish_close(conn.0 as usize);
    }

    fn send_datagram(&mut self, from: NodeId, to: NodeId, bytes: &[u8]) {
        if self.rng.below(100) < u64::from(self.loss_percent) {
            return;
        }
        let address = self.address(to, Service::Chord);
        if let Some(udp) = &self.hosts[from.index()].udp {
            let _ = udp.send_to(bytes, SocketAddr::V4(address)); // a full buffer loses it, as UDP may
        }
    }

    fn kill(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.index()];
        host.listeners.clear();
        host.udp = None;
        for socket in &mut self.sockets {
            if socket.as_ref().is_some_and(|socket| socket.at == node) {
                *socket = None;
            }
        }
    }

    fn poll(&mut self, until: Duration) -> Option<Incoming> {
        let mut waited = false;
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return Some(incoming);
            }
            if !self.readable.is_empty() {
                self.read_next();
                continue;
            }
            if waited {
                return None; // time is up, or a signal came
            }
            self.wait(until);
            waited = self.now() >= until || self.ready.is_empty() && self.readable.is_empty();
        }
    }
}

/// Writes what is held back; returns whether nothing is left.
fn flush(socket: &mut Socket) -> bool {
    while socket.sent < socket.held.len() {
        match socket.stream.write(&socket.held[socket.sent..]) {
            Ok(len) => socket.sent += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return false, // would block, or is closed: reading will tell
        }
    }
    socket.held.clear();
    socket.sent = 0;
    true
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(_) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), // never bound here
    }
}
