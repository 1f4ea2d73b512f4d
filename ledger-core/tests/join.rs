//! Joining by a snapshot: headers, then chunks of the state, each verified as it comes.

mod common;

use std::sync::OnceLock;

use common::driver::{
    Driver, NOW, Regions, TestNode, limits, node_of, regions, snapshot_of, with_headers,
};
use common::{Checksum, Ledgers, World, ledgers};
use ledger_core::gossip::BlockVerdict;
use ledger_core::node::{
    ChunkError, HeaderFollower, Join, Node, NodeConfig, ResumeError, SnapshotSource,
};
use ledger_core::state::Key;
use ledger_core::{BlockId, Height, Slot};
use proptest::prelude::{any, prop_assert, proptest};

const CONFIG: NodeConfig = NodeConfig::new(3, 5);
const CHUNK_LEN: usize = 600;

type TestJoin = Join<Checksum, Ledgers, Regions>;
type Source = SnapshotSource<Vec<Slot>>;

fn new_node() -> TestNode {
    let storage = regions(limits(&CONFIG, 8));
    Node::new(&common::spec(3).spec(), CONFIG, Checksum, ledgers(), storage).expect("it fits")
}

/// A driver whose chain has `len` blocks, each with a new asset.
fn grown(len: u64) -> Driver {
    let mut driver = Driver::new(node_of(CONFIG, limits(&CONFIG, 8)));
    let mut world = World::new();
    for n in 0..len {
        world.mint(1, n as u8);
        let id = driver.blocks.grow(&mut world, n % 4 + 1, 1);
        driver.header(id).expect("a good header");
    }
    driver
}

fn source(node: &mut TestNode) -> Source {
    let snapshot = snapshot_of(node);
    let rules = common::rules();
    let slots = vec![Slot::EMPTY; rules.max_entries as usize];
    SnapshotSource::new(node.genesis_id(), &rules, &snapshot, slots).expect("its own snapshot")
}

/// Hands the headers of a chain to a follower, in messages of five.
fn follow(follower: &mut HeaderFollower<Checksum>, blocks: &[Vec<u8>]) -> Option<BlockVerdict> {
    let mut verdict = None;
    for (number, part) in (1..).zip(blocks.chunks(5)) {
        verdict = hand(follower, part, number * 5 < blocks.len());
    }
    verdict
}

/// Hands one message of headers to a follower.
fn hand(
    follower: &mut HeaderFollower<Checksum>,
    blocks: &[Vec<u8>],
    more: bool,
) -> Option<BlockVerdict> {
    with_headers(blocks, more, |headers| follower.handle_headers(NOW, headers))
}

fn chain_of(driver: &Driver) -> Vec<Vec<u8>> {
    let ids = driver.blocks.path(driver.node.tip().id);
    ids.iter().map(|id| driver.blocks.0[id].clone()).collect()
}

/// A join that has followed the headers of a chain to its newest final block.
fn join_of(driver: &Driver) -> TestJoin {
    let node = new_node();
    let target = driver.node.final_tip().height;
    let mut follower = HeaderFollower::new(&node, target);
    assert_eq!(follow(&mut follower, &chain_of(driver)), None, "the end");
    assert_eq!(follower.tip(), driver.node.tip());
    let base = follower.base(CONFIG.max_depth).expect("it is deep enough");
    assert_eq!(base.tip(), driver.node.final_tip(), "with the weight of all headers");
    Join::new(node, base)
}

fn chunk(source: &mut Source, from: &Key) -> Vec<u8> {
    let mut out = vec![0; CHUNK_LEN];
    let len = source.chunk(from, &mut out).expect("an entry fits").expect("there is one");
    out.truncate(len);
    out
}

#[test]
fn a_node_joins_and_goes_on() {
    for len in [4, 9, 20] {
        let mut driver = grown(len);
        let mut source = source(&mut driver.node);
        assert_eq!(source.id(), driver.node.final_tip().id);
        assert_eq!(source.weight(), driver.node.final_tip().weight);
        let mut join = join_of(&driver);
        let mut chunks = 0;
        while let Some(from) = join.next_key() {
            assert!(join.clone().into_node().is_none(), "not yet");
            join.handle_chunk(&chunk(&mut source, &from)).expect("an honest chunk");
            chunks += 1;
        }
        assert_eq!(join.handle_chunk(&[]), Err(ChunkError::Complete));
        assert!(len < 9 || chunks > 1, "{chunks} chunks");
        let mut joined = join.into_node().expect("complete");
        assert_eq!(joined.tip(), driver.node.final_tip());
        assert_eq!(snapshot_of(&mut joined), snapshot_of(&mut driver.node));
        let mut joined = Driver { blocks: driver.blocks.clone(), ..Driver::new(joined) };
        let path = driver.blocks.path(driver.node.tip().id);
        for id in path.into_iter().skip(source.header().height.0 as usize) {
            joined.header(id).expect("a good header");
        }
        assert_eq!(joined.node.tip(), driver.node.tip());
        assert_eq!(joined.node.state().len(), driver.node.state().len());
    }
}

#[test]
fn no_changed_chunk_is_accepted_and_an_honest_one_still_is() {
    let mut driver = grown(12);
    let mut source = source(&mut driver.node);
    let mut join = join_of(&driver);
    while let Some(from) = join.next_key() {
        let honest = chunk(&mut source, &from);
        let before = (join.len(), join.next_key());
        for bit in (0..honest.len() * 8).step_by(3) {
            let mut changed = honest.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(join.handle_chunk(&changed).is_err(), "bit {bit}");
            assert_eq!((join.len(), join.next_key()), before);
        }
        for len in 0..honest.len() {
            assert!(join.handle_chunk(&honest[..len]).is_err(), "cut at {len}");
        }
        join.handle_chunk(&honest).expect("an honest chunk");
    }
    assert!(join.into_node().is_some());
}

/// Chunks whose proof is right, and whose entries are not those up to the last one.
#[test]
fn gaps_and_surplus_entries_are_found() {
    let mut driver = grown(12);
    let mut source = source(&mut driver.node);
    let mut join = join_of(&driver);
    let first = chunk(&mut source, &join.next_key().expect("nothing yet"));
    let entry = 33 + usize::from(first[2 + 32]);
    let count = u16::from_be_bytes([first[0], first[1]]);
    let with_count =
        |count: u16, rest: &[&[u8]]| [&count.to_be_bytes()[..], &rest.concat()].concat();

    let gap = with_count(count - 1, &[&first[2 + entry..]]);
    assert_eq!(join.handle_chunk(&gap), Err(ChunkError::WrongEntries));
    let surplus = with_count(count + 1, &[&[0; 32], &[1, 7], &first[2..]]);
    assert_eq!(join.handle_chunk(&surplus), Err(ChunkError::WrongEntries));
    assert!(join.is_empty());

    let mut ahead = join.clone();
    ahead.handle_chunk(&first).expect("an honest chunk");
    assert_eq!((ahead.len(), ahead.is_empty()), (usize::from(count), false));
    let second = chunk(&mut source, &ahead.next_key().expect("there are more"));
    assert_eq!(join.handle_chunk(&second), Err(ChunkError::WrongEntries), "the first is missing");
    assert_eq!(ahead.handle_chunk(&first), Err(ChunkError::WrongStart), "twice");
    assert!(matches!(ahead.handle_chunk(&[0, 0, 0]), Err(ChunkError::Decode(_))));
    ahead.handle_chunk(&second).expect("an honest chunk");
}

#[test]
fn a_header_is_trusted_once_it_is_deep_enough() {
    let driver = grown(12);
    let node = new_node();
    let blocks = chain_of(&driver);
    let mut follower = HeaderFollower::new(&node, Height(9));
    assert_eq!(follower.target(), Height(9));
    follow(&mut follower, &blocks[..10]);
    assert!(follower.base(3).is_none(), "only one header follows");
    assert!(follower.base(1).is_some());
    follow(&mut follower, &blocks);
    assert_eq!(follower.base(3).map(|base| base.tip().height), Some(Height(9)));
    let mut wrong = blocks.clone();
    wrong[5][150] ^= 1; // the author
    let mut follower = HeaderFollower::new(&node, Height(9));
    assert_eq!(follow(&mut follower, &wrong[..6]), Some(BlockVerdict::Invalid));
    // Another branch.
    let mut follower = HeaderFollower::new(&node, Height(9));
    follow(&mut follower, &blocks[..5]);
    assert_eq!(follow(&mut follower, &blocks[6..8]), Some(BlockVerdict::Orphan));
}

#[test]
fn a_peer_that_repeats_its_headers_is_not_asked_for_more() {
    let blocks = chain_of(&grown(6));
    let mut follower = HeaderFollower::new(&new_node(), Height(3));
    let first = hand(&mut follower, &blocks[..5], true);
    assert_eq!(first, Some(BlockVerdict::Weighed { after: follower.tip().id }));
    assert_eq!(hand(&mut follower, &blocks[..5], true), None);
    let rest = hand(&mut follower, &blocks[..6], true);
    assert_eq!(rest, Some(BlockVerdict::Weighed { after: follower.tip().id }));
}

#[test]
fn a_source_needs_a_snapshot_and_room() {
    let mut driver = grown(6);
    let snapshot = snapshot_of(&mut driver.node);
    let rules = common::rules();
    let genesis = *driver.node.genesis_id();
    let few = SnapshotSource::new(&genesis, &rules, &snapshot, vec![Slot::EMPTY; 3]);
    assert!(matches!(few, Err(ResumeError::Config(_))));
    let slots = || vec![Slot::EMPTY; rules.max_entries as usize];
    let cut = SnapshotSource::new(&genesis, &rules, &snapshot[..snapshot.len() - 1], slots());
    assert!(matches!(cut, Err(ResumeError::Decode(_))));
    let mut source = SnapshotSource::new(&genesis, &rules, &snapshot, slots()).expect("its own");
    assert_eq!(source.chunk(&Key::from_bytes([0xFF; 32]), &mut [0; CHUNK_LEN]), Ok(None));
    let from = Key::from_bytes([0; 32]);
    let needed = source.chunk(&from, &mut [0; 40]).expect_err("too short").needed;
    assert!(source.chunk(&from, &mut vec![0; needed]).is_ok());
    let _: BlockId = source.id();
    assert_eq!(source.into_slots().len(), rules.max_entries as usize);
}

/// A chunk may fill the buffer to its last byte; with a byte less, its last entry is left out.
#[test]
fn a_chunk_fills_the_buffer() {
    let mut source = source(&mut grown(12).node);
    let from = Key::from_bytes([0; 32]);
    let entries = |chunk: &[u8]| u16::from_be_bytes([chunk[0], chunk[1]]);
    let full = chunk(&mut source, &from);
    assert!(entries(&full) > 1);
    let mut exact = vec![0; full.len()];
    assert_eq!(source.chunk(&from, &mut exact), Ok(Some(full.len())));
    assert_eq!(exact, full);
    let mut shorter = vec![0; full.len() - 1];
    assert!(matches!(source.chunk(&from, &mut shorter), Ok(Some(_))));
    assert_eq!(entries(&shorter), entries(&full) - 1);
}

proptest! {
    /// No bytes but an honest chunk change anything.
    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        static JOIN: OnceLock<TestJoin> = OnceLock::new();
        let mut join = JOIN.get_or_init(|| join_of(&grown(5))).clone();
        prop_assert!(join.handle_chunk(&bytes).is_err());
        prop_assert!(join.is_empty());
    }
}
