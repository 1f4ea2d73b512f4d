//! Rings that are cut into parts, or lose members faster than the proof allows: they merge again.

mod network;

use core::time::Duration;

use chord_core::{Node, Peer, State};
use network::{Net, SECOND, open};

const MINUTE: Duration = Duration::from_secs(60);

/// Whether a datagram from one address to another is lost.
type Cut = fn(u32, u32) -> bool;

/// Parts, whether only one direction is cut, and the cut.
const CUTS: [(u32, bool, Cut); 6] = [
    (2, false, |from, to| from % 2 != to % 2),
    (3, false, |from, to| from % 3 != to % 3),
    (8, false, |from, to| from % 8 != to % 8),
    (2, true, |from, to| from % 2 < to % 2),
    (3, true, |from, to| from % 3 < to % 3),
    (8, true, |from, to| from % 8 < to % 8),
];

/// Well-known nodes, where there are any: they do not fail, and all others remember their addresses.
const SEEDS: [u32; 2] = [1, 2];

/// One situation of the matrix.
#[derive(Debug, Clone, Copy)]
struct Case {
    parts: u32,
    cut: Cut,
    span: Duration,
    r: usize,
    churn: Option<Churn>,
}

/// How often a node fails and another one joins, and whether there are well-known nodes.
#[derive(Debug, Clone, Copy)]
struct Churn {
    every: Duration,
    seeds: bool,
}

fn add_seeds(net: &mut Net, address: u32) {
    let node = &mut net.members.get_mut(&address).unwrap().node;
    for seed in SEEDS {
        node.add_seed(seed).unwrap();
    }
}

impl Case {
    /// Runs the case with a ring of 64; returns how long it took until the ring was ideal, or what it lacked after
    /// two minutes.
    fn run(&self, seed: u64) -> Result<Duration, String> {
        let mut net = Net::ring(seed, self.r, 64);
        if self.churn.is_some_and(|churn| churn.seeds) {
            (1..=64).for_each(|address| add_seeds(&mut net, address));
        }
        net.run_for(SECOND * 30);
        net.cut = self.cut;
        match self.churn {
            Some(churn) => self.run_with_churn(&mut net, churn),
            None => net.run_for(self.span),
        }
        net.cut = open;
        let start = net.now;
        let flaw = net.flaw_after(MINUTE * 2);
        let took = net.now.saturating_sub(start);
        if let Some(flaw) = flaw {
            return Err(format!("seed {seed}: {flaw}"));
        }
        if net.lookups(2) < 2 {
            return Err(format!("seed {seed}: a lookup names a wrong node"));
        }
        Ok(took)
    }

    /// Nodes fail, and others join through a member of their part.
    fn run_with_churn(&self, net: &mut Net, churn: Churn) {
        let end = net.now + self.span;
        let mut address = 1000;
        while net.now < end {
            let members: Vec<_> = net.ideal();
            let mortal: Vec<_> = members
                .iter()
                .filter(|peer| !(churn.seeds && SEEDS.contains(&peer.address)))
                .collect();
            let dies = mortal[net.rng.below(mortal.len() as u64) as usize].address;
            net.members.remove(&dies);
            let part = address % self.parts;
            let mut contact = members.iter().map(|peer| peer.address);
            let contact = contact.find(|at| *at != dies && at % self.parts == part);
            if let Some(contact) = contact {
                let id = net.id();
                net.join(Peer { id, address }, contact);
                if churn.seeds {
                    add_seeds(net, address);
                }
            }
            address += 1;
            net.run_for(churn.every.min(end.saturating_sub(net.now)));
        }
        // The joins that failed are the application's to repeat, and those under way may not have a contact left.
        let joined = |state| !matches!(state, State::Outside | State::Joining);
        net.members.retain(|_, member| joined(Node::state(&member.node)));
    }
}

/// All cells of the matrix for one row: both ways, one way, and the same with churn.
fn row(parts: u32, span: Duration, r: usize) -> [Case; 4] {
    [(false, false), (true, false), (false, true), (true, true)].map(|(one_way, churn)| {
        let cut = CUTS.iter().find(|cut| cut.0 == parts && cut.1 == one_way).unwrap().2;
        let churn = churn.then_some(Churn { every: SECOND * 10, seeds: true });
        Case { parts, cut, span, r, churn }
    })
}

/// Every kind of cut, with each r twice; `every_partition_heals_within_two_minutes` runs all cells.
#[test]
fn cuts_of_a_minute_and_less_heal_with_and_without_churn() {
    for (seed, parts, short, long) in [(0, 2, 2, 4), (1, 3, 4, 8), (2, 8, 8, 2)] {
        for (span, r) in [(SECOND * 10, short), (MINUTE, long)] {
            for case in row(parts, span, r) {
                let healed = case.run(seed);
                assert!(healed.is_ok(), "{case:?}: {healed:?}");
            }
        }
    }
}

#[test]
fn cuts_of_an_hour_heal_with_and_without_churn() {
    for (kind, (parts, r)) in [(2, 8), (3, 2), (8, 4), (2, 4)].into_iter().enumerate() {
        let case = row(parts, MINUTE * 60, r)[kind];
        let healed = case.run(7);
        assert!(healed.is_ok(), "{case:?}: {healed:?}");
    }
}

#[test]
fn half_of_the_nodes_fail_during_a_cut_of_an_hour_without_well_known_nodes() {
    let churn = Some(Churn { every: MINUTE * 2, seeds: false });
    let case = Case { parts: 2, cut: CUTS[0].2, span: MINUTE * 60, r: 4, churn };
    let healed = case.run(0);
    assert!(healed.is_ok(), "{healed:?}");
}

#[test]
fn lost_peers_cost_at_most_a_tenth_of_the_traffic_of_a_calm_ring() {
    let mut net = Net::ring(3, 4, 64);
    let per_node = |net: &mut Net| {
        net.run_for(MINUTE * 5);
        let before = net.sent;
        net.run_for(MINUTE * 20);
        (net.sent - before) as f64 / net.members.len() as f64
    };
    let calm = per_node(&mut net);
    for address in (1..=64).step_by(8) {
        net.members.remove(&address);
    }
    let lost = per_node(&mut net);
    assert!(lost <= calm * 1.1, "{lost:.0} datagrams of each node, {calm:.0} without lost peers");
}

/// `CHORD_SEEDS` sets the number of rings of each case. With 10, the usual number, the table has to be the one in
/// docs/healing.md; `UPDATE=1` writes it there.
#[test]
#[ignore = "minutes: .ci/nightly.d/chord-rings.sh"]
fn every_partition_heals_within_two_minutes() {
    let seeds = seeds(10);
    let mut failed = vec![];
    let mut table = String::from(
        "| parts | cut for | r | both ways | one way | both ways, churn | one way, churn |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for parts in [2, 3, 8] {
        for span in [SECOND * 10, MINUTE, MINUTE * 60] {
            for r in [2, 4, 8] {
                let mut line = format!("| {parts} | {} s | {r} |", span.as_secs());
                for case in row(parts, span, r) {
                    line += &case.cell(seeds, &mut failed);
                }
                println!("{line}"); // the whole table takes long
                table += &line;
                table.push('\n');
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    if seeds == 10 {
        compare(&table);
    }
}

/// Compares the table with the one in docs/healing.md, or writes it there.
fn compare(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/healing.md");
    let page = std::fs::read_to_string(path).unwrap();
    let start = page.find("| parts |").unwrap();
    let end = start + page[start..].find("\n\n").unwrap() + 1;
    if std::env::var_os("UPDATE").is_some() {
        let page = format!("{}{table}{}", &page[..start], &page[end..]);
        std::fs::write(path, page).unwrap();
    } else {
        assert_eq!(&page[start..end], table, "UPDATE=1 writes the table");
    }
}

impl Case {
    /// Returns how many rings were ideal within two minutes, and how long the slowest one took.
    fn cell(&self, seeds: u64, failed: &mut Vec<String>) -> String {
        let mut healed = 0;
        let mut slowest = Duration::ZERO;
        for seed in 0..seeds {
            match self.run(seed) {
                Ok(took) => {
                    healed += 1;
                    slowest = slowest.max(took);
                }
                Err(flaw) => failed.push(format!("{self:?}: {flaw}")),
            }
        }
        format!(" {healed} of {seeds}, {} s |", slowest.as_secs())
    }
}

/// Lets a member fail every four seconds until eight are left, which is faster than r = 4 allows: the ring may break
/// meanwhile. Returns what it lacks two minutes later.
fn shrink(seed: u64) -> Option<String> {
    let mut net = Net::ring(seed, 4, 158);
    net.run_for(SECOND * 30);
    while net.members.len() > 8 {
        let addresses: Vec<_> = net.members.keys().copied().collect();
        let at = net.rng.below(addresses.len() as u64) as usize;
        net.members.remove(&addresses[at]);
        net.run_for(SECOND * 4);
    }
    let flaw = net.flaw_after(MINUTE * 2);
    let wrong = || Some("a lookup names a wrong node".to_owned()).filter(|_| net.lookups(3) < 3);
    flaw.or_else(wrong).map(|flaw| format!("seed {seed}: {flaw}"))
}

#[test]
fn a_ring_that_shrinks_for_ten_minutes_is_one_in_the_end() {
    let seeds = if cfg!(debug_assertions) { 1 } else { 20 };
    let flaws: Vec<_> = (0..seeds).filter_map(shrink).collect();
    assert!(flaws.is_empty(), "{} of {seeds} rings: {flaws:#?}", flaws.len());
}

#[test]
#[ignore = "minutes: .ci/nightly.d/chord-rings.sh"]
fn a_thousand_rings_that_shrink_are_one_in_the_end() {
    let seeds = seeds(1000);
    let flaws: Vec<_> = (0..seeds).filter_map(shrink).collect();
    assert!(flaws.is_empty(), "{} of {seeds} rings: {flaws:#?}", flaws.len());
}

fn seeds(usual: u64) -> u64 {
    std::env::var("CHORD_SEEDS").map_or(usual, |seeds| seeds.parse().expect("a number"))
}
