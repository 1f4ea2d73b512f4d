//! How likely a double spend is after some confirmations. See `attack --help`.

mod formula;
mod race;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use examples::chart::{Chart, Line};
use examples::words::{Words, start};
use sim::Rng;

const HELP: &str = "\
The probability that an attacker with a part of all hash power catches up after some confirmations, and so takes
a payment back: by Nakamoto's formula, exactly, and in simulated races.

Usage: attack [OPTIONS]

  --q LIST     the attacker's parts in percent, each 1 to 45 (default 10,20,30,40)
  --z N        up to how many confirmations, 0 to 200 (default 10)
  --races N    how many races for each number, 1 to 100000000 (default 20000)
  --seed N     the seed of the races (default 1)
  --out FILE   also draw it: an SVG picture
  --help       print this

Example: attack --q 10,30 --z 10 --out attack.svg";

struct Args {
    percents: Vec<u32>,
    most: u32,
    races: u32,
    seed: u64,
    out: Option<PathBuf>,
}

/// One line of the table.
struct Row {
    z: u32,
    nakamoto: f64,
    exact: f64,
    simulated: f64,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    start(words, "mine attack", HELP, parse, |args| attack(&args))
}

fn parse(mut words: Words) -> Result<Args, String> {
    let mut args =
        Args { percents: vec![10, 20, 30, 40], most: 10, races: 20_000, seed: 1, out: None };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--q" => args.percents = percents(&words.value(&word)?)?,
            "--z" => args.most = words.number(&word, 0..=200)?,
            "--races" => args.races = words.number(&word, 1..=100_000_000)?,
            "--seed" => args.seed = words.number(&word, 0..=u64::MAX)?,
            "--out" => args.out = Some(PathBuf::from(words.value(&word)?)),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn percents(list: &str) -> Result<Vec<u32>, String> {
    let one = |word: &str| word.parse().ok().filter(|percent| (1..=45).contains(percent));
    let all: Option<_> = list.split(',').map(one).collect();
    all.ok_or_else(|| {
        format!("--q takes numbers from 1 to 45 with commas between them, not {list}")
    })
}

fn attack(args: &Args) -> Result<ExitCode, String> {
    let mut rng = Rng::new(args.seed);
    let mut lines = Vec::new();
    for (colour, percent) in args.percents.iter().enumerate() {
        println!("q = {percent} %, {} races, seed {}", args.races, args.seed);
        println!("{:>4} {:>11} {:>11} {:>11}", "z", "Nakamoto", "exact", "simulated");
        let mut rows = Vec::new();
        for z in 0..=args.most {
            let row = row(&mut rng, f64::from(*percent) / 100.0, z, args.races);
            let Row { nakamoto, exact, simulated, .. } = row;
            println!("{z:>4} {nakamoto:>11.7} {exact:>11.7} {simulated:>11.7}");
            rows.push(row);
        }
        println!();
        lines.extend(lines_of(&rows, colour, *percent));
    }
    if let Some(path) = &args.out {
        let chart = Chart {
            title: "An attacker catches up".into(),
            x: "confirmations".into(),
            y: "probability".into(),
            lines,
        };
        let name = path.display();
        fs::write(path, chart.draw()).map_err(|error| format!("cannot write {name}: {error}"))?;
        println!("see {name}");
    }
    Ok(ExitCode::SUCCESS)
}

fn row(rng: &mut Rng, q: f64, z: u32, races: u32) -> Row {
    let simulated = race::caught_up(rng, q, z, races);
    Row { z, nakamoto: formula::nakamoto(q, z), exact: formula::exact(q, z), simulated }
}

fn lines_of(rows: &[Row], colour: usize, percent: u32) -> [Line; 2] {
    let points = |y: fn(&Row) -> f64| rows.iter().map(|row| (f64::from(row.z), y(row))).collect();
    let line = |name: &str, dots, points| Line {
        name: format!("{percent} %, {name}"),
        colour,
        dots,
        points,
    };
    [
        line("Nakamoto", false, points(|row| row.nakamoto)),
        line("simulated", true, points(|row| row.simulated)),
    ]
}
