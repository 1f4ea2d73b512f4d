//! The picture of the ring: the nodes where their identifiers put them, and the way to the owner of the key.

use core::fmt::Write as _;
use std::collections::BTreeSet;

use chord_core::Id160;

use crate::net::NodeId;
use crate::ring::Ring;
use crate::song::Cast;
use examples::svg::{Point, Svg, count, on_circle, spread};

const CENTER: Point = (304.0, 292.0);
const RADIUS: f64 = 205.0;
const LABELS: f64 = 252.0;

/// Returns the section's text and picture; `copies` is the number of messages that the flood took.
pub fn draw(ring: &Ring<'_>, copies: usize, cast: Cast) -> String {
    let mut members: Vec<(NodeId, f64, Id160)> =
        ring.identifiers().map(|(node, id)| (node, turn(id), id)).collect();
    members.sort_by_key(|(_, _, id)| *id);
    let searcher = cast.searcher();
    let fingers: BTreeSet<NodeId> =
        ring.fingers(searcher).into_iter().filter(|node| *node != searcher).collect();
    let owner = ring.owner.map_or_else(|| "nobody".into(), |owner| owner.to_string());
    let mut steps = String::new();
    let asked = ring.path.get(1..).unwrap_or_default();
    for (n, node) in asked.iter().enumerate() {
        let answer = match asked.get(n + 1) {
            Some(next) => format!("which refers it to {next}"),
            None => format!("which names the owner: <b>{owner}</b>"),
        };
        let _ = writeln!(steps, "<li>{searcher} asks {node}, {answer}");
    }
    if asked.is_empty() {
        let _ = writeln!(steps, "<li>{searcher} knows the owner by itself: <b>{owner}</b>");
    }
    let mut rows = String::new();
    for (node, _, id) in &members {
        let _ = writeln!(rows, "<tr><td>{node}<td class=\"mono\">{id}");
    }
    let asked = match asked.len() {
        0 => "nobody".into(),
        asked => count(asked, "node", "nodes"),
    };
    format!(
        "<p>Every node stands where the hash of its address puts it on a circle of 2<sup>160</sup> places, with 0 at \
         the top. A key belongs to the first node at or after it, clockwise. Compare: {searcher} asked \
         {asked} to learn that the key of the file belongs to {owner}, where the flood took {}.</p>\n\
         <div class=\"pair\">\n{}<div>\n<p>The key is the SHA-1 of the file:<br><span class=\"mono wrap\">{}</span></p>\n\
         <ol>\n{steps}</ol>\n<p>The fingers of {searcher} point to {}.</p>\n{}\
         <details><summary>All identifiers, in the order of the ring</summary>\n<table class=\"ids\">\n{rows}</table></details>\n\
         </div></div>\n",
        count(copies, "copy", "copies"),
        picture(ring, &members, &fingers, cast),
        ring.key(),
        count(fingers.len(), "other node", "other nodes"),
        LEGEND,
    )
}

const LEGEND: &str = "<ul class=\"legend\">\n\
     <li><svg width=\"34\" height=\"24\"><circle class=\"node searcher\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>the searcher\n\
     <li><svg width=\"34\" height=\"24\"><circle class=\"node owner\" cx=\"17\" cy=\"12\" r=\"10\"/></svg>the owner of the key\n\
     <li><svg width=\"34\" height=\"24\"><polygon class=\"key\" points=\"17,4 25,12 17,20 9,12\"/></svg>the key\n\
     <li><svg width=\"34\" height=\"24\"><line class=\"range\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>all keys of that owner\n\
     <li><svg width=\"34\" height=\"24\"><line class=\"first\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>the lookup, from one asked to the next\n\
     <li><svg width=\"34\" height=\"24\"><line class=\"named\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>the owner is named\n\
     <li><svg width=\"34\" height=\"24\"><line class=\"finger\" x1=\"2\" y1=\"12\" x2=\"32\" y2=\"12\"/></svg>finger of the searcher\n</ul>\n";

fn picture(
    ring: &Ring<'_>,
    members: &[(NodeId, f64, Id160)],
    fingers: &BTreeSet<NodeId>,
    cast: Cast,
) -> String {
    let at = |node: NodeId| {
        let turn =
            members.iter().find(|(member, ..)| *member == node).map_or(0.0, |(_, turn, _)| *turn);
        on_circle(CENTER, RADIUS, turn)
    };
    let mut svg = Svg::new(
        608.0,
        584.0,
        "ring",
        "The nodes on the circle of identifiers and the lookup of the key",
    );
    svg.circle(CENTER, RADIUS, "guide solid");
    svg.line(on_circle(CENTER, RADIUS - 6.0, 0.0), on_circle(CENTER, RADIUS + 6.0, 0.0), "tick");
    if let Some(place) = members.iter().position(|(node, ..)| Some(*node) == ring.owner) {
        let before = members[(place + members.len() - 1) % members.len()].1;
        svg.arc(CENTER, RADIUS, before, members[place].1, "range");
    }
    let searcher = cast.searcher();
    for finger in fingers {
        svg.line(at(searcher), at(*finger), "finger");
    }
    for pair in ring.path.windows(2) {
        hop(&mut svg, at(pair[0]), at(pair[1]), "first");
    }
    if let (Some(last), Some(owner)) = (ring.path.last(), ring.owner)
        && *last != owner
    {
        hop(&mut svg, at(*last), at(owner), "named");
    }
    labels(&mut svg, ring, members, cast);
    svg.finish()
}

/// An arrow that is bent inwards, more so between neighbours, off the circle and the fingers.
fn hop(svg: &mut Svg, from: Point, to: Point, class: &str) {
    let dx = to.0 - from.0;
    let dy = to.1 - from.1;
    let middle = (f64::midpoint(from.0, to.0), f64::midpoint(from.1, to.1));
    let inwards = (CENTER.0 - middle.0) * dy - (CENTER.1 - middle.1) * dx;
    let bend = (54.0 - 0.2 * dx.hypot(dy)).max(16.0);
    svg.arrow(from, to, (6.0, 6.0), bend.copysign(inwards), class);
}

/// Dots at the true places, numbers outside of them, moved apart where they would overlap.
fn labels(svg: &mut Svg, ring: &Ring<'_>, members: &[(NodeId, f64, Id160)], cast: Cast) {
    let mut marks: Vec<(f64, Option<NodeId>)> =
        members.iter().map(|(node, turn, _)| (*turn, Some(*node))).collect();
    marks.push((turn(ring.key()), None));
    marks.sort_by(|one, other| one.0.total_cmp(&other.0));
    let turns: Vec<f64> = marks.iter().map(|(turn, _)| *turn).collect();
    let around = LABELS * core::f64::consts::TAU;
    let widths: Vec<f64> =
        marks.iter().map(|(_, node)| if node.is_some() { 27.0 } else { 40.0 } / around).collect();
    let places = spread(&turns, &widths, true);
    for ((turn, node), place) in marks.into_iter().zip(places) {
        let dot = on_circle(CENTER, RADIUS, turn);
        let label = on_circle(CENTER, LABELS, place);
        svg.line(dot, on_circle(CENTER, LABELS - 12.0, place), "leader");
        let Some(node) = node else {
            diamond(svg, dot, 5.0);
            diamond(svg, label, 13.0);
            let next = on_circle(CENTER, LABELS + 28.0, place);
            svg.text((next.0, next.1 + 4.0), "middle strong halo", "key");
            continue;
        };
        let class = if Some(node) == ring.owner {
            "owner"
        } else if node == cast.searcher() {
            "searcher"
        } else {
            "leech"
        };
        let id =
            members.iter().find(|(member, ..)| *member == node).map(|(_, _, id)| id.to_string());
        svg.open("", &format!("{node}: {}", id.unwrap_or_default()));
        svg.circle(dot, 5.0, &format!("node {class}"));
        svg.circle(label, 12.0, &format!("node {class}"));
        svg.text((label.0, label.1 + 4.0), &format!("middle on-{class}"), node.0);
        svg.close();
    }
}

fn diamond(svg: &mut Svg, (x, y): Point, half: f64) {
    svg.polygon(&[(x, y - half), (x + half, y), (x, y + half), (x - half, y)], "key");
}

/// Returns where an identifier stands, as a part of the circle.
fn turn(id: Id160) -> f64 {
    let bytes = <[u8; 20]>::from(id);
    let head = bytes.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    head as f64 / 2.0_f64.powi(64)
}
