//! What a search costs: flooding as in 0.4, ultrapeers with tables as in 0.6, and a central index.

mod net;
mod picture;

use core::error::Error;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use gnutella_wire::servent::flood_bound;
use gnutella_wire::{Guid, Role};

use examples::graph::Graph;
use net::{Counts, Memory, Net};

const HELP: &str = "\
What a search costs: the same files and the same questions on a flooded network of Gnutella 0.4, on
one of 0.6 with ultrapeers, tables and dynamic queries, and with a central index.

Usage: flood [OPTIONS]

  --nodes N     how many servents, 100 to 1000000 (default 2000)
  --degree N    neighbours of each peer of 0.4, 2 to 16 (default 5)
  --ttl N       hops that a query of 0.4 may take, 1 to 15 (default 7)
  --searches N  how many questions are asked (default 20)
  --only-flood  0.4 only: for large networks
  --seed N      the seed of all choices (default 1)
  --out FILE    where the picture goes (default target/flood.svg)
  --help        print this

Example: flood --nodes 10000 --degree 7 --ttl 10";

/// Every so many servents have the file of one question.
const SHARERS: usize = 100;
/// 0.6: leaves per ultrapeer, ultrapeers per ultrapeer, ultrapeers per leaf, hops.
const LEAVES: usize = 10;
const DEGREE_06: usize = 8;
const ULTRAPEERS_OF_LEAF: usize = 2;
const TTL_06: u8 = 4;

struct Args {
    nodes: usize,
    degree: usize,
    ttl: u8,
    searches: usize,
    only_flood: bool,
    seed: u64,
    out: PathBuf,
}

/// One line of the table.
struct Row {
    pub name: String,
    pub sum: Counts,
    pub searches: u64,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    let args = match Args::parse(words.into_iter()) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            eprintln!("{complaint}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match compare(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flood: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut rows = vec![flooded(args)?];
    if !args.only_flood {
        rows.push(with_ultrapeers(args)?);
        rows.push(central(args));
    }
    println!("\n{} servents, {} searches; per search:\n", args.nodes, args.searches);
    println!(
        "| network | messages | of them queries | bytes | duplicates | reached | hits | farthest hop |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for row in &rows {
        println!("{}", row.line());
    }
    let bound = flood_bound(args.degree as u32, args.ttl);
    println!(
        "\nA flood of degree {} and TTL {} costs {bound} messages at most, on a tree.",
        args.degree, args.ttl
    );
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&args.out, picture::draw(&rows))?;
    println!("The picture is {}.", args.out.display());
    Ok(())
}

/// A regular graph of peers, as in 0.4.
fn flooded(args: &Args) -> Result<Row, Box<dyn Error>> {
    let mut graph = Graph::new(args.seed);
    let mut net = Net::new(Memory { routes: routes(args.nodes), queries: 0, table: 0 });
    for node in 0..args.nodes {
        net.add(Role::Peer, args.ttl, args.degree, Some(file(node)));
    }
    for (a, b) in graph.regular(args.nodes, args.degree) {
        net.connect(a, b)?;
    }
    let start = Instant::now();
    let row = ask(
        args,
        &mut net,
        &mut graph,
        format!("0.4, degree {}, TTL {}", args.degree, args.ttl),
        0,
    )?;
    let seconds = start.elapsed().as_secs_f64();
    let messages = (row.sum.queries + row.sum.hits) as f64;
    eprintln!(
        "0.4: {messages:.0} messages in {seconds:.2} s, {:.0} per second",
        messages / seconds
    );
    Ok(row)
}

/// Ultrapeers on a regular graph, each with leaves that have two.
fn with_ultrapeers(args: &Args) -> Result<Row, Box<dyn Error>> {
    let mut graph = Graph::new(args.seed);
    let ultrapeers = (args.nodes / (LEAVES + 1)).max(DEGREE_06 + 1);
    let mut net = Net::new(Memory { routes: routes(args.nodes), queries: 4, table: 2_048 });
    for node in 0..args.nodes {
        if node < ultrapeers {
            net.add(Role::Ultrapeer, TTL_06, DEGREE_06 + 4 * LEAVES, Some(file(node)));
        } else {
            net.add(Role::Leaf, TTL_06, ULTRAPEERS_OF_LEAF, Some(file(node)));
        }
    }
    for (a, b) in graph.regular(ultrapeers, DEGREE_06) {
        net.connect(a, b)?;
    }
    for leaf in ultrapeers..args.nodes {
        let first = leaf % ultrapeers;
        let second = (first + 1 + leaf / ultrapeers) % ultrapeers;
        net.connect(leaf, first)?;
        net.connect(leaf, second)?;
    }
    let tables = net.settle()?;
    eprintln!("0.6: {tables} messages for the tables, once and when they change");
    ask(
        args,
        &mut net,
        &mut graph,
        format!("0.6, {ultrapeers} ultrapeers, TTL {TTL_06}"),
        ultrapeers,
    )
}

/// Everybody has told the index what it has: a search is one question and one answer.
fn central(args: &Args) -> Row {
    let found = (args.nodes / SHARERS) as u64;
    let mut sum = Counts { queries: 1, hits: 1, reached: 1, hops: 1, found, ..Counts::default() };
    // OpenNap: 4 bytes of header; the question, then a row of about 90 bytes for each hit.
    sum.bytes = 64 + 94 * found;
    let searches = args.searches as u64;
    sum.queries *= searches;
    (sum.hits, sum.bytes, sum.reached, sum.found) =
        (searches, sum.bytes * searches, searches, found * searches);
    Row { name: "central index (computed)".into(), sum, searches }
}

fn ask(
    args: &Args,
    net: &mut Net,
    graph: &mut Graph,
    name: String,
    first: usize,
) -> Result<Row, Box<dyn Error>> {
    let mut sum = Counts::default();
    for number in 0..args.searches {
        let asker = first + graph.below(args.nodes - first);
        let mut guid = [0x51; 16];
        guid[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let words = format!("song {:04}", graph.below(SHARERS));
        let one = net.search(asker, Guid(guid), &words)?;
        sum.queries += one.queries;
        sum.hits += one.hits;
        sum.bytes += one.bytes;
        sum.duplicates += one.duplicates;
        sum.reached += one.reached;
        sum.found += one.found;
        sum.hops = sum.hops.max(one.hops);
        if std::io::stderr().is_terminal() {
            eprint!("\r{name}: {} of {} searches ", number + 1, args.searches);
        }
    }
    eprintln!();
    Ok(Row { name, sum, searches: args.searches as u64 })
}

/// How many routes a servent remembers: each hit that passes takes one, for pushes. Small networks can
/// afford them.
fn routes(nodes: usize) -> usize {
    if nodes > 20_000 { 32 } else { 512 }
}

/// What a servent shares.
fn file(node: usize) -> String {
    format!("song {:04} by node{node}.mp3", node % SHARERS)
}

impl Row {
    /// Messages per search.
    pub fn messages(&self) -> f64 {
        (self.sum.queries + self.sum.hits) as f64 / self.searches.max(1) as f64
    }

    fn line(&self) -> String {
        let each = |sum: u64| sum as f64 / self.searches.max(1) as f64;
        let Counts { queries, bytes, duplicates, reached, found, hops, .. } = self.sum;
        let (messages, queries, bytes) = (self.messages(), each(queries), each(bytes));
        let (duplicates, reached, found) = (each(duplicates), each(reached), each(found));
        format!(
            "| {} | {messages:.0} | {queries:.0} | {bytes:.0} | {duplicates:.0} | {reached:.0} | {found:.1} | {hops} |",
            self.name
        )
    }
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let out = PathBuf::from("target/flood.svg");
        let mut args =
            Self { nodes: 2_000, degree: 5, ttl: 7, searches: 20, only_flood: false, seed: 1, out };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--only-flood" => args.only_flood = true,
                "--nodes" => {
                    args.nodes = number(&word, words.next().as_ref(), 100, 1_000_000)? as usize;
                }
                "--degree" => args.degree = number(&word, words.next().as_ref(), 2, 16)? as usize,
                "--ttl" => args.ttl = number(&word, words.next().as_ref(), 1, 15)? as u8,
                "--searches" => {
                    args.searches = number(&word, words.next().as_ref(), 1, 100_000)? as usize;
                }
                "--seed" => args.seed = number(&word, words.next().as_ref(), 0, u64::MAX)?,
                "--out" => args.out = words.next().ok_or("--out needs a file")?.into(),
                other => return Err(format!("unknown option {other}")),
            }
        }
        Ok(Some(args))
    }
}

fn number(option: &str, word: Option<&String>, least: u64, most: u64) -> Result<u64, String> {
    let number = word.and_then(|word| word.parse().ok());
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or(format!("{option} needs a number from {least} to {most}"))
}
