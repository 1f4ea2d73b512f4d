//! Attacks and failures as pictures with a paragraph each. See `learn lab --help`.

mod attacks;
mod plates;

use examples::chart::{Axis, Chart, Mark, Scale, Series};
use examples::cli::{self, Exit, Out};
use examples::progress;
use examples::svg::escape;

/// Attacks and failures as pictures with a paragraph each
///
/// Floods, crashes, churn, a cut network, an eclipse, a dying seed, selfish viewers, free riders, double spends, false time
/// stamps, and nothing at stake: the machines of the crates in virtual time. Writes a picture for each, and `index.html` with all of them and what to see in each.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Example: learn lab --out target/lab")]
pub struct Args {
    /// The seed of all choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    out: Out,
}

/// A picture, the question that it answers, and what was seen.
pub struct Plate {
    /// The name of its file.
    name: &'static str,
    question: &'static str,
    chart: Chart,
    /// What was measured, in a paragraph.
    seen: String,
}

impl Plate {
    fn new(
        name: &'static str,
        question: &'static str,
        (x, y): (Axis, Axis),
        series: Vec<Series>,
        seen: String,
    ) -> Self {
        let chart = Chart { title: question.into(), x, y, series, marks: vec![] };
        Self { name, question, chart, seen }
    }

    /// Marks a moment.
    fn with_mark(mut self, x: f64, label: &str) -> Self {
        self.chart.marks.push(Mark { x, label: label.into() });
        self
    }
}

/// Runs the subcommand.
pub fn run(args: &Args) -> cli::Result {
    let mut page = String::from(HEAD);
    for (name, plate) in plates::ALL {
        progress::show(|| format!("{name} ..."));
        let plate = plate(args.seed)?;
        progress::clear();
        let picture = plate.chart.draw().map_err(cli::sentence)?;
        args.out.write(&format!("{}.svg", plate.name), picture)?;
        println!("{}\n  {}", plate.question, plate.seen);
        page += &section(&plate);
    }
    args.out.write("index.html", page)?;
    Ok(Exit::Success)
}

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Lab</title>\n\
    <style>:root { color-scheme: light dark; } body { max-width: 60em; margin: 0 auto; padding: 1em; \
    font: 16px/1.5 system-ui, sans-serif; } img { max-width: 100%; height: auto; background: #fff; }</style>\n\
    <h1>Attacks and failures</h1>\n";

fn section(plate: &Plate) -> String {
    let question = escape(plate.question);
    let seen = escape(&plate.seen);
    let name = plate.name;
    format!("<h2>{question}</h2>\n<img src=\"{name}.svg\" alt=\"{question}\">\n<p>{seen}</p>\n")
}

/// Axes of a picture.
fn axes(x: &str, x_scale: Scale, y: &str, y_scale: Scale) -> (Axis, Axis) {
    (Axis::new(x, x_scale), Axis::new(y, y_scale))
}
