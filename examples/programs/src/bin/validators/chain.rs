//! Blocks of authorities: their bytes, and the tree of those that a node knows.

use core::time::Duration;
use std::collections::BTreeMap;

use consensus::{Ed25519Key, Keys as _, SignedStatement, Statement, ValidatorId};
use ledger_core::Hash;

pub const GENESIS: [u8; 32] = [0xC0; 32];

/// Blocks that are this far below the head no longer get successors, and their states are dropped.
const DEPTH: u64 = 64;

const HEADER_LEN: usize = 8 + 8 + 32 + 1;

/// What an authority signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    pub number: u64,
    /// The milliseconds since the start.
    pub time: u64,
    pub parent: [u8; 32],
    /// Tells the two blocks of an authority apart that signs two.
    pub variant: u8,
}

/// A block with its author and signature: 145 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedBlock {
    pub block: Block,
    pub author: ValidatorId,
    pub signature: [u8; 64],
}

/// The rules of an engine, and its state after a block.
pub trait Rules: Clone {
    /// Of two blocks the one with the greater rank is the head.
    type Rank: Ord + Copy;

    /// Returns the slot of a block, in which its author signs no other.
    fn slot(block: &Block) -> u64;

    /// Returns the state after the next block and its rank, or why it is invalid.
    fn apply(
        &self,
        parent: &Block,
        block: &Block,
        author: ValidatorId,
    ) -> Result<(Self, Self::Rank), String>;

    /// Returns when an authority makes the next block, not before `now`. It has signed until slot `signed`.
    fn turn(
        &self,
        head: &Block,
        me: ValidatorId,
        signed: Option<u64>,
        now: Duration,
    ) -> Option<Duration>;

    /// Returns the last block that is final.
    fn finalized(&self) -> Option<u64>;

    /// Returns the latest slot of which a block can be honest.
    fn latest(head: &Block, now: Duration) -> u64;

    /// Describes a new block, given the state before it.
    fn describe(&self, parent: &Block, block: &Block, author: usize) -> String;

    /// Returns why this author made the next block.
    fn explain(
        &self,
        parent: &Block,
        block: &Block,
        is_silent: &dyn Fn(usize) -> bool,
    ) -> Vec<String>;
}

/// The blocks that a node knows.
pub struct Tree<R: Rules> {
    entries: BTreeMap<[u8; 32], Entry<R>>,
    /// Blocks that wait for their parents.
    orphans: BTreeMap<[u8; 32], Vec<SignedBlock>>,
    pub head: [u8; 32],
}

struct Entry<R: Rules> {
    block: Block,
    signed: Option<SignedBlock>,
    state: Option<R>,
    rank: Option<R::Rank>,
}

/// What a new block changes.
#[derive(Debug, PartialEq, Eq)]
pub enum Inserted {
    Nothing,
    /// There is a new head, and this many blocks are not in its chain any more.
    Head {
        left: u64,
    },
}

impl Block {
    /// The block before the first.
    const ROOT: Self = Self { number: 0, time: 0, parent: [0; 32], variant: 0 };

    pub fn id(&self) -> [u8; 32] {
        if *self == Self::ROOT { GENESIS } else { *Hash::of(&self.encode()).as_bytes() }
    }

    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [self.variant; HEADER_LEN];
        out[..8].copy_from_slice(&self.number.to_be_bytes());
        out[8..16].copy_from_slice(&self.time.to_be_bytes());
        out[16..48].copy_from_slice(&self.parent);
        out
    }

    fn decode(bytes: &[u8; HEADER_LEN]) -> Self {
        let number = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_be_bytes);
        let mut parent = [0; 32];
        parent.copy_from_slice(&bytes[16..48]);
        Self { number: number(0), time: number(8), parent, variant: bytes[48] }
    }
}

impl SignedBlock {
    pub fn new<R: Rules>(block: Block, key: &Ed25519Key) -> Self {
        let signature = key.sign(&statement::<R>(&block).to_bytes());
        Self { block, author: key.id(), signature }
    }

    /// Returns the statement that the author signs.
    pub fn signed<R: Rules>(&self) -> SignedStatement {
        let Self { block, author, signature } = *self;
        SignedStatement { statement: statement::<R>(&block), author, signature }
    }

    pub fn encode(&self) -> Vec<u8> {
        [&self.block.encode()[..], &self.author.0, &self.signature].concat()
    }

    /// Returns `None` if the bytes are not a block.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (block, rest) = bytes.split_first_chunk()?;
        let (author, rest) = rest.split_first_chunk()?;
        let signature = rest.try_into().ok()?;
        Some(Self { block: Block::decode(block), author: ValidatorId(*author), signature })
    }
}

fn statement<R: Rules>(block: &Block) -> Statement {
    Statement::propose(GENESIS, R::slot(block), 0, block.id())
}

impl<R: Rules> Tree<R> {
    pub fn new(state: R) -> Self {
        let root = Entry { block: Block::ROOT, signed: None, state: Some(state), rank: None };
        Self { entries: [(GENESIS, root)].into(), orphans: BTreeMap::new(), head: GENESIS }
    }

    pub fn head(&self) -> &Block {
        &self.entries[&self.head].block
    }

    /// Returns the state after the head.
    pub fn state(&self) -> &R {
        self.entries[&self.head].state.as_ref().expect("that of the head is kept")
    }

    /// Returns a block and up to `count` - 1 before it.
    pub fn chain(&self, from: [u8; 32], count: usize) -> impl Iterator<Item = SignedBlock> {
        let first = self.entries.get(&from);
        let chain = core::iter::successors(first, |entry| self.entries.get(&entry.block.parent));
        chain.map_while(|entry| entry.signed).take(count)
    }

    /// Returns the first block that is missing between a block and those that are known.
    pub fn missing(&self, block: &Block) -> Option<[u8; 32]> {
        let mut parent = block.parent;
        loop {
            let waiting = self.orphans.values().flatten();
            let Some(next) = waiting.clone().find(|orphan| orphan.block.id() == parent) else {
                return (!self.entries.contains_key(&parent)).then_some(parent);
            };
            parent = next.block.parent;
        }
    }

    /// Returns the block with this number in the chain of the head.
    pub fn at(&self, number: u64) -> Option<[u8; 32]> {
        self.ancestor(self.head, number)
    }

    /// Adds a block whose signature was checked, and all that waited for it.
    pub fn insert(&mut self, signed: SignedBlock) -> Inserted {
        if !self.entries.contains_key(&signed.block.parent) {
            let waiting = self.orphans.entry(signed.block.parent).or_default();
            if !waiting.contains(&signed) {
                waiting.push(signed);
            }
            return Inserted::Nothing;
        }
        let before = self.head;
        let mut ready = vec![signed];
        while let Some(next) = ready.pop() {
            let id = next.block.id();
            if self.add(id, next) {
                ready.extend(self.orphans.remove(&id).unwrap_or_default());
            }
        }
        if self.head == before {
            return Inserted::Nothing;
        }
        let old = self.entries[&before].block.number;
        let is_common = |number: &u64| self.at(*number) == self.ancestor(before, *number);
        let common = (0..=old).rev().find(is_common).unwrap_or(0);
        if self.head().number.is_multiple_of(DEPTH) {
            let oldest = self.head().number.saturating_sub(DEPTH);
            for entry in self.entries.values_mut().filter(|entry| entry.block.number < oldest) {
                entry.state = None;
            }
        }
        Inserted::Head { left: old - common }
    }

    /// Returns whether a block is new and valid.
    fn add(&mut self, id: [u8; 32], signed: SignedBlock) -> bool {
        let SignedBlock { block, author, .. } = signed;
        let parent = self.entries.get(&block.parent);
        let Some((parent, state)) = parent.and_then(|it| Some((it.block, it.state.as_ref()?)))
        else {
            return false; // too old
        };
        if self.entries.contains_key(&id) || block.number != parent.number + 1 {
            return false;
        }
        let Ok((state, rank)) = state.apply(&parent, &block, author) else { return false };
        let entry = Entry { block, signed: Some(signed), state: Some(state), rank: Some(rank) };
        self.entries.insert(id, entry);
        let finalized = self.state().finalized().unwrap_or(0);
        let keeps_final = self.ancestor(id, finalized) == self.at(finalized);
        if Some(rank) > self.entries[&self.head].rank && keeps_final {
            self.head = id;
        }
        true
    }

    fn ancestor(&self, from: [u8; 32], number: u64) -> Option<[u8; 32]> {
        let mut id = from;
        loop {
            let block = &self.entries.get(&id)?.block;
            if block.number <= number {
                return (block.number == number).then_some(id);
            }
            id = block.parent;
        }
    }
}
