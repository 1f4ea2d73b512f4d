//! Several copies of a ledger over the simulated network.

mod common;

use core::time::Duration;

use common::{TestChain, key, spec, stored_chain};
use ledger_core::{Account, Height};
use sim::{Addr, Delivery, Link, Network};

type Replica = TestChain;

const AUTHOR: Addr = Addr(0);

/// A node without blocks asks for the next one until it has it: datagrams of a height, or of a block.
fn synchronise(net: &mut Network, blocks: &[Vec<u8>], replicas: &mut [Replica], end: Duration) {
    let wanted = blocks.len() as u64;
    let mut ask_at = Duration::ZERO;
    while replicas.iter().any(|replica| replica.tip().height.0 < wanted) {
        assert!(net.now() < end, "the copies do not come together");
        if net.now() >= ask_at {
            ask_at = net.now() + Duration::from_millis(300);
            for (n, replica) in replicas.iter().enumerate() {
                let next = replica.tip().height.0.to_be_bytes();
                net.send_datagram(Addr(n as u32 + 1), AUTHOR, &next);
            }
        }
        match net.next(ask_at) {
            Some(Delivery::Datagram { from, to: AUTHOR, bytes }) => {
                let height = u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
                if let Some(block) = blocks.get(height as usize) {
                    net.send_datagram(AUTHOR, from, block);
                }
            }
            Some(Delivery::Datagram { to, bytes, .. }) => {
                let replica = &mut replicas[to.0 as usize - 1];
                let before = *replica.tip();
                // A late or repeated block is not the next one, and changes nothing.
                if replica.append(u64::MAX, &bytes).is_err() {
                    assert_eq!(*replica.tip(), before);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn four_copies_over_a_lossy_network_end_byte_identical() {
    for seed in 0..8 {
        let (world, blocks) = stored_chain(6);
        let link = Link {
            jitter: Duration::from_millis(80),
            loss: 250,
            duplicate: 200,
            reorder: 200,
            ..Link::default()
        };
        let mut net = Network::new(seed, link);
        let mut replicas = vec![world.chain(); 4];
        synchronise(&mut net, &blocks, &mut replicas, Duration::from_secs(600));
        let mut author = spec(3).chain();
        author.replay(u64::MAX, &blocks).expect("it is the original");
        for replica in &replicas {
            assert_eq!(replica.tip(), author.tip(), "seed {seed}");
        }
        assert!(net.stats().lost > 0 && net.stats().duplicated > 0);
    }
}

/// A receiver that was offline is paid all the same: it takes the blocks from its height on.
#[test]
fn a_copy_that_was_cut_off_catches_up() {
    let (world, blocks) = stored_chain(5);
    let mut net = Network::new(1, Link::default());
    let mut replicas = vec![world.chain(); 3];
    net.partition(&[&[AUTHOR, Addr(1), Addr(2)], &[Addr(3)]]);
    synchronise(&mut net, &blocks, &mut replicas[..2], Duration::from_secs(60));
    assert_eq!(replicas[2].tip().height, Height(0));
    net.heal();
    synchronise(&mut net, &blocks, &mut replicas, Duration::from_secs(120));
    let balance = |replica: &Replica, account: &Account| replica.state().balance(account);
    let receiver = key(1).account();
    assert_eq!(balance(&replicas[2], &receiver), balance(&replicas[0], &receiver));
    // A replay from the first block gives the same as having been there.
    let mut replayed = world.chain();
    replayed.replay(u64::MAX, &blocks).expect("it is the original");
    assert_eq!(replayed.tip(), replicas[0].tip());
}
