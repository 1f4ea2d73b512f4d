//! Headers that are weighed before they are stored.

mod common;

use common::driver::{Blocks, LATER, NOW, PEER, TestNode, node, seal_with, with_headers};
use common::{Checksum, World};
use ledger_core::gossip::{BlockVerdict, GossipConfig, Presync};
use ledger_core::{BlockId, GenesisId, Weight};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

const A_MESSAGE: usize = 16;

/// A branch of `len` blocks, all of this weight, on a world.
fn branch(world: &World, len: usize, weight: u8) -> Vec<Vec<u8>> {
    let mut world = world.clone();
    let grow = |_| {
        let bytes = seal_with(&mut world, weight);
        world.chain.append(LATER, &bytes).expect("it is fine");
        world.now += 1;
        bytes
    };
    (0..len).map(grow).collect()
}

fn config(genesis: GenesisId) -> GossipConfig {
    GossipConfig::new(genesis, 1 << 16, 7)
}

/// Hands over good headers, and returns the verdict of the presync.
fn headers(
    presync: &mut Presync<Checksum>,
    node: &mut TestNode,
    blocks: &[Vec<u8>],
    more: bool,
) -> Option<BlockVerdict> {
    let verdict = try_headers(presync, node, blocks, more);
    let last = id(blocks.last().expect("not empty"), node);
    assert!(verdict.is_some() || node.tip_of(&last).is_some(), "they are stored");
    verdict
}

/// Hands over headers, and returns the verdict of the presync.
fn try_headers(
    presync: &mut Presync<Checksum>,
    node: &mut TestNode,
    blocks: &[Vec<u8>],
    more: bool,
) -> Option<BlockVerdict> {
    with_headers(blocks, more, |headers| {
        let verdict = presync.handle_headers(node, NOW, headers);
        if verdict.is_none() {
            for header in headers {
                let _ = node.handle_header(NOW, PEER, header);
            }
        }
        verdict
    })
}

fn id(block: &[u8], node: &TestNode) -> BlockId {
    let (sealed, _) = ledger_core::SealedHeader::decode(block).expect("a header");
    sealed.header.id(node.genesis_id())
}

fn weighed(after: BlockId) -> BlockVerdict {
    BlockVerdict::Weighed { after }
}

/// A node whose chain has four heavy blocks on block 0.
fn heavy_node() -> TestNode {
    let mut driver = common::driver::Driver::new(node(8));
    let mut world = World::new();
    driver.blocks = Blocks::default();
    for _ in 0..4 {
        let id = driver.blocks.grow(&mut world, 1, 50);
        driver.header(id).expect("a good header");
    }
    assert_eq!(driver.tip().weight, Weight(200));
    driver.node
}

#[test]
fn a_heavier_branch_is_stored_at_the_second_download() {
    let mut node = heavy_node();
    let mut presync = Presync::new(&config(*node.genesis_id()));
    let blocks = branch(&World::new(), 40, 6); // 240 in all
    let genesis = node.genesis_id().block_id();
    let mut messages = blocks.chunks(A_MESSAGE);
    for message in messages.by_ref().take(2) {
        let last = id(message.last().expect("not empty"), &node);
        assert_eq!(headers(&mut presync, &mut node, message, true), Some(weighed(last)));
        assert_eq!(node.tip_of(&last), None, "nothing is stored");
    }
    let last = messages.next().expect("three messages");
    assert_eq!(
        headers(&mut presync, &mut node, last, false),
        Some(weighed(genesis)),
        "all of it again"
    );
    for message in blocks.chunks(A_MESSAGE) {
        assert_eq!(headers(&mut presync, &mut node, message, true), None);
    }
    assert!(!presync.is_active());
    let tip = id(&blocks[39], &node);
    assert_eq!(node.tip_of(&tip).map(|tip| tip.weight), Some(Weight(240)));
}

#[test]
fn a_flood_of_light_headers_is_never_stored() {
    let mut node = heavy_node();
    let before = format!("{node:?}");
    let mut config = config(*node.genesis_id());
    config.max_presync_headers = 100;
    let mut presync = Presync::new(&config);
    let blocks = branch(&World::new(), 120, 0);
    for (number, message) in blocks.chunks(A_MESSAGE).enumerate() {
        let last = id(message.last().expect("not empty"), &node);
        let verdict = headers(&mut presync, &mut node, message, true);
        if number == 6 {
            assert_eq!(verdict, Some(BlockVerdict::Light { headers: 112 }));
            break;
        }
        assert_eq!(verdict, Some(weighed(last)));
    }
    assert!(!presync.is_active());
    // A branch that ends before it is heavy enough.
    let few = headers(&mut presync, &mut node, &blocks[..3], false);
    assert_eq!(few, Some(BlockVerdict::Light { headers: 3 }));
    assert_eq!(format!("{node:?}"), before, "the node is as it was");
}

/// As many headers are weighed as the configuration says, and no more.
#[test]
fn light_headers_are_weighed_up_to_the_limit() {
    let mut node = heavy_node();
    let mut config = config(*node.genesis_id());
    config.max_presync_headers = 112; // seven messages
    let mut presync = Presync::new(&config);
    let blocks = branch(&World::new(), 120, 0);
    for (number, message) in blocks.chunks(A_MESSAGE).enumerate() {
        let last = id(message.last().expect("not empty"), &node);
        let verdict = headers(&mut presync, &mut node, message, true);
        let light = BlockVerdict::Light { headers: 120 };
        assert_eq!(verdict, Some(if number < 7 { weighed(last) } else { light }), "{number}");
        assert_eq!(presync.is_active(), number < 7, "{number}");
    }
}

/// Each header of another branch differs in its bit with probability one half.
#[test]
fn another_branch_at_the_second_download_is_refused() {
    let mut node = heavy_node();
    let mut presync = Presync::new(&config(*node.genesis_id()));
    let blocks = branch(&World::new(), 40, 6);
    for message in blocks.chunks(A_MESSAGE) {
        let verdict = headers(&mut presync, &mut node, message, true);
        assert!(matches!(verdict, Some(BlockVerdict::Weighed { .. })));
    }
    let others = branch(&World::new(), 40, 0);
    let verdict = headers(&mut presync, &mut node, &others[..A_MESSAGE], true);
    assert_eq!(verdict, Some(BlockVerdict::Light { headers: 40 }));
    assert!(others.iter().all(|block| node.tip_of(&id(block, &node)).is_none()));
}

#[test]
fn a_branch_from_the_tip_or_heavy_in_one_message_is_stored_at_once() {
    let mut node = heavy_node();
    let mut presync = Presync::new(&config(*node.genesis_id()));
    let mut driver = common::driver::Driver::new(node.clone());
    let mut world = World::new();
    for _ in 0..4 {
        driver.blocks.grow(&mut world, 1, 50);
    }
    let next = branch(&world, 3, 0);
    assert_eq!(headers(&mut presync, &mut node, &next, true), None);
    let heavy = branch(&World::new(), 3, 100);
    assert_eq!(headers(&mut presync, &mut node, &heavy, true), None);
    assert!(!presync.is_active());
}

#[test]
fn an_invalid_header_is_the_fault_of_its_peer() {
    let mut node = heavy_node();
    let mut presync = Presync::new(&config(*node.genesis_id()));
    let mut blocks = branch(&World::new(), 5, 1);
    let header_len = blocks[3].len() - 2 - 4; // no transactions: the proof stands last
    blocks[3][header_len + 2] ^= 1;
    let verdict = headers(&mut presync, &mut node, &blocks, true);
    assert_eq!(verdict, Some(BlockVerdict::Invalid));
}

/// A new node stores nothing until the branch has the least weight of the configuration.
#[test]
fn the_least_weight_holds_for_the_first_blocks() {
    let mut node = node(8);
    let mut config = config(*node.genesis_id());
    config.min_weight = Weight(30);
    let mut presync = Presync::new(&config);
    let blocks = branch(&World::new(), 40, 1);
    let genesis = node.genesis_id().block_id();
    let first = id(&blocks[15], &node);
    assert_eq!(headers(&mut presync, &mut node, &blocks[..16], true), Some(weighed(first)));
    assert_eq!(headers(&mut presync, &mut node, &blocks[16..32], true), Some(weighed(genesis)));
    assert_eq!(headers(&mut presync, &mut node, &blocks[..16], true), None);
    assert_eq!(headers(&mut presync, &mut node, &blocks[16..40], true), None);
}

#[test]
fn the_size_is_as_documented() {
    assert!(size_of::<Presync<()>>() <= 3072, "{}", size_of::<Presync<()>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// In whatever order a light and a heavy branch come, in pieces, the light one is stored only where a header of it
    /// passes for one of the heavy one, which is downloaded again.
    #[test]
    fn light_headers_are_not_stored_in_any_order(
        pieces in proptest::collection::vec((any::<bool>(), 0_usize..40, 1_usize..16, any::<bool>()), 1..12)
    ) {
        let mut node = heavy_node();
        let mut presync = Presync::new(&config(*node.genesis_id()));
        let light = branch(&World::new(), 40, 0);
        let heavy = branch(&World::new(), 40, 6);
        for (is_light, from, len, more) in pieces {
            let blocks = if is_light { &light } else { &heavy };
            let piece = &blocks[from..(from + len).min(40)];
            let parent_is_known = from == 0 || node.tip_of(&id(&blocks[from - 1], &node)).is_some();
            let was_active = presync.is_active();
            let known = node.tip_of(&id(&piece[0], &node)).is_some();
            if !was_active && !parent_is_known && !known {
                continue; // an orphan, which the node keeps or refuses
            }
            let before: Vec<bool> = light.iter().map(|it| node.tip_of(&id(it, &node)).is_some()).collect();
            let verdict = try_headers(&mut presync, &mut node, piece, more);
            let after: Vec<bool> = light.iter().map(|it| node.tip_of(&id(it, &node)).is_some()).collect();
            prop_assert!(before == after || was_active && verdict.is_none());
        }
    }
}
