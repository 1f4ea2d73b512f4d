//! One announcement over UDP.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use bittorrent_pieces::Family;
use bittorrent_pieces::tracker::{Announce, UdpConfig, UdpOutcome, UdpSlot, UdpTracker};
use examples::random::random;
use examples::udp::{Datagrams, Udp};

use super::{Response, resolve};

/// Announces to a tracker; `rest` is its URL without `udp://`.
pub(super) fn ask(rest: &str, announce: &Announce, patience: Duration) -> io::Result<Response> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = resolve(authority)?;
    let mut config = UdpConfig::new(u64::from_le_bytes(random())).with_path(path);
    config.family = Family::of(server);
    let tracker = UdpTracker::new(config, [UdpSlot::EMPTY; 1]).map_err(io::Error::other)?;
    let mut udp = Udp::connect(server).map_err(io::Error::other)?;
    let mut question = Question { server, tracker, answer: None };
    question.tracker.announce(udp.now(), *announce).map_err(io::Error::other)?;
    while udp.now() < patience {
        udp.turn(&mut question, patience).map_err(io::Error::other)?;
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
    answer: Option<io::Result<Response>>,
}

impl Datagrams for Question<'_> {
    fn handle_datagram(&mut self, now: Duration, _: SocketAddr, bytes: &[u8]) {
        match self.tracker.handle_datagram(now, bytes) {
            Ok(UdpOutcome::Announced { interval, peers, .. }) => {
                let peers = peers.iter().collect();
                self.answer = Some(Ok(Response {
                    interval,
                    min_interval: None,
                    peers,
                    tracker_id: None,
                    external: None,
                    warning: None,
                }));
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
