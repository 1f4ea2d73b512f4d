//! One download, and what a test lets its sources send.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use gnutella_wire::ConnId;
use gnutella_wire::head::{Head, HeadLimits};
use gnutella_wire::http::Request;
use gnutella_wire::huge::Sha1;
use gnutella_wire::transfer::{
    Download, DownloadConfig, DownloadEvent, DownloadLimits, DownloadVec, FileInfo, Source,
    SourceId,
};

pub type Fetch = Download<DownloadVec>;

pub const T0: Duration = Duration::ZERO;
/// The length of a block, if the size of the file is a power of two from this on, and below 256 MiB.
pub const BLOCK: u64 = 131_072;
/// The smallest request is as long as the file.
pub const WHOLE: DownloadConfig = {
    let mut config = DownloadConfig::CUSTOMARY;
    config.min_request = 1 << 30;
    config.max_request = 1 << 30;
    config
};
/// A request is one block.
pub const SINGLE: DownloadConfig = {
    let mut config = DownloadConfig::CUSTOMARY;
    config.min_request = 1;
    config.max_request = 1;
    config
};

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn host(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, number), 6346)
}

pub fn info(size: u64) -> FileInfo<'static> {
    FileInfo { size, sha1: Some(Sha1([1; 20])), root: None, name: b"" }
}

pub fn fetch_with(config: DownloadConfig, size: u64, written: &[(u64, u64)]) -> Fetch {
    let storage = DownloadVec::new(DownloadLimits { sources: 8, blocks: 1_024 });
    Download::resume(config, info(size), written, storage).unwrap()
}

pub fn fetch(config: DownloadConfig, size: u64) -> Fetch {
    fetch_with(config, size, &[])
}

/// Adds a source, and returns its number once it is to be dialled.
pub fn dial(fetch: &mut Fetch, now: Duration, number: u8) -> SourceId {
    let id = fetch.add_source(now, Source::at(host(number))).unwrap();
    let dial = DownloadEvent::Dial { source: id, address: host(number) };
    assert_eq!(fetch.poll_event(), Some(dial));
    id
}

/// Adds a source, and connects to it.
pub fn connect(fetch: &mut Fetch, now: Duration, number: u8) -> SourceId {
    let id = dial(fetch, now, number);
    fetch.handle_connected(now, id, ConnId(number.into())).unwrap();
    id
}

/// Dials two sources and connects the first, which is asked for everything.
pub fn connect_first_of_two(fetch: &mut Fetch, size: u64) -> SourceId {
    let first = dial(fetch, T0, 1);
    let second = dial(fetch, T0, 2);
    fetch.handle_connected(T0, first, ConnId(1)).unwrap();
    assert_eq!(asked(fetch), [(1, 0, size)]);
    second
}

/// The requests that are due.
pub fn requests(fetch: &mut Fetch) -> Vec<(ConnId, String)> {
    let mut buf = [0; Fetch::MAX_TRANSMIT_LEN];
    let mut requests = Vec::new();
    while let Some(sent) = fetch.poll_transmit(&mut buf).unwrap() {
        requests.push((sent.conn, String::from_utf8(buf[..sent.len].to_vec()).unwrap()));
    }
    requests
}

/// What is asked for now: the connection, the first byte, and the one after the last.
pub fn asked(fetch: &mut Fetch) -> Vec<(u32, u64, u64)> {
    let range = |request: &str| {
        let (head, _) = Head::decode(request.as_bytes(), HeadLimits::GTKG).unwrap();
        Request::from_head(&head).unwrap().range.unwrap().of(u64::MAX).unwrap()
    };
    let asked = requests(fetch).into_iter().map(|(conn, request)| (conn, range(&request)));
    asked.map(|(conn, part)| (conn.0, part.first, part.last + 1)).collect()
}

/// Lets a source send; returns how many bytes were of use.
pub fn receive(fetch: &mut Fetch, now: Duration, conn: u32, bytes: &[u8]) -> usize {
    let mut rest = bytes;
    let mut used = 0;
    while !rest.is_empty() {
        let Ok(received) = fetch.handle_bytes(now, ConnId(conn), rest) else { return used };
        assert!(received.consumed > 0, "{} bytes are left", rest.len());
        used += received.outcome.map_or(0, |piece| piece.bytes.len());
        rest = &rest[received.consumed..];
    }
    used
}

/// The head of an answer with this part of the file, and more header lines.
pub fn head(size: u64, first: u64, end: u64, lines: &str) -> Vec<u8> {
    let last = end - 1;
    let len = end - first;
    let range = format!("Content-Range: bytes {first}-{last}/{size}");
    format!("HTTP/1.1 206 OK\r\n{range}\r\nContent-Length: {len}\r\n{lines}\r\n").into_bytes()
}

pub fn events(fetch: &mut Fetch) -> Vec<DownloadEvent> {
    core::iter::from_fn(|| fetch.poll_event()).collect()
}
