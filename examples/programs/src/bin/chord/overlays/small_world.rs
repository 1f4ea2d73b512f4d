//! Kleinberg's small world, in which nodes of Freenet route.

use chord_core::geometry::Freenet;
use chord_core::{Peer, Route};
use sim::Rng;

/// Nodes at equal distances on a circle. Each has the two beside it as neighbours, and draws half of log2 N others: one
/// over d nodes, at least 2, as often as 1/d.
pub struct SmallWorld {
    neighbours: Vec<Vec<u32>>,
}

type Node = Freenet<u32, Vec<Option<Peer<u64, u32>>>, [Option<u64>; 0]>;

impl SmallWorld {
    pub fn new(size: usize, rng: &mut Rng) -> Self {
        let mut neighbours = vec![Vec::new(); size];
        let mut link = |a: usize, b: usize| {
            if a != b && !neighbours[a].contains(&(b as u32)) {
                neighbours[a].push(b as u32);
                neighbours[b].push(a as u32);
            }
        };
        let drawn = ((size as f64).log2() / 2.0).round() as usize;
        let mut sum = 0.0;
        let add = |over: usize| {
            sum += 1.0 / over as f64;
            sum
        };
        let sums: Vec<f64> = (2..=size / 2).map(add).collect();
        let all = sums.last().copied().unwrap_or(0.0);
        for at in 0..size {
            link(at, (at + 1) % size);
            for _ in 0..drawn {
                let share = rng.below(1 << 32) as f64 / (1_u64 << 32) as f64;
                let over = (2 + sums.partition_point(|sum| *sum <= share * all)).min(size / 2);
                let clockwise = rng.below(2) == 0;
                link(at, (at + if clockwise { over } else { size - over }) % size);
            }
        }
        Self { neighbours }
    }

    pub fn degree(&self, at: usize) -> usize {
        self.neighbours[at].len()
    }

    fn peer(&self, at: usize) -> Peer<u64, u32> {
        let gap = u64::MAX / self.neighbours.len() as u64;
        Peer { id: at as u64 * gap, address: at as u32 }
    }

    fn node(&self, at: usize) -> Node {
        let near = self.neighbours[at].iter().map(|near| Some(self.peer(*near as usize)));
        Freenet::new(self.peer(at), near.collect(), [])
    }

    /// Follows the location of `owner` from a node. Returns the hops, and where they end.
    pub fn walk(&self, start: usize, owner: usize) -> (u32, usize) {
        let key = self.peer(owner).id;
        let mut hops = 0;
        let mut at = start;
        while let Route::Ask(next) = self.node(at).route(key) {
            at = next.address as usize;
            hops += 1;
        }
        (hops, at)
    }
}
