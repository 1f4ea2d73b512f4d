//! One node: a torrent, and which of its blocks are right.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bittorrent_pieces::torrent::{Peer, transmit_len};
use bittorrent_pieces::wire::{Handshake, Message};
use bittorrent_pieces::{
    Bitfield, Block, Config, ConnId, Geometry, InfoHash, Outcome, PeerId, PieceHasher, PieceHashes,
    PieceIndex, Policy, Torrent, TorrentContent, TorrentLimits, TorrentSetup, TorrentVec,
};

use crate::Json;

/// Two blocks.
pub(super) const PIECE_LEN: u32 = 32 << 10;
const OPEN: u16 = 8;
const PIPELINE: u16 = 8;

/// What a node is.
pub(super) struct Kind {
    pub(super) number: u32,
    pub(super) pieces: u32,
    pub(super) has_all: bool,
    pub(super) slots: u8,
    pub(super) policy: Policy,
    pub(super) seed: u64,
}

pub(super) struct Member {
    number: u32,
    pieces: u32,
    pub(super) torrent: Torrent<TorrentVec>,
    pub(super) alive: bool,
    pub(super) lies: bool,
    /// Bytes of each connection that are not handled yet.
    pub(super) received: BTreeMap<u32, Vec<u8>>,
    /// Blocks that arrived with wrong data: piece and offset.
    wrong: BTreeSet<(u32, u32)>,
    pub(super) deadline: Option<Duration>,
    pub(super) complete_at: Option<Duration>,
    pub(super) failed: u32,
    pub(super) banned: Vec<u32>,
}

/// Writes the content of the file: as good as random, and different in each piece.
fn fill(piece: u32, begin: u32, out: &mut [u8]) {
    for (at, byte) in (begin..).zip(out) {
        *byte = (piece.wrapping_mul(31).wrapping_add(at).wrapping_mul(0x9E37_79B1) >> 24) as u8;
    }
}

/// Returns the hash of a piece; blocks named in `wrong` have their bits flipped.
fn digest(piece: u32, wrong: &BTreeSet<(u32, u32)>) -> [u8; 20] {
    let mut bytes = vec![0; PIECE_LEN as usize];
    fill(piece, 0, &mut bytes);
    for (_, begin) in wrong.iter().filter(|(of, _)| *of == piece) {
        let end = (begin + bittorrent_pieces::BLOCK_LEN).min(PIECE_LEN);
        bytes[*begin as usize..end as usize].iter_mut().for_each(|byte| *byte ^= 0xFF);
    }
    PieceHasher::digest(&bytes)
}

impl Member {
    pub(super) fn new(kind: &Kind, peers: usize) -> Result<Self, String> {
        let pieces = kind.pieces;
        let total = u64::from(pieces) * u64::from(PIECE_LEN);
        let geometry = Geometry::new(total, PIECE_LEN).map_err(|error| error.to_string())?;
        let hashes: Vec<_> = (0..pieces).map(|piece| digest(piece, &BTreeSet::new())).collect();
        let mut id = *b"-page-node-000000000";
        id[16..].copy_from_slice(&kind.number.to_be_bytes());
        let mut config = Config::new(InfoHash([7; 20]), PeerId(id));
        config.seed = kind.seed << 16 | u64::from(kind.number);
        config.upload_slots = kind.slots;
        let limits =
            TorrentLimits { peers: peers as u16 + 1, open_pieces: OPEN, pipeline: PIPELINE };
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)])
            .map_err(|error| error.to_string())?;
        if kind.has_all {
            have.fill();
        }
        let content = TorrentContent::new(geometry, PieceHashes::new(&hashes));
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        setup.policy = kind.policy;
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits));
        Ok(Self {
            number: kind.number,
            pieces,
            torrent: torrent.map_err(|error| error.to_string())?,
            alive: true,
            lies: false,
            received: BTreeMap::new(),
            wrong: BTreeSet::new(),
            deadline: None,
            complete_at: kind.has_all.then_some(Duration::ZERO),
            failed: 0,
            banned: Vec::new(),
        })
    }

    /// Returns the next message and its receiver. The data of a block is added, wrong if the node lies.
    pub(super) fn next_message(&mut self) -> Option<(u32, Vec<u8>)> {
        let mut buf = vec![0; transmit_len(self.pieces)];
        let sent = self.torrent.poll_transmit(&mut buf).ok()??;
        let mut bytes = buf[..sent.len].to_vec();
        if let Some(block) = sent.block {
            let begin = bytes.len();
            bytes.resize(begin + block.len as usize, 0);
            fill(block.piece.0, block.begin, &mut bytes[begin..]);
            if self.lies {
                bytes[begin..].iter_mut().for_each(|byte| *byte ^= 0xFF);
            }
        }
        Some((sent.conn.0, bytes))
    }

    /// Hands the torrent what a connection has received; returns how much it has consumed, and whether it has to send first.
    pub(super) fn read(&mut self, now: Duration, from: u32) -> (usize, bool) {
        let Some(received) = self.received.get(&from) else { return (0, false) };
        let Ok(handled) = self.torrent.handle_bytes(now, ConnId(from), received) else {
            return (0, false);
        };
        let mut stored: Option<(Block, bool)> = None;
        if let Some(Outcome::Block { block, data }) = handled.outcome {
            let mut right = vec![0; data.len()];
            fill(block.piece.0, block.begin, &mut right);
            stored = Some((block, right == data));
        }
        let busy = matches!(handled.outcome, Some(Outcome::Busy));
        let consumed = handled.consumed;
        match stored {
            Some((block, false)) => drop(self.wrong.insert((block.piece.0, block.begin))),
            Some((block, true)) => drop(self.wrong.remove(&(block.piece.0, block.begin))),
            None => {}
        }
        if let Some(received) = self.received.get_mut(&from) {
            received.drain(..consumed);
        }
        (consumed, busy)
    }

    /// Notes that a node has sent wrong data.
    pub(super) fn ban(&mut self, node: u32) {
        if !self.banned.contains(&node) {
            self.banned.push(node);
        }
    }

    /// Hashes a piece as it was stored.
    pub(super) fn verify(&mut self, now: Duration, piece: PieceIndex) {
        let digest = digest(piece.0, &self.wrong);
        // An error says that the piece is not under verification, and it is.
        let _ = self.torrent.handle_hashed(now, piece, digest);
    }

    pub(super) fn view(&self) -> Json {
        let have = self.torrent.have();
        let bits: String = (0..self.pieces)
            .map(|piece| if have.has(PieceIndex(piece)) { '1' } else { '0' })
            .collect();
        let unchoked = self.torrent.peers().filter(|peer| peer.unchoked).map(|peer| peer.conn.0);
        // A slot for a peer that has sent nothing: by chance, or one that nobody has earned. A node with all pieces earns nothing.
        let is_seed = self.complete_at.is_some();
        let unearned = self
            .torrent
            .peers()
            .filter(|peer| !is_seed && peer.unchoked && peer.traffic.bytes_received == 0);
        Json::object([
            ("id", self.number.into()),
            ("alive", self.alive.into()),
            ("lies", self.lies.into()),
            ("have", bits.into()),
            ("count", self.torrent.have_count().into()),
            ("complete", self.complete_at.map(|at| at.as_secs_f64()).into()),
            ("unchoked", Json::list(unchoked)),
            ("unearned", Json::list(unearned.map(|peer| peer.conn.0))),
            ("optimistic", self.torrent.optimistic_unchoke().map(|conn| conn.0).into()),
            ("failed", self.failed.into()),
            ("banned", Json::list(self.banned.iter().copied())),
        ])
    }

    pub(super) fn details(&self) -> Json {
        let rows = self.torrent.peers().map(|peer| {
            Json::List(vec![
                peer.conn.0.into(),
                peer.pieces.into(),
                peer.interested.into(),
                peer.unchoked.into(),
                peer.unchokes_us.into(),
                peer.snubbed.into(),
                (peer.traffic.bytes_received >> 10).into(),
                (peer.traffic.bytes_sent >> 10).into(),
            ])
        });
        self.view().with("peers", Json::list(rows)).with("states", self.states())
    }

    /// Describes the states of the connections: which peers are in each.
    fn states(&self) -> Json {
        let optimistic = self.torrent.optimistic_unchoke();
        let row = |name: &str, is_in: &dyn Fn(&Peer) -> bool| {
            let peers: Vec<String> =
                self.torrent.peers().filter(is_in).map(|peer| peer.conn.0.to_string()).collect();
            let cells = Json::list([name.to_owned(), peers.join(", ")]);
            Json::object([("cells", cells), ("here", (!peers.is_empty()).into())])
        };
        Json::List(vec![
            row("before its handshake", &|peer| peer.peer_id.is_none()),
            row("not interested", &|peer| peer.peer_id.is_some() && !peer.interested),
            row("interested and choked", &|peer| peer.interested && !peer.unchoked),
            row("interested and unchoked", &|peer| peer.interested && peer.unchoked),
            row("optimistic unchoke", &|peer| Some(peer.conn) == optimistic),
            row("unchokes us", &|peer| peer.unchokes_us),
            row("snubs us", &|peer| peer.snubbed),
            row("on parole", &|peer| peer.parole),
        ])
    }
}

/// Returns the kind and the line of a message.
pub(super) fn describe(bytes: &[u8]) -> (&'static str, String) {
    if let Ok((handshake, _)) = Handshake::decode(bytes) {
        return ("handshake", handshake.to_string());
    }
    match Message::decode(bytes, u32::MAX) {
        Ok((message, _)) => {
            let kind = match message {
                Message::Piece { .. } => "piece",
                Message::Request { .. } => "request",
                Message::Choke | Message::Unchoke => "choke",
                Message::Have { .. } => "have",
                _ => "other",
            };
            (kind, message.to_string())
        }
        Err(error) => ("other", error.to_string()),
    }
}
