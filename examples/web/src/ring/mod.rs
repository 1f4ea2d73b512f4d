//! A ring of `chord_core::Node`s.

mod join;

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{
    Config, Event, Identifier as _, LookupId, Message, Node, NodeLimits, NodeVec, Peer, State,
    Word, transitions::TRANSITIONS,
};
use sim::Rng;

use crate::options::{list, number};
use crate::post::{Parcel, Post};
use crate::{Json, Options, World};

use join::{Join, Pointers};

/// The ring of the lectures with the longest lookups (Tanenbaum and van Steen).
const MEMBERS: [u32; 9] = [1, 4, 9, 11, 14, 18, 20, 21, 28];
/// Long enough to see a message on its way.
const LATENCY: Duration = Duration::from_millis(200);
const JITTER: Duration = Duration::from_millis(40);
/// The cost of a finger that a lookup of the node replaces by itself.
const REPLACEABLE: u16 = u16::MAX - 1;

/// Builds a ring. Options: `m` bits of an identifier (3, 5, 6 or 8), `nodes` that are members at the beginning, `r` successors
/// that a node remembers, `seed`, `loss` of 1,000 messages.
///
/// # Errors
///
/// A sentence that says which option is wrong.
pub fn build(options: &Options) -> Result<Box<dyn World>, String> {
    Ok(match options.number("m", 5, 3, 8)? {
        3 => Box::new(Ring::<3>::new(options)?),
        5 => Box::new(Ring::<5>::new(options)?),
        6 => Box::new(Ring::<6>::new(options)?),
        8 => Box::new(Ring::<8>::new(options)?),
        m => return Err(format!("m is 3, 5, 6 or 8 here, not {m}")),
    })
}

type Machine<const M: u32> = Node<Word<M>, u32, NodeVec<Word<M>, u32>>;

/// A ring of identifiers of `M` bits. The address of a node is its identifier.
pub struct Ring<const M: u32> {
    post: Post,
    seed: u64,
    r: usize,
    members: BTreeMap<u32, Member<M>>,
    lookups: Vec<Lookup>,
    joins: Vec<Join>,
}

struct Member<const M: u32> {
    node: Machine<M>,
    alive: bool,
    merged: u32,
}

/// A lookup of the user.
struct Lookup {
    id: LookupId,
    key: u32,
    path: Vec<u32>,
    outcome: Option<Result<u32, String>>,
}

fn peer<const M: u32>(id: u32) -> Peer<Word<M>, u32> {
    Peer { id: Word::new(id.into()), address: id }
}

fn id_of<const M: u32>(peer: Peer<Word<M>, u32>) -> Json {
    peer.address.into()
}

impl<const M: u32> Ring<M> {
    /// See [`build`].
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn new(options: &Options) -> Result<Self, String> {
        let seed = options.number("seed", 1, 0, u64::MAX)?;
        let r = options.number("r", 1, 1, 8)?;
        let mut ids = options.list("nodes")?.unwrap_or_else(|| MEMBERS.to_vec());
        ids.sort_unstable();
        ids.dedup();
        if ids.len() <= r || ids.len() > 64 {
            return Err(format!("a ring of {r} remembered successors has {} to 64 nodes", r + 1));
        }
        let mut ring = Self {
            post: Post::new(seed, LATENCY, JITTER),
            seed,
            r,
            members: BTreeMap::new(),
            lookups: Vec::new(),
            joins: Vec::new(),
        };
        ring.post.set_loss(options.number("loss", 0, 0, 500)?);
        let base: Vec<_> = ids.iter().map(|id| peer(*id)).collect();
        for id in &ids {
            ring.add(*id)?;
        }
        for (id, member) in &mut ring.members {
            let begun = member.node.create_base(Duration::ZERO, &base);
            begun.map_err(|error| error.to_string())?;
            let me = Word::<M>::new(u64::from(*id));
            let mut others = base.clone();
            others.sort_by_key(|other| me.distance(other.id));
            for other in others {
                member.node.offer_finger(other, REPLACEABLE);
            }
        }
        for id in ids {
            ring.pump(id);
        }
        Ok(ring)
    }

    fn add(&mut self, id: u32) -> Result<(), String> {
        if u64::from(id) >= 1 << M {
            return Err(format!("an identifier of {M} bits is below {}, not {id}", 1 << M));
        }
        if self.members.contains_key(&id) {
            return Err(format!("{id} is taken: even a node that is gone keeps its identifier"));
        }
        let mut config = Config::default();
        config.stabilize = Duration::from_secs(5);
        config.fix_fingers = Duration::from_secs(4);
        config.patience = Duration::from_secs(1);
        config.tries = 2;
        config.seed = self.seed << 16 | u64::from(id);
        let limits =
            NodeLimits { successors: self.r, fingers: M as usize, lookups: 4, contacts: 8 };
        let node = Node::new(config, peer(id), NodeVec::new(limits));
        let node = node.map_err(|error| error.to_string())?;
        self.members.insert(id, Member { node, alive: true, merged: 0 });
        Ok(())
    }

    fn alive(&mut self, id: u32) -> Result<&mut Member<M>, String> {
        let member = self.members.get_mut(&id).filter(|member| member.alive);
        member.ok_or_else(|| format!("there is no living node {id}"))
    }

    /// Sends what a node has to send, and notes what it reports.
    fn pump(&mut self, id: u32) {
        let Some(member) = self.members.get_mut(&id).filter(|member| member.alive) else { return };
        let mut buf = [0; 1_024];
        while let Ok(Some(sent)) = member.node.poll_transmit(&mut buf) {
            let bytes = buf[..sent.len].to_vec();
            let Ok((message, _)) = Message::<Word<M>, u32>::decode(&bytes) else { continue };
            self.post.send(
                Parcel { from: id, to: sent.to, bytes },
                kind(&message),
                message.to_string(),
            );
        }
        while let Some(event) = member.node.poll_event() {
            self.post.note(id, "event", event.to_string());
            match event {
                Event::Merged => member.merged += 1,
                Event::LookupHop { lookup, peer, .. } => {
                    if let Some(known) = self.lookups.iter_mut().find(|one| one.is(id, lookup)) {
                        known.path.push(peer.address);
                    }
                }
                Event::LookupDone { lookup, owner, .. } => {
                    if let Some(known) = self.lookups.iter_mut().find(|one| one.is(id, lookup)) {
                        known.outcome = Some(Ok(owner.address));
                    }
                }
                Event::LookupFailed { lookup, reason, .. } => {
                    if let Some(known) = self.lookups.iter_mut().find(|one| one.is(id, lookup)) {
                        known.outcome = Some(Err(format!("{reason:?}")));
                    }
                }
                _ => {}
            }
        }
        self.mark_joins();
    }

    /// Marks the steps of joins that the pointers of the nodes show.
    fn mark_joins(&mut self) {
        let now = self.post.now();
        let members = &self.members;
        let pointers = |id: u32| {
            let node = &members.get(&id).filter(|member| member.alive)?.node;
            node.state().is_member().then(|| Pointers {
                predecessor: node.predecessor().map(|peer| peer.address),
                successor: node.successors().first().map(|peer| peer.address),
            })
        };
        for join in self.joins.iter_mut().filter(|join| !join.is_done()) {
            while let Some(step) = join.observe(now, pointers) {
                self.post.note(join.node, "event", step);
            }
        }
    }

    fn look_up(&mut self, key: u32, from: u32) -> Result<String, String> {
        if u64::from(key) >= 1 << M {
            return Err(format!("a key of {M} bits is below {}, not {key}", 1 << M));
        }
        let now = self.post.now();
        let lookup = self.alive(from)?.node.lookup(now, Word::new(key.into()));
        let id = lookup.map_err(|error| error.to_string())?;
        self.lookups.push(Lookup { id, key, path: vec![from], outcome: None });
        self.pump(from);
        Ok(format!("node {from} looks for the owner of key {key}"))
    }

    /// Lets a new node join by a contact, or by any member.
    fn join(&mut self, id: u32, contact: Option<u32>) -> Result<String, String> {
        let is_member = |member: &&Member<M>| member.alive && member.node.state().is_member();
        let any = || self.members.values().find(is_member).map(|member| member.node.me().address);
        let contact = contact.or_else(any).ok_or("there is no member to join by")?;
        self.add(id)?;
        let now = self.post.now();
        let joining = self.alive(id)?.node.join(now, contact);
        joining.map_err(|error| error.to_string())?;
        self.joins.push(Join::new(now, id, contact));
        self.pump(id);
        Ok(format!("node {id} joins by node {contact}"))
    }

    /// Offers every node random nodes as its fingers, living and dead ones.
    fn spoil_fingers(&mut self) -> String {
        let mut rng = Rng::new(self.seed ^ self.post.now().as_micros() as u64);
        let known: Vec<u32> = self.members.keys().copied().collect();
        for member in self.members.values_mut() {
            for _ in 0..2 * M {
                let any = known[rng.below(known.len() as u64) as usize];
                member.node.offer_finger(peer(any), 0);
            }
        }
        "every node has wrong fingers now".into()
    }

    fn due(&self) -> Option<(Duration, u32)> {
        let living = self.members.iter().filter(|(_, member)| member.alive);
        living.filter_map(|(id, member)| Some((member.node.poll_timeout()?, *id))).min()
    }

    fn describe(&self, id: u32, member: &Member<M>) -> Json {
        let node = &member.node;
        Json::object([
            ("id", id.into()),
            ("alive", member.alive.into()),
            ("cut", self.post.is_cut_off(id).into()),
            ("state", format!("{:?}", node.state()).into()),
            ("member", (member.alive && node.state().is_member()).into()),
            ("keys", node.keys().to_string().into()),
            ("predecessor", node.predecessor().map(id_of).into()),
            ("successors", Json::list(node.successors().iter().copied().map(id_of))),
        ])
    }

    /// Describes a node: its table, and the table of its states with the present one marked.
    fn details(&self, id: u32) -> Option<Json> {
        let member = self.members.get(&id)?;
        let node = &member.node;
        let me = Word::<M>::new(id.into());
        let table = node.routing_table();
        let fingers = (1..=M).map(|i| {
            let finger = table.fingers.finger(i).map_or(id, |peer| peer.address);
            Json::List(vec![me.finger_start(i).value().into(), finger.into()])
        });
        let rows = TRANSITIONS.iter().map(|(from, input, to)| {
            let here = *from == node.state();
            let cells = [format!("{from:?}"), format!("{input:?}"), format!("{to:?}")];
            Json::object([("cells", Json::list(cells)), ("here", here.into())])
        });
        Some(
            self.describe(id, member)
                .with("fingers", Json::List(fingers.collect()))
                .with("transitions", Json::List(rows.collect())),
        )
    }

    /// Returns whether the first successor of each living node is the next living node on its side of the cut.
    fn is_ideal(&self) -> bool {
        let members = self.members.iter().filter(|(_, member)| {
            member.alive && !matches!(member.node.state(), State::Outside | State::Gone)
        });
        let living: Vec<u32> = members.map(|(id, _)| *id).collect();
        [false, true].into_iter().all(|side| {
            let cut = |id: &u32| self.post.is_cut_off(*id) == side;
            let ring: Vec<u32> = living.iter().copied().filter(cut).collect();
            ring.iter().enumerate().all(|(at, id)| {
                let next = ring[(at + 1) % ring.len()];
                let first = self.members[id].node.successors().first().map(|peer| peer.address);
                first.unwrap_or(*id) == next
            })
        })
    }
}

impl Lookup {
    fn is(&self, from: u32, id: LookupId) -> bool {
        self.path.first() == Some(&from) && self.id == id
    }
}

fn kind<const M: u32>(message: &Message<Word<M>, u32>) -> &'static str {
    match message {
        Message::Find { .. }
        | Message::Closer { .. }
        | Message::Owner { .. }
        | Message::Route { .. }
        | Message::Found { .. } => "lookup",
        Message::Query { .. } | Message::State { .. } => "stabilize",
        Message::Ping { .. } | Message::Pong { .. } => "ping",
        _ => "notify",
    }
}

impl<const M: u32> World for Ring<M> {
    fn command(&mut self, words: &[&str]) -> Result<String, String> {
        let now = self.post.now();
        let first = || number::<u32>("a node or key", words.get(1));
        match words.first().copied() {
            Some("lookup") => self.look_up(first()?, number("the node that asks", words.get(2))?),
            Some("join") => {
                let contact =
                    if words.len() > 2 { Some(number("the contact", words.get(2))?) } else { None };
                self.join(first()?, contact)
            }
            Some("kill") => {
                let id = first()?;
                self.alive(id)?.alive = false;
                self.post.kill(id);
                Ok(format!("node {id} has crashed"))
            }
            Some("leave") => {
                let id = first()?;
                self.alive(id)?.node.leave(now);
                self.pump(id);
                Ok(format!("node {id} has left"))
            }
            Some("cut") => {
                let island = list("the island", words.get(1).copied().unwrap_or_default())?;
                self.post.cut(island.iter().copied());
                Ok(format!("{} nodes are cut off from the others", island.len()))
            }
            Some("link") => {
                let one = first()?;
                let other = number("the other node", words.get(2))?;
                self.alive(one)?;
                self.alive(other)?;
                self.post.cut_link(one, other);
                Ok(format!("nothing passes between nodes {one} and {other}"))
            }
            Some("heal") => {
                self.post.cut([]);
                self.post.mend_links();
                Ok("the network is whole again".into())
            }
            Some("garbage") => Ok(self.spoil_fingers()),
            other => Err(format!("a ring has no command {other:?}")),
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
            if let Some(Parcel { from, to, bytes }) = self.post.receive(limit) {
                let now = self.post.now();
                if let Ok(member) = self.alive(to) {
                    // One that is full or unreadable is lost, as it may be anywhere.
                    let _ = member.node.handle_datagram(now, from, &bytes);
                }
                self.pump(to);
            } else if let Some((at, id)) = due.filter(|(at, _)| *at <= until) {
                self.post.set_now(at);
                let now = self.post.now();
                if let Ok(member) = self.alive(id) {
                    member.node.handle_timeout(now);
                }
                self.pump(id);
            } else {
                return self.post.set_now(until);
            }
        }
    }

    fn view(&self, selected: Option<u32>) -> Json {
        let members = self.members.iter().map(|(id, member)| self.describe(*id, member));
        let lookups = self.lookups.iter().map(|lookup| {
            let owner = lookup.outcome.as_ref().and_then(|outcome| outcome.as_ref().ok().copied());
            let failed = lookup.outcome.as_ref().and_then(|outcome| outcome.clone().err());
            Json::object([
                ("key", lookup.key.into()),
                ("path", Json::list(lookup.path.iter().copied())),
                ("owner", owner.into()),
                ("failed", failed.into()),
            ])
        });
        let merged: u32 = self.members.values().map(|member| member.merged).sum();
        Json::object([
            ("m", M.into()),
            ("r", self.r.into()),
            ("cut", self.post.is_cut().into()),
            ("broken", Json::list(self.post.cut_links().map(|(a, b)| Json::list([a, b])))),
            ("joins", Json::list(self.joins.iter().map(Join::view))),
            ("ideal", self.is_ideal().into()),
            ("merged", merged.into()),
            ("nodes", Json::List(members.collect())),
            ("lookups", Json::List(lookups.collect())),
            ("selected", selected.and_then(|id| self.details(id)).into()),
        ])
    }

    fn post(&self) -> &Post {
        &self.post
    }
}
