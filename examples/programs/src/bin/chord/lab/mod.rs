//! A ring loses a part of its nodes at once, and heals. See `chord lab --help`.

mod ring;

use core::time::Duration;

use examples::chart::{Axis, Chart, Mark, Scale, Series};
use examples::cli::{self, Exit, Out, within};
use examples::progress;

use ring::{Ring, STABILIZE, Second};

/// When the nodes fail.
const CALM: u64 = 10;

/// A ring over a simulated network of which a part fails at once, second by second until it has healed
///
/// After ten calm seconds the nodes fail; the table shows how the rest finds together again, and how lookups end
/// meanwhile. Draws it as `lab.svg`. Success if the ring has healed.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example, a list too short for what happens: chord lab --kill 70 --successors 4"
)]
pub struct Args {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = within(30..=20_000_usize))]
    nodes: usize,
    /// How many of 100 nodes fail
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = within(0..=90_usize))]
    kill: usize,
    /// The length of the successor lists
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within(1..=20_u8))]
    successors: u8,
    /// How many of 1000 datagrams are lost
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within(0..=200_u16))]
    loss: u16,
    /// How many keys are looked up each second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within(0..=10_000_usize))]
    lookups: usize,
    /// When to stop if it has not healed
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = within(20..=3600_u64))]
    seconds: u64,
    /// The seed of all choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let mut ring = Ring::new(args.nodes, args.successors, args.loss, args.seed);
    println!(
        "{} nodes, {} successors, a stabilization every {} s, seed {}\n",
        args.nodes,
        args.successors,
        STABILIZE.as_secs(),
        args.seed
    );
    println!(
        "| s | nodes | wrong successors | wrong lists | datagrams a node | lookups | not right | hops | timeouts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut seconds: Vec<(u64, Second)> = vec![];
    for at in 1..=args.seconds {
        progress::show(|| format!("second {at} of at most {}", args.seconds));
        let second = ring.run_second(args.lookups);
        progress::clear();
        println!("| {at} | {second} |");
        let healed = at > CALM && second.wrong_lists == 0 && second.not_right == 0;
        seconds.push((at, second));
        if at == CALM {
            ring.kill(args.nodes * args.kill / 100);
            println!("| {at} | {} fail | | | | | | | |", args.nodes * args.kill / 100);
        }
        if healed {
            break;
        }
    }
    sum_up(&seconds);
    draw(args, &seconds)?;
    let healed = seconds.last().is_some_and(|(_, second)| second.wrong_lists == 0);
    Ok(Exit::success_if(healed))
}

/// Says after how long each thing was right for good.
fn sum_up(seconds: &[(u64, Second)]) {
    for (name, wrong) in [
        ("All first successors", (|second| second.wrong_successors) as fn(&Second) -> usize),
        ("All lists", |second| second.wrong_lists),
        ("All lookups", |second| second.not_right),
    ] {
        let Some(last) = seconds.iter().rposition(|(_, second)| wrong(second) > 0) else {
            println!("{name} were right throughout.");
            continue;
        };
        let Some((at, _)) = seconds.get(last + 1) else {
            println!("{name}: not right by the end. A longer list survives more: --successors.");
            continue;
        };
        let after = Duration::from_secs(at.saturating_sub(CALM));
        let rounds = after.as_secs_f64() / STABILIZE.as_secs_f64();
        println!("{name} were right {} s after the failures, {rounds:.1} rounds.", after.as_secs());
    }
}

fn draw(args: &Args, seconds: &[(u64, Second)]) -> cli::Result<()> {
    let line = |name: &str, index, value: &dyn Fn(&Second) -> f64| {
        let points = seconds.iter().map(|(at, second)| (*at as f64, value(second)));
        Series::new(name, index, points.collect())
    };
    let chart = Chart {
        title: format!("{} nodes, of which {} % fail after {CALM} s", args.nodes, args.kill),
        x: Axis::new("seconds", Scale::Whole),
        y: Axis::new("how many (0 is not drawn)", Scale::Log10),
        series: vec![
            line("wrong lists", 0, &|second| second.wrong_lists as f64),
            line("wrong successors", 1, &|second| second.wrong_successors as f64),
            line("lookups not right", 4, &|second| second.not_right as f64),
            line("timeouts per lookup", 3, &|second| second.timeouts),
            line("datagrams per node", 2, &|second| second.datagrams),
        ],
        marks: vec![Mark { x: CALM as f64, label: format!("{} % fail", args.kill) }],
    };
    args.out.write("lab.svg", chart.draw().map_err(cli::sentence)?)
}
