//! Writes a transparency log of 700 entries into a folder, in the formats of C2SP, or verifies the one in a folder.
//! `.ci/steps/88-log-go.sh` lets Go's `golang.org/x/mod/sumdb` judge both.
//!
//! `cargo run -p ledger-core --example log_folder -- write <folder>`

use core::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use ledger_core::log::{
    Issuer, KeyKind, LevelSlot, Policy, ProofFile, ReadTile, SignerKey, Tile, VerifierKey,
    prove_consistency_from, prove_inclusion_from, write_proof_file,
};
use ledger_core::{Hash, MerkleTree};

const ENTRIES: u64 = 700;
const EARLIER: u64 = 300; // the size of an earlier tree
const PROVED: [u64; 4] = [0, 255, 256, 699];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let folder = Folder(args.next().ok_or("usage: log_folder write|verify <folder>")?.into());
    match command.as_str() {
        "write" => write(folder),
        "verify" => verify(folder),
        _ => Err("usage: log_folder write|verify <folder>".into()),
    }
}

/// A folder with tiles.
struct Folder(PathBuf);

impl ReadTile for Folder {
    type Error = std::io::Error;

    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), std::io::Error> {
        let bytes = fs::read(self.0.join(tile.to_string()))?;
        let (whole, _) = bytes.as_chunks::<32>();
        if whole.len() != hashes.len() {
            return Err(std::io::Error::other("the tile has another length"));
        }
        for (hash, bytes) in hashes.iter_mut().zip(whole) {
            *hash = Hash::from_bytes(*bytes);
        }
        Ok(())
    }
}

impl Folder {
    fn save(&self, log: &mut Issuer<Vec<LevelSlot>>) -> Result<(), Box<dyn Error>> {
        let mut buf = [0; 8192];
        while let Some((tile, len)) = log.poll_write(&mut buf)? {
            put(&self.0.join(tile.to_string()), &buf[..len])?;
            log.handle_saved(tile);
        }
        Ok(())
    }
}

fn entry(number: u64) -> Hash {
    MerkleTree::leaf(format!("entry {number}").as_bytes())
}

fn write(mut folder: Folder) -> Result<(), Box<dyn Error>> {
    // A real log keeps a random seed secret.
    let key = SignerKey::from_seed("example.com/ledger", KeyKind::Note, &[1; 32])?;
    let mut log = Issuer::new(vec![LevelSlot::EMPTY; 2]);
    for number in 0..ENTRIES {
        log.append(entry(number))?;
        folder.save(&mut log)?;
    }
    log.seal();
    folder.save(&mut log)?;
    let mut note = [0; 512];
    let len = log.checkpoint(&key, &mut note)?;
    put(&folder.0.join("checkpoint"), &note[..len])?;
    put(&folder.0.join("key"), key.verifier().to_string().as_bytes())?;
    let mut out = [Hash::ZERO; 65];
    for index in PROVED {
        let path = prove_inclusion_from(&mut folder, ENTRIES, index, &mut out)?.path;
        let mut file = [0; 4096];
        let len = write_proof_file(index, path, &note[..len], &mut file)?;
        put(&folder.0.join(format!("proof-{index}")), &file[..len])?;
    }
    println!("wrote {ENTRIES} entries, root {}", log.head().root);
    Ok(())
}

fn verify(mut folder: Folder) -> Result<(), Box<dyn Error>> {
    let key = fs::read_to_string(folder.0.join("key"))?;
    let policy = Policy::log_only(VerifierKey::parse(key.trim_end())?);
    let note = fs::read(folder.0.join("checkpoint"))?;
    let checkpoint = policy.open(&note)?;
    let size = checkpoint.head().size;
    let mut out = [Hash::ZERO; 65];
    for index in PROVED {
        let file = fs::read(folder.0.join(format!("proof-{index}")))?;
        let proof = ProofFile::parse(&file)?;
        if proof.verify(&policy, &entry(index))?.head() != checkpoint.head() {
            return Err("the proof is for another tree".into());
        }
        if proof.verify(&policy, &entry(index + 1)).is_ok() {
            return Err("the proof is good for another entry too".into());
        }
        let made = prove_inclusion_from(&mut folder, size, index, &mut out)?;
        if (proof.index(), proof.path()) != (index, made.path) {
            return Err("the tiles give another proof".into());
        }
    }
    let mut earlier = MerkleTree::new();
    (0..EARLIER).for_each(|number| earlier.push(entry(number)));
    let path = prove_consistency_from(&mut folder, EARLIER, size, &mut out)?;
    checkpoint.verify_consistency(earlier.head(), path)?;
    println!("verified {size} entries, root {}", checkpoint.head().root);
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}
