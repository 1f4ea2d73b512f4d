//! A town of ultrapeers and leaves in which one in twenty floods. Honest searches find nearly what they find
//! where those are silent.
//!
//! Messages arrive at once and nothing is lost for lack of bandwidth: what is measured is what a flood takes of
//! route tables, slots for queries, host caches and the counts of hits.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::OnceLock;

use gnutella_wire::servent::Target;
use gnutella_wire::wire::{
    Function, Header, HitData, Message, Payload, Query, QueryFlags, Record, Records,
};
use gnutella_wire::{
    Config, ConnId, Event, Guid, Neighbour, Role, Servent, ServentId, ServentLimits, ServentVec,
    Text,
};
use sim::Rng;

/// What a hostile servent sends, besides keeping to the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flood {
    Pings,
    Queries,
    Pongs,
    Hits,
    Pushes,
}

const FLOODS: [Flood; 5] = [Flood::Pings, Flood::Queries, Flood::Pongs, Flood::Hits, Flood::Pushes];
/// One in this many servents is hostile.
const HOSTILE: usize = 20;
/// Files of one set are found by one word.
const SETS: usize = 10;

#[derive(Debug, Clone, Copy)]
struct Scale {
    ultrapeers: usize,
    leaves: usize,
    degree: usize,
    searches: usize,
    per_second: usize, // messages of a flooder, to each neighbour
    seconds: u64,
}

struct Node {
    servent: Servent<ServentVec>,
    name: String,
    is_hostile: bool,
    near: BTreeSet<usize>, // the nodes that it has a connection to
    found: BTreeSet<String>,
}

struct Town {
    now: Duration,
    nodes: Vec<Node>,
    queue: VecDeque<(usize, usize, Vec<u8>)>, // to, from
    flood: Option<Flood>,
    rng: Rng,
}

impl Town {
    fn new(scale: Scale, flood: Option<Flood>) -> Self {
        let mut rng = Rng::new(11);
        let count = scale.ultrapeers + scale.leaves;
        let nodes = (0..count).map(|n| Node::new(n, n < scale.ultrapeers, &mut rng)).collect();
        let mut town =
            Self { now: Duration::ZERO, nodes, queue: VecDeque::new(), flood, rng: Rng::new(13) };
        for n in 0..scale.ultrapeers {
            town.connect(n, (n + 1) % scale.ultrapeers); // in one piece
            for _ in 2..scale.degree {
                let other = rng.below(scale.ultrapeers as u64) as usize;
                town.connect(n, other);
            }
        }
        for leaf in scale.ultrapeers..count {
            for _ in 0..3 {
                let ultrapeer = rng.below(scale.ultrapeers as u64) as usize;
                town.connect(leaf, ultrapeer);
            }
        }
        town.run(30, 0); // tables
        town
    }

    fn connect(&mut self, a: usize, b: usize) {
        let left = self.nodes[a].neighbour();
        let right = self.nodes[b].neighbour();
        let has_room =
            self.nodes[a].servent.has_room(right.role) && self.nodes[b].servent.has_room(left.role);
        let now = self.now;
        let is_new = |servent: &mut Servent<ServentVec>, conn: usize, neighbour| {
            servent.handle_connected(now, ConnId(conn as u32), neighbour).is_ok()
        };
        if a != b && has_room && is_new(&mut self.nodes[a].servent, b, right) {
            assert!(is_new(&mut self.nodes[b].servent, a, left));
            self.nodes[a].near.insert(b);
            self.nodes[b].near.insert(a);
            self.drain(a);
            self.drain(b);
        }
    }

    /// Advances the clock by so many seconds, in which the hostile ones flood.
    fn run(&mut self, seconds: u64, per_second: usize) {
        for tick in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            for n in 0..self.nodes.len() {
                let node = &mut self.nodes[n];
                if node.servent.poll_timeout().is_some_and(|at| at <= self.now) {
                    node.servent.handle_timeout(self.now);
                    self.drain(n);
                }
                if self.nodes[n].is_hostile && tick % 10 == 0 {
                    (0..per_second).for_each(|_| self.send_flood(n));
                }
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        while let Some((to, from, bytes)) = self.queue.pop_front() {
            let node = &mut self.nodes[to];
            let conn = ConnId(from as u32);
            let Ok(received) = node.servent.handle_bytes(self.now, conn, &bytes) else { continue };
            let Some(handled) = received.outcome else {
                self.drain(to);
                continue;
            };
            if let Some(forward) = handled.forward {
                let message = [&forward.header[..], forward.payload].concat();
                self.send(to, forward.to, &message);
            }
            if let Some(message) = handled.message {
                self.take(to, from, &message);
            }
            self.drain(to);
        }
    }

    /// What the application does with a message.
    fn take(&mut self, at: usize, from: usize, message: &Message<'_>) {
        match message.payload {
            Payload::Query(_) if self.nodes[at].is_hostile => {
                let hits = if self.flood == Some(Flood::Hits) { 20 } else { 0 };
                (0..hits).for_each(|_| self.send_bogus_hit(at, from, message.guid));
            }
            Payload::Query(query) => {
                let words = query.text.to_string();
                let name = self.nodes[at].name.clone();
                if name.split(' ').any(|word| word == words) {
                    self.answer(at, message.guid, &name);
                }
            }
            Payload::QueryHit(hit) => {
                let names = hit.records.iter().map(|record| record.name.to_string());
                let honest: Vec<_> = names.filter(|name| name.starts_with("tune")).collect();
                self.nodes[at].found.extend(honest);
            }
            _ => {}
        }
    }

    fn answer(&mut self, at: usize, guid: Guid, name: &str) {
        let mut buf = [0; 256];
        let name = Text::new(name.as_bytes()).unwrap();
        let record = [Record { index: 1, size: 1, name, extensions: Text::EMPTY }];
        let records = Records::from_slice(&record).unwrap();
        let servent = &mut self.nodes[at].servent;
        if let Ok(hit) = servent.answer(self.now, guid, records, HitData::EMPTY, &mut buf) {
            self.send(at, hit.to, &buf[..hit.len]);
        }
    }

    fn search(&mut self, at: usize, words: &str) {
        let mut buf = [0; 256];
        let flags = QueryFlags::LEAF_GUIDED;
        let query = Query { flags, ..Query::new(Text::new(words.as_bytes()).unwrap()) };
        let guid = fresh(&mut self.rng);
        let sent = self.nodes[at].servent.search(self.now, guid, &query, &mut buf).unwrap();
        self.send(at, sent.to, &buf[..sent.len]);
        self.drain(at);
    }

    /// One message of a flooder to each of its neighbours, with what it has to make of it.
    fn send_flood(&mut self, at: usize) {
        let Some(flood) = self.flood else { return };
        for to in self.nodes[at].near.clone() {
            let random: [u8; 16] = fresh(&mut self.rng).0;
            let address = [random[0], random[1], random[2], random[3]];
            let pong = [&[0x9A, 0x18][..], &address, &[0; 8]].concat();
            let push = [&random[..], &[1, 0, 0, 0], &address, &[0x9A, 0x18]].concat();
            let word = format!("\0\0set{}\0", random[5] as usize % SETS);
            let (function, ttl, payload) = match flood {
                Flood::Pings => (Function::PING, 4, Vec::new()),
                Flood::Queries => (Function::QUERY, 4, word.into_bytes()),
                Flood::Pongs => (Function::PONG, 3, pong),
                Flood::Pushes => (Function::PUSH, 4, push),
                Flood::Hits => {
                    self.send_bogus_hit(at, to, Guid(random));
                    continue;
                }
            };
            let len = payload.len() as u32;
            let header = Header { guid: Guid(random), function, ttl, hops: 0, len };
            self.queue.push_back((to, at, [&header.to_bytes()[..], &payload].concat()));
        }
    }

    /// A hit of 200 files that do not exist.
    fn send_bogus_hit(&mut self, at: usize, to: usize, guid: Guid) {
        let mut buf = vec![0; 8_192];
        let name = Text::new(b"bogus").unwrap();
        let record = [Record { index: 1, size: 1, name, extensions: Text::EMPTY }; 200];
        let records = Records::from_slice(&record).unwrap();
        let servent = ServentId(fresh(&mut self.rng).0);
        let address = self.nodes[at].servent.config().address;
        let data = HitData::EMPTY;
        let hit = gnutella_wire::wire::QueryHit { address, speed: 1, records, data, servent };
        let payload = Payload::QueryHit(hit);
        let len = Message { guid, ttl: 4, hops: 0, payload }.encode(&mut buf).unwrap();
        self.queue.push_back((to, at, buf[..len].to_vec()));
    }

    fn drain(&mut self, at: usize) {
        let mut buf = [0; Servent::<ServentVec>::MAX_TRANSMIT_LEN];
        while let Some(sent) = self.nodes[at].servent.poll_transmit(&mut buf).unwrap() {
            self.queue.push_back((sent.conn.0 as usize, at, buf[..sent.len].to_vec()));
        }
        while let Some(event) = self.nodes[at].servent.poll_event() {
            if let Event::Closed { conn, .. } = event {
                let other = conn.0 as usize;
                self.nodes[at].near.remove(&other);
                self.nodes[other].near.remove(&at);
                self.nodes[other].servent.handle_closed(self.now, ConnId(at as u32));
            }
        }
    }

    fn send(&mut self, from: usize, to: Target, bytes: &[u8]) {
        for conn in self.nodes[from].servent.targets(to) {
            self.queue.push_back((conn.0 as usize, from, bytes.to_vec()));
        }
    }
}

impl Node {
    fn new(number: usize, is_ultrapeer: bool, rng: &mut Rng) -> Self {
        let id = ServentId(fresh(rng).0);
        let address = SocketAddrV4::new(Ipv4Addr::from(0x1400_0000 + number as u32 * 77_777), 6346);
        let preset = if is_ultrapeer { Config::ultrapeer } else { Config::leaf };
        let mut config = preset(id, address);
        config.max_leaves = 48;
        config.target_peers = 0; // the town is as it is
        config.seed = number as u64;
        let table = 2_048;
        let limits = if is_ultrapeer {
            let conns = config.max_peers + config.max_leaves;
            let tables = (conns + 3) * table;
            ServentLimits { conns, routes: 10_000, hosts: 100, queries: 64, tables }
        } else {
            ServentLimits { conns: 3, routes: 500, hosts: 20, queries: 4, tables: 2 * table }
        };
        let mut servent = Servent::new(config, ServentVec::new(limits)).unwrap();
        let name = format!("tune{number} set{}", number % SETS);
        servent.share(Duration::ZERO, &name);
        let is_hostile = number % HOSTILE == HOSTILE / 2;
        let near = BTreeSet::new();
        let found = BTreeSet::new();
        Self { servent, name, is_hostile, near, found }
    }

    fn neighbour(&self) -> Neighbour {
        let config = self.servent.config();
        let mut neighbour = Neighbour::from(config.role);
        neighbour.address = Some(config.address);
        neighbour.query_routing = true;
        neighbour.ultrapeer_query_routing = config.role == Role::Ultrapeer;
        neighbour.vendor_messages = true;
        neighbour.deflate = false;
        neighbour
    }
}

fn fresh(rng: &mut Rng) -> Guid {
    let mut guid = [0; 16];
    rng.fill(&mut guid);
    Guid(guid)
}

/// Returns how many honest files the searches of honest leaves find while the others flood.
fn found(scale: Scale, flood: Option<Flood>) -> usize {
    let mut town = Town::new(scale, flood);
    town.run(scale.seconds, scale.per_second);
    let leaves = scale.ultrapeers..town.nodes.len();
    let honest: Vec<_> = leaves.filter(|n| !town.nodes[*n].is_hostile).collect();
    let step = (honest.len() / scale.searches).max(1);
    for (turn, at) in honest.iter().step_by(step).take(scale.searches).enumerate() {
        town.search(*at, &format!("set{}", turn % SETS));
        town.run(1, scale.per_second);
    }
    town.run(60, scale.per_second);
    honest.iter().map(|n| town.nodes[*n].found.len()).sum()
}

fn compare(scale: Scale, quiet: usize, flood: Flood) {
    assert!(quiet > scale.searches * 3, "{quiet} files found by {} searches", scale.searches);
    let loud = found(scale, Some(flood));
    println!("{flood:?}: {loud} of {quiet} files");
    assert!(loud * 100 >= quiet * 95, "{flood:?}: {loud} of {quiet} files");
}

#[test]
fn honest_searches_survive_flooders() {
    let scale =
        Scale { ultrapeers: 20, leaves: 60, degree: 6, searches: 10, per_second: 5, seconds: 10 };
    let quiet = found(scale, None);
    for flood in FLOODS {
        compare(scale, quiet, flood);
    }
}

/// 200 ultrapeers and 2,000 leaves, of which 110 flood.
fn among_2200(flood: Flood) {
    static QUIET: OnceLock<usize> = OnceLock::new();
    let scale = Scale {
        ultrapeers: 200,
        leaves: 2_000,
        degree: 10,
        searches: 100,
        per_second: 5,
        seconds: 30,
    };
    let quiet = *QUIET.get_or_init(|| found(scale, None));
    compare(scale, quiet, flood);
}

#[test]
#[ignore = "minutes, optimised: .ci/nightly.d/gnutella.sh"]
fn searches_among_2200_survive_pings() {
    among_2200(Flood::Pings);
}

#[test]
#[ignore = "minutes, optimised: .ci/nightly.d/gnutella.sh"]
fn searches_among_2200_survive_queries() {
    among_2200(Flood::Queries);
}

#[test]
#[ignore = "minutes, optimised: .ci/nightly.d/gnutella.sh"]
fn searches_among_2200_survive_pongs() {
    among_2200(Flood::Pongs);
}

#[test]
#[ignore = "minutes, optimised: .ci/nightly.d/gnutella.sh"]
fn searches_among_2200_survive_hits() {
    among_2200(Flood::Hits);
}

#[test]
#[ignore = "minutes, optimised: .ci/nightly.d/gnutella.sh"]
fn searches_among_2200_survive_pushes() {
    among_2200(Flood::Pushes);
}
