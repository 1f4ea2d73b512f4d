//! The pictures.

use core::time::Duration;

use bittorrent_pieces::choker::Candidate;
use bittorrent_pieces::{Choker, ConnId};
use examples::chart::{Scale, Series};
use examples::overtake;
use sim::Rng;
use web::flood::Flood;
use web::{Json, Options, Player, World as _};

use super::{Plate, attacks, axes};
use crate::slides::lesson::{find, items, number};

type Make = fn(u64) -> Result<Plate, String>;

/// All pictures, in their order on the page.
pub const ALL: [(&str, Make); 12] = [
    ("flood", flood_cost),
    ("horizon", horizon),
    ("crash", crash),
    ("cut", cut),
    ("churn", attacks::churn),
    ("eclipse", attacks::eclipse),
    ("seed", rarest_first),
    ("television", television),
    ("free rider", free_rider),
    ("double spend", double_spend),
    ("time stamps", attacks::time_stamps),
    ("stake", attacks::nothing_at_stake),
];

fn search(options: &str) -> Result<[web::flood::Counts; 3], String> {
    let mut flood = Flood::new(&Options::parse(options))?;
    flood.command(&["search", "3", "debaser"])?;
    flood.advance(Duration::from_secs(120));
    Ok(flood.counts())
}

fn flood_cost(seed: u64) -> Result<Plate, String> {
    let mut points = [vec![], vec![], vec![]];
    for nodes in [12, 25, 50, 100, 200] {
        let counts = search(&format!("nodes={nodes}&degree=5&ttl=15&seed={seed}"))?;
        for (points, counts) in points.iter_mut().zip(counts) {
            points.push((f64::from(nodes), (counts.queries + counts.hits) as f64));
        }
    }
    let last = |points: &[(f64, f64)]| points.last().map_or(0.0, |point| point.1);
    let seen = format!(
        "Among 200 nodes one search costs {} messages in Gnutella 0.4, {} in 0.6 with ultrapeers and tables of words, and {} with a \
         central index. The flood grows with the number of links: 2 E - (N - 1) queries, whatever is asked.",
        last(&points[0]),
        last(&points[1]),
        last(&points[2])
    );
    let [flat, hybrid, index] = points;
    let series = vec![
        Series::new("0.4", 0, flat),
        Series::new("0.6", 1, hybrid),
        Series::new("central index", 2, index),
    ];
    let axes = axes("nodes", Scale::Log2, "messages", Scale::Log10);
    Ok(Plate::new("flood", "What does one search cost?", axes, series, seen))
}

fn horizon(seed: u64) -> Result<Plate, String> {
    let mut series = Vec::new();
    let mut seen = Vec::new();
    for (index, degree) in [3, 5].into_iter().enumerate() {
        let mut points = Vec::new();
        for ttl in 1..=10 {
            let counts = search(&format!("nodes=200&degree={degree}&ttl={ttl}&seed={seed}"))?;
            points.push((f64::from(ttl), 100.0 * counts[0].reached as f64 / 199.0));
        }
        let all = points.iter().find(|(_, share)| *share > 99.0).map_or(0.0, |(ttl, _)| *ttl);
        seen.push(format!(
            "With {degree} neighbours 99 % of 200 nodes are reached from TTL {all} on."
        ));
        series.push(Series::new(format!("{degree} neighbours"), index, points));
    }
    seen.push("Below it a search has a horizon: what lies beyond is not found.".into());
    let axes = axes("TTL", Scale::Whole, "nodes reached", Scale::Percent);
    Ok(Plate::new("horizon", "How far does a query reach?", axes, series, seen.join(" ")))
}

/// The share of living nodes whose first successor is the next living node.
fn right_successors(view: &Json) -> Result<f64, String> {
    let nodes = items(find(view, &["view", "nodes"])?);
    let alive = |node: &&Json| find(node, &["alive"]).is_ok_and(|it| *it == Json::Flag(true));
    let living: Vec<&Json> = nodes.iter().filter(alive).collect();
    let mut right = 0;
    for (at, node) in living.iter().enumerate() {
        let next = living[(at + 1) % living.len()];
        let first = items(find(node, &["successors"])?).first();
        right += usize::from(first == Some(find(next, &["id"])?));
    }
    Ok(100.0 * right as f64 / living.len() as f64)
}

/// Runs a ring of 32 nodes, with commands at their seconds; returns the share of right successors at each second.
pub fn watch_ring(
    r: usize,
    seed: u64,
    commands: &[(u64, &str)],
    end: u64,
) -> Result<Vec<(f64, f64)>, String> {
    let nodes: Vec<String> = (0..32).map(|nth| (nth * 8 + 3).to_string()).collect();
    let mut ring =
        Player::open("ring", &format!("m=8&r={r}&seed={seed}&nodes={}", nodes.join(",")))?;
    let mut points = Vec::new();
    for second in 0..=end {
        ring.advance(Duration::from_secs(second));
        for (_, command) in commands.iter().filter(|(at, _)| *at == second) {
            ring.command(command)?;
        }
        points.push((second as f64, right_successors(&ring.view())?));
    }
    Ok(points)
}

fn crash(seed: u64) -> Result<Plate, String> {
    let kills: Vec<(u64, String)> =
        [0, 1, 7, 8, 9, 16, 21, 27].map(|nth| (5, format!("kill {}", nth * 8 + 3))).to_vec();
    let kills: Vec<(u64, &str)> = kills.iter().map(|(at, text)| (*at, text.as_str())).collect();
    let mut series = Vec::new();
    let mut seen =
        vec!["Eight of 32 nodes crash in the same moment, three of them in a row.".to_owned()];
    for (index, r) in [4, 2].into_iter().enumerate() {
        let points = watch_ring(r, seed, &kills, 60)?;
        let healed = points.iter().rposition(|(_, share)| *share < 100.0).map_or(0, |at| at + 1);
        let later = healed.saturating_sub(5);
        seen.push(if healed <= 60 {
            format!("With {r} successors each the ring is whole again {later} s later.")
        } else {
            format!("With {r} successors it is not within a minute.")
        });
        series.push(Series::new(format!("{r} successors"), index, points));
    }
    seen.push(
        "A node that loses all its successors at once finds the ring by nodes that it remembers."
            .into(),
    );
    let axes = axes("seconds", Scale::Whole, "right successors", Scale::Percent);
    let plate =
        Plate::new("crash", "Does a ring heal after crashes?", axes, series, seen.join(" "));
    Ok(plate.with_mark(5.0, "eight crash"))
}

fn cut(seed: u64) -> Result<Plate, String> {
    let island: Vec<String> = (0..32).step_by(2).map(|nth| (nth * 8 + 3).to_string()).collect();
    let cut = format!("cut {}", island.join(","));
    let points = watch_ring(4, seed, &[(10, &cut), (150, "heal")], 500)?;
    let healed = points.iter().rposition(|(_, share)| *share < 100.0).map_or(0, |at| at + 1);
    let seen = format!(
        "Every other node of 32 is cut off at 10 s: each half closes into a ring of its own, in which no node's successor is its next \
         neighbour on the whole circle. The cut is healed at 150 s; the two rings find each other by remembered nodes and are one \
         after {} s.",
        healed.saturating_sub(150)
    );
    let axes = axes("seconds", Scale::Whole, "successors as in one ring", Scale::Percent);
    let series = vec![Series::new("4 successors", 0, points)];
    let plate = Plate::new("cut", "Does a ring that was cut become one again?", axes, series, seen);
    Ok(plate.with_mark(10.0, "cut").with_mark(150.0, "healed"))
}

fn rarest_first(seed: u64) -> Result<Plate, String> {
    let mut series = Vec::new();
    let mut seen = vec!["The seed leaves after 16 s.".to_owned()];
    for (index, order) in ["rarest", "random", "sequential"].into_iter().enumerate() {
        let mut swarm =
            Player::open("swarm", &format!("peers=8&pieces=24&order={order}&seed={seed}"))?;
        let mut points = Vec::new();
        for second in 0..=60 {
            swarm.advance(Duration::from_secs(second));
            if second == 16 {
                swarm.command("kill 0")?;
            }
            let view = swarm.view();
            let nodes = items(find(&view, &["view", "nodes"])?);
            let counts = nodes.iter().skip(1).map(|node| find(node, &["count"]).map(number));
            let mut sum = 0.0;
            for count in counts {
                sum += count?;
            }
            points.push((second as f64, 100.0 * sum / (8.0 * 24.0)));
        }
        let last = points.last().map_or(0.0, |point| point.1);
        seen.push(format!("In the order {order:?} the peers end with {last:.0} % of all pieces."));
        series.push(Series::new(order, index, points));
    }
    seen.push("What was not copied before the seed left is lost for all.".into());
    let axes = axes("seconds", Scale::Whole, "pieces that the peers have", Scale::Percent);
    let plate = Plate::new("seed", "Does a swarm outlive its seed?", axes, series, seen.join(" "));
    Ok(plate.with_mark(16.0, "the seed leaves"))
}

fn television(seed: u64) -> Result<Plate, String> {
    let mut points = Vec::new();
    for uplink in [4, 8, 16, 32, 64] {
        let options =
            format!("mode=tv&peers=6&pieces=40&uplink={uplink}&seeduplink=96&seed={seed}");
        let mut swarm = Player::open("swarm", &options)?;
        swarm.advance(Duration::from_secs(70));
        let view = swarm.view();
        let late = number(find(&view, &["view", "late"])?);
        points.push((
            f64::from(uplink) / 32.0 * 100.0,
            100.0 * late / number(find(&view, &["view", "shown"])?),
        ));
    }
    let first = points.first().map_or(0.0, |point| point.1);
    let last = points.last().map_or(0.0, |point| point.1);
    let seen = format!(
        "Six viewers of a stream of 32 KiB/s; the source sends three streams. If each viewer forwards an eighth of the stream, \
         {first:.0} % of the pieces are late; if each forwards twice the stream, {last:.0} %."
    );
    let axes = axes(
        "uplink of a viewer, in percent of the stream",
        Scale::Whole,
        "late pieces",
        Scale::Percent,
    );
    let series = vec![Series::new("six viewers", 0, points)];
    Ok(Plate::new("television", "What if viewers send little?", axes, series, seen))
}

#[expect(clippy::unnecessary_wraps, reason = "all pictures are made alike")]
fn free_rider(seed: u64) -> Result<Plate, String> {
    let rates = [80, 70, 60, 50, 20, 10, 5, 0];
    let mut peers: Vec<Candidate> = (0..8).map(|conn| Candidate::new(ConnId(conn))).collect();
    for (peer, rate) in peers.iter_mut().zip(rates) {
        peer.interested = true;
        peer.rate = rate;
    }
    let mut choker = Choker::new(4, seed);
    let mut served = [0_u32; 8];
    for _ in 0..1_000 {
        choker.round(&mut peers, |peer| Some(peer));
        for (count, peer) in served.iter_mut().zip(&peers) {
            *count += u32::from(peer.unchoked);
        }
    }
    let share = |count: u32| f64::from(count) / 10.0;
    let points =
        rates.iter().zip(served).map(|(rate, count)| (f64::from(*rate), share(count))).collect();
    let seen = format!(
        "Eight peers want data, four slots are given: three to those that send most, one by chance. The one that sends nothing is \
         served {:.0} % of the time, the best one {:.0} %.",
        share(served[7]),
        share(served[0])
    );
    let axes =
        axes("what a peer sends, in KiB/s", Scale::Whole, "time it is served", Scale::Percent);
    let series = vec![Series::new("tit for tat", 0, points)];
    Ok(Plate::new("freerider", "What does a free rider get?", axes, series, seen))
}

#[expect(clippy::unnecessary_wraps, reason = "all pictures are made alike")]
fn double_spend(seed: u64) -> Result<Plate, String> {
    let mut rng = Rng::new(seed);
    let mut series = Vec::new();
    let mut seen = Vec::new();
    for (index, percent) in [10_u32, 30].into_iter().enumerate() {
        let q = f64::from(percent) / 100.0;
        let points = |probability: fn(f64, u32) -> f64| {
            (0..=10).map(|z| (f64::from(z), probability(q, z))).collect()
        };
        series.push(Series::new(format!("{percent} %, exact"), 2 * index, points(overtake::exact)));
        series.push(Series::new(
            format!("{percent} %, Nakamoto"),
            2 * index + 1,
            points(overtake::nakamoto),
        ));
        let won = overtake::caught_up(&mut rng, q, 6, 20_000);
        seen.push(format!(
            "With {percent} % of the work and six confirmations an attacker catches up in {:.2} % of 20,000 races; exactly it is \
             {:.2} %, by Nakamoto's formula {:.2} %.",
            100.0 * won,
            100.0 * overtake::exact(q, 6),
            100.0 * overtake::nakamoto(q, 6)
        ));
    }
    seen.push("Nakamoto's formula is too hopeful: it takes the time of the honest blocks for their average.".into());
    let axes = axes("confirmations", Scale::Whole, "probability", Scale::Log10);
    Ok(Plate::new("doublespend", "How likely is a double spend?", axes, series, seen.join(" ")))
}
