//! How likely a double spend is after some confirmations. See `mine attack --help`.

use examples::chart::{Axis, Chart, Scale, Series, Style};
use examples::cli::{self, Exit, Out, within};
use examples::{overtake, progress};
use sim::Rng;

/// The probability that an attacker catches up after some confirmations, and so takes a payment back
///
/// By Nakamoto's formula, exactly, and in simulated races. Draws all three as `attack.svg`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: mine attack --q 10,30 --z 10")]
pub struct Args {
    /// The attacker's shares of all hash power in percent, each 1 to 45
    #[arg(long = "q", value_name = "LIST", value_delimiter = ',', default_values_t = [10, 20, 30, 40],
        value_parser = within(1..=45_u32))]
    percents: Vec<u32>,
    /// Up to how many confirmations
    #[arg(long = "z", value_name = "N", default_value_t = 10, value_parser = within(0..=200_u32))]
    most: u32,
    /// How many races for each number
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = within(1..=100_000_000_u32))]
    races: u32,
    /// The seed of the races
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// One line of the table.
struct Row {
    z: u32,
    nakamoto: f64,
    exact: f64,
    simulated: f64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let mut rng = Rng::new(args.seed);
    let mut series = Vec::new();
    for (colour, percent) in args.percents.iter().enumerate() {
        println!("q = {percent} %, {} races, seed {}", args.races, args.seed);
        println!("{:>4} {:>11} {:>11} {:>11}", "z", "Nakamoto", "exact", "simulated");
        let mut rows = Vec::new();
        for z in 0..=args.most {
            progress::show(|| format!("q = {percent} %, z = {z} of {}", args.most));
            let row = row(&mut rng, f64::from(*percent) / 100.0, z, args.races);
            progress::clear();
            let Row { nakamoto, exact, simulated, .. } = row;
            println!("{z:>4} {nakamoto:>11.7} {exact:>11.7} {simulated:>11.7}");
            rows.push(row);
        }
        println!();
        series.extend(series_of(&rows, colour, *percent));
    }
    let chart = Chart {
        title: "An attacker catches up".into(),
        x: Axis::new("confirmations", Scale::Whole),
        y: Axis::new("probability", Scale::Log10),
        series,
        marks: vec![],
    };
    args.out.write("attack.svg", chart.draw().map_err(cli::sentence)?)?;
    Ok(Exit::Success)
}

fn row(rng: &mut Rng, q: f64, z: u32, races: u32) -> Row {
    let simulated = overtake::caught_up(rng, q, z, races);
    Row { z, nakamoto: overtake::nakamoto(q, z), exact: overtake::exact(q, z), simulated }
}

/// The exact curve is solid, Nakamoto's dashed; the races are dots.
fn series_of(rows: &[Row], colour: usize, percent: u32) -> [Series; 3] {
    let points = |y: fn(&Row) -> f64| rows.iter().map(|row| (f64::from(row.z), y(row))).collect();
    let one = |name: &str, dash, style, points| Series {
        name: format!("{percent} %, {name}"),
        colour,
        dash,
        style,
        points,
    };
    [
        one("exact", 0, Style::Line, points(|row| row.exact)),
        one("Nakamoto", 1, Style::Line, points(|row| row.nakamoto)),
        one("simulated", 0, Style::Dots, points(|row| row.simulated)),
    ]
}
