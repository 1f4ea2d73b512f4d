//! A node and random trees of blocks: any order of arrival, and a crash at any event.

mod common;

use common::World;
use common::driver::{Blocks, Driver, NOW, PEER, limits, node, node_of};
use ledger_core::node::{Event, NodeConfig, Progress};
use ledger_core::{Block, BlockError, BlockId, Header, Refused};
use proptest::prelude::*;

/// A random tree of blocks: from which block each grows, its weight, and whether it is invalid.
fn tree() -> impl Strategy<Value = Vec<(u16, u8, u8)>> {
    proptest::collection::vec((any::<u16>(), 1_u8..20, 0_u8..6), 2..18)
}

/// The blocks of a random tree, the ids in the order of their making, and the tip that all nodes must reach; `None`
/// if two branches are equally good.
fn plant(steps: &[(u16, u8, u8)]) -> Option<(Blocks, Vec<BlockId>, ledger_core::Tip)> {
    let mut blocks = Blocks::default();
    let mut worlds = vec![World::new()];
    let mut ids = Vec::new();
    for (n, (from, weight, kind)) in steps.iter().enumerate() {
        let mut world = worlds[usize::from(*from) % worlds.len()].clone();
        if *kind == 0 {
            ids.push(blocks.grow_invalid(&mut world, 200));
        } else {
            ids.push(blocks.grow(&mut world, n as u64 + 1, *weight));
            worlds.push(world);
        }
    }
    let best = worlds.iter().map(|world| *world.chain.tip()).max_by_key(|tip| tip.weight)?;
    let same = worlds.iter().filter(|world| world.chain.tip().weight == best.weight).count();
    (same == 1).then_some((blocks, ids, best))
}

fn next_random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*state >> 33) as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any order of arrival, orphans included: the same tip and the same state root, which are those of the heaviest
    /// branch without an invalid block.
    #[test]
    fn any_order_of_arrival_gives_the_same_tip(
        steps in tree(),
        orders in proptest::collection::vec(any::<u64>(), 3),
    ) {
        let Some((blocks, ids, best)) = plant(&steps) else { return Ok(()) };
        for order in orders {
            let config = NodeConfig::new(20, order);
            let mut limits = limits(&config, 0);
            limits.orphans = 20;
            let mut driver = Driver { blocks: blocks.clone(), ..Driver::new(node_of(config, limits)) };
            driver.budget = 1 + (order % 7) as u32;
            let mut waiting = ids.clone();
            let mut state = order;
            while !waiting.is_empty() {
                let id = waiting.swap_remove(next_random(&mut state) % waiting.len());
                match driver.node.handle_header(NOW, PEER, &blocks.0[&id]) {
                    Ok(_) | Err(Refused::Invalid(BlockError::InvalidAncestor)) => {}
                    other => panic!("{other:?}"),
                }
                if state & 1 == 0 {
                    driver.run();
                }
            }
            driver.run();
            prop_assert_eq!(driver.tip(), best);
            prop_assert!(!driver.node.is_busy());
            prop_assert_eq!(driver.node.poll_timeout(), None);
            // The events lead to the tip, through blocks that were kept before.
            let mut path: Vec<BlockId> = Vec::new();
            for event in &driver.events {
                match event {
                    Event::Connected { id, .. } => path.push(*id),
                    Event::Disconnected { id, .. } => assert_eq!(path.pop(), Some(*id)),
                    _ => {}
                }
            }
            prop_assert_eq!(path, blocks.path(best.id));
        }
    }

    /// A crash at every event boundary: a new node with the blocks that were kept reaches at least what was connected,
    /// and with the rest of the blocks the same tip.
    #[test]
    fn a_crash_at_any_event_loses_nothing_that_was_connected(steps in tree()) {
        let Some((blocks, ids, best)) = plant(&steps) else { return Ok(()) };
        let mut driver = Driver { blocks: blocks.clone(), ..Driver::new(node(20)) };
        let mut crashes: Vec<(Vec<BlockId>, BlockId)> = Vec::new();
        for id in &ids {
            let _ = driver.node.handle_header(NOW, PEER, &blocks.0[id]);
            loop {
                while driver.node.work(100) == Progress::Pending {}
                let Some(event) = driver.node.poll_event() else { break };
                crashes.push((driver.disk.clone(), driver.node.tip().id));
                if let Event::Keep { id, .. } = event {
                    driver.disk.push(id); // stored, and the crash comes before `handle_saved`
                    crashes.push((driver.disk.clone(), driver.node.tip().id));
                    driver.disk.pop();
                }
                driver.serve(event);
            }
        }
        prop_assert_eq!(driver.tip(), best);
        for (disk, connected) in crashes {
            let mut resumed = Driver { blocks: blocks.clone(), ..Driver::new(node(20)) };
            for id in &disk {
                resumed.node.handle_header(NOW, PEER, &blocks.0[id]).expect("in order");
                resumed.node.handle_saved(NOW, id);
            }
            resumed.blocks.0.retain(|id, _| disk.contains(id));
            resumed.run();
            let kept = disk.iter().chain([&connected]).map(|id| weight_of(&blocks, *id)).max();
            prop_assert_eq!(Some(resumed.tip().weight.0), kept);
            resumed.blocks = blocks.clone();
            for id in &ids {
                let _ = resumed.header(*id);
            }
            prop_assert_eq!(resumed.tip(), best);
        }
    }
}

fn weight_of(blocks: &Blocks, id: BlockId) -> u128 {
    let of = |id: &BlockId| {
        let header: Header = *Block::decode(&blocks.0[id]).expect("a block").0.header();
        u128::from(header.claim.as_bytes()[0])
    };
    blocks.path(id).iter().map(of).sum()
}
