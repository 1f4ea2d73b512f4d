//! RING: the nodes form a Chord ring over UDP; the hash of the file leads to its holders.

mod store;

use core::net::SocketAddrV4;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;

use bittorrent_pieces::PieceHasher;
use chord_core::{Config, Event, Id160, LookupId, Message, Node, NodeArrays, Peer};

use crate::ctx::{Ctx, Failure, Protocol, Stage};
use crate::http::HttpSide;
use crate::net::{Incoming, NodeId, Service};
use crate::song::{Cast, Song};

use store::{ASK, DONE, HOLDERS, PUT, message};

type Slots = NodeArrays<Id160, SocketAddrV4, SUCCESSORS, 16, 5, 8>;
type Member = Node<Id160, SocketAddrV4, Slots>;
type Wire = Message<Id160, SocketAddrV4>;

/// How many successors each node keeps.
const SUCCESSORS: usize = 3;
/// How long a store request waits for its answer before it is repeated.
const REPEAT: Duration = Duration::from_millis(250);

pub struct Ring<'s> {
    song: &'s Song,
    cast: Cast,
    key: Id160,
    members: Vec<Member>,
    by_address: BTreeMap<SocketAddrV4, NodeId>,
    rejoin: BTreeMap<NodeId, Duration>,
    commands: BTreeMap<NodeId, Command>,
    stored: BTreeMap<NodeId, Vec<NodeId>>, // at the owner of the key: who holds the file
    http: HttpSide,
    published: bool,
    ideal_at: Option<Duration>,
    /// For the report: the searcher's lookup.
    pub path: Vec<NodeId>,
    pub owner: Option<NodeId>,
    pub timeouts: u32,
}

/// A request to the store: the owner of the key is looked up, then asked.
struct Command {
    lookup: Option<LookupId>,
    owner: Option<NodeId>,
    request: Vec<u8>,
    repeat_at: Duration,
    /// Holders, once known; then the metainfo is fetched from the first.
    fetching: bool,
}

impl<'s> Ring<'s> {
    pub fn new(ctx: &mut Ctx, song: &'s Song, cast: Cast) -> Self {
        let mut config = Config::default();
        let round = if ctx.args.sim { 300 } else { 60 };
        config.stabilize = Duration::from_millis(round);
        config.fix_fingers = Duration::from_millis(round);
        config.tries = 10; // at a loss of 30 % each way half of all round trips fail
        config.patience = Duration::from_millis(if ctx.args.sim { 200 } else { 100 });
        let mut members = Vec::new();
        let mut by_address = BTreeMap::new();
        for node in cast.all() {
            let address = ctx.net.address(node, Service::Chord);
            let id = Id160::from(PieceHasher::digest(address.to_string().as_bytes()));
            config.seed = ctx.rng.next_u64();
            let member = Member::new(config, Peer { id, address }, Slots::EMPTY);
            members.push(member.expect("good numbers"));
            by_address.insert(address, node);
        }
        Self {
            song,
            cast,
            key: Id160::from(song.sha1),
            members,
            by_address,
            rejoin: BTreeMap::new(),
            commands: BTreeMap::new(),
            stored: BTreeMap::new(),
            http: HttpSide::default(),
            published: false,
            ideal_at: None,
            path: Vec::new(),
            owner: None,
            timeouts: 0,
        }
    }

    /// The first node founds the ring, the others join through it.
    pub fn start(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        let now = ctx.now();
        let contact = self.members[0].me().address;
        for node in self.cast.all() {
            let member = &mut self.members[node.index()];
            match node {
                NodeId(0) => member.create(now),
                _ => member.join(now, contact),
            }
            .map_err(io::Error::other)?;
            self.flush(ctx, node)?;
        }
        Ok(())
    }

    pub fn ideal_at(&self) -> Option<Duration> {
        self.ideal_at
    }

    /// Returns the identifiers on the circle, for the report.
    pub fn identifiers(&self) -> impl Iterator<Item = (NodeId, Id160)> + '_ {
        self.cast.all().zip(self.members.iter().map(|member| member.me().id))
    }

    pub fn key(&self) -> Id160 {
        self.key
    }

    /// Returns the nodes that the fingers of `node` point to.
    pub fn fingers(&self, node: NodeId) -> Vec<NodeId> {
        let fingers = self.members[node.index()].routing_table().fingers;
        fingers.iter().filter_map(|peer| self.by_address.get(&peer.address).copied()).collect()
    }

    /// Returns whether the lookup ended at the node that really owns the key.
    pub fn owner_is_right(&self) -> bool {
        let mut ring: Vec<_> = self.identifiers().collect();
        ring.sort_by_key(|(_, id)| *id);
        let owner = ring.iter().find(|(_, id)| *id >= self.key).or(ring.first());
        owner.map(|(node, _)| *node) == self.owner
    }

    /// Returns how many nodes fetched a metainfo file that is the true one.
    pub fn fetched(&self) -> usize {
        self.http.fetched.values().filter(|bytes| **bytes == self.song.metainfo).count()
    }

    fn wanted(&self) -> usize {
        self.cast.leeches().count()
    }

    /// Every list, every predecessor as in the sorted ring.
    fn is_ideal(&self) -> bool {
        let mut ring: Vec<Peer<_, _>> = self.members.iter().map(Member::me).collect();
        ring.sort_by_key(|peer| peer.id);
        let len = ring.len();
        (0..len).all(|at| {
            let Some(node) = self.by_address.get(&ring[at].address) else { return false };
            let member = &self.members[node.index()];
            let next = (1..=SUCCESSORS).map(|step| ring[(at + step) % len]);
            member.successors().iter().copied().eq(next)
                && member.predecessor() == Some(ring[(at + len - 1) % len])
        })
    }

    /// Sends what the machine has to say, and handles what it has learnt.
    fn flush(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let mut buf = [0; Wire::MAX_LEN];
        loop {
            let member = &mut self.members[at.index()];
            if let Some(sent) = member.poll_transmit(&mut buf).map_err(io::Error::other)? {
                let Some(to) = self.by_address.get(&sent.to).copied() else { continue };
                let (message, _) = Wire::decode(&buf[..sent.len]).map_err(io::Error::other)?;
                ctx.send_datagram(at, to, Protocol::Chord, message, &buf[..sent.len])?;
            } else if let Some(event) = member.poll_event() {
                self.event(ctx, at, event)?;
            } else {
                return Ok(());
            }
        }
    }

    fn event(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        event: Event<Id160, SocketAddrV4>,
    ) -> io::Result<()> {
        ctx.note(at, event)?;
        let now = ctx.now();
        match event {
            Event::JoinFailed(_) => {
                self.rejoin.insert(at, now + REPEAT);
            }
            Event::LookupHop { lookup, peer, .. } if at == self.cast.searcher() => {
                let node = self.by_address.get(&peer.address);
                if self.commands.get(&at).is_some_and(|command| command.lookup == Some(lookup)) {
                    self.path.extend(node);
                }
            }
            Event::LookupDone { lookup, owner, timeouts, .. } => {
                let Some(command) = self.commands.get_mut(&at) else { return Ok(()) };
                if command.lookup == Some(lookup) {
                    command.owner = self.by_address.get(&owner.address).copied();
                    command.repeat_at = now;
                    self.timeouts += u32::from(timeouts);
                    if at == self.cast.searcher() {
                        self.owner = command.owner;
                    }
                    self.ask_owner(ctx, at)?;
                }
            }
            Event::LookupFailed { .. } => {
                if at == self.cast.searcher() {
                    self.path.truncate(1);
                }
                let lookup = self.members[at.index()].lookup(now, self.key).ok();
                if let Some(command) = self.commands.get_mut(&at) {
                    command.lookup = lookup;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// First the seeds publish, then the leeches ask.
    fn publish(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        if self.ideal_at.is_some() || !self.is_ideal() {
            return Ok(());
        }
        self.ideal_at = Some(ctx.now());
        let key = <[u8; 20]>::from(self.key);
        for seed in self.cast.seeds() {
            self.send_command(ctx, seed, message(PUT, &key, &seed.0.to_be_bytes()))?;
        }
        Ok(())
    }

    fn maybe_ask(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        if self.published || !self.commands.is_empty() {
            return Ok(());
        }
        self.published = true;
        let key = <[u8; 20]>::from(self.key);
        self.path.push(self.cast.searcher());
        for leech in self.cast.leeches() {
            self.send_command(ctx, leech, message(ASK, &key, &[]))?;
        }
        Ok(())
    }
}

impl Stage for Ring<'_> {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Datagram { at, from, bytes } => {
                if bytes.first().is_some_and(|first| [PUT, DONE, ASK, HOLDERS].contains(first)) {
                    self.store(ctx, at, from, &bytes)?;
                } else {
                    let address = self.members[from.index()].me().address;
                    let now = ctx.now();
                    if let Err(error) =
                        self.members[at.index()].handle_datagram(now, address, &bytes)
                    {
                        ctx.note(at, error)?; // a full backlog is a lost datagram
                    }
                    self.flush(ctx, at)?;
                }
                self.publish(ctx)?;
            }
            Incoming::Opened { conn, dialled: true, .. } => {
                self.http.opened(ctx, conn, self.song)?;
            }
            Incoming::Opened { conn, at, .. } => self.http.serve(conn, at, Vec::new()),
            Incoming::Bytes { conn, bytes, .. } => self.http.bytes(ctx, conn, &bytes, self.song)?,
            Incoming::Closed { conn, .. } => self.http.closed(conn),
            Incoming::Drained => {}
        }
        Ok(())
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure> {
        let now = ctx.now();
        let contact = self.members[0].me().address;
        for node in self.cast.all() {
            if self.rejoin.get(&node).is_some_and(|at| *at <= now) {
                self.rejoin.remove(&node);
                let _ = self.members[node.index()].join(now, contact); // it may have begun to join already
            }
            self.members[node.index()].handle_timeout(now);
            self.flush(ctx, node)?;
            self.ask_owner(ctx, node)?;
        }
        self.publish(ctx)?;
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Duration> {
        let members = self.members.iter().filter_map(Member::poll_timeout);
        let waiting =
            self.commands.values().filter(|command| command.owner.is_some() && !command.fetching);
        members
            .chain(self.rejoin.values().copied())
            .chain(waiting.map(|command| command.repeat_at))
            .min()
    }

    fn is_done(&self) -> bool {
        self.published && self.http.fetched.len() == self.wanted()
    }

    fn progress(&self) -> String {
        let members = self.members.iter().filter(|member| member.state().is_member()).count();
        let fetched = self.http.fetched.len();
        format!(
            "{members} of {} in the ring, {fetched} of {} found the file",
            self.members.len(),
            self.wanted()
        )
    }
}
