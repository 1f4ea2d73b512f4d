//! A search by flooding a random graph.

use std::collections::VecDeque;

use sim::Graph;

/// Peers with nearly as many neighbours each.
pub struct Flooded {
    neighbours: Vec<Vec<u32>>,
}

impl Flooded {
    pub fn new(size: usize, degree: usize, seed: u64) -> Self {
        let mut neighbours = vec![Vec::new(); size];
        for (a, b) in Graph::new(seed).regular(size, degree) {
            neighbours[a].push(b as u32);
            neighbours[b].push(a as u32);
        }
        Self { neighbours }
    }

    pub fn degree(&self, at: usize) -> usize {
        self.neighbours[at].len()
    }

    /// Floods the whole graph from a node. Returns after how many hops the first copy reaches the owner, and how
    /// many messages are sent in all: each node passes the first copy on to all neighbours but the one it came
    /// from.
    pub fn search(&self, start: usize, owner: usize) -> (u32, u64) {
        let mut depth = vec![u32::MAX; self.neighbours.len()];
        depth[start] = 0;
        let mut queue = VecDeque::from([start]);
        let mut messages = 0;
        while let Some(at) = queue.pop_front() {
            messages += self.neighbours[at].len() as u64 - u64::from(at != start);
            for next in &self.neighbours[at] {
                let next = *next as usize;
                if depth[next] == u32::MAX {
                    depth[next] = depth[at] + 1;
                    queue.push_back(next);
                }
            }
        }
        (depth[owner], messages)
    }
}
