//! Layers, tables and geometries: one membership, and the routing decisions of several overlays.

use std::collections::{BTreeMap, BTreeSet};

use chord_core::geometry::{Bits as _, Can, Kademlia, Neighbour, Pastry, Point, Tapestry};
use chord_core::{Id128, Identifier as _, Peer, Route, RoutingTableVec, Word};
use sim::Rng;

use super::chord::{RING_B, follow, peer, tables};
use super::lesson::{find, items, run, search};
use super::{Check, Fact, equal, fact, failed, holds};

type Node = Peer<u128, u32>;
type Step = Route<u128, u32>;

/// Bits of a digit of Pastry and Tapestry.
const B: u32 = 4;
/// Rows of 16 that are kept: more than a thousand random nodes have digits in common.
const ROWS: usize = 8;

/// Nodes at random places, in the order of their identifiers; the address is the position.
struct Members(Vec<Node>);

impl Members {
    fn new(count: usize) -> Self {
        let mut rng = Rng::new(7);
        let mut ids = BTreeSet::new();
        while ids.len() < count {
            ids.insert(random(&mut rng));
        }
        Self(ids.into_iter().zip(0..).map(|(id, address)| Peer { id, address }).collect())
    }

    fn chord(&self, at: usize) -> RoutingTableVec<u128, u32> {
        RoutingTableVec::of_ring(self.0[at], 4, 24, &self.0)
    }

    fn pastry(&self, at: usize) -> Pastry<u128, u32, Vec<Option<Node>>, Vec<Option<Node>>> {
        let mut node = Pastry::new(self.0[at], B, vec![None; ROWS << B], vec![None; 16]);
        self.0.iter().for_each(|peer| node.learn(*peer));
        node
    }

    fn tapestry(&self, at: usize) -> Tapestry<u128, u32, Vec<Option<Node>>> {
        let mut node = Tapestry::new(self.0[at], B, vec![None; ROWS << B]);
        for peer in &self.0 {
            node.learn(*peer);
        }
        node
    }

    fn kademlia(&self, at: usize) -> Kademlia<u128, u32, Vec<Option<Node>>> {
        let mut node = Kademlia::new(self.0[at], 8, vec![None; 8 * 24]);
        for peer in &self.0 {
            node.learn(*peer);
        }
        node
    }

    /// Follows the decisions from a node; returns the hops and the owner.
    fn walk(&self, start: usize, step: impl Fn(&Self, usize) -> Step) -> (u32, u32) {
        let mut at = start;
        for hops in 0.. {
            match step(self, at) {
                Route::Owner(owner) => {
                    return (hops + u32::from(owner.address != at as u32), owner.address);
                }
                Route::Ask(next) => at = next.address as usize,
            }
            if hops > 200 {
                break;
            }
        }
        (u32::MAX, u32::MAX)
    }
}

fn random(rng: &mut Rng) -> u128 {
    u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
}

type Zone = Can<u128, u32, Vec<Option<Neighbour<u128, u32, 2>>>, 2>;

/// A torus of two dimensions. Each newcomer halves the largest zone near a point chosen by chance.
struct Torus(Vec<Zone>);

impl Torus {
    fn grow(members: &Members) -> Result<Self, String> {
        const SLOTS: usize = 48;
        let mut rng = Rng::new(5);
        let mut torus = Self(vec![Can::new(members.0[0], vec![None; SLOTS])]);
        for newcomer in &members.0[1..] {
            let point = [rng.next_u64() as u32, rng.next_u64() as u32];
            let mut owner = torus.walk(0, point).1;
            while let Some(larger) = torus.0[owner].larger() {
                owner = larger.peer.address as usize;
            }
            let around: Vec<usize> =
                torus.0[owner].neighbours().map(|near| near.peer.address as usize).collect();
            let half = torus.0[owner].split(*newcomer, vec![None; SLOTS]).map_err(failed)?;
            torus.0.push(half);
            for near in around {
                for changed in [owner, torus.0.len() - 1] {
                    let peer = torus.0[changed].me();
                    let zone = torus.0[changed].zone();
                    torus.0[near].learn(peer, zone).map_err(failed)?;
                }
            }
        }
        Ok(torus)
    }

    fn walk(&self, start: usize, point: Point<2>) -> (u32, usize) {
        let mut hops = 0;
        let mut at = start;
        loop {
            match self.0[at].route(&point) {
                Route::Owner(owner) => return (hops, owner.address as usize),
                Route::Ask(next) => at = next.address as usize,
            }
            hops += 1;
        }
    }
}

/// The point of a key on the torus.
fn point(key: u128) -> Point<2> {
    [(key >> 96) as u32, (key >> 64) as u32]
}

/// Puts 40 values at random nodes and gets each from every node, by what names the owner of a key.
fn put_and_get(nodes: usize, owner: impl Fn(usize, u128) -> u32) -> usize {
    let mut rng = Rng::new(3);
    let mut stored: BTreeMap<(u32, u128), u64> = BTreeMap::new();
    let keys: Vec<u128> = (0..40).map(|_| random(&mut rng)).collect();
    for (value, key) in (0..).zip(&keys) {
        let at = rng.below(nodes as u64) as usize;
        stored.insert((owner(at, *key), *key), value);
    }
    let got = |at: usize| {
        let found = (0..)
            .zip(&keys)
            .filter(|(value, key)| stored.get(&(owner(at, **key), **key)) == Some(value));
        found.count()
    };
    (0..nodes).map(got).sum()
}

pub const FACTS: &[Fact] = &[
    fact(
        "C-GEN-03",
        "an edge is a connection or a pointer to an address: hits over connections, and an owner by datagrams to numbers",
        "gnutella_wire::ConnId, chord_core::Address",
        "INTRO Overlay Network, Overlay Graph; PPN same",
        || {
            let found = search("nodes=24", &[], 3, "debaser")?.flat.found;
            let view = run("ring", "", &[("lookup 26 1", 5)])?;
            let lookup = items(find(&view, &["lookups"])?).first().ok_or("no lookup")?;
            equal((found, find(lookup, &["owner"])?.to_string()), (3, "28".into()))
        },
    ),
    fact(
        "C-GEN-13",
        "put and get over route: 40 values from each of 32 nodes, over Chord, Pastry and CAN",
        "chord_core::Route",
        "ARCH Layers in P2P",
        layers,
    ),
    fact(
        "C-GEN-14",
        "each node has a local routing table: different fingers of 20 of 1,000 nodes, on average about log2 N",
        "chord_core::FingerTable",
        "ARCH Layers in P2P",
        || {
            let members = Members::new(1_000);
            let distinct = |at: usize| {
                let table = members.chord(at);
                let fingers = (1..=128).filter_map(|i| table.fingers.finger(i));
                fingers.map(|peer| peer.address).collect::<BTreeSet<_>>().len()
            };
            let mean = (0..20).map(|nth| distinct(nth * 50)).sum::<usize>() as f64 / 20.0;
            holds((8.5..11.5).contains(&mean), format!("{mean:.1}"))
        },
    ),
    fact(
        "C-GEN-16",
        "a generic substrate: four geometries decide alike, owner or next node; 50 lookups of each that end at its owner",
        "chord_core::Route, geometry::{Pastry, Tapestry, Kademlia}",
        "DT Common Issues",
        substrate,
    ),
    fact(
        "C-DHT-06",
        "insert and retrieve: a value that node 3 puts, from all 64 nodes of a ring",
        "chord_core::RoutingTable::route",
        "INTRO Structured P2P; DT Content-Addressable Network",
        || {
            let members = Members::new(64);
            let owner =
                |at: usize, key: u128| members.walk(at, |all, at| all.chord(at).route(key)).1;
            let key = u128::MAX / 3;
            let stored = owner(3, key);
            equal((0..64).filter(|at| owner(*at, key) == stored).count(), 64)
        },
    ),
    fact(
        "C-CHD-17",
        "the new node asks for each entry, or copies its successor's: lookups for node 26, entries that differ, owners that do",
        "chord_core::FingerTable",
        "BAUN Insert new Nodes (2/2)",
        newcomer,
    ),
    fact(
        "C-OVL-01",
        "Pastry: circular ids of 128 bits: the id after the last one, and digits of hexadecimal",
        "chord_core::Id128",
        "DT Object Distribution",
        || {
            let next = Id128::from([0xFF; 16]).finger_start(1);
            equal((next == Id128::from([0; 16]), next.to_string().len()), (true, 32))
        },
    ),
    fact(
        "C-OVL-03",
        "Pastry: less than log16 N steps expected, 2.49 for 1,000 nodes: the mean of 300 lookups",
        "chord_core::geometry::Pastry",
        "DT Pastry",
        || {
            let members = Members::new(1_000);
            let mut rng = Rng::new(2);
            let mut sum = 0;
            for _ in 0..300 {
                let key = random(&mut rng);
                let start = rng.below(1_000) as usize;
                sum += members.walk(start, |all, at| all.pastry(at).route(key)).0;
            }
            let mean = f64::from(sum) / 300.0;
            holds((1.0..2.49).contains(&mean), format!("{mean:.2}"))
        },
    ),
    fact(
        "C-OVL-04",
        "Pastry: heuristics of locality: of nodes that fit one place of the table, the distance of the one that is kept",
        "chord_core::geometry::Pastry::learn_if",
        "DT Pastry",
        || {
            let mut node = Pastry::new(peer(1), 1, vec![None; 10], vec![None; 0]);
            // All of these differ from node 1 in the first bit. Their distances in the network:
            let far = |id: u32| [30, 10, 20, 40][id as usize % 4];
            for id in [20, 21, 22, 23] {
                node.learn_if(peer(id), |new, old| far(new.address) < far(old.address));
            }
            let kept: Vec<u32> =
                node.known().map(|known| known.address).filter(|id| *id != 1).map(far).collect();
            equal(kept, vec![10])
        },
    ),
    fact(
        "C-OVL-05",
        "CAN: paths of (d / 4) N^(1/d) hops, 8 for 256 nodes of two dimensions, and 2 d = 4 neighbours: means",
        "chord_core::geometry::Can",
        "DT Content-Addressable Network",
        || {
            let torus = Torus::grow(&Members::new(256))?;
            let mut rng = Rng::new(4);
            let mut sum = 0;
            for _ in 0..500 {
                let to = point(random(&mut rng));
                let (hops, owner) = torus.walk(rng.below(256) as usize, to);
                if !torus.0[owner].zone().contains(&to) {
                    return Err("the walk ends at a node without the point".into());
                }
                sum += hops;
            }
            let hops = f64::from(sum) / 500.0;
            let near =
                torus.0.iter().map(|zone| zone.neighbours().count()).sum::<usize>() as f64 / 256.0;
            let right = (6.0..10.0).contains(&hops) && (4.0..6.0).contains(&near);
            holds(right, format!("{hops:.1} hops and {near:.1} neighbours"))
        },
    ),
    fact(
        "C-OVL-06",
        "Tapestry: a router by prefixes: different roots of each of 20 keys, from all of 100 nodes",
        "chord_core::geometry::Tapestry",
        "DT classification; ARCH Layers",
        || {
            let members = Members::new(100);
            let nodes: Vec<_> = (0..100).map(|at| members.tapestry(at)).collect();
            let mut rng = Rng::new(6);
            let roots = (0..20).map(|_| {
                let key = random(&mut rng);
                let root = |start| members.walk(start, |_, at| nodes[at].route(key)).1;
                (0..100).map(root).collect::<BTreeSet<_>>().len()
            });
            equal(roots.max(), Some(1))
        },
    ),
];

fn layers() -> Check {
    const NODES: usize = 32;
    let members = Members::new(NODES);
    let torus = Torus::grow(&members)?;
    let chord: Vec<_> = (0..NODES).map(|at| members.chord(at)).collect();
    let pastry: Vec<_> = (0..NODES).map(|at| members.pastry(at)).collect();
    let got = [
        put_and_get(NODES, |at, key| members.walk(at, |_, at| chord[at].route(key)).1),
        put_and_get(NODES, |at, key| members.walk(at, |_, at| pastry[at].route(key)).1),
        put_and_get(NODES, |at, key| torus.walk(at, point(key)).1 as u32),
    ];
    equal(got, [40 * NODES; 3])
}

fn substrate() -> Check {
    let members = Members::new(200);
    let mut rng = Rng::new(9);
    let mut right = [0; 4];
    for _ in 0..50 {
        let key = random(&mut rng);
        let start = rng.below(200) as usize;
        let least = |far: &dyn Fn(&Node) -> u128| {
            members.0.iter().min_by_key(|node| far(node)).map_or(0, |node| node.address)
        };
        let successor = least(&|node| node.id.wrapping_sub(key));
        let closest = least(&|node| node.id.wrapping_sub(key).min(key.wrapping_sub(node.id)));
        let by_xor = least(&|node| node.id.xor(key));
        let root = members.walk(0, |all, at| all.tapestry(at).route(key)).1;
        let found = [
            members.walk(start, |all, at| all.chord(at).route(key)).1 == successor,
            members.walk(start, |all, at| all.pastry(at).route(key)).1 == closest,
            members.walk(start, |all, at| all.tapestry(at).route(key)).1 == root,
            members.walk(start, |all, at| all.kademlia(at).route(key)).1 == by_xor,
        ];
        for (count, found) in right.iter_mut().zip(found) {
            *count += usize::from(found);
        }
    }
    equal(right, [50; 4])
}

/// Node 26 joins the ring of nine between 21 and 28.
fn newcomer() -> Check {
    let ring: Vec<u32> = RING_B.into_iter().chain([26]).collect();
    let asked = tables(&ring);
    let mut copied = asked.clone();
    let at = asked.iter().position(|table| table.me.address == 26).ok_or("no node 26")?;
    let source = asked.iter().position(|table| table.me.address == 28).ok_or("no node 28")?;
    let mut lookups = 0;
    let mut differ = 0;
    for finger in 1..=5 {
        let start = Word::<5>::new(26).finger_start(finger);
        let (_, owner) = follow(&tables(&RING_B), 28, start.value() as u32);
        lookups += 1;
        let own = asked[at].fingers.finger(finger).map_or(26, |peer| peer.address);
        if owner != own {
            return Err(format!("finger {finger} is {own}, and a lookup finds {owner}"));
        }
        let theirs = copied[source].fingers.finger(finger).unwrap_or(peer(28));
        differ += u32::from(theirs.address != own);
        copied[at].fingers.set(finger, theirs);
    }
    let wrong = (0..32).filter(|key| follow(&copied, 26, *key).1 != follow(&asked, 26, *key).1);
    let wrong = wrong.count();
    holds(lookups == 5 && differ > 0 && wrong == 0, format!("{lookups}, {differ} and {wrong}"))
}
