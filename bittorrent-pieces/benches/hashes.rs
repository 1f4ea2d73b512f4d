//! What requests for hashes (BEP 52) cost a seed: one by itself, and ten floods of them beside an honest leech.
//!
//! - request: 512 hashes of a file of 65,536 pieces with their proof, answered and written.
//! - reject: the same above the budget of a round.
//! - leech: in each turn of a loop the leech sends its pipeline of 50 requests for blocks, and each flood one for hashes. All
//!   answers are written, those of blocks with their 16 KiB copied, each from another place. The floods have used up their budgets; what they are
//!   answered in each round of ten seconds is a row of its own.
//!
//! Bars: a request takes less than 100 us; beside ten floods the leech keeps at least 80 % of its rate. Times are the
//! least of many runs, and the runs with and without floods alternate.
//!
//! `cargo bench -p bittorrent-pieces --bench hashes`

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use bittorrent_pieces::merkle::{MerkleHash, PieceLayer};
use bittorrent_pieces::wire::hashes::{HashMessage, HashRange};
use bittorrent_pieces::wire::{Handshake, Message, Reserved};
use bittorrent_pieces::{
    BLOCK_LEN, Bitfield, Block, Config, ConnId, Geometry, InfoHash, PeerId, PieceHashes,
    PieceIndex, Side, Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};

const PIECES: u32 = 65_536;
const PIECE_LEN: u32 = 16_384;
const LEECH: ConnId = ConnId(0);
const FLOODS: u32 = 10;
const PIPELINE: u32 = 50;
const TURNS: u32 = 20;
const RUNS: usize = 40;

fn main() {
    let layer: Vec<MerkleHash> =
        (0..PIECES).map(|n| core::array::from_fn(|at| (n >> (at % 4 * 8)) as u8)).collect();
    let layer = PieceLayer::new(&layer);
    let root = layer.root(PIECE_LEN);
    let requests: Vec<_> = (0..PIECES / 512).map(|number| hash_request(root, number)).collect();
    let (request, reject, answers) = floods_alone(layer, &requests);
    println!(
        "request for 512 hashes of {PIECES} pieces: {request:.1?}, above the budget {reject:.1?}"
    );
    let round = 100.0 * (request * answers * FLOODS).as_secs_f64() / 10.0;
    println!("{FLOODS} floods in a round: {} answers, {round:.2} % of its time", answers * FLOODS);
    let runs = (0..RUNS).map(|_| (leech(layer, &requests, 0), leech(layer, &requests, FLOODS)));
    let runs: Vec<_> = runs.collect();
    let alone = runs.iter().map(|run| run.0).min().unwrap_or_default();
    let beside = runs.iter().map(|run| run.1).min().unwrap_or_default();
    let rate = |time: Duration| f64::from(TURNS * PIPELINE) / 64.0 / time.as_secs_f64();
    println!("leech alone: {:.0} MiB/s", rate(alone));
    let share = 100.0 * rate(beside) / rate(alone);
    println!("leech beside {FLOODS} floods: {:.0} MiB/s, {share:.0} %", rate(beside));
}

/// A seed of version 2, its content, and where its answers are written to.
struct Seed {
    torrent: Torrent<TorrentVec>,
    now: Duration,
    content: Vec<u8>,
    out: Vec<u8>,
}

impl Seed {
    fn new(layer: PieceLayer<'_>, floods: u32) -> Self {
        let geometry = Geometry::new(u64::from(PIECES) * u64::from(PIECE_LEN), PIECE_LEN);
        let content = TorrentContent::new(geometry.expect("it fits"), PieceHashes::v2(layer));
        let have = vec![0xFF; (PIECES / 8) as usize];
        let mut setup = TorrentSetup::new(Config::new(InfoHash([9; 20]), PeerId([1; 20])));
        setup.have = Bitfield::new(PIECES, &have[..]).ok();
        let limits = TorrentLimits { peers: 16, open_pieces: 1, pipeline: 64 };
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits)).expect("it fits");
        let content = vec![7; (TURNS * PIPELINE * BLOCK_LEN) as usize];
        let mut seed = Self { torrent, now: Duration::ZERO, content, out: vec![0; 64 << 10] };
        for conn in 0..=floods {
            seed.torrent.handle_connected(seed.now, ConnId(conn), Side::Accepted).expect("a slot");
            let reserved = Reserved::default();
            let peer_id = PeerId([2 + conn as u8; 20]);
            let hello = Handshake { reserved, info_hash: InfoHash([9; 20]), peer_id };
            let mut bytes = [0; Handshake::LEN];
            hello.encode(&mut bytes).expect("68 bytes");
            seed.receive(ConnId(conn), &bytes);
        }
        seed.receive(LEECH, &message(&Message::Interested));
        seed.transmit();
        seed
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let received = self.torrent.handle_bytes(self.now, conn, black_box(bytes));
        assert_eq!(received.map(|received| received.consumed), Ok(bytes.len()));
    }

    /// Writes all that is due; returns the number of blocks and that of other bytes.
    fn transmit(&mut self) -> (u32, usize) {
        let mut blocks = 0;
        let mut others = 0;
        while let Some(sent) = self.torrent.poll_transmit(&mut self.out).expect("it fits") {
            others += sent.len;
            if let Some(block) = sent.block {
                let start = (block.piece.0 * PIECE_LEN) as usize;
                let data = &self.content[start..][..block.len as usize];
                self.out[sent.len..][..data.len()].copy_from_slice(data);
                blocks += 1;
                others -= sent.len;
            }
            black_box(&self.out);
        }
        while self.torrent.poll_event().is_some() {}
        (blocks, others)
    }
}

fn message(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = vec![0; message.encoded_len()];
    message.encode(&mut bytes).expect("it is long enough");
    bytes
}

/// As expensive as one may be: a proof from the first to the last layer.
fn hash_request(root: MerkleHash, number: u32) -> Vec<u8> {
    let index = number % (PIECES / 512) * 512;
    let range = HashRange { root, base: 0, index, length: 512, proof_layers: 15 };
    let request = HashMessage::Request(range);
    let mut bytes = vec![0; request.encoded_len()];
    request.encode(&mut bytes).expect("it is long enough");
    bytes
}

/// Returns the time of a request that is answered, that of one that is rejected, and the number of answers in a round.
fn floods_alone(layer: PieceLayer<'_>, requests: &[Vec<u8>]) -> (Duration, Duration, u32) {
    let mut seed = Seed::new(layer, 1);
    let mut answered = vec![];
    let mut rejected = vec![];
    for request in requests.iter().cycle().take(2_000) {
        let start = Instant::now();
        seed.receive(ConnId(1), request);
        let (_, len) = seed.transmit();
        let time = start.elapsed();
        if len > 512 * 32 { answered.push(time) } else { rejected.push(time) }
    }
    assert!(answered.len() > 20 && rejected.len() > 20, "{} answers", answered.len());
    let median = |times: &mut [Duration]| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    (median(&mut answered), median(&mut rejected), answered.len() as u32)
}

/// Returns how long a leech takes for its blocks beside floods.
fn leech(layer: PieceLayer<'_>, requests: &[Vec<u8>], floods: u32) -> Duration {
    let mut seed = Seed::new(layer, floods);
    for flood in 1..=floods {
        for request in requests.iter().cycle() {
            seed.receive(ConnId(flood), request);
            if seed.transmit().1 < 512 * 32 {
                break; // its budget is used up
            }
        }
    }
    let mut given = 0;
    let start = Instant::now();
    for turn in 0..TURNS {
        for number in 0..PIPELINE {
            let piece = PieceIndex(turn * PIPELINE + number);
            let block = Block { piece, begin: 0, len: BLOCK_LEN };
            seed.receive(LEECH, &message(&Message::Request(block)));
        }
        for flood in 1..=floods {
            seed.receive(ConnId(flood), &requests[(turn + flood) as usize % requests.len()]);
        }
        given += seed.transmit().0;
    }
    let time = start.elapsed();
    assert_eq!(given, TURNS * PIPELINE, "every block is given");
    time
}
