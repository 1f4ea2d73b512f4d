//! The uploads: one thread owns the machine; each connection has one thread to read and one to write.

use core::net::SocketAddrV4;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use gnutella_wire::ConnId;
use gnutella_wire::head::Head;
use gnutella_wire::http::{PushProxy, Request, Resource};
use gnutella_wire::huge::{Sha1, Urn};
use gnutella_wire::transfer::{Offer, UploadConfig, UploadError, UploadEvent, UploadSlot, Uploads};

use super::browse::MEDIA_TYPE;
use super::ctx::{Ctx, Input as NodeInput, peer};
use super::hits;
use super::links::PATIENCE;
use super::share::Library;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 2_048;
/// Others that have a file are remembered up to this number.
const MAX_ALTERNATES: usize = 10;
/// The number of a file in events: of its tree, or of a download in progress, with one of these bits.
const TREE: u32 = 1 << 31;
const PARTIAL: u32 = 1 << 30;
/// The number of the list of all files in events.
const LISTING: u32 = 1 << 29;

/// What the other threads send to the uploads.
pub enum Input {
    /// A connection on which requests come, and what was read from it.
    Connected(TcpStream, Vec<u8>),
    /// Bytes of a connection.
    Bytes(ConnId, Vec<u8>),
    /// The other end closed a connection.
    Closed(ConnId),
    /// A part of a file was written to a connection.
    Sent(ConnId),
}

/// What the thread that writes to a connection is to send.
enum Job {
    Bytes(Vec<u8>),
    Part {
        path: PathBuf,
        offset: u64,
        len: u64,
    },
    /// Bytes of a body that is in memory.
    Body(Vec<u8>),
}

struct Link {
    jobs: Sender<Job>,
    received: Vec<u8>,
    name: SocketAddrV4,
    /// The list of all files, once it was asked for.
    listing: Vec<u8>,
}

struct Serve {
    ctx: Arc<Ctx>,
    uploads: Uploads<Vec<UploadSlot>>,
    links: BTreeMap<u32, Link>,
    next_conn: u32,
    own: Sender<Input>,
    alternates: BTreeMap<Sha1, VecDeque<SocketAddrV4>>,
}

/// Starts the uploads.
pub fn start(ctx: &Arc<Ctx>, own: Sender<Input>, inputs: Receiver<Input>, rate: Option<u64>) {
    let mut config = UploadConfig::CUSTOMARY;
    config.bytes_per_second = rate;
    config.slots_per_host = config.slots; // several servents may run on one machine
    config.connections_per_host = 16;
    config.chunk = 64 << 10;
    let uploads = Uploads::new(config, vec![UploadSlot::EMPTY; CONNECTIONS]);
    let mut serve = Serve {
        ctx: Arc::clone(ctx),
        uploads: uploads.expect("a valid configuration"),
        links: BTreeMap::new(),
        next_conn: 0,
        own,
        alternates: BTreeMap::new(),
    };
    thread::spawn(move || serve.run(&inputs));
}

impl Serve {
    fn run(&mut self, inputs: &Receiver<Input>) {
        loop {
            self.flush();
            let due = self.uploads.poll_timeout().map(|at| at.saturating_sub(self.now()));
            match inputs.recv_timeout(due.unwrap_or(Duration::from_secs(60))) {
                Ok(input) => self.handle(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.uploads.handle_timeout(self.now());
            self.ctx.busy.store(self.uploads.is_busy(), Ordering::Relaxed);
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Connected(stream, received) => {
                let name = peer(&stream);
                if let Err(error) = self.open(stream, &received) {
                    self.ctx.trace(|| format!("   {name}: {error}"));
                }
            }
            Input::Bytes(conn, bytes) => self.receive(conn, &bytes),
            Input::Closed(conn) => {
                self.links.remove(&conn.0);
                self.uploads.handle_closed(self.now(), conn);
            }
            Input::Sent(conn) => {
                let _ = self.uploads.handle_sent(self.now(), conn); // it may be closed meanwhile
                self.receive(conn, &[]); // a request that waited
            }
        }
    }

    fn open(&mut self, stream: TcpStream, received: &[u8]) -> io::Result<()> {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        let name = peer(&stream);
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let reader = stream.try_clone()?;
        let connected = self.uploads.handle_connected(self.now(), conn, *name.ip());
        connected.map_err(io::Error::other)?;
        let (jobs, given) = channel();
        let own = self.own.clone();
        thread::spawn(move || write(conn, stream, &given, &own));
        let own = self.own.clone();
        thread::spawn(move || read(conn, reader, &own));
        let link = Link { jobs, received: Vec::new(), name, listing: Vec::new() };
        self.links.insert(conn.0, link);
        self.receive(conn, received);
        Ok(())
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&conn.0) else { return };
        let name = link.name;
        let mut received = core::mem::take(&mut link.received);
        received.extend_from_slice(bytes);
        let mut rest = &received[..];
        let now = self.now();
        while let Ok(read) = self.uploads.handle_bytes(now, conn, rest)
            && read.consumed > 0
        {
            rest = &rest[read.consumed..];
            if let Some(asked) = read.outcome {
                self.ctx.trace(|| format!("<- {name} {}", asked.head));
                self.answer(conn, &asked.request, &asked.head);
            }
        }
        let rest = rest.to_vec();
        if let Some(link) = self.links.get_mut(&conn.0) {
            link.received = rest;
        }
    }

    fn answer(&mut self, conn: ConnId, request: &Request<'_>, head: &Head<'_>) {
        let ctx = Arc::clone(&self.ctx);
        let mut buf = vec![0; MAX_HEAD];
        let now = self.now();
        let library = ctx.library();
        let partials = ctx.partials.lock().expect("no panics");
        let answered = match offer_of(&library, &partials, &request.resource) {
            Some((sha1, mut offer)) => {
                self.learn_alternates(sha1, head);
                let others: Vec<_> =
                    self.alternates.get(&sha1).into_iter().flatten().copied().collect();
                offer.alternates = &others;
                self.uploads.offer(now, conn, &offer, &mut buf)
            }
            None => self.answer_other(conn, request, head, &mut buf),
        };
        drop(partials);
        if let (Ok(len), Some(link)) = (answered, self.links.get(&conn.0)) {
            let text = String::from_utf8_lossy(&buf[..len]).trim_end().replace("\r\n", " | ");
            ctx.trace(|| format!("-> {} {text}", link.name));
            let _ = link.jobs.send(Job::Bytes(buf[..len].to_vec()));
        }
    }

    /// Answers a request that names no file: for the list of all, or for a push to a neighbour.
    fn answer_other(
        &mut self,
        conn: ConnId,
        request: &Request<'_>,
        head: &Head<'_>,
        buf: &mut [u8],
    ) -> Result<usize, UploadError> {
        let now = self.now();
        let Resource::Other(path) = request.resource else {
            return self.uploads.refuse(now, conn, 404, "Not Found", buf);
        };
        if path == b"/" {
            if !head.has_item("Accept", MEDIA_TYPE) {
                return self.uploads.refuse(now, conn, 406, "Not Acceptable", buf);
            }
            let listing = hits::listing(&self.ctx);
            let mut offer = Offer::new(LISTING, listing.len() as u64);
            offer.media_type = MEDIA_TYPE;
            offer.takes_slot = false;
            if let Some(link) = self.links.get_mut(&conn.0) {
                link.listing = listing;
            }
            return self.uploads.offer(now, conn, &offer, buf);
        }
        let (status, reason) = match (PushProxy::parse(path), head.addresses("X-Node").next()) {
            (Some(wanted), Some(to)) => self.pass_on(wanted, to),
            (Some(_), None) => (400, "Bad Request"),
            (None, _) => (404, "Not Found"),
        };
        self.uploads.refuse(now, conn, status, reason, buf)
    }

    /// Passes on a request for a push to a neighbour; returns the status to answer with.
    fn pass_on(&self, wanted: PushProxy, to: SocketAddrV4) -> (u16, &'static str) {
        let proxied = self.ctx.proxied.lock().expect("no panics");
        if !proxied.iter().any(|(servent, _)| *servent == wanted.servent) {
            return (410, "Servent Not Connected");
        }
        drop(proxied);
        self.ctx.send(NodeInput::Proxied(wanted, to));
        (202, "Push Sent")
    }

    /// Remembers where a downloader announces the file, and the downloader itself.
    fn learn_alternates(&mut self, sha1: Sha1, head: &Head<'_>) {
        let known = self.alternates.entry(sha1).or_default();
        let named = head.addresses("X-Alt").chain(head.addresses("X-Node"));
        for address in named.take(MAX_ALTERNATES) {
            if address != self.ctx.address && !known.contains(&address) {
                known.push_front(address);
            }
        }
        for bad in head.addresses("X-NAlt") {
            known.retain(|address| *address != bad);
        }
        known.truncate(MAX_ALTERNATES);
    }

    fn flush(&mut self) {
        let mut buf = [0; Uploads::<Vec<UploadSlot>>::MAX_TRANSMIT_LEN];
        loop {
            while let Ok(Some(sent)) = self.uploads.poll_transmit(&mut buf) {
                if let Some(link) = self.links.get(&sent.conn.0) {
                    let _ = link.jobs.send(Job::Bytes(buf[..sent.len].to_vec()));
                }
            }
            match self.uploads.poll_event() {
                Some(UploadEvent::Closed { conn, reason }) => {
                    if let Some(link) = self.links.remove(&conn.0) {
                        self.ctx.trace(|| format!("   {}: closed, {reason:?}", link.name));
                    }
                }
                Some(UploadEvent::Send { conn, file, offset, len }) => {
                    self.send(conn, file, offset, len);
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    fn send(&self, conn: ConnId, file: u32, offset: u64, len: u64) {
        let Some(link) = self.links.get(&conn.0) else { return };
        if file == LISTING {
            let part = link.listing.iter().skip(offset as usize).take(len as usize);
            let _ = link.jobs.send(Job::Body(part.copied().collect()));
            return;
        }
        let library = self.ctx.library();
        let shared = library.0.iter().find(|shared| shared.index == file & !TREE);
        let partials = self.ctx.partials.lock().expect("no panics");
        let job = match shared {
            Some(shared) if file & TREE != 0 => {
                let part = shared.tree.iter().skip(offset as usize).take(len as usize);
                Job::Body(part.copied().collect())
            }
            Some(shared) => Job::Part { path: shared.path.clone(), offset, len },
            None => match partials.get((file & !PARTIAL) as usize) {
                Some(partial) => Job::Part { path: partial.path.clone(), offset, len },
                None => return, // complete meanwhile: the deadline ends the answer
            },
        };
        let _ = link.jobs.send(job);
    }

    fn now(&self) -> Duration {
        self.ctx.start.elapsed()
    }
}

/// Finds what a request names: a shared file, its tree, or a download in progress.
fn offer_of<'a>(
    library: &'a Library,
    partials: &'a [super::ctx::Partial],
    resource: &Resource<'_>,
) -> Option<(Sha1, Offer<'a>)> {
    if let Resource::Tree(urn) = resource {
        let file = library.resource(&Resource::Urn(urn))?;
        let mut offer = Offer::new(file.index | TREE, file.tree.len() as u64);
        offer.media_type = "application/dime";
        offer.takes_slot = false;
        return Some((file.sha1, offer));
    }
    if let Some(file) = library.resource(resource) {
        let mut offer = Offer::new(file.index, file.size);
        offer.sha1 = Some(file.sha1);
        offer.root = Some(file.root);
        return Some((file.sha1, offer));
    }
    let Resource::Urn(urn) = resource else { return None };
    let sha1 = Urn::parse(urn.as_bytes())?.sha1();
    let number = partials.iter().position(|partial| partial.sha1 == sha1)?;
    let partial = &partials[number];
    let mut offer = Offer::new(number as u32 | PARTIAL, partial.size);
    offer.sha1 = Some(sha1);
    offer.available = Some(&partial.spans);
    Some((sha1, offer))
}

fn read(conn: ConnId, mut stream: TcpStream, own: &Sender<Input>) {
    let mut buf = vec![0; 4_096];
    while let Ok(len @ 1..) = stream.read(&mut buf) {
        if own.send(Input::Bytes(conn, buf[..len].to_vec())).is_err() {
            return;
        }
    }
    let _ = own.send(Input::Closed(conn));
}

/// Writes until the connection is over or nothing more is to come.
fn write(conn: ConnId, mut stream: TcpStream, jobs: &Receiver<Job>, own: &Sender<Input>) {
    while let Ok(job) = jobs.recv() {
        let is_part = !matches!(job, Job::Bytes(_));
        let written = match job {
            Job::Bytes(bytes) | Job::Body(bytes) => stream.write_all(&bytes),
            Job::Part { path, offset, len } => copy(&path, offset, len, &mut stream),
        };
        if written.is_err() {
            break;
        }
        if is_part && own.send(Input::Sent(conn)).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn copy(path: &PathBuf, offset: u64, len: u64, stream: &mut TcpStream) -> io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    match io::copy(&mut file.take(len), stream)? {
        sent if sent == len => Ok(()),
        _ => Err(io::Error::other("the file became shorter")),
    }
}
