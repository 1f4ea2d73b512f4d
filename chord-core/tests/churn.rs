//! Stoica 2003, Table III: lookups while nodes join and leave. The whole table is `#[ignore]`d and runs in
//! release mode by `.ci/nightly.d/chord-masses.sh`.

mod crowd;

use core::time::Duration;
use std::collections::BTreeMap;

use chord_core::{Config, Event, Id64, LookupFailure, Peer};
use crowd::{Crowd, config, id64};
use sim::Rng;

const SECOND: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Debug, Default)]
struct Row {
    done: u32,
    hops: Vec<u8>,
    timeouts: Vec<u8>,
    /// Lookups that named none, or a node that owned the key neither when they began nor when they ended.
    failures: u32,
    /// Who owned the keys of running lookups when these began.
    owners: BTreeMap<Id64, (Id64, u32)>,
}

/// About `nodes` nodes, of which `rate` a second join and as many leave, at random; one lookup a second. One
/// finger is refreshed for each stabilization, as the paper's simulator does; a node that has left is silent.
fn churn(nodes: usize, rate: f64, lookups: u32, seed: u64) -> Row {
    let mut settings = config();
    settings.fix_fingers = settings.stabilize;
    settings.patience = Duration::from_millis(250); // twice: dead after 500 ms
    let mut crowd = Crowd::ring(nodes, settings, seed);
    crowd.listens = true;
    let mut rng = Rng::new(seed);
    let mut members: BTreeMap<Id64, u32> =
        crowd.members().iter().map(|peer| (peer.id, peer.address)).collect();
    let mut row = Row::default();
    let mut wait = {
        let mut rng = Rng::new(seed ^ 1);
        move |rate: f64| {
            let part = (rng.below(1 << 53) + 1) as f64 / (1u64 << 53) as f64;
            Duration::from_secs_f64(-part.ln() / rate)
        }
    };
    let mut next = [wait(rate), wait(rate), SECOND]; // a join, a departure, a lookup
    while row.done < lookups {
        let (at, what) = (0..3).map(|what| (next[what], what)).min().unwrap();
        crowd.run_until(at);
        hear(&mut crowd, &mut members, &mut row);
        let random = *members.values().nth(rng.below(members.len() as u64) as usize).unwrap();
        match what {
            0 => {
                join(&mut crowd, settings, random, rng.next_u64());
                next[0] += wait(rate);
            }
            1 => {
                leave(&mut crowd, &mut members, random);
                next[1] += wait(rate);
            }
            _ => {
                let key = id64(rng.next_u64());
                row.owners.insert(key, owner(&members, key));
                crowd.ask(random, key);
                next[2] += SECOND;
            }
        }
    }
    row
}

fn join(crowd: &mut Crowd, settings: Config, contact: u32, id: u64) {
    let address = crowd.nodes.len() as u32;
    let now = crowd.now;
    crowd.add(Peer { id: id64(id), address }, settings).join(now, contact).unwrap();
    crowd.look_at(address);
}

fn leave(crowd: &mut Crowd, members: &mut BTreeMap<Id64, u32>, address: u32) {
    let node = crowd.nodes[address as usize].as_mut().unwrap();
    node.leave(crowd.now);
    members.remove(&node.me().id);
    crowd.look_at(address);
    crowd.nodes[address as usize] = None;
}

fn owner(members: &BTreeMap<Id64, u32>, key: Id64) -> (Id64, u32) {
    let next = members.range(key..).chain(members.iter()).next().unwrap();
    (*next.0, *next.1)
}

/// Takes note of who has joined and of how lookups have ended.
fn hear(crowd: &mut Crowd, members: &mut BTreeMap<Id64, u32>, row: &mut Row) {
    for (at, event) in core::mem::take(&mut crowd.events) {
        match event {
            Event::Joined => {
                let node = crowd.nodes[at as usize].as_ref();
                members.extend(node.map(|node| (node.me().id, at)));
            }
            Event::LookupDone { key, owner: found, hops, timeouts, .. } => {
                let before = row.owners.remove(&key);
                let found = (found.id, found.address);
                row.failures += u32::from(found != owner(members, key) && Some(found) != before);
                row.hops.push(hops);
                row.timeouts.push(timeouts);
                row.done += 1;
            }
            Event::LookupFailed { reason, .. } if reason != LookupFailure::NotMember => {
                row.failures += 1;
                row.done += 1;
            }
            _ => {} // a node that leaves takes its lookups along
        }
    }
}

fn summary(values: &[u8]) -> (f64, u8, u8) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let mean = sorted.iter().map(|value| f64::from(*value)).sum::<f64>() / sorted.len() as f64;
    (mean, sorted[sorted.len() / 100], sorted[sorted.len() * 99 / 100])
}

#[test]
#[ignore = "large: .ci/nightly.d/chord-masses.sh"]
fn lookups_under_churn_agree_with_table_iii() {
    println!("joins and departures a second: path, timeouts (mean, 1st, 99th), failures; paper's");
    for (rate, path, late, paper) in [
        (0.05, 3.90, 0.05, 0),
        (0.10, 3.83, 0.11, 0),
        (0.15, 3.84, 0.16, 2),
        (0.20, 3.81, 0.23, 5),
        (0.25, 3.83, 0.30, 6),
        (0.30, 3.91, 0.34, 8),
        (0.35, 3.94, 0.42, 16),
        (0.40, 4.06, 0.46, 15),
    ] {
        for seed in [1, 2, 3] {
            let row = churn(1000, rate, 10_000, seed);
            let hops = summary(&row.hops);
            let timeouts = summary(&row.timeouts);
            let failures = row.failures;
            println!(
                "  {rate:.2}: {hops:.2?}, {timeouts:.2?}, {failures}, seed {seed}; {path}, {late}, {paper}"
            );
            assert!((hops.0 / path - 1.0).abs() <= 0.05, "{rate}: path {}, seed {seed}", hops.0);
            let most = if rate <= 0.1 { 0 } else { 30 };
            assert!(failures <= most, "{rate}: {failures} failures, seed {seed}");
        }
    }
}

#[test]
fn lookups_are_right_while_nodes_come_and_go() {
    let row = churn(200, 0.05, 600, 5);
    assert_eq!(row.failures, 0, "seed 5: {row:?}");
}
