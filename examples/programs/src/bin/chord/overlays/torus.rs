//! A torus of CAN, grown by joins.

use chord_core::Route;
use chord_core::geometry::{Can, CanError, Neighbour, Point};
use sim::Rng;

use super::members::Node;

/// Room for neighbours: with two dimensions and zones cut by chance a few nodes have thirty.
const SLOTS: usize = 48;

pub struct Torus<const D: usize> {
    nodes: Vec<Can<u128, u32, Slots<D>, D>>,
}

type Slots<const D: usize> = Vec<Option<Neighbour<u128, u32, D>>>;

impl<const D: usize> Torus<D> {
    /// Lets the nodes join one after the other, each at a point chosen by chance. If `uniform`, the owner of that
    /// point passes the newcomer on to its largest neighbour.
    pub fn grow(members: &[Node], uniform: bool, rng: &mut Rng) -> Result<Self, String> {
        let mut torus = Self { nodes: vec![Can::new(members[0], vec![None; SLOTS])] };
        for newcomer in &members[1..] {
            let start = rng.below(torus.nodes.len() as u64) as usize;
            let point = core::array::from_fn(|_| rng.next_u64() as u32);
            let mut owner = torus.walk(start, &point).1;
            while let Some(larger) = torus.nodes[owner].larger().filter(|_| uniform) {
                owner = larger.peer.address as usize;
            }
            torus.split(owner, *newcomer)?;
        }
        Ok(torus)
    }

    fn split(&mut self, owner: usize, newcomer: Node) -> Result<(), String> {
        let around: Vec<usize> =
            self.nodes[owner].neighbours().map(|near| near.peer.address as usize).collect();
        let size = self.nodes.len();
        let with_size = |error: CanError| format!("{size} nodes of CAN: {error}");
        let state = self.nodes[owner].split(newcomer, vec![None; SLOTS]).map_err(with_size)?;
        for near in around {
            for changed in [owner, size] {
                let node = self.nodes.get(changed).unwrap_or(&state);
                let peer = node.me();
                let zone = node.zone();
                self.nodes[near].learn(peer, zone).map_err(with_size)?;
            }
        }
        self.nodes.push(state);
        Ok(())
    }

    /// Follows a point from a node: the hops, and where they end.
    pub fn walk(&self, start: usize, point: &Point<D>) -> (u32, usize) {
        let mut hops = 0;
        let mut at = start;
        loop {
            match self.nodes[at].route(point) {
                Route::Owner(owner) => return (hops, owner.address as usize),
                Route::Ask(next) => at = next.address as usize,
            }
            hops += 1;
        }
    }

    /// The node whose zone has the point, found by looking at all.
    pub fn owner(&self, point: &Point<D>) -> usize {
        self.nodes
            .iter()
            .position(|node| node.zone().contains(point))
            .expect("zones tile the torus")
    }

    pub fn neighbours(&self, at: usize) -> usize {
        self.nodes[at].neighbours().count()
    }
}
