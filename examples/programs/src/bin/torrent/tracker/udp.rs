//! The tracker over UDP: no memory for clients, but for what they announce.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::tracker::ConnectionIds;
use bittorrent_pieces::tracker::udp::{Request, Response, Scrapes};
use bittorrent_pieces::{CompactPeers, Family};
use examples::random::random;
use examples::udp::{Datagrams, Udp};

use super::Ctx;

/// Answers requests until the socket fails.
pub fn serve(ctx: &Ctx, udp: &mut Udp) -> Result<(), String> {
    let mut tracker = Tracker { ctx, ids: ConnectionIds::new(random()), answer: None };
    loop {
        udp.turn(&mut tracker, Duration::MAX)?;
    }
}

/// The tracker, and its answer to the last request.
struct Tracker<'a> {
    ctx: &'a Ctx,
    ids: ConnectionIds,
    answer: Option<(SocketAddr, Vec<u8>)>,
}

impl Datagrams for Tracker<'_> {
    fn handle_datagram(&mut self, now: Duration, from: SocketAddr, bytes: &[u8]) {
        let Ok(request) = Request::decode(bytes) else { return };
        self.ctx.trace(from, &request);
        let mut out = vec![0; 8_192];
        if let Some(len) = answer(self.ctx, &self.ids, now, from, &request, &mut out) {
            out.truncate(len);
            self.answer = Some((from, out));
        }
    }

    fn handle_timeout(&mut self, _: Duration) {}

    fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    fn poll_transmit(&mut self, buf: &mut [u8]) -> Result<Option<(SocketAddr, usize)>, String> {
        let Some((to, bytes)) = self.answer.take() else { return Ok(None) };
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(Some((to, bytes.len())))
    }
}

fn answer(
    ctx: &Ctx,
    ids: &ConnectionIds,
    now: Duration,
    from: SocketAddr,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<usize> {
    let ip = from.ip();
    let refused =
        |transaction, text: &'static str| Response::Error { transaction, text: text.as_bytes() };
    let mut store = ctx.store.lock().expect("no panics");
    let response = match *request {
        Request::Connect { transaction } => {
            Response::Connect { transaction, connection: ids.give(now, ip) }
        }
        Request::Announce { connection, transaction, .. }
        | Request::Scrape { connection, transaction, .. }
            if !ids.accepts(now, ip, connection) =>
        {
            refused(transaction, "connect again")
        }
        Request::Announce { transaction, announce, .. } => match store.announce(ip, &announce) {
            Ok(told) => {
                let family = Family::of(from);
                let bytes = if ip.is_ipv4() { &told.v4 } else { &told.v6 };
                let response = Response::Announce {
                    transaction,
                    interval: ctx.interval.as_secs() as u32,
                    leechers: told.stats.leechers,
                    seeders: told.stats.seeders,
                    peers: CompactPeers::new(family, bytes)?,
                };
                return response.encode(out).ok();
            }
            Err(reason) => refused(transaction, reason),
        },
        Request::Scrape { transaction, hashes, .. } => {
            store.scraped();
            let torrents: Vec<_> =
                hashes.iter().map(|torrent| Scrapes::encode(store.scrape(torrent))).collect();
            return Response::Scrape { transaction, torrents: Scrapes::new(&torrents) }
                .encode(out)
                .ok();
        }
    };
    response.encode(out).ok()
}
