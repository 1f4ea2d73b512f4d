//! The three scenes.

use core::time::Duration;
use std::thread;

use bittorrent_pieces::picker::{Order, Playback};
use bittorrent_pieces::{PieceIndex, Policy, Priority};
use examples::chart::{Axis, Chart, Mark, Scale, Series};
use examples::{progress, report};

use super::Args;
use super::world::{Kind, PEERS, World};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scene {
    /// A flash crowd on one seed: rarest pieces first, random ones, and in sequence
    Crowd,
    /// Live television: viewers that send a tenth of what they watch, alone and with one in ten as supernodes
    #[value(name = "tv")]
    Television,
    /// One image for a fleet of devices, from a server alone and from each other
    Fleet,
}

impl Scene {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crowd => "crowd",
            Self::Television => "tv",
            Self::Fleet => "fleet",
        }
    }
}

pub(crate) fn run(args: &Args) -> Chart {
    match args.scene {
        Scene::Crowd => crowd(args),
        Scene::Television => television(args),
        Scene::Fleet => fleet(args),
    }
}

/// After this virtual time a run is given up.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
const PIECE: u32 = 256 << 10;

fn crowd(args: &Args) -> Chart {
    let mut rarest = Policy::new();
    let mut random = Policy::new();
    let mut sequential = Policy::new();
    rarest.random_first = 1;
    random.random_first = u32::MAX;
    sequential.order = Order::Sequential;
    println!(
        "{} nodes come within 10 s to one seed: {} pieces of 256 KiB, {} KiB/s from each node\n",
        args.peers,
        args.pieces,
        args.uplink() >> 10
    );
    println!("| order | half have all | all have all | sent by the seed | came twice |");
    println!("|---|---|---|---|---|");
    let orders = [("rarest first", rarest), ("random", random), ("sequential", sequential)];
    let mut series = vec![];
    thread::scope(|scope| {
        let swarms = orders
            .map(|(name, policy)| (name, scope.spawn(move || crowd_with(args, name, policy))));
        for (index, (name, swarm)) in swarms.into_iter().enumerate() {
            let (points, row) = swarm.join().expect("it does not panic");
            report!("{row}");
            series.push(Series::new(name, index, points));
        }
    });
    let all_here = Mark { x: 10.0, label: "all nodes have come".into() };
    chart("Completion of a flash crowd", "nodes that have all pieces", series, vec![all_here])
}

/// Downloads in one order; returns the share that is complete at each second, and the row of the table.
fn crowd_with(args: &Args, name: &str, policy: Policy) -> (Vec<(f64, f64)>, String) {
    let mut world = World::new(args.pieces, PIECE, args.seed);
    let uplink = 2 * args.uplink();
    let peers = args.peers;
    world.add(&Kind { has_all: true, uplink, slots: 4, peers, policy });
    let points = download(&mut world, args, Some(policy), 4, name);
    let given: u64 = world.nodes[0].torrent.peers().map(|peer| peer.traffic.bytes_sent).sum();
    let wasted: u64 = world.nodes.iter().map(|node| node.wasted).sum();
    let total = u64::from(args.pieces) * u64::from(PIECE);
    let row = format!(
        "| {name} | {} | {} | {:.2} copies | {:.2} % |",
        reached(&points, 50.0),
        reached(&points, 100.0),
        given as f64 / total as f64,
        wasted as f64 * 100.0 / (total * args.peers as u64) as f64,
    );
    (points, row)
}

fn fleet(args: &Args) -> Chart {
    let total = u64::from(args.pieces) * u64::from(PIECE);
    println!(
        "an image of {} MiB for {} devices that send {} KiB/s; the server sends {} KiB/s\n",
        total >> 20,
        args.peers,
        args.uplink() >> 10,
        (10 * args.uplink()) >> 10
    );
    println!("| devices get it | half have it | all have it |");
    println!("|---|---|---|");
    let mut series = vec![];
    for (index, (name, slots)) in
        [("from the server alone", 0), ("from each other too", 4)].into_iter().enumerate()
    {
        let mut world = World::new(args.pieces, PIECE, args.seed);
        let policy = Policy::new();
        let uplink = 10 * args.uplink();
        let peers = args.peers;
        world.add(&Kind { has_all: true, uplink, slots: 10, peers, policy });
        let points = download(&mut world, args, None, slots, name);
        println!("| {name} | {} | {} |", reached(&points, 50.0), reached(&points, 100.0));
        series.push(Series::new(name, index, points));
    }
    chart("One image for a fleet", "devices that have it", series, vec![])
}

/// Lets nodes come and fetch all; returns which share of them is complete at each second.
fn download(
    world: &mut World,
    args: &Args,
    policy: Option<Policy>,
    slots: u8,
    name: &str,
) -> Vec<(f64, f64)> {
    let first = world.nodes.len();
    let uplink = args.uplink();
    let policy = policy.unwrap_or_default();
    let kind = Kind { has_all: false, uplink, slots, peers: PEERS, policy };
    let mut points = vec![(0.0, 0.0)];
    let mut come = 0;
    for second in 1.. {
        while come < args.peers && come * 10 <= args.peers * second {
            let node = world.add(&kind);
            world.join(node, 0);
            come += 1;
        }
        world.run_until(Duration::from_secs(second as u64));
        let nodes = &world.nodes[first..];
        let complete = nodes.iter().filter(|node| node.torrent.is_complete()).count();
        let share = complete as f64 * 100.0 / args.peers as f64;
        points.push((second as f64, share));
        progress::show(|| format!("{name}: {share:.0} % complete after {second} s"));
        if complete == args.peers || world.now() >= LONGEST {
            break;
        }
    }
    progress::clear();
    points
}

/// Reports when a share was reached.
fn reached(points: &[(f64, f64)], share: f64) -> String {
    let point = points.iter().find(|(_, reached)| *reached >= share);
    point.map_or("never".into(), |(second, _)| format!("{second} s"))
}

/// Bytes of a piece of the stream, and how long it plays: 512 KiB/s, which are 4 Mbit/s.
const TV_PIECE: u32 = 256 << 10;
const TV_PACE: Duration = Duration::from_millis(500);
/// A viewer sees its first picture so long after it came, and all see the same so long after it was made.
const START_UP: Duration = Duration::from_secs(5);
const DELAY: Duration = Duration::from_secs(20);

fn television(args: &Args) -> Chart {
    let rate = u64::from(TV_PIECE) * 1000 / TV_PACE.as_millis() as u64;
    println!(
        "{} viewers of a stream of {} KiB/s, which send {:.1} KiB/s; the source sends four streams\n",
        args.peers,
        rate >> 10,
        rate as f64 / 10.0 / 1024.0
    );
    println!("| network | pieces that were late | viewers that missed none | start |");
    println!("|---|---|---|---|");
    let mut series = vec![];
    for (index, (name, supernodes)) in
        [("viewers alone", false), ("one in ten a supernode", true)].into_iter().enumerate()
    {
        let points = watch(args, rate, supernodes, name);
        series.push(Series::new(name, index, points));
    }
    let begins = Mark { x: DELAY.as_secs_f64(), label: "the first piece is due".into() };
    chart("Live television: pieces that came in time", "of all viewers", series, vec![begins])
}

fn watch(args: &Args, rate: u64, supernodes: bool, name: &str) -> Vec<(f64, f64)> {
    let mut world = World::new(args.pieces, TV_PIECE, args.seed);
    let playback = Playback {
        first: PieceIndex(0),
        due: DELAY,
        pace: TV_PACE,
        window: 10, // in order of their deadlines; the others come rarest first
        urgent: Duration::from_secs(3),
    };
    let mut policy = Policy::new();
    policy.playback = Some(playback);
    policy.random_first = 0;
    world.add(&Kind { has_all: true, uplink: 4 * rate, slots: 8, peers: args.peers, policy });
    let front = if supernodes { args.peers.div_ceil(10) } else { 0 };
    for viewer in 0..args.peers {
        let (uplink, slots) = if viewer < front { (10 * rate, 50) } else { (rate / 10, 4) };
        let node = world.add(&Kind { has_all: false, uplink, slots, peers: PEERS, policy });
        for piece in (0..args.pieces).map(PieceIndex) {
            world.nodes[node].torrent.set_priority(Duration::ZERO, piece, Priority::SKIP);
        }
        world.join(node, front);
    }
    let mut points = vec![];
    let mut late = 0_u64;
    let mut missed = vec![0_u32; args.peers];
    let mut started = Duration::ZERO;
    for tick in 0.. {
        let now = TV_PACE * tick;
        world.run_until(now);
        // What was made just now may be asked for, and what is overdue is of no use any more.
        let due = playback.next(now).0;
        for node in 1..world.nodes.len() {
            let torrent = &mut world.nodes[node].torrent;
            if tick < args.pieces {
                torrent.set_priority(now, PieceIndex(tick), Priority::NORMAL);
            }
            if let Some(past) = due.checked_sub(1) {
                torrent.set_priority(now, PieceIndex(past), Priority::SKIP);
            }
            world.wake(node);
        }
        let in_time = |piece| world.nodes[1..].iter().filter(|node| node.has(piece)).count();
        if due >= args.pieces {
            break;
        }
        if started.is_zero() && 2 * in_time(0) >= args.peers {
            started = now; // half of them could begin
        }
        if playback.deadline(PieceIndex(due)) == Some(now) {
            let have = in_time(due);
            late += (args.peers - have) as u64;
            for (missed, node) in missed.iter_mut().zip(&world.nodes[1..]) {
                *missed += u32::from(!node.has(due));
            }
            points.push((now.as_secs_f64(), have as f64 * 100.0 / args.peers as f64));
        }
        progress::show(|| format!("{name}: {:.0} s watched", now.as_secs_f64()));
    }
    progress::clear();
    let share = late as f64 * 100.0 / (args.peers as f64 * f64::from(args.pieces));
    let perfect = missed.iter().filter(|missed| **missed == 0).count();
    let verdict = if started <= START_UP { "in time" } else { "late" };
    println!(
        "| {name} | {share:.1} % | {perfect} | after {:.1} s, {verdict} |",
        started.as_secs_f64()
    );
    points
}

fn chart(title: &str, y: &str, series: Vec<Series>, marks: Vec<Mark>) -> Chart {
    Chart {
        title: title.into(),
        x: Axis::new("seconds", Scale::Whole),
        y: Axis::new(y, Scale::Percent),
        series,
        marks,
    }
}
