//! The picture of the pieces: which peer got which piece from which peer, and when.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;

use super::giving::{Totals, bars};
use crate::net::NodeId;
use crate::song::Cast;
use crate::swarm::{Completion, Swarm};
use examples::svg::{Point, Svg, count, digits, quantity, seconds};

/// So many moments the slider knows, the beginning not counted.
const STEPS: usize = 200;
/// More pieces than these share columns.
const COLUMNS: usize = 160;
/// Where the matrix begins, and how much room it has.
const LEFT: f64 = 64.0;
const WIDTH: f64 = 990.0;
const WIDEST: f64 = 90.0;

/// What the pictures are drawn from.
struct View<'v> {
    cast: Cast,
    pieces: usize,
    completions: &'v [Completion],
    began: Duration,
    span: Duration,
    died: Option<Duration>,
}

/// Pieces of one leech that share a cell.
#[derive(Default)]
struct Cell {
    steps: Vec<usize>,
    givers: BTreeMap<NodeId, usize>,
    last: Duration,
}

/// Returns the section's text and pictures.
pub fn draw(swarm: &Swarm, pieces: u32, cast: Cast) -> String {
    let completions = &swarm.completions;
    let leeches = cast.leeches().count();
    let began = swarm.began();
    let end = completions.last().map_or(began, |last| last.at);
    let half = (leeches * pieces as usize).div_ceil(2);
    let view = View {
        cast,
        pieces: pieces as usize,
        completions,
        began,
        span: end.saturating_sub(began).max(Duration::from_micros(1)),
        died: completions.get(half - 1).filter(|_| swarm.was_killed()).map(|half| half.at),
    };
    let given = Totals::of(&swarm.deliveries, cast);
    let percent = given.seeds as f64 * 100.0 / given.all().max(1) as f64;
    let paid_in_vain = match given.saboteur {
        0 => String::new(),
        bytes => format!(
            " Another {} came from the saboteur before it was caught: they are in the books, but in no finished copy.",
            quantity(bytes)
        ),
    };
    let columns = view.pieces.min(COLUMNS);
    let share = count(view.pieces.div_ceil(columns), "piece", "pieces");
    let (column, colour) = if columns < view.pieces {
        (
            format!("up to {share} of {}", digits(view.pieces)),
            "the colour of a cell says who gave most of them",
        )
    } else {
        (
            format!("each of {}", count(view.pieces, "piece", "pieces")),
            "the colour of a cell says who gave the piece",
        )
    };
    let catchers: Vec<String> = swarm.banned.iter().map(|(by, _)| by.0.to_string()).collect();
    let died = view.died.map_or_else(String::new, |at| {
        format!(
            "<p>Half-way, after {}, the seed {} was killed; the others did without it.</p>\n",
            seconds(at.saturating_sub(began)),
            cast.victim()
        )
    });
    format!(
        "<p>A row for each of {}, a column for {column}; {colour}. \
         Compare the blue with the orange: the seeds gave {} ({percent:.0}&nbsp;%), the leeches gave each other \
         {}.{paid_in_vain}</p>\n<p>Because of the saboteur, {}, {} failed the check of the hash and had to come again; \
         {} hung up on it.</p>\n{died}{}{}{}<div class=\"pair\">\n<div><h3>Who gave how much</h3>\n{}</div>\n\
         <div><h3>How it got complete</h3>\n{}</div>\n</div>\n",
        count(leeches, "leech", "leeches"),
        quantity(given.seeds),
        quantity(given.leeches),
        cast.saboteur(),
        count(swarm.failed_pieces as usize, "piece", "pieces"),
        match catchers.len() {
            0 => "nobody".into(),
            1 => format!("node {}", catchers[0]),
            _ => format!("nodes {}", catchers.join(", ")),
        },
        LEGEND,
        view.slider(),
        view.matrix(columns),
        bars(&swarm.deliveries, cast, view.died.map(|_| cast.victim())),
        view.curve(),
    )
}

const LEGEND: &str = "<ul class=\"legend flat\">\n\
     <li><svg width=\"18\" height=\"18\"><rect class=\"bar seed\" width=\"18\" height=\"18\"/></svg>from a seed\n\
     <li><svg width=\"18\" height=\"18\"><rect class=\"bar leech\" width=\"18\" height=\"18\"/></svg>from another leech\n\
     <li><svg width=\"18\" height=\"18\"><rect class=\"bar saboteur\" width=\"18\" height=\"18\"/></svg>from the saboteur\n\
     <li><svg width=\"18\" height=\"18\"><rect class=\"empty\" width=\"18\" height=\"18\"/></svg>not there\n</ul>\n";

impl View<'_> {
    /// Returns the moment of the slider at which something is there.
    fn step(&self, at: Duration) -> usize {
        let part = at.saturating_sub(self.began).as_secs_f64() / self.span.as_secs_f64();
        ((part * STEPS as f64).ceil() as usize).clamp(1, STEPS)
    }

    /// The script shows it: without one it would do nothing.
    fn slider(&self) -> String {
        let mut totals = vec![0; STEPS + 1];
        for completion in self.completions {
            totals[self.step(completion.at)] += 1;
        }
        let mut sum = 0;
        let totals: Vec<String> = totals
            .into_iter()
            .map(|new: usize| {
                sum += new;
                sum.to_string()
            })
            .collect();
        format!(
            "<p id=\"time\" hidden><label>Time <input type=\"range\" min=\"0\" max=\"{STEPS}\" value=\"{STEPS}\" \
             data-micros=\"{}\" data-wanted=\"{}\" data-totals=\"{}\"></label> <output></output></p>\n",
            self.span.as_micros(),
            self.pieces * self.cast.leeches().count(),
            totals.join(",")
        )
    }

    fn matrix(&self, columns: usize) -> String {
        let rows: Vec<NodeId> = self.cast.leeches().collect();
        let mut cells: BTreeMap<(NodeId, usize), Cell> = BTreeMap::new();
        for one in self.completions {
            let column = one.piece as usize * columns / self.pieces;
            let cell = cells.entry((one.node, column)).or_default();
            cell.steps.push(self.step(one.at));
            cell.last = cell.last.max(one.at);
            *cell.givers.entry(one.giver).or_default() += 1;
        }
        let width = (WIDTH / columns as f64).min(WIDEST);
        let height = if rows.len() > 16 { 16.0 } else { 24.0 };
        let numbers = width >= 17.0;
        let all = width * columns as f64;
        let mut svg = Svg::new(
            LEFT + WIDTH + 6.0,
            rows.len() as f64 * height + 26.0,
            "pieces",
            "Which leech has which piece, and from whom",
        );
        self.axis(&mut svg, columns, width);
        for (n, node) in rows.iter().enumerate() {
            let y = 22.0 + n as f64 * height;
            svg.text((0.0, y + height / 2.0 + 4.0), "", node);
            svg.rect((LEFT, y), all, height - 2.0, "empty");
            for ((_, column), cell) in cells.range((*node, 0)..=(*node, columns)) {
                let at = (LEFT + *column as f64 * width, y);
                let gap = if width > 8.0 { 2.0 } else { 0.0 };
                self.cell(&mut svg, *column, cell, (at, width - gap, height - 2.0), numbers);
            }
        }
        svg.finish()
    }

    fn cell(
        &self,
        svg: &mut Svg,
        column: usize,
        cell: &Cell,
        (at, width, height): (Point, f64, f64),
        number: bool,
    ) {
        let Some((giver, _)) = cell.givers.iter().max_by_key(|(_, pieces)| **pieces) else {
            return;
        };
        let (class, ink) = if self.cast.is_seed(*giver) {
            ("bar seed", "middle on-seed")
        } else if *giver == self.cast.saboteur() {
            ("bar saboteur", "middle on-saboteur")
        } else {
            ("bar leech", "middle on-leech")
        };
        let steps = quarters(&cell.steps);
        if !number {
            svg.timed_rect(at, width, height, class, &steps);
            return;
        }
        let when = seconds(cell.last.saturating_sub(self.began));
        svg.open(&format!("data-t=\"{steps}\""), &format!("piece {column} from {giver} at {when}"));
        svg.rect(at, width, height, class);
        svg.text((at.0 + width / 2.0, at.1 + height / 2.0 + 4.0), ink, giver.0);
        svg.close();
    }

    /// The numbers of some pieces, above their columns.
    fn axis(&self, svg: &mut Svg, columns: usize, width: f64) {
        svg.text((0.0, 13.0), "small muted", "piece");
        let every = [1, 2, 5, 10, 20, 40].into_iter().find(|n| *n as f64 * width >= 52.0);
        let every = every.unwrap_or(40);
        for column in (0..columns).step_by(every) {
            let first = (column * self.pieces).div_ceil(columns);
            svg.text((LEFT + (column as f64 + 0.5) * width, 13.0), "small middle muted", first);
        }
    }

    /// Thin lines for each leech, a thick one for all, a mark where the seed died.
    fn curve(&self) -> String {
        let left = 46.0;
        let top = 22.0;
        let wide = 440.0;
        let high = 216.0;
        let mut svg =
            Svg::new(510.0, 282.0, "curve", "The share of all pieces that is there, over time");
        let point =
            |step: f64, part: f64| (left + wide * step / STEPS as f64, top + high * (1.0 - part));
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            svg.line(point(0.0, part), point(STEPS as f64, part), "grid");
            let (x, y) = point(0.0, part);
            svg.text((x - 6.0, y + 4.0), "small end muted", format_args!("{:.0} %", part * 100.0));
        }
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (x, y) = point(STEPS as f64 * part, 0.0);
            let anchor = if part > 0.9 { "small end muted" } else { "small middle muted" };
            svg.text((x, y + 18.0), anchor, seconds(self.span.mul_f64(part)));
        }
        if let Some(died) = self.died {
            let part = died.saturating_sub(self.began).as_secs_f64() / self.span.as_secs_f64();
            let (x, y) = point(STEPS as f64 * part, 1.0);
            svg.line((x, y), (x, y + high), "death");
            let anchor = if part > 0.6 { "small end" } else { "small middle" };
            svg.text((x, y - 8.0), anchor, format_args!("{} killed", self.cast.victim()));
        }
        for leech in self.cast.leeches() {
            let of = self.completions.iter().filter(|one| one.node == leech);
            let line = self.stairs(of, self.pieces);
            let points: Vec<Point> = line.into_iter().map(|(s, part)| point(s, part)).collect();
            svg.polyline(&points, "each");
        }
        let line = self.stairs(self.completions.iter(), self.pieces * self.cast.leeches().count());
        let points: Vec<Point> = line.into_iter().map(|(s, part)| point(s, part)).collect();
        svg.polyline(&points, "all");
        svg.line(point(0.0, 0.0), point(0.0, 1.0), "cursor");
        let legend = "thick: all leeches together; thin: each one";
        svg.text((left + wide, top + high + 36.0), "small end muted", legend);
        svg.finish()
    }

    /// Returns the corners of a rising line, at most two for each moment of the slider.
    fn stairs<'c>(
        &self,
        completions: impl Iterator<Item = &'c Completion>,
        wanted: usize,
    ) -> Vec<(f64, f64)> {
        let mut sums: BTreeMap<usize, usize> = BTreeMap::new();
        for completion in completions {
            *sums.entry(self.step(completion.at)).or_default() += 1;
        }
        let mut line = vec![(0.0, 0.0)];
        let mut sum = 0;
        for (step, new) in sums {
            line.push((step as f64, sum as f64 / wanted as f64));
            sum += new;
            line.push((step as f64, sum as f64 / wanted as f64));
        }
        line.push((STEPS as f64, sum as f64 / wanted as f64));
        line
    }
}

/// Returns at most four moments: when a quarter, a half, three quarters, and all of a cell are there.
fn quarters(steps: &[usize]) -> String {
    let mut sorted = steps.to_vec();
    sorted.sort_unstable();
    let parts = sorted.len().min(4);
    let mut out = String::new();
    for part in 1..=parts {
        let step = sorted[(sorted.len() * part).div_ceil(parts) - 1];
        let _ = write!(out, "{}{step}", if part == 1 { "" } else { "," });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_at_most_four_states() {
        assert_eq!(quarters(&[7]), "7");
        assert_eq!(quarters(&[9, 3]), "3,9");
        assert_eq!(quarters(&[5, 1, 4, 2, 3]), "2,3,4,5");
        let many: Vec<usize> = (1..=100).collect();
        assert_eq!(quarters(&many), "25,50,75,100");
    }
}
