//! Hash tables, the ring, and another geometry.

use chord_core::geometry::Pastry;
use chord_core::{
    FingerSlot, FingerTable, Id128, Id160, Identifier as _, Peer, Route, RoutingTableVec, Word,
};
use sha1::Digest as _;
use sim::Rng;

use super::lesson::{find, items, number, run};
use super::{Check, Fact, equal, fact, failed};

pub type Id = Word<5>;
pub type Table = RoutingTableVec<Id, u32>;

/// The ring of node 8, and that of Tanenbaum and van Steen.
const RING_A: [u32; 6] = [1, 4, 8, 11, 14, 17];
pub const RING_B: [u32; 9] = [1, 4, 9, 11, 14, 18, 20, 21, 28];
/// Identifiers that the lecture leaves open in the ring of node 8.
const OPEN: [u32; 10] = [5, 6, 7, 15, 18, 19, 20, 21, 22, 23];

pub fn peer(id: u32) -> Peer<Id, u32> {
    Peer { id: Word::new(id.into()), address: id }
}

pub fn tables(ring: &[u32]) -> Vec<Table> {
    let members: Vec<_> = ring.iter().map(|id| peer(*id)).collect();
    members.iter().map(|me| RoutingTableVec::of_ring(*me, 1, 16, &members)).collect()
}

/// The same nodes without fingers.
fn linear(ring: &[u32]) -> Vec<Table> {
    let mut tables = tables(ring);
    for table in &mut tables {
        table.fingers = FingerTable::new(table.me.id, vec![FingerSlot::EMPTY; 16]);
    }
    tables
}

/// Follows a lookup; returns the nodes on its way and the owner.
pub fn follow(tables: &[Table], start: u32, key: u32) -> (Vec<u32>, u32) {
    let mut path = vec![start];
    let mut at = start;
    loop {
        let Some(table) = tables.iter().find(|table| table.me.address == at) else {
            return (path, u32::MAX);
        };
        match table.route(Word::new(key.into())) {
            Route::Owner(owner) => return (path, owner.address),
            Route::Ask(next) => {
                at = next.address;
                path.push(at);
            }
        }
    }
}

fn fingers(ring: &[u32], node: u32) -> Vec<(u64, u32)> {
    let tables = tables(ring);
    let table = tables.iter().find(|table| table.me.address == node);
    table.map_or(Vec::new(), |table| {
        let finger = |i| table.fingers.finger(i).map_or(node, |peer| peer.address);
        (1..=5).map(|i| (table.me.id.finger_start(i).value(), finger(i))).collect()
    })
}

/// All lookups of a ring: from each node for each key, as lengths of their paths.
fn all_hops(tables: &[Table]) -> Vec<usize> {
    let starts = tables.iter().map(|table| table.me.address);
    starts
        .flat_map(|start| (0..32).map(move |key| follow(tables, start, key).0.len() - 1))
        .collect()
}

const TABLE_8: [(u64, u32); 5] = [(9, 11), (10, 11), (12, 14), (16, 17), (24, 1)];

pub const TABLES: &[Fact] = &[
    fact(
        "C-DHT-02",
        "keys are spread: those of each of the nine nodes",
        "chord_core::RoutingTable::route",
        "BAUN Distributed Hash Table (DHT)",
        || {
            let tables = tables(&RING_B);
            let owned = RING_B.map(|node| (0..32).filter(|key| follow(&tables, 1, *key).1 == node).count());
            equal(owned, [5, 3, 5, 2, 3, 4, 2, 1, 7])
        },
    )
    .but("E-26"),
    fact(
        "C-DHT-03",
        "if the responsible node fails, the clockwise next one is responsible",
        "chord_core::RoutingTable::route",
        "BAUN DHT - Short Summary",
        || {
            let after: Vec<u32> = RING_B.into_iter().filter(|node| *node != 28).collect();
            let owners = [follow(&tables(&RING_B), 4, 26).1, follow(&tables(&after), 4, 26).1];
            equal(owners, [28, 1])
        },
    ),
    fact(
        "C-DHT-05",
        "SHA-1 gives 160 bits, MD5 128",
        "chord_core::Id160, Id128",
        "BAUN Hash Function",
        || {
            let sha1: [u8; 20] = sha1::Sha1::digest("hey jude").into();
            let md5: [u8; 16] = md5::Md5::digest("hey jude").into();
            let text = format!("{} {}", Id160::from(sha1), Id128::from(md5));
            let digits: Vec<usize> = text.split(' ').map(str::len).collect();
            equal(digits.iter().map(|digits| 4 * digits).collect(), vec![160, 128])
        },
    )
    .but("E-17"),
    fact(
        "C-CHD-02",
        "key k belongs to the first node with an id of at least k: keys 0, 4, 26, 29",
        "chord_core::RoutingTable::route",
        "BAUN Key distribution in the Chord Ring",
        || equal([0, 4, 26, 29].map(|key| follow(&tables(&RING_B), 11, key).1), [1, 4, 28, 1]),
    )
    .but("E-15"),
    fact(
        "C-CHD-03",
        "linear search: forwardings of all 288 lookups, (N - 1) / 2 each on average",
        "chord_core::SuccessorList",
        "BAUN Linear Search",
        || {
            let hops = all_hops(&linear(&RING_B));
            let sum: usize = hops.iter().sum();
            equal((sum, sum as f64 / hops.len() as f64, hops.into_iter().max()), (1_152, 4.0, Some(8)))
        },
    ),
    fact(
        "C-CHD-04",
        "start i is n + 2^(i-1): those of node 8",
        "chord_core::Identifier::finger_start",
        "BAUN Binary Search",
        || equal(core::array::from_fn(|i| Id::new(8).finger_start(i as u32 + 1).value()), [9, 10, 12, 16, 24]),
    ),
    fact(
        "C-CHD-05",
        "every node has a table of m references",
        "chord_core::FingerTable",
        "BAUN Binary Search",
        || equal(fingers(&RING_A, 8).len(), 5),
    )
    .but("E-16"),
    fact(
        "C-CHD-06",
        "the table of node 8",
        "chord_core::FingerTable",
        "BAUN Binary Search, Example",
        || equal(fingers(&RING_A, 8), TABLE_8.to_vec()),
    ),
    fact(
        "C-CHD-07",
        "with the nodes that the lecture leaves open the table of node 8 stays",
        "chord_core::FingerTable",
        "BAUN Search Requests",
        || {
            let with = |open: u32| {
                let ring: Vec<u32> = RING_A.into_iter().chain([open]).collect();
                fingers(&ring, 8) == TABLE_8
            };
            equal(OPEN.into_iter().filter(|open| with(*open)).count(), 10)
        },
    )
    .but("E-11"),
    fact(
        "C-CHD-08",
        "with each hop the distance can be halved: forwardings of all 288 lookups, at most 4 each",
        "chord_core::FingerTable",
        "BAUN Search Requests",
        || {
            let hops = all_hops(&tables(&RING_B));
            equal((hops.iter().sum::<usize>(), hops.into_iter().max()), (466, Some(4)))
        },
    ),
    fact(
        "C-CHD-09",
        "key 3 asked at node 8",
        "chord_core::RoutingTable::route",
        "BAUN Example",
        || equal(follow(&tables(&RING_A), 8, 3), (vec![8, 1], 4)),
    )
    .but("E-10"),
    fact(
        "C-CHD-10",
        "it is impossible to search backwards: every node on a way lies before the key",
        "chord_core::Identifier::between",
        "BAUN Example (note)",
        || {
            let tables = tables(&RING_B);
            let forward = |start: u32, key: u32| {
                let (path, _) = follow(&tables, start, key);
                let id = |node: u32| Id::new(node.into());
                path.windows(2).all(|pair| id(pair[1]).between(id(pair[0]), id(key)))
            };
            let right = RING_B.iter().flat_map(|start| (0..32).map(move |key| (*start, key)));
            equal(right.filter(|(start, key)| forward(*start, *key)).count(), 288)
        },
    ),
    fact(
        "C-CHD-11",
        "key 26 asked at node 1",
        "chord_core::RoutingTable::route",
        "BAUN Example from Tanenbaum (1/2)",
        || equal(follow(&tables(&RING_B), 1, 26), (vec![1, 18, 20, 21], 28)),
    ),
    fact(
        "C-CHD-12",
        "key 12 asked at node 28",
        "chord_core::RoutingTable::route",
        "BAUN Example from Tanenbaum (2/2)",
        || equal(follow(&tables(&RING_B), 28, 12), (vec![28, 4, 9, 11], 14)),
    ),
    fact(
        "C-CHD-15",
        "is x a better predecessor of n than v? n, v, x: 1 28 30, 1 28 0, 1 28 2, 9 4 5, 9 4 20",
        "chord_core::Identifier::between",
        "BAUN Insert new Nodes (1/2)",
        || {
            let cases = [(1, 28, 30), (1, 28, 0), (1, 28, 2), (9, 4, 5), (9, 4, 20)];
            let better = cases.map(|(n, v, x)| Id::new(x).between(Id::new(v), Id::new(n)));
            equal(better, [true, true, false, true, false])
        },
    )
    .but("E-12"),
    fact(
        "C-CHD-18",
        "fingers matter for the duration, not for the result: owners of 640 lookups with random fingers",
        "chord_core::FingerTable",
        "BAUN Insert new Nodes (2/2)",
        wrong_fingers,
    )
    .but("E-14"),
    fact(
        "C-OVL-02",
        "Pastry: the numerically closest node; owners of keys 25 and 22, in Chord 28 and 28",
        "chord_core::geometry::Pastry",
        "DT Object Distribution",
        || {
            let owner = |key: u64| {
                let mut node = Pastry::new(peer(21), 1, vec![None; 10], vec![None; 8]);
                RING_B.into_iter().filter(|id| *id != 21).for_each(|id| node.learn(peer(id)));
                match node.route(Word::new(key)) {
                    Route::Owner(peer) | Route::Ask(peer) => peer.address,
                }
            };
            equal([owner(25), owner(22)], [28, 21])
        },
    ),
];

fn wrong_fingers() -> Check {
    let mut rng = Rng::new(11);
    let right = tables(&RING_B);
    let mut same = 0;
    for _ in 0..20 {
        let mut tables = linear(&RING_B);
        for table in &mut tables {
            for _ in 0..rng.below(6) {
                let id = RING_B[rng.below(9) as usize];
                table.fingers.set(rng.below(7) as u32, peer(id));
            }
        }
        for key in 0..32 {
            let start = RING_B[rng.below(9) as usize];
            same += usize::from(follow(&tables, start, key).1 == follow(&right, start, key).1);
        }
    }
    equal(same, 640)
}

/// The node in the description of a ring.
fn node(view: &web::Json, id: u32) -> Result<&web::Json, String> {
    let nodes = items(find(view, &["nodes"])?);
    let found =
        nodes.iter().find(|node| find(node, &["id"]).is_ok_and(|one| number(one) as u32 == id));
    found.ok_or_else(|| failed(format!("no node {id}")))
}

pub const RING: &[Fact] = &[
    fact(
        "C-CHD-13",
        "a lookup by messages takes the same way: key 26 from node 1",
        "chord_core::Node::lookup",
        "BAUN Examples",
        || {
            let view = run("ring", "", &[("lookup 26 1", 5)])?;
            let lookup = items(find(&view, &["lookups"])?).first().ok_or("no lookup")?;
            let answer =
                [find(lookup, &["path"])?.to_string(), find(lookup, &["owner"])?.to_string()];
            equal(answer, ["[1,18,20,21]".into(), "28".into()])
        },
    ),
    fact(
        "C-CHD-14",
        "a new node asks a well-known node for its own id; the answer is its successor",
        "chord_core::Node::join",
        "BAUN Insert new Nodes (1/2)",
        || {
            let view =
                run("ring", "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3", &[("join 26 48", 30)])?;
            let successors = find(node(&view, 26)?, &["successors"])?.to_string();
            equal(successors, "[32,38,42]".into())
        },
    ),
    fact(
        "C-CHD-16",
        "after stabilization the old predecessor knows it, and the ring is stable",
        "chord_core::Node",
        "BAUN Insert new Nodes (2/2)",
        || {
            let view =
                run("ring", "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3", &[("join 26 48", 60)])?;
            let before = items(find(node(&view, 21)?, &["successors"])?).first().map(number);
            let behind = number(find(node(&view, 32)?, &["predecessor"])?);
            let own = number(find(node(&view, 26)?, &["predecessor"])?);
            equal((before, behind, own), (Some(26.0), 26.0, 21.0))
        },
    )
    .but("E-13"),
];
