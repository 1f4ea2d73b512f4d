//! The report: what the tour has seen, as one page with pictures. It loads nothing and needs no network.

mod chain;
mod circle;
mod flood;
mod giving;
mod pieces;

use std::fs;
use std::io;
use std::path::Path;

use crate::overlay::Overlay;
use crate::ring::Ring;
use crate::settle::Settlement;
use crate::song::{Cast, Song};
use crate::swarm::Swarm;
use crate::table::{Row, Table};
use chain::Chain;
use examples::svg::{count, digits, escape, quantity};
pub use giving::who_gave_what;

const PAGE: &str = include_str!("page.html");

/// Collects the pictures, stage by stage.
pub struct Report {
    name: String,
    facts: String,
    cast: Cast,
    copies: usize,
    flood: String,
    ring: String,
    pieces: String,
    chain: Chain,
}

impl Report {
    /// Begins a report; `how` says over which network.
    pub fn new(song: &Song, cast: Cast, how: &str) -> Self {
        let size = match quantity(song.size) {
            bytes if bytes.ends_with(" B") => bytes,
            rounded => format!("{rounded} ({} bytes)", digits(song.size)),
        };
        let facts = format!(
            "{size}, {} nodes over {}; info-hash <span class=\"mono wrap\">{}</span>",
            cast.nodes,
            escape(how),
            song.info_hash
        );
        Self {
            name: escape(&song.name),
            facts,
            cast,
            copies: 0,
            flood: String::new(),
            ring: String::new(),
            pieces: String::new(),
            chain: Chain::default(),
        }
    }

    pub fn overlay(&mut self, overlay: &Overlay<'_>) {
        self.copies = overlay.flood.len();
        self.flood = flood::draw(overlay, self.cast);
    }

    pub fn ring(&mut self, ring: &Ring<'_>) {
        self.ring = circle::draw(ring, self.copies, self.cast);
    }

    pub fn swarm(&mut self, swarm: &Swarm, pieces: u32) {
        self.pieces = pieces::draw(swarm, pieces, self.cast);
    }

    pub fn settlement(&mut self, settlement: &Settlement<'_>) {
        self.chain = Chain::new(settlement);
    }

    /// Where the audit of the tampered chain stopped, and why.
    pub fn audit(&mut self, fault: Option<(u64, String)>) {
        self.chain.fault = fault;
    }

    /// Writes the page.
    pub fn write(&self, path: &Path, table: &Table) -> io::Result<()> {
        let verdict = self.verdict(table);
        let chain = self.chain.draw();
        let page = fill(PAGE, |slot| match slot {
            "name" => &self.name,
            "facts" => &self.facts,
            "verdict" => &verdict,
            "flood" => &self.flood,
            "ring" => &self.ring,
            "pieces" => &self.pieces,
            "chain" => &chain,
            _ => "",
        });
        fs::write(path, page)
    }

    fn verdict(&self, table: &Table) -> String {
        let checks = || table.rows.iter().flat_map(|row| &row.checks);
        let failed = checks().filter(|(holds, _)| !holds).count();
        let all = count(checks().count(), "check", "checks");
        let sum = match failed {
            0 => format!("<p class=\"sum good\">OK: all {all} hold.</p>\n"),
            _ => format!("<p class=\"sum bad\">FAILED: {failed} of {all} do not hold.</p>\n"),
        };
        let rows: String = table.rows.iter().map(|row| self.row(row)).collect();
        format!(
            "{sum}<p>Six stages, one after the other, and every check that was made. Compare what finding the file \
             costs in LOOKUP and in RING, and what the payload adds in SHARE. AUDIT uses no network: where time is simulated it takes none.</p>\n\
             <div class=\"scroll\"><table class=\"verdict\">\n\
             <thead><tr><th>stage<th class=\"n\">messages<th class=\"n\">bytes<th class=\"n\">ms<th>verdict<th>checks\n\
             <tbody>\n{rows}</table></div>\n"
        )
    }

    fn row(&self, row: &Row) -> String {
        let checks: String = row
            .checks
            .iter()
            .map(|(holds, what)| {
                let mark = if *holds { "<li>" } else { "<li class=\"bad\">FAILED: " };
                format!("{mark}{}\n", escape(what))
            })
            .collect();
        let (class, verdict) = if row.is_ok() { ("good", "OK") } else { ("bad", "FAILED") };
        format!(
            "<tr><th scope=\"row\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"{class}\">{verdict}\
             <td><ul>\n{checks}</ul>\n",
            row.stage,
            digits(row.messages),
            digits(row.bytes),
            digits(row.millis),
        )
    }
}

/// Fills the slots of a template, `{{name}}`, in one pass: what is filled in is not looked at again.
fn fill<'a>(template: &'a str, value: impl Fn(&str) -> &'a str) -> String {
    let mut parts = template.split("{{");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (slot, rest) = part.split_once("}}").unwrap_or((part, ""));
        out.push_str(value(slot));
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let page =
            fill("a {{name}} b {{name}} c", |slot| if slot == "name" { "{{name}}" } else { "" });
        assert_eq!(page, "a {{name}} b {{name}} c");
    }
}
