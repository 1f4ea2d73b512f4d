//! The tracker over HTTP: one request for each connection.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use bittorrent_pieces::tracker::http::{
    AnnounceReply, HttpRequest, RequestError, encode_failure, encode_scrape,
};
use bittorrent_pieces::{CompactPeers, Family, InfoHash};

use super::Ctx;

/// The most connections at a time; another one is closed at once.
const CONNECTIONS: usize = 256;
/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request line.
const LINE: u64 = 16_384;
/// The longest answer.
const ANSWER: usize = 64 << 10;

pub fn serve(ctx: &Arc<Ctx>, listener: &TcpListener) -> Result<(), String> {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
        if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let ctx = Arc::clone(ctx);
        let open = Arc::clone(&open);
        std::thread::spawn(move || {
            let _ = answer(&ctx, stream); // the client may disconnect
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn answer(ctx: &Ctx, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let from = stream.peer_addr()?;
    let mut reader = BufReader::new(stream.try_clone()?.take(LINE));
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    // The other lines say nothing of use, but a client may not like an answer before its end.
    let mut header = Vec::new();
    while reader.read_until(b'\n', &mut header)? > 2 {
        header.clear();
    }
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(b"GET"), Some(target)) = (words.next(), words.next()) else {
        return respond(&mut stream, "400 Bad Request", b"only GET is answered\n");
    };
    let mut body = vec![0; ANSWER];
    let len = match HttpRequest::decode(target) {
        Ok(request) => {
            ctx.trace(from, &request);
            reply(ctx, from.ip(), &request, &mut body)
        }
        Err(RequestError::Path) if is_stats(target) => {
            let text = ctx.stats(target.ends_with(b"?json"));
            return respond(&mut stream, "200 OK", text.as_bytes());
        }
        Err(RequestError::Path) => return respond(&mut stream, "404 Not Found", b"no such page\n"),
        Err(error) => encode_failure(error.to_string().as_bytes(), &mut body),
    };
    respond(&mut stream, "200 OK", &body[..len.map_err(io::Error::other)?])
}

/// Returns whether the statistics are asked for, as a text or as JSON.
fn is_stats(target: &[u8]) -> bool {
    matches!(target.rsplit(|byte| *byte == b'/').next(), Some(b"stats" | b"stats?json"))
}

fn reply(
    ctx: &Ctx,
    ip: core::net::IpAddr,
    request: &HttpRequest<'_>,
    body: &mut [u8],
) -> Result<usize, bittorrent_pieces::bencode::WriteError> {
    let mut store = ctx.store.lock().expect("no panics");
    match request {
        HttpRequest::Announce { announce, .. } => match store.announce(ip, announce) {
            Ok(told) => {
                let list = |family, bytes| CompactPeers::new(family, bytes).expect("whole entries");
                let seeders = told.stats.seeders;
                let leechers = told.stats.leechers;
                let peers = list(Family::V4, &told.v4);
                let mut reply = AnnounceReply::new(ctx.interval, seeders, leechers, peers);
                reply.peers6 = Some(list(Family::V6, &told.v6)).filter(|list| !list.is_empty());
                reply.external = Some(ip);
                reply.encode(body)
            }
            Err(reason) => encode_failure(reason.as_bytes(), body),
        },
        HttpRequest::Scrape(targets) => {
            store.scraped();
            let mut torrents: Vec<InfoHash> = targets.iter().collect();
            torrents.sort_unstable();
            torrents.dedup();
            encode_scrape(torrents.iter().map(|torrent| (*torrent, store.scrape(*torrent))), body)
        }
    }
}

fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let len = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}
