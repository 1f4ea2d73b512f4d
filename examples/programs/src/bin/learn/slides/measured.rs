//! What the lectures say about whole systems, measured in the worlds of the page.

use core::time::Duration;
use std::collections::BTreeMap;

use web::Player;

use super::lesson::{find, items, number, run, search};
use super::{Check, Fact, equal, fact, failed, holds};

const TEN: &str = "m=6&nodes=1,8,14,21,32,38,42,48,51,56&r=3";

pub const GENERAL: &[Fact] = &[
    fact(
        "C-GEN-06",
        "nodes enter and leave frequently: a ring after three crashes and three joins in 30 s",
        "chord_core::Node",
        "INTRO Overlay Graph, Management Issue",
        || {
            let commands = [
                ("kill 14", 5),
                ("join 26 1", 5),
                ("kill 38", 5),
                ("join 40 1", 5),
                ("kill 56", 5),
                ("join 60 1", 120),
            ];
            equal(find(&run("ring", TEN, &commands)?, &["ideal"])?.to_string(), "true".into())
        },
    ),
    fact(
        "C-GEN-09",
        "at least one node must be known: what a node has learnt that knew one",
        "chord_core::Node::join",
        "BAUN Gnutella Protocol Version 0.4",
        || {
            let mut player = Player::open("ring", TEN).map_err(failed)?;
            player.command("join 26 48").map_err(failed)?;
            player.advance(Duration::from_secs(120));
            player.select(Some(26));
            let view = player.view();
            let fingers = items(find(&view, &["view", "selected", "fingers"])?);
            let mut known: Vec<String> = fingers
                .iter()
                .filter_map(|row| items(row).get(1).map(ToString::to_string))
                .collect();
            known.dedup();
            equal(known.join(" "), "32 38 42 1".into())
        },
    ),
    fact(
        "C-GEN-11",
        "centralized, hybrid, decentralized: hits of one search for the same 60 files",
        "gnutella_wire::opennap::Index, Servent",
        "ARCH P2P: Classification; BAUN P2P Summary",
        || {
            let cost = search("nodes=60&degree=5&ttl=15", &[], 17, "debaser")?;
            holds(
                cost.index.found == 7 && cost.hybrid.found >= 1 && cost.flat.found == 7,
                format!("{}, {}, {}", cost.index.found, cost.hybrid.found, cost.flat.found),
            )
        },
    ),
    fact(
        "C-GEN-15",
        "any participating node can retrieve a value: the owners that ten nodes find for one key",
        "chord_core::Node::lookup",
        "ARCH Distributed hash tables",
        || {
            let mut owners = Vec::new();
            for node in [1, 8, 14, 21, 32, 38, 42, 48, 51, 56] {
                let view = run("ring", TEN, &[(&format!("lookup 30 {node}"), 5)])?;
                let lookup = items(find(&view, &["lookups"])?).first().ok_or("no lookup")?;
                owners.push(find(lookup, &["owner"])?.to_string());
            }
            owners.dedup();
            equal(owners, vec!["32".to_owned()])
        },
    ),
    fact(
        "C-GEN-17",
        "traffic, hosts, latency, bottleneck: one search among 60 nodes with 0.4, and with an index",
        "gnutella_wire::Servent, opennap::Index",
        "DT Gnutella",
        bottleneck,
    ),
    fact(
        "C-GEN-23",
        "fault tolerance of decentralized search: hits of 13 with no, 10, 30 and 50 of 100 nodes dead",
        "gnutella_wire::Servent",
        "ARCH Decentralized: Pro & Cons",
        || {
            let dead: Vec<String> =
                (0..100).filter(|node| node % 8 != 1).map(|node| node.to_string()).collect();
            let mut found = Vec::new();
            for count in [0, 10, 30, 50] {
                // None of those that have the song, and not the one that asks.
                let kills: Vec<&str> = dead
                    .iter()
                    .filter(|node| *node != "0")
                    .take(count)
                    .map(String::as_str)
                    .collect();
                found.push(search("nodes=100&degree=5&ttl=15", &kills, 0, "debaser")?.flat.found);
            }
            holds(
                found[0] == 13 && found[2] >= 10 && found.is_sorted_by(|a, b| a >= b),
                format!("{found:?}"),
            )
        },
    ),
];

/// Messages, hosts, seconds to the first hit, and the share of the messages that the busiest node sends.
fn bottleneck() -> Check {
    let mut player = Player::open("flood", "nodes=60&degree=5&ttl=15").map_err(failed)?;
    player.command("search 17 debaser").map_err(failed)?;
    player.advance(Duration::from_secs(60));
    let mut texts = Vec::new();
    let mut busiest = Vec::new();
    for (first, asker) in [(0, 17), (2_000, 2_017)] {
        let mut sent: BTreeMap<u32, u32> = BTreeMap::new();
        let mut hit = None;
        for line in player.world().post().lines() {
            let is_here =
                (first..first + 1_000).contains(&line.from) || first > 0 && line.from == 3_000;
            if !is_here || line.from == line.to {
                continue;
            }
            *sent.entry(line.from).or_default() += 1;
            if line.kind == "hit" && line.to == asker {
                hit = hit.or(Some(line.arrives));
            }
        }
        let all: u32 = sent.values().sum();
        let most = sent.values().copied().max().unwrap_or(0);
        let share = 100 * most / all.max(1);
        busiest.push(share);
        let hit = hit.ok_or("no hit")?.as_secs_f64();
        texts.push(format!(
            "{all} messages of {} senders, {hit:.1} s, {share} % by one",
            sent.len()
        ));
    }
    holds(busiest[0] < 10 && busiest[1] > 50, texts.join("; "))
}

pub const GNUTELLA: &[Fact] = &[
    fact(
        "C-GNU-21",
        "no looping, but packets may be received twice: duplicates are 2 E - 2 (N - 1)",
        "gnutella_wire::Servent",
        "DT Gnutella: how it works",
        || {
            let flat = search("nodes=60&degree=5&ttl=15", &[], 17, "debaser")?;
            equal(flat.flat.duplicates, 2 * flat.edges - 2 * 59)
        },
    ),
    fact(
        "C-GNU-32",
        "without the list of those seen a query goes every way: 5 (1 + 4 + 16 + 64)",
        "gnutella_wire::servent::flood_bound",
        "DT Flooding in Gnutella: loop prevention",
        || {
            equal(
                search("nodes=24&degree=5&ttl=4&loops=keep", &[], 3, "debaser")?.flat.queries,
                425,
            )
        },
    ),
    fact(
        "C-HYB-12",
        "no single point of failure: hits in 0.6 with an ultrapeer dead, and of an index that is dead",
        "gnutella_wire::Servent, opennap::Index",
        "ARCH Skype (2)",
        || {
            let one = search("nodes=60&degree=5&ttl=15", &["2", "index"], 17, "debaser")?;
            holds(
                one.hybrid.found >= 1 && one.index.found == 0,
                format!("{} and {}", one.hybrid.found, one.index.found),
            )
        },
    ),
];

pub const SWARM: &[Fact] = &[
    fact(
        "C-BIT-11",
        "resources come in segments from several peers: senders of one peer's pieces",
        "bittorrent_pieces::Torrent",
        "ARCH The phases; BAUN",
        || {
            let mut player = Player::open("swarm", "peers=8&pieces=24").map_err(failed)?;
            player.advance(Duration::from_secs(60));
            player.select(Some(3));
            let view = player.view();
            let peers = items(find(&view, &["view", "selected", "peers"])?);
            let senders =
                peers.iter().filter(|row| items(row).get(6).is_some_and(|kib| number(kib) > 0.0));
            let count = senders.count();
            holds(count >= 3, format!("{count}"))
        },
    ),
    fact(
        "C-STR-06",
        "servers help out as supernodes: late pieces of selfish viewers with one server and with four times its uplink",
        "bittorrent_pieces::Torrent, picker::Playback",
        "BAUN Reasons for Failure (2/2)",
        || {
            let late = |server: u32| -> Result<f64, String> {
                let options = format!("mode=tv&peers=4&pieces=48&uplink=4&seeduplink={server}");
                let view = run("swarm", &options, &[("", 90)])?;
                Ok(100.0 * number(find(&view, &["late"])?) / number(find(&view, &["shown"])?))
            };
            let alone = late(64)?;
            let helped = late(256)?;
            holds(helped < 0.6 * alone, format!("{alone:.0} % and {helped:.0} %"))
        },
    ),
    fact(
        "C-STR-07",
        "unicast costs grow with the audience: seconds for 3, 6 and 12 viewers, by a server and by a swarm",
        "bittorrent_pieces::Torrent",
        "BAUN Transferring Television over the Internet",
        || {
            let mut server = Vec::new();
            let mut swarm = Vec::new();
            for peers in [3, 6, 12] {
                let view = run("swarm", &format!("peers={peers}&pieces=24"), &[("", 90)])?;
                server.push(number(find(&view, &["server"])?));
                swarm.push(number(find(&view, &["complete"])?));
            }
            holds(
                server[2] > 3.9 * server[0] && swarm[2] < 2.0 * swarm[0],
                format!("{server:.0?} and {swarm:.0?}"),
            )
        },
    ),
];

pub const CHAIN: &[Fact] = &[
    fact(
        "C-BLK-05",
        "append-only: nothing is removed, a heavier branch replaces the end, and the node says so",
        "ledger_core::node::Event",
        "INTRO So, What is the Definition",
        || {
            let mut player = Player::open("chain", "").map_err(failed)?;
            for command in ["pay ann ben 60", "block", "block 0"] {
                player.command(command).map_err(failed)?;
            }
            let said = player.command("block 2").map_err(failed)?;
            let blocks = items(find(&player.view(), &["view", "ledger", "blocks"])?).len();
            holds(said.contains("took 1 blocks back and connected 2") && blocks == 4, said)
        },
    )
    .but("E-35"),
    fact(
        "C-OWN-07",
        "unconfirmed amounts wait: ben's coins before and after the block",
        "ledger_core::node::Node",
        "BAUN Bitcoins - Transactions",
        || {
            let balance = |commands: &[(&str, u64)]| -> Result<(f64, usize), String> {
                let view = run("chain", "", commands)?;
                let people = items(find(&view, &["ledger", "people"])?);
                let ben = people.get(1).ok_or("no ben")?;
                let waiting = items(find(&view, &["ledger", "pool"])?).len();
                Ok((number(find(ben, &["balance"])?), waiting))
            };
            let before = balance(&[("pay ann ben 60", 0)])?;
            let after = balance(&[("pay ann ben 60", 0), ("block", 0)])?;
            equal((before, after), ((0.0, 1), (60.0, 0)))
        },
    ),
    fact(
        "C-POW-04",
        "pool, block, puzzle, broadcast, verification, confirmation: the lines of one payment",
        "ledger_core::node::Node, pow::WorkSeal",
        "PPN How PoW Works",
        || {
            let mut player = Player::open("chain", "").map_err(failed)?;
            for command in ["pay ann ben 60", "block"] {
                player.command(command).map_err(failed)?;
            }
            let kinds: Vec<&str> =
                player.world().post().lines().iter().map(|line| line.kind).collect();
            let view = player.view();
            let made =
                items(find(&view, &["view", "ledger", "blocks"])?).get(1).ok_or("no block")?;
            let hashes = number(find(made, &["hashes"])?);
            holds(
                kinds == ["transaction", "block", "verdict"] && hashes >= 1.0,
                format!("{}, {hashes} hashes", kinds.join(", ")),
            )
        },
    ),
    fact(
        "C-CON-13",
        "only valid data are added: a block with a forged and one with a repeated payment",
        "ledger_core::node::Node",
        "INTRO Technical Concepts (2)",
        || {
            let mut player = Player::open("chain", "").map_err(failed)?;
            let forged = player.command("forge ann ben 10").map_err(failed)?;
            for command in ["pay ann ben 60", "again ann cat 60"] {
                player.command(command).map_err(failed)?;
            }
            let repeated = player.command("block").map_err(failed)?;
            holds(forged.starts_with("refused") && repeated.contains("refused"), repeated)
        },
    ),
    fact(
        "C-CON-12",
        "all nodes use the identical history: living branches after a fork, without and with punishment",
        "consensus::EquivocationDetector",
        "INTRO Technical Concepts (2)",
        || {
            let living = |slash: &str| -> Result<f64, String> {
                let options = format!("seed=2&slash={slash}");
                let view = run("stake", &options, &[("", 3), ("fork", 100)])?;
                Ok(number(find(&view, &["living"])?))
            };
            equal((living("off")?, living("on")?), (2.0, 1.0))
        },
    ),
];
