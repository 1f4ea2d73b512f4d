//! A download: one thread owns the machine and the file; one reads from each connection.

use core::net::SocketAddrV4;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use examples::{cli, storage};
use gnutella_wire::head::{Head, HeadLimits, Header};
use gnutella_wire::http::{Giv, Method, PushProxy, QueueCall, Request, Resource, Version};
use gnutella_wire::huge::TigerRoot;
use gnutella_wire::thex::TreeHasher;
use gnutella_wire::transfer::{
    Download, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec, FileInfo, Piece, Source,
    SourceId,
};
use gnutella_wire::{ConnId, ServentId, Text};

use super::ctx::{Ctx, Found, Input as NodeInput, Partial, peer};
use super::links::PATIENCE;
use super::share::hash;

/// Progress is printed and saved this often.
const REPORT: Duration = Duration::from_millis(500);

/// What the other threads send to a download.
pub enum Input {
    /// A connection attempt succeeded.
    Connected(SourceId, TcpStream),
    /// A connection attempt failed.
    NotConnected(SourceId),
    /// A servent that was pushed connected.
    Giv { stream: TcpStream, received: Vec<u8>, index: u32, servent: ServentId },
    /// A queue calls.
    Called { stream: TcpStream, call: QueueCall },
    /// Bytes of a connection.
    Bytes(ConnId, Vec<u8>),
    /// The other end closed a connection.
    Closed(ConnId),
    /// The file was found elsewhere too.
    Source(Found),
    /// Nothing: the sender learns whether the download still runs.
    Probe,
}

struct Fetch {
    ctx: Arc<Ctx>,
    found: Found,
    download: Download<DownloadVec>,
    conns: BTreeMap<u32, Link>,
    next_conn: u32,
    out: File,
    part: PathBuf,
    own: Sender<Input>,
    reported: Instant,
    outcome: Option<Result<(), String>>,
}

struct Link {
    stream: TcpStream,
    received: Vec<u8>,
    name: SocketAddrV4,
}

/// Fetches a file from where it was found, on a thread of its own. Returns where others send to.
pub fn start(ctx: &Arc<Ctx>, sources: &[Found]) -> Sender<Input> {
    let (own, inputs) = channel();
    let ctx = Arc::clone(ctx);
    let sources = sources.to_vec();
    let given = own.clone();
    let mut downloads = ctx.downloads.lock().expect("no panics");
    downloads.retain(|known| known.send(Input::Probe).is_ok()); // without those that ended
    downloads.push(own.clone());
    drop(downloads);
    thread::spawn(move || {
        let fetched = fetch(&ctx, &sources, given, &inputs);
        ctx.send(NodeInput::Fetched(fetched));
    });
    own
}

fn fetch(
    ctx: &Arc<Ctx>,
    sources: &[Found],
    own: Sender<Input>,
    inputs: &Receiver<Input>,
) -> Result<PathBuf, String> {
    let found = sources.first().ok_or("nothing to fetch")?.clone();
    let mut fetch = Fetch::begin(ctx, found, own).map_err(cli::failed("write into", &ctx.into))?;
    for source in sources {
        fetch.add(source);
    }
    let result = fetch.run(inputs);
    fetch.publish(false);
    let finished = result.and_then(|()| fetch.finish().map_err(|error| error.to_string()));
    finished.map_err(|error| format!("{}: {error}", fetch.found.name))
}

impl Fetch {
    fn begin(ctx: &Arc<Ctx>, found: Found, own: Sender<Input>) -> io::Result<Self> {
        fs::create_dir_all(&ctx.into)?;
        let part = ctx.into.join(format!("{}.part", safe(&found.name)));
        let written = written_of(&part, &found);
        let mut options = OpenOptions::new();
        let out = options.create(true).truncate(false).read(true).write(true).open(&part)?;
        let mut config = DownloadConfig::CUSTOMARY;
        config.address = (!ctx.firewalled).then_some(ctx.address);
        let name = found.name.as_bytes();
        let info = FileInfo { size: found.size, sha1: found.sha1, root: found.root, name };
        let storage = DownloadVec::new(DownloadLimits::default());
        let download =
            Download::resume(config, info, &written, storage).map_err(io::Error::other)?;
        let mut fetch = Self {
            ctx: Arc::clone(ctx),
            found,
            download,
            conns: BTreeMap::new(),
            next_conn: 0,
            out,
            part,
            own,
            reported: Instant::now(),
            outcome: None,
        };
        let done = fetch.download.progress().written;
        if done > 0 {
            println!("{}: continues with {done} bytes", fetch.found.name);
        }
        fetch.flush()?;
        Ok(fetch)
    }

    fn add(&mut self, found: &Found) {
        let mut source = Source::of_hit(found.address, found.servent, found.index, found.push);
        source.proxy = found.proxy;
        if let Err(error) = self.download.add_source(self.now(), source) {
            self.ctx.trace(|| format!("   {}: {error}", found.address));
        }
    }

    fn run(&mut self, inputs: &Receiver<Input>) -> Result<(), String> {
        loop {
            self.flush().map_err(|error| error.to_string())?;
            if let Some(outcome) = self.outcome.take() {
                self.report(true);
                return outcome;
            }
            let due = self.download.poll_timeout().map(|at| at.saturating_sub(self.now()));
            match inputs.recv_timeout(due.unwrap_or(REPORT).min(REPORT)) {
                Ok(input) => self.handle(input).map_err(|error| error.to_string())?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("the program ends".into()),
            }
            self.download.handle_timeout(self.now());
            self.report(false);
        }
    }

    fn handle(&mut self, input: Input) -> io::Result<()> {
        let now = self.now();
        match input {
            Input::Connected(source, stream) => {
                let conn = self.next_conn();
                if self.download.handle_connected(now, source, conn).is_ok() {
                    self.open(conn, stream, Vec::new())?;
                }
            }
            Input::NotConnected(source) => self.download.handle_dial_failed(now, source),
            Input::Giv { stream, received, index, servent } => {
                let conn = self.next_conn();
                let giv = Giv { index, servent, name: Text::EMPTY };
                if self.download.handle_giv(now, conn, &giv).is_ok() {
                    self.open(conn, stream, received)?;
                }
            }
            Input::Called { stream, call } => {
                let conn = self.next_conn();
                if self.download.handle_queue_call(now, conn, &call).is_ok() {
                    self.open(conn, stream, Vec::new())?;
                }
            }
            Input::Bytes(conn, bytes) => self.receive(conn, &bytes)?,
            Input::Closed(conn) => {
                self.conns.remove(&conn.0);
                self.download.handle_closed(now, conn);
            }
            Input::Source(found) => self.add(&found),
            Input::Probe => {}
        }
        Ok(())
    }

    fn next_conn(&mut self) -> ConnId {
        self.next_conn += 1;
        ConnId(self.next_conn)
    }

    /// Starts the thread that reads from a connection.
    fn open(&mut self, conn: ConnId, stream: TcpStream, received: Vec<u8>) -> io::Result<()> {
        stream.set_read_timeout(None)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut reader = stream.try_clone()?;
        let own = self.own.clone();
        let name = peer(&stream);
        self.conns.insert(conn.0, Link { stream, received, name });
        thread::spawn(move || {
            let mut buf = vec![0; 1 << 16];
            while let Ok(len @ 1..) = reader.read(&mut buf) {
                if own.send(Input::Bytes(conn, buf[..len].to_vec())).is_err() {
                    return;
                }
            }
            let _ = own.send(Input::Closed(conn));
        });
        Ok(())
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) -> io::Result<()> {
        let Some(link) = self.conns.get_mut(&conn.0) else { return Ok(()) };
        let name = link.name;
        let mut received = core::mem::take(&mut link.received);
        received.extend_from_slice(bytes);
        let mut rest = &received[..];
        let now = self.now();
        while let Ok(read) = self.download.handle_bytes(now, conn, rest)
            && read.consumed > 0
        {
            let (this, after) = rest.split_at(read.consumed);
            if let Some(Piece { offset, bytes }) = read.outcome {
                self.out.seek(SeekFrom::Start(offset))?;
                self.out.write_all(bytes)?;
            } else if let Ok((head, _)) = Head::decode(this, HeadLimits::GTKG) {
                self.ctx.trace(|| format!("<- {name} {head}"));
            }
            rest = after;
            self.flush()?;
        }
        let rest = rest.to_vec();
        if let Some(link) = self.conns.get_mut(&conn.0) {
            link.received = rest;
        }
        Ok(())
    }

    /// Writes requests, and does what the machine asks for.
    fn flush(&mut self) -> io::Result<()> {
        let mut buf = [0; Download::<DownloadVec>::MAX_TRANSMIT_LEN];
        loop {
            while let Ok(Some(sent)) = self.download.poll_transmit(&mut buf) {
                self.write(sent.conn, &buf[..sent.len]);
            }
            let Some(event) = self.download.poll_event() else { return Ok(()) };
            self.follow(event)?;
        }
    }

    fn write(&mut self, conn: ConnId, request: &[u8]) {
        let Some(link) = self.conns.get_mut(&conn.0) else { return };
        if let Ok((head, _)) = Head::decode(request, HeadLimits::GTKG) {
            let name = link.name;
            self.ctx.trace(|| format!("-> {name} {head}"));
        }
        if link.stream.write_all(request).is_err() {
            self.conns.remove(&conn.0);
            self.download.handle_closed(self.now(), conn);
        }
    }

    fn follow(&mut self, event: DownloadEvent) -> io::Result<()> {
        match event {
            DownloadEvent::Closed { conn, reason } => {
                if let Some(link) = self.conns.remove(&conn.0) {
                    self.ctx.trace(|| format!("   {}: closed, {reason:?}", link.name));
                    let _ = link.stream.shutdown(Shutdown::Both);
                }
            }
            DownloadEvent::Dial { source, address } => self.dial(source, address),
            DownloadEvent::Push { servent, index, proxy, .. } => self.push(servent, index, proxy),
            DownloadEvent::Verify { offset, len } => {
                let root = self.root_of(offset, len)?;
                self.download.handle_verified(self.now(), offset, root);
            }
            DownloadEvent::VerifyFile => {
                self.out.sync_data()?;
                let (_, sha1) = hash(&self.part)?;
                self.download.handle_file_verified(self.now(), sha1);
            }
            DownloadEvent::SourceLost { source, fault } => {
                let mut sources = self.download.sources();
                if let Some(lost) = sources.find(|report| report.id == source) {
                    println!("{} is given up: {fault:?}", lost.source.address);
                }
            }
            DownloadEvent::OutOfSources => {
                self.outcome = Some(Err("no source is left; what came is kept".into()));
            }
            DownloadEvent::Completed { verified } => {
                match self.found.sha1.filter(|_| verified) {
                    Some(sha1) => println!("{}: SHA-1 {sha1} as promised", self.found.name),
                    None => println!("{}: the hit promised no SHA-1", self.found.name),
                }
                self.outcome = Some(Ok(()));
            }
            DownloadEvent::Failed { reason } => self.outcome = Some(Err(format!("{reason:?}"))),
            _ => {}
        }
        Ok(())
    }

    fn dial(&self, source: SourceId, address: SocketAddrV4) {
        let own = self.own.clone();
        thread::spawn(move || {
            let input = match TcpStream::connect_timeout(&address.into(), PATIENCE) {
                Ok(stream) => Input::Connected(source, stream),
                Err(_) => Input::NotConnected(source),
            };
            let _ = own.send(input);
        });
    }

    /// Asks for a push along the path of the hit, and at the source's proxy if one is known.
    fn push(&self, servent: ServentId, index: u32, proxy: Option<SocketAddrV4>) {
        let mut expected = self.ctx.expected.lock().expect("no panics");
        expected.retain(|(known, _)| *known != servent);
        expected.push((servent, self.own.clone()));
        self.ctx.send(NodeInput::Push(servent, index));
        if let Some(proxy) = proxy {
            let ctx = Arc::clone(&self.ctx);
            thread::spawn(move || {
                if let Err(error) = ask_proxy(&ctx, proxy, PushProxy { servent, index }) {
                    ctx.trace(|| format!("   {proxy}: {error}"));
                }
            });
        }
    }

    fn root_of(&mut self, offset: u64, len: u64) -> io::Result<TigerRoot> {
        self.out.seek(SeekFrom::Start(offset))?;
        let mut hasher = TreeHasher::new();
        let mut rest = (&mut self.out).take(len);
        let mut buf = vec![0; 1 << 16];
        loop {
            match rest.read(&mut buf)? {
                0 => return Ok(hasher.finish()),
                len => hasher.update(&buf[..len]),
            }
        }
    }

    /// Prints how far the download is, and saves what a later run needs to continue.
    fn report(&mut self, is_last: bool) {
        if !is_last && self.reported.elapsed() < REPORT {
            return;
        }
        self.reported = Instant::now();
        let progress = self.download.progress();
        let percent = (progress.written * 100).checked_div(progress.size).unwrap_or(100);
        let speed = progress.rate as f64 / 1e6;
        let left = match progress.eta() {
            Some(eta) if progress.written < progress.size => format!(", {} s left", eta.as_secs()),
            _ => String::new(),
        };
        let place = self.download.sources().filter_map(|source| source.queue_position).min();
        let place = place.map(|place| format!(", place {place} in a queue")).unwrap_or_default();
        println!(
            "{}: {percent} % of {} bytes, {speed:.1} MB/s from {}{left}{place}",
            self.found.name, progress.size, progress.sending
        );
        let _ = self.save();
        self.publish(!is_last);
    }

    fn save(&self) -> io::Result<()> {
        let spans = self.download.written().map(|(first, len)| format!("{first} {len}\n"));
        let text = identity(&self.found) + "\n" + &spans.collect::<String>();
        let saved = ranges_path(&self.part);
        let fresh = saved.with_extension("new");
        fs::write(&fresh, text)?;
        fs::rename(fresh, saved) // whole, or as it was
    }

    /// Offers the checked parts to others while the download lasts.
    fn publish(&self, is_running: bool) {
        let Some(sha1) = self.found.sha1 else { return };
        let mut partials = self.ctx.partials.lock().expect("no panics");
        partials.retain(|partial| partial.sha1 != sha1);
        if is_running {
            let spans = self.download.verified().collect();
            let path = self.part.clone();
            partials.push(Partial { sha1, size: self.found.size, path, spans });
        }
    }

    /// Gives the file its name.
    fn finish(&mut self) -> io::Result<PathBuf> {
        self.out.set_len(self.found.size)?;
        let path = storage::settle(&self.part, &self.ctx.into.join(safe(&self.found.name)))?;
        let _ = fs::remove_file(ranges_path(&self.part));
        Ok(path)
    }

    fn now(&self) -> Duration {
        self.ctx.start.elapsed()
    }
}

/// Asks a push proxy to send a push. Whether it did shows when the source connects.
fn ask_proxy(ctx: &Ctx, proxy: SocketAddrV4, wanted: PushProxy) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&proxy.into(), PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let path = wanted.to_string();
    let request = Request {
        method: Method::Get,
        resource: Resource::Other(path.as_bytes()),
        version: Version::Http11,
        keep_alive: false,
        range: None,
    };
    let host = proxy.to_string();
    let own = ctx.address.to_string();
    let headers = [Header::new("Host", &host), Header::new("X-Node", &own)];
    let mut buf = vec![0; request.encoded_len(&headers)];
    request.encode(&headers, &mut buf).map_err(io::Error::other)?;
    ctx.trace(|| format!("-> {proxy} GET {path}"));
    stream.write_all(&buf)?;
    let mut answer = [0; 256];
    let len = stream.read(&mut answer)?;
    ctx.trace(|| format!("<- {proxy} {}", String::from_utf8_lossy(&answer[..len]).trim_end()));
    Ok(())
}

fn ranges_path(part: &Path) -> PathBuf {
    part.with_extension("part-ranges")
}

/// The first line of saved ranges: they are of no use for another file of the same name.
fn identity(found: &Found) -> String {
    let sha1 = found.sha1.map(|sha1| sha1.to_string()).unwrap_or_default();
    format!("{} {sha1}", found.size)
}

/// Returns what an earlier run has written: what it saved, or without that all that is there.
fn written_of(part: &Path, found: &Found) -> Vec<(u64, u64)> {
    let Ok(meta) = fs::metadata(part) else { return Vec::new() };
    let Ok(text) = fs::read_to_string(ranges_path(part)) else {
        return vec![(0, meta.len().min(found.size))];
    };
    let mut lines = text.lines();
    if lines.next() != Some(&identity(found)) {
        return Vec::new();
    }
    let span = |line: &str| {
        let (first, len) = line.split_once(' ')?;
        let first: u64 = first.parse().ok()?;
        let len = len.parse().ok()?;
        (first.checked_add(len)? <= meta.len()).then_some((first, len))
    };
    lines.filter_map(span).collect()
}

/// A name from the network must stay in the folder.
fn safe(name: &str) -> String {
    let name: String = name.chars().map(|c| if "/\\:\0".contains(c) { '_' } else { c }).collect();
    if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name }
}
