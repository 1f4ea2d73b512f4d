//! Rings of up to a million nodes: half of them fail at once. The large ones are `#[ignore]`d and run in
//! release mode by `.ci/nightly.d/chord-masses.sh`.

mod crowd;

use core::time::Duration;
use std::time::Instant;

use chord_core::Event;
use crowd::{Crowd, config, id64, memory};
use sim::Rng;

/// By then each node has stabilized once more: the longest wait, and the time for its answers.
const ROUND: Duration = Duration::from_millis(37_500);

/// Stoica 2003, Theorem IV.5 with r = 20: half of the ring fails at once. After one round each first successor
/// is right, after r rounds each list. Returns how many rounds the lists took.
fn half_fail(nodes: usize, seed: u64) -> usize {
    let start = Instant::now();
    let mut crowd = Crowd::ring(nodes, config(), seed);
    crowd.run_until(ROUND);
    assert_eq!(crowd.wrong(20), 0, "an ideal ring stays ideal");
    crowd.fail(nodes / 2, &mut Rng::new(seed));
    let mut rounds = 0;
    while crowd.wrong(20) > 0 {
        let sent = crowd.sent;
        let wrong = crowd.wrong(20);
        // A node may come upon twenty dead ones in a row, and waits for each.
        let extra = if rounds == 0 { Duration::from_secs(7) } else { Duration::ZERO };
        crowd.run_until(crowd.now + ROUND + extra);
        rounds += 1;
        let each = (crowd.sent - sent) as f64 / (nodes / 2) as f64;
        println!(
            "  round {rounds}: {wrong} lists wrong before, {each:.2} datagrams for each node, \
             first successors wrong: {}, {:.0} s, {} MB",
            crowd.wrong(1),
            start.elapsed().as_secs_f64(),
            memory(),
        );
        assert_eq!(crowd.wrong(1), 0, "first successors after one round, seed {seed}");
        assert!(rounds <= 20, "seed {seed}: lists take more than r rounds");
    }
    println!("{nodes} nodes, half fail: lists ideal after {rounds} rounds, seed {seed}");
    rounds
}

#[test]
fn half_of_a_thousand_fail_and_the_ring_survives() {
    half_fail(1000, 1);
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-masses.sh"]
fn half_of_ten_and_a_hundred_thousand_fail_and_the_ring_survives() {
    half_fail(10_000, 1);
    half_fail(100_000, 1);
}

/// A million nodes: a round costs three datagrams each, lookups are right, and half of them may fail.
#[test]
#[ignore = "large: .ci/nightly.d/chord-masses.sh"]
fn half_of_a_million_fail_and_the_ring_survives() {
    const NODES: usize = 1_000_000;
    let start = Instant::now();
    let before = memory();
    let mut crowd = Crowd::ring(NODES, config(), 7);
    let built = memory() - before;
    println!("{NODES} nodes: {built} MB, {} bytes each with timers", (built << 20) / NODES as u64);
    crowd.listens = true;
    let members = crowd.members();
    let mut rng = Rng::new(7);
    let keys: Vec<u64> = (0..1000).map(|_| rng.next_u64()).collect();
    for key in &keys {
        while !crowd.ask(rng.below(NODES as u64) as u32, id64(*key)) {}
    }
    crowd.run_until(Duration::from_secs(20));
    let mut hops = 0;
    let mut done = 0;
    for (_, event) in crowd.events.drain(..) {
        if let Event::LookupDone { key, owner, hops: way, .. } = event {
            let right = members[members.partition_point(|peer| peer.id < key) % NODES];
            assert_eq!(owner, right);
            hops += usize::from(way);
            done += 1;
        }
    }
    assert_eq!(done, keys.len());
    println!("{done} lookups, all right, {:.2} hops on average", f64::from(hops as u32) / 1000.0);
    crowd.listens = false;
    crowd.run_until(ROUND * 2);
    println!("two rounds: {} datagrams, {:.0} s", crowd.sent, start.elapsed().as_secs_f64());
    assert_eq!(crowd.wrong(20), 0);
    crowd.fail(NODES / 2, &mut rng);
    crowd.run_until(crowd.now + ROUND + Duration::from_secs(7));
    println!(
        "half have failed, one round later {} first successors are wrong; {:.0} s, {} MB",
        crowd.wrong(1),
        start.elapsed().as_secs_f64(),
        memory()
    );
    assert_eq!(crowd.wrong(1), 0);
}
