//! SHARE: seeds, leeches and a saboteur; one seed is killed half-way.

mod life;

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;

use bittorrent_pieces::torrent::transmit_len;
use bittorrent_pieces::{
    Bitfield, Config, ConnId, Geometry, Metainfo, PeerId, Torrent, TorrentContent, TorrentLimits,
    TorrentSetup, TorrentVec,
};

use crate::ctx::{Ctx, Failure, Stage};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::song::{Cast, PIECE_LEN, Song};
use crate::storage::Storage;

/// Requests at a time between two peers, in each direction.
const PIPELINE: u16 = 64;

pub struct Swarm {
    cast: Cast,
    geometry: Geometry<'static>,
    peers: Vec<Member>,
    conns: BTreeMap<Conn, Inbox>,
    started: bool,
    began: Duration,
    killed: bool,
    buffer: Vec<u8>,
    total_have: u64,
    /// The peer that detected corrupt data, and the peer that sent it.
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

struct Member {
    torrent: Torrent<TorrentVec>,
    storage: Storage,
    given: BTreeMap<(u32, NodeId), u64>, // bytes of pieces that are not complete yet, by giver
    alive: bool,
}

struct Inbox {
    at: NodeId,
    peer: NodeId,
    bytes: Vec<u8>,
}

impl Swarm {
    pub fn new(
        ctx: &mut Ctx,
        song: &Song,
        metainfo: &Metainfo<'_>,
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
        let traffic =
            |peer: &Member| peer.torrent.peers().map(|peer| peer.traffic.bytes_wasted).sum::<u64>();
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

    /// Returns when the sharing began, the saboteur's first attempt not counted.
    pub fn began(&self) -> Duration {
        self.began
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

impl Stage for Swarm {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Opened { conn, at, peer, dialled, .. } => {
                self.opened(ctx, conn, at, peer, dialled)?;
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

impl Member {
    fn new(
        ctx: &mut Ctx,
        song: &Song,
        metainfo: &Metainfo<'_>,
        cast: Cast,
        node: NodeId,
    ) -> io::Result<Self> {
        let geometry = metainfo.geometry();
        let pieces = geometry.pieces();
        let nodes = cast.nodes;
        let limits = TorrentLimits { peers: nodes + 4, open_pieces: 2 * nodes, pipeline: PIPELINE };
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
        let content = TorrentContent::new(geometry, metainfo.hashes());
        let mut setup = TorrentSetup::new(config);
        setup.have = Some(have.as_view());
        let torrent =
            Torrent::new(setup, TorrentVec::new(&content, limits)).map_err(io::Error::other)?;
        Ok(Self { torrent, storage, given: BTreeMap::new(), alive: true })
    }
}
