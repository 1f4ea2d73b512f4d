//! AUDIT: everybody stores its chain on disk and reads it back; every copy of the file is hashed; and one bit
//! of a stored block is flipped, to be found at its height.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use bittorrent_pieces::PieceHasher;
use ledger_core::{Height, Tip};

use crate::ctx::{Ctx, Failure};
use crate::net::NodeId;
use crate::rules::Constitution;
use crate::settle::Settlement;
use crate::song::{Cast, Song};
use examples::interrupt::interrupted;

/// The height of the block that is tampered with.
pub const TAMPERED: u64 = 7;

pub struct Audit {
    /// The tips that the stored chains prove.
    pub tips: Vec<Tip>,
    /// How many copies of the file are equal to the original, and how many there are.
    pub equal_copies: (usize, usize),
    /// Where the tampered chain broke, and why.
    pub fault: Option<(u64, String)>,
    pub bytes: u64,
    pub blocks: u64,
}

/// Stores, reads back, compares.
pub fn audit(
    ctx: &mut Ctx,
    settlement: &Settlement<'_>,
    constitution: &Constitution,
    cast: Cast,
    song: &Song,
) -> Result<Audit, Failure> {
    let mut audit =
        Audit { tips: Vec::new(), equal_copies: (0, 0), fault: None, bytes: 0, blocks: 0 };
    for (node, ledger) in settlement.living() {
        fs::create_dir_all(ctx.dir(node))?;
        fs::write(ctx.dir(node).join("chain.bin"), store(&ledger.blocks))?;
    }
    for (node, _) in settlement.living() {
        let stored = fs::read(ctx.dir(node).join("chain.bin"))?;
        audit.bytes += stored.len() as u64;
        let blocks = load(&stored);
        audit.blocks += blocks.len() as u64;
        match constitution.chain().map_err(io::Error::other)?.replay(u64::MAX, &blocks) {
            Ok(tip) => {
                ctx.note(
                    node,
                    format_args!("stored chain proves height {} {:.16}", tip.height, tip.id),
                )?;
                audit.tips.push(tip);
            }
            Err(fault) => ctx.note(node, fault)?,
        }
    }
    for leech in cast.leeches() {
        if interrupted() {
            return Err(Failure::Interrupted { stage: "AUDIT" });
        }
        let (sha1, len) = hash_file(&ctx.dir(leech).join("song"))?;
        audit.bytes += len;
        audit.equal_copies.1 += 1;
        audit.equal_copies.0 += usize::from(sha1 == song.sha1 && len == song.size);
    }
    tamper(ctx, settlement, constitution, &mut audit)?;
    Ok(audit)
}

/// Flips one bit of a stored block on the disk of the first node, then audits that disk.
fn tamper(
    ctx: &mut Ctx,
    settlement: &Settlement<'_>,
    constitution: &Constitution,
    audit: &mut Audit,
) -> Result<(), Failure> {
    let Some((node, ledger)) = settlement.living().next() else { return Ok(()) };
    let before: usize =
        ledger.blocks.iter().take(TAMPERED as usize - 1).map(|block| block.len() + 4).sum();
    let path = ctx.dir(node).join("chain.bin");
    let mut stored = fs::read(&path)?;
    let len = ledger.blocks[TAMPERED as usize - 1].len();
    stored[before + 4 + len / 2] ^= 0x10;
    fs::write(&path, &stored)?;
    let blocks = load(&fs::read(&path)?);
    if let Err(fault) = constitution.chain().map_err(io::Error::other)?.replay(u64::MAX, &blocks) {
        let Height(height) = fault.height;
        ctx.note(node, fault)?;
        audit.fault = Some((height, fault.refused.to_string()));
    }
    Ok(())
}

/// Removes the copies of the file; the chains and the report stay.
pub fn clean_up(ctx: &Ctx, cast: Cast) {
    for node in cast.all() {
        let _ = fs::remove_file(ctx.dir(node).join("song"));
    }
}

/// Each block behind its length.
fn store(blocks: &[Vec<u8>]) -> Vec<u8> {
    let parts = blocks.iter().flat_map(|block| {
        (block.len() as u32).to_be_bytes().into_iter().chain(block.iter().copied())
    });
    parts.collect()
}

fn load(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*len) as usize;
        let (block, rest) = rest.split_at(len.min(rest.len()));
        blocks.push(block.to_vec());
        bytes = rest;
    }
    blocks
}

fn hash_file(path: &Path) -> io::Result<([u8; 20], u64)> {
    let mut file = File::open(path)?;
    let mut sha1 = PieceHasher::new();
    let mut len = 0;
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok((sha1.finish(), len)),
            read => {
                sha1.update(&chunk[..read]);
                len += read as u64;
            }
        }
    }
}

/// Returns whether there is at least one tip and all are equal.
pub fn all_equal(tips: &[Tip], nodes: usize) -> bool {
    tips.len() == nodes && tips.windows(2).all(|pair| pair[0] == pair[1])
}

/// Names nodes in a row.
pub fn names(nodes: impl IntoIterator<Item = NodeId>) -> String {
    nodes.into_iter().map(|node| node.0.to_string()).collect::<Vec<_>>().join(" -> ")
}
