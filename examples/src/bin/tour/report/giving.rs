//! Who gave how much: a table for the terminal and bars for the page.

use std::collections::BTreeMap;

use super::flood::part;
use crate::net::NodeId;
use crate::song::Cast;
use crate::swarm::Delivery;
use examples::svg::{Svg, quantity};

/// So many nodes have a line of their own in the terminal.
const LINES: usize = 12;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    gave: u64,
    took: u64,
}

/// Returns a table of who gave and took how much, the most generous first, in at most 14 lines.
pub fn who_gave_what(deliveries: &[Delivery], cast: Cast) -> Vec<String> {
    let mut sums: Vec<(NodeId, Sum)> = sums(deliveries, cast).into_iter().collect();
    sums.sort_by_key(|(node, sum)| (core::cmp::Reverse(sum.gave), *node));
    let all: u64 = sums.iter().map(|(_, sum)| sum.gave).sum();
    let most = sums.iter().map(|(_, sum)| sum.gave.max(sum.took)).max().unwrap_or(0);
    let (unit, size, places) = match most {
        0..1024 => ("B", 1.0, 0),
        1024..10_485_760 => ("KiB", 1024.0, 1),
        _ => ("MiB", 1_048_576.0, 1),
    };
    let amount = |bytes: u64| match bytes {
        0 => "-".into(),
        _ => format!("{:.places$}", bytes as f64 / size),
    };
    let mut lines = vec![format!("{:<20} {:>10} {:>10} {:>7}", "", "gave", "took", "share")];
    let line = |who: String, sum: Sum| {
        let share = sum.gave as f64 * 100.0 / all.max(1) as f64;
        let gave = amount(sum.gave);
        let took = amount(sum.took);
        format!("{who:<20} {gave:>10} {took:>10} {share:>5.1} %")
    };
    let shown = if sums.len() > LINES { LINES - 1 } else { sums.len() };
    for (node, sum) in &sums[..shown] {
        lines.push(line(format!("{node} ({})", role(*node, cast)), *sum));
    }
    if shown < sums.len() {
        let rest = sums[shown..].iter().fold(Sum::default(), |all, (_, sum)| Sum {
            gave: all.gave + sum.gave,
            took: all.took + sum.took,
        });
        lines.push(line(format!("the other {}", sums.len() - shown), rest));
    }
    lines.push(line(format!("all, in {unit}"), Sum { gave: all, took: all }));
    lines
}

/// How many bytes those of each part gave.
#[derive(Default)]
pub struct Totals {
    pub seeds: u64,
    pub leeches: u64,
    pub saboteur: u64,
}

impl Totals {
    pub fn of(deliveries: &[Delivery], cast: Cast) -> Self {
        let mut totals = Self::default();
        for Delivery { giver, bytes, .. } in deliveries {
            match part(*giver, cast) {
                "seed" => totals.seeds += bytes,
                "saboteur" => totals.saboteur += bytes,
                _ => totals.leeches += bytes,
            }
        }
        totals
    }

    pub fn all(&self) -> u64 {
        self.seeds + self.leeches + self.saboteur
    }
}

/// Returns a bar for each node.
pub fn bars(deliveries: &[Delivery], cast: Cast, died: Option<NodeId>) -> String {
    let sums = sums(deliveries, cast);
    let most = sums.values().map(|sum| sum.gave).max().unwrap_or(0).max(1);
    let step = if sums.len() > 16 { 18.0 } else { 24.0 };
    let mut svg =
        Svg::new(520.0, sums.len() as f64 * step + 8.0, "bars", "How much each node gave");
    for (n, (node, sum)) in sums.iter().enumerate() {
        let y = n as f64 * step + 4.0;
        let death = if Some(*node) == died { ", killed" } else { "" };
        svg.text((0.0, y + step / 2.0 + 4.0), "", format!("{node}, {}{death}", role(*node, cast)));
        let class = match part(*node, cast) {
            part @ ("seed" | "saboteur") => part,
            _ => "leech",
        };
        let width = sum.gave as f64 * 240.0 / most as f64;
        svg.rect((170.0, y + 2.0), width.max(1.0), step - 5.0, &format!("bar {class}"));
        svg.text((178.0 + width, y + step / 2.0 + 4.0), "", quantity(sum.gave));
    }
    svg.finish()
}

fn role(node: NodeId, cast: Cast) -> &'static str {
    match part(node, cast) {
        "searcher" => "leech",
        part => part,
    }
}

fn sums(deliveries: &[Delivery], cast: Cast) -> BTreeMap<NodeId, Sum> {
    let mut sums: BTreeMap<NodeId, Sum> = cast.all().map(|node| (node, Sum::default())).collect();
    for Delivery { giver, taker, bytes } in deliveries {
        sums.entry(*giver).or_default().gave += bytes;
        sums.entry(*taker).or_default().took += bytes;
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(giver: u16, taker: u16, bytes: u64) -> Delivery {
        Delivery { giver: NodeId(giver), taker: NodeId(taker), bytes }
    }

    #[test]
    fn the_table_of_givers_sums_and_aligns() {
        let deliveries = [delivery(3, 6, 2048), delivery(3, 7, 1024), delivery(6, 7, 1024)];
        let lines = who_gave_what(&deliveries, Cast { nodes: 8 });
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[1], "node 3 (seed)               3.0          -  75.0 %");
        assert_eq!(lines[2], "node 6 (leech)              1.0        2.0  25.0 %");
        assert_eq!(lines[9], "all, in KiB                 4.0        4.0 100.0 %");
        assert!(lines.iter().all(|line| line.len() <= 76));
    }

    #[test]
    fn many_nodes_fit_in_fourteen_lines() {
        let lines = who_gave_what(&[delivery(3, 6, 1)], Cast { nodes: 40 });
        assert_eq!(lines.len(), 14);
        assert_eq!(lines[12], "the other 29                  -          -   0.0 %");
        assert_eq!(lines[13], "all, in B                     1          1 100.0 %");
    }

    #[test]
    fn nothing_given_is_no_division_by_zero() {
        assert!(who_gave_what(&[], Cast { nodes: 8 }).iter().all(|line| !line.contains("NaN")));
    }
}
