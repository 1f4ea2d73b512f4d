//! The same lookups in eight geometries. See `chord overlays --help`.

mod flooded;
mod members;
mod small_world;
mod torus;

use std::collections::BTreeSet;

use chord_core::geometry::{Kademlia, Pastry, Tapestry};
use chord_core::{Route, RoutingTableVec};
use examples::chart::{Axis, Chart, Scale, Series, Style};
use examples::cli::{self, Exit, Out, within};
use examples::progress;
use sim::Rng;

use flooded::Flooded;
use members::{Members, Node, random};
use small_world::SmallWorld;
use torus::Torus;

const NAMES: [&str; 8] =
    ["linear", "chord", "pastry", "tapestry", "can", "kademlia", "flooding", "freenet"];
/// As many neighbours as a peer of Gnutella 0.4 has in the lectures.
const DEGREE: usize = 5;
/// A walk along half of the ring is long, and a flood asks everybody: fewer of them do.
const FEWER: usize = 100;

/// The same lookups among the same nodes by the routing decisions of eight geometries
///
/// A walk along the successors, Chord, Pastry, Tapestry, CAN, Kademlia, flooding, and Freenet. Prints how many hops a lookup
/// takes and how many others a node knows, and compares each answer with the owner that is found by looking at all
/// nodes. Draws both as `hops.svg` and `state.svg`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example: chord overlays --nodes 1000,10000,100000 --only chord,pastry --out hops"
)]
pub struct Args {
    /// Numbers of nodes
    #[arg(long = "nodes", value_name = "LIST", value_delimiter = ',', value_parser = within(2..=1_000_000_usize),
        default_values_t = (6..=16).map(|bits| 1_usize << bits))]
    sizes: Vec<usize>,
    /// How many lookups of each
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within(1..=1_000_000_usize))]
    lookups: usize,
    /// Which geometries
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = NAMES, default_values_t = NAMES.map(str::to_owned))]
    only: Vec<String>,
    /// Dimensions of CAN
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = within(2..=4_u32))]
    dimensions: u32,
    /// Newcomers of CAN go to the largest neighbour of the owner of their point
    #[arg(long)]
    uniform: bool,
    /// The seed of everything
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// What the lookups in one geometry came to.
#[derive(Default)]
struct Tally {
    lookups: u32,
    hops: u64,
    most: u32,
    known: u64,
    wrong: u32,
    messages: u64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let names: Vec<&str> = NAMES.into_iter().filter(|name| asked(args, name)).collect();
    let mut hops = series(&names);
    let mut state = series(&names);
    let mut wrong = 0;
    println!("| nodes | geometry | hops, mean | at most | nodes known | messages |");
    println!("|---|---|---|---|---|---|");
    for size in &args.sizes {
        let members = Members::new(*size, args.seed);
        for (at, name) in names.iter().enumerate() {
            progress::show(|| format!("{size} nodes, {name}"));
            let tally = look_up(args, &members, name)?;
            progress::clear();
            let mean = tally.per_lookup(tally.hops);
            let known = tally.per_lookup(tally.known);
            let messages = tally.per_lookup(tally.messages);
            println!(
                "| {size} | {name} | {mean:.2} | {} | {known:.1} | {messages:.1} |",
                tally.most
            );
            hops[at].points.push((*size as f64, mean));
            state[at].points.push((*size as f64, known));
            wrong += tally.wrong;
        }
    }
    args.out.write("hops.svg", draw("Hops of a lookup", "hops, mean", hops)?)?;
    args.out.write("state.svg", draw("What a node knows", "other nodes, mean", state)?)?;
    if wrong > 0 {
        return Err(format!("{wrong} lookups did not end at the owner"));
    }
    println!("\nevery lookup ended at the owner");
    Ok(Exit::Success)
}

fn look_up(args: &Args, members: &Members, name: &str) -> Result<Tally, String> {
    let few = args.lookups.min(FEWER);
    Ok(match name {
        "linear" => routed(
            (args, members, few, clockwise),
            |at| members.linear(at),
            RoutingTableVec::route,
            |table| table.successors.as_slice().len(),
        ),
        "chord" => routed(
            (args, members, args.lookups, clockwise),
            |at| members.chord(at),
            RoutingTableVec::route,
            |table| {
                let successors = table.successors.as_slice().iter().copied();
                distinct(table.fingers.iter().chain(successors))
            },
        ),
        "pastry" => routed(
            (args, members, args.lookups, numeric),
            |at| members.pastry(at),
            Pastry::route,
            |node| distinct(node.known()) - 1,
        ),
        "tapestry" => routed(
            (args, members, args.lookups, root),
            |at| members.tapestry(at),
            Tapestry::route,
            |node| distinct(node.known()) - 1,
        ),
        "kademlia" => routed(
            (args, members, args.lookups, exclusive),
            |at| members.kademlia(at),
            Kademlia::route,
            |node| distinct(node.known()) - 1,
        ),
        "can" => match args.dimensions {
            2 => on_torus::<2>(args, members)?,
            3 => on_torus::<3>(args, members)?,
            _ => on_torus::<4>(args, members)?,
        },
        "freenet" => in_small_world(args, members),
        _ => flood(args, members, few),
    })
}

fn distinct(known: impl Iterator<Item = Node>) -> usize {
    known.map(|peer| peer.id).collect::<BTreeSet<_>>().len()
}

/// What is looked up, how often, and how the owner is found by looking at all nodes.
type Task<'a> = (&'a Args, &'a Members, usize, fn(&[Node], u128) -> Node);

/// Looks keys up from nodes chosen by chance, the same in each geometry.
fn routed<T>(
    (args, members, lookups, owner): Task<'_>,
    table: impl Fn(usize) -> T,
    route: impl Fn(&T, u128) -> Route<u128, u32>,
    known: impl Fn(&T) -> usize,
) -> Tally {
    let mut rng = Rng::new(args.seed ^ 0x1007);
    let mut tally = Tally::default();
    for _ in 0..lookups {
        let start = rng.below(members.nodes.len() as u64) as usize;
        let key = random(&mut rng);
        let first = table(start);
        let mut hops = 0;
        let mut at = start;
        let mut next = route(&first, key);
        while let Route::Ask(peer) = next {
            hops += 1;
            at = peer.address as usize;
            next = route(&table(at), key);
        }
        if let Route::Owner(peer) = next
            && peer.address as usize != at
        {
            hops += 1;
            at = peer.address as usize;
        }
        let right = members.nodes[at] == owner(&members.nodes, key);
        tally.add(hops, known(&first), right, u64::from(hops));
    }
    tally
}

fn clockwise(nodes: &[Node], key: u128) -> Node {
    *nodes.iter().min_by_key(|node| node.id.wrapping_sub(key)).expect("a node")
}

fn numeric(nodes: &[Node], key: u128) -> Node {
    let around = |id: u128| id.wrapping_sub(key).min(key.wrapping_sub(id));
    *nodes.iter().min_by_key(|node| (around(node.id), node.id)).expect("a node")
}

fn exclusive(nodes: &[Node], key: u128) -> Node {
    *nodes.iter().min_by_key(|node| node.id ^ key).expect("a node")
}

/// Digit by digit the one that is wanted, or the next that there is.
fn root(nodes: &[Node], key: u128) -> Node {
    let digit = |id: u128, row: u32| (id >> (124 - 4 * row)) & 15;
    let mut left: Vec<Node> = nodes.to_vec();
    for row in 0..32 {
        let nearest = |node: &Node| (digit(node.id, row) + 16 - digit(key, row)) % 16;
        let best = left.iter().map(nearest).min();
        left.retain(|node| Some(nearest(node)) == best);
    }
    left[0]
}

fn on_torus<const D: usize>(args: &Args, members: &Members) -> Result<Tally, String> {
    let mut rng = Rng::new(args.seed ^ 0xCA);
    let torus = Torus::<D>::grow(&members.nodes, args.uniform, &mut rng)?;
    let mut tally = Tally::default();
    for _ in 0..args.lookups {
        let start = rng.below(members.nodes.len() as u64) as usize;
        let point = core::array::from_fn(|_| rng.next_u64() as u32);
        let (hops, owner) = torus.walk(start, &point);
        tally.add(hops, torus.neighbours(start), owner == torus.owner(&point), u64::from(hops));
    }
    Ok(tally)
}

fn in_small_world(args: &Args, members: &Members) -> Tally {
    let size = members.nodes.len();
    let mut rng = Rng::new(args.seed ^ 0x1007);
    let world = SmallWorld::new(size, &mut rng);
    let mut tally = Tally::default();
    for _ in 0..args.lookups {
        let start = rng.below(size as u64) as usize;
        let owner = rng.below(size as u64) as usize;
        let (hops, end) = world.walk(start, owner);
        tally.add(hops, world.degree(start), end == owner, u64::from(hops));
    }
    tally
}

fn flood(args: &Args, members: &Members, lookups: usize) -> Tally {
    let size = members.nodes.len();
    let flooded = Flooded::new(size, DEGREE, args.seed);
    let mut rng = Rng::new(args.seed ^ 0x1007);
    let mut tally = Tally::default();
    for _ in 0..lookups {
        let start = rng.below(size as u64) as usize;
        let owner = clockwise(&members.nodes, random(&mut rng)).address as usize;
        let (hops, messages) = flooded.search(start, owner);
        tally.add(hops, flooded.degree(start), true, messages);
    }
    tally
}

impl Tally {
    fn add(&mut self, hops: u32, known: usize, right: bool, messages: u64) {
        self.lookups += 1;
        self.hops += u64::from(hops);
        self.most = self.most.max(hops);
        self.known += known as u64;
        self.wrong += u32::from(!right);
        self.messages += messages;
    }

    fn per_lookup(&self, sum: u64) -> f64 {
        sum as f64 / f64::from(self.lookups.max(1))
    }
}

fn asked(args: &Args, name: &str) -> bool {
    args.only.iter().any(|one| one == name)
}

/// A geometry has the same colour and dash in every picture. There are seven of each: the eighth line has the colour of
/// the first and the dash of the second.
fn series(names: &[&str]) -> Vec<Series> {
    let index = |name: &str| NAMES.iter().position(|known| *known == name).unwrap_or(0);
    let one = |name: &&str| {
        let index = index(name);
        let line = Series::new(*name, index, Vec::new());
        Series { style: Style::Marked, dash: index + index / 7, ..line }
    };
    names.iter().map(one).collect()
}

fn draw(title: &str, y: &str, series: Vec<Series>) -> cli::Result<String> {
    let chart = Chart {
        title: title.into(),
        x: Axis::new("nodes", Scale::Log2),
        y: Axis::new(y, Scale::Log10),
        series,
        marks: vec![],
    };
    chart.draw().map_err(cli::sentence)
}
