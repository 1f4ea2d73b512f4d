//! The difficulty rules beside each other when the hash rate jumps. See `mine retarget --help`.

mod chain;

use examples::chart::{Axis, Chart, Mark, Scale, Series};
use examples::cli::{self, Exit, Out, within};
use examples::progress;
use pow::difficulty::{Asert, Difficulty, Fixed, Lwma};
use pow::{CompactTarget, Retarget};

use chain::{BEFORE, Outcome, START};

/// What happens to the hash rate at a day, of so many.
type Rate = fn(f64, f64) -> f64;
const CHANGES: [(&str, &str, Rate); 3] = [
    ("times10", "ten times the hash rate", |day, days| if day < days / 4.0 { 1.0 } else { 10.0 }),
    ("tenth", "a tenth of the hash rate", |day, days| if day < days / 4.0 { 1.0 } else { 0.1 }),
    ("swing", "ten times the hash rate every other day", |day, days| {
        if day >= days / 4.0 && (day as u32).is_multiple_of(2) { 10.0 } else { 1.0 }
    }),
];

/// What the difficulty rules do after a sudden change of the hash rate
///
/// Bitcoin's, ASERT with a half-life of two days, LWMA-1 over 60 headers, and none, each with a spacing of ten minutes
/// and simulated solve times. Draws the minutes per header, day by day: a picture for each change.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: mine retarget --days 84 --out target/retarget")]
pub struct Args {
    /// How many days; the change comes after a quarter of them
    #[arg(long, value_name = "N", default_value_t = 56, value_parser = within(8..=365_u32))]
    days: u32,
    /// The seed of the solve times
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let limit = CompactTarget::BITCOIN_LIMIT;
    let asert = Asert::new(BEFORE, 0, START);
    let rules: [(&str, &dyn Difficulty); 4] = [
        ("Bitcoin", &Retarget::MAINNET),
        ("ASERT", &asert),
        ("LWMA-1", &Lwma { window: 60, spacing: 600, limit }),
        ("fixed", &Fixed(START)),
    ];
    for (file, what, rate) in CHANGES {
        println!("{what}; {} days, {} headers wanted", args.days, args.days * 144);
        println!(
            "{:>8} {:>8} {:>16} {:>14}",
            "rule", "headers", "minutes at last", "longest hours"
        );
        let mut series = Vec::new();
        for (index, (name, rule)) in rules.iter().enumerate() {
            progress::show(|| format!("{what}: {name}"));
            let outcome = chain::run(*rule, rate, args.days, args.seed);
            progress::clear();
            let outcome = outcome.map_err(|error| format!("{name}: {error}"))?;
            let headers = outcome.headers();
            let hours = outcome.longest / 3600.0;
            println!("{name:>8} {headers:>8} {:>16.2} {hours:>14.2}", outcome.minutes(4));
            series.push(line(name, index, &outcome));
        }
        println!();
        let change = f64::from(args.days) / 4.0;
        let chart = Chart {
            title: what.into(),
            x: Axis::new("days", Scale::Whole),
            y: Axis::new("minutes per header", Scale::Log10),
            series,
            marks: vec![Mark { x: change, label: "the hash rate changes".into() }],
        };
        args.out.write(&format!("{file}.svg"), chart.draw().map_err(cli::sentence)?)?;
        println!();
    }
    Ok(Exit::Success)
}

/// A day without any header has no place in the chart.
fn line(name: &str, index: usize, outcome: &Outcome) -> Series {
    let minutes = |headers: u32| if headers > 0 { 1440.0 / f64::from(headers) } else { f64::NAN };
    let days = outcome.days.iter().zip(1_u32..);
    let points = days.map(|(headers, day)| (f64::from(day), minutes(*headers)));
    Series::new(name, index, points.collect())
}
