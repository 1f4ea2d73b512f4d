//! The picture of the flooded query: who heard of it first at which hop, and which copies were one too many.

use core::f64::consts::TAU;
use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::net::NodeId;
use crate::overlay::{Flood, Overlay};
use crate::song::Cast;
use examples::svg::{Point, Svg, count, digits, on_circle};

const NODE: f64 = 12.0;

/// Who first brought the query to a node, and over how many links.
type Firsts = BTreeMap<NodeId, (NodeId, u8)>;

/// Returns the section's text and picture.
pub fn draw(overlay: &Overlay<'_>, cast: Cast) -> String {
    let flood = &overlay.flood;
    let mut firsts = Firsts::new();
    for copy in flood.iter().filter(|copy| !copy.duplicate) {
        firsts.entry(copy.to).or_insert((copy.from, copy.hops));
    }
    let answered: Vec<NodeId> = overlay.hits.iter().map(|(node, _)| *node).collect();
    let duplicates = flood.iter().filter(|copy| copy.duplicate).count();
    let hops = firsts.values().map(|(_, hops)| *hops).max().unwrap_or(0);
    format!(
        "<p>Node {} asks its ultrapeers, and every ultrapeer passes the query on to all its neighbours. \
         Compare {} with the {} that were needed: the other {} found a node that had already seen the query, \
         and were dropped. The farthest nodes are {} away; {} answered, and each hit went back along the \
         path on which the query had come first.</p>\n<div class=\"pair\">\n{}{}</div>\n",
        cast.searcher().0,
        count(flood.len(), "copy", "copies"),
        digits(flood.len() - duplicates),
        digits(duplicates),
        count(usize::from(hops), "hop", "hops"),
        count(answered.len(), "node", "nodes"),
        picture(flood, &firsts, &answered, cast),
        table(flood, &firsts, &answered),
    )
}

fn picture(flood: &[Flood], firsts: &Firsts, answered: &[NodeId], cast: Cast) -> String {
    let (places, radii, center) = layout(firsts, cast);
    let size = center.0 * 2.0;
    let mut svg = Svg::new(
        size,
        size,
        "flood",
        "The nodes on rings by the hop at which the query reached them",
    );
    for radius in radii.iter().skip(1) {
        svg.circle(center, *radius, "guide");
    }
    let began = flood.iter().map(|copy| copy.at).min().unwrap_or_default();
    let (duplicates, fresh): (Vec<&Flood>, _) = flood.iter().partition(|copy| copy.duplicate);
    for copy in duplicates.into_iter().chain(fresh) {
        let (bend, class) = if copy.duplicate { (14.0, "duplicate") } else { (0.0, "first") };
        let later = copy.at.saturating_sub(began).as_millis();
        svg.open("", &format!("{class} copy, {} to {}, after {later} ms", copy.from, copy.to));
        arrow(&mut svg, &places, (copy.from, copy.to), bend, class);
        svg.close();
    }
    for (from, to) in hit_links(firsts, answered, cast) {
        arrow(&mut svg, &places, (from, to), 16.0, "hit");
    }
    for (node, at) in &places {
        draw_node(&mut svg, *node, *at, cast, answered.contains(node));
    }
    let all_reached = firsts.len() + 1 >= usize::from(cast.nodes);
    for (n, radius) in radii.iter().enumerate().skip(1) {
        let lost = n + 1 == radii.len() && !all_reached;
        let label = if lost { "not reached".into() } else { format!("hop {n}") };
        let (x, y) = free_place(places.values().copied(), center, *radius);
        svg.text((x, y + 4.0), "small middle muted halo", label);
    }
    svg.finish()
}

/// Returns the middle of the widest gap between the nodes of a ring; outside the ring if the gap is narrow.
fn free_place(places: impl Iterator<Item = Point>, center: Point, radius: f64) -> Point {
    let turn = |(x, y): Point| (x - center.0).atan2(center.1 - y) / TAU;
    let on_ring = |(x, y): Point| ((x - center.0).hypot(y - center.1) - radius).abs() < 1.0;
    let mut turns: Vec<f64> =
        places.filter(|at| on_ring(*at)).map(|at| turn(at).rem_euclid(1.0)).collect();
    turns.sort_by(f64::total_cmp);
    let Some(first) = turns.first().copied() else { return center };
    turns.push(first + 1.0);
    let gaps = turns.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
    let (begin, gap) = gaps.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or((0.0, 1.0));
    let out = if gap * radius * TAU > 90.0 { 0.0 } else { NODE + 16.0 };
    on_circle(center, radius + out, begin + gap / 2.0)
}

/// Returns every link that a hit took: from each node that answered back to the searcher.
fn hit_links(firsts: &Firsts, answered: &[NodeId], cast: Cast) -> Vec<(NodeId, NodeId)> {
    let mut links = Vec::new();
    for node in answered {
        let mut at = *node;
        while at != cast.searcher() && links.len() < 1000 {
            let Some((before, _)) = firsts.get(&at) else { break };
            if !links.contains(&(at, *before)) {
                links.push((at, *before));
            }
            at = *before;
        }
    }
    links
}

fn arrow(
    svg: &mut Svg,
    places: &BTreeMap<NodeId, Point>,
    (from, to): (NodeId, NodeId),
    bend: f64,
    class: &str,
) {
    if let (Some(start), Some(end)) = (places.get(&from), places.get(&to)) {
        svg.arrow(*start, *end, (NODE + 3.0, NODE + 3.0), bend, class);
    }
}

fn draw_node(svg: &mut Svg, node: NodeId, at: Point, cast: Cast, answered: bool) {
    let kind = if cast.is_ultrapeer(node) { "ultrapeer" } else { "leaf" };
    let part = part(node, cast);
    svg.open("", &format!("{node}: {kind}, {part}{}", if answered { ", answered" } else { "" }));
    if answered {
        svg.circle(at, NODE + 4.0, "answered");
    }
    if cast.is_ultrapeer(node) {
        svg.rect((at.0 - NODE, at.1 - NODE), 2.0 * NODE, 2.0 * NODE, &format!("node {part}"));
    } else {
        svg.circle(at, NODE, &format!("node {part}"));
    }
    svg.text((at.0, at.1 + 4.0), &format!("middle on-{part}"), node.0);
    svg.close();
}

/// Returns a node's part, which is also its class in the style sheet.
pub fn part(node: NodeId, cast: Cast) -> &'static str {
    if node == cast.searcher() {
        "searcher"
    } else if cast.is_seed(node) {
        "seed"
    } else if node == cast.saboteur() {
        "saboteur"
    } else {
        "leech"
    }
}

/// Returns where the nodes stand, the radius of each ring, and the centre. The sector of a node is as wide as
/// what hangs on it.
fn layout(firsts: &Firsts, cast: Cast) -> (BTreeMap<NodeId, Point>, Vec<f64>, Point) {
    let last = firsts.values().map(|(_, hops)| usize::from(*hops)).max().unwrap_or(0);
    let mut sectors: BTreeMap<NodeId, (f64, f64)> = BTreeMap::new();
    let mut rings = vec![vec![cast.searcher()]];
    sectors.insert(cast.searcher(), (0.0, 1.0));
    for hop in 1..=last {
        let mut ring = Vec::new();
        for parent in rings[hop - 1].clone() {
            let children: Vec<NodeId> = children(firsts, parent).collect();
            let (mut begin, end) = sectors.get(&parent).copied().unwrap_or((0.0, 1.0));
            let weights: Vec<f64> =
                children.iter().map(|child| weight(firsts, *child, last)).collect();
            let unit = (end - begin) / weights.iter().sum::<f64>().max(1.0);
            for (child, weight) in children.into_iter().zip(weights) {
                sectors.insert(child, (begin, begin + weight * unit));
                begin += weight * unit;
                ring.push(child);
            }
        }
        rings.push(ring);
    }
    let lost: Vec<NodeId> = cast.all().filter(|node| !sectors.contains_key(node)).collect();
    for (n, node) in lost.iter().enumerate() {
        let part = 1.0 / lost.len() as f64;
        sectors.insert(*node, (n as f64 * part, (n + 1) as f64 * part));
    }
    if !lost.is_empty() {
        rings.push(lost);
    }
    let mut radii = vec![0.0];
    for (n, ring) in rings.iter().enumerate().skip(1) {
        let room = ring.len() as f64 * (2.0 * NODE + 14.0) / TAU;
        radii.push((radii[n - 1] + 105.0_f64).max(room));
    }
    let half = radii.last().copied().unwrap_or(0.0) + 2.0 * NODE + 26.0;
    let center = (half, half);
    let mut places = BTreeMap::new();
    for (ring, radius) in rings.iter().zip(&radii) {
        for node in ring {
            let (begin, end) = sectors[node];
            places.insert(*node, on_circle(center, *radius, f64::midpoint(begin, end)));
        }
    }
    (places, radii, center)
}

fn children(firsts: &Firsts, parent: NodeId) -> impl Iterator<Item = NodeId> {
    firsts.iter().filter(move |(_, (from, _))| *from == parent).map(|(node, _)| *node)
}

/// Returns how many ends hang on a node; `depth` bounds the walk.
fn weight(firsts: &Firsts, node: NodeId, depth: usize) -> f64 {
    if depth == 0 {
        return 1.0;
    }
    children(firsts, node).map(|child| weight(firsts, child, depth - 1)).sum::<f64>().max(1.0)
}

/// What each hop brought, and the legend.
fn table(flood: &[Flood], firsts: &Firsts, answered: &[NodeId]) -> String {
    let last = flood.iter().map(|copy| copy.hops).max().unwrap_or(0);
    let mut rows = String::new();
    for hop in 1..=last {
        let copies = flood.iter().filter(|copy| copy.hops == hop).count();
        let duplicates = flood.iter().filter(|copy| copy.hops == hop && copy.duplicate).count();
        let hits = answered
            .iter()
            .filter(|node| firsts.get(node).is_some_and(|(_, hops)| *hops == hop))
            .count();
        let new = firsts.values().filter(|(_, hops)| *hops == hop).count();
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{hop}<td>{copies}<td>{new}<td>{duplicates}<td>{hits}"
        );
    }
    let duplicates = flood.iter().filter(|copy| copy.duplicate).count();
    format!(
        "<div><table class=\"numbers\">\n<thead><tr><th>hop<th>copies<th>nodes new<th>duplicates<th>answers\n\
         <tbody>\n{rows}<tfoot><tr><th scope=\"row\">all<td>{}<td>{}<td>{duplicates}<td>{}\n</table>\n\
         <ul class=\"legend\">\n\
         <li><svg width=\"34\" height=\"24\"><circle class=\"node searcher\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>the searcher\n\
         <li><svg width=\"34\" height=\"24\"><rect class=\"node leech\" x=\"7\" y=\"2\" width=\"20\" height=\"20\"/></svg>ultrapeer: passes queries on\n\
         <li><svg width=\"34\" height=\"24\"><circle class=\"node leech\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>leaf\n\
         <li><svg width=\"34\" height=\"24\"><circle class=\"node seed\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>seed: a leaf that has the file\n\
         <li><svg width=\"34\" height=\"24\"><circle class=\"node saboteur\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>the saboteur, quiet for now\n\
         <li><svg width=\"34\" height=\"24\"><line class=\"first\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>first copy\n\
         <li><svg width=\"34\" height=\"24\"><line class=\"duplicate\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>duplicate, dropped\n\
         <li><svg width=\"34\" height=\"24\"><line class=\"hit\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>hit, on its way back\n\
         </ul></div>\n",
        flood.len(),
        firsts.len(),
        answered.len(),
    )
}
