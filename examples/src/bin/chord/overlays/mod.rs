//! The same lookups in seven geometries. See `overlays --help`.

mod flooded;
mod members;
mod torus;

use std::collections::BTreeSet;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chord_core::geometry::{Kademlia, Pastry, Tapestry};
use chord_core::{Route, RoutingTableVec};
use examples::chart::{Chart, Line};
use examples::words::{Words, start};
use sim::Rng;

use flooded::Flooded;
use members::{Members, Node, random};
use torus::Torus;

const HELP: &str = "\
The same lookups among the same nodes by the routing decisions of seven geometries: a walk along the successors,
Chord, Pastry, Tapestry, CAN, Kademlia, and flooding. Prints how many hops a lookup takes and how many others a
node knows, and checks each answer against the owner that is found by looking at all nodes.

Usage: overlays [OPTIONS]

  --nodes LIST      sizes, each 2 to 1000000 (default 64,128,256,… up to 65536)
  --lookups N       how many lookups of each, 1 to 1000000 (default 1000)
  --only LIST       geometries: linear,chord,pastry,tapestry,can,kademlia,flooding (default all)
  --dimensions N    of CAN, 2 to 4 (default 2)
  --uniform         newcomers of CAN go to the largest neighbour of the owner of their point
  --seed N          the seed of everything (default 1)
  --out FILE        also draw the hops: an SVG picture
  --out-state FILE  also draw what a node knows
  --help            print this

Example: overlays --nodes 1000,10000,100000 --only chord,pastry --out hops.svg";

const NAMES: [&str; 7] = ["linear", "chord", "pastry", "tapestry", "can", "kademlia", "flooding"];
/// As many neighbours as a peer of Gnutella 0.4 has in the lectures.
const DEGREE: usize = 5;
/// A walk along half of the ring is long, and a flood asks everybody: fewer of them do.
const FEWER: usize = 100;

struct Args {
    sizes: Vec<usize>,
    lookups: usize,
    only: Vec<String>,
    dimensions: usize,
    uniform: bool,
    seed: u64,
    out: Option<PathBuf>,
    out_state: Option<PathBuf>,
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
pub fn run(words: Vec<String>) -> ExitCode {
    start(words, "chord overlays", HELP, parse, |args| overlays(&args))
}

fn parse(mut words: Words) -> Result<Args, String> {
    let mut args = Args {
        sizes: (6..=16).map(|bits| 1 << bits).collect(),
        lookups: 1000,
        only: NAMES.map(str::to_owned).into(),
        dimensions: 2,
        uniform: false,
        seed: 1,
        out: None,
        out_state: None,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => args.sizes = sizes(&words.value(&word)?)?,
            "--lookups" => args.lookups = words.number(&word, 1..=1_000_000)?,
            "--only" => args.only = names(&words.value(&word)?)?,
            "--dimensions" => args.dimensions = words.number(&word, 2..=4)?,
            "--uniform" => args.uniform = true,
            "--seed" => args.seed = words.number(&word, 0..=u64::MAX)?,
            "--out" => args.out = Some(PathBuf::from(words.value(&word)?)),
            "--out-state" => args.out_state = Some(PathBuf::from(words.value(&word)?)),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn sizes(list: &str) -> Result<Vec<usize>, String> {
    let one = |word: &str| word.parse().ok().filter(|size| (2..=1_000_000).contains(size));
    let all: Option<_> = list.split(',').map(one).collect();
    all.ok_or_else(|| {
        format!("--nodes takes numbers from 2 to 1000000 with commas between them, not {list}")
    })
}

fn names(list: &str) -> Result<Vec<String>, String> {
    let asked: BTreeSet<&str> = list.split(',').collect();
    match asked.iter().find(|name| !NAMES.contains(name)) {
        Some(name) => Err(format!("there is no geometry {name}, but {}", NAMES.join(", "))),
        None => {
            Ok(NAMES.into_iter().filter(|name| asked.contains(name)).map(str::to_owned).collect())
        }
    }
}

fn overlays(args: &Args) -> Result<ExitCode, String> {
    let (mut hops, mut state) = (lines(&args.only), lines(&args.only));
    let mut wrong = 0;
    println!("| nodes | geometry | hops, mean | at most | nodes known | messages |");
    println!("|---|---|---|---|---|---|");
    for size in &args.sizes {
        let members = Members::new(*size, args.seed);
        for (at, name) in args.only.iter().enumerate() {
            progress(&format!("{size} nodes, {name}"));
            let tally = look_up(args, &members, name)?;
            progress("");
            let (mean, known) = (tally.per_lookup(tally.hops), tally.per_lookup(tally.known));
            let messages = tally.per_lookup(tally.messages);
            println!(
                "| {size} | {name} | {mean:.2} | {} | {known:.1} | {messages:.1} |",
                tally.most
            );
            hops[at].points.push(((*size as f64).log2(), mean));
            state[at].points.push(((*size as f64).log2(), known));
            wrong += tally.wrong;
        }
    }
    draw(args.out.as_deref(), "Hops of a lookup", "hops, mean", hops)?;
    draw(args.out_state.as_deref(), "What a node knows", "other nodes, mean", state)?;
    if wrong > 0 {
        return Err(format!("{wrong} lookups did not end at the owner"));
    }
    println!("\nevery lookup ended at the owner");
    Ok(ExitCode::SUCCESS)
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
        let (mut hops, mut at, mut next) = (0, start, route(&first, key));
        while let Route::Ask(peer) = next {
            (hops, at) = (hops + 1, peer.address as usize);
            next = route(&table(at), key);
        }
        if let Route::Owner(peer) = next
            && peer.address as usize != at
        {
            (hops, at) = (hops + 1, peer.address as usize);
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

fn lines(names: &[String]) -> Vec<Line> {
    let colour = |name: &str| NAMES.iter().position(|known| *known == name).unwrap_or(0);
    let line = |name: &String| Line {
        name: name.clone(),
        colour: colour(name),
        dots: false,
        points: Vec::new(),
    };
    names.iter().map(line).collect()
}

fn draw(path: Option<&Path>, title: &str, y: &str, lines: Vec<Line>) -> Result<(), String> {
    let Some(path) = path else { return Ok(()) };
    let chart = Chart { title: title.into(), x: "log2 of the nodes".into(), y: y.into(), lines };
    let name = path.display();
    fs::write(path, chart.draw()).map_err(|error| format!("cannot write {name}: {error}"))?;
    println!("see {name}");
    Ok(())
}

/// Says on a terminal what takes time, and takes it back when told nothing.
fn progress(what: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{what}");
        let _ = out.flush();
    }
}
