//! A download and the servents that it fetches from, in virtual time.

#![allow(dead_code, reason = "each test file uses a part")]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeMap;

use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::{Giv, Request, Resource};
use gnutella_wire::huge::{Sha1, TigerRoot};
use gnutella_wire::thex::{Shape, Tree, TreeHasher};
use gnutella_wire::transfer::{
    Download, DownloadCloseReason, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec,
    FileInfo, Source, SourceFault, SourceId,
};
use gnutella_wire::{ConnId, ServentId, Text};
use sha1::Digest as _;

/// The length of most files in bytes.
pub const MB: usize = 1_000_000;
/// The end of a good download.
pub const VERIFIED: Option<DownloadEvent> = Some(DownloadEvent::Completed { verified: true });
const STEP: Duration = Duration::from_millis(20);

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How a servent serves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Bytes per second.
    pub rate: usize,
    /// The byte that it sends wrong.
    pub lies_at: Option<usize>,
    /// The most bytes of an answer.
    pub most: Option<u64>,
    /// Whether it keeps connections.
    pub keep_alive: bool,
    /// Whether it has the Tiger tree: the right one, or that of another file.
    pub tree: Option<bool>,
    /// What it answers instead of the tree: a head and a body.
    pub no_tree: Option<Cow<'static, str>>,
    /// Until when it is busy, and the headers that it then sends.
    pub busy: Option<(Duration, &'static str)>,
    /// First and last byte of the part that it has, if not all.
    pub has: Option<(u64, u64)>,
    /// After how many bytes of each answer it closes.
    pub drops_after: Option<usize>,
    /// Whether it is behind a firewall, and whether it answers pushes.
    pub firewall: Option<bool>,
    /// Another status than success.
    pub status: Option<u16>,
    /// Further header lines of its answers.
    pub headers: Cow<'static, str>,
}

impl Behaviour {
    pub const GOOD: Self = Self {
        rate: 1_000_000,
        lies_at: None,
        most: None,
        keep_alive: true,
        tree: Some(true),
        no_tree: None,
        busy: None,
        has: None,
        drops_after: None,
        firewall: None,
        status: None,
        headers: Cow::Borrowed(""),
    };
}

/// A servent and its connections.
struct Server {
    id: SourceId,
    behaviour: Behaviour,
    heads: Vec<String>,
    asked: Vec<Duration>,
}

struct Conn {
    server: usize,
    asked: Vec<u8>,
    answer: Vec<u8>,
    sent: usize,      // of `answer`
    allowance: usize, // bytes that it may send
    closes_at: Option<usize>,
    received: Vec<u8>,
}

pub struct World {
    pub now: Duration,
    pub download: Download<DownloadVec>,
    pub written: Vec<u8>,
    pub outcome: Option<DownloadEvent>,
    pub lost: Vec<(usize, SourceFault)>,
    pub closed: Vec<(usize, DownloadCloseReason)>,
    pub pushes: Vec<(Duration, usize)>,
    pub dials: Vec<(Duration, usize)>,
    file: Vec<u8>,
    tree: Vec<u8>,
    root: TigerRoot,
    pieces: Vec<(u64, u64)>,
    servers: Vec<Server>,
    conns: BTreeMap<u32, Conn>,
    next_conn: u32,
}

/// Bytes without a pattern that a shifted copy would share.
pub fn file_of(len: usize) -> Vec<u8> {
    let mut rng = sim::Rng::new(len as u64);
    let mut file = vec![0; len];
    rng.fill(&mut file);
    file
}

pub fn sha1_of(bytes: &[u8]) -> Sha1 {
    Sha1(sha1::Sha1::digest(bytes).into())
}

fn root_of(bytes: &[u8]) -> TigerRoot {
    let mut hasher = TreeHasher::new();
    hasher.update(bytes);
    hasher.finish()
}

fn tree_of(bytes: &[u8]) -> Vec<u8> {
    let shape = Shape::customary(bytes.len() as u64);
    let nodes: Vec<_> = bytes.chunks(shape.span as usize).map(|part| root_of(part).0).collect();
    let tree = Tree { size: bytes.len() as u64, nodes: &nodes };
    let mut body = vec![0; tree.encoded_len()];
    tree.encode(&mut body).unwrap();
    body
}

pub fn info_of(file: &[u8]) -> FileInfo<'static> {
    FileInfo { size: file.len() as u64, sha1: Some(sha1_of(file)), root: None, name: b"" }
}

impl World {
    pub fn new(file: &[u8]) -> Self {
        Self::of(file, DownloadConfig::CUSTOMARY, info_of(file), &[])
    }

    /// Continues after `written`, with the bytes that are there.
    pub fn of(
        file: &[u8],
        config: DownloadConfig,
        info: FileInfo<'_>,
        written: &[(u64, u64)],
    ) -> Self {
        let storage = DownloadVec::new(DownloadLimits::default());
        Self {
            now: Duration::ZERO,
            download: Download::resume(config, info, written, storage).unwrap(),
            written: vec![0; file.len()],
            outcome: None,
            lost: Vec::new(),
            closed: Vec::new(),
            pushes: Vec::new(),
            dials: Vec::new(),
            file: file.to_vec(),
            tree: tree_of(file),
            root: root_of(file),
            pieces: Vec::new(),
            servers: Vec::new(),
            conns: BTreeMap::new(),
            next_conn: 0,
        }
    }

    /// Adds a servent that the download knows, and returns its number.
    pub fn add(&mut self, behaviour: Behaviour) -> usize {
        let firewall = behaviour.firewall;
        let number = self.add_unknown(behaviour);
        let address = address_of(number);
        let source = match firewall {
            Some(_) => Source::of_hit(address, servent_of(number), 1, true),
            None => Source::at(address),
        };
        self.servers[number].id = self.download.add_source(self.now, source).unwrap();
        number
    }

    /// Adds a servent of which the download may learn.
    pub fn add_unknown(&mut self, behaviour: Behaviour) -> usize {
        self.servers.push(Server {
            id: SourceId(0),
            behaviour,
            heads: Vec::new(),
            asked: Vec::new(),
        });
        self.servers.len() - 1
    }

    /// Lets every servent send the tree of another file.
    pub fn serve_tree_of(&mut self, other: &[u8]) {
        self.tree = tree_of(other);
        self.root = root_of(other);
    }

    pub fn root(&self) -> TigerRoot {
        self.root
    }

    pub fn info(&self) -> FileInfo<'static> {
        info_of(&self.file)
    }

    /// Returns when a servent received requests.
    pub fn asked(&self, server: usize) -> &[Duration] {
        &self.servers[server].asked
    }

    /// Returns the requests that a servent received.
    pub fn heads(&self, server: usize) -> &[String] {
        &self.servers[server].heads
    }

    pub fn delivered(&self, server: usize) -> u64 {
        let address = address_of(server);
        let mut sources = self.download.sources();
        sources.find(|report| report.source.address == address).map_or(0, |report| report.delivered)
    }

    /// Returns the parts that arrived more than once, joined.
    pub fn fetched_twice(&self) -> Vec<(u64, u64)> {
        let mut count = vec![0_u8; self.file.len()];
        for (first, end) in &self.pieces {
            count[*first as usize..*end as usize].iter_mut().for_each(|n| *n = n.saturating_add(1));
        }
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for at in (0..count.len()).filter(|at| count[*at] > 1) {
            match spans.last_mut() {
                Some((_, end)) if *end == at as u64 => *end += 1,
                _ => spans.push((at as u64, at as u64 + 1)),
            }
        }
        spans
    }

    /// Runs for a time, or until the download ends.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        self.flush();
        while self.now < until && self.outcome.is_none() {
            self.now += STEP;
            self.download.handle_timeout(self.now);
            self.flush();
            let conns: Vec<u32> = self.conns.keys().copied().collect();
            for conn in conns {
                self.serve(conn);
                self.deliver(conn);
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        let mut buf = [0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
        loop {
            if let Some(sent) = self.download.poll_transmit(&mut buf).unwrap() {
                let conn = self.conns.get_mut(&sent.conn.0).expect("an open connection");
                conn.asked.extend_from_slice(&buf[..sent.len]);
            } else if let Some(event) = self.download.poll_event() {
                self.handle(event);
            } else {
                return;
            }
        }
    }

    fn handle(&mut self, event: DownloadEvent) {
        match event {
            DownloadEvent::Closed { conn, reason } => {
                let conn = self.conns.remove(&conn.0).expect("an open connection");
                self.closed.push((conn.server, reason));
            }
            DownloadEvent::Dial { source, address } => {
                let server = number_of(address);
                self.dials.push((self.now, server));
                if self.servers[server].behaviour.firewall.is_some() {
                    return self.download.handle_dial_failed(self.now, source);
                }
                self.servers[server].id = source;
                let conn = self.open(server);
                self.download.handle_connected(self.now, source, conn).unwrap();
            }
            DownloadEvent::Push { servent, .. } => {
                let server = usize::from(servent.0[0]);
                self.pushes.push((self.now, server));
                if self.servers[server].behaviour.firewall == Some(true) {
                    let conn = self.open(server);
                    let giv = Giv { index: 1, servent, name: Text::EMPTY };
                    self.download.handle_giv(self.now, conn, &giv).unwrap();
                }
            }
            DownloadEvent::Verify { offset, len } => {
                let part = &self.written[offset as usize..(offset + len) as usize];
                self.download.handle_verified(self.now, offset, root_of(part));
            }
            DownloadEvent::VerifyFile => {
                let sha1 = sha1_of(&self.written);
                self.download.handle_file_verified(self.now, sha1);
            }
            DownloadEvent::SourceLost { source, fault } => {
                let number = self.servers.iter().position(|server| server.id == source);
                self.lost.push((number.expect("a source"), fault));
            }
            other => self.outcome = Some(other),
        }
    }

    fn open(&mut self, server: usize) -> ConnId {
        let conn = self.next_conn;
        self.next_conn += 1;
        let fresh = Conn {
            server,
            asked: Vec::new(),
            answer: Vec::new(),
            sent: 0,
            allowance: 0,
            closes_at: None,
            received: Vec::new(),
        };
        self.conns.insert(conn, fresh);
        ConnId(conn)
    }

    /// Lets the servent answer the next request, once the previous answer is sent.
    fn serve(&mut self, conn: u32) {
        let Some(link) = self.conns.get_mut(&conn) else { return };
        if link.sent < link.answer.len() || link.closes_at.is_some() {
            return;
        }
        let asked = core::mem::take(&mut link.asked);
        let Ok((head, rest)) = Head::decode(&asked, HeadLimits::GTKG) else {
            link.asked = asked;
            return;
        };
        link.asked = rest.to_vec();
        let server = link.server;
        let behaviour = self.servers[server].behaviour.clone();
        let used = asked.len() - rest.len();
        self.servers[server].asked.push(self.now);
        self.servers[server].heads.push(String::from_utf8_lossy(&asked[..used]).into_owned());
        let request = Request::from_head(&head).unwrap();
        let (answer, keeps) = self.answer(&behaviour, &request);
        let link = self.conns.get_mut(&conn).unwrap();
        link.closes_at = match behaviour.drops_after {
            Some(most) if most < answer.len() => Some(most),
            _ => (!keeps).then_some(answer.len()),
        };
        link.answer = answer;
        link.sent = 0;
    }

    /// Returns the answer, and whether the connection stays open.
    fn answer(&self, behaviour: &Behaviour, request: &Request<'_>) -> (Vec<u8>, bool) {
        let keeps = behaviour.keep_alive;
        let closes = if keeps { "" } else { "Connection: close\r\n" };
        if matches!(request.resource, Resource::Tree(_)) {
            if let Some(refusal) = &behaviour.no_tree {
                return (refusal.as_bytes().to_vec(), keeps);
            }
            let body = &self.tree;
            let len = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/dime\r\nContent-Length: {len}\r\n{closes}\r\n"
            );
            return ([head.as_bytes(), body].concat(), keeps);
        }
        if let Some(status) = behaviour.status {
            let headers = &behaviour.headers;
            let head =
                format!("HTTP/1.1 {status} No\r\n{headers}Content-Length: 2\r\n{closes}\r\nno");
            return (head.into_bytes(), keeps);
        }
        if let Some((until, headers)) = behaviour.busy
            && self.now < until
        {
            let head =
                format!("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n{headers}{closes}\r\nbusy");
            return (head.into_bytes(), keeps);
        }
        let size = self.file.len() as u64;
        let mut part = request.range.unwrap().of(size).unwrap();
        let available = match behaviour.has {
            Some((first, last)) => format!("X-Available-Ranges: bytes {first}-{last}\r\n"),
            None => String::new(),
        };
        if let Some((first, last)) = behaviour.has {
            if part.first < first || part.first > last {
                let head = format!(
                    "HTTP/1.1 416 Range Not Available\r\nContent-Length: 0\r\n{available}\r\n"
                );
                return (head.into_bytes(), keeps);
            }
            part.last = part.last.min(last);
        }
        if let Some(most) = behaviour.most {
            part.last = part.last.min(part.first + most - 1);
        }
        let root = match behaviour.tree {
            Some(true) => self.root,
            _ => TigerRoot([7; 24]),
        };
        let sha1 = sha1_text(request);
        let tree = match behaviour.tree {
            Some(_) => format!("X-Thex-URI: /uri-res/N2X?{sha1};\r\n  {root}\r\n"),
            None => String::new(),
        };
        let head = format!(
            "HTTP/1.1 206 OK\r\nServer: Strange 1.0\r\nContent-Range: bytes={}-{}/{size}\r\n\
             Content-Length: {}\r\n{available}{tree}{}{closes}\r\n",
            part.first,
            part.last,
            part.len(),
            behaviour.headers,
        );
        let first = part.first as usize;
        let mut body = self.file[first..=part.last as usize].to_vec();
        if let Some(byte) = behaviour.lies_at.and_then(|at| body.get_mut(at.checked_sub(first)?)) {
            *byte ^= 0xFF;
        }
        ([head.into_bytes(), body].concat(), keeps)
    }

    /// Sends what the servent's bandwidth allows, and lets the download read it.
    fn deliver(&mut self, conn: u32) {
        let Some(link) = self.conns.get_mut(&conn) else { return };
        let rate = self.servers[link.server].behaviour.rate;
        link.allowance =
            (link.allowance + rate * STEP.as_millis() as usize / 1_000).min(rate.max(1));
        let end = link.closes_at.unwrap_or(link.answer.len()).min(link.answer.len());
        let len = link.allowance.min(end - link.sent.min(end));
        link.received.extend_from_slice(&link.answer[link.sent..link.sent + len]);
        link.sent += len;
        link.allowance -= len;
        let is_over = link.closes_at.is_some_and(|at| link.sent >= at);
        let received = core::mem::take(&mut link.received);
        let rest = self.read(conn, &received);
        if let Some(link) = self.conns.get_mut(&conn) {
            link.received = rest;
            if is_over {
                self.conns.remove(&conn);
                self.download.handle_closed(self.now, ConnId(conn));
            }
        }
    }

    fn read(&mut self, conn: u32, received: &[u8]) -> Vec<u8> {
        let mut rest = received;
        while let Ok(read) = self.download.handle_bytes(self.now, ConnId(conn), rest)
            && read.consumed > 0
        {
            rest = &rest[read.consumed..];
            if let Some(piece) = read.outcome {
                let begin = piece.offset as usize;
                self.written[begin..begin + piece.bytes.len()].copy_from_slice(piece.bytes);
                self.pieces.push((piece.offset, piece.offset + piece.bytes.len() as u64));
            }
            self.flush();
        }
        rest.to_vec()
    }
}

fn sha1_text(request: &Request<'_>) -> String {
    match request.resource {
        Resource::Urn(urn) => urn.to_owned(),
        _ => String::new(),
    }
}

pub fn address_of(server: usize) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1 + server as u8), 6346)
}

pub fn number_of(address: SocketAddrV4) -> usize {
    usize::from(address.ip().octets()[3]) - 1
}

pub fn servent_of(server: usize) -> ServentId {
    ServentId([server as u8; 16])
}
