//! Random graphs, the same for the same seed.

use std::collections::BTreeSet;

use crate::Rng;

/// Makes graphs, and other choices.
pub struct Graph(Rng);

impl Graph {
    /// Every seed is as good as any other.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::new(seed))
    }

    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    /// Returns the edges of a connected graph in which nearly every node has `degree` neighbours: a
    /// ring, and then pairs of ends drawn by lot.
    pub fn regular(&mut self, nodes: usize, degree: usize) -> Vec<(usize, usize)> {
        let mut edges: BTreeSet<_> = (0..nodes).map(|a| order(a, (a + 1) % nodes)).collect();
        let mut ends: Vec<usize> = (0..nodes)
            .flat_map(|node| core::iter::repeat_n(node, degree.saturating_sub(2)))
            .collect();
        let mut misses = 0;
        while ends.len() > 1 && misses < 1_000 {
            let a = ends.swap_remove(self.below(ends.len()));
            let b = ends.swap_remove(self.below(ends.len()));
            if a == b || !edges.insert(order(a, b)) {
                ends.extend([a, b]);
                misses += 1;
            }
        }
        edges.into_iter().collect()
    }
}

fn order(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}
