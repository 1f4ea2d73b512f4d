//! Three networks that find the same files: Gnutella 0.4, 0.6 with ultrapeers, and a central index.

mod handshake;
mod index;
mod servents;

use core::time::Duration;

use gnutella_wire::Role;
use gnutella_wire::servent::flood_bound;

use crate::options::number;
use crate::post::Post;
use crate::{Json, Options, World};
use sim::Graph;

use index::Central;
use servents::{Servents, Shape};

/// Long enough to see a message on its way.
const LATENCY: Duration = Duration::from_millis(400);
const JITTER: Duration = Duration::from_millis(120);
/// Numbers of the nodes of each network begin here.
pub(crate) const FIRST: [u32; 3] = [0, 1_000, 2_000];
/// Each node has one of these files.
const SONGS: [&str; 8] = [
    "hey jude",
    "debaser",
    "yesterday",
    "imagine",
    "heroes",
    "pale blue eyes",
    "no surprises",
    "heart of glass",
];
/// 0.6: an ultrapeer for this many nodes, its neighbours among ultrapeers, and ultrapeers of a leaf (at most 3).
const NODES_PER_ULTRAPEER: usize = 5;
const ULTRAPEER_DEGREE: usize = 4;
const ULTRAPEERS_OF_LEAF: usize = 2;
const ULTRAPEER_TTL: u8 = 4;
/// The most queries of a flood without loop prevention.
const MOST_QUERIES: u64 = 30_000;

/// What a search has cost since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queries that were sent.
    pub queries: u64,
    /// Hits that were sent.
    pub hits: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Queries that arrived a second time and were dropped.
    pub duplicates: u64,
    /// Queries that a node has handled although it had handled the query before: only without loop prevention.
    pub repeats: u64,
    /// Nodes that have handled the query, without the one that asks.
    pub reached: u64,
    /// Hits that the asking node has received.
    pub found: u64,
}

/// The three networks.
pub struct Flood {
    post: Post,
    nodes: usize,
    degree: usize,
    ttl: u8,
    keeps_loops: bool,
    flat: Servents,
    hybrid: Servents,
    central: Central,
    searches: u32,
}

/// A machine that waits for a deadline, by the number of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleeper {
    /// A servent of 0.6.
    Servent(usize),
    /// A client of the index.
    Client(usize),
}

fn file(node: usize) -> String {
    format!("{} by node {node}.mp3", SONGS[node % SONGS.len()])
}

impl Flood {
    /// Builds and connects the networks. Options: `nodes` of each (6 to 300), `degree` and `ttl` of 0.4, `seed`, `loops` (`drop`; `keep`:
    /// without loop prevention).
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn new(options: &Options) -> Result<Self, String> {
        let nodes = options.number("nodes", 24, 6, 300)?;
        let degree = options.number("degree", 5, 2, 8)?;
        let ttl = options.number("ttl", 7, 1, 15)?;
        let seed = options.number("seed", 1, 0, u64::MAX)?;
        let bound = flood_bound(degree as u32, ttl);
        let keeps_loops = match options.get("loops").unwrap_or("drop") {
            "drop" => false,
            "keep" if bound <= MOST_QUERIES => true,
            "keep" => {
                return Err(format!(
                    "without loop prevention a flood with {degree} neighbours and TTL {ttl} costs {bound} queries; at most \
                     {MOST_QUERIES} are shown, so choose a lower TTL"
                ));
            }
            other => return Err(format!("loops is drop or keep, not {other:?}")),
        };
        let mut graph = Graph::new(seed);
        let mut flat = Servents::new(FIRST[0], seed, Shape { role: Role::Peer, ttl, links: 16 });
        if keeps_loops {
            flat = flat.without_loop_prevention();
        }
        for node in 0..nodes {
            flat.add(Shape { role: Role::Peer, ttl, links: 16 }, file(node))?;
        }
        for (a, b) in graph.regular(nodes, degree.min(nodes - 1)) {
            flat.connect(a, b)?;
        }
        Ok(Self {
            post: Post::new(seed, LATENCY, JITTER),
            nodes,
            degree,
            ttl,
            keeps_loops,
            hybrid: hybrid(nodes, seed, &mut graph)?,
            flat,
            central: Central::new(nodes, file)?,
            searches: 0,
        })
    }

    /// Returns the costs of the last search: of 0.4, of 0.6, and of the index.
    #[must_use]
    pub fn counts(&self) -> [Counts; 3] {
        [self.flat.counts, self.hybrid.counts, self.central.counts]
    }

    /// Returns the number of links of the network of 0.4.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.flat.edges().count()
    }

    /// Returns the machine with the next deadline.
    fn due(&self) -> Option<(Duration, Sleeper)> {
        let servent = self.hybrid.due().map(|(at, node)| (at, Sleeper::Servent(node)));
        let client = self.central.due().map(|(at, node)| (at, Sleeper::Client(node)));
        servent.into_iter().chain(client).min_by_key(|(at, _)| *at)
    }

    fn node(&self, word: Option<&&str>) -> Result<u32, String> {
        let node = number::<u32>("the node", word)?;
        if node as usize >= self.nodes {
            return Err(format!("there is no node {node}"));
        }
        Ok(node)
    }
}

/// Ultrapeers on a regular graph, and leaves that have two of them.
fn hybrid(nodes: usize, seed: u64, graph: &mut Graph) -> Result<Servents, String> {
    let ultrapeers = (nodes / NODES_PER_ULTRAPEER).max(3);
    let of = |role| Shape { role, ttl: ULTRAPEER_TTL, links: 32 };
    let mut servents = Servents::new(FIRST[1], seed, of(Role::Ultrapeer));
    for node in 0..nodes {
        let role = if node < ultrapeers { Role::Ultrapeer } else { Role::Leaf };
        servents.add(of(role), file(node))?;
    }
    for (a, b) in graph.regular(ultrapeers, ULTRAPEER_DEGREE.min(ultrapeers - 1)) {
        servents.connect(a, b)?;
    }
    for leaf in ultrapeers..nodes {
        for nth in 0..ULTRAPEERS_OF_LEAF {
            servents.connect(leaf, (leaf + nth * (1 + leaf / ultrapeers)) % ultrapeers)?;
        }
    }
    servents.settle()?;
    Ok(servents)
}

impl World for Flood {
    fn command(&mut self, words: &[&str]) -> Result<String, String> {
        match words.first().copied() {
            Some("search") => {
                let node = self.node(words.get(1))?;
                let text = words.get(2..).unwrap_or_default().join(" ");
                if text.is_empty() {
                    return Err("a search is for words".into());
                }
                self.searches += 1;
                let searches = self.searches;
                self.flat.search(node, searches, &text, &mut self.post)?;
                self.hybrid.search(node, searches, &text, &mut self.post)?;
                self.central.search(node, &text, &mut self.post);
                Ok(format!("node {node} searches for {text:?} in all three networks"))
            }
            Some("cut") => {
                let one = self.node(words.get(1))?;
                let other = self.node(words.get(2))?;
                let flat = self.flat.cut(one, other, &mut self.post);
                let hybrid = self.hybrid.cut(one, other, &mut self.post);
                if !flat && !hybrid {
                    return Err(format!("nodes {one} and {other} have no link"));
                }
                Ok(format!("the link between nodes {one} and {other} is cut"))
            }
            Some("kill") if words.get(1) == Some(&"index") => {
                self.central.kill(&mut self.post);
                Ok("the central index is dead".into())
            }
            Some("kill") => {
                let node = self.node(words.get(1))?;
                self.flat.kill(node, &mut self.post);
                self.hybrid.kill(node, &mut self.post);
                self.central.leave(node, &mut self.post);
                Ok(format!("node {node} is dead in all three networks"))
            }
            other => Err(format!("a flood has no command {other:?}")),
        }
    }

    fn next_at(&self) -> Option<Duration> {
        let due = self.due().map(|(at, _)| at.max(self.post.now()));
        due.into_iter().chain(self.post.next_at()).min()
    }

    fn advance(&mut self, until: Duration) {
        loop {
            let due = self.due();
            let limit = due.map_or(until, |(at, _)| at.min(until));
            if let Some(parcel) = self.post.receive(limit) {
                match parcel.to {
                    to if to >= FIRST[2] => self.central.deliver(&parcel, &mut self.post),
                    to if to >= FIRST[1] => self.hybrid.deliver(&parcel, &mut self.post),
                    _ => self.flat.deliver(&parcel, &mut self.post),
                }
            } else if let Some((at, sleeper)) = due.filter(|(at, _)| *at <= until) {
                self.post.set_now(at);
                match sleeper {
                    Sleeper::Servent(node) => self.hybrid.wake(node, &mut self.post),
                    Sleeper::Client(node) => self.central.wake(node, &mut self.post),
                }
            } else {
                return self.post.set_now(until);
            }
        }
    }

    fn view(&self, selected: Option<u32>) -> Json {
        let details = selected.and_then(|node| match node {
            node if node >= FIRST[2] => self.central.details(node),
            node if node >= FIRST[1] => self.hybrid.details(node),
            node => self.flat.details(node),
        });
        let edges = self.edges();
        Json::object([
            ("nodes", self.nodes.into()),
            ("ttl", u32::from(self.ttl).into()),
            ("loops", self.keeps_loops.into()),
            ("edges", edges.into()),
            ("bound", flood_bound(self.degree as u32, self.ttl).into()),
            ("law", (2 * edges + 1 - self.nodes).into()),
            ("songs", Json::list(SONGS)),
            ("searches", self.searches.into()),
            (
                "networks",
                Json::List(vec![
                    self.flat.view("Gnutella 0.4"),
                    self.hybrid.view("Gnutella 0.6"),
                    self.central.view("central index"),
                ]),
            ),
            ("selected", details.into()),
        ])
    }

    fn post(&self) -> &Post {
        &self.post
    }
}

/// Returns the counts for the page.
fn counts(counts: Counts) -> Json {
    Json::object([
        ("messages", (counts.queries + counts.hits).into()),
        ("queries", counts.queries.into()),
        ("hits", counts.hits.into()),
        ("bytes", counts.bytes.into()),
        ("duplicates", counts.duplicates.into()),
        ("repeats", counts.repeats.into()),
        ("reached", counts.reached.into()),
        ("found", counts.found.into()),
    ])
}
