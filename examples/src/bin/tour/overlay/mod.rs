//! BOOT and LOOKUP: a Gnutella 0.6 overlay of ultrapeers and leaves, and a flooded search.

mod traffic;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use gnutella_wire::handshake::Handshake;
use gnutella_wire::wire::Query;
use gnutella_wire::{Config, ConnId, Guid, Servent, ServentId, ServentLimits, ServentVec, Text};

use traffic::headers;

use crate::ctx::{Ctx, Failure, Protocol, Stage};
use crate::http::HttpSide;
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::song::{Cast, Song};

type Machine = Servent<ServentVec>;

/// The overlay, which outlives its two stages.
pub struct Overlay<'s> {
    song: &'s Song,
    cast: Cast,
    nodes: Vec<Node>,
    links: BTreeMap<Conn, Link>,
    http: HttpSide,
    goal: Goal,
    last_activity: Duration,
    quiet: Duration, // how long nothing new must happen before a flood counts as over
    /// What the report draws.
    pub flood: Vec<Flood>,
    /// The links between neighbours, for the report.
    pub edges: BTreeSet<(NodeId, NodeId)>,
    pub hits: Vec<(NodeId, u8)>, // who answered, over how many links
}

/// One copy of the query.
pub struct Flood {
    pub at: Duration,
    pub from: NodeId,
    pub to: NodeId,
    pub hops: u8,
    pub duplicate: bool,
}

struct Node {
    servent: Machine,
    hosts: BTreeSet<(core::net::Ipv4Addr, u16)>, // learnt from pongs
    asked: bool,
}

struct Link {
    at: NodeId,
    peer: NodeId,
    phase: Phase,
    buffer: Vec<u8>,
}

enum Phase {
    Unknown, // accepted, nothing heard yet
    Shaking(Handshake),
    Open,
    Over,
}

#[derive(Clone, Copy, PartialEq)]
enum Goal {
    Boot,
    Search,
    Fetch,
    Done,
}

impl<'s> Overlay<'s> {
    pub fn new(ctx: &mut Ctx, song: &'s Song, cast: Cast) -> Self {
        let nodes = cast.all().map(|node| Node::new(ctx, song, cast, node)).collect();
        Self {
            song,
            cast,
            nodes,
            links: BTreeMap::new(),
            http: HttpSide::default(),
            goal: Goal::Boot,
            last_activity: Duration::ZERO,
            // A lost segment comes again after a while, and may be lost again.
            quiet: Duration::from_millis(if ctx.args.sim { 3000 } else { 400 }),
            flood: Vec::new(),
            edges: BTreeSet::new(),
            hits: Vec::new(),
        }
    }

    /// Dials: ultrapeers among each other, every leaf two ultrapeers.
    pub fn dial(&mut self, ctx: &mut Ctx) {
        let ultrapeers: Vec<NodeId> = self.cast.ultrapeers().collect();
        for node in self.cast.all() {
            let index = node.index();
            let known: Vec<NodeId> = if self.cast.is_ultrapeer(node) {
                ultrapeers[..index].to_vec()
            } else {
                vec![
                    ultrapeers[index % ultrapeers.len()],
                    ultrapeers[(index + 1) % ultrapeers.len()],
                ]
            };
            for peer in known {
                let conn = ctx.net.connect(node, peer, Service::Gnutella);
                self.links
                    .insert(conn, Link::new(node, peer, Phase::Shaking(Handshake::dialler_06())));
                self.edges.insert((node, peer));
            }
        }
    }

    /// Lets the searcher flood its query.
    pub fn search(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        self.goal = Goal::Search;
        self.reset_quiet(ctx);
        let searcher = self.cast.searcher();
        let words = search_words(&self.song.name);
        let text = Text::new(words.as_bytes()).unwrap_or(Text::EMPTY);
        let guid = guid(ctx);
        let mut buf = [0; 512];
        let now = ctx.now();
        let servent = &mut self.nodes[searcher.index()].servent;
        let dispatch =
            servent.search(now, guid, &Query::new(text), &mut buf).map_err(io::Error::other)?;
        self.dispatch(ctx, searcher, dispatch, &buf)
    }

    /// Lets the searcher fetch the metainfo from the first that answered.
    pub fn fetch(&mut self, ctx: &mut Ctx) {
        self.goal = Goal::Fetch;
        if let Some((holder, _)) = self.hits.first() {
            self.http.fetch(ctx, self.cast.searcher(), *holder);
        }
    }

    /// Returns the metainfo that the searcher has fetched.
    pub fn fetched(&self) -> Option<&[u8]> {
        self.http.fetched.get(&self.cast.searcher()).map(Vec::as_slice)
    }

    /// Returns the least number of other hosts that a node knows of.
    pub fn least_known(&self) -> usize {
        self.nodes.iter().map(|node| node.hosts.len()).min().unwrap_or(0)
    }

    pub fn open_links(&self) -> usize {
        self.links.values().filter(|link| matches!(link.phase, Phase::Open)).count() / 2
    }

    /// Returns how many copies of queries and pings were dropped as duplicates.
    pub fn duplicates(&self) -> u64 {
        self.nodes.iter().map(|node| node.servent.stats().duplicates).sum()
    }

    pub fn nodes_reached(&self) -> usize {
        self.flood.iter().map(|flood| flood.to).collect::<BTreeSet<_>>().len()
    }

    /// Closes all links: the overlay has served.
    pub fn leave(&mut self, ctx: &mut Ctx) {
        for conn in self.links.keys() {
            ctx.net.close(*conn);
        }
        self.links.clear();
    }

    /// Returns when the present flood counts as over, if nothing new is heard by then.
    fn quiet_at(&self) -> Option<Duration> {
        let booted = self.goal == Goal::Boot && self.nodes.iter().all(|node| node.asked);
        (booted || self.goal == Goal::Search).then(|| self.last_activity + self.quiet)
    }

    fn reset_quiet(&mut self, ctx: &Ctx) {
        self.last_activity = ctx.now();
    }

    /// Once all links are open everybody explores: one ping, and pongs fill the host caches.
    fn explore(&mut self, ctx: &mut Ctx) -> io::Result<()> {
        if self.goal != Goal::Boot || self.open_links() < self.edges.len() {
            return Ok(());
        }
        for at in self.cast.all() {
            if core::mem::replace(&mut self.nodes[at.index()].asked, true) {
                continue;
            }
            let guid = guid(ctx);
            let now = ctx.now();
            let mut buf = [0; 64];
            let dispatch = self.nodes[at.index()]
                .servent
                .ping(now, guid, &mut buf)
                .map_err(io::Error::other)?;
            self.dispatch(ctx, at, dispatch, &buf)?;
            self.reset_quiet(ctx);
        }
        Ok(())
    }
}

impl Stage for Overlay<'_> {
    fn handle(&mut self, ctx: &mut Ctx, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Opened { conn, dialled: true, .. } => {
                if self.http.owns(conn) {
                    self.http.opened(ctx, conn, self.song)?;
                } else if let Some(Link { at, phase: Phase::Shaking(handshake), .. }) =
                    self.links.get_mut(&conn)
                {
                    let mut buf = [0; 512];
                    let headers = headers(self.cast.is_ultrapeer(*at));
                    let len = handshake.greet(&headers, &mut buf).map_err(io::Error::other)?;
                    ctx.send(conn, Protocol::Handshake, "GNUTELLA CONNECT/0.6", &[&buf[..len]])?;
                }
            }
            Incoming::Opened { conn, at, peer, .. } => {
                self.links.insert(conn, Link::new(at, peer, Phase::Unknown));
            }
            Incoming::Bytes { conn, bytes, .. } => {
                self.bytes(ctx, conn, &bytes)?;
                self.explore(ctx)?;
            }
            Incoming::Closed { conn, at } => {
                self.http.closed(conn);
                self.links.remove(&conn);
                self.nodes[at.index()].servent.handle_closed(ctx.now(), ConnId(conn.0));
            }
            Incoming::Datagram { .. } | Incoming::Drained => {}
        }
        if self.goal == Goal::Fetch && self.fetched().is_some() {
            self.goal = Goal::Done;
        }
        Ok(())
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx) -> Result<(), Failure> {
        let now = ctx.now();
        for at in self.cast.all() {
            self.nodes[at.index()].servent.handle_timeout(now);
            self.flush(ctx, at)?;
        }
        if self.quiet_at().is_some_and(|at| at <= now) {
            self.goal = Goal::Done;
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.nodes
            .iter()
            .filter_map(|node| node.servent.poll_timeout())
            .chain(self.quiet_at())
            .min()
    }

    fn is_done(&self) -> bool {
        self.goal == Goal::Done
    }

    fn progress(&self) -> String {
        format!(
            "{} of {} links open, {} hits",
            self.open_links(),
            self.edges.len(),
            self.hits.len()
        )
    }
}

impl Node {
    fn new(ctx: &mut Ctx, song: &Song, cast: Cast, node: NodeId) -> Self {
        let address = ctx.net.address(node, Service::Gnutella);
        let mut name = [0; 16];
        ctx.rng.fill(&mut name);
        let mut config = if cast.is_ultrapeer(node) {
            Config::ultrapeer(ServentId(name), address)
        } else {
            Config::leaf(ServentId(name), address)
        };
        config.max_leaves = usize::from(cast.nodes);
        config.seed = ctx.rng.next_u64();
        if cast.is_seed(node) {
            config.files = 2;
            config.kilobytes = (song.size / 1024).try_into().unwrap_or(u32::MAX);
        }
        let limits = ServentLimits { conns: 64, routes: 512, ..ServentLimits::default() };
        let servent = Servent::new(config, ServentVec::new(limits)).expect("a preset is valid");
        Self { servent, hosts: BTreeSet::new(), asked: false }
    }
}

impl Link {
    fn new(at: NodeId, peer: NodeId, phase: Phase) -> Self {
        Self { at, peer, phase, buffer: Vec::new() }
    }
}

fn guid(ctx: &mut Ctx) -> Guid {
    let mut random = [0; 16];
    ctx.rng.fill(&mut random);
    Guid::from_random(random)
}

/// What a person would type to find the file: the words of its name.
fn search_words(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(6)
        .collect();
    if words.is_empty() { name.to_owned() } else { words.join(" ") }
}
