//! A network of `gnutella_wire::Servent`s.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use gnutella_wire::handshake::TRANSITIONS;
use gnutella_wire::servent::Target;
use gnutella_wire::wire::{
    Function, HitData, Limits, Message, Payload, Query, QueryFlags, Record, Records,
};
use gnutella_wire::{
    Config, ConnId, Guid, Neighbour, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

use super::handshake::{Steps, shake_hands};
use super::{Counts, counts};
use crate::Json;
use crate::post::{Parcel, Post};

/// The machines are this much older than the page: before, they have exchanged their tables.
const OFFSET: Duration = Duration::from_secs(100);
/// Bytes of memory for a table of words: 8,192 slots. With a quarter of them "debaser" and a word of another song share a
/// slot, and leaves with that song are asked in vain.
const TABLE: usize = 1_024;
/// Longer than any message here.
const BUFFER: usize = 4_096;

/// What a servent is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) role: Role,
    pub(super) ttl: u8,
    /// Connections that it has room for.
    pub(super) links: usize,
}

pub(super) struct Servents {
    first: u32,
    seed: u64,
    shape: Shape,
    hosts: Vec<Host>,
    asker: Option<u32>,
    guid: Guid,
    pub(super) counts: Counts,
    /// Messages of before the page begins.
    setup: u64,
    /// Without loop prevention: see [`Disguise`].
    disguise: Option<Disguise>,
}

/// Takes loop prevention away: each query gets another id wherever it arrives, so that no servent recognises it. A hit gets
/// the ids back on its way.
#[derive(Default)]
struct Disguise {
    count: u64,
    /// The id under which the sender knows a query, by the id under which the receiver knows it.
    before: BTreeMap<[u8; 16], [u8; 16]>,
}

impl Disguise {
    /// Changes the id of a query; the first four bytes, the number of the search, stay.
    fn put_on(&mut self, bytes: &mut [u8]) {
        let Some(id) = bytes.first_chunk_mut::<16>() else { return };
        let known = *id;
        self.count += 1;
        id[4..12].copy_from_slice(&self.count.to_be_bytes());
        self.before.insert(*id, known);
    }

    /// Changes the id of a hit to the one under which its receiver knows the query.
    fn take_off(&self, bytes: &mut [u8]) {
        let Some(id) = bytes.first_chunk_mut::<16>() else { return };
        if let Some(before) = self.before.get(id) {
            *id = *before;
        }
    }
}

struct Host {
    servent: Servent<ServentVec>,
    role: Role,
    file: String,
    alive: bool,
    /// The other node of each connection, by number.
    links: Vec<u32>,
    conns: BTreeMap<u32, ConnId>,
    /// How each of them was opened.
    handshakes: BTreeMap<u32, Steps>,
    /// Whether it has handled the present query.
    seen: bool,
    duplicates: u64,
}

impl Servents {
    pub(super) fn new(first: u32, seed: u64, shape: Shape) -> Self {
        Self {
            first,
            seed,
            shape,
            hosts: Vec::new(),
            asker: None,
            guid: Guid([0; 16]),
            counts: Counts::default(),
            setup: 0,
            disguise: None,
        }
    }

    /// Takes loop prevention away from all servents.
    pub(super) fn without_loop_prevention(mut self) -> Self {
        self.disguise = Some(Disguise::default());
        self
    }

    pub(super) fn add(&mut self, shape: Shape, file: String) -> Result<(), String> {
        let number = self.hosts.len() as u32;
        let address = SocketAddrV4::new(Ipv4Addr::from(0x0A00_0000 + number), 6346);
        let mut id = [0; 16];
        id[..4].copy_from_slice(&(number + 1).to_be_bytes());
        let mut config = match shape.role {
            Role::Peer => Config::peer(ServentId(id), address),
            Role::Leaf => Config::leaf(ServentId(id), address),
            Role::Ultrapeer => Config::ultrapeer(ServentId(id), address),
        };
        config.max_ttl = shape.ttl;
        config.seed = self.seed << 16 | u64::from(number);
        config.max_peers = shape.links;
        config.max_leaves = shape.links;
        config.idle = Duration::MAX; // keep-alive would hide what a search costs
        let hybrid = self.shape.role == Role::Ultrapeer;
        let limits = ServentLimits {
            conns: shape.links,
            routes: if self.disguise.is_some() { 4_096 } else { 512 },
            hosts: 0,
            queries: if hybrid { 4 } else { 0 },
            tables: if hybrid { TABLE * (shape.links + 2) } else { 0 },
        };
        let servent = Servent::new(config, ServentVec::new(limits));
        let mut servent = servent.map_err(|error| error.to_string())?;
        servent.share(Duration::ZERO, &file);
        self.hosts.push(Host {
            servent,
            role: shape.role,
            file,
            alive: true,
            links: Vec::new(),
            conns: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            seen: false,
            duplicates: 0,
        });
        Ok(())
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) -> Result<(), String> {
        let hybrid = self.shape.role == Role::Ultrapeer;
        let handshakes = shake_hands(hybrid)?;
        for ((here, there), steps) in [(a, b), (b, a)].into_iter().zip(handshakes) {
            let mut neighbour = Neighbour::from(self.hosts[there].role);
            neighbour.query_routing = hybrid;
            neighbour.ultrapeer_query_routing = hybrid;
            neighbour.degree = 16;
            let host = &mut self.hosts[here];
            let conn = ConnId(host.links.len() as u32);
            host.links.push(there as u32);
            host.conns.insert(there as u32, conn);
            host.handshakes.insert(there as u32, steps);
            let connected = host.servent.handle_connected(Duration::ZERO, conn, neighbour);
            connected.map_err(|error| format!("node {here}: {error}"))?;
        }
        Ok(())
    }

    /// Lets the servents exchange their tables before the page begins; messages arrive at once.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let mut queue = VecDeque::new();
        for now in (0..OFFSET.as_secs()).step_by(20).map(Duration::from_secs) {
            for node in 0..self.hosts.len() {
                self.hosts[node].servent.handle_timeout(now);
                self.drain(node, &mut queue);
            }
            while let Some(parcel) = queue.pop_front() {
                self.setup += 1;
                let node = parcel.to as usize;
                let Some(conn) = self.hosts[node].conns.get(&parcel.from).copied() else {
                    continue;
                };
                let handled = self.hosts[node].servent.handle_bytes(now, conn, &parcel.bytes);
                handled.map_err(|error| error.to_string())?;
                self.drain(node, &mut queue);
            }
        }
        Ok(())
    }

    /// Takes what a servent has to send; nodes are named by their numbers in this network.
    fn drain(&mut self, node: usize, out: &mut VecDeque<Parcel>) {
        let mut buf = [0; BUFFER];
        let host = &mut self.hosts[node];
        while let Ok(Some(sent)) = host.servent.poll_transmit(&mut buf) {
            let to = host.links[sent.conn.0 as usize];
            out.push_back(Parcel { from: node as u32, to, bytes: buf[..sent.len].to_vec() });
        }
        while host.servent.poll_event().is_some() {}
    }

    fn pump(&mut self, node: usize, post: &mut Post) {
        let mut queue = VecDeque::new();
        self.drain(node, &mut queue);
        for parcel in queue {
            self.send(parcel, post);
        }
    }

    fn send(&mut self, parcel: Parcel, post: &mut Post) {
        let Ok((message, _)) = Message::decode(&parcel.bytes, Limits::GTKG) else { return };
        let function = message.payload.function();
        let kind = match function {
            Function::QUERY => {
                self.counts.queries += 1;
                self.counts.bytes += parcel.bytes.len() as u64;
                "query"
            }
            Function::QUERY_HIT => {
                self.counts.hits += 1;
                self.counts.bytes += parcel.bytes.len() as u64;
                "hit"
            }
            Function::QRP => "table",
            _ => "other",
        };
        let text = message.to_string();
        let Parcel { from, to, mut bytes } = parcel;
        if let (Some(disguise), Function::QUERY_HIT) = (&self.disguise, function) {
            disguise.take_off(&mut bytes);
        }
        post.send(Parcel { from: from + self.first, to: to + self.first, bytes }, kind, text);
    }

    fn send_to(&mut self, node: usize, target: Target, bytes: &[u8], post: &mut Post) {
        let host = &self.hosts[node];
        let to: Vec<u32> =
            host.servent.targets(target).map(|conn| host.links[conn.0 as usize]).collect();
        for to in to {
            self.send(Parcel { from: node as u32, to, bytes: bytes.to_vec() }, post);
        }
    }

    pub(super) fn search(
        &mut self,
        node: u32,
        number: u32,
        text: &str,
        post: &mut Post,
    ) -> Result<(), String> {
        let at = node as usize;
        if !self.hosts[at].alive {
            return Err(format!("node {node} is dead"));
        }
        self.counts = Counts::default();
        for host in &mut self.hosts {
            host.seen = false;
            host.duplicates = 0;
        }
        let mut guid = [0x51; 16];
        guid[..4].copy_from_slice(&number.to_be_bytes());
        self.guid = Guid(guid);
        self.asker = Some(node);
        self.hosts[at].seen = true;
        if let Some(disguise) = &mut self.disguise {
            *disguise = Disguise::default();
        }
        let query = Query::new(Text::new(text.as_bytes()).ok_or("a text without NUL is expected")?);
        // An ultrapeer asks its neighbours one after the other, and is told how many hits there are.
        let guided = QueryFlags::LEAF_GUIDED;
        let query = if self.shape.role == Role::Ultrapeer {
            Query { flags: guided, ..query }
        } else {
            query
        };
        let now = post.now() + OFFSET;
        let mut buf = [0; BUFFER];
        let sent = self.hosts[at].servent.search(now, self.guid, &query, &mut buf);
        let sent = sent.map_err(|error| error.to_string())?;
        self.send_to(at, sent.to, &buf[..sent.len], post);
        self.pump(at, post);
        Ok(())
    }

    pub(super) fn deliver(&mut self, parcel: &Parcel, post: &mut Post) {
        let node = (parcel.to - self.first) as usize;
        let now = post.now() + OFFSET;
        let guid = self.guid;
        let asker = self.asker;
        let mut bytes = parcel.bytes.clone();
        if let Some(disguise) = self.disguise.as_mut().filter(|_| is_query(&bytes)) {
            disguise.put_on(&mut bytes);
        }
        let host = &mut self.hosts[node];
        let Some(conn) = host.conns.get(&(parcel.from - self.first)).copied() else { return };
        let duplicates = host.servent.stats().duplicates;
        let Ok(received) = host.servent.handle_bytes(now, conn, &bytes) else { return };
        let handled = received.outcome;
        let forward = handled.and_then(|handled| handled.forward);
        let forward = forward.map(|it| (it.to, [&it.header[..], it.payload].concat()));
        let mut answer = None;
        let is_present = |id: Guid| id.0[..4] == guid.0[..4];
        match handled
            .and_then(|handled| handled.message)
            .map(|message| (message.guid, message.payload))
        {
            Some((id, Payload::Query(query))) if is_present(id) => {
                self.counts.reached += u64::from(!host.seen);
                self.counts.repeats += u64::from(host.seen);
                host.seen = true;
                let file = host.file.as_str();
                let matches = query.text.as_str().is_some_and(|words| file.contains(words));
                answer = matches.then_some(id);
            }
            Some((id, Payload::QueryHit(_))) if id == guid && asker == Some(node as u32) => {
                self.counts.found += 1;
            }
            _ => {}
        }
        let more = host.servent.stats().duplicates - duplicates;
        if more > 0 {
            host.duplicates += more;
            self.counts.duplicates += more;
            post.note(
                parcel.to,
                "duplicate",
                format!("seen before, from {}: dropped", parcel.from),
            );
        }
        if let Some((to, bytes)) = forward {
            self.send_to(node, to, &bytes, post);
        }
        if let Some(id) = answer {
            self.answer(node, id, post);
        }
        self.pump(node, post);
    }

    fn answer(&mut self, node: usize, id: Guid, post: &mut Post) {
        let now = post.now() + OFFSET;
        let host = &mut self.hosts[node];
        let Some(name) = Text::new(host.file.as_bytes()) else { return };
        let found = [Record { index: 1, size: 4_000_000, name, extensions: Text::EMPTY }];
        let Some(records) = Records::from_slice(&found) else { return };
        let mut buf = [0; BUFFER];
        let sent = host.servent.answer(now, id, records, HitData::EMPTY, &mut buf);
        match sent {
            Ok(sent) => self.send_to(node, sent.to, &buf[..sent.len], post),
            Err(error) => {
                post.note(node as u32 + self.first, "other", format!("no answer: {error}"));
            }
        }
    }

    /// Closes the connection between two nodes; returns whether there was one.
    pub(super) fn cut(&mut self, a: u32, b: u32, post: &mut Post) -> bool {
        let mut cut = false;
        for (here, there) in [(a, b), (b, a)] {
            let host = &mut self.hosts[here as usize];
            host.handshakes.remove(&there);
            if let Some(conn) = host.conns.remove(&there) {
                host.servent.handle_closed(post.now() + OFFSET, conn);
                self.pump(here as usize, post);
                cut = true;
            }
        }
        cut
    }

    pub(super) fn kill(&mut self, node: u32, post: &mut Post) {
        post.kill(node + self.first);
        let at = node as usize;
        self.hosts[at].alive = false;
        self.hosts[at].handshakes.clear();
        for other in self.hosts[at].links.clone() {
            let host = &mut self.hosts[other as usize];
            host.handshakes.remove(&node);
            if let Some(conn) = host.conns.remove(&node) {
                host.servent.handle_closed(post.now() + OFFSET, conn);
                self.pump(other as usize, post);
            }
        }
    }

    /// Returns the servent with the next deadline. Those of 0.4 have none that matter here.
    pub(super) fn due(&self) -> Option<(Duration, usize)> {
        let living = self.hosts.iter().enumerate().filter(|(_, host)| host.alive);
        let due = living.filter_map(|(at, host)| Some((host.servent.poll_timeout()?, at))).min();
        due.map(|(at, node)| (at.saturating_sub(OFFSET), node))
    }

    pub(super) fn wake(&mut self, node: usize, post: &mut Post) {
        self.hosts[node].servent.handle_timeout(post.now() + OFFSET);
        self.pump(node, post);
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0_u32..).zip(&self.hosts).flat_map(|(node, host)| {
            host.conns.keys().filter(move |other| node < **other).map(move |other| (node, *other))
        })
    }

    pub(super) fn details(&self, node: u32) -> Option<Json> {
        let host = self.hosts.get((node - self.first) as usize)?;
        let stats = host.servent.stats();
        let rows = [
            ("received", stats.received),
            ("duplicates dropped", stats.duplicates),
            ("forwarded to all", stats.flooded),
            ("forwarded on the way back", stats.routed),
            ("for this node", stats.delivered),
            ("TTL ran out", stats.expired),
            ("kept back by a table", stats.filtered),
        ];
        let rows = rows.map(|(name, value)| Json::List(vec![name.into(), value.into()]));
        let transitions = TRANSITIONS.iter().map(|(from, input, to)| {
            let took = |steps: &&Steps| steps.contains(&(*from, *to));
            let count = host.handshakes.values().filter(took).count();
            let cells =
                [format!("{from:?}"), format!("{input:?}"), format!("{to:?}"), count.to_string()];
            Json::object([("cells", Json::list(cells)), ("here", (count > 0).into())])
        });
        Some(Json::object([
            ("id", node.into()),
            ("role", format!("{:?}", host.role).into()),
            ("file", host.file.as_str().into()),
            ("alive", host.alive.into()),
            ("rows", Json::list(rows)),
            ("transitions", Json::list(transitions)),
        ]))
    }

    pub(super) fn view(&self, name: &'static str) -> Json {
        let asker = self.asker;
        let nodes = (0_u32..).zip(&self.hosts).map(|(node, host)| {
            let role = match host.role {
                Role::Peer => "peer",
                Role::Leaf => "leaf",
                Role::Ultrapeer => "ultrapeer",
            };
            Json::List(vec![
                (node + self.first).into(),
                role.into(),
                host.alive.into(),
                host.seen.into(),
                (asker == Some(node)).into(),
                host.duplicates.into(),
            ])
        });
        let links = self.edges().map(|(a, b)| Json::list([a + self.first, b + self.first]));
        Json::object([
            ("name", name.into()),
            ("nodes", Json::List(nodes.collect())),
            ("links", Json::List(links.collect())),
            ("counts", counts(self.counts)),
            ("setup", self.setup.into()),
        ])
    }
}

fn is_query(bytes: &[u8]) -> bool {
    let message = Message::decode(bytes, Limits::GTKG);
    message.is_ok_and(|(message, _)| message.payload.function() == Function::QUERY)
}
