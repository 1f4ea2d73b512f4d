//! One membership, and what a node of each geometry knows of it once all is quiet.
//!
//! The tables are filled from the sorted list of all nodes, and only when a search comes to the node: those of
//! 65,536 nodes at once would take gigabytes.

use core::ops::Range;

use chord_core::geometry::{Bits, Kademlia, Pastry, Tapestry};
use chord_core::{Identifier, Peer, RoutingTableVec};
use sim::Rng;

/// Bits a digit, and columns of a row.
const B: u32 = 4;
const COLUMNS: usize = 16;
/// How many digits or bits are kept apart; those of a million random nodes differ long before.
const ROWS: u32 = 16;
const BUCKETS: u32 = 64;

/// The sizes that the papers and real programs have.
const LEAVES: u32 = 16;
const BUCKET: usize = 8;
const SUCCESSORS: u8 = 16;

/// A node; its address is its position.
pub type Node = Peer<u128, u32>;
type Slots = Vec<Option<Node>>;

/// All nodes, in the order of their identifiers.
pub struct Members {
    pub nodes: Vec<Node>,
    seed: u64,
}

impl Members {
    pub fn new(size: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut ids = std::collections::BTreeSet::new();
        while ids.len() < size {
            ids.insert(random(&mut rng));
        }
        let nodes = ids.into_iter().zip(0..).map(|(id, address)| Peer { id, address }).collect();
        Self { nodes, seed }
    }

    /// The first node at or after the key, clockwise.
    pub fn successor(&self, key: u128) -> Node {
        let at = self.nodes.partition_point(|node| node.id < key);
        self.nodes[at % self.nodes.len()]
    }

    /// The node that is `by` places from this one, clockwise or, if negative, the other way.
    fn beside(&self, node: Node, by: i64) -> Node {
        let len = self.nodes.len() as i64;
        self.nodes[(i64::from(node.address) + by).rem_euclid(len) as usize]
    }

    /// A node that knows the next one only.
    pub fn linear(&self, at: usize) -> RoutingTableVec<u128, u32> {
        let me = self.nodes[at];
        let mut table = RoutingTableVec::of_ring(me, 1, 16, &[]);
        table.successors.learn(self.beside(me, 1));
        table
    }

    pub fn chord(&self, at: usize) -> RoutingTableVec<u128, u32> {
        let me = self.nodes[at];
        let mut table = RoutingTableVec::of_ring(me, usize::from(SUCCESSORS), 16, &[]);
        for by in 1..=i64::from(SUCCESSORS) {
            table.successors.learn(self.beside(me, by));
        }
        for finger in 1..=u128::BITS {
            table.fingers.set(finger, self.successor(me.id.finger_start(finger)));
        }
        table
    }

    pub fn pastry(&self, at: usize) -> Pastry<u128, u32, Slots, Slots> {
        let me = self.nodes[at];
        let table = vec![None; ROWS as usize * COLUMNS];
        let leaves = vec![None; LEAVES as usize];
        let mut node = Pastry::new(me, B, table, leaves);
        for by in 1..=i64::from(LEAVES / 2) {
            node.learn(self.beside(me, by));
            node.learn(self.beside(me, -by));
        }
        self.each_of_the_table(me, |peer| node.learn(peer));
        node
    }

    pub fn tapestry(&self, at: usize) -> Tapestry<u128, u32, Slots> {
        let me = self.nodes[at];
        let mut node = Tapestry::new(me, B, vec![None; ROWS as usize * COLUMNS]);
        self.each_of_the_table(me, |peer| {
            node.learn(peer);
        });
        node
    }

    pub fn kademlia(&self, at: usize) -> Kademlia<u128, u32, Slots> {
        let me = self.nodes[at];
        let mut rng = self.rng(me);
        let mut node = Kademlia::new(me, BUCKET, vec![None; BUCKETS as usize * BUCKET]);
        for shared in 0..BUCKETS {
            let flipped = me.id ^ 1 << (u128::BITS - 1 - shared);
            let others = self.with_prefix(flipped, shared + 1);
            // All of a small bucket, and some of a large one.
            if others.len() <= BUCKET {
                for other in &self.nodes[others] {
                    node.learn(*other);
                }
            } else {
                for _ in 0..2 * BUCKET {
                    node.learn(self.pick(&mut rng, others.clone()));
                }
            }
            if self.with_prefix(me.id, shared + 1).len() == 1 {
                break;
            }
        }
        node
    }

    /// Offers for each row and column of a prefix table a node chosen by chance, if there is one.
    fn each_of_the_table(&self, me: Node, mut offer: impl FnMut(Node)) {
        let mut rng = self.rng(me);
        for row in 0..ROWS {
            let low = u128::BITS - B * (row + 1); // the digit's lowest bit
            for digit in (0..1 << B).filter(|digit| *digit != me.id.digit(row, B)) {
                let prefix = me.id & !(((1 << B) - 1) << low) | u128::from(digit) << low;
                let others = self.with_prefix(prefix, B * (row + 1));
                if !others.is_empty() {
                    offer(self.pick(&mut rng, others));
                }
            }
            if self.with_prefix(me.id, B * (row + 1)).len() == 1 {
                break;
            }
        }
    }

    /// The positions of the nodes whose first bits are these.
    fn with_prefix(&self, id: u128, bits: u32) -> Range<usize> {
        let cut = |id: u128| id >> (u128::BITS - bits);
        let start = self.nodes.partition_point(|node| cut(node.id) < cut(id));
        let end = self.nodes.partition_point(|node| cut(node.id) <= cut(id));
        start..end
    }

    fn pick(&self, rng: &mut Rng, from: Range<usize>) -> Node {
        self.nodes[from.start + rng.below(from.len() as u64) as usize]
    }

    /// The chances of a node: the same whenever its table is made.
    fn rng(&self, me: Node) -> Rng {
        Rng::new(self.seed ^ (me.id as u64))
    }
}

pub fn random(rng: &mut Rng) -> u128 {
    u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
}
