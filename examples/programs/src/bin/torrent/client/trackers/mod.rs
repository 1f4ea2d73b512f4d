//! A thread that asks the trackers, one tier after the other, and again after the interval that they set.

mod http;
mod udp;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bittorrent_pieces::InfoHash;
use bittorrent_pieces::peer_book::PeerSource;
use bittorrent_pieces::tracker::http::RetryIn;
use bittorrent_pieces::tracker::{Announce, AnnounceEvent, TierSlot, TrackerOrder};
use examples::random::random;

use super::mailbox::{Found, Mailbox};
use super::storage::printable;

/// How long a tracker over HTTP may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// A tracker over UDP gets two of the nine tries of BEP 15 before the next one is asked.
const UDP_PATIENCE: Duration = Duration::from_secs(45);
/// How long the program waits at its end for an announce that is in progress.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// How long the program waits at its end for the answers of trackers.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// When all trackers failed, they are asked again after this time, and each time later.
const AGAIN: Duration = Duration::from_secs(30);
/// The longest time between two attempts, and the longest interval that is believed.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A tracker that is never to be asked again rests for a year.
const NEVER: Duration = Duration::from_secs(365 * 86_400);
/// A hungry torrent does not wait longer than this for its next announce, if the tracker names no minimum.
const HUNGRY: Duration = Duration::from_secs(300);

/// What a tracker answered.
struct Response {
    interval: Duration,
    min_interval: Option<Duration>,
    peers: Vec<SocketAddr>,
    tracker_id: Option<Vec<u8>>,
    external: Option<IpAddr>,
    warning: Option<Vec<u8>>,
}

/// A tracker refused, and says when it may be asked again.
#[derive(Debug)]
struct Refused {
    reason: String,
    retry: Option<RetryIn>,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&printable(self.reason.as_bytes()))
    }
}

impl core::error::Error for Refused {}

/// The trackers of a torrent. Those that answered receive `stopped` at the end.
pub struct Trackers {
    updates: Option<Sender<Update>>,
    shared: Arc<Shared>,
    /// Ends when the thread does.
    ended: Receiver<()>,
}

enum Update {
    Announce(AnnounceEvent),
    /// The torrent has too few peers.
    Hungry,
}

/// What the thread and the session share.
struct Shared {
    /// Who we are, and how far.
    announce: Mutex<Announce>,
    /// The trackers that answered, and the ids that they gave.
    active: Mutex<BTreeMap<String, Option<Vec<u8>>>>,
}

impl Trackers {
    /// Starts the thread, which announces at once.
    pub fn start(tiers: Vec<Vec<String>>, first: Announce, mailbox: Mailbox) -> Self {
        let (sender, updates) = channel();
        let active = Mutex::default();
        let shared = Arc::new(Shared { announce: Mutex::new(first), active });
        let theirs = Arc::clone(&shared);
        let (ends, ended) = channel();
        std::thread::spawn(move || {
            let _ends = ends;
            let slots = vec![TierSlot::EMPTY; tiers.iter().map(Vec::len).sum()];
            let seed = u64::from_le_bytes(random());
            match TrackerOrder::new(tiers.iter().map(Vec::len), seed, slots) {
                Ok(order) => ask_all(&tiers, order, &theirs, &updates, &mailbox),
                Err(error) => eprintln!("the trackers: {error}"),
            }
        });
        Self { updates: Some(sender), shared, ended }
    }

    /// Notes how far we are, for the next announce.
    pub fn progress(&self, left: u64, uploaded: u64, downloaded: u64) {
        let mut announce = lock(&self.shared.announce);
        announce.left = left;
        announce.uploaded = uploaded;
        announce.downloaded = downloaded;
    }

    /// Announces an event at once.
    pub fn announce(&self, event: AnnounceEvent) {
        self.send(Update::Announce(event));
    }

    /// Announces again as soon as the tracker allows, to learn of more peers.
    pub fn hungry(&self) {
        self.send(Update::Hungry);
    }

    fn send(&self, update: Update) {
        if let Some(updates) = &self.updates {
            let _ = updates.send(update); // without trackers the thread has ended
        }
    }
}

impl Drop for Trackers {
    /// Announces `stopped` to all trackers at the same time, and waits a little for their answers.
    fn drop(&mut self) {
        self.updates = None;
        let _ = self.ended.recv_timeout(LAST_PATIENCE); // `completed` goes before `stopped`
        let active = lock(&self.shared.active).clone();
        let announce = Announce { event: AnnounceEvent::Stopped, ..*lock(&self.shared.announce) };
        let (done, all_done) = channel();
        for (url, id) in active {
            let done = done.clone();
            std::thread::spawn(move || {
                let _ = ask(&url, &announce, id.as_deref(), STOP_PATIENCE); // it was a farewell
                let _ = done.send(());
            });
        }
        drop(done);
        let start = Instant::now();
        while all_done.recv_timeout(STOP_PATIENCE.saturating_sub(start.elapsed())).is_ok() {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask_all(
    tiers: &[Vec<String>],
    mut order: TrackerOrder<Vec<TierSlot>>,
    shared: &Shared,
    updates: &Receiver<Update>,
    mailbox: &Mailbox,
) {
    let mut event = AnnounceEvent::None;
    let mut again = AGAIN;
    let mut rests: BTreeMap<String, Instant> = BTreeMap::new(); // until when it is not to be asked
    loop {
        let Some((tier, place)) = order.current() else { return };
        let url = tiers[tier][place].trim();
        let known = lock(&shared.active).get(url).cloned();
        let event_for_it = if known.is_none() { AnnounceEvent::Started } else { event };
        let announce = Announce { event: event_for_it, ..*lock(&shared.announce) };
        let id = known.flatten();
        let mut wait = Duration::ZERO;
        let mut min_wait = AGAIN;
        let rests_until = rests.get(url).copied();
        if rests_until.is_some_and(|until| Instant::now() < until) {
            if order.failed().is_none() {
                match wait_for(updates, again, again) {
                    Next::Event(update) => event = update,
                    Next::Due => {}
                    Next::Ended => return,
                }
            }
            continue;
        }
        match ask(url, &announce, id.as_deref(), PATIENCE) {
            Ok(response) => {
                // A tracker that names no id again keeps the one that it gave before.
                lock(&shared.active).insert(url.to_owned(), response.tracker_id.clone().or(id));
                order.answered();
                event = AnnounceEvent::None;
                again = AGAIN;
                (wait, min_wait) = waits(response.interval, response.min_interval);
                report(url, announce.info_hash, response, mailbox);
            }
            Err(error) => {
                eprintln!("{}: {error}", printable(url.as_bytes()));
                if let Some(rest) = rest_of(&error) {
                    rests.insert(url.to_owned(), Instant::now() + rest);
                }
                if order.failed().is_none() {
                    wait = again;
                    min_wait = again;
                    again = (2 * again).min(LONGEST);
                }
            }
        }
        match wait_for(updates, wait, min_wait) {
            Next::Event(update) => event = update,
            Next::Due => {}
            Next::Ended => return,
        }
    }
}

/// Returns when to announce again, and when at the earliest if the torrent needs peers: never before what the tracker
/// names as its minimum.
fn waits(interval: Duration, min_interval: Option<Duration>) -> (Duration, Duration) {
    let least = min_interval.map(|least| least.clamp(AGAIN, LONGEST));
    let wait = interval.clamp(AGAIN, LONGEST).max(least.unwrap_or(AGAIN));
    (wait, least.unwrap_or(HUNGRY).min(wait))
}

/// Returns how long a tracker that refused is not to be asked (BEP 31).
fn rest_of(error: &io::Error) -> Option<Duration> {
    let refused = error.get_ref()?.downcast_ref::<Refused>()?;
    match refused.retry? {
        RetryIn::After(rest) => Some(rest.min(NEVER)),
        RetryIn::Never => Some(NEVER),
    }
}

fn report(url: &str, torrent: InfoHash, response: Response, mailbox: &Mailbox) {
    let source = printable(url.as_bytes());
    if let Some(warning) = &response.warning {
        eprintln!("{source}: {}", printable(warning));
    }
    let kind = PeerSource::Tracker;
    let external = response.external;
    mailbox.send(Found { torrent, source, kind, peers: response.peers, external });
}

/// Why the wait for the next announce is over.
enum Next {
    /// The session wants this announced.
    Event(AnnounceEvent),
    /// The interval has passed.
    Due,
    /// The session has ended.
    Ended,
}

/// Waits for the next announce.
fn wait_for(updates: &Receiver<Update>, wait: Duration, min_wait: Duration) -> Next {
    let asked = Instant::now();
    let mut wait = wait;
    loop {
        match updates.recv_timeout(wait.saturating_sub(asked.elapsed())) {
            Ok(Update::Announce(event)) => return Next::Event(event),
            Ok(Update::Hungry) => wait = wait.min(min_wait),
            Err(RecvTimeoutError::Timeout) => return Next::Due,
            Err(RecvTimeoutError::Disconnected) => return Next::Ended,
        }
    }
}

fn ask(
    url: &str,
    announce: &Announce,
    id: Option<&[u8]>,
    patience: Duration,
) -> io::Result<Response> {
    match url.split_once("://") {
        Some(("http" | "https", _)) => http::ask(url, announce, id, patience),
        Some(("udp", rest)) => {
            let longer = if patience < PATIENCE { patience } else { UDP_PATIENCE };
            udp::ask(rest, announce, longer)
        }
        Some(("ws" | "wss", _)) => {
            Err(io::Error::other("trackers over WebSocket are not supported; they serve browsers"))
        }
        _ => Err(io::Error::other("not http://, https:// or udp://")),
    }
}

fn resolve(server: &str) -> io::Result<SocketAddr> {
    server.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_announce_comes_before_the_minimum_of_the_tracker() {
        let secs = Duration::from_secs;
        for (interval, least, expected) in [
            (1_800, None, (1_800, 300)),
            (1_800, Some(900), (1_800, 900)),
            (60, Some(300), (300, 300)), // the interval is shorter than the minimum
            (60, None, (60, 60)),
            (0, Some(0), (30, 30)),
            (u64::MAX, Some(u64::MAX), (3_600, 3_600)),
        ] {
            let found = waits(secs(interval), least.map(secs));
            assert_eq!(found, (secs(expected.0), secs(expected.1)), "{interval} {least:?}");
        }
    }
}
