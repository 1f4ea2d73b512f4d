//! Snapshots of a node: a node that starts from one follows the same chain, and none that was changed is accepted.

mod common;

use common::driver::{Driver, NOW, PEER, Regions, TestNode, limits, node_of, regions, snapshot_of};
use common::{Checksum, World, ledgers};
use ledger_core::node::{Node, NodeConfig, ResumeError, SnapshotError};
use ledger_core::{BlockId, Header, Tip};

const CONFIG: NodeConfig = NodeConfig::new(3, 5);

fn storage() -> Regions {
    regions(limits(&CONFIG, 8))
}

/// A driver whose chain has `len` blocks, its world, and a world for each height.
fn grown(len: u64) -> (Driver, Vec<World>) {
    let mut driver = Driver::new(node_of(CONFIG, limits(&CONFIG, 8)));
    let mut world = World::new();
    let mut worlds = vec![world.clone()];
    for n in 0..len {
        world.mint(1, n as u8);
        let id = driver.blocks.grow(&mut world, n % 4 + 1, 1);
        driver.header(id).expect("a good header");
        worlds.push(world.clone());
    }
    (driver, worlds)
}

fn resume(trusted: &BlockId, snapshot: &[u8]) -> Result<TestNode, ResumeError> {
    let spec = common::spec(3);
    Node::resume(&spec.spec(), CONFIG, Checksum, ledgers(), trusted, snapshot, storage())
}

#[test]
fn a_node_goes_on_from_a_snapshot() {
    for len in [4, 5, 14, 20] {
        let (mut driver, worlds) = grown(len);
        let before = driver.node.clone();
        let snapshot = snapshot_of(&mut driver.node);
        assert_eq!(driver.node.tip(), before.tip());
        assert_eq!(driver.node.clone().into_storage(), before.into_storage(), "nothing changed");
        let root: Tip = *driver.node.final_tip();
        assert_eq!(root.height.0, len - 3);
        let resumed = resume(&root.id, &snapshot).expect("its own snapshot");
        assert_eq!(resumed.tip(), &root);
        assert_eq!(resumed.tip(), worlds[root.height.0 as usize].chain.tip());
        // It goes on with the blocks since, through a change of branches, to the same tip.
        let mut joined = Driver { blocks: driver.blocks.clone(), ..Driver::new(resumed) };
        for id in driver.blocks.path(driver.node.tip().id).split_off(len as usize - 3) {
            joined.header(id).expect("a good header");
        }
        assert_eq!(joined.node.tip(), driver.node.tip());
        let mut other = worlds[len as usize - 2].clone();
        let fork = joined.blocks.grow(&mut other, 9, 7);
        joined.header(fork).expect("a good header");
        assert_eq!(joined.node.tip(), other.chain.tip());
        assert_eq!(joined.node.state().len(), other.chain.state().len());
        // A snapshot of the one that joined is the same.
        let mut again = resume(&root.id, &snapshot).expect("its own snapshot");
        assert_eq!(snapshot_of(&mut again), snapshot);
    }
}

#[test]
fn there_is_no_snapshot_before_a_block_is_final_and_none_in_the_middle() {
    let (mut driver, _) = grown(3);
    let nothing = driver.node.snapshot(|_| Ok::<(), ()>(()));
    assert_eq!(nothing, Err(SnapshotError::NothingFinal));
    let (mut driver, mut worlds) = grown(6);
    let before = driver.node.clone().into_storage();
    let failed = driver.node.snapshot(|_| Err("disk full"));
    assert_eq!(failed, Err(SnapshotError::Write("disk full")));
    assert_eq!(driver.node.clone().into_storage(), before);
    let mut other = worlds.remove(4);
    let first = driver.blocks.grow(&mut other, 9, 1);
    let second = driver.blocks.grow(&mut other, 9, 9);
    driver.node.handle_header(NOW, PEER, &driver.blocks.0[&first]).expect("a good header");
    driver.node.handle_header(NOW, PEER, &driver.blocks.0[&second]).expect("a good header");
    driver.blocks.0.remove(&second);
    driver.run();
    assert!(driver.node.is_busy());
    let busy = driver.node.snapshot(|_| Ok::<(), ()>(()));
    assert_eq!(busy, Err(SnapshotError::Busy));
}

/// Each changed bit is found, but in the times before the last one and in the weight, which nothing commits to.
#[test]
fn a_changed_snapshot_is_refused() {
    let (mut driver, _) = grown(9);
    let snapshot = snapshot_of(&mut driver.node);
    let root = driver.node.final_tip().id;
    let front = b"ledger-core/1 snapshot\0".len();
    let (header, _) = Header::decode(&snapshot[front..]).expect("a header");
    let weight = front + header.encoded_len();
    let unproven = weight..weight + 16 + 1 + 8 * 7;
    let mut accepted = 0;
    for bit in 0..snapshot.len() * 8 {
        let mut changed = snapshot.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        match resume(&root, &changed) {
            Err(_) => {}
            Ok(_) if unproven.contains(&(bit / 8)) => accepted += 1,
            Ok(_) => panic!("bit {bit} of {}", snapshot.len() * 8),
        }
    }
    assert!(accepted > 100, "the test looks at the right bytes");
    for len in 0..snapshot.len() {
        assert!(resume(&root, &snapshot[..len]).is_err(), "cut at {len}");
    }
    let wrong = resume(&BlockId::default(), &snapshot).expect_err("of another block");
    assert_eq!(wrong, ResumeError::WrongBlock { found: root });
    let mut heavy = snapshot.clone();
    heavy[weight] = 0xFF;
    assert_eq!(resume(&root, &heavy).err(), Some(ResumeError::WrongWeight));
}
