//! A swarm of `bittorrent_pieces::Torrent`s that fetch one file.

mod node;

use core::time::Duration;

use bittorrent_pieces::picker::{Order, Playback};
use bittorrent_pieces::{CloseReason, ConnId, Event, PieceIndex, Policy, Priority, Side};

use crate::options::number;
use crate::post::{Parcel, Post};
use crate::{Json, Options, World};
use sim::Graph;

use node::{Kind, Member, PIECE_LEN, describe};

const LATENCY: Duration = Duration::from_millis(60);
const JITTER: Duration = Duration::from_millis(20);
/// How far what a node says may be ahead of what its uplink has sent, as a socket that is full.
const BACKLOG: Duration = Duration::from_millis(300);
/// Everybody knows everybody up to this number of nodes; beyond it a node knows eight others.
const MESH: usize = 13;
const DEGREE: usize = 8;
/// A comparison waits no longer than this for a swarm.
const LONGEST: Duration = Duration::from_secs(400);
/// Live television: a piece plays this long, and is shown this long after it was made.
const PACE: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_secs(12);

/// What the swarm is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A file for everybody, from everybody.
    File,
    /// A file for everybody from the seed alone.
    Server,
    /// Pieces are made and shown one after the other.
    Television,
}

/// The swarm; node 0 is the seed.
pub struct Swarm {
    post: Post,
    mode: Mode,
    order: &'static str,
    pieces: u32,
    uplink: u64,
    seed_uplink: u64,
    members: Vec<Member>,
    dirty: Vec<usize>,
    /// Television: the number of the next tick.
    tick: u32,
    late: u64,
    shown: u64,
}

impl Swarm {
    /// Builds the swarm. Options: `peers` beside the seed (2 to 40), `pieces` of 32 KiB (4 to 64), `order` (`rarest`,
    /// `random`, `sequential`), `mode` (`swarm`, `server`, `tv`), `uplink` of a peer in KiB/s and `seeduplink`, `liar`: the
    /// number of a peer that sends wrong data, `rider`: the number of a peer that sends nothing, `seed`.
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn new(options: &Options) -> Result<Self, String> {
        let peers = options.number("peers", 8, 2, 40)?;
        let pieces = options.number("pieces", 24, 4, 64)?;
        let uplink = options.number("uplink", 32, 1, 10_000_u64)? << 10;
        let seed_uplink = options.number("seeduplink", 64, 4, 10_000_u64)? << 10;
        let seed = options.number("seed", 1, 0, u64::MAX)?;
        let mode = match options.get("mode").unwrap_or("swarm") {
            "swarm" => Mode::File,
            "server" => Mode::Server,
            "tv" => Mode::Television,
            other => return Err(format!("mode is swarm, server or tv, not {other:?}")),
        };
        let mut policy = Policy::new();
        let order = match options.get("order").unwrap_or("rarest") {
            "rarest" => "rarest",
            "random" => {
                policy.random_first = u32::MAX;
                "random"
            }
            "sequential" => {
                policy.order = Order::Sequential;
                "sequential"
            }
            other => return Err(format!("order is rarest, random or sequential, not {other:?}")),
        };
        if mode == Mode::Television {
            policy.random_first = 0;
            policy.playback = Some(playback());
        }
        let mut swarm = Self {
            post: Post::new(seed, LATENCY, JITTER),
            mode,
            order,
            pieces,
            uplink,
            seed_uplink,
            members: Vec::new(),
            dirty: Vec::new(),
            tick: 0,
            late: 0,
            shown: 0,
        };
        let rider = options.number("rider", 0, 0, peers)?;
        for node in 0..=peers {
            let uplink = if node == 0 { seed_uplink } else { uplink };
            let gives = node == 0 || mode != Mode::Server && node != rider;
            let slots = if gives { 4 } else { 0 };
            let kind =
                Kind { number: node as u32, pieces, has_all: node == 0, slots, policy, seed };
            swarm.members.push(Member::new(&kind, peers)?);
            swarm.post.set_uplink(node as u32, uplink);
        }
        if let Some(liar) = options.get("liar") {
            let liar = number::<usize>("the liar", Some(&liar))?;
            swarm.member(liar)?.lies = true;
        }
        if mode == Mode::Television {
            swarm.skip_all();
        }
        swarm.connect_all(seed)?;
        swarm.settle();
        Ok(swarm)
    }

    fn connect_all(&mut self, seed: u64) -> Result<(), String> {
        let nodes = self.members.len();
        let pairs: Vec<(usize, usize)> = if nodes <= MESH {
            (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b))).collect()
        } else {
            Graph::new(seed).regular(nodes, DEGREE)
        };
        for (a, b) in pairs {
            for (here, there, side) in [(a, b, Side::Accepted), (b, a, Side::Dialled)] {
                let conn = ConnId(there as u32);
                let connected =
                    self.members[here].torrent.handle_connected(Duration::ZERO, conn, side);
                connected.map_err(|error| error.to_string())?;
                self.members[here].received.insert(there as u32, Vec::new());
                self.dirty.push(here);
            }
        }
        Ok(())
    }

    fn member(&mut self, node: usize) -> Result<&mut Member, String> {
        let member = self.members.get_mut(node).filter(|member| member.alive);
        member.ok_or_else(|| format!("there is no living node {node}"))
    }

    /// Lets every node do what it has to do now.
    fn settle(&mut self) {
        while let Some(node) = self.dirty.pop() {
            self.pump(node);
        }
    }

    fn pump(&mut self, node: usize) {
        let now = self.post.now();
        if !self.members[node].alive {
            return;
        }
        self.hear(node);
        self.members[node].deadline = None;
        loop {
            let free_at = self.post.free_at(node as u32);
            if free_at > now + BACKLOG {
                self.members[node].deadline = Some(free_at.saturating_sub(BACKLOG));
                break;
            }
            let Some((to, bytes)) = self.members[node].next_message() else { break };
            let (kind, text) = describe(&bytes);
            self.post.send(Parcel { from: node as u32, to, bytes }, kind, text);
        }
        let member = &mut self.members[node];
        member.deadline = member.deadline.into_iter().chain(member.torrent.poll_timeout()).min();
    }

    /// Handles what a torrent reports.
    fn hear(&mut self, node: usize) {
        let now = self.post.now();
        while let Some(event) = self.members[node].torrent.poll_event() {
            let member = &mut self.members[node];
            let said = match event {
                Event::Verify { piece } => {
                    member.verify(now, piece);
                    continue;
                }
                Event::PieceFailed { piece } => {
                    member.failed += 1;
                    format!("piece {piece} does not have its hash")
                }
                Event::Banned { conn } => {
                    member.ban(conn.0);
                    format!("node {} has sent wrong data and is banned", conn.0)
                }
                Event::Closed { conn, reason } => {
                    member.received.remove(&conn.0);
                    if reason == CloseReason::Corrupt {
                        member.ban(conn.0);
                    }
                    let other = &mut self.members[conn.0 as usize];
                    other.received.remove(&(node as u32));
                    other.torrent.handle_closed(now, ConnId(node as u32));
                    self.dirty.push(conn.0 as usize);
                    format!("closes the connection to node {}: {reason}", conn.0)
                }
                Event::Completed => {
                    member.complete_at = Some(now);
                    "has all pieces".into()
                }
                _ => continue,
            };
            self.post.note(node as u32, "event", said);
        }
    }

    fn deliver(&mut self, parcel: &Parcel) {
        let node = parcel.to as usize;
        let now = self.post.now();
        let member = &mut self.members[node];
        let Some(received) = member.received.get_mut(&parcel.from) else { return };
        received.extend_from_slice(&parcel.bytes);
        loop {
            let (consumed, busy) = self.members[node].read(now, parcel.from);
            if busy {
                self.pump(node);
            } else if consumed == 0 {
                break;
            }
        }
        self.dirty.push(node);
    }

    fn due(&self) -> Option<(Duration, usize)> {
        let living = self.members.iter().enumerate().filter(|(_, member)| member.alive);
        living.filter_map(|(at, member)| Some((member.deadline?, at))).min()
    }

    fn next_tick(&self) -> Option<Duration> {
        let runs =
            self.mode == Mode::Television && self.tick <= self.pieces + DELAY.as_secs() as u32;
        runs.then(|| PACE * self.tick)
    }

    /// Television: nothing is wanted before it is made.
    fn skip_all(&mut self) {
        for member in self.members.iter_mut().skip(1) {
            for piece in (0..self.pieces).map(PieceIndex) {
                member.torrent.set_priority(Duration::ZERO, piece, Priority::SKIP);
            }
        }
    }

    /// Television: a piece is made, another one is shown, and what was shown is of no use any more.
    fn show(&mut self) {
        let now = self.post.now();
        let tick = self.tick;
        self.tick += 1;
        let due = tick.checked_sub(DELAY.as_secs() as u32);
        for (node, member) in
            self.members.iter_mut().enumerate().skip(1).filter(|(_, one)| one.alive)
        {
            if tick < self.pieces {
                member.torrent.set_priority(now, PieceIndex(tick), Priority::NORMAL);
            }
            if let Some(due) = due.filter(|due| *due < self.pieces) {
                self.shown += 1;
                if !member.torrent.have().has(PieceIndex(due)) {
                    self.late += 1;
                    self.post.note(node as u32, "late", format!("piece {due} is due and not here"));
                }
                member.torrent.set_priority(now, PieceIndex(due), Priority::SKIP);
            }
            self.dirty.push(node);
        }
    }

    /// Returns when the last living peer had everything.
    #[must_use]
    pub fn complete_at(&self) -> Option<Duration> {
        let living = self.members.iter().skip(1).filter(|member| member.alive);
        living
            .map(|member| member.complete_at)
            .try_fold(Duration::ZERO, |last, at| Some(last.max(at?)))
    }

    /// Returns whether every piece has a copy outside the seed, so that the swarm outlives it.
    #[must_use]
    pub fn outlives_seed(&self) -> bool {
        let peers = || self.members.iter().skip(1).filter(|member| member.alive);
        (0..self.pieces)
            .all(|piece| peers().any(|member| member.torrent.have().has(PieceIndex(piece))))
    }

    /// Returns the shortest time in which a server with the seed's uplink can send the file to every peer.
    fn server_bound(&self) -> f64 {
        let bytes = f64::from(self.pieces) * f64::from(PIECE_LEN) * (self.members.len() - 1) as f64;
        bytes / self.seed_uplink as f64
    }
}

/// Runs one swarm in each order, and a server alone: when does it outlive its seed, and when is everybody complete? Options are those
/// of [`Swarm::new`].
///
/// # Errors
///
/// A sentence that says which option is wrong.
pub fn compare(options: &Options) -> Result<Json, String> {
    let rows =
        [("rarest", "swarm"), ("random", "swarm"), ("sequential", "swarm"), ("rarest", "server")];
    let rows = rows.map(|(order, mode)| {
        let mut swarm = Swarm::new(&options.clone().with("order", order).with("mode", mode))?;
        let mut outlives = None;
        let mut complete = None;
        // Half a second is finer than what is compared, and a swarm that is not done by then is stuck.
        for at in (0..LONGEST.as_millis() as u64).step_by(500).map(Duration::from_millis) {
            swarm.advance(at);
            outlives = outlives.or_else(|| swarm.outlives_seed().then_some(at.as_secs_f64()));
            complete = swarm.complete_at().map(|at| at.as_secs_f64());
            if complete.is_some() {
                break;
            }
        }
        Ok(Json::object([
            ("order", if mode == "server" { "server alone" } else { order }.into()),
            ("outlives", outlives.into()),
            ("complete", complete.into()),
        ]))
    });
    let rows = rows.into_iter().collect::<Result<Vec<_>, String>>()?;
    Ok(Json::List(rows))
}

fn playback() -> Playback {
    Playback {
        first: PieceIndex(0),
        due: DELAY,
        pace: PACE,
        window: 4,
        urgent: Duration::from_secs(3),
    }
}

impl World for Swarm {
    fn command(&mut self, words: &[&str]) -> Result<String, String> {
        let now = self.post.now();
        let node = number::<usize>("the node", words.get(1));
        match words.first().copied() {
            Some("kill") => {
                let node = node?;
                self.member(node)?.alive = false;
                self.post.kill(node as u32);
                for (at, other) in self.members.iter_mut().enumerate() {
                    if other.received.remove(&(node as u32)).is_some() {
                        other.torrent.handle_closed(now, ConnId(node as u32));
                        self.dirty.push(at);
                    }
                }
                self.settle();
                Ok(format!("node {node} is gone"))
            }
            Some("lie") => {
                let node = node?;
                self.member(node)?.lies = true;
                Ok(format!("node {node} sends wrong data from now on"))
            }
            other => Err(format!("a swarm has no command {other:?}")),
        }
    }

    fn next_at(&self) -> Option<Duration> {
        let due = self.due().map(|(at, _)| at.max(self.post.now()));
        due.into_iter().chain(self.post.next_at()).chain(self.next_tick()).min()
    }

    fn advance(&mut self, until: Duration) {
        loop {
            self.settle();
            let due = self.due();
            let tick = self.next_tick();
            let limit = due.map(|(at, _)| at).into_iter().chain(tick).chain([until]).min();
            let limit = limit.unwrap_or(until);
            if let Some(parcel) = self.post.receive(limit) {
                self.deliver(&parcel);
            } else if tick.is_some_and(|at| at <= limit) {
                self.post.set_now(limit);
                self.show();
            } else if let Some((at, node)) = due.filter(|(at, _)| *at <= until) {
                self.post.set_now(at);
                let now = self.post.now();
                self.members[node].torrent.handle_timeout(now);
                self.dirty.push(node);
            } else {
                return self.post.set_now(until);
            }
        }
    }

    fn view(&self, selected: Option<u32>) -> Json {
        let living = || self.members.iter().filter(|member| member.alive);
        let copies = (0..self.pieces).map(|piece| {
            living().filter(|member| member.torrent.have().has(PieceIndex(piece))).count()
        });
        let details =
            selected.and_then(|node| self.members.get(node as usize)).map(Member::details);
        Json::object([
            ("order", self.order.into()),
            (
                "mode",
                match self.mode {
                    Mode::File => "swarm",
                    Mode::Server => "server",
                    Mode::Television => "tv",
                }
                .into(),
            ),
            ("pieces", self.pieces.into()),
            ("uplink", (self.uplink >> 10).into()),
            ("seeduplink", (self.seed_uplink >> 10).into()),
            ("nodes", Json::list(self.members.iter().map(Member::view))),
            ("copies", Json::list(copies)),
            ("complete", self.complete_at().map(|at| at.as_secs_f64()).into()),
            ("server", self.server_bound().into()),
            ("shown", self.shown.into()),
            ("late", self.late.into()),
            ("selected", details.into()),
        ])
    }

    fn post(&self) -> &Post {
        &self.post
    }
}
