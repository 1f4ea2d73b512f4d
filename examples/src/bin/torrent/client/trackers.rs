//! A thread that asks the trackers, one tier after the other, and again when they say so.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;

use bittorrent_pieces::tracker::http::{Announced, Answer, MAX_ANSWER_LEN, announce_url};
use bittorrent_pieces::tracker::{
    Announce, AnnounceEvent, TierSlot, TrackerOrder, UdpConfig, UdpOutcome, UdpSlot, UdpTracker,
};
use bittorrent_pieces::{Family, Host};
use examples::random::random;
use examples::udp::{Datagrams, Udp};

use super::net::{Found, Mailbox};

/// How long a tracker may take to answer over TCP.
const PATIENCE: Duration = Duration::from_secs(15);
/// A tracker over UDP gets two of the nine tries of BEP 15 before the next one is asked.
const UDP_PATIENCE: Duration = Duration::from_secs(45);
/// When all trackers failed, and the least interval.
const AGAIN: Duration = Duration::from_secs(30);

/// What a tracker answered.
struct Told {
    interval: Duration,
    peers: Vec<SocketAddr>,
    tracker_id: Option<Vec<u8>>,
}

/// Starts the thread. It announces what it receives at once; when the channel ends, it says `stopped`
/// and ends.
pub fn start(
    tiers: Vec<Vec<String>>,
    first: Announce,
    updates: Receiver<Announce>,
    mailbox: Mailbox,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let slots = vec![TierSlot::EMPTY; tiers.iter().map(Vec::len).sum()];
        let seed = u64::from_le_bytes(random());
        let order = TrackerOrder::new(tiers.iter().map(Vec::len), seed, slots);
        if let Ok(order) = order {
            ask_all(&tiers, order, first, &updates, &mailbox);
        }
    })
}

fn ask_all(
    tiers: &[Vec<String>],
    mut order: TrackerOrder<Vec<TierSlot>>,
    mut announce: Announce,
    updates: &Receiver<Announce>,
    mailbox: &Mailbox,
) {
    let mut ids = BTreeMap::new(); // of the trackers, to be sent back
    loop {
        let Some((tier, place)) = order.current() else { return };
        let url = &tiers[tier][place];
        let stopped = announce.event == AnnounceEvent::Stopped;
        let wait = match ask(url, &announce, ids.get(url).map(Vec::as_slice)) {
            Ok(told) => {
                ids.extend(told.tracker_id.map(|id| (url.clone(), id)));
                order.answered();
                mailbox.send(Found { source: url.clone(), peers: told.peers });
                announce.event = AnnounceEvent::None;
                told.interval.max(AGAIN)
            }
            Err(error) => {
                eprintln!("{url}: {error}");
                if order.failed().is_some() { Duration::ZERO } else { AGAIN }
            }
        };
        if stopped {
            return;
        }
        match updates.recv_timeout(wait) {
            Ok(update) => announce = Announce { key: announce.key, ..update },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => announce.event = AnnounceEvent::Stopped,
        }
    }
}

fn ask(url: &str, announce: &Announce, id: Option<&[u8]>) -> io::Result<Told> {
    let url = url.trim();
    match url.split_once("://") {
        Some(("http", rest)) => ask_http(url, rest, announce, id),
        Some(("udp", rest)) => ask_udp(rest, announce),
        _ => Err(io::Error::other("neither http:// nor udp://")),
    }
}

fn ask_http(url: &str, rest: &str, announce: &Announce, id: Option<&[u8]>) -> io::Result<Told> {
    let (authority, _) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = if authority.rsplit(']').next().is_some_and(|tail| tail.contains(':')) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut target = vec![0; url.len() + 600 + 3 * id.map_or(0, <[u8]>::len)];
    let len = announce_url(url.as_bytes(), announce, id, &mut target).map_err(io::Error::other)?;
    let target = core::str::from_utf8(&target[url.len() - rest.len() + authority.len()..len])
        .map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&resolve(&server)?, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {target} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: bittorrent-pieces\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_LEN as u64 + 4_096).read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = &answer[end.ok_or_else(|| io::Error::other("no answer of HTTP"))? + 4..];
    match Announced::decode(body).map_err(io::Error::other)? {
        Answer::Failure(reason) => Err(io::Error::other(String::from_utf8_lossy(reason))),
        Answer::Done(told) => {
            let peers = told.contacts().filter_map(|contact| match contact.host {
                Host::Ip(ip) => Some(SocketAddr::new(ip, contact.port)),
                Host::Name(name) => resolve(&format!("{name}:{}", contact.port)).ok(),
            });
            let tracker_id = told.tracker_id.map(<[u8]>::to_vec);
            Ok(Told { interval: told.interval, peers: peers.collect(), tracker_id })
        }
    }
}

fn ask_udp(rest: &str, announce: &Announce) -> io::Result<Told> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = resolve(authority)?;
    let mut config = UdpConfig::new(u64::from_le_bytes(random())).with_path(path);
    config.family = Family::of(server);
    let tracker = UdpTracker::new(config, [UdpSlot::EMPTY; 1]).map_err(io::Error::other)?;
    let mut udp = Udp::connect(server).map_err(io::Error::other)?;
    let mut question = Question { server, tracker, answer: None };
    question.tracker.announce(udp.now(), *announce).map_err(io::Error::other)?;
    while udp.now() < UDP_PATIENCE {
        udp.turn(&mut question, UDP_PATIENCE).map_err(io::Error::other)?;
        if let Some(answer) = question.answer.take() {
            return answer;
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}

/// One announcement over UDP and its answer.
struct Question<'a> {
    server: SocketAddr,
    tracker: UdpTracker<&'a str, [UdpSlot; 1]>,
    answer: Option<io::Result<Told>>,
}

impl Datagrams for Question<'_> {
    fn handle_datagram(&mut self, now: Duration, _: SocketAddr, bytes: &[u8]) {
        match self.tracker.handle_datagram(now, bytes) {
            Ok(UdpOutcome::Announced { interval, peers, .. }) => {
                let peers = peers.iter().collect();
                self.answer = Some(Ok(Told { interval, peers, tracker_id: None }));
            }
            Ok(UdpOutcome::Refused { text, .. } | UdpOutcome::ConnectRefused { text }) => {
                self.answer = Some(Err(io::Error::other(String::from_utf8_lossy(text))));
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.tracker.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.tracker.poll_timeout()
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
        let sent = self.tracker.poll_transmit(buf).map_err(|error| error.to_string())?;
        Ok(sent.map(|sent| (self.server, sent.len)))
    }
}

fn resolve(server: &str) -> io::Result<SocketAddr> {
    server.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))
}
