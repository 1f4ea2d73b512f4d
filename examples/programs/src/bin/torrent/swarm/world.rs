//! Torrents over the simulated network, in virtual time. The content is zeros, so it is neither stored nor carried;
//! all else is as over sockets.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bittorrent_pieces::torrent::transmit_len;
use bittorrent_pieces::{
    BLOCK_LEN, Bitfield, Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerId, PieceHasher,
    PieceHashes, PieceIndex, Policy, Side, Torrent, TorrentContent, TorrentLimits, TorrentSetup,
    TorrentVec,
};
use sim::{Addr, Delivery, Link, Network, Rng, StreamId};

/// How many connections a node takes, as a rule, and how many it dials.
pub(crate) const PEERS: usize = 50;
const DIALS: usize = 16;
/// How many of those that it dials are supernodes, if there are any.
const FRONT: usize = 4;
/// How far the messages of a node may be ahead of what its line has sent.
const BACKLOG: Duration = Duration::from_millis(200);
/// The identifier of a message with a block.
const PIECE: u8 = 7;
/// How many pieces a node has open at a time, and requests under way to a peer.
const OPEN: u16 = 40;
const PIPELINE: u16 = 32;

/// All nodes and what is between them.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    deadlines: BTreeSet<(Duration, usize)>, // of the nodes
    geometry: Geometry<'static>,
    hashes: Vec<[u8; 20]>,
    net: Network,
    rng: Rng,
    seed: u64,
    buf: Vec<u8>,      // for a message of a node
    dirty: Vec<usize>, // nodes that may have something to send
}

/// One node.
pub(crate) struct Node {
    pub(crate) torrent: Torrent<TorrentVec>,
    /// Bytes of blocks that came although they were there.
    pub(crate) wasted: u64,
    streams: BTreeMap<ConnId, StreamId>,
    deadline: Option<Duration>,
    uplink: u64,
    busy_until: Duration, // until its line has sent all messages
    degree: usize,        // connections that it was or will be named for
    most: usize,
}

/// What a node is.
pub(crate) struct Kind {
    pub(crate) has_all: bool,
    /// Bytes per second that it can send.
    pub(crate) uplink: u64,
    pub(crate) slots: u8,
    /// Connections that it takes from others.
    pub(crate) peers: usize,
    pub(crate) policy: Policy,
}

impl World {
    pub(crate) fn new(pieces: u32, piece_len: u32, seed: u64) -> Self {
        let total = u64::from(pieces) * u64::from(piece_len);
        let geometry = Geometry::new(total, piece_len).expect("the options are in bounds");
        let digest = PieceHasher::digest(&vec![0; piece_len as usize]);
        let link = Link {
            jitter: Duration::from_millis(30),
            segment: 2 * BLOCK_LEN as usize,
            ..Link::default()
        };
        Self {
            nodes: vec![],
            deadlines: BTreeSet::new(),
            geometry,
            hashes: vec![digest; pieces as usize],
            net: Network::new(seed, link),
            rng: Rng::new(seed),
            seed,
            buf: vec![0; transmit_len(geometry.pieces())],
            dirty: vec![],
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.net.now()
    }

    pub(crate) fn add(&mut self, kind: &Kind) -> usize {
        let index = self.nodes.len();
        let pieces = self.geometry.pieces();
        let mut id = [b'-'; 20];
        id[..4].copy_from_slice(&(index as u32).to_be_bytes());
        let mut config = Config::new(InfoHash([7; 20]), PeerId(id));
        config.seed = self.seed << 32 | index as u64;
        config.upload_slots = kind.slots;
        let peers = kind.peers + DIALS + 1;
        let limits = TorrentLimits { peers: peers as u16, open_pieces: OPEN, pipeline: PIPELINE };
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
        if kind.has_all {
            have.fill();
        }
        let content = TorrentContent::new(self.geometry, PieceHashes::new(&self.hashes));
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        setup.policy = kind.policy;
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits));
        let torrent = torrent.expect("the storage is as large as asked for");
        let streams = BTreeMap::new();
        let most = kind.peers;
        let uplink = kind.uplink;
        let busy_until = Duration::ZERO;
        self.nodes.push(Node {
            torrent,
            wasted: 0,
            streams,
            deadline: None,
            uplink,
            busy_until,
            degree: 0,
            most,
        });
        self.net.set_uplink(Addr(index as u32), kind.uplink);
        index
    }

    /// Lets a node dial the seed and some of those that came before it, as a tracker would name them:
    /// behind the first `front`, which alone get it from the seed, a few of those instead of it.
    pub(crate) fn join(&mut self, from: usize, front: usize) {
        let mut named = if from <= front || front == 0 { vec![0] } else { vec![] };
        for nth in 0..DIALS {
            let among = if nth < FRONT && front > 0 { front } else { from.saturating_sub(1) };
            named.push(1 + self.rng.below(among.max(1) as u64) as usize);
        }
        named.sort_unstable();
        named.dedup();
        for to in named {
            if to < from && self.nodes[to].degree < self.nodes[to].most {
                self.nodes[to].degree += 1;
                self.net.connect(Addr(from as u32), Addr(to as u32));
            }
        }
    }

    /// Lets a node do what is due.
    pub(crate) fn wake(&mut self, node: usize) {
        self.dirty.push(node);
    }

    /// Handles all that happens until then.
    pub(crate) fn run_until(&mut self, until: Duration) {
        while self.net.now() < until {
            while let Some(index) = self.dirty.pop() {
                self.pump(index);
            }
            let soonest = self.deadlines.first().map_or(until, |(at, _)| *at);
            if let Some(delivery) = self.net.next(soonest.min(until)) {
                self.dirty.push(delivery.at().0 as usize);
                self.deliver(delivery);
                continue;
            }
            let now = self.net.now();
            for (_, index) in self.deadlines.iter().take_while(|(at, _)| *at <= now) {
                self.nodes[*index].torrent.handle_timeout(now);
                self.dirty.push(*index);
            }
        }
    }

    /// Gives a node what arrived.
    fn deliver(&mut self, delivery: Delivery) {
        let now = self.net.now();
        let index = delivery.at().0 as usize;
        let node = &mut self.nodes[index];
        match delivery {
            Delivery::Opened { stream, at, peer } => {
                let conn = ConnId(stream.0 as u32);
                let side = if at.0 > peer.0 { Side::Dialled } else { Side::Accepted };
                if node.torrent.handle_connected(now, conn, side).is_ok() {
                    node.streams.insert(conn, stream);
                } else {
                    self.net.close(stream, at);
                }
            }
            Delivery::Bytes { stream, bytes, .. } => {
                self.read(index, ConnId(stream.0 as u32), bytes);
            }
            Delivery::Closed { stream, .. } => {
                let conn = ConnId(stream.0 as u32);
                node.streams.remove(&conn);
                node.torrent.handle_closed(now, conn);
            }
            Delivery::Datagram { .. } => unreachable!("nobody sends any"),
        }
    }

    /// Gives the torrent a message. The data of a block was not carried: it is zeros.
    fn read(&mut self, index: usize, conn: ConnId, mut message: Vec<u8>) {
        let now = self.net.now();
        let is_block = message.get(4) == Some(&PIECE);
        if is_block {
            message.resize(message.len() + BLOCK_LEN as usize, 0);
        }
        loop {
            let node = &mut self.nodes[index];
            if !node.streams.contains_key(&conn) {
                return;
            }
            let handled = node.torrent.handle_bytes(now, conn, &message);
            let outcome = handled.expect("all nodes run the same program").outcome;
            if outcome != Some(Outcome::Busy) {
                let wasted = is_block && !matches!(outcome, Some(Outcome::Block { .. }));
                node.wasted += if wasted { u64::from(BLOCK_LEN) } else { 0 };
                return;
            }
            self.pump(index);
        }
    }

    /// Does all that a node has to do now.
    fn pump(&mut self, index: usize) {
        let now = self.net.now();
        let node = &mut self.nodes[index];
        while let Some(event) = node.torrent.poll_event() {
            match event {
                Event::Verify { piece } => {
                    let hashed = node.torrent.handle_hashed(now, piece, self.hashes[0]);
                    hashed.expect("it was to be verified");
                }
                Event::Closed { conn, .. } => {
                    if let Some(stream) = node.streams.remove(&conn) {
                        self.net.close(stream, Addr(index as u32));
                    }
                }
                _ => {}
            }
        }
        let mut room_at = None;
        loop {
            if node.busy_until > now + BACKLOG {
                room_at = Some(node.busy_until.saturating_sub(BACKLOG)); // as a socket that is full
                break;
            }
            let sent = node.torrent.poll_transmit(&mut self.buf).expect("the buffer fits");
            let Some(sent) = sent else { break };
            let len = sent.len + sent.block.map_or(0, |block| block.len as usize);
            if let Some(stream) = node.streams.get(&sent.conn) {
                let bytes = self.buf[..sent.len].to_vec();
                self.net.send_message(*stream, Addr(index as u32), bytes, len);
            }
            let takes = Duration::from_secs_f64(len as f64 / node.uplink as f64);
            node.busy_until = node.busy_until.max(now) + takes;
        }
        let deadline = room_at.into_iter().chain(node.torrent.poll_timeout()).min();
        self.set_deadline(index, deadline);
    }

    /// Notes when a node is due next.
    fn set_deadline(&mut self, index: usize, deadline: Option<Duration>) {
        let before = core::mem::replace(&mut self.nodes[index].deadline, deadline);
        if before == deadline {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove(&(at, index));
        }
        if let Some(at) = deadline {
            self.deadlines.insert((at, index));
        }
    }
}

impl Node {
    pub(crate) fn has(&self, piece: u32) -> bool {
        self.torrent.have().has(PieceIndex(piece))
    }
}
