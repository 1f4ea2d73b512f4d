//! How the cost of the calls of a torrent grows with the number of its connections. One peer of many sends all the
//! blocks; the others are connected, choke us and have nothing.
//!
//! - block: the message with a block, then all polls: events, messages to send (the next request), the deadline.
//! - have: a piece is complete, and each connection is sent a HAVE; per message.
//! - connect, close: a connection comes and goes, its handshake included; each.
//! - interest: a choked peer becomes interested, or is so no longer; per message.
//! - idle: all polls when nothing is due.
//! - timeout: `handle_timeout` when the timer of one peer expires.
//!
//! Bar: no row is more than 1.5 times as dear with 1,000 connections as with 10, and a block takes at most 6 us.
//! Time is the least of five runs; of blocks, it is the median of each run.
//!
//! `cargo bench -p bittorrent-pieces --bench connections`

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::wire::fast::Fast;
use bittorrent_pieces::wire::{Handshake, Message, Piece, Reserved};
use bittorrent_pieces::{
    BLOCK_LEN, Config, ConnId, Event, Geometry, InfoHash, PeerId, PieceHashes, Side, Torrent,
    TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};

const PIECE_LEN: u32 = 4 << 20;
const PIECES: u32 = 16;
const SOURCE: ConnId = ConnId(1);
const HASH: InfoHash = InfoHash([9; 20]);
const RUNS: usize = 5;
const ROWS: [&str; 6] = ["block", "have", "connect and close", "interest", "idle polls", "timeout"];

fn main() {
    let counts = [1, 10, 100, 1_000];
    print!("{:>20}", "connections");
    for count in counts {
        print!("{count:>12}");
    }
    println!("   1,000 / 10");
    let columns = counts.map(|count| {
        let runs: Vec<_> = (0..RUNS).map(|_| Room::new(count).measure()).collect();
        core::array::from_fn::<_, 6, _>(|row| {
            runs.iter().map(|run| run[row]).min().unwrap_or_default()
        })
    });
    for (row, name) in ROWS.iter().enumerate() {
        print!("{name:>20}");
        for column in &columns {
            print!("{:>12.1?}", column[row]);
        }
        let [_, few, _, many] = columns.map(|column| column[row].as_secs_f64());
        println!("{:>13.2}", many / few);
    }
}

/// A torrent among its peers.
struct Room {
    torrent: Torrent<TorrentVec>,
    now: Duration,
    buf: Vec<u8>,
    requests: Vec<Vec<u8>>,
}

impl Room {
    fn new(connections: u32) -> Self {
        let hashes = vec![[0; 20]; PIECES as usize];
        let geometry = Geometry::new(u64::from(PIECES) * u64::from(PIECE_LEN), PIECE_LEN);
        let content = TorrentContent::new(geometry.expect("it fits"), PieceHashes::new(&hashes));
        let limits = TorrentLimits { peers: 1_024, open_pieces: 8, pipeline: 64 };
        let mut config = Config::new(HASH, PeerId([1; 20]));
        config.peer_exchange = false;
        config.silence = Duration::from_secs(1 << 20);
        config.keep_alive = Duration::from_secs(1 << 20);
        let storage = TorrentVec::new(&content, limits);
        let torrent = Torrent::new(TorrentSetup::new(config), storage).expect("it fits");
        let buf = vec![0; 4_096];
        let mut room = Self { torrent, now: Duration::ZERO, buf, requests: vec![] };
        for number in 1..=connections {
            room.connect(ConnId(number));
        }
        room.receive(SOURCE, &fast(Fast::HaveAll));
        room.receive(SOURCE, &message(&Message::Unchoke));
        room.poll();
        room
    }

    fn connect(&mut self, conn: ConnId) {
        self.torrent.handle_connected(self.now, conn, Side::Accepted).expect("there is a slot");
        let mut peer_id = [2; 20];
        peer_id[..4].copy_from_slice(&conn.0.to_be_bytes());
        let hello =
            Handshake { reserved: Reserved::FAST, info_hash: HASH, peer_id: PeerId(peer_id) };
        let mut bytes = [0; Handshake::LEN];
        hello.encode(&mut bytes).expect("68 bytes");
        self.receive(conn, &bytes);
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let received = self.torrent.handle_bytes(self.now, conn, black_box(bytes));
        assert_eq!(received.map(|received| received.consumed), Ok(bytes.len()));
    }

    /// Polls until nothing is due; keeps the requests to the source.
    fn poll(&mut self) {
        while let Some(event) = self.torrent.poll_event() {
            if let Event::Verify { piece } = event {
                self.torrent.handle_hashed(self.now, piece, [0; 20]).expect("it is to be checked");
            }
        }
        while let Some(sent) = self.torrent.poll_transmit(&mut self.buf).expect("it fits") {
            if sent.conn == SOURCE && sent.len == 17 && self.buf[4] == 6 {
                self.requests.push(self.buf[5..17].to_vec());
            }
        }
        black_box(self.torrent.poll_timeout());
    }

    fn measure(&mut self) -> [Duration; 6] {
        let [block, have] = self.blocks();
        [block, have, self.connect_and_close(), self.interest(), self.idle(), self.timeout()]
    }

    /// Downloads ten pieces; returns the time of a block, and of a HAVE.
    fn blocks(&mut self) -> [Duration; 2] {
        let data = vec![7; BLOCK_LEN as usize];
        let connections = u32::try_from(self.torrent.peers().count()).expect("few");
        let mut blocks = vec![];
        let mut haves = vec![];
        while self.torrent.have_count() < 10 {
            let mut asked = core::mem::take(&mut self.requests).into_iter();
            for asked in asked.by_ref() {
                let number = |at: usize| {
                    u32::from_be_bytes(asked[at..at + 4].try_into().expect("four bytes"))
                };
                let piece = bittorrent_pieces::PieceIndex(number(0));
                let block = Piece { piece, begin: number(4), data: &data };
                let bytes = message(&Message::Piece(block));
                let before = self.torrent.have_count();
                self.now += Duration::from_millis(1);
                let start = Instant::now();
                self.receive(SOURCE, &bytes);
                self.poll();
                let time = start.elapsed();
                if self.torrent.have_count() == before {
                    blocks.push(time);
                } else {
                    haves.push(time / connections);
                }
            }
        }
        [blocks, haves].map(|mut times| {
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        })
    }

    fn connect_and_close(&mut self) -> Duration {
        const TIMES: u32 = 200;
        let start = Instant::now();
        for number in 0..TIMES {
            let conn = ConnId(5_000 + number);
            self.connect(conn);
            self.torrent.handle_closed(self.now, conn);
            while self.torrent.poll_event().is_some() {}
        }
        let time = start.elapsed() / TIMES;
        self.poll();
        time
    }

    fn interest(&mut self) -> Duration {
        const TIMES: u32 = 200;
        // Four other peers have the slots, where there are as many.
        for number in (2..=self.torrent.peers().count() as u32).take(4) {
            self.receive(ConnId(number), &message(&Message::Interested));
        }
        let conn = ConnId(self.torrent.peers().count() as u32);
        self.poll();
        let start = Instant::now();
        for _ in 0..TIMES {
            self.receive(conn, &message(&Message::Interested));
            self.receive(conn, &message(&Message::NotInterested));
        }
        let time = start.elapsed() / (2 * TIMES);
        self.poll();
        time
    }

    fn idle(&mut self) -> Duration {
        const TIMES: u32 = 1_000;
        let start = Instant::now();
        for _ in 0..TIMES {
            self.poll();
        }
        start.elapsed() / TIMES
    }

    /// Lets the timers of connections that send no handshake expire, one by one.
    fn timeout(&mut self) -> Duration {
        const TIMES: u32 = 20;
        for number in 0..TIMES {
            self.now += Duration::from_millis(1);
            let conn = ConnId(6_000 + number);
            self.torrent.handle_connected(self.now, conn, Side::Accepted).expect("a slot");
        }
        // The choking round is of all, so it comes before.
        self.now += Duration::from_millis(9_970);
        self.torrent.handle_timeout(self.now);
        self.poll();
        let mut total = Duration::ZERO;
        let mut fired = 0;
        while let Some(at) = self.torrent.poll_timeout().filter(|_| fired < TIMES) {
            self.now = at;
            let start = Instant::now();
            self.torrent.handle_timeout(at);
            let time = start.elapsed();
            if let Some(Event::Closed { .. }) = self.torrent.poll_event() {
                total += time;
                fired += 1;
            }
        }
        self.poll();
        total / fired.max(1)
    }
}

fn message(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).expect("the length was asked for");
    bytes
}

fn fast(message: Fast) -> Vec<u8> {
    let mut bytes = vec![0; 17];
    let len = message.encode(&mut bytes).expect("it fits");
    bytes.truncate(len);
    bytes
}
