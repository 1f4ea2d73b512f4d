//! More pictures: churn, an eclipse, false time stamps, and nothing at stake.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use bittorrent_pieces::dht::{Contact, NodeId, RouteSlot, RoutingTable};
use examples::chart::{Scale, Series};
use pow::CompactTarget;
use pow::difficulty::{Difficulty, HeaderInfo, Lwma, Recent, Retarget};
use sim::Rng;
use web::stake::Stake;
use web::{Options, World as _};

use super::plates::watch_ring;
use super::{Plate, axes};

/// Nodes come and go for a minute, then the ring is left alone.
pub fn churn(seed: u64) -> Result<Plate, String> {
    const END: u64 = 65;
    let mut series = Vec::new();
    let mut seen = vec!["For a minute nodes of a ring of 32 crash, and as many join.".to_owned()];
    for (index, every) in [15, 6, 3].into_iter().enumerate() {
        let mut commands = Vec::new();
        for (nth, at) in (5..END).step_by(every).enumerate() {
            // Another part of the ring each time; a new node has the identifier behind the old one's.
            let place = nth * 11 % 32 * 8;
            commands.push((at, format!("kill {}", place + 3)));
            commands.push((at, format!("join {}", place + 5)));
        }
        let words: Vec<(u64, &str)> =
            commands.iter().map(|(at, text)| (*at, text.as_str())).collect();
        let points = watch_ring(4, seed, &words, 130)?;
        let during = points.iter().filter(|(at, _)| (5.0..65.0).contains(at));
        let shares: Vec<f64> = during.map(|(_, share)| *share).collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let last = points.last().map_or(0.0, |point| point.1);
        seen.push(format!(
            "One crash and one join every {every} s: {mean:.0} % of the successors are right meanwhile, {last:.0} % a minute later."
        ));
        series.push(Series::new(format!("every {every} s"), index, points));
    }
    seen.push(
        "A node stabilizes every 5 s, so a faster change is seen late, and none of it stays."
            .into(),
    );
    let axes = axes("seconds", Scale::Whole, "right successors", Scale::Percent);
    let plate = Plate::new("churn", "What does churn do to a ring?", axes, series, seen.join(" "));
    Ok(plate.with_mark(END as f64, "churn ends"))
}

/// What an attacker can choose.
#[derive(Clone, Copy)]
enum Sybil {
    /// Ports of one address, and any id.
    Ports,
    /// An address in another network for each node, and any id.
    Networks,
    /// The same, with ids that belong to the addresses (BEP 42).
    Bound,
}

/// Returns the share of the attacker among the eight nodes that a table names for its own id.
fn captured(kind: Sybil, hostile: u32, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let mut random = move || {
        let mut bytes = [0; 20];
        for byte in &mut bytes {
            *byte = rng.next_u64() as u8;
        }
        bytes
    };
    let ip = |net: u8, n: u32| Ipv4Addr::new(net, (n >> 8) as u8, n as u8, 7);
    let own = NodeId::for_address(ip(20, 0).into(), random());
    let mut table = RoutingTable::new(own, vec![RouteSlot::EMPTY; 256]);
    for n in 1..=300 {
        let id = NodeId::for_address(ip(30, n).into(), random());
        let addr = SocketAddr::from((ip(30, n), 6_881));
        table.responded(Duration::from_secs(1), Contact { id, addr });
    }
    let is_hostile =
        |addr: SocketAddr| matches!(addr, SocketAddr::V4(v4) if v4.ip().octets()[0] == 40);
    for n in 1..=hostile {
        let addr = match kind {
            Sybil::Ports => SocketAddr::from((ip(40, 1), 10_000 + n as u16)),
            Sybil::Networks | Sybil::Bound => SocketAddr::from((ip(40, n), 6_881)),
        };
        let mut near = own.0;
        near[10..14].copy_from_slice(&n.to_be_bytes());
        near[14] ^= 0x55;
        let id = match kind {
            Sybil::Bound => NodeId::for_address(addr.ip(), random()),
            Sybil::Ports | Sybil::Networks => NodeId(near),
        };
        table.responded(Duration::from_secs(2), Contact { id, addr });
    }
    let nearest: Vec<Contact> = table.nearest(own).collect();
    let taken = nearest.iter().filter(|contact| is_hostile(contact.addr)).count();
    100.0 * taken as f64 / nearest.len().max(1) as f64
}

/// An attacker wants to be all that a node knows near its own id.
#[expect(clippy::unnecessary_wraps, reason = "all pictures are made alike")]
pub fn eclipse(seed: u64) -> Result<Plate, String> {
    const MOST: u32 = 32;
    let mut series = Vec::new();
    let mut last = Vec::new();
    for (index, (name, kind)) in [
        ("ports of one address, ids chosen", Sybil::Ports),
        ("many networks, ids chosen", Sybil::Networks),
        ("many networks, ids by BEP 42", Sybil::Bound),
    ]
    .into_iter()
    .enumerate()
    {
        let points: Vec<(f64, f64)> =
            (0..=MOST).map(|n| (f64::from(n), captured(kind, n, seed))).collect();
        last.push(points.last().map_or(0.0, |point| point.1));
        series.push(Series::new(name, index, points));
    }
    let seen = format!(
        "A routing table knows 300 honest nodes; then an attacker with up to {MOST} ids answers too. With as many ports of one address it \
         gets {:.0} % of the eight places nearest to the node's own id, since a bucket has one place for an address. With an address in \
         another network for each id it gets {:.0} %: it chooses ids next to its victim. If ids have to fit their addresses (BEP 42) it \
         cannot choose them, and gets {:.0} %.",
        last[0], last[1], last[2]
    );
    let axes = axes("ids of the attacker", Scale::Whole, "nearest places captured", Scale::Percent);
    Ok(Plate::new("eclipse", "Who surrounds a node of a DHT?", axes, series, seen))
}

/// How many spans a chain is watched for, and how many headers each of them is to have: a day if the spacing is ten minutes.
const SPANS: usize = 28;
const HEADERS: i64 = 144;
/// A difficulty of 16,307: easier by far than the limit of any rule here.
const START: CompactTarget = CompactTarget(0x1b04_04cb);

/// Returns the headers of each span, in percent of those wanted. A share of the headers claims a time this many seconds ahead.
fn headers(
    rule: &dyn Difficulty,
    spacing: i64,
    share: f64,
    ahead: u64,
    seed: u64,
) -> Result<Vec<(f64, f64)>, String> {
    const BEFORE: u64 = 2_016;
    let sentence = |error: pow::difficulty::DifficultyError| error.to_string();
    let hashes = |bits: CompactTarget| {
        bits.to_target().map(|target| target.work().hashes().saturating_u128() as f64)
    };
    let usual = hashes(START).map_err(|error| error.to_string())?;
    let mut rng = Rng::new(seed);
    let mut uniform = move || 1.0 - (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut history = Recent::new([HeaderInfo::EMPTY; 256]);
    let mut parent = HeaderInfo::EMPTY;
    for height in 0..BEFORE {
        let time = (height as i64 - BEFORE as i64 + 1) * spacing;
        parent = HeaderInfo { height, time, bits: START };
        history.push(rule, parent);
    }
    let mut spans = vec![0_u32; SPANS];
    let mut now = 0.0;
    loop {
        let bits = rule.required(&parent, now as i64, &history).map_err(sentence)?;
        let hashes = hashes(bits).map_err(|error| error.to_string())?;
        now += -uniform().ln() * hashes / usual * spacing as f64;
        let nth = (now / (HEADERS * spacing) as f64) as usize;
        let Some(span) = spans.get_mut(nth) else { break };
        *span += 1;
        let lie = if uniform() <= share { ahead as i64 } else { 0 };
        parent = HeaderInfo { height: parent.height + 1, time: now as i64 + lie, bits };
        history.push(rule, parent);
    }
    let spans = (1_u32..).zip(spans);
    Ok(spans
        .map(|(nth, count)| (f64::from(nth), 100.0 * f64::from(count) / HEADERS as f64))
        .collect())
}

fn lwma(spacing: u32) -> Lwma {
    Lwma { window: 60, spacing, limit: CompactTarget::BITCOIN_LIMIT }
}

/// Returns the share of the headers that a chain still has in the second half of the time, in percent.
fn later(points: &[(f64, f64)]) -> f64 {
    let later = &points[points.len() / 2..];
    later.iter().map(|point| point.1).sum::<f64>() / later.len() as f64
}

/// A miner with a twentieth of the hash rate claims times in the future.
pub fn time_stamps(seed: u64) -> Result<Plate, String> {
    const TWO_HOURS: u64 = 7_200;
    let minute = lwma(60);
    let ten = lwma(600);
    let near = minute.future_limit();
    let cases: [(&str, &dyn Difficulty, i64, f64, u64); 5] = [
        ("LWMA-1, 1 min, all honest", &minute, 60, 0.0, 0),
        ("LWMA-1, 1 min, two hours ahead", &minute, 60, 0.05, TWO_HOURS),
        ("LWMA-1, 1 min, as far as its rule allows", &minute, 60, 0.05, near),
        ("LWMA-1, 10 min, two hours ahead", &ten, 600, 0.05, TWO_HOURS),
        ("Bitcoin, 10 min, two hours ahead", &Retarget::MAINNET, 600, 0.05, TWO_HOURS),
    ];
    let mut series = Vec::new();
    let mut means = Vec::new();
    for (index, (name, rule, spacing, share, ahead)) in cases.into_iter().enumerate() {
        let points = headers(rule, spacing, share, ahead, seed)?;
        means.push(later(&points));
        series.push(Series::new(name, index, points));
    }
    let seen = format!(
        "The hash rate stays the same, and a miner that finds one header in twenty claims a time two hours ahead. LWMA-1 weighs each solve \
         time of its last 60 headers. With one minute between headers two hours hide more of them than the window has, and the chain slows \
         down to {:.0} % of its headers; with ten minutes to {:.0} %. That is why the rule allows a twentieth of its window, {near} s for one \
         minute: then {:.0} % remain. Bitcoin's rule reads two time stamps of 2016 headers and keeps {:.0} %. All honest, LWMA-1 has {:.0} %.",
        means[1], means[3], means[2], means[4], means[0]
    );
    let axes =
        axes("time, in 144 spacings", Scale::Whole, "headers, of those wanted", Scale::Linear);
    Ok(Plate::new("timestamps", "What do false time stamps do?", axes, series, seen))
}

/// A fork among validators that sign every branch.
pub fn nothing_at_stake(seed: u64) -> Result<Plate, String> {
    const FORK: u64 = 10;
    const END: u64 = 80;
    let mut series = Vec::new();
    let mut gaps = Vec::new();
    for (index, (slash, name)) in
        [("off", "nothing at stake"), ("on", "stake at risk")].into_iter().enumerate()
    {
        let mut stake = Stake::new(&Options::parse(&format!("slash={slash}&seed={seed}")))?;
        let mut longest = Vec::new();
        let mut second = Vec::new();
        for slot in 0..=END {
            if slot == FORK {
                stake.command(&["fork"])?;
            }
            stake.advance(Duration::from_secs(slot));
            let (first, next) = stake.heights();
            longest.push((slot as f64, first as f64));
            if next > 0 {
                second.push((slot as f64, next as f64));
            }
        }
        let end = second.last().map_or(0.0, |point| point.0);
        gaps.push((longest.last().map_or(0.0, |point| point.1), end));
        series.push(Series::new(format!("{name}: longest branch"), 2 * index, longest));
        series.push(Series::new(format!("{name}: second branch"), 2 * index + 1, second));
    }
    let seen = format!(
        "Four validators; in slot {FORK} one signs two blocks. Three of them, with 90 % of the stake, sign every branch, since a signature \
         costs nothing: the second branch still lives in slot {:.0}, nearly as high as the first, and no depth is safe. If two signed \
         blocks for one slot cost the stake, the first two signatures name their author: the second branch is dead after slot {:.0}, and the \
         honest rest has one chain of {:.0} blocks.",
        gaps[0].1, gaps[1].1, gaps[1].0
    );
    let axes = axes("slots", Scale::Whole, "height of the branch", Scale::Linear);
    Ok(Plate::new("stake", "What does a second signature cost?", axes, series, seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_captures_one_place_and_chosen_ids_all() {
        for seed in 1..4 {
            assert!(captured(Sybil::Ports, 32, seed) <= 12.5, "one of eight");
            assert!(captured(Sybil::Networks, 32, seed) > 99.0);
            assert!(captured(Sybil::Bound, 32, seed) < 50.0);
            assert!(captured(Sybil::Networks, 0, seed) < 0.1);
        }
    }

    #[test]
    fn every_picture_is_drawn_and_says_what_was_seen() {
        for plate in [churn, eclipse, time_stamps, nothing_at_stake] {
            let plate = plate(1).expect("it runs");
            println!("{}\n{}", plate.question, plate.seen);
            assert!(plate.chart.draw().is_ok_and(|drawn| drawn.contains("<polyline")));
            assert!(plate.seen.len() > 100 && !plate.seen.contains("NaN"));
        }
    }

    /// The figures of `Lwma::future_limit`'s documentation.
    #[test]
    fn time_stamps_in_the_future_slow_a_chain_down_the_more_the_shorter_its_spacing() {
        let mean = |spacing: u32, share: f64, ahead: u64| {
            let points = headers(&lwma(spacing), i64::from(spacing), share, ahead, 3);
            later(&points.expect("a chain"))
        };
        let honest = mean(60, 0.0, 0);
        assert!((90.0..110.0).contains(&honest), "{honest}");
        for (spacing, low, high) in [(60, 20.0, 34.0), (120, 33.0, 46.0), (600, 72.0, 87.0)] {
            let slowed = mean(spacing, 0.05, 7_200);
            assert!((low..high).contains(&slowed), "{spacing} s: {slowed}");
            let limited = mean(spacing, 0.05, lwma(spacing).future_limit());
            assert!(limited > 90.0, "{spacing} s: {limited}");
        }
    }
}
