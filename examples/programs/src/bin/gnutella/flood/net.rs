//! Servents whose links are queues in memory: each turn delivers what was sent in the turn before.

use core::error::Error;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use gnutella_wire::deflate::Inflater;
use gnutella_wire::servent::Target;
use gnutella_wire::wire::{Function, HitData, Other, Payload, Qrp, Query, Record, Records};
use gnutella_wire::{
    Config, ConnId, Guid, Neighbour, Role, Servent, ServentId, ServentLimits, ServentVec, Text,
};

type Machine = Servent<ServentVec>;

/// After so long every route is forgotten, so that small tables serve many searches.
const FORGOTTEN: Duration = Duration::from_secs(1_000);

/// How much memory each servent of a network has.
#[derive(Clone, Copy)]
pub struct Memory {
    pub routes: usize,
    pub queries: usize,
    pub table: usize,  // bytes each
    pub deflate: bool, // whether tables are compressed
}

/// All servents, and what is under way between them.
pub struct Net {
    nodes: Vec<Node>,
    memory: Memory,
    flying: VecDeque<Flight>,
    now: Duration,
    buf: Vec<u8>,
    pub counts: Counts,
}

/// What has happened since the counts were last taken.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub queries: u64,
    pub hits: u64,
    pub bytes: u64,
    pub reached: u64, // servents that handled the query, the asker not among them
    pub duplicates: u64,
    pub found: u64,  // hits that came to the asker
    pub hops: u64,   // the farthest
    pub tables: u64, // bytes of their messages
}

struct Node {
    servent: Machine,
    links: Vec<(u32, u32)>, // the other node, and its link
    file: Option<String>,
    patches: BTreeMap<u32, Inflater<Vec<u8>>>, // of the tables that are arriving
}

struct Flight {
    to: u32,
    link: u32,
    bytes: Vec<u8>,
}

impl Net {
    pub fn new(memory: Memory) -> Self {
        let flying = VecDeque::new();
        let counts = Counts::default();
        Self { nodes: Vec::new(), memory, flying, now: Duration::ZERO, buf: vec![0; 1024], counts }
    }

    /// Adds a servent with a file; `links` is how many slots it has.
    pub fn add(&mut self, role: Role, ttl: u8, links: usize, file: Option<String>) -> usize {
        let number = self.nodes.len() as u32;
        let mut name = [0; 16];
        name[..4].copy_from_slice(&number.to_le_bytes());
        let address = SocketAddrV4::new(Ipv4Addr::from(0x0A00_0000 + number), 6346);
        let mut config = match role {
            Role::Peer => Config::peer(ServentId(name), address),
            Role::Leaf => Config::leaf(ServentId(name), address),
            Role::Ultrapeer => Config::ultrapeer(ServentId(name), address),
        };
        config.max_ttl = ttl;
        config.seed = u64::from(number);
        config.max_peers = links;
        config.max_leaves = links;
        config.idle = Duration::MAX; // keep-alive is not what is measured
        let Memory { routes, queries, table, .. } = self.memory;
        let tables = if role == Role::Leaf { 1 } else { links + 2 };
        let tables = table * tables;
        let limits = ServentLimits { conns: links, routes, hosts: 0, queries, tables };
        let mut servent = Servent::new(config, ServentVec::new(limits)).expect("valid");
        if let Some(file) = &file {
            servent.share(self.now, file);
        }
        self.nodes.push(Node { servent, links: Vec::new(), file, patches: BTreeMap::new() });
        self.nodes.len() - 1
    }

    pub fn connect(&mut self, a: usize, b: usize) -> Result<(), Box<dyn Error>> {
        let at_a = self.nodes[a].links.len() as u32;
        let at_b = self.nodes[b].links.len() as u32;
        for (here, link, there, back) in [(a, at_a, b, at_b), (b, at_b, a, at_a)] {
            let mut neighbour = Neighbour::from(self.nodes[there].servent.config().role);
            let tables = self.memory.table > 0;
            neighbour.query_routing = tables;
            neighbour.ultrapeer_query_routing = tables;
            neighbour.deflate = self.memory.deflate;
            neighbour.degree = 16;
            let node = &mut self.nodes[here];
            node.servent.handle_connected(self.now, ConnId(link), neighbour)?;
            node.links.push((there as u32, back));
        }
        Ok(())
    }

    /// Sends all tables, and returns how many messages and bytes that took.
    pub fn settle(&mut self) -> Result<(u64, u64), Box<dyn Error>> {
        let mut messages = 0;
        self.counts = Counts::default();
        for _ in 0..3 {
            self.wait(Duration::from_secs(20))?;
            messages += self.deliver_all()?;
        }
        Ok((messages, core::mem::take(&mut self.counts).tables))
    }

    /// Lets a servent search, and everything happen that comes of it.
    pub fn search(
        &mut self,
        asker: usize,
        guid: Guid,
        words: &str,
    ) -> Result<Counts, Box<dyn Error>> {
        let duplicates = self.duplicates();
        let query = Query::new(Text::new(words.as_bytes()).ok_or("a NUL in the words")?);
        let sent = self.nodes[asker].servent.search(self.now, guid, &query, &mut self.buf)?;
        self.counts = Counts::default();
        self.send(asker, sent.to, sent.len);
        self.drain(asker)?;
        self.deliver_all()?;
        for _ in 0..80 {
            // An ultrapeer asks others in turn, and waits for hits in between.
            if self.memory.queries == 0 {
                break;
            }
            self.wait(Duration::from_secs(3))?;
            self.deliver_all()?;
        }
        self.counts.duplicates = self.duplicates() - duplicates;
        self.now += FORGOTTEN;
        Ok(core::mem::take(&mut self.counts))
    }

    fn wait(&mut self, time: Duration) -> Result<(), Box<dyn Error>> {
        self.now += time;
        for node in 0..self.nodes.len() {
            if self.nodes[node].servent.poll_timeout().is_some_and(|at| at <= self.now) {
                self.nodes[node].servent.handle_timeout(self.now);
                self.drain(node)?;
            }
        }
        Ok(())
    }

    fn duplicates(&self) -> u64 {
        self.nodes.iter().map(|node| node.servent.stats().duplicates).sum()
    }

    fn deliver_all(&mut self) -> Result<u64, Box<dyn Error>> {
        let mut messages = 0;
        while let Some(Flight { to, link, bytes }) = self.flying.pop_front() {
            messages += 1;
            self.deliver(to as usize, ConnId(link), &bytes)?;
        }
        Ok(messages)
    }

    fn deliver(&mut self, at: usize, link: ConnId, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        let node = &mut self.nodes[at];
        let received = node.servent.handle_bytes(self.now, link, bytes)?;
        if received.consumed == 0 {
            return Err("a message came in pieces".into());
        }
        if let Some(forward) = received.outcome.and_then(|handled| handled.forward) {
            for target in node.servent.targets(forward.to) {
                let (to, link) = node.links[target.0 as usize];
                let bytes = [&forward.header[..], forward.payload].concat();
                count(&mut self.counts, &bytes);
                self.flying.push_back(Flight { to, link, bytes });
            }
        }
        let message = received.outcome.and_then(|handled| handled.message);
        match message.map(|message| (message.guid, message.hops, message.payload)) {
            Some((guid, hops, Payload::Query(query))) => {
                self.counts.reached += 1;
                self.counts.hops = self.counts.hops.max(u64::from(hops) + 1);
                let matches =
                    |file: &String| query.text.as_str().is_some_and(|words| file.contains(words));
                if let Some(file) = node.file.clone().filter(matches) {
                    self.answer(at, guid, &file)?;
                }
            }
            Some((_, _, Payload::QueryHit(_))) => self.counts.found += 1,
            Some((_, _, Payload::Other(Other { function: Function::QRP, body }))) => {
                node.patch(self.now, link, body)?;
            }
            _ => {}
        }
        self.drain(at)
    }

    fn answer(&mut self, at: usize, guid: Guid, file: &str) -> Result<(), Box<dyn Error>> {
        let name = Text::new(file.as_bytes()).ok_or("a NUL in a name")?;
        let found = [Record { index: 1, size: 4_000_000, name, extensions: Text::EMPTY }];
        let records = Records::from_slice(&found).ok_or("more than 255 records")?;
        let servent = &mut self.nodes[at].servent;
        let sent = servent.answer(self.now, guid, records, HitData::EMPTY, &mut self.buf)?;
        self.send(at, sent.to, sent.len);
        Ok(())
    }

    fn drain(&mut self, at: usize) -> Result<(), Box<dyn Error>> {
        while let Some(own) = self.nodes[at].servent.poll_transmit(&mut self.buf)? {
            let (to, link) = self.nodes[at].links[own.conn.0 as usize];
            let bytes = self.buf[..own.len].to_vec();
            count(&mut self.counts, &bytes);
            self.flying.push_back(Flight { to, link, bytes });
        }
        Ok(())
    }

    fn send(&mut self, from: usize, target: Target, len: usize) {
        let node = &self.nodes[from];
        for link in node.servent.targets(target) {
            let (to, link) = node.links[link.0 as usize];
            let bytes = self.buf[..len].to_vec();
            count(&mut self.counts, &bytes);
            self.flying.push_back(Flight { to, link, bytes });
        }
    }
}

impl Node {
    /// Processes a compressed PATCH of a neighbour's table.
    fn patch(&mut self, now: Duration, link: ConnId, body: &[u8]) -> Result<(), Box<dyn Error>> {
        let Qrp::Patch(patch) = Qrp::decode(body)? else { return Ok(()) };
        if patch.seq_no <= 1 {
            self.patches.insert(link.0, Inflater::new(vec![0; Inflater::WINDOW])?);
        }
        if let Some(inflater) = self.patches.get_mut(&link.0) {
            self.servent.handle_compressed_patch(now, link, &patch, inflater)?;
        }
        if patch.seq_no >= patch.seq_size {
            self.patches.remove(&link.0);
        }
        Ok(())
    }
}

fn count(counts: &mut Counts, bytes: &[u8]) {
    match bytes[16] {
        0x80 => counts.queries += 1,
        0x81 => counts.hits += 1,
        0x30 => {
            counts.tables += bytes.len() as u64;
            return;
        }
        _ => return,
    }
    counts.bytes += bytes.len() as u64;
}
