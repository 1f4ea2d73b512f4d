//! A swarm of torrents over the simulated network: the driver that a program would write.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod hostile;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bittorrent_pieces::torrent::transmit_len;
use bittorrent_pieces::{
    Bitfield, Block, CloseReason, Config, ConnId, Event, Geometry, InfoHash, Outcome, PeerId,
    PieceHasher, PieceHashes, PieceIndex, Side, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec,
};
use hostile::Kind;
use sim::{Addr, Delivery, Network, Rng, StreamId};

/// The identifier of a message with a block, and the bytes before its data.
const PIECE: u8 = 7;
const PIECE_HEADER: usize = 13;

/// A node sends at most what its uplink carries in this time: a socket has a buffer.
const SOCKET: Duration = Duration::from_millis(250);

/// How often a hostile node sends.
const TICK: Duration = Duration::from_millis(200);
/// After how many ticks a hostile node dials a peer again that closed its connection.
const REDIAL: u32 = 50;

/// What a node has at the start, and how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Seed,
    SuperSeed,
    Leech,
    Resumed {
        pieces: u32,
    },
    /// A seed that flips a bit of one block in `every`.
    Corrupt {
        every: u32,
    },
    /// Not a torrent: it sends what its kind sends.
    Hostile(Kind),
}

pub(crate) struct Node {
    pub(crate) torrent: Torrent<TorrentVec>,
    pub(crate) storage: Vec<u8>,
    pub(crate) events: Vec<Event>,
    pub(crate) keepalives: u32,
    /// Bytes of blocks that came although they were there already.
    pub(crate) wasted: u64,
    role: Role,
    degree: usize,       // connections that were ever dialled
    lag: Duration,       // before what it says goes out
    uplink: Option<u64>, // bytes a second
    free_at: Duration,   // when all that was handed over has left
    deadline: Option<Duration>,
    bad: BTreeSet<Block>, // that it was given, where storage is shared
    alive: bool,
    sent: u32,                         // blocks
    streams: BTreeMap<ConnId, Stream>, // open ones
    others: BTreeMap<ConnId, usize>,   // who is or was at the other end
    hostile: BTreeMap<StreamId, u32>,  // the ticks of its connections
    redials: Vec<(u32, usize)>,        // in how many ticks, and which node
}

struct Stream {
    id: StreamId,
    received: Vec<u8>,
    busy: bool, // what was received waits until something is sent
}

pub(crate) struct Swarm {
    pub(crate) content: Vec<u8>,
    pub(crate) partials: usize,
    /// How many connections a node may have.
    pub(crate) peers: usize,
    /// Whether nodes keep no bytes but know which blocks are corrupt: for large swarms.
    pub(crate) shared: bool,
    net: Network,
    nodes: Vec<Node>,
    geometry: Geometry<'static>,
    hashes: Vec<[u8; 20]>,
    seed: u64,
    dirty: Vec<usize>, // nodes that may have something to say
    late: BTreeMap<(Duration, u64), (StreamId, usize, Vec<u8>)>, // messages of nodes with a lag
    delayed: u64,
    next_tick: Option<Duration>, // of hostile nodes
    /// When each node was complete.
    pub(crate) completed_at: BTreeMap<usize, Duration>,
}

pub(crate) fn content(len: usize) -> Vec<u8> {
    let mut content = vec![0; len];
    Rng::new(1).fill(&mut content);
    content
}

impl Swarm {
    pub(crate) fn new(net: Network, content: Vec<u8>, piece_len: u32, seed: u64) -> Self {
        let geometry = Geometry::new(content.len() as u64, piece_len).expect("a piece length");
        let hashes: Vec<_> = content.chunks(piece_len as usize).map(PieceHasher::digest).collect();
        Self {
            content,
            partials: 16,
            peers: 16,
            shared: false,
            net,
            nodes: vec![],
            geometry,
            hashes,
            seed,
            dirty: vec![],
            late: BTreeMap::new(),
            delayed: 0,
            next_tick: None,
            completed_at: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, role: Role) -> usize {
        let index = self.nodes.len();
        let peers = self.peers;
        let pieces = self.geometry.pieces();
        let mut config = Config::new(InfoHash([9; 20]), PeerId([index as u8; 20]));
        config.seed = self.seed * 1000 + index as u64;
        config.super_seeding = role == Role::SuperSeed;
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
        let first = match role {
            Role::Seed | Role::SuperSeed | Role::Corrupt { .. } => pieces,
            Role::Leech | Role::Hostile(_) => 0,
            Role::Resumed { pieces } => pieces,
        };
        for piece in 0..first {
            have.set(PieceIndex(piece));
        }
        let content = TorrentContent::new(self.geometry, PieceHashes::new(&self.hashes));
        let limits =
            TorrentLimits { peers: peers as u16, open_pieces: self.partials as u16, pipeline: 32 };
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        let torrent = Torrent::new(setup, TorrentVec::new(&content, limits));
        let mut storage = vec![];
        if !self.shared {
            let known = first as usize * self.geometry.full_piece_len() as usize;
            storage = self.content[..self.content.len().min(known)].to_vec();
            storage.resize(self.content.len(), 0);
        }
        self.nodes.push(Node {
            torrent: torrent.expect("the memory fits"),
            storage,
            events: vec![],
            keepalives: 0,
            wasted: 0,
            role,
            degree: 0,
            lag: Duration::ZERO,
            uplink: None,
            free_at: Duration::ZERO,
            deadline: None,
            bad: BTreeSet::new(),
            alive: true,
            sent: 0,
            streams: BTreeMap::new(),
            others: BTreeMap::new(),
            hostile: BTreeMap::new(),
            redials: vec![],
        });
        if matches!(role, Role::Hostile(_)) {
            self.next_tick.get_or_insert(TICK);
        }
        index
    }

    pub(crate) fn connect_all(&mut self) {
        for from in 0..self.nodes.len() {
            for to in 0..from {
                self.connect(from, to);
            }
        }
    }

    /// Connects two nodes; the first dials.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        self.nodes[from].degree += 1;
        self.nodes[to].degree += 1;
        self.net.connect(Addr(from as u32), Addr(to as u32));
    }

    pub(crate) fn degree(&self, node: usize) -> usize {
        self.nodes[node].degree
    }

    pub(crate) fn set_lag(&mut self, node: usize, lag: Duration) {
        self.nodes[node].lag = lag;
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    pub(crate) fn now(&self) -> Duration {
        self.net.now()
    }

    /// Returns which share of the bytes of blocks that honest nodes sent went to hostile ones.
    pub(crate) fn share_to_hostile(&self, nodes: impl IntoIterator<Item = usize>) -> f64 {
        let mut all = 0;
        let mut lost = 0;
        for node in nodes.into_iter().map(|index| &self.nodes[index]) {
            for peer in node.torrent.peers() {
                let sent = peer.traffic.bytes_sent;
                all += sent;
                lost += if self.nodes[node.others[&peer.conn]].is_hostile() { sent } else { 0 };
            }
        }
        lost as f64 / all as f64
    }

    pub(crate) fn set_uplink(&mut self, node: usize, bytes_per_second: u64) {
        self.net.set_uplink(Addr(node as u32), bytes_per_second);
        self.nodes[node].uplink = Some(bytes_per_second);
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.net.kill(Addr(node as u32));
        self.nodes[node].alive = false;
    }

    pub(crate) fn unplug(&mut self, node: usize) {
        self.net.unplug(Addr(node as u32));
        self.nodes[node].alive = false;
    }

    pub(crate) fn is_complete(&self) -> bool {
        let honest = self.nodes.iter().filter(|node| node.alive && !node.is_hostile());
        honest.into_iter().all(|node| node.torrent.is_complete())
    }

    /// Returns whether all nodes that live have all, and the right bytes.
    pub(crate) fn run_until_complete(&mut self, until: Duration) -> bool {
        while !self.is_complete() {
            if !self.step(until) {
                return false;
            }
        }
        for index in 0..self.nodes.len() {
            self.pump(index); // the last events
        }
        let right = |node: &Node| self.shared || node.storage == self.content;
        self.nodes.iter().filter(|node| node.alive && !node.is_hostile()).all(right)
    }

    pub(crate) fn run_until(&mut self, until: Duration) {
        while self.step(until) {}
    }

    /// Handles the next delivery or deadline; returns `false` at `until`.
    pub(crate) fn step(&mut self, until: Duration) -> bool {
        while let Some(index) = self.dirty.pop() {
            self.pump(index);
        }
        let living = self.nodes.iter().filter(|node| node.alive);
        let deadline = living.filter_map(|node| node.deadline).min();
        let late = self.late.first_key_value().map(|((at, _), _)| *at);
        let next =
            [deadline, late, self.next_tick].into_iter().flatten().fold(until, Duration::min);
        if let Some(delivery) = self.net.next(next) {
            self.dirty.push(delivery.at().0 as usize);
            self.deliver(delivery);
        } else {
            let now = self.net.now();
            if self.next_tick.is_some_and(|at| at <= now) {
                self.next_tick = Some(now + TICK);
                self.tick();
            }
            while let Some(message) =
                self.late.first_entry().filter(|message| message.key().0 <= now)
            {
                let (stream, from, bytes) = message.remove();
                self.net.send(stream, Addr(from as u32), &bytes);
            }
            for (index, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.alive) {
                if node.deadline.is_some_and(|at| at <= now) {
                    node.torrent.handle_timeout(now);
                    self.dirty.push(index);
                }
            }
        }
        self.net.now() < until
    }

    /// Lets all hostile nodes send, and dial again.
    fn tick(&mut self) {
        let pieces = self.geometry.pieces();
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            let Role::Hostile(kind) = node.role else { continue };
            for (stream, tick) in &mut node.hostile {
                let bytes = kind.tick(index, *tick, pieces);
                *tick += 1;
                if !bytes.is_empty() {
                    self.net.send(*stream, Addr(index as u32), &bytes);
                }
            }
            node.redials.iter_mut().for_each(|(ticks, _)| *ticks -= 1);
            let due: Vec<_> = node.redials.extract_if(.., |(ticks, _)| *ticks == 0).collect();
            for (_, peer) in due {
                self.net.connect(Addr(index as u32), Addr(peer as u32));
            }
        }
    }

    /// A delivery to a hostile node, which reads nothing.
    fn deliver_hostile(&mut self, delivery: &Delivery, kind: Kind) {
        let index = delivery.at().0 as usize;
        let node = &mut self.nodes[index];
        match *delivery {
            Delivery::Opened { stream, peer, at } => {
                node.hostile.insert(stream, 0);
                node.others.insert(ConnId(stream.0 as u32), peer.0 as usize);
                self.net.send(stream, at, &kind.opening(index));
            }
            Delivery::Closed { stream, .. } => {
                node.hostile.remove(&stream);
                let peer = node.others[&ConnId(stream.0 as u32)];
                node.redials.push((REDIAL, peer));
            }
            _ => {}
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        if let Role::Hostile(kind) = self.nodes[delivery.at().0 as usize].role {
            self.deliver_hostile(&delivery, kind);
            return;
        }
        let now = self.net.now();
        let node = &mut self.nodes[delivery.at().0 as usize];
        match delivery {
            Delivery::Opened { stream, at, peer } => {
                let conn = ConnId(stream.0 as u32);
                let side = if at.0 > peer.0 { Side::Dialled } else { Side::Accepted };
                node.torrent.handle_connected(now, conn, side).expect("there are slots");
                node.streams.insert(conn, Stream { id: stream, received: vec![], busy: false });
                node.others.insert(conn, peer.0 as usize);
            }
            Delivery::Bytes { stream, bytes, at } => {
                let conn = ConnId(stream.0 as u32);
                let Some(open) = node.streams.get_mut(&conn) else { return };
                open.received.extend(bytes);
                self.read(at.0 as usize, conn);
            }
            Delivery::Closed { stream, .. } => {
                let conn = ConnId(stream.0 as u32);
                node.streams.remove(&conn);
                node.torrent.handle_closed(now, conn);
            }
            Delivery::Datagram { .. } => unreachable!("nobody sends any"),
        }
    }

    /// Handles what was received; returns whether anything was consumed.
    fn read(&mut self, index: usize, conn: ConnId) -> bool {
        let now = self.net.now();
        let mut progress = false;
        loop {
            let node = &mut self.nodes[index];
            let Some(open) = node.streams.get_mut(&conn) else { return progress };
            let received = node.torrent.handle_bytes(now, conn, &open.received);
            let received = received.unwrap_or_else(|error| panic!("node {index}: {error}"));
            let consumed = received.consumed;
            open.busy = received.outcome == Some(Outcome::Busy);
            if let Some(Outcome::Block { block, data }) = received.outcome {
                let start = (self.geometry.offset(block.piece) + u64::from(block.begin)) as usize;
                let place = start..start + data.len();
                if !self.shared {
                    node.storage[place].copy_from_slice(data);
                } else if data == &self.content[place] {
                    node.bad.remove(&block);
                } else {
                    node.bad.insert(block);
                }
            } else if consumed > PIECE_HEADER && open.received[4] == PIECE {
                node.wasted += (consumed - PIECE_HEADER) as u64;
            }
            open.received.drain(..consumed);
            if consumed == 0 {
                return progress;
            }
            progress = true;
        }
    }

    /// Does all that a node has to do now.
    fn pump(&mut self, index: usize) {
        loop {
            self.send_due(index);
            let node = &self.nodes[index];
            let busy = node.streams.iter().filter(|(_, open)| open.busy);
            let busy: Vec<_> = busy.map(|(conn, _)| *conn).collect();
            let full = node.free_at >= self.net.now() + SOCKET;
            let read = |conn| self.read(index, conn);
            if full || busy.into_iter().map(read).filter(|progress| *progress).count() == 0 {
                return;
            }
        }
    }

    /// Handles the events of a node, and sends what its uplink takes.
    fn send_due(&mut self, index: usize) {
        let now = self.net.now();
        let mut buf = vec![0; transmit_len(self.geometry.pieces())];
        let hostile: Vec<bool> = self.nodes.iter().map(Node::is_hostile).collect();
        if hostile[index] {
            return;
        }
        let node = &mut self.nodes[index];
        if node.torrent.is_complete() {
            self.completed_at.entry(index).or_insert(now);
        }
        while let Some(event) = node.torrent.poll_event() {
            node.events.push(event);
            match event {
                Event::Verify { piece } => {
                    let digest = if self.shared {
                        let corrupt = node.bad.iter().any(|block| block.piece == piece);
                        if corrupt { [0; 20] } else { self.hashes[piece.0 as usize] }
                    } else {
                        let start = self.geometry.offset(piece) as usize;
                        let len = self.geometry.piece_len(piece) as usize;
                        let mut hasher = PieceHasher::new();
                        let slices = node.storage[start..][..len].chunks(10_000);
                        slices.for_each(|slice| hasher.update(slice));
                        hasher.finish()
                    };
                    let hashed = node.torrent.handle_hashed(now, piece, digest);
                    hashed.expect("it was to be verified");
                }
                Event::Closed { conn, reason } => {
                    let fault = matches!(reason, CloseReason::Protocol(_));
                    assert!(!fault || node.faces_hostile(conn, &hostile), "node {index}: {reason}");
                    if let Some(open) = node.streams.remove(&conn) {
                        self.net.close(open.id, Addr(index as u32));
                    }
                }
                _ => {}
            }
        }
        while node.free_at < now + SOCKET
            && let Some(sent) = node.torrent.poll_transmit(&mut buf).expect("the buffer fits")
        {
            let mut bytes = buf[..sent.len].to_vec();
            node.keepalives += u32::from(bytes == [0; 4]);
            if let Some(block) = sent.block {
                let start = (self.geometry.offset(block.piece) + u64::from(block.begin)) as usize;
                let storage = if self.shared { &self.content } else { &node.storage };
                bytes.extend(&storage[start..][..block.len as usize]);
                node.sent += 1;
                if let Role::Corrupt { every } = node.role {
                    *bytes.last_mut().expect("a block has data") ^=
                        u8::from(node.sent.is_multiple_of(every));
                }
            }
            let Some(stream) = node.streams.get(&sent.conn).map(|open| open.id) else { continue };
            node.hand_over(now, bytes.len());
            if node.lag.is_zero() {
                self.net.send(stream, Addr(index as u32), &bytes);
            } else {
                self.delayed += 1;
                self.late.insert((now + node.lag, self.delayed), (stream, index, bytes));
            }
        }
        node.deadline = node.torrent.poll_timeout();
        if node.free_at >= now + SOCKET {
            let room_at = node.free_at.saturating_sub(SOCKET) + Duration::from_millis(1);
            node.deadline = Some(node.deadline.map_or(room_at, |at| at.min(room_at)));
        }
    }
}

impl Node {
    pub(crate) fn is_hostile(&self) -> bool {
        matches!(self.role, Role::Hostile(_))
    }

    /// Counts bytes that are on their way through the uplink.
    fn hand_over(&mut self, now: Duration, len: usize) {
        let Some(rate) = self.uplink else { return };
        let time = Duration::from_nanos(len as u64 * 1_000_000_000 / rate);
        self.free_at = self.free_at.max(now) + time;
    }

    fn faces_hostile(&self, conn: ConnId, hostile: &[bool]) -> bool {
        self.others.get(&conn).is_some_and(|other| hostile[*other])
    }

    /// Returns the nodes that this one banned.
    pub(crate) fn banned(&self) -> impl Iterator<Item = usize> {
        self.events.iter().filter_map(|event| match event {
            Event::Banned { conn } | Event::Closed { conn, reason: CloseReason::Corrupt } => {
                self.others.get(conn).copied()
            }
            _ => None,
        })
    }
}
