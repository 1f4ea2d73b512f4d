//! A swarm of torrents over the simulated network: the driver that a program would write.

use core::time::Duration;
use std::collections::BTreeMap;

use bittorrent_pieces::{
    Bitfield, BlockSlot, Config, ConnId, Event, Geometry, Handled, InfoHash, Memory, PartialSlot,
    PeerId, PeerSlot, PieceHasher, PieceHashes, PieceIndex, PieceSlot, RequestSlot, Side, Torrent,
    bits_len, block_slots, requests_len, transmit_len,
};
use sim::{Addr, Delivery, Network, Rng, StreamId};

type Lent = Memory<
    Vec<PieceSlot>,
    Vec<PartialSlot>,
    Vec<BlockSlot>,
    Vec<PeerSlot>,
    Vec<u8>,
    Vec<RequestSlot>,
>;

/// What a node has at the start, and how it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Seed,
    Leech,
    Resumed {
        pieces: u32,
    },
    /// A seed that flips a bit of each block in so many.
    Corrupt {
        every: u32,
    },
}

pub(crate) struct Node {
    pub(crate) torrent: Torrent<'static, Lent>,
    pub(crate) storage: Vec<u8>,
    pub(crate) events: Vec<Event>,
    pub(crate) keepalives: u32,
    role: Role,
    alive: bool,
    sent: u32,                         // blocks
    streams: BTreeMap<ConnId, Stream>, // open ones
    others: BTreeMap<ConnId, usize>,   // who is or was at the other end
}

struct Stream {
    id: StreamId,
    received: Vec<u8>,
}

pub(crate) struct Swarm {
    pub(crate) content: Vec<u8>,
    pub(crate) partials: usize,
    net: Network,
    nodes: Vec<Node>,
    geometry: Geometry,
    hashes: &'static [[u8; 20]],
    seed: u64,
    dirty: Vec<usize>, // nodes that may have something to say
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
            net,
            nodes: vec![],
            geometry,
            hashes: hashes.leak(),
            seed,
            dirty: vec![],
        }
    }

    pub(crate) fn add(&mut self, role: Role) -> usize {
        let (index, peers, pieces) = (self.nodes.len(), 16, self.geometry.pieces());
        let mut config = Config::new(InfoHash([9; 20]), PeerId([index as u8; 20]));
        config.seed = self.seed * 1000 + index as u64;
        let mut have = Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).expect("zeros");
        let first = match role {
            Role::Seed | Role::Corrupt { .. } => pieces,
            Role::Leech => 0,
            Role::Resumed { pieces } => pieces,
        };
        for piece in 0..first {
            have.set(PieceIndex(piece));
        }
        let memory = Memory {
            pieces: vec![PieceSlot::EMPTY; pieces as usize],
            partials: vec![PartialSlot::EMPTY; self.partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(self.geometry, self.partials)],
            peers: vec![PeerSlot::EMPTY; peers],
            bits: vec![0; bits_len(pieces, peers)],
            requests: vec![RequestSlot::EMPTY; requests_len(peers, 32)],
        };
        let hashes = PieceHashes::new(self.hashes);
        let torrent = Torrent::new(config, self.geometry, hashes, have.as_view(), memory);
        let mut storage = vec![0; self.content.len()];
        let known =
            self.content.len().min(first as usize * self.geometry.full_piece_len() as usize);
        storage[..known].copy_from_slice(&self.content[..known]);
        self.nodes.push(Node {
            torrent: torrent.expect("the memory fits"),
            storage,
            events: vec![],
            keepalives: 0,
            role,
            alive: true,
            sent: 0,
            streams: BTreeMap::new(),
            others: BTreeMap::new(),
        });
        index
    }

    pub(crate) fn connect_all(&mut self) {
        for from in 0..self.nodes.len() {
            for to in 0..from {
                self.net.connect(Addr(from as u32), Addr(to as u32));
            }
        }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    pub(crate) fn now(&self) -> Duration {
        self.net.now()
    }

    pub(crate) fn set_uplink(&mut self, node: usize, bytes_per_second: u64) {
        self.net.set_uplink(Addr(node as u32), bytes_per_second);
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
        self.nodes.iter().filter(|node| node.alive).all(|node| node.torrent.is_complete())
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
        self.nodes.iter().filter(|node| node.alive).all(|node| node.storage == self.content)
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
        let deadline = living.filter_map(|node| node.torrent.poll_timeout()).min();
        let next = deadline.unwrap_or(until).min(until);
        if let Some(delivery) = self.net.next(next) {
            self.dirty.push(delivery.at().0 as usize);
            self.deliver(delivery);
        } else {
            let now = self.net.now();
            self.dirty.extend(0..self.nodes.len());
            for node in self.nodes.iter_mut().filter(|node| node.alive) {
                if node.torrent.poll_timeout().is_some_and(|at| at <= now) {
                    node.torrent.handle_timeout(now);
                }
            }
        }
        self.net.now() < until
    }

    fn deliver(&mut self, delivery: Delivery) {
        let now = self.net.now();
        let node = &mut self.nodes[delivery.at().0 as usize];
        match delivery {
            Delivery::Opened { stream, at, peer } => {
                let conn = ConnId(stream.0 as u32);
                let side = if at.0 > peer.0 { Side::Dialled } else { Side::Accepted };
                node.torrent.handle_connected(now, conn, side).expect("there are slots");
                node.streams.insert(conn, Stream { id: stream, received: vec![] });
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

    fn read(&mut self, index: usize, conn: ConnId) {
        let now = self.net.now();
        loop {
            let node = &mut self.nodes[index];
            let Some(open) = node.streams.get_mut(&conn) else { return };
            let handled = node
                .torrent
                .handle_bytes(now, conn, &open.received)
                .unwrap_or_else(|error| panic!("node {index}: {error}"));
            if let Handled::Block { block, data, .. } = handled {
                let start = (self.geometry.offset(block.piece) + u64::from(block.begin)) as usize;
                node.storage[start..start + data.len()].copy_from_slice(data);
            }
            let (consumed, busy) = (handled.consumed(), handled == Handled::Busy);
            open.received.drain(..consumed);
            if busy {
                self.pump(index);
            } else if consumed == 0 {
                return;
            }
        }
    }

    /// Does all that a node has to do now.
    fn pump(&mut self, index: usize) {
        let now = self.net.now();
        let mut buf = vec![0; transmit_len(self.geometry.pieces())];
        let node = &mut self.nodes[index];
        while let Some(event) = node.torrent.poll_event() {
            node.events.push(event);
            match event {
                Event::Verify { piece } => {
                    let start = self.geometry.offset(piece) as usize;
                    let bytes = &node.storage[start..][..self.geometry.piece_len(piece) as usize];
                    let mut hasher = PieceHasher::new();
                    bytes.chunks(10_000).for_each(|slice| hasher.update(slice));
                    let hashed = node.torrent.handle_hashed(now, piece, hasher.finish());
                    hashed.expect("it was to be verified");
                }
                Event::Banned { conn } | Event::Lost { conn, .. } => {
                    if let Some(open) = node.streams.remove(&conn) {
                        self.net.close(open.id, Addr(index as u32));
                    }
                }
                _ => {}
            }
        }
        while let Some(sent) = node.torrent.poll_transmit(&mut buf).expect("the buffer fits") {
            let mut bytes = buf[..sent.len].to_vec();
            node.keepalives += u32::from(bytes == [0; 4]);
            if let Some(block) = sent.block {
                let start = (self.geometry.offset(block.piece) + u64::from(block.begin)) as usize;
                bytes.extend(&node.storage[start..][..block.len as usize]);
                node.sent += 1;
                if let Role::Corrupt { every } = node.role {
                    *bytes.last_mut().expect("a block has data") ^=
                        u8::from(node.sent.is_multiple_of(every));
                }
            }
            if let Some(open) = node.streams.get(&sent.to) {
                self.net.send(open.id, Addr(index as u32), &bytes);
            }
        }
    }
}

impl Node {
    /// Returns the nodes that this one banned.
    pub(crate) fn banned(&self) -> impl Iterator<Item = usize> {
        self.events.iter().filter_map(|event| match event {
            Event::Banned { conn } => self.others.get(conn).copied(),
            _ => None,
        })
    }
}
