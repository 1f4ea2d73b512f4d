//! SHARE: seeds, leeches and a saboteur; one seed is killed half-way.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;

use bittorrent_pieces::wire::{Handshake, Message};
use bittorrent_pieces::{
    Bitfield, BlockSlot, Config, ConnId, Event, Geometry, Handled, Memory, Metainfo, PartialSlot,
    PeerId, PeerSlot, PieceHasher, PieceIndex, PieceSlot, Side, Torrent, bits_len, block_slots,
    transmit_len,
};

use crate::ctx::{Ctx, Failure, Stage, Tongue};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::song::{Cast, PIECE_LEN, Song};
use crate::storage::Storage;

type Slots = Memory<Vec<PieceSlot>, Vec<PartialSlot>, Vec<BlockSlot>, Vec<PeerSlot>, Vec<u8>>;

/// A connection that holds back more than this gets no further block for now.
const ENOUGH: usize = 256 << 10;

pub struct Swarm<'s> {
    cast: Cast,
    geometry: Geometry,
    peers: Vec<Member<'s>>,
    conns: BTreeMap<Conn, Inbox>,
    started: bool,
    began: Duration,
    killed: bool,
    buffer: Vec<u8>,
    total_have: u64,
    /// Who was caught, by whom.
    pub banned: Vec<(NodeId, NodeId)>,
    pub failed_pieces: u32,
    /// When which piece was complete where, and who gave most of it.
    pub completions: Vec<Completion>,
    /// Bytes of each piece that went from one node to another and passed the check.
    pub deliveries: Vec<Delivery>,
}

pub struct Completion {
    pub at: Duration,
    pub node: NodeId,
    pub piece: u32,
    pub giver: NodeId,
}

/// What one node gave another of one piece.
pub struct Delivery {
    pub giver: NodeId,
    pub taker: NodeId,
    pub bytes: u64,
}

struct Member<'s> {
    torrent: Torrent<'s, Slots>,
    storage: Storage,
    given: BTreeMap<(u32, NodeId), u64>, // bytes of pieces that are not complete yet, by giver
    alive: bool,
}

struct Inbox {
    at: NodeId,
    peer: NodeId,
    bytes: Vec<u8>,
}

impl<'s> Swarm<'s> {
    pub fn new(
        ctx: &mut Ctx,
        song: &'s Song,
        metainfo: &Metainfo<'s>,
        cast: Cast,
    ) -> io::Result<Self> {
        let geometry = metainfo.geometry();
        let mut peers = Vec::new();
        for node in cast.all() {
            peers.push(Member::new(ctx, song, metainfo, cast, node)?);
        }
        Ok(Self {
            cast,
            geometry,
            peers,
            conns: BTreeMap::new(),
            started: false,
            began: ctx.now(),
            killed: false,
            buffer: vec![0; transmit_len(geometry.pieces()) + PIECE_LEN as usize],
            total_have: 0,
            banned: Vec::new(),
            failed_pieces: 0,
            completions: Vec::new(),
            deliveries: Vec::new(),
        })
    }

    /// The saboteur is the first to offer its help, and to one leech only.
    pub fn start(&mut self, ctx: &mut Ctx) {
        self.dial(ctx, self.cast.saboteur(), self.cast.searcher());
    }

    /// Returns the share of all pieces that all leeches have.
    fn share(&self) -> f64 {
        let wanted = u64::from(self.geometry.pieces()) * self.cast.leeches().count() as u64;
        self.total_have as f64 / wanted as f64
    }

    /// Returns payload bytes that passed the check, in MiB per second.
    pub fn rate(&self, now: Duration) -> f64 {
        let bytes: u64 = self.deliveries.iter().map(|delivery| delivery.bytes).sum();
        bytes as f64 / f64::from(1 << 20) / now.saturating_sub(self.began).as_secs_f64().max(0.001)
    }

    /// Returns the bytes of blocks that nobody had asked for any more.
    pub fn wasted(&self) -> u64 {
        let traffic = |peer: &Member<'_>| {
            peer.torrent.peers().map(|peer| peer.traffic.bytes_wasted).sum::<u64>()
        };
        self.peers.iter().map(traffic).sum()
    }

    fn dial(&mut self, ctx: &mut Ctx, from: NodeId, to: NodeId) {
        let conn = ctx.net.connect(from, to, Service::BitTorrent);
        self.conns.insert(conn, Inbox { at: from, peer: to, bytes: Vec::new() });
    }

    /// Once the saboteur is caught, everybody dials everybody; it too tries again with all others.
    fn start_all(&mut self, ctx: &mut Ctx) {
        self.started = true;
        self.began = ctx.now();
        let leeches: Vec<NodeId> = self.cast.leeches().collect();
        for (n, leech) in leeches.iter().enumerate() {
            let seeds: Vec<NodeId> = self.cast.seeds().collect();
            for peer in seeds.iter().chain(&leeches[..n]) {
                self.dial(ctx, *leech, *peer);
            }
            if *leech != self.cast.searcher() {
                self.dial(ctx, self.cast.saboteur(), *leech);
            }
        }
    }

    fn opened(
        &mut self,
        ctx: &mut Ctx,
        conn: Conn,
        at: NodeId,
        peer: NodeId,
        dialled: bool,
    ) -> io::Result<()> {
        self.conns.entry(conn).or_insert(Inbox { at, peer, bytes: Vec::new() });
        let side = if dialled { Side::Dialled } else { Side::Accepted };
        let now = ctx.now();
        self.peers[at.index()]
            .torrent
            .handle_connected(now, ConnId(conn.0), side)
            .map_err(io::Error::other)?;
        self.flush(ctx, at)
    }

    fn hang_up(&mut self, ctx: &mut Ctx, conn: Conn) {
        if let Some(inbox) = self.conns.remove(&conn) {
            ctx.net.close(conn);
            self.peers[inbox.at.index()].torrent.handle_closed(ctx.now(), ConnId(conn.0));
        }
    }

    fn bytes(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
        let Some(inbox) = self.conns.get_mut(&conn) else { return Ok(()) };
        inbox.bytes.extend_from_slice(bytes);
        let at = inbox.at;
        self.read(ctx, conn)?;
        self.flush(ctx, at)
    }

    /// Handles all whole messages that a connection has brought.
    fn read(&mut self, ctx: &mut Ctx, conn: Conn) -> io::Result<()> {
        let Some(inbox) = self.conns.get_mut(&conn) else { return Ok(()) };
        let (at, peer, now) = (inbox.at, inbox.peer, ctx.now());
        let bytes = core::mem::take(&mut inbox.bytes);
        let mut used = 0;
        let member = &mut self.peers[at.index()];
        loop {
            match member.torrent.handle_bytes(now, ConnId(conn.0), &bytes[used..]) {
                Ok(Handled::Message { consumed }) => used += consumed,
                Ok(Handled::Block { consumed, block, data }) => {
                    used += consumed;
                    member
                        .storage
                        .write(self.geometry.offset(block.piece) + u64::from(block.begin), data)?;
                    *member.given.entry((block.piece.0, peer)).or_default() += u64::from(block.len);
                }
                Ok(_) => break, // incomplete, busy, or gone
                Err(error) => {
                    ctx.note(at, format_args!("{peer}: {error}"))?;
                    self.hang_up(ctx, conn);
                    return Ok(());
                }
            }
        }
        if let Some(inbox) = self.conns.get_mut(&conn) {
            inbox.bytes = bytes[used..].to_vec();
        }
        Ok(())
    }

    /// Lets a node do what it has to do: check pieces, hang up, send.
    fn flush(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        if !self.peers[at.index()].alive {
            return Ok(());
        }
        loop {
            while let Some(event) = self.peers[at.index()].torrent.poll_event() {
                self.event(ctx, at, event)?;
            }
            let mine: Vec<Conn> = self
                .conns
                .iter()
                .filter(|(_, inbox)| inbox.at == at)
                .map(|(conn, _)| *conn)
                .collect();
            let mut busy = false;
            for conn in mine {
                busy |= self.transmit(ctx, at, conn)?;
                // Requests that did not fit before may fit now.
                if self.conns.get(&conn).is_some_and(|inbox| !inbox.bytes.is_empty()) {
                    self.read(ctx, conn)?;
                }
            }
            if !busy {
                return Ok(());
            }
        }
    }

    /// Sends what is due on a connection; returns whether there was something.
    fn transmit(&mut self, ctx: &mut Ctx, at: NodeId, conn: Conn) -> io::Result<bool> {
        let mut busy = false;
        while ctx.net.held_back(conn) < ENOUGH {
            let member = &mut self.peers[at.index()];
            let Some(sent) = member
                .torrent
                .poll_transmit_to(ConnId(conn.0), &mut self.buffer)
                .map_err(io::Error::other)?
            else {
                break;
            };
            busy = true;
            let (head, rest) = self.buffer.split_at_mut(sent.len);
            let Some(block) = sent.block else {
                say(ctx, conn, head)?;
                continue;
            };
            let data = &mut rest[..block.len as usize];
            member
                .storage
                .read(self.geometry.offset(block.piece) + u64::from(block.begin), data)?;
            if at == self.cast.saboteur() {
                data[0] ^= 0xFF; // this is what it came for
            }
            ctx.send(conn, Tongue::BitTorrent, format_args!("PIECE {block}"), &[head, data])?;
        }
        Ok(busy)
    }

    fn event(&mut self, ctx: &mut Ctx, at: NodeId, event: Event) -> io::Result<()> {
        match event {
            Event::Verify { piece } => self.verify(ctx, at, piece)?,
            Event::PieceComplete { piece } => self.complete(ctx, at, piece)?,
            Event::PieceFailed { piece } => {
                self.failed_pieces += 1;
                self.peers[at.index()].given.retain(|(index, _), _| *index != piece.0);
                ctx.note(at, format_args!("piece {piece} is corrupt"))?;
            }
            Event::Banned { conn } => {
                let conn = Conn(conn.0);
                if let Some(peer) = ctx.peer_of(conn) {
                    ctx.note(at, format_args!("banned {peer}"))?;
                    self.banned.push((at, peer));
                }
                self.hang_up(ctx, conn);
                if !self.started {
                    self.start_all(ctx);
                }
            }
            Event::Lost { conn, .. } => self.hang_up(ctx, Conn(conn.0)),
            Event::Complete => ctx.note(at, "complete")?,
            _ => {}
        }
        Ok(())
    }

    fn verify(&mut self, ctx: &mut Ctx, at: NodeId, piece: PieceIndex) -> io::Result<()> {
        let member = &mut self.peers[at.index()];
        let len = self.geometry.piece_len(piece) as usize;
        let data = &mut self.buffer[..len];
        member.storage.read(self.geometry.offset(piece), data)?;
        let digest = PieceHasher::digest(data);
        let _ = member.torrent.handle_hashed(ctx.now(), piece, digest).map_err(io::Error::other)?;
        Ok(())
    }

    fn complete(&mut self, ctx: &mut Ctx, at: NodeId, piece: PieceIndex) -> io::Result<()> {
        self.total_have += 1;
        let member = &mut self.peers[at.index()];
        let of_piece = (piece.0, NodeId(0))..=(piece.0, NodeId(u16::MAX));
        let parts: Vec<_> =
            member.given.range(of_piece).map(|((_, giver), bytes)| (*giver, *bytes)).collect();
        member.given.retain(|(index, _), _| *index != piece.0);
        let giver = parts.iter().max_by_key(|(_, bytes)| *bytes).map_or(at, |(giver, _)| *giver);
        self.completions.push(Completion { at: ctx.now(), node: at, piece: piece.0, giver });
        self.deliveries.extend(parts.iter().map(|(giver, bytes)| Delivery {
            giver: *giver,
            taker: at,
            bytes: *bytes,
        }));
        ctx.note(at, format_args!("piece {piece} complete, mostly from {giver}"))?;
        if !self.killed && self.share() >= 0.5 {
            self.kill(ctx)?;
        }
        Ok(())
    }

    fn kill(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.killed = true;
        let victim = self.cast.victim();
        ctx.note(victim, "killed")?;
        ctx.net.kill(victim);
        self.peers[victim.index()].alive = false;
        self.conns.retain(|_, inbox| inbox.at != victim);
        Ok(())
    }

    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// Returns whether every leech has all pieces, each checked.
    pub fn all_complete(&self) -> bool {
        self.cast.leeches().all(|leech| self.peers[leech.index()].torrent.is_complete())
    }

    /// Closes all connections: the swarm has served.
    pub fn leave(&mut self, ctx: &mut Ctx) {
        for conn in self.conns.keys() {
            ctx.net.close(*conn);
        }
        self.conns.clear();
    }
}

impl Stage for Swarm<'_> {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Opened { conn, at, peer, dialled, .. } => {
                self.opened(ctx, conn, at, peer, dialled)?
            }
            Incoming::Bytes { conn, bytes, .. } => self.bytes(ctx, conn, &bytes)?,
            Incoming::Closed { conn, at } => {
                if self.conns.remove(&conn).is_some() {
                    self.peers[at.index()].torrent.handle_closed(ctx.now(), ConnId(conn.0));
                    self.flush(ctx, at)?;
                }
            }
            Incoming::Drained => {
                for node in self.cast.all() {
                    self.flush(ctx, node)?;
                }
            }
            Incoming::Datagram { .. } => {} // the ring's last words
        }
        Ok(())
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure> {
        let now = ctx.now();
        for node in self.cast.all() {
            self.peers[node.index()].torrent.handle_timeout(now);
            self.flush(ctx, node)?;
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.peers
            .iter()
            .filter(|peer| peer.alive)
            .filter_map(|peer| peer.torrent.poll_timeout())
            .min()
    }

    fn is_done(&self) -> bool {
        self.started && self.all_complete() && self.killed
    }

    fn progress(&self) -> String {
        let done = self
            .cast
            .leeches()
            .filter(|leech| self.peers[leech.index()].torrent.is_complete())
            .count();
        format!("{:.0} % of all pieces, {done} leeches complete", self.share() * 100.0)
    }
}

impl<'s> Member<'s> {
    fn new(
        ctx: &mut Ctx,
        song: &'s Song,
        metainfo: &Metainfo<'s>,
        cast: Cast,
        node: NodeId,
    ) -> io::Result<Self> {
        let geometry = metainfo.geometry();
        let pieces = geometry.pieces();
        let connections = usize::from(cast.nodes) + 4;
        let partials = 2 * usize::from(cast.nodes);
        let memory = Memory {
            pieces: vec![PieceSlot::EMPTY; pieces as usize],
            partials: vec![PartialSlot::EMPTY; partials],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, partials)],
            peers: vec![PeerSlot::EMPTY; connections],
            bits: vec![0; bits_len(pieces, connections)],
        };
        let mut have =
            Bitfield::new(pieces, vec![0; Bitfield::byte_len(pieces)]).map_err(io::Error::other)?;
        let storage = if cast.is_leech(node) {
            fs::create_dir_all(ctx.dir(node))?;
            Storage::Own(
                File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(ctx.dir(node).join("song"))?,
            )
        } else {
            have.fill(); // the saboteur says so too
            Storage::Shared(File::open(&song.path)?)
        };
        let mut name = *b"-TR0100-node-00-0000";
        name[13] = b'0' + (node.0 / 10) as u8;
        name[14] = b'0' + (node.0 % 10) as u8;
        let mut config = Config::new(metainfo.info_hash(), PeerId(name));
        config.seed = ctx.rng.next_u64();
        let torrent = Torrent::new(config, geometry, metainfo.hashes(), have.as_view(), memory)
            .map_err(io::Error::other)?;
        Ok(Self { torrent, storage, given: BTreeMap::new(), alive: true })
    }
}

/// Sends a handshake or a message.
fn say(ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
    if let Ok((handshake, _)) = Handshake::decode(bytes) {
        return ctx.send(conn, Tongue::BitTorrent, handshake, &[bytes]);
    }
    match Message::decode(bytes, u32::MAX) {
        Ok((message, _)) => ctx.send(conn, Tongue::BitTorrent, message, &[bytes]),
        Err(error) => ctx.send(conn, Tongue::BitTorrent, error, &[bytes]),
    }
}
