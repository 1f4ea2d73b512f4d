//! The picture of the chain: every block, the height that was signed twice, the block with the flipped bit.

use core::fmt::Write as _;

use ledger_core::{Block, ClaimKind, PublicKey};

use crate::audit::TAMPERED;
use crate::net::NodeId;
use crate::rules::evidence_in;
use crate::settle::Settlement;
use examples::svg::{Point, Svg, count, digits, escape};

const WIDTH: f64 = 104.0;
const HEIGHT: f64 = 124.0;
const STEP: f64 = 118.0;
const TOP: f64 = 34.0;

/// What the last section draws; the audit is added to it later.
#[derive(Default)]
pub struct Chain {
    blocks: Vec<Sealed>,
    twice: Option<Twice>,
    receipts: usize,
    hashes: u64,
    tampered: Option<NodeId>,
    pub fault: Option<(u64, String)>,
}

struct Sealed {
    height: u64,
    kind: ClaimKind,
    hash: String,
    digest: [u8; 32],
    author: Option<NodeId>,
    receipts: u32, // evidence is a transaction as well, but no receipt
    weight: u128,
    evidence: bool,
}

/// Two blocks that one node signed for one height and round.
struct Twice {
    signer: Option<NodeId>,
    height: u64,
    round: u32,
    digests: [[u8; 32]; 2],
}

impl Chain {
    pub fn new(settlement: &Settlement<'_>) -> Self {
        let Some((first, ledger)) = settlement.living().next() else { return Self::default() };
        let genesis = ledger.chain.genesis_id();
        let mut before = 0;
        let blocks = ledger.blocks.iter().zip(&ledger.tips).filter_map(|(bytes, tip)| {
            let (block, _) = Block::decode(bytes).ok()?;
            let weight = tip.weight.0 - before;
            before = tip.weight.0;
            let records = evidence_in(&block).len() as u32;
            Some(Sealed {
                height: block.header().height.0,
                kind: block.header().claim.kind(),
                hash: format!("{:.10}", block.id(genesis)),
                digest: *block.id(genesis).as_bytes(),
                author: settlement.node_of(&block.header().author),
                receipts: block.header().body_size.saturating_sub(records),
                weight,
                evidence: records > 0,
            })
        });
        let blocks = blocks.collect();
        let twice = settlement.evidence.map(|evidence| {
            let [one, other] = evidence.statements().map(|signed| signed.statement);
            let offender = PublicKey::from_bytes(evidence.offender().0).account();
            Twice {
                signer: settlement.node_of(&offender),
                height: one.slot,
                round: one.round,
                digests: [one.digest, other.digest],
            }
        });
        let receipts = settlement.receipts;
        let hashes = settlement.hashes;
        Self { blocks, twice, receipts, hashes, tampered: Some(first), fault: None }
    }

    /// Returns the section's text and picture.
    pub fn draw(&self) -> String {
        let weight: u128 = self.blocks.iter().map(|block| block.weight).sum();
        format!(
            "<p>{} lie in {}, each linked to the one before by its hash. How a block is sealed changes on the way: \
             by work, then by stake, then by authority. Compare the weights: a mined block weighs the hashes it \
             takes on average ({} were tried in all); any other weighs 2, or 1 if a stand-in made it; together {}.</p>\n{}\
             <div class=\"scroll\">\n{}</div>\n<ul class=\"findings\">\n{}{}</ul>\n",
            count(self.receipts, "signed receipt", "signed receipts"),
            count(self.blocks.len(), "block", "blocks"),
            digits(self.hashes),
            digits(weight),
            LEGEND,
            self.picture(),
            self.about_twice(),
            self.about_fault(),
        )
    }

    fn picture(&self) -> String {
        let width = self.blocks.len() as f64 * STEP + 6.0;
        let fork = self.twice.is_some();
        let height = TOP + HEIGHT + if fork { 156.0 } else { 20.0 };
        let mut svg = Svg::new(width.max(200.0), height, "chain", "The blocks in a row");
        for (n, block) in self.blocks.iter().enumerate() {
            let at = (n as f64 * STEP + 4.0, TOP);
            if n > 0 {
                let y = TOP + HEIGHT / 2.0;
                svg.arrow((at.0, y), (at.0 - STEP + WIDTH, y), (0.0, 1.0), 0.0, "link");
            }
            self.draw_block(&mut svg, block, at);
        }
        if let Some(twice) = &self.twice {
            self.draw_fork(&mut svg, twice);
        }
        svg.finish()
    }

    fn draw_block(&self, svg: &mut Svg, block: &Sealed, at: Point) {
        let (x, y) = at;
        let flipped = block.height == TAMPERED && self.fault.is_some();
        svg.open("", &format!("block {}, {}, {}", block.height, block.kind, block.hash));
        svg.rect(at, WIDTH, HEIGHT, &format!("block {}", kind(block.kind)));
        if flipped {
            svg.rect((x - 3.0, y - 3.0), WIDTH + 6.0, HEIGHT + 6.0, "flipped");
            svg.text((x + WIDTH / 2.0, y - 12.0), "small middle bad strong", "bit flipped");
        }
        svg.text((x + 8.0, y + 21.0), "strong", block.height);
        svg.text((x + WIDTH - 8.0, y + 21.0), "small end strong", block.kind);
        svg.text((x + 8.0, y + 42.0), "mono small", &block.hash);
        let author = block.author.map_or_else(|| "unknown".into(), |author| author.to_string());
        svg.text((x + 8.0, y + 61.0), "small", format_args!("by {author}"));
        let plural = if block.receipts == 1 { "" } else { "s" };
        let weight = block.weight;
        svg.text((x + 8.0, y + 79.0), "small", format_args!("{} receipt{plural}", block.receipts));
        svg.text((x + 8.0, y + 97.0), "small", format_args!("weight {weight}"));
        if block.evidence {
            svg.text((x + 8.0, y + 115.0), "small bad strong", "+ evidence");
        }
        svg.close();
    }

    /// The two blocks below the height for which both were signed.
    fn draw_fork(&self, svg: &mut Svg, twice: &Twice) {
        let Some(place) = self.blocks.iter().position(|block| block.height == twice.height) else {
            return;
        };
        let middle = place as f64 * STEP + 4.0 + WIDTH / 2.0;
        let y = TOP + HEIGHT + 44.0;
        let who = twice.signer.map_or_else(|| "unknown".into(), |signer| signer.to_string());
        for (n, digest) in twice.digests.iter().enumerate() {
            let x = middle + (n as f64 - 0.5) * (STEP + 14.0) - WIDTH / 2.0;
            let kept = self.blocks[place].digest == *digest;
            let parent = (middle - STEP + 14.0 + n as f64 * 26.0, TOP + HEIGHT);
            svg.arrow((x + WIDTH / 2.0, y), parent, (0.0, 2.0), 0.0, "link refused");
            svg.rect((x, y), WIDTH, 78.0, "block refused");
            svg.text((x + 8.0, y + 21.0), "strong", twice.height);
            svg.text(
                (x + WIDTH - 8.0, y + 21.0),
                "small end",
                if kept { "kept" } else { "refused" },
            );
            svg.text((x + 8.0, y + 42.0), "mono small", short(digest));
            svg.text((x + 8.0, y + 61.0), "small bad strong", format_args!("by {who}"));
        }
        svg.text((middle, y + 98.0), "small middle bad strong", "signed twice");
    }

    fn about_twice(&self) -> String {
        let Some(twice) = &self.twice else {
            return "<li>Nobody was caught signing twice.\n".into();
        };
        let who = twice.signer.map_or_else(|| "somebody".into(), |signer| signer.to_string());
        let mut out = format!(
            "<li><b>Signed twice.</b> For height {} and round {} {who} signed two blocks, with the ids \
             <span class=\"mono\">{}</span> and <span class=\"mono\">{}</span>. The two signatures together are the evidence.",
            twice.height,
            twice.round,
            short(&twice.digests[0]),
            short(&twice.digests[1]),
        );
        if let Some(block) = self.blocks.iter().find(|block| block.height == twice.height) {
            let author =
                block.author.map_or_else(|| "somebody".into(), |author| author.to_string());
            if !twice.digests.contains(&block.digest) {
                let _ = write!(
                    out,
                    " Both were refused; the block of that height was made by {author}."
                );
            }
        }
        if let Some(block) = self.blocks.iter().find(|block| block.evidence) {
            let author =
                block.author.map_or_else(|| "somebody".into(), |author| author.to_string());
            let _ = write!(
                out,
                " Block {}, by {author}, puts the evidence on record: the stake of {who} is forfeit.",
                block.height
            );
        }
        out + "\n"
    }

    fn about_fault(&self) -> String {
        let Some((height, reason)) = &self.fault else {
            return format!(
                "<li class=\"bad\">The bit that was flipped in block {TAMPERED} was not found.\n"
            );
        };
        let whose = self.tampered.map_or_else(String::new, |node| format!(" of {node}"));
        format!(
            "<li><b>Bit flipped.</b> One bit of block {TAMPERED} was flipped in the stored chain{whose}, and only there. \
             The audit of that chain stopped at height {height}: {}.\n",
            escape(reason)
        )
    }
}

const LEGEND: &str = "<ul class=\"legend flat\">\n\
     <li><svg width=\"26\" height=\"18\"><rect class=\"block work\" x=\"1\" y=\"1\" width=\"24\" height=\"16\"/></svg>sealed by work\n\
     <li><svg width=\"26\" height=\"18\"><rect class=\"block stake\" x=\"1\" y=\"1\" width=\"24\" height=\"16\"/></svg>by stake\n\
     <li><svg width=\"26\" height=\"18\"><rect class=\"block authority\" x=\"1\" y=\"1\" width=\"24\" height=\"16\"/></svg>by authority\n\
     <li><svg width=\"26\" height=\"18\"><rect class=\"block refused\" x=\"1\" y=\"1\" width=\"24\" height=\"16\"/></svg>refused\n\
     <li><svg width=\"26\" height=\"18\"><rect class=\"flipped\" x=\"2\" y=\"2\" width=\"22\" height=\"14\"/></svg>altered afterwards\n</ul>\n";

fn kind(kind: ClaimKind) -> &'static str {
    match kind {
        ClaimKind::WORK => "work",
        ClaimKind::STAKE => "stake",
        _ => "authority",
    }
}

fn short(digest: &[u8; 32]) -> String {
    digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}
