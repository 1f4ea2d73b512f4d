//! A chain and a node with a hasher for groups accept what others accept, and have the hasher do all of it.

mod common;

use common::driver::{NOW, PEER, limits, regions};
use common::{Checksum, OwnedSpec, World, ledgers, rules, spec_with, storage};
use ledger_core::merkle::{HashPairs, OneByOne, TwoBlocks};
use ledger_core::node::{Event, Node, NodeConfig, Progress};
use ledger_core::{
    Account, Block, BlockError, Body, Chain, Claim, DecodeError, Hash, Header, MerkleTree, Refused,
    Rules, SealedHeader, WithHasher,
};

/// Counts what it hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counting {
    messages: usize,
    leaves: usize,
    largest: usize,
}

impl HashPairs for Counting {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        self.messages += messages.len();
        OneByOne.hash_messages(messages, hashes);
    }

    fn hash_leaves(&mut self, contents: &[&[u8]], hashes: &mut [Hash]) {
        assert_eq!(contents.len(), hashes.len());
        self.leaves += contents.len();
        self.largest = self.largest.max(contents.len());
        OneByOne.hash_leaves(contents, hashes);
    }
}

fn large_rules() -> Rules {
    let mut rules = rules();
    rules.max_writes = 4000;
    rules
}

fn spec() -> OwnedSpec {
    spec_with(3, large_rules())
}

/// Blocks with these numbers of payments, one after the other.
fn blocks(counts: &[u64]) -> (World, Vec<Vec<u8>>) {
    let mut world = World::with_rules(large_rules());
    let make = |count: &u64| {
        (0..*count).for_each(|n| world.pay((n % 3) as usize, (n % 3) as u8, 1 + n % 5, 0));
        world.append()
    };
    let blocks = counts.iter().map(make).collect();
    (world, blocks)
}

const COUNTS: [u64; 12] = [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 128, 131];

#[test]
fn a_chain_with_a_hasher_accepts_the_same_blocks() {
    let (world, blocks) = blocks(&COUNTS);
    let mut hasher = Counting::default();
    let storage = WithHasher { storage: storage(&large_rules()), hasher: &mut hasher };
    let mut chain = Chain::new(&spec().spec(), Checksum, ledgers(), storage).expect("it fits");
    for block in &blocks {
        let (block, _) = Block::decode(block).expect("a block");
        let author = block.header().author;
        let proposed = chain.propose(block.header().time, author, &block.body(), Claim::NONE);
        let claim = block.header().claim;
        assert_eq!(proposed.map(|header| Header { claim, ..header }), Ok(*block.header()));
        let mut bytes = vec![0; block.encoded_len()];
        block.encode(&mut bytes).expect("encoded_len suffices");
        chain.append(world.now, &bytes).expect("a good block");
    }
    assert_eq!(chain.tip(), world.chain.tip());
    let storage = chain.into_storage();
    drop(storage);
    let transactions: u64 = COUNTS.iter().sum();
    assert_eq!(hasher.leaves as u64, 2 * transactions, "once proposed, once appended");
    assert_eq!(hasher.largest, 64);
    assert!(hasher.messages as u64 > 2 * transactions, "the pairs, and the state");
}

#[test]
fn a_chain_with_a_hasher_refuses_the_same_bodies() {
    let (world, blocks) = blocks(&[70]);
    let good = &blocks[0];
    let (SealedHeader { header, proof }, body) = SealedHeader::decode(good).expect("a block");
    let front = good.len() - body.len();
    let mut last_byte = good.clone();
    *last_byte.last_mut().expect("not empty") ^= 1;
    let cases = [
        (last_byte, BlockError::WrongBody),
        ([&good[..], &[0]].concat(), BlockError::Decode(DecodeError::TrailingBytes(1))),
        (
            good[..good.len() - 1].to_vec(),
            BlockError::Decode(DecodeError::Incomplete { needed: 1 }),
        ),
        (good[..front].to_vec(), BlockError::Decode(DecodeError::Incomplete { needed: 1 })),
    ];
    assert_eq!(proof.len(), 4);
    assert_eq!(header.body_size, 70);
    for (bytes, why) in cases {
        let hasher = Counting::default();
        let storage = WithHasher { storage: storage(&large_rules()), hasher };
        let mut grouped =
            Chain::new(&spec().spec(), Checksum, ledgers(), storage).expect("it fits");
        let mut plain = spec().chain();
        let before = *grouped.tip();
        assert_eq!(plain.append(world.now, &bytes), Err(Refused::Invalid(why)));
        assert_eq!(grouped.append(world.now, &bytes), Err(Refused::Invalid(why)));
        assert_eq!(*grouped.tip(), before);
        grouped.append(world.now, good).expect("the right body");
    }
}

/// A body that the header does not name costs no signature.
#[test]
fn another_body_is_refused_before_its_signatures_are_checked() {
    let (world, blocks) = blocks(&[3]);
    let mut bytes = blocks[0].clone();
    let at = bytes.len() - 1; // in the signature of the last payment
    bytes[at] ^= 1;
    let refused = spec().chain().append(world.now, &bytes);
    assert_eq!(refused, Err(Refused::Invalid(BlockError::WrongBody)));
}

#[test]
fn a_node_with_a_hasher_reaches_the_same_tip_in_slices_of_any_size() {
    let (world, blocks) = blocks(&COUNTS);
    let config = NodeConfig::new(3, 1);
    for budget in [1, 2, 3, 5, 100] {
        let mut limits = limits(&config, 16);
        limits.journal = config.journal_len(&large_rules());
        let storage = WithHasher { storage: regions(limits), hasher: Counting::default() };
        let node = Node::new(&spec().spec(), config, Checksum, ledgers(), storage);
        let mut node = node.expect("it fits");
        for block in &blocks {
            node.handle_block(NOW, PEER, block).expect("a good block");
            loop {
                while node.work(budget) == Progress::Pending {}
                match node.poll_event() {
                    Some(Event::Keep { id, .. }) => node.handle_saved(NOW, &id),
                    Some(_) => {}
                    None => break,
                }
            }
        }
        assert_eq!(node.tip(), world.chain.tip());
        let body = Body::default();
        let proposed = node.propose(world.now, Account::default(), &body, Claim::NONE);
        assert_eq!(proposed.map(|header| header.parent), Ok(world.chain.tip().id));
        let hasher = node.into_storage().hasher;
        assert_eq!(hasher.leaves as u64, COUNTS.iter().sum(), "each transaction once");
        assert_eq!(hasher.largest, if budget < 4 { 16 * budget as usize } else { 64 });
    }
}

/// Each two hashes of a level become one, at its front.
#[test]
fn a_level_is_hashed_pair_by_pair() {
    let leaves: Vec<_> = (0..7_u8).map(|n| MerkleTree::leaf(&[n])).collect();
    for len in 0..=leaves.len() {
        let mut level = leaves[..len].to_vec();
        OneByOne.hash_pairs(&mut level);
        let pairs = leaves[..len].chunks_exact(2).map(MerkleTree::root_of);
        assert!(level.iter().copied().take(len / 2).eq(pairs), "{len} hashes");
        assert_eq!(level[len / 2..], leaves[len / 2..len], "the rest stays");
    }
}
