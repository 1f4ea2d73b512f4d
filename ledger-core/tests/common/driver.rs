//! A driver of a node: it stores what the node wants kept, and delivers what it needs.

use core::time::Duration;
use std::collections::BTreeMap;

use ledger_core::gossip::{Headers, HeadersWriter, Message};
use ledger_core::node::{
    Accepted, Event, HeaderSlot, Node, NodeConfig, NodeSlots, OrphanSlot, Progress,
};
use ledger_core::{Block, BlockError, BlockId, ConnId, Header, JournalSlot, Refused, Slot, Tip};

use super::{Checksum, GENESIS_TIME, Ledgers, World, WrongChecksum, ledgers};

pub type Regions =
    NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>, Vec<OrphanSlot>, Vec<u8>>;

/// The numbers of `NodeLimits`, which needs the feature `alloc`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub entries: usize,
    pub journal: usize,
    pub headers: usize,
    pub orphans: usize,
    pub block: usize,
}

pub type TestNode = Node<Checksum, Ledgers, Regions>;
pub type Answer = Result<Accepted, Refused<BlockError<WrongChecksum>>>;
pub type TestEvent = Event<WrongChecksum>;

pub const LATER: u64 = GENESIS_TIME + 100_000;
pub const NOW: Duration = Duration::from_secs(LATER);
pub const PEER: ConnId = ConnId(7);

/// What the rules of the tests and a depth ask for, with room for `more` headers.
pub fn limits(config: &NodeConfig, more: usize) -> Limits {
    let rules = super::rules();
    Limits {
        entries: rules.max_entries as usize,
        journal: config.journal_len(&rules),
        headers: config.headers_len() + more,
        orphans: 8,
        block: rules.max_block_len as usize,
    }
}

pub fn regions(limits: Limits) -> Regions {
    NodeSlots {
        entries: vec![Slot::EMPTY; limits.entries],
        journal: vec![JournalSlot::EMPTY; limits.journal],
        headers: vec![HeaderSlot::EMPTY; limits.headers],
        orphans: vec![OrphanSlot::EMPTY; limits.orphans],
        block: vec![0; limits.block],
    }
}

/// Returns the snapshot of a node.
pub fn snapshot_of(node: &mut TestNode) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = node.snapshot(|piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), ()>(())
    });
    written.expect("a block is final");
    bytes
}

/// Calls `act` with a message of the headers of these blocks.
pub fn with_headers<T>(blocks: &[Vec<u8>], more: bool, act: impl FnOnce(&Headers<'_>) -> T) -> T {
    let mut out = vec![0; 30_000];
    let mut writer = HeadersWriter::new(&mut out).expect("long enough");
    for block in blocks {
        assert!(writer.push(block));
    }
    let len = writer.finish(more);
    let (message, _) = Message::decode(&out[..len]).expect("it was encoded");
    let Message::Headers(headers) = message else { panic!("{message}") };
    act(&headers)
}

pub fn node_of(config: NodeConfig, limits: Limits) -> TestNode {
    let spec = super::spec(3);
    Node::new(&spec.spec(), config, Checksum, ledgers(), regions(limits)).expect("it fits")
}

/// A node that can take back `max_depth` blocks.
pub fn node(max_depth: u32) -> TestNode {
    let config = NodeConfig::new(max_depth, 42);
    node_of(config, limits(&config, 64))
}

/// Blocks of any branch, by id.
#[derive(Debug, Clone, Default)]
pub struct Blocks(pub BTreeMap<BlockId, Vec<u8>>);

impl Blocks {
    pub fn put(&mut self, world: &World, bytes: Vec<u8>) -> BlockId {
        let id = Block::decode(&bytes).expect("a block").0.id(world.chain.genesis_id());
        self.0.insert(id, bytes);
        id
    }

    /// Makes the next block of a branch: a payment of `amount`, so that branches differ, with this weight.
    pub fn grow(&mut self, world: &mut World, amount: u64, weight: u8) -> BlockId {
        world.pay(0, 1, amount, 0);
        let bytes = seal_with(world, weight);
        world.chain.append(world.now, &bytes).expect("it is fine");
        world.now += 1;
        self.put(world, bytes)
    }

    /// Makes a block whose payment fails, and which is not appended to its world.
    pub fn grow_invalid(&mut self, world: &mut World, weight: u8) -> BlockId {
        world.pay(0, 1, 1_000_000, 0);
        let bytes = world.seal_anyway();
        let (block, _) = Block::decode(&bytes).expect("just made");
        let header = Header { claim: super::claim(weight), ..*block.header() };
        let bytes = super::seal(world.chain.genesis_id(), &header, &block.body());
        self.put(world, bytes)
    }

    /// Returns a header that follows `parent`, which nobody can execute.
    pub fn follow(&mut self, world: &World, parent: BlockId, weight: u8) -> BlockId {
        let (block, _) = Block::decode(&self.0[&parent]).expect("a block");
        let mut header = *block.header();
        header.height.0 += 1;
        header.parent = parent;
        header.time += 1;
        header.claim = super::claim(weight);
        let bytes = super::seal(world.chain.genesis_id(), &header, &block.body());
        self.put(world, bytes)
    }

    /// Returns the ids on the way to `tip`, the first one first.
    pub fn path(&self, tip: BlockId) -> Vec<BlockId> {
        let mut path = Vec::new();
        let mut id = tip;
        while let Some(bytes) = self.0.get(&id) {
            path.push(id);
            id = Block::decode(bytes).expect("a block").0.header().parent;
        }
        path.reverse();
        path
    }
}

pub fn seal_with(world: &mut World, weight: u8) -> Vec<u8> {
    let bytes = world.seal_block();
    let (block, _) = Block::decode(&bytes).expect("just made");
    let header = Header { claim: super::claim(weight), ..*block.header() };
    super::seal(world.chain.genesis_id(), &header, &block.body())
}

/// A node with a disk and a peer that has all `blocks`.
#[derive(Clone)]
pub struct Driver {
    pub node: TestNode,
    pub blocks: Blocks,
    pub disk: Vec<BlockId>,
    pub events: Vec<TestEvent>,
    pub budget: u32,
}

impl Driver {
    pub fn new(node: TestNode) -> Self {
        let blocks = Blocks::default();
        Self { node, blocks, disk: Vec::new(), events: Vec::new(), budget: 100 }
    }

    /// Hands over a header and does all that follows.
    pub fn header(&mut self, id: BlockId) -> Answer {
        let bytes = self.blocks.0[&id].clone();
        let answer = self.node.handle_header(NOW, PEER, &bytes);
        self.run();
        answer
    }

    /// Hands over all headers on the way to a tip, then what is asked for.
    pub fn branch(&mut self, tip: BlockId) {
        let known = self.node.final_tip().height.0 as usize;
        for id in self.blocks.path(tip).into_iter().skip(known) {
            let bytes = self.blocks.0[&id].clone();
            self.node.handle_header(NOW, PEER, &bytes).expect("its parent is known");
        }
        self.run();
    }

    /// Serves the node until it is silent.
    pub fn run(&mut self) {
        loop {
            while self.node.work(self.budget) == Progress::Pending {}
            let Some(event) = self.node.poll_event() else { break };
            self.serve(event);
        }
    }

    pub fn serve(&mut self, event: TestEvent) {
        self.events.push(event);
        match event {
            Event::Keep { id, .. } => {
                self.disk.push(id);
                self.node.handle_saved(NOW, &id);
            }
            Event::Need { id, .. } => {
                if let Some(bytes) = self.blocks.0.get(&id).cloned() {
                    let answer = self.node.handle_block(NOW, PEER, &bytes);
                    assert_eq!(answer, Ok(Accepted::Body { id }), "it was asked for");
                }
            }
            _ => {}
        }
    }

    /// Returns how many blocks were connected and disconnected since the last call, and forgets the events.
    pub fn moves(&mut self) -> (usize, usize) {
        let events = core::mem::take(&mut self.events);
        let connected = events.iter().filter(|event| matches!(event, Event::Connected { .. }));
        let left = events.iter().filter(|event| matches!(event, Event::Disconnected { .. }));
        (connected.count(), left.count())
    }

    pub fn tip(&self) -> Tip {
        *self.node.tip()
    }
}
