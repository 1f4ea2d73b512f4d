//! BOOT and LOOKUP: a Gnutella 0.6 overlay of ultrapeers and leaves, and a flooded search.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use gnutella_wire::handshake::{Handshake, State};
use gnutella_wire::wire::{
    HitData, HitFlags, Limits, Message, Payload, Query, Record, Records, Vendor,
};
use gnutella_wire::{
    Config, Dispatch, Event, Guid, Header, LinkId, LinkSlot, Opening, Role, RouteSlot, Servent,
    ServentId, Target, Text,
};

use crate::ctx::{Ctx, Failure, Stage, Tongue};
use crate::http::{HttpSide, TORRENT_INDEX};
use crate::net::{Conn, Incoming, NodeId, Service};
use crate::song::{Cast, Song};

type Machine = Servent<Vec<LinkSlot>, Vec<RouteSlot>>;

const VENDOR: Vendor = Vendor(*b"TOUR");

/// The overlay, which outlives its two stages.
pub struct Overlay<'s> {
    song: &'s Song,
    cast: Cast,
    nodes: Vec<Node>,
    links: BTreeMap<Conn, Link>,
    http: HttpSide,
    goal: Goal,
    last_news: Duration,
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
            last_news: Duration::ZERO,
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
        self.news(ctx);
        let searcher = self.cast.searcher();
        let words = search_words(&self.song.name);
        let text = Text::new(words.as_bytes()).unwrap_or(Text::EMPTY);
        let (guid, mut buf) = (guid(ctx), [0; 512]);
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
        (booted || self.goal == Goal::Search).then(|| self.last_news + self.quiet)
    }

    fn news(&mut self, ctx: &Ctx) {
        self.last_news = ctx.now();
    }

    fn bytes(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<()> {
        if self.http.owns(conn) {
            return self.http.bytes(ctx, conn, bytes, self.song);
        }
        let Some(link) = self.links.get_mut(&conn) else { return Ok(()) };
        link.buffer.extend_from_slice(bytes);
        if matches!(link.phase, Phase::Unknown) {
            match Opening::of(&link.buffer) {
                Ok(Opening::Handshake) => link.phase = Phase::Shaking(Handshake::acceptor()),
                Ok(Opening::Http) => {
                    let Some(link) = self.links.remove(&conn) else { return Ok(()) };
                    self.http.serve(conn, link.at, link.buffer);
                    return self.http.bytes(ctx, conn, &[], self.song);
                }
                Ok(Opening::Giv) | Err(_) => return Ok(()), // nothing was pushed; or more has to come
            }
        }
        let mut buffer = core::mem::take(&mut link.buffer);
        let mut used = 0;
        while let Some(consumed) = self.take_one(ctx, conn, &buffer[used..])? {
            used += consumed;
        }
        buffer.drain(..used);
        if let Some(link) = self.links.get_mut(&conn) {
            link.buffer = buffer;
        }
        Ok(())
    }

    /// Handles one head or one descriptor; returns how many bytes it took.
    fn take_one(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get_mut(&conn) else { return Ok(None) };
        match &mut link.phase {
            Phase::Shaking(_) => self.shake(ctx, conn, bytes),
            Phase::Open => self.descriptor(ctx, conn, bytes),
            Phase::Unknown | Phase::Over => Ok(None),
        }
    }

    fn shake(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get_mut(&conn) else { return Ok(None) };
        let Phase::Shaking(handshake) = &mut link.phase else { return Ok(None) };
        let (at, now) = (link.at, ctx.now());
        let heard = match handshake.handle_bytes(bytes) {
            Ok(Some(heard)) => heard,
            Ok(None) => return Ok(None),
            Err(error) => {
                link.phase = Phase::Over;
                ctx.note(at, format_args!("bad handshake: {error}"))?;
                ctx.net.close(conn);
                return Ok(None);
            }
        };
        let neighbour =
            if self.cast.is_ultrapeer(link.peer) { Role::Ultrapeer } else { Role::Leaf };
        let ours = headers(self.cast.is_ultrapeer(at));
        let mut buf = [0; 512];
        if !handshake.state().listens()
            && handshake.state() != State::Open
            && handshake.state() != State::Closed
        {
            let said_ultrapeer = heard.head.is_true("X-Ultrapeer");
            let room = self.nodes[at.index()].servent.has_room(neighbour);
            let (len, line) = if room && said_ultrapeer == (neighbour == Role::Ultrapeer) {
                (handshake.agree(&ours, &mut buf).map_err(io::Error::other)?, "GNUTELLA/0.6 200 OK")
            } else {
                (
                    handshake.refuse(503, "Slots full", &[], &mut buf).map_err(io::Error::other)?,
                    "GNUTELLA/0.6 503 Slots full",
                )
            };
            ctx.send(conn, Tongue::Handshake, line, &[&buf[..len]])?;
        }
        let over = handshake.state() == State::Closed;
        if handshake.state() == State::Open {
            link.phase = Phase::Open;
            let servent = &mut self.nodes[at.index()].servent;
            servent.handle_connected(now, LinkId(conn.0), neighbour).map_err(io::Error::other)?;
            self.last_news = now;
        } else if over {
            link.phase = Phase::Over;
            ctx.net.close(conn);
        }
        Ok(Some(heard.consumed))
    }

    fn descriptor(&mut self, ctx: &mut Ctx, conn: Conn, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links.get(&conn) else { return Ok(None) };
        let (at, peer, now) = (link.at, link.peer, ctx.now());
        let node = &mut self.nodes[at.index()];
        let duplicates = node.servent.stats().duplicates;
        let Some(handled) =
            node.servent.handle_bytes(now, LinkId(conn.0), bytes).map_err(io::Error::other)?
        else {
            return Ok(None);
        };
        self.last_news = now;
        if let Ok((Message { hops, payload: Payload::Query(_), .. }, _)) =
            Message::decode(bytes, Limits::GTKG)
        {
            let duplicate = node.servent.stats().duplicates > duplicates;
            self.flood.push(Flood { at: now, from: peer, to: at, hops: hops + 1, duplicate });
        }
        if let Some(forward) = handled.forward {
            let links: Vec<LinkId> = node.servent.targets(forward.to).collect();
            let whole = [&forward.header[..], forward.payload].concat();
            for link in links {
                say(ctx, Conn(link.0), &whole)?;
            }
        }
        match handled.message.map(|message| (message.guid, message.hops, message.payload)) {
            Some((guid, _, Payload::Query(query))) => self.answer(ctx, at, guid, &query)?,
            Some((_, hops, Payload::QueryHit(hit))) => {
                let holder =
                    self.nodes.iter().position(|node| node.servent.config().servent == hit.servent);
                if let Some(holder) = holder {
                    ctx.note(at, format_args!("hit from node {holder} over {} links", hops + 1))?;
                    self.hits.push((NodeId(holder as u16), hops + 1));
                }
            }
            Some((_, _, Payload::Pong(pong))) => {
                let address = pong.address;
                self.nodes[at.index()].hosts.insert((*address.ip(), address.port()));
            }
            _ => {}
        }
        self.flush(ctx, at)?;
        Ok(Some(handled.consumed))
    }

    /// Answers a query if its words are in the name of the shared file.
    fn answer(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        guid: Guid,
        query: &Query<'_>,
    ) -> io::Result<()> {
        let wanted = query.text.as_str().unwrap_or_default().to_lowercase();
        let name = self.song.name.to_lowercase();
        let matches =
            !wanted.trim().is_empty() && wanted.split_whitespace().all(|word| name.contains(word));
        if !self.cast.is_seed(at) || !matches {
            return Ok(());
        }
        let torrent = self.song.torrent_name();
        let text = |text: &'s str| Text::new(text.as_bytes()).unwrap_or(Text::EMPTY);
        let size = u32::try_from(self.song.size).unwrap_or(u32::MAX);
        let records = [
            Record { index: 1, size, name: text(&self.song.name), extensions: Text::EMPTY },
            Record {
                index: TORRENT_INDEX,
                size: self.song.metainfo.len() as u32,
                name: Text::new(torrent.as_bytes()).unwrap_or(Text::EMPTY),
                extensions: Text::EMPTY,
            },
        ];
        let flags = HitFlags { push: Some(false), busy: Some(false), ..HitFlags::default() }
            .to_data(VENDOR);
        let records =
            Records::from_slice(&records).ok_or_else(|| io::Error::other("two records"))?;
        let (now, mut buf) = (ctx.now(), vec![0; 4096]);
        let servent = &mut self.nodes[at.index()].servent;
        match servent.answer(now, guid, records, HitData::new(&flags), &mut buf) {
            Ok(dispatch) => self.dispatch(ctx, at, dispatch, &buf),
            Err(error) => ctx.note(at, format_args!("cannot answer: {error}")),
        }
    }

    fn dispatch(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        Dispatch { to, len }: Dispatch,
        buf: &[u8],
    ) -> io::Result<()> {
        self.write_to(ctx, at, to, &buf[..len])
    }

    fn write_to(
        &mut self,
        ctx: &mut Ctx,
        at: NodeId,
        to: Target,
        message: &[u8],
    ) -> io::Result<()> {
        let links: Vec<LinkId> = self.nodes[at.index()].servent.targets(to).collect();
        links.into_iter().try_for_each(|link| say(ctx, Conn(link.0), message))
    }

    /// Sends what the machine has to say by itself, and looks at what happened to its links.
    fn flush(&mut self, ctx: &mut Ctx, at: NodeId) -> io::Result<()> {
        let mut buf = [0; Machine::MAX_TRANSMIT_LEN];
        let servent = &mut self.nodes[at.index()].servent;
        while let Some(transmit) = servent.poll_transmit(&mut buf).map_err(io::Error::other)? {
            say(ctx, Conn(transmit.to.0), &buf[..transmit.len])?;
        }
        while let Some(event) = servent.poll_event() {
            ctx.note(at, event)?;
            if let Event::Lost { link, .. } = event {
                ctx.net.close(Conn(link.0));
                self.links.remove(&Conn(link.0));
            }
        }
        Ok(())
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
            let (guid, now, mut buf) = (guid(ctx), ctx.now(), [0; 64]);
            let dispatch = self.nodes[at.index()]
                .servent
                .ping(now, guid, &mut buf)
                .map_err(io::Error::other)?;
            self.dispatch(ctx, at, dispatch, &buf)?;
            self.news(ctx);
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
                    ctx.send(conn, Tongue::Handshake, "GNUTELLA CONNECT/0.6", &[&buf[..len]])?;
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
                self.nodes[at.index()].servent.handle_closed(ctx.now(), LinkId(conn.0));
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
        let mut config = match cast.is_ultrapeer(node) {
            true => Config::ultrapeer(ServentId(name), address),
            false => Config::leaf(ServentId(name), address),
        };
        config.max_leaves = usize::from(cast.nodes);
        config.seed = ctx.rng.next_u64();
        if cast.is_seed(node) {
            (config.files, config.kilobytes) =
                (2, (song.size / 1024).try_into().unwrap_or(u32::MAX));
        }
        let servent = Servent::new(config, vec![LinkSlot::EMPTY; 64], vec![RouteSlot::EMPTY; 512]);
        Self { servent, hosts: BTreeSet::new(), asked: false }
    }
}

impl Link {
    fn new(at: NodeId, peer: NodeId, phase: Phase) -> Self {
        Self { at, peer, phase, buffer: Vec::new() }
    }
}

fn headers(ultrapeer: bool) -> [Header<'static>; 2] {
    let role = if ultrapeer { "True" } else { "False" };
    [Header::new("User-Agent", "tour/0.1"), Header::new("X-Ultrapeer", role)]
}

fn guid(ctx: &mut Ctx) -> Guid {
    let mut random = [0; 16];
    ctx.rng.fill(&mut random);
    Guid::from_random(random)
}

/// Sends a descriptor.
fn say(ctx: &mut Ctx, conn: Conn, message: &[u8]) -> io::Result<()> {
    match Message::decode(message, Limits::GTKG) {
        Ok((decoded, _)) => ctx.send(conn, Tongue::Gnutella, decoded, &[message]),
        Err(error) => ctx.send(conn, Tongue::Gnutella, error, &[message]),
    }
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
