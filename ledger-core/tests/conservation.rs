//! Coins in are coins out, fees and the subsidy, in every state that transactions, blocks and changes of branches lead to, and
//! nothing is spent twice.

mod bodies;

use bodies::BODIES;
use bodies::conservation::{Tally, run};
use sim::Rng;

/// Runs of random bytes reach everything that the body is about.
#[test]
fn coins_are_conserved_and_spent_once() {
    assert!(BODIES.iter().any(|(name, _)| *name == "ledger_conservation"));
    let mut all = Tally::default();
    for seed in 0..60 {
        println!("seed {seed}"); // shown when it fails
        let mut rng = Rng::new(seed);
        let bytes: Vec<u8> = (0..2000).map(|_| rng.next_u64() as u8).collect();
        let tally = run(&bytes);
        all.connected += tally.connected;
        all.disconnected += tally.disconnected;
        all.invalid += tally.invalid;
        all.payments += tally.payments;
        all.assets += tally.assets;
        all.escrows_closed += tally.escrows_closed;
        all.outputs_spent += tally.outputs_spent;
        all.returned += tally.returned;
    }
    println!("{all:?}");
    assert!(all.connected > 200 && all.disconnected > 30 && all.invalid > 30, "{all:?}");
    assert!(all.payments > 100 && all.assets > 100 && all.returned > 10, "{all:?}");
    assert!(all.escrows_closed > 10 && all.outputs_spent > 5, "{all:?}");
}
