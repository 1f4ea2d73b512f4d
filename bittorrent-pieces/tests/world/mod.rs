//! One download by a torrent and its peer book, from seeds that come and go, in virtual time.

use core::net::SocketAddr;
use core::time::Duration;

use bittorrent_pieces::peer_book::{
    BookEvent, Ending, PeerBookConfig, PeerBookLimits, PeerBookVec, PeerSource,
};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerBook, PeerId,
    PieceHasher, PieceHashes, PieceIndex, Side, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec,
};

const PIECE: u32 = 16_384;
/// How long a message is under way.
const DELAY: Duration = Duration::from_millis(20);

struct Seed {
    addr: SocketAddr,
    torrent: Torrent<TorrentVec>,
    up_from: Duration,
    known_from: Option<Duration>,
    hang_up_after: u32,
    given: u32, // blocks on this connection
    conn: Option<ConnId>,
    dialled_at: Vec<Duration>,
}

pub(crate) struct World {
    book: PeerBook<PeerBookVec>,
    torrent: Torrent<TorrentVec>,
    seeds: Vec<Seed>,
    data: Vec<u8>,
    geometry: Geometry<'static>,
    now: Duration,
    conns: u32,
}

impl World {
    /// A torrent of pieces of one block each, and no peers.
    pub(crate) fn new(pieces: u32, seed: u64) -> Self {
        let data: Vec<u8> = (0..pieces * PIECE).map(|n| (n / 7) as u8).collect();
        let geometry = Geometry::new(data.len() as u64, PIECE).expect("a piece length");
        let book =
            PeerBook::new(PeerBookConfig::new(seed), PeerBookVec::new(PeerBookLimits::new()));
        let torrent = torrent(&data, geometry, 0, false);
        let book = book.expect("nothing is zero");
        Self { book, torrent, seeds: vec![], data, geometry, now: Duration::ZERO, conns: 0 }
    }

    pub(crate) fn seed(&mut self, addr: SocketAddr) -> usize {
        let id = self.seeds.len() as u8 + 1;
        self.seeds.push(Seed {
            addr,
            torrent: torrent(&self.data, self.geometry, id, true),
            up_from: Duration::ZERO,
            known_from: None,
            hang_up_after: u32::MAX,
            given: 0,
            conn: None,
            dialled_at: vec![],
        });
        self.seeds.len() - 1
    }

    pub(crate) fn hang_up_after(&mut self, seed: usize, blocks: u32) {
        self.seeds[seed].hang_up_after = blocks;
    }

    pub(crate) fn up_from(&mut self, seed: usize, at: Duration) {
        self.seeds[seed].up_from = at;
    }

    /// A source knows the seed from this time on.
    pub(crate) fn known_from(&mut self, seed: usize, at: Duration) {
        self.seeds[seed].known_from = Some(at);
    }

    pub(crate) fn tell(&mut self, seed: usize, source: PeerSource) {
        self.book.add(self.now, self.seeds[seed].addr, source, true);
    }

    pub(crate) fn have(&self) -> u32 {
        self.torrent.have_count()
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn dialled_at(&self, seed: usize) -> &[Duration] {
        &self.seeds[seed].dialled_at
    }

    /// Runs until all is there; returns `false` at `until`.
    pub(crate) fn run(&mut self, until: Duration) -> bool {
        while !self.torrent.is_complete() {
            self.serve_book();
            let busy = self.exchange();
            self.serve_torrent();
            let deadlines = [self.book.poll_timeout(), self.torrent.poll_timeout()];
            let seeds = self.seeds.iter().map(|seed| seed.torrent.poll_timeout());
            let next = deadlines.into_iter().chain(seeds).flatten().min();
            let next = next.unwrap_or(until).max(self.now);
            self.now = if busy { next.min(self.now + DELAY) } else { next };
            if self.now >= until {
                return false;
            }
            self.book.handle_timeout(self.now);
            self.torrent.handle_timeout(self.now);
            for seed in &mut self.seeds {
                seed.torrent.handle_timeout(self.now);
            }
        }
        true
    }

    fn serve_book(&mut self) {
        while let Some(event) = self.book.poll_event() {
            match event {
                BookEvent::Dial { addr } => self.dial(addr),
                BookEvent::AskSources => {
                    for seed in &self.seeds {
                        if seed.known_from.is_some_and(|at| at <= self.now) {
                            self.book.add(self.now, seed.addr, PeerSource::Dht, true);
                        }
                    }
                }
                BookEvent::Closed { conn, .. } => self.hang_up(conn),
                _ => panic!("{event:?}"),
            }
        }
    }

    fn dial(&mut self, addr: SocketAddr) {
        let now = self.now;
        let seed = self.seeds.iter_mut().find(|seed| seed.addr == addr).expect("only seeds");
        seed.dialled_at.push(now);
        if now < seed.up_from || seed.conn.is_some() {
            self.book.handle_dial_failed(now, addr);
            return;
        }
        self.conns += 1;
        let conn = ConnId(self.conns);
        seed.conn = Some(conn);
        seed.given = 0;
        seed.torrent.handle_connected(now, conn, Side::Accepted).expect("there are slots");
        self.book.handle_dialled(now, addr, conn).expect("it was asked for");
        self.torrent.handle_connected(now, conn, Side::Dialled).expect("there are slots");
    }

    /// Both ends of a connection are closed.
    fn hang_up(&mut self, conn: ConnId) {
        self.torrent.handle_closed(self.now, conn);
        for seed in self.seeds.iter_mut().filter(|seed| seed.conn == Some(conn)) {
            seed.torrent.handle_closed(self.now, conn);
            seed.conn = None;
        }
    }

    /// Moves what each side has to send; returns whether there was something.
    fn exchange(&mut self) -> bool {
        let mut buf = vec![0; 1_024];
        let mut busy = false;
        while let Some(sent) = self.torrent.poll_transmit(&mut buf).expect("the buffer fits") {
            busy = true;
            let seed = self.seeds.iter_mut().find(|seed| seed.conn == Some(sent.conn));
            let Some(seed) = seed else { continue };
            seed.torrent.handle_bytes(self.now, sent.conn, &buf[..sent.len]).expect("it is open");
            while seed.torrent.poll_event().is_some() {}
        }
        for index in 0..self.seeds.len() {
            while let Some(sent) =
                self.seeds[index].torrent.poll_transmit(&mut buf).expect("the buffer fits")
            {
                busy = true;
                let seed = &mut self.seeds[index];
                let mut bytes = buf[..sent.len].to_vec();
                if let Some(block) = sent.block {
                    bytes.extend(&self.data[place(block)]);
                    seed.given += 1;
                }
                let enough = seed.given >= seed.hang_up_after;
                self.read(sent.conn, &bytes);
                if enough {
                    self.hang_up(sent.conn);
                    self.book.handle_closed(self.now, sent.conn, Ending::Lost);
                }
            }
        }
        busy
    }

    fn read(&mut self, conn: ConnId, bytes: &[u8]) {
        let received = self.torrent.handle_bytes(self.now, conn, bytes).expect("it is open");
        assert_eq!(received.consumed, bytes.len());
        if let Some(Outcome::Block { block, data }) = received.outcome {
            assert!(data == &self.data[place(block)]);
            self.book.handle_block(self.now, conn);
        }
    }

    fn serve_torrent(&mut self) {
        while let Some(event) = self.torrent.poll_event() {
            match event {
                Event::Connected { conn, .. } => self.book.handle_handshake(self.now, conn),
                Event::Verify { piece } => {
                    let start = (piece.0 * PIECE) as usize;
                    let digest = PieceHasher::digest(&self.data[start..][..PIECE as usize]);
                    self.torrent.handle_hashed(self.now, piece, digest).expect("it is due");
                }
                Event::Closed { conn, reason } => {
                    self.hang_up(conn);
                    self.book.handle_closed(self.now, conn, reason.into());
                }
                _ => {}
            }
        }
    }
}

fn place(block: Block) -> core::ops::Range<usize> {
    let start = (block.piece.0 * PIECE + block.begin) as usize;
    start..start + block.len as usize
}

fn torrent(data: &[u8], geometry: Geometry<'_>, id: u8, has_all: bool) -> Torrent<TorrentVec> {
    let hashes: Vec<_> = data.chunks(PIECE as usize).map(PieceHasher::digest).collect();
    let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
    let pieces = geometry.pieces();
    let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
    for piece in (0..pieces).filter(|_| has_all) {
        have.set(PieceIndex(piece));
    }
    let mut setup = TorrentSetup::new(Config::new(InfoHash([7; 20]), PeerId([id; 20])));
    setup.have = Some(have.as_view());
    let storage = TorrentVec::new(&content, TorrentLimits::new());
    Torrent::new(setup, storage).expect("the memory fits")
}
