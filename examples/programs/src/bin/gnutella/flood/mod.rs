//! What a search costs: flooding as in 0.4, ultrapeers with tables as in 0.6, and a central index.

mod net;

use core::error::Error;
use std::time::Instant;

use gnutella_wire::servent::flood_bound;
use gnutella_wire::{Guid, Role};

use examples::cli::{self, Exit, Out, within};
use examples::{chart, progress};
use net::{Counts, Memory, Net};
use sim::Graph;

/// One in this many servents has the file of a query.
const SHARERS: usize = 100;
/// 0.6: leaves per ultrapeer, ultrapeers per ultrapeer, ultrapeers per leaf, hops.
const LEAVES: usize = 10;
const DEGREE_06: usize = 8;
const ULTRAPEERS_OF_LEAF: usize = 2;
const TTL_06: u8 = 4;

/// What a search costs with 0.4, with 0.6 and with a central index
///
/// The same files and the same questions on a flooded network of Gnutella 0.4, on one of 0.6 with ultrapeers, tables
/// and dynamic queries, and with a central index. Draws the messages per search as `flood.svg`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: gnutella flood --nodes 10000 --degree 7 --ttl 10")]
pub struct Args {
    /// How many servents
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = within(100..=1_000_000_usize))]
    nodes: usize,
    /// Neighbours of each peer of 0.4
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within(2..=16_usize))]
    degree: usize,
    /// Hops that a query of 0.4 may take
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = within(1..=15_u8))]
    ttl: u8,
    /// How many questions are asked
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within(1..=100_000_usize))]
    searches: usize,
    /// 0.4 only: for large networks
    #[arg(long)]
    only_flood: bool,
    /// Compress the tables of 0.6, as servents do that accept deflate
    #[arg(long)]
    deflate: bool,
    /// The seed of all choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// One line of the table.
struct Row {
    name: String,
    sum: Counts,
    searches: u64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let rows = compare(args).map_err(cli::sentence)?;
    let bars: Vec<_> = rows.iter().map(|row| (row.name.clone(), row.messages())).collect();
    let picture = chart::bars("Messages per search", "messages", &bars).map_err(cli::sentence)?;
    args.out.write("flood.svg", picture)?;
    Ok(Exit::Success)
}

fn compare(args: &Args) -> Result<Vec<Row>, Box<dyn Error>> {
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
    Ok(rows)
}

/// A regular graph of peers, as in 0.4.
fn flooded(args: &Args) -> Result<Row, Box<dyn Error>> {
    let mut graph = Graph::new(args.seed);
    let mut net =
        Net::new(Memory { routes: routes(args.nodes), queries: 0, table: 0, deflate: false });
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
    let routes = routes(args.nodes);
    let memory = Memory { routes, queries: 4, table: 2_048, deflate: args.deflate };
    let mut net = Net::new(memory);
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
    let (messages, bytes) = net.settle()?;
    eprintln!(
        "0.6: {messages} messages of {bytes} bytes for the tables, once and when they change"
    );
    ask(
        args,
        &mut net,
        &mut graph,
        format!("0.6, {ultrapeers} ultrapeers, TTL {TTL_06}"),
        ultrapeers,
    )
}

/// Every servent has shared its files with the index: a search is one question and one answer.
fn central(args: &Args) -> Row {
    let found = (args.nodes / SHARERS) as u64;
    let mut sum = Counts { queries: 1, hits: 1, reached: 1, hops: 1, found, ..Counts::default() };
    // OpenNap: 4 bytes of header; the question, then a row of about 90 bytes for each hit.
    sum.bytes = 64 + 94 * found;
    let searches = args.searches as u64;
    sum.queries = searches;
    sum.hits = searches;
    sum.bytes *= searches;
    sum.reached = searches;
    sum.found = found * searches;
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
        progress::show(|| format!("{name}: {} of {} searches", number + 1, args.searches));
    }
    progress::clear();
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
    fn messages(&self) -> f64 {
        (self.sum.queries + self.sum.hits) as f64 / self.searches.max(1) as f64
    }

    fn line(&self) -> String {
        let each = |sum: u64| sum as f64 / self.searches.max(1) as f64;
        let Counts { queries, bytes, duplicates, reached, found, hops, .. } = self.sum;
        format!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {hops} |",
            self.name,
            self.messages(),
            each(queries),
            each(bytes),
            each(duplicates),
            each(reached),
            each(found),
        )
    }
}
