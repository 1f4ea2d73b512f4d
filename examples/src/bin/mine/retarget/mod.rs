//! The difficulty rules beside each other when the hash rate jumps. See `retarget --help`.

mod chain;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use examples::chart::{Chart, Line};
use examples::words::{Words, start};
use pow::difficulty::{Asert, Difficulty, Fixed, Lwma};
use pow::{CompactTarget, Retarget};

use chain::{BEFORE, Outcome, START};

const HELP: &str = "\
What the difficulty rules make of a sudden change of the hash rate: Bitcoin's, ASERT with a half-life of two days,
LWMA-1 over 60 headers, and none, each with a spacing of ten minutes and simulated solve times.

Usage: retarget [OPTIONS]

  --days N    how long, 8 to 365 (default 56); the change comes after a quarter of that
  --seed N    the seed of the solve times (default 1)
  --out DIR   also draw the minutes for each header, day by day: an SVG picture for each change
  --help      print this

Example: retarget --days 84 --out target/retarget";

/// What happens to the hash rate at a day, of so many.
type Rate = fn(f64, f64) -> f64;
const CHANGES: [(&str, &str, Rate); 3] = [
    ("times10", "ten times the hash rate", |day, days| if day < days / 4.0 { 1.0 } else { 10.0 }),
    ("tenth", "a tenth of the hash rate", |day, days| if day < days / 4.0 { 1.0 } else { 0.1 }),
    ("swing", "ten times the hash rate every other day", |day, days| {
        if day >= days / 4.0 && (day as u32).is_multiple_of(2) { 10.0 } else { 1.0 }
    }),
];

struct Args {
    days: u32,
    seed: u64,
    out: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    start(words, "mine retarget", HELP, parse, |args| retarget(&args))
}

fn parse(mut words: Words) -> Result<Args, String> {
    let mut args = Args { days: 56, seed: 1, out: None };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--days" => args.days = words.number(&word, 8..=365)?,
            "--seed" => args.seed = words.number(&word, 0..=u64::MAX)?,
            "--out" => args.out = Some(PathBuf::from(words.value(&word)?)),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn retarget(args: &Args) -> Result<ExitCode, String> {
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
        let mut lines = Vec::new();
        for (colour, (name, rule)) in rules.iter().enumerate() {
            let outcome = chain::run(*rule, rate, args.days, args.seed);
            let outcome = outcome.map_err(|error| format!("{name}: {error}"))?;
            let (headers, hours) = (outcome.headers(), outcome.longest / 3600.0);
            println!("{name:>8} {headers:>8} {:>16.2} {hours:>14.2}", outcome.minutes(4));
            lines.push(line(name, colour, &outcome));
        }
        println!();
        if let Some(folder) = &args.out {
            let path = folder.join(format!("{file}.svg"));
            let (title, x, y) = (what.into(), "days".into(), "minutes for each header".into());
            let written = fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, Chart { title, x, y, lines }.draw()));
            let name = path.display();
            written.map_err(|error| format!("cannot write {name}: {error}"))?;
            println!("see {name}\n");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A day without any header has no place in the chart.
fn line(name: &str, colour: usize, outcome: &Outcome) -> Line {
    let days = outcome.days.iter().zip(1_u32..).filter(|(headers, _)| **headers > 0);
    let points = days.map(|(headers, day)| (f64::from(day), 1440.0 / f64::from(*headers)));
    Line { name: name.into(), colour, dots: false, points: points.collect() }
}
