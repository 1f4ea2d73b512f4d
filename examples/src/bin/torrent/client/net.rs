//! The connections of a torrent, encrypted or not, and what other threads send to its loop.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::encryption::{
    Attempt, EncryptedStream, EncryptionPolicy, Method, ObfuscatedHash,
};
use bittorrent_pieces::peer_book::PeerSource;
use bittorrent_pieces::{ConnId, InfoHash, Side};
use examples::random::random;
use examples::tcp::{Event, Tcp};

/// Sends what was found to the loop.
pub type Mailbox = examples::tcp::Mailbox<Found>;

/// How long a peer that we dialled may take to agree on encryption.
const AGREEMENT: Duration = Duration::from_secs(8);
/// A connection that holds more decrypted bytes than this is not decrypted further for now.
const UNREAD: usize = 256 << 10;
/// Of how many peers it is remembered which attempt comes next.
const REMEMBERED: usize = 1_000;

/// Addresses of peers, and where they were found.
#[derive(Debug)]
pub struct Found {
    pub source: String,
    pub kind: PeerSource,
    pub peers: Vec<SocketAddr>,
    /// Our own address, as the source sees it.
    pub external: Option<IpAddr>,
}

/// What happened during a turn.
#[derive(Debug)]
pub enum NetEvent {
    Opened {
        conn: ConnId,
        addr: SocketAddr,
        dialled: bool,
    },
    Bytes(ConnId),
    Closed(ConnId),
    /// A peer could not be reached by any attempt that the policy allows.
    DialFailed(SocketAddr),
    Found(Found),
}

/// The listening socket and all connections.
pub struct Net {
    tcp: Tcp<ConnId, Found>,
    policy: EncryptionPolicy,
    torrents: Vec<InfoHash>,
    dials: BTreeMap<ConnId, Dial>,
    links: BTreeMap<ConnId, Link>,
    /// Which of the attempts of the policy comes next for a peer, if it is not the first.
    attempts: BTreeMap<SocketAddr, usize>,
    trace: bool,
}

/// A connection that is being opened.
#[derive(Debug, Clone, Copy)]
struct Dial {
    addr: SocketAddr,
    attempt: usize,
}

/// A connection.
pub struct Link {
    pub addr: SocketAddr,
    /// What was received, in plain, and not yet used.
    pub received: Vec<u8>,
    stream: EncryptedStream,
    waiting: Vec<u8>, // payload that was to be sent before encryption was agreed on
    attempt: usize,
    dialled: bool,
    reported: bool,
    heard: bool, // payload was received
    since: Duration,
}

impl Net {
    /// Opens the listening socket. The clock starts here.
    pub fn listen(
        address: SocketAddr,
        policy: EncryptionPolicy,
        trace: bool,
    ) -> Result<Self, String> {
        let tcp = Tcp::listen(address)?;
        let torrents = Vec::new();
        let dials = BTreeMap::new();
        let links = BTreeMap::new();
        let attempts = BTreeMap::new();
        Ok(Self { tcp, policy, torrents, dials, links, attempts, trace })
    }

    /// Sets the torrents that peers may name when they encrypt: both hashes of a hybrid torrent.
    pub fn set_torrents(&mut self, torrents: impl IntoIterator<Item = InfoHash>) {
        self.torrents = torrents.into_iter().collect();
    }

    pub fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    pub fn mailbox(&self) -> Mailbox {
        self.tcp.mailbox()
    }

    /// Returns the time on the clock of the machines.
    pub fn now(&self) -> Duration {
        self.tcp.now()
    }

    pub fn link(&mut self, id: ConnId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Returns the ids of all open connections.
    pub fn ids(&self) -> Vec<ConnId> {
        self.links.iter().filter(|(_, link)| link.reported).map(|(id, _)| *id).collect()
    }

    /// Returns the number of connections, those included that are being opened.
    pub fn len(&self) -> usize {
        self.tcp.len()
    }

    /// Begins to dial; `Opened` or `DialFailed` follows. Returns whether the system tries.
    pub fn dial(&mut self, addr: SocketAddr) -> bool {
        let attempt = self.attempts.get(&addr).copied().unwrap_or_default();
        let conn = self.tcp.dial(addr);
        if let Some(conn) = conn {
            self.dials.insert(conn, Dial { addr, attempt });
        }
        conn.is_some()
    }

    /// Closes a connection. What is still unsent is written as far as the socket accepts it now.
    pub fn close(&mut self, id: ConnId) {
        if let Some(link) = self.links.remove(&id) {
            self.note_end(&link);
        }
        self.tcp.close(id);
    }

    /// Sends bytes, which are encrypted in place if the peer agreed on that.
    pub fn send(&mut self, id: ConnId, bytes: &mut [u8]) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.stream.encrypt(bytes).is_ok() {
            self.tcp.send(id, bytes);
        } else {
            link.waiting.extend_from_slice(bytes);
        }
    }

    /// Returns how many bytes wait to be sent.
    pub fn unsent(&mut self, id: ConnId) -> usize {
        let waiting = self.links.get(&id).map_or(0, |link| link.waiting.len());
        waiting + self.tcp.conn(id).map_or(0, |conn| conn.unsent())
    }

    /// Waits for something to happen, no longer than `wait`.
    pub fn turn(&mut self, wait: Option<Duration>) -> io::Result<Vec<NetEvent>> {
        let mut events = Vec::new();
        for event in self.tcp.turn(wait)? {
            match event {
                Event::Opened { conn, dialled } => self.opened(conn, dialled, &mut events),
                Event::Bytes(conn) => self.decrypt(conn, &mut events),
                Event::Closed(conn) => self.ended(conn, &mut events),
                Event::Message(found) => events.push(NetEvent::Found(found)),
            }
        }
        let now = self.now();
        let late = |link: &Link| !link.reported && now.saturating_sub(link.since) > AGREEMENT;
        let late: Vec<_> =
            self.links.iter().filter(|(_, link)| late(link)).map(|(id, _)| *id).collect();
        for conn in late {
            self.tcp.close(conn);
            self.ended(conn, &mut events);
        }
        for conn in self.ids() {
            if self.tcp.conn(conn).is_some_and(|conn| !conn.received.is_empty()) {
                self.decrypt(conn, &mut events); // what was too much before may fit now
            }
        }
        Ok(events)
    }

    fn opened(&mut self, conn: ConnId, dialled: bool, events: &mut Vec<NetEvent>) {
        let dial = self.dials.remove(&conn);
        let Some(addr) = self.tcp.conn(conn).map(|conn| conn.addr) else { return };
        let attempt = dial.map_or(0, |dial| dial.attempt);
        let encrypts = self.policy.attempts().get(attempt) == Some(&Attempt::Encrypted);
        let seed = u64::from_le_bytes(random());
        let stream = match (dialled, self.torrents.first()) {
            (false, _) => EncryptedStream::accept(self.policy, random(), seed),
            (true, Some(torrent)) if encrypts => {
                EncryptedStream::dial(self.policy, *torrent, random(), seed)
            }
            _ => EncryptedStream::plain(),
        };
        let since = self.now();
        let received = Vec::new();
        let waiting = Vec::new();
        let reported = false;
        let heard = false;
        let link =
            Link { addr, received, stream, waiting, attempt, dialled, reported, heard, since };
        self.links.insert(conn, link);
        self.transmit(conn);
        self.report(conn, events);
    }

    /// Reports a connection on which payload can be sent, or on which the peer speaks first.
    fn report(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        if !link.reported && (!link.dialled || link.stream.is_ready()) {
            link.reported = true;
            events.push(NetEvent::Opened { conn, addr: link.addr, dialled: link.dialled });
        }
    }

    /// Decrypts what a connection has received.
    fn decrypt(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        let Some(link) = self.links.get_mut(&conn) else { return };
        let Some(socket) = self.tcp.conn(conn) else { return };
        if link.received.len() >= UNREAD {
            return;
        }
        let torrents = &self.torrents;
        let find = |hash| torrents.iter().copied().find(|one| ObfuscatedHash::of(*one) == hash);
        let agreed = link.stream.method();
        let all = socket.received.len();
        let Ok(received) = link.stream.handle_bytes(&mut socket.received, &find) else {
            if self.trace {
                println!("{}: no agreement on encryption", link.addr);
            }
            self.tcp.close(conn);
            self.ended(conn, events);
            return;
        };
        let consumed = received.consumed;
        let payload = received.outcome.unwrap_or_default();
        let arrived = !payload.is_empty();
        if link.received.is_empty() && payload.len() == all {
            core::mem::swap(&mut link.received, &mut socket.received); // no copy
        } else {
            link.received.extend_from_slice(payload);
            socket.received.drain(..consumed);
        }
        if arrived && !link.heard {
            link.heard = true;
            if link.dialled {
                self.attempts.insert(link.addr, link.attempt);
            }
        }
        if self.trace && agreed.is_none() && link.stream.method() == Some(Method::Rc4) {
            println!("{}: encrypted", link.addr);
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
        while let Ok(Some(len)) = link.stream.poll_transmit(&mut buf) {
            self.tcp.send(conn, &buf[..len]);
        }
        if !link.waiting.is_empty() && link.stream.encrypt(&mut link.waiting).is_ok() {
            self.tcp.send(conn, &link.waiting);
            link.waiting = Vec::new();
        }
    }

    /// Handles the end of a connection; one without agreement on encryption may be dialled again in another way.
    fn ended(&mut self, conn: ConnId, events: &mut Vec<NetEvent>) {
        if let Some(dial) = self.dials.remove(&conn) {
            events.push(NetEvent::DialFailed(dial.addr));
        }
        let Some(link) = self.links.remove(&conn) else { return };
        self.note_end(&link);
        if link.reported {
            events.push(NetEvent::Closed(conn));
            return;
        }
        let more = link.attempt + 1 < self.policy.attempts().len();
        if link.dialled && !(more && self.dial(link.addr)) {
            events.push(NetEvent::DialFailed(link.addr));
        }
    }

    /// Remembers that the next attempt is another one, if this one got no answer.
    fn note_end(&mut self, link: &Link) {
        let attempts = self.policy.attempts().len();
        if link.dialled && !link.heard && attempts > 1 {
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
