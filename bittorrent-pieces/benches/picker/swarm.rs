//! The workloads of one size.

use bittorrent_pieces::picker::{PeerPieces, ReceivedBlock, Selection};
use bittorrent_pieces::{Bitfield, Block, ConnId, Geometry, PieceIndex};

use crate::support::{BATCH, Picker, SEED, bitfield, nanos, next, only, picker, propose};

/// How many bitfields are counted at least, so that reading the clock does not matter.
const JOINS: usize = 2_000;

pub struct Swarm {
    geometry: Geometry<'static>,
    bitfields: Vec<Bitfield<Vec<u8>>>,
}

impl Swarm {
    pub fn new(pieces: u32, peers: u32) -> Self {
        let geometry = Geometry::new(u64::from(pieces) << 18, 1 << 18).expect("it fits");
        let mut bitfields: Vec<_> = (0..peers).map(|peer| bitfield(pieces, peer, 500)).collect();
        for piece in (0..pieces).map(PieceIndex) {
            if !bitfields.iter().any(|bits| bits.has(piece)) {
                bitfields[0].set(piece); // so that the download can end
            }
        }
        Self { geometry, bitfields }
    }

    fn picker(&self) -> Picker {
        picker(self.geometry, 2 * self.bitfields.len())
    }

    fn holds(&self, peer: usize) -> PeerPieces<'_> {
        PeerPieces::Some(self.bitfields[peer % self.bitfields.len()].as_view())
    }

    fn is_large(&self) -> bool {
        self.geometry.pieces() >= 100_000
    }

    pub fn join(&self) -> (Picker, f64) {
        let peers = self.bitfields.len();
        let times = if self.is_large() { 1 } else { JOINS.div_ceil(peers) };
        let mut pickers: Vec<_> = (0..times).map(|_| self.picker()).collect();
        let mut one = [Block::default()];
        let took = nanos(|| {
            for picker in &mut pickers {
                (0..peers).for_each(|peer| picker.join(&self.holds(peer)));
                propose(picker, self.holds(0), &mut one);
            }
        });
        (pickers.pop().expect("one at least"), took / (times * peers) as f64)
    }

    pub fn churn(&self, picker: &mut Picker) -> f64 {
        let rounds = if self.is_large() { 40 } else { 200 };
        let mut one = [Block::default()];
        let took = nanos(|| {
            for round in 0..rounds {
                picker.leave(&self.holds(round));
                propose(picker, self.holds(round + 1), &mut one);
                picker.join(&self.holds(round));
                propose(picker, self.holds(round), &mut one);
            }
        });
        took / rounds as f64
    }

    pub fn have(&self, picker: &mut Picker) -> (f64, f64) {
        let pieces = self.random_pieces(SEED + 3, 100_000);
        let more = nanos(|| pieces.iter().for_each(|piece| picker.have(*piece)));
        let back = nanos(|| pieces.iter().for_each(|piece| picker.dont_have(*piece)));
        (more / 100_000.0, back / 100_000.0)
    }

    pub fn fresh(&self, picker: &mut Picker) -> f64 {
        let mut batch = [Block::default(); BATCH];
        let took = nanos(|| {
            for turn in 0..2_000 {
                propose(picker, self.holds(turn), &mut batch);
            }
        });
        took / 2_000.0
    }

    pub fn sparse(&self, picker: &mut Picker) -> f64 {
        let pieces = self.geometry.pieces();
        let peers: Vec<_> = (100_000..100_200).map(|peer| bitfield(pieces, peer, 1)).collect();
        let mut batch = [Block::default(); BATCH];
        let took = nanos(|| {
            for peer in peers.iter().cycle().take(1_000) {
                propose(picker, PeerPieces::Some(peer.as_view()), &mut batch);
            }
        });
        took / 1_000.0
    }

    pub fn one(&self, picker: &mut Picker) -> f64 {
        let pieces = self.geometry.pieces();
        let peers: Vec<_> = (0..100).map(|nth| only(pieces, nth * 7919 % pieces)).collect();
        let mut batch = [Block::default(); BATCH];
        let took = nanos(|| {
            for peer in &peers {
                assert!(propose(picker, PeerPieces::Some(peer.as_view()), &mut batch) > 0);
            }
        });
        took / 100.0
    }

    pub fn haves(&self, picker: &mut Picker) -> f64 {
        let pieces = self.random_pieces(SEED + 8, 16_000);
        let mut batch = [Block::default(); BATCH];
        let took = nanos(|| {
            for (turn, pieces) in pieces.chunks(8).enumerate() {
                for piece in pieces {
                    picker.have(*piece);
                }
                propose(picker, self.holds(turn), &mut batch);
            }
        });
        took / 2_000.0
    }

    /// Returns the time for each block, how many blocks came twice, and how many pieces were open at most.
    pub fn download(&self, haves: usize) -> (f64, u64, usize) {
        let mut picker = self.picker();
        (0..self.bitfields.len()).for_each(|peer| picker.join(&self.holds(peer)));
        propose(&mut picker, self.holds(0), &mut [Block::default()]);
        let news = self.random_pieces(SEED + 9, 10_000);
        let mut news = news.iter().cycle();
        let mut queues = vec![Vec::with_capacity(BATCH); self.bitfields.len()];
        let mut twice = 0;
        let mut open = 0_usize;
        let mut most = 0;
        let took = nanos(|| {
            for turn in 0.. {
                let at = turn % queues.len();
                let conn = ConnId(at as u32);
                for block in queues[at].drain(..) {
                    match picker.receive(conn, block, 0) {
                        ReceivedBlock::Unwanted => twice += 1,
                        ReceivedBlock::Accepted { full: true, .. } => {
                            let full = picker.next_full().expect("it became full just now");
                            assert!(picker.passed(full, |_| {}));
                            open = open.saturating_sub(1);
                        }
                        _ => {}
                    }
                }
                if picker.have_count() == self.geometry.pieces() {
                    break;
                }
                news.by_ref().take(haves).for_each(|piece| picker.have(*piece));
                let mut batch = [Block::default(); BATCH];
                let picked = fill(&mut picker, conn, &self.holds(turn), &mut batch);
                open += batch[..picked].iter().filter(|block| block.begin == 0).count();
                queues[at].extend(&batch[..picked]);
                most = most.max(open);
            }
        });
        let blocks = f64::from(self.geometry.pieces()) * 16.0;
        (took / blocks, twice, most)
    }

    fn random_pieces(&self, seed: u64, count: usize) -> Vec<PieceIndex> {
        let all = u64::from(self.geometry.pieces());
        let mut state = seed;
        let draw = |_| {
            let piece = PieceIndex((next(&mut state) % all) as u32);
            next(&mut state); // whose HAVE it was
            piece
        };
        (0..count).map(draw).collect()
    }
}

/// Asks a peer for as many blocks as it can give; at the end for one that another was asked for.
fn fill(
    picker: &mut Picker,
    conn: ConnId,
    holds: &PeerPieces<'_>,
    batch: &mut [Block; BATCH],
) -> usize {
    let want = Selection::new();
    let mut picked = 0;
    while picked < BATCH {
        let more = picker.pick(conn, holds, &want, &mut batch[picked..]);
        if more == 0 {
            break;
        }
        picked += more;
    }
    if picked == 0
        && let Some(block) = picker.pick_endgame(conn, holds, &want)
    {
        batch[0] = block;
        picked = 1;
    }
    picked
}
