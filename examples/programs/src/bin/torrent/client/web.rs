//! Web seeds: a machine and a thread for each.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::io::Read as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bittorrent_pieces::web_seed::{
    HttpGet, HttpTarget, ResponseHead, WebSeed, WebSeedConfig, WebSeedKind, WebSeedLimits,
    WebSeedVec, file_url, piece_url,
};
use bittorrent_pieces::{ConnId, Geometry, Metainfo, PeerId};
use examples::random::random;

use super::mailbox::Mailbox;
use super::storage::text;

/// Connections to web seeds have numbers from here on, below those over uTP.
const FIRST: u32 = 1 << 30;
/// The most web seeds of a torrent: each is a thread.
pub const MOST: usize = 8;
/// How long a server may take to accept a connection, and to begin its response.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a response may take.
const WHOLE: Duration = Duration::from_secs(120);
/// Bytes of a body that are passed on at a time.
const CHUNK: usize = 64 << 10;
/// The longest URL.
const URL_LEN: usize = 8 << 10;

/// A part of a response.
#[derive(Debug)]
pub struct WebPart {
    pub conn: ConnId,
    pub number: u32,
    pub part: Part,
}

/// What arrived.
#[derive(Debug)]
pub enum Part {
    Head(Head),
    Body(Vec<u8>),
    /// The response ended, or there is none.
    End(Option<String>),
}

/// The head of a response.
#[derive(Debug, Default)]
pub struct Head {
    status: u16,
    url: String,
    range: Option<Vec<u8>>,
    length: Option<u64>,
    location: Option<Vec<u8>>,
    retry_after: Option<Vec<u8>>,
}

/// What the thread of a web seed is to do.
enum Order {
    Get {
        number: u32,
        url: String,
        range: Option<String>,
    },
    /// Read at most this many bytes of the body.
    Read {
        number: u32,
        bytes: u64,
    },
}

/// A web seed.
pub struct Web {
    pub conn: ConnId,
    pub url: String,
    pub machine: WebSeed<WebSeedVec>,
    /// What the torrent sent and the machine did not use.
    pub pending: Vec<u8>,
    /// What the server sent and the machine did not use.
    parts: VecDeque<WebPart>,
    orders: Sender<Order>,
    /// The request that is not given up.
    current: Arc<AtomicU32>,
    kind: WebSeedKind,
}

/// Returns the number of the torrent to which a web seed belongs.
pub fn torrent_of(conn: ConnId) -> usize {
    conn.0.saturating_sub(FIRST) as usize / MOST
}

/// Returns the URLs of the web seeds of a torrent, and of the link that named it.
pub fn urls(metainfo: &Metainfo<'_>, linked: &[String]) -> Vec<(String, WebSeedKind)> {
    let files = metainfo.web_seeds().map(text).chain(linked.iter().cloned());
    let files = files.map(|url| (url, WebSeedKind::Files));
    let scripts = metainfo.http_seeds().map(|url| (text(url), WebSeedKind::Pieces));
    let mut known = BTreeSet::new();
    let is_http = |url: &str| {
        let lower = url.trim_start().to_ascii_lowercase();
        lower.starts_with("http://") || lower.starts_with("https://")
    };
    let each = files.chain(scripts);
    each.filter(|(url, _)| is_http(url) && known.insert(url.clone())).take(MOST).collect()
}

impl Web {
    /// Starts the thread of a web seed: the `nth` of the torrent of this number.
    pub fn start(
        torrent: usize,
        nth: usize,
        (url, kind): (String, WebSeedKind),
        metainfo: &Metainfo<'_>,
        geometry: Geometry<'_>,
        mailbox: Mailbox,
    ) -> Result<Self, String> {
        let mut id = *b"-WS0100-............";
        id[8..].copy_from_slice(&random::<12>());
        let config = WebSeedConfig::new(kind, metainfo.info_hash(), PeerId(id));
        let storage = WebSeedVec::new(metainfo, WebSeedLimits::new());
        let machine = WebSeed::new(config, geometry, storage).map_err(|error| error.to_string())?;
        let conn = ConnId(FIRST + (MOST * torrent + nth) as u32);
        let (orders, received) = channel();
        let current = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&current);
        std::thread::spawn(move || {
            let deliver = |number, part| mailbox.send_web(WebPart { conn, number, part });
            serve(&received, &theirs, &deliver);
        });
        let pending = Vec::new();
        Ok(Self { conn, url, machine, pending, parts: VecDeque::new(), orders, current, kind })
    }

    /// Sends a request to the server.
    pub fn get(&self, get: &HttpGet, metainfo: &Metainfo<'_>) {
        let mut buf = vec![0; URL_LEN];
        let seed = self.url.as_bytes();
        let url = match get.target {
            HttpTarget::File(file) => file_url(seed, metainfo, file, &mut buf).ok(),
            HttpTarget::Piece(piece) => {
                piece_url(seed, metainfo.info_hash(), piece, get, &mut buf).ok()
            }
            HttpTarget::Location => {
                let location = self.machine.location();
                buf[..location.len()].copy_from_slice(location);
                Some(location.len())
            }
        };
        // Without a URL the thread reports that there is no such file.
        let url = url.map_or_else(String::new, |len| text(&buf[..len]));
        let ranged = self.kind == WebSeedKind::Files;
        let range = ranged.then(|| format!("bytes={}-{}", get.begin, get.last()));
        self.current.store(get.number, Ordering::Relaxed);
        let _ = self.orders.send(Order::Get { number: get.number, url, range });
    }

    /// Gives up the request that is in flight.
    pub fn abort(&self) {
        self.current.store(0, Ordering::Relaxed);
    }

    /// Keeps a part of a response until the machine wants it.
    pub fn arrived(&mut self, part: WebPart) {
        self.parts.push_back(part);
    }

    /// Passes the next part of a response to the machine. Returns how many bytes of content it used, or `None` if
    /// nothing moved.
    pub fn advance(&mut self, now: Duration) -> Option<usize> {
        let WebPart { number, part, .. } = self.parts.front_mut()?;
        let number = *number;
        let mut used = 0;
        match part {
            Part::Head(head) => {
                let head = ResponseHead {
                    status: head.status,
                    url: head.url.as_bytes(),
                    content_range: head.range.as_deref(),
                    content_length: head.length,
                    location: head.location.as_deref(),
                    retry_after: head.retry_after.as_deref(),
                };
                let wanted = self.machine.handle_head(now, number, &head);
                let bytes = wanted.unwrap_or(0);
                let _ = self.orders.send(Order::Read { number, bytes });
            }
            Part::Body(bytes) => match self.machine.handle_body(now, number, bytes) {
                Ok(0) if !bytes.is_empty() => return None,
                Ok(len) if len < bytes.len() => {
                    bytes.drain(..len);
                    return Some(len);
                }
                Ok(len) => used = len,
                Err(_) => {} // it has all it asked for
            },
            Part::End(_) => {
                let _ = self.machine.handle_end(now, number); // it has all it asked for
            }
        }
        self.parts.pop_front();
        Some(used)
    }
}

/// Sends requests one after the other, until the web seed is dropped.
fn serve(orders: &Receiver<Order>, current: &AtomicU32, deliver: &dyn Fn(u32, Part)) {
    let config = ureq::Agent::config_builder()
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_recv_body(Some(WHOLE))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("bittorrent-pieces/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    while let Ok(order) = orders.recv() {
        let Order::Get { number, url, range } = order else { continue };
        let failed = exchange(&agent, number, url, range, orders, current, deliver);
        deliver(number, Part::End(failed));
    }
}

/// Sends one request; returns what went wrong.
fn exchange(
    agent: &ureq::Agent,
    number: u32,
    url: String,
    range: Option<String>,
    orders: &Receiver<Order>,
    current: &AtomicU32,
    deliver: &dyn Fn(u32, Part),
) -> Option<String> {
    if url.is_empty() {
        deliver(number, Part::Head(Head { status: 404, ..Head::default() }));
        return None;
    }
    let mut request = agent.get(&url);
    if let Some(range) = range {
        request = request.header("Range", range);
    }
    let mut response = match request.call() {
        Ok(response) => response,
        Err(error) => return Some(error.to_string()),
    };
    let header = |name: &str| response.headers().get(name).map(|value| value.as_bytes().to_vec());
    let encoded = header("content-encoding").is_some_and(|coding| coding != b"identity");
    let length =
        header("content-length").and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    let head = Head {
        status: if encoded { 0 } else { response.status().as_u16() },
        url,
        range: header("content-range"),
        length,
        location: header("location"),
        retry_after: header("retry-after"),
    };
    deliver(number, Part::Head(head));
    let wanted = loop {
        match orders.recv() {
            Ok(Order::Read { number: of, bytes }) if of == number => break bytes,
            Ok(Order::Read { .. }) => {}
            // The machine makes one request at a time: this one was given up.
            Ok(Order::Get { .. }) | Err(_) => return None,
        }
    };
    let mut body = response.body_mut().as_reader().take(wanted);
    let mut chunk = vec![0; CHUNK];
    while current.load(Ordering::Relaxed) == number {
        match body.read(&mut chunk) {
            Ok(0) => return None,
            Ok(len) => deliver(number, Part::Body(chunk[..len].to_vec())),
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}
