//! The tracker over UDP: no memory for clients, but for what they announce.

use core::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Instant;

use bittorrent_pieces::tracker::ConnectionIds;
use bittorrent_pieces::tracker::udp::{Request, Response, Scrapes};
use bittorrent_pieces::{CompactPeers, Family};
use examples::random::random;

use super::Ctx;

pub fn serve(ctx: &Ctx, socket: &UdpSocket) {
    let ids = ConnectionIds::new(random());
    let start = Instant::now();
    let mut received = [0; 2_048];
    let mut out = [0; 8_192];
    loop {
        let Ok((len, from)) = socket.recv_from(&mut received) else { continue };
        let Ok(request) = Request::decode(&received[..len]) else { continue };
        ctx.trace(from, &request);
        if let Some(len) = answer(ctx, &ids, start, from, &request, &mut out) {
            let _ = socket.send_to(&out[..len], from); // the client asks again if it is lost
        }
    }
}

fn answer(
    ctx: &Ctx,
    ids: &ConnectionIds,
    start: Instant,
    from: SocketAddr,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<usize> {
    let now = start.elapsed();
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
            let torrents: Vec<_> =
                hashes.iter().map(|torrent| Scrapes::encode(store.scrape(torrent))).collect();
            return Response::Scrape { transaction, torrents: Scrapes::new(&torrents) }
                .encode(out)
                .ok();
        }
    };
    response.encode(out).ok()
}
