//! A thread that asks the trackers, one tier after the other, and again when they say so.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Instant;

use bittorrent_pieces::tracker::http::{Announced, Answer, MAX_ANSWER_LEN, announce_url};
use bittorrent_pieces::tracker::{
    Announce, AnnounceEvent, TierSlot, TrackerOrder, UdpConfig, UdpOutcome, UdpSlot, UdpTracker,
};
use bittorrent_pieces::{Family, Host};
use examples::random::random;

use super::net::{Mailbox, NetEvent};

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
                mailbox.send(NetEvent::Found(url.clone(), told.peers));
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
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    let mut config = UdpConfig::new(u64::from_le_bytes(random())).with_path(path);
    config.family = Family::of(server);
    let mut tracker = UdpTracker::new(config, [UdpSlot::EMPTY; 1]).map_err(io::Error::other)?;
    let start = Instant::now();
    tracker.announce(Duration::ZERO, *announce).map_err(io::Error::other)?;
    let mut buf = [0; 2_048];
    while start.elapsed() < UDP_PATIENCE {
        while let Some(sent) = tracker.poll_transmit(&mut buf).map_err(io::Error::other)? {
            socket.send(&buf[..sent.len])?;
        }
        let due = tracker.poll_timeout().unwrap_or(UDP_PATIENCE);
        let wait = due.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait))?;
        match socket.recv(&mut buf) {
            Ok(len) => match tracker.handle_datagram(start.elapsed(), &buf[..len]) {
                Ok(UdpOutcome::Announced { interval, peers, .. }) => {
                    let peers = peers.iter().collect();
                    return Ok(Told { interval, peers, tracker_id: None });
                }
                Ok(UdpOutcome::Refused { text, .. } | UdpOutcome::ConnectRefused { text }) => {
                    return Err(io::Error::other(String::from_utf8_lossy(text)));
                }
                _ => {}
            },
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                tracker.handle_timeout(start.elapsed());
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}

fn resolve(server: &str) -> io::Result<SocketAddr> {
    server.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))
}
