//! A torrent that downloads from a simulated web server.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use core::time::Duration;

use bittorrent_pieces::web_seed::{
    CloseReason, HttpGet, HttpTarget, NotRequested, ResponseHead, WEB_BLOCK_LEN, WebFile,
    WebRequestSlot, WebSeed, WebSeedConfig, WebSeedEvent, WebSeedKind, WebSeedSlots,
};
use bittorrent_pieces::{
    Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerId, PieceHasher, PieceHashes, Side,
    Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};

pub const PIECE: u32 = 65_536;

pub const CONN: ConnId = ConnId(1);

pub const URL: &[u8] = b"http://example.org/files";

pub type Slots = WebSeedSlots<Vec<WebFile>, Vec<WebRequestSlot>, Vec<u8>, Vec<u8>>;

/// How a server answers.
pub type Server = dyn Fn(&World, &HttpGet) -> Response;

/// A response, with the body that is sent before the connection ends.
#[derive(Default)]
pub struct Response {
    pub status: u16,
    pub range: Option<String>,
    pub length: Option<u64>,
    pub location: Option<&'static str>,
    pub retry_after: Option<&'static str>,
    pub body: Vec<u8>,
    /// The response never comes.
    pub silent: bool,
}

pub struct World {
    pub seed: WebSeed<Slots>,
    pub torrent: Torrent<TorrentVec>,
    pub data: Vec<u8>,
    pub disk: Vec<u8>,
    pub files: Vec<WebFile>,
    pub lens: Vec<(u64, u64)>, // of the files
    pub now: Duration,
    pub gets: Vec<HttpGet>,
    pub aborted: u32,
    pub closed: Option<CloseReason>,
    pub banned: bool,
}

pub fn config(kind: WebSeedKind) -> WebSeedConfig {
    WebSeedConfig::new(kind, InfoHash([7; 20]), PeerId([9; 20]))
}

pub fn slots(files: Vec<WebFile>, requests: usize) -> Slots {
    WebSeedSlots {
        files,
        requests: vec![WebRequestSlot::EMPTY; requests],
        block: vec![0; WEB_BLOCK_LEN],
        location: vec![0; 200],
    }
}

impl World {
    /// Files of these lengths one behind the other; those of a negative length are padding.
    pub fn new(lens: &[i64], kind: WebSeedKind, fast: bool) -> Self {
        let mut data: Vec<u8> = Vec::new();
        let mut files = Vec::new();
        let mut offsets = Vec::new();
        for len in lens {
            let offset = data.len() as u64;
            let size = len.unsigned_abs();
            let content = (offset..offset + size).map(|n| (n * 31 % 251) as u8);
            if *len < 0 {
                files.push(WebFile::padding(offset, size));
                data.resize(data.len() + size as usize, 0);
            } else {
                files.push(WebFile::new(offset, size));
                data.extend(content);
            }
            offsets.push((offset, size));
        }
        let geometry = Geometry::new(data.len() as u64, PIECE).unwrap();
        let hashes: Vec<_> = data.chunks(PIECE as usize).map(PieceHasher::digest).collect();
        let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
        let mut config = Config::new(InfoHash([7; 20]), PeerId([1; 20]));
        config.fast = fast;
        let storage = TorrentVec::new(&content, TorrentLimits::new());
        let torrent = Torrent::new(TorrentSetup::new(config), storage).unwrap();
        let seed = WebSeed::new(self::config(kind), geometry, slots(files.clone(), 64)).unwrap();
        let disk = vec![0; data.len()];
        let mut world = Self {
            seed,
            torrent,
            data,
            disk,
            files,
            lens: offsets,
            now: Duration::ZERO,
            gets: vec![],
            aborted: 0,
            closed: None,
            banned: false,
        };
        world.torrent.handle_connected(world.now, CONN, Side::Dialled).unwrap();
        world
    }

    /// Passes what each side transmits to the other, until both are silent.
    pub fn wire(&mut self) {
        let mut buf = vec![0; self.seed.transmit_len().max(1 << 16)];
        let mut waiting = Vec::new();
        loop {
            let mut moved = false;
            while let Some(sent) = self.torrent.poll_transmit(&mut buf).unwrap() {
                waiting.extend_from_slice(&buf[..sent.len]);
                moved = true;
            }
            let used = self.seed.handle_bytes(self.now, &waiting).unwrap();
            waiting.drain(..used);
            while let Some(len) = self.seed.poll_transmit(&mut buf).unwrap() {
                moved = true;
                self.deliver(&buf[..len]);
            }
            self.events();
            if !moved {
                assert!(waiting.is_empty(), "there is room for all requests");
                return;
            }
        }
    }

    pub fn deliver(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.banned {
            let received = self.torrent.handle_bytes(self.now, CONN, bytes).unwrap();
            if let Some(Outcome::Block { block, data }) = received.outcome {
                let at = (block.piece.0 * PIECE + block.begin) as usize;
                self.disk[at..at + data.len()].copy_from_slice(data);
            }
            assert!(received.consumed > 0, "a message is whole");
            bytes = &bytes[received.consumed..];
        }
    }

    pub fn events(&mut self) {
        while let Some(event) = self.torrent.poll_event() {
            match event {
                Event::Verify { piece } => {
                    let bytes = self.disk.chunks(PIECE as usize).nth(piece.0 as usize).unwrap();
                    let digest = PieceHasher::digest(bytes);
                    self.torrent.handle_hashed(self.now, piece, digest).unwrap();
                }
                Event::Closed { reason, .. } => {
                    assert_eq!(reason, bittorrent_pieces::CloseReason::Corrupt);
                    self.banned = true;
                }
                _ => {}
            }
        }
    }

    /// Answers one request over HTTP; returns whether there was one.
    pub fn answer(&mut self, server: &Server) -> bool {
        self.wire();
        match self.seed.poll_event() {
            Some(WebSeedEvent::Get(get)) => {
                self.gets.push(get);
                let response = server(self, &get);
                if !response.silent {
                    self.respond(&get, &response);
                }
            }
            Some(WebSeedEvent::Abort { .. }) => self.aborted += 1,
            Some(WebSeedEvent::Closed { reason }) => {
                self.closed = Some(reason);
                return false;
            }
            _ => return false,
        }
        true
    }

    pub fn respond(&mut self, get: &HttpGet, response: &Response) {
        let head = ResponseHead {
            status: response.status,
            url: URL,
            content_range: response.range.as_deref().map(str::as_bytes),
            content_length: response.length,
            location: response.location.map(str::as_bytes),
            retry_after: response.retry_after.map(str::as_bytes),
        };
        let wanted = self.seed.handle_head(self.now, get.number, &head).unwrap();
        let wanted = usize::try_from(wanted).unwrap().min(response.body.len());
        let mut body = &response.body[..wanted];
        // In segments of an odd length, as they come over a network.
        while !body.is_empty() {
            let segment = &body[..body.len().min(1_447)];
            match self.seed.handle_body(self.now, get.number, segment) {
                Ok(used) => body = &body[used..],
                Err(error) => {
                    assert_eq!(error, NotRequested(get.number));
                    return;
                }
            }
            self.wire();
        }
        let _ = self.seed.handle_end(self.now, get.number); // it has all its bytes
    }

    /// Runs until the torrent is complete, the web seed has ended, or an hour has passed.
    pub fn run(&mut self, server: &Server) -> bool {
        let end = self.now + Duration::from_secs(3_600);
        while self.now < end && !self.torrent.is_complete() && self.closed.is_none() && !self.banned
        {
            while self.answer(server) {}
            self.now += Duration::from_secs(1);
            self.seed.handle_timeout(self.now);
            self.torrent.handle_timeout(self.now);
        }
        assert!(!self.torrent.is_complete() || self.disk == self.data);
        self.torrent.is_complete()
    }

    /// Returns the bytes of a file, of which a request names the number.
    pub fn file(&self, get: &HttpGet) -> &[u8] {
        let HttpTarget::File(number) = get.target else { panic!("{get:?}") };
        let (offset, len) = self.lens[number as usize];
        &self.data[offset as usize..(offset + len) as usize]
    }
}

/// A web server with ranges.
pub fn ranges(world: &World, get: &HttpGet) -> Response {
    let file = world.file(get);
    let body = file[get.begin as usize..=get.last() as usize].to_vec();
    let range = format!("bytes {}-{}/{}", get.begin, get.last(), file.len());
    Response { status: 206, range: Some(range), body, ..Response::default() }
}

pub fn status(status: u16) -> Response {
    Response { status, ..Response::default() }
}
