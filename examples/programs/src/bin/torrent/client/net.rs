//! The connections of all torrents, encrypted or not.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::encryption::{
    Attempt, EncryptedStream, EncryptionPolicy, Method, ObfuscatedHash,
};
use bittorrent_pieces::{ConnId, InfoHash, Side};
use examples::buffer::Buffer;
use examples::random::random;
use examples::report;
use examples::tcp::{Event, Tcp};

use super::mailbox::{Found, Mailbox, Message};
use super::utp::{self, Utp, is_utp};
use super::web::WebPart;

/// How long a peer that we dialled may take to agree on encryption.
const AGREEMENT: Duration = Duration::from_secs(8);
/// A connection that holds more decrypted bytes than this is not decrypted further for now.
const UNREAD: usize = 256 << 10;
/// Of how many peers it is remembered which attempt comes next.
const REMEMBERED: usize = 1_000;

/// What happened during a turn.
#[derive(Debug)]
pub enum NetEvent {
    Opened {
        conn: ConnId,
        addr: SocketAddr,
        /// The torrent for which it was dialled; `None` if the peer dialled.
        dialled: Option<InfoHash>,
    },
    Bytes(ConnId),
    Closed(ConnId),
    /// A peer could not be reached by any attempt that the policy allows.
    DialFailed {
        addr: SocketAddr,
        torrent: InfoHash,
    },
    Found(Found),
    /// A part of a response of a web seed.
    Web(WebPart),
}

/// The listening socket and all connections.
pub struct Net {
    tcp: Tcp<ConnId, Message>,
    utp: Option<Utp>,
    policy: EncryptionPolicy,
    torrents: Vec<InfoHash>,
    dials: BTreeMap<ConnId, Dial>,
    links: BTreeMap<ConnId, Link>,
    /// Which attempt comes next for a peer, if it is not the first: those of the policy over uTP, then over TCP.
    attempts: BTreeMap<SocketAddr, usize>,
    trace: bool,
}

/// A connection that is being opened.
#[derive(Debug, Clone, Copy)]
struct Dial {
    addr: SocketAddr,
    torrent: InfoHash,
    attempt: usize,
}

/// A connection.
pub struct Link {
    pub addr: SocketAddr,
    /// What was received, in plain, and not yet used.
    pub received: Buffer,
    stream: EncryptedStream,
    waiting: Vec<u8>, // payload that was to be sent before encryption was agreed on
    attempt: usize,
    dialled: Option<InfoHash>, // for this torrent
    reported: bool,
    answered: bool, // payload was received
    since: Duration,
}

impl Net {
    /// Opens the listening socket. The clock starts here.
    pub fn listen(
        address: SocketAddr,
        policy: EncryptionPolicy,
        utp: bool,
        trace: bool,
    ) -> Result<Self, String> {
        let tcp = Tcp::listen(address)?;
        let mailbox = tcp.mailbox();
        let deliver = move |from, bytes| mailbox.send(Message::Datagram { from, bytes });
        let utp = utp.then(|| Utp::bind(tcp.address(), deliver)).transpose()?;
        let torrents = Vec::new();
        let dials = BTreeMap::new();
        let links = BTreeMap::new();
        let attempts = BTreeMap::new();
        Ok(Self { tcp, utp, policy, torrents, dials, links, attempts, trace })
    }

    /// Adds torrents that peers may name when they encrypt: both hashes of a hybrid torrent.
    pub fn add_torrents(&mut self, torrents: impl IntoIterator<Item = InfoHash>) {
        self.torrents.extend(torrents);
    }

    pub fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    pub fn mailbox(&self) -> Mailbox {
        Mailbox(self.tcp.mailbox())
    }

    /// Returns the time on the clock of the machines.
    pub fn now(&self) -> Duration {
        self.tcp.now()
    }

    pub fn link(&mut self, id: ConnId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Takes what a connection has received; [`put_back`](Self::put_back) returns what was not used.
    pub fn take_received(&mut self, id: ConnId) -> Option<(SocketAddr, Buffer)> {
        let link = self.links.get_mut(&id)?;
        Some((link.addr, core::mem::take(&mut link.received)))
    }

    /// Returns bytes that were not used. Those of a connection without encryption wait at its socket, so that the next are
    /// read behind them.
    pub fn put_back(&mut self, id: ConnId, received: Buffer) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let is_plain = link.stream.method() == Some(Method::Plaintext);
        let socket = if is_plain { self.socket(id) } else { None };
        match socket {
            Some((_, socket)) if socket.is_empty() => *socket = received,
            _ => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.received = received;
                }
            }
        }
    }

    /// Returns the ids of all open connections.
    pub fn ids(&self) -> Vec<ConnId> {
        self.links.iter().filter(|(_, link)| link.reported).map(|(id, _)| *id).collect()
    }

    /// Returns the number of connections, those included that are being opened.
    pub fn len(&self) -> usize {
        self.tcp.len() + self.utp.as_ref().map_or(0, Utp::len)
    }

    /// Begins to dial; `Opened` or `DialFailed` follows. Returns whether the system tries.
    pub fn dial(&mut self, torrent: InfoHash, addr: SocketAddr) -> bool {
        let attempt = self.attempts.get(&addr).copied().unwrap_or_default();
        (attempt..self.ways()).any(|attempt| self.dial_by(Dial { addr, torrent, attempt }))
    }

    /// Begins to dial over uTP, if that is on, for a peer that dials us at the same time.
    pub fn dial_utp(&mut self, torrent: InfoHash, addr: SocketAddr) -> bool {
        self.utp.is_some() && self.dial_by(Dial { addr, torrent, attempt: 0 })
    }

    /// Returns the number of attempts: those of the policy, over each transport.
    fn ways(&self) -> usize {
        self.policy.attempts().len() * if self.utp.is_some() { 2 } else { 1 }
    }

    fn dial_by(&mut self, dial: Dial) -> bool {
        let Dial { addr, attempt, .. } = dial;
        let now = self.now();
        let first_of_tcp = self.ways() - self.policy.attempts().len();
        let conn = match &mut self.utp {
            Some(utp) if attempt < first_of_tcp => utp.dial(now, addr),
            _ => self.tcp.dial(addr),
        };
        if let Some(conn) = conn {
            self.dials.insert(conn, dial);
        }
        conn.is_some()
    }

    /// Closes a connection. What is still unsent is written as far as the socket accepts it now.
    pub fn close(&mut self, id: ConnId) {
        if let Some(link) = self.links.remove(&id) {
            self.note_end(&link);
        }
        self.shut(id);
    }

    fn shut(&mut self, id: ConnId) {
        match &mut self.utp {
            Some(utp) if is_utp(id) => utp.close(id),
            _ => self.tcp.close(id),
        }
    }

    /// Returns what a connection has received and its address.
    fn socket(&mut self, id: ConnId) -> Option<(SocketAddr, &mut Buffer)> {
        match &mut self.utp {
            Some(utp) if is_utp(id) => utp.conn(id).map(|conn| (conn.addr, &mut conn.received)),
            _ => self.tcp.conn(id).map(|conn| (conn.addr, &mut conn.received)),
        }
    }

    fn write(&mut self, id: ConnId, bytes: &[u8]) {
        match &mut self.utp {
            Some(utp) if is_utp(id) => utp.send(id, bytes),
            _ => self.tcp.send(id, bytes),
        }
    }

    /// Sends bytes, which are encrypted in place if the peer agreed on that.
    pub fn send(&mut self, id: ConnId, bytes: &mut [u8]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.stream.encrypt(bytes).is_ok() {
            self.write(id, bytes);
        } else {
            link.waiting.extend_from_slice(bytes);
        }
    }

    /// Returns whether the next message to a peer is to be sent without others.
    pub fn sends_alone(&self, id: ConnId) -> bool {
        is_utp(id) && self.utp.as_ref().is_some_and(|utp| utp.sends_alone(id))
    }

    /// Returns how many bytes wait to be sent.
    pub fn unsent(&mut self, id: ConnId) -> usize {
        let waiting = self.links.get(&id).map_or(0, |link| link.waiting.len());
        let unsent = match &self.utp {
            Some(utp) if is_utp(id) => utp.unsent(id),
            _ => self.tcp.conn(id).map_or(0, |conn| conn.unsent()),
        };
        waiting + unsent
    }

    /// Waits for something to happen, no longer than `wait`.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<Vec<NetEvent>> {
        let mut events = Vec::new();
        let now = self.now();
        let due = self.utp.as_mut().and_then(|utp| {
            utp.flush(now);
            utp.wait(now)
        });
        let wait = wait.into_iter().chain(due).min();
        for event in self.tcp.turn(wait)? {
            match event {
                Event::Opened { conn, dialled } => self.opened(conn, dialled, &mut events),
                Event::Bytes(conn) => self.decrypt(conn, &mut events),
                Event::Closed(conn) => self.ended(conn, &mut events),
                Event::Message(Message::Found(found)) => events.push(NetEvent::Found(found)),
                Event::Message(Message::Web(part)) => events.push(NetEvent::Web(part)),
                Event::Message(Message::Datagram { from, bytes }) => {
                    let now = self.now();
                    if let Some(utp) = &mut self.utp {
                        utp.handle_datagram(now, from, &bytes);
                    }
                }
            }
        }
        let now = self.now();
        for event in self.utp.as_mut().map(|utp| utp.turn(now)).unwrap_or_default() {
            match event {
                utp::Event::Opened { conn, dialled } => self.opened(conn, dialled, &mut events),
                utp::Event::Bytes(conn) => self.decrypt(conn, &mut events),
                utp::Event::Closed(conn) => {
                    self.shut(conn);
                    self.ended(conn, &mut events);
                }
            }
        }
        let late = |link: &Link| !link.reported && now.saturating_sub(link.since) > AGREEMENT;
        let late: Vec<_> =
            self.links.iter().filter(|(_, link)| late(link)).map(|(id, _)| *id).collect();
        for conn in late {
            self.shut(conn);
            self.ended(conn, &mut events);
        }
        for conn in self.ids() {
            if self.socket(conn).is_some_and(|(_, received)| !received.is_empty()) {
                self.decrypt(conn, &mut events); // what was too much before may fit now
            }
        }
        Ok(events)
    }

    fn opened(&mut self, conn: ConnId, dialled: bool, events: &mut Vec<NetEvent>) {
        let dial = self.dials.remove(&conn);
        let Some((addr, _)) = self.socket(conn) else { return };
        if self.trace && is_utp(conn) {
            report!("{addr}: connected over uTP");
        }
        let attempt = dial.map_or(0, |dial| dial.attempt);
        let dialled = dial.filter(|_| dialled).map(|dial| dial.torrent);
        let attempts = self.policy.attempts();
        let encrypts = attempts.iter().cycle().nth(attempt) == Some(&Attempt::Encrypted);
        let seed = u64::from_le_bytes(random());
        let stream = match dialled {
            None => EncryptedStream::accept(self.policy, random(), seed),
            Some(torrent) if encrypts => {
                EncryptedStream::dial(self.policy, torrent, random(), seed)
            }
            Some(_) => EncryptedStream::plain(),
        };
        let since = self.now();
        let received = Buffer::new();
        let waiting = Vec::new();
        let reported = false;
        let answered = false;
        let link =
            Link { addr, received, stream, waiting, attempt, dialled, reported, answered, since };
        self.links.insert(conn, link);
        self.transmit(conn);
        self.report(conn, events);
    }

    /// Reports a connection on which payload can be sent, or on which the peer speaks first.
    fn report(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if !link.reported && (link.dialled.is_none() || link.stream.is_ready()) {
            link.reported = true;
            events.push(NetEvent::Opened { conn, addr: link.addr, dialled: link.dialled });
        }
    }

    /// Decrypts what a connection has received.
    fn decrypt(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if link.received.len() >= UNREAD {
            return;
        }
        let socket = match &mut self.utp {
            Some(utp) if is_utp(conn) => utp.conn(conn).map(|conn| &mut conn.received),
            _ => self.tcp.conn(conn).map(|conn| &mut conn.received),
        };
        let Some(socket) = socket else { return };
        let torrents = &self.torrents;
        let find = |hash| torrents.iter().copied().find(|one| ObfuscatedHash::of(*one) == hash);
        let agreed = link.stream.method();
        let all = socket.len();
        let Ok(received) = link.stream.handle_bytes(socket, &find) else {
            if self.trace {
                report!("{}: no agreement on encryption", link.addr);
            }
            self.shut(conn);
            self.ended(conn, events);
            return;
        };
        let consumed = received.consumed;
        let payload = received.outcome.unwrap_or_default();
        let arrived = !payload.is_empty();
        if link.received.is_empty() && payload.len() == all {
            core::mem::swap(&mut link.received, socket); // no copy
        } else {
            link.received.extend_from_slice(payload);
            socket.consume(consumed);
        }
        if arrived && !link.answered {
            link.answered = true;
            if link.dialled.is_some() {
                self.attempts.insert(link.addr, link.attempt);
            }
        }
        if self.trace && agreed.is_none() && link.stream.method() == Some(Method::Rc4) {
            report!("{}: encrypted", link.addr);
        }
        self.transmit(conn);
        self.report(conn, events);
        if arrived {
            events.push(NetEvent::Bytes(conn));
        }
    }

    /// Sends what agreement on encryption needs, then the payload that waited for it.
    fn transmit(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        let mut buf = [0; EncryptedStream::TRANSMIT_LEN];
        let mut out = Vec::new();
        while let Ok(Some(len)) = link.stream.poll_transmit(&mut buf) {
            out.extend_from_slice(&buf[..len]);
        }
        if !link.waiting.is_empty() && link.stream.encrypt(&mut link.waiting).is_ok() {
            out.append(&mut link.waiting);
        }
        if !out.is_empty() {
            self.write(conn, &out);
        }
    }

    /// Handles the end of a connection; one without agreement on encryption may be dialled again in another way.
    fn ended(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        if let Some(dial) = self.dials.remove(&conn) {
            let first_of_tcp = self.ways() - self.policy.attempts().len();
            let again = Dial { attempt: first_of_tcp, ..dial };
            let retried = dial.attempt < first_of_tcp && self.dial_by(again);
            if !retried {
                events.push(NetEvent::DialFailed { addr: dial.addr, torrent: dial.torrent });
            }
        }
        let Some(link) = self.links.remove(&conn) else { return };
        self.note_end(&link);
        if link.reported {
            events.push(NetEvent::Closed(conn));
            return;
        }
        let more = link.attempt + 1 < self.ways();
        if let Some(torrent) = link.dialled
            && !(more && self.dial(torrent, link.addr))
        {
            events.push(NetEvent::DialFailed { addr: link.addr, torrent });
        }
    }

    /// Remembers that the next attempt is another one, if this one got no answer.
    fn note_end(&mut self, link: &Link) {
        let attempts = self.ways();
        if link.dialled.is_some() && !link.answered && attempts > 1 {
            if self.attempts.len() >= REMEMBERED {
                self.attempts.clear();
            }
            self.attempts.insert(link.addr, (link.attempt + 1) % attempts);
        }
    }
}

/// Returns our side of a connection.
pub fn side(dialled: bool) -> Side {
    if dialled { Side::Dialled } else { Side::Accepted }
}
