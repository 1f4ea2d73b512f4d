//! A ring loses a part of its nodes at once, and heals. See `lab --help`.

mod ring;

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use examples::chart::{Chart, Line};
use examples::words::{Words, start};

use ring::{Ring, STABILIZE, Second};

const HELP: &str = "\
A ring of Chord nodes over a simulated network: after ten calm seconds a part of them fails at once; the table
shows second by second how the rest finds together again, and what lookups come to meanwhile.

Usage: lab [OPTIONS]

  --nodes N       how many nodes, 30 to 20000 (default 1000)
  --kill PERCENT  how many of them fail, 0 to 90 (default 50)
  --successors N  the length of the successor lists, 1 to 20 (default 20)
  --loss N        how many of 1000 datagrams get lost, 0 to 200 (default 0)
  --lookups N     how many keys are looked up each second, 0 to 10000 (default 100)
  --seconds N     when to stop if it has not healed, 20 to 3600 (default 120)
  --seed N        the seed of all choices (default 1)
  --out FILE      where the picture goes (default target/lab.svg)
  --help          print this

Example, a list too short for what happens: lab --kill 70 --successors 4";

/// When the nodes fail.
const CALM: u64 = 10;

struct Args {
    nodes: usize,
    kill: usize,
    successors: u8,
    loss: u16,
    lookups: usize,
    seconds: u64,
    seed: u64,
    out: PathBuf,
}

/// Runs the subcommand.
pub fn run(words: Vec<String>) -> ExitCode {
    start(words, "chord lab", HELP, parse, |args| lab(&args))
}

fn parse(mut words: Words) -> Result<Args, String> {
    let mut args = Args {
        nodes: 1000,
        kill: 50,
        successors: 20,
        loss: 0,
        lookups: 100,
        seconds: 120,
        seed: 1,
        out: PathBuf::from("target/lab.svg"),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--nodes" => args.nodes = words.number(&word, 30..=20_000)?,
            "--kill" => args.kill = words.number(&word, 0..=90)?,
            "--successors" => args.successors = words.number(&word, 1..=20)?,
            "--loss" => args.loss = words.number(&word, 0..=200)?,
            "--lookups" => args.lookups = words.number(&word, 0..=10_000)?,
            "--seconds" => args.seconds = words.number(&word, 20..=3600)?,
            "--seed" => args.seed = words.number(&word, 0..=u64::MAX)?,
            "--out" => args.out = PathBuf::from(words.value(&word)?),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(args)
}

fn lab(args: &Args) -> Result<ExitCode, String> {
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
        let second = ring.run_second(args.lookups);
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
    println!("The picture is {}.", args.out.display());
    let healed = seconds.last().is_some_and(|(_, second)| second.wrong_lists == 0);
    Ok(if healed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

fn draw(args: &Args, seconds: &[(u64, Second)]) -> Result<(), String> {
    let line = |name: &str, colour, value: &dyn Fn(&Second) -> f64| Line {
        name: name.into(),
        colour,
        dots: false,
        points: seconds.iter().map(|(at, second)| (*at as f64, value(second))).collect(),
    };
    let chart = Chart {
        title: format!("{} nodes, of which {} % fail after {CALM} s", args.nodes, args.kill),
        x: "seconds".into(),
        y: "how many".into(),
        lines: vec![
            line("wrong lists", 0, &|second| second.wrong_lists as f64),
            line("wrong successors", 1, &|second| second.wrong_successors as f64),
            line("lookups not right", 4, &|second| second.not_right as f64),
            line("timeouts a lookup", 3, &|second| second.timeouts),
            line("datagrams a node", 2, &|second| second.datagrams),
        ],
    };
    if let Some(folder) = args.out.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::write(&args.out, chart.draw()).map_err(|error| format!("{}: {error}", args.out.display()))
}
