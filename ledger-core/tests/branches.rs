//! Headers beside the chain: checked against their own branch, at the cost of one header each.

mod common;

use core::cell::Cell;

use common::driver::{NOW, PEER, Regions, limits, regions};
use common::{GENESIS_TIME, KIND, Ledgers, ledgers, spec};
use ledger_core::node::{Accepted, Event, Node, NodeConfig, Progress};
use ledger_core::{
    Account, Ancestry, Block, BlockId, Body, Claim, Effects, Engine, Hash, Header, MerkleTree,
    Refused, Weight,
};

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// An engine whose claims name all headers that it moved on to, so that a branch with another engine is refused. The first
/// byte of a claim is the weight.
#[derive(Debug, Clone, PartialEq)]
struct Trail(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim names {found}, the engine has seen {expected}")]
struct OtherTrail {
    expected: u64,
    found: u64,
}

fn claim(weight: u8, trail: u64) -> Claim {
    let mut bytes = [weight; 9];
    bytes[1..].copy_from_slice(&trail.to_be_bytes());
    Claim::new(KIND, &bytes).expect("nine bytes")
}

fn step(trail: u64, header: &Header) -> u64 {
    trail.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(header.time ^ header.height.0)
}

impl Engine for Trail {
    type Error = OtherTrail;

    fn digest(&self) -> Hash {
        Hash::of(b"trail")
    }

    fn check(
        &self,
        _: &dyn Ancestry,
        header: &Header,
        _: &[u8],
        _: u64,
    ) -> Result<Weight, Refused<OtherTrail>> {
        let [weight, trail @ ..] = header.claim.as_bytes() else { panic!("made by the test") };
        let found = u64::from_be_bytes(trail.try_into().expect("eight bytes"));
        let expected = self.0;
        let weight = Weight(u128::from(*weight));
        (found == expected)
            .then_some(weight)
            .ok_or(Refused::Invalid(OtherTrail { expected, found }))
    }

    fn apply(&mut self, header: &Header, _: &Effects) {
        APPLIED.with(|applied| applied.set(applied.get() + 1));
        self.0 = step(self.0, header);
    }
}

/// The end of a branch, as its maker knows it.
#[derive(Debug, Clone)]
struct Maker {
    header: Header,
    id: BlockId,
    trail: u64,
    history: MerkleTree,
}

struct World {
    node: Node<Trail, Ledgers, Regions>,
    tip: Maker,
}

impl World {
    fn new(max_depth: u32, more: usize) -> Self {
        let config = NodeConfig::new(max_depth, 1);
        let spec = spec(3);
        let storage = regions(limits(&config, more));
        let node = Node::new(&spec.spec(), config, Trail(0), ledgers(), storage);
        let mut node = node.expect("it fits");
        let body = Body::default();
        let author = Account::default();
        let first = node.propose(GENESIS_TIME + 1, author, &body, claim(1, 0)).expect("empty");
        let id = node.genesis_id().block_id();
        let mut history = MerkleTree::new();
        history.push(MerkleTree::leaf(id.as_bytes()));
        let mut header = first;
        header.height.0 = 0;
        header.time = GENESIS_TIME;
        Self { node, tip: Maker { header, id, trail: 0, history } }
    }

    /// Encodes a header after `parent`, and returns it with the branch that it ends.
    fn child(&self, parent: &Maker, weight: u8, delay: u64) -> (Vec<u8>, Maker) {
        let mut header = parent.header;
        header.height.0 += 1;
        header.parent = parent.id;
        header.time += delay;
        header.history = parent.history.root();
        header.claim = claim(weight, parent.trail);
        let block = Block::new(header, &[], Body::default()).expect("no transactions");
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes).expect("encoded_len suffices");
        let mut maker = parent.clone();
        maker.id = header.id(self.node.genesis_id());
        maker.trail = step(parent.trail, &header);
        maker.history.push(MerkleTree::leaf(maker.id.as_bytes()));
        maker.header = header;
        (bytes, maker)
    }

    /// Makes the next block of the chain.
    fn extend(&mut self) {
        let (bytes, maker) = self.child(&self.tip, 1, 1);
        let accepted = self.node.handle_block(NOW, PEER, &bytes);
        assert_eq!(accepted, Ok(Accepted::Body { id: maker.id }));
        while self.node.work(100) == Progress::Pending {}
        while let Some(event) = self.node.poll_event() {
            if let Event::Keep { id, .. } = event {
                self.node.handle_saved(NOW, &id);
            }
        }
        assert_eq!(self.node.tip().id, maker.id);
        self.tip = maker;
    }

    /// Offers a header, and returns how many headers engines moved on to for it.
    fn offer(&mut self, bytes: &[u8]) -> (Result<Accepted, Refused<()>>, u64) {
        let before = APPLIED.with(Cell::get);
        let answer = self.node.handle_header(NOW, PEER, bytes);
        let answer = answer.map_err(|refused| refused.map(|why| panic!("{why}")));
        (answer, APPLIED.with(Cell::get) - before)
    }
}

/// Every header of a random tree is accepted that its own branch allows, while the root of the tree moves on.
#[test]
fn a_header_is_checked_against_its_own_branch() {
    for seed in 1..=6_u64 {
        let depth = 1_u32 << seed;
        let mut world = World::new(depth, 150);
        let mut makers = vec![world.tip.clone()];
        let mut state = seed;
        let mut accepted = 0;
        for _ in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (state >> 33) as usize;
            if random.is_multiple_of(3) {
                world.extend();
                makers.push(world.tip.clone());
                continue;
            }
            let recent = makers.len().saturating_sub(3 * depth as usize);
            let parent = makers[recent + random / 3 % (makers.len() - recent)].clone();
            let (bytes, maker) = world.child(&parent, 0, 2 + random as u64 % 5);
            let known = world.node.tip_of(&parent.id).is_some();
            match world.offer(&bytes).0 {
                Ok(Accepted::Header { id }) if known => assert_eq!(id, maker.id),
                Ok(Accepted::Orphan { .. }) | Err(Refused::Orphan { .. }) if !known => continue,
                Err(Refused::NoRoom { .. }) if known => continue,
                other => panic!("seed {seed}: {other:?}"),
            }
            accepted += 1;
            makers.push(maker);
        }
        assert!(accepted > 30, "seed {seed}: {accepted}");
        assert!(world.node.final_tip().height.0 > 10, "seed {seed}: the root moves on");
    }
}

#[test]
fn a_header_of_a_long_side_branch_costs_one_step() {
    let mut world = World::new(300, 400);
    let fork = world.tip.clone();
    (0..300).for_each(|_| world.extend());
    let mut end = fork.clone();
    for n in 0..300 {
        let (bytes, maker) = world.child(&end, 0, 2);
        let (answer, steps) = world.offer(&bytes);
        assert_eq!(answer, Ok(Accepted::Header { id: maker.id }));
        assert!(steps <= 1, "header {n}: {steps} steps");
        end = maker;
    }
    // Siblings cost nothing after the first, and another branch costs its length once.
    let (bytes, _) = world.child(&end, 0, 3);
    assert_eq!(world.offer(&bytes).1, 1);
    let (bytes, _) = world.child(&end, 0, 4);
    assert_eq!(world.offer(&bytes).1, 0);
    let (bytes, maker) = world.child(&fork, 0, 9);
    assert_eq!(world.offer(&bytes).1, 0, "it follows the root");
    let (bytes, _) = world.child(&maker, 0, 9);
    assert_eq!(world.offer(&bytes).1, 1);
    let (bytes, _) = world.child(&end, 0, 5);
    assert_eq!(world.offer(&bytes).1, 300);
}
