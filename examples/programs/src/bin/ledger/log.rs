//! A transparency log in a folder, in the formats of C2SP: tiles, entry bundles, a checkpoint, proof files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use examples::cli::{self, Exit, failed, sentence};
use examples::{progress, storage};
use ledger_core::log::{
    Entries, Issuer, KeyKind, LevelSlot, MAX_ENTRY_LEN, Policy, ProofFile, ReadTile, SignerKey,
    Tile, VerifierKey, prove_inclusion_from, write_proof_file,
};
use ledger_core::{Hash, MerkleTree};

use crate::{hex, lock, wallet};

/// Files of a log besides its tiles.
const CHECKPOINT: &str = "checkpoint";
const KEY: &str = "key";
const SECRET: &str = "secret";
/// Levels of tiles: up to 2^32 entries.
const LEVELS: usize = 4;
const TILE_WIDTH: u64 = 256;
const HEAD: &str = "\
# PRIVATE KEY of a transparency log. Anyone who can read this file can sign for the log. Never publish it.
";

/// Issue and verify a transparency log in a folder
///
/// The formats are those of C2SP, which golang.org/x/mod/sumdb and other programs read: tiles, a checkpoint signed as a
/// note, proof files.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ledger log create board --name example.com/board\n  \
                        ledger log add board 'barrel 17 arrived'\n  ledger log verify board")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a log with a new key
    #[command(after_help = "Example: ledger log create board --name example.com/board")]
    Create {
        /// The folder, which must not exist
        folder: PathBuf,
        /// The name of the log: a host name and a path, without spaces
        #[arg(long, value_name = "NAME")]
        name: String,
    },
    /// Append entries and sign a checkpoint
    #[command(after_help = "Example: ledger log add board 'barrel 17 arrived'")]
    Add {
        /// The folder of the log
        folder: PathBuf,
        /// The entries, up to 65,535 bytes each
        #[arg(required = true, value_name = "TEXT")]
        entries: Vec<String>,
    },
    /// Write the proof that an entry is in the log
    #[command(after_help = "Example: ledger log prove board 0 --output entry.tlog-proof")]
    Prove {
        /// The folder of the log
        folder: PathBuf,
        /// The position of the entry, from 0
        index: u64,
        /// The file to write
        #[arg(long, value_name = "FILE", default_value = "entry.tlog-proof")]
        output: PathBuf,
    },
    /// Check a log with all its entries, or, without the log, the proof of one
    #[command(after_help = "Example: ledger log verify board\n  \
                            ledger log verify --proof entry.tlog-proof --key board/key 'barrel 17 arrived'")]
    Verify {
        /// The folder of the log, or the entry that is to be proved
        what: String,
        /// A proof file
        #[arg(long, value_name = "FILE", requires = "key")]
        proof: Option<PathBuf>,
        /// The file with the public key of the log
        #[arg(long, value_name = "FILE", requires = "proof")]
        key: Option<PathBuf>,
    },
}

pub fn run(args: &Args) -> cli::Result {
    match &args.command {
        Command::Create { folder, name } => create(folder, name),
        Command::Add { folder, entries } => add(&Folder(folder.clone()), entries),
        Command::Prove { folder, index, output } => {
            prove(&mut Folder(folder.clone()), *index, output)
        }
        Command::Verify { what, proof: Some(proof), key: Some(key) } => {
            verify_one(what, proof, key)
        }
        Command::Verify { what, .. } => verify(&Folder(what.into())),
    }
}

struct Folder(PathBuf);

impl ReadTile for Folder {
    type Error = io::Error;

    fn read(&mut self, tile: Tile, hashes: &mut [Hash]) -> Result<(), io::Error> {
        let bytes = fs::read(self.0.join(tile.to_string()))?;
        let (nodes, _) = bytes.as_chunks::<32>();
        if nodes.len() != hashes.len() {
            return Err(io::Error::other("the tile has another length"));
        }
        for (hash, node) in hashes.iter_mut().zip(nodes) {
            *hash = Hash::from_bytes(*node);
        }
        Ok(())
    }
}

impl Folder {
    fn read_text(&self, name: &str) -> cli::Result<String> {
        read_text(&self.0.join(name))
    }

    fn checkpoint(&self) -> cli::Result<Vec<u8>> {
        let path = self.0.join(CHECKPOINT);
        fs::read(&path).map_err(failed("read", &path))
    }

    /// Returns the path of the bundle with the entry at an index, of a log of `size` entries.
    fn bundle(&self, index: u64, size: u64) -> cli::Result<PathBuf> {
        let tile = Tile::of(size, 0, index / TILE_WIDTH).ok_or("there is no such entry")?;
        Ok(self.0.join(tile.to_string().replacen("tile/0/", "tile/entries/", 1)))
    }

    /// Returns the entries of the bundle with the entry at an index.
    fn entries(&self, index: u64, size: u64) -> cli::Result<Vec<Vec<u8>>> {
        let path = self.bundle(index, size)?;
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let entries: Result<Vec<_>, _> =
            Entries::new(&bytes).map(|entry| entry.map(<[u8]>::to_vec)).collect();
        entries.map_err(sentence)
    }
}

fn create(folder: &Path, name: &str) -> cli::Result {
    let secret = wallet::random_secret()?;
    let key = SignerKey::from_seed(name, KeyKind::Note, &secret).map_err(sentence)?;
    fs::create_dir(folder).map_err(failed("create", folder))?;
    let text = format!("{HEAD}name {name}\nsecret {}\n", hex::encode(&secret));
    wallet::save_secret(&folder.join(SECRET), &text)?;
    cli::write(&folder.join(KEY), format!("{}\n", key.verifier()).as_bytes())?;
    let log = Issuer::new(vec![LevelSlot::EMPTY; LEVELS]);
    sign(&Folder(folder.to_owned()), &log)?;
    println!("key {}", key.verifier());
    eprintln!(
        "warning: {}/{SECRET} holds the private key; publish everything else",
        folder.display()
    );
    Ok(Exit::Success)
}

fn add(folder: &Folder, entries: &[String]) -> cli::Result {
    if entries.iter().any(|entry| entry.len() > MAX_ENTRY_LEN) {
        return cli::refuse("an entry has at most 65,535 bytes");
    }
    let _lock = lock::lock(&folder.0.join(KEY))?;
    let size = opened(folder)?;
    let levels = vec![LevelSlot::EMPTY; LEVELS];
    let mut reader = Folder(folder.0.clone());
    let mut log = Issuer::resume(levels, size, &mut reader).map_err(sentence)?;
    let mut bundle = if size.is_multiple_of(TILE_WIDTH) {
        Vec::new()
    } else {
        folder.entries(size - 1, size)?
    };
    for entry in entries {
        let index = log.append(MerkleTree::leaf(entry.as_bytes())).map_err(sentence)?;
        bundle.push(entry.as_bytes().to_vec());
        save_tiles(folder, &mut log)?;
        if bundle.len() as u64 == TILE_WIDTH {
            save_bundle(folder, &bundle, index)?;
            bundle.clear();
        }
        println!("entry {index}");
    }
    if !bundle.is_empty() {
        save_bundle(folder, &bundle, log.head().size - 1)?;
    }
    log.seal();
    save_tiles(folder, &mut log)?;
    sign(folder, &log)?;
    println!("{} entries, root {}", log.head().size, log.head().root);
    Ok(Exit::Success)
}

/// Returns the size of the log, whose checkpoint is its own.
fn opened(folder: &Folder) -> cli::Result<u64> {
    let key = folder.read_text(KEY)?;
    let policy = Policy::log_only(VerifierKey::parse(key.trim_end()).map_err(sentence)?);
    let note = folder.checkpoint()?;
    Ok(policy.open(&note).map_err(sentence)?.head().size)
}

fn save_tiles(folder: &Folder, log: &mut Issuer<Vec<LevelSlot>>) -> cli::Result<()> {
    let mut buf = [0; 8192];
    while let Some((tile, len)) = log.poll_write(&mut buf).map_err(sentence)? {
        cli::write(&folder.0.join(tile.to_string()), &buf[..len])?;
        log.handle_saved(tile);
    }
    Ok(())
}

/// Writes the entries whose last one is at `last`.
fn save_bundle(folder: &Folder, entries: &[Vec<u8>], last: u64) -> cli::Result<()> {
    let mut bytes = Vec::new();
    for entry in entries {
        let len = u16::try_from(entry.len()).map_err(sentence)?;
        bytes.extend(len.to_be_bytes());
        bytes.extend(entry);
    }
    cli::write(&folder.bundle(last, last + 1)?, &bytes)
}

/// Signs the tree as it is.
fn sign(folder: &Folder, log: &Issuer<Vec<LevelSlot>>) -> cli::Result<()> {
    let text = folder.read_text(SECRET)?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.ok_or_else(|| format!("the file '{SECRET}' has no line '{name}'"))
    };
    let seed = hex::decode32(field("secret ")?)?;
    let key = SignerKey::from_seed(field("name ")?, KeyKind::Note, &seed).map_err(sentence)?;
    let mut note = [0; 1024];
    let len = log.checkpoint(&key, &mut note).map_err(sentence)?;
    let path = folder.0.join(CHECKPOINT);
    storage::save(&path, &note[..len]).map_err(failed("write", &path))
}

fn prove(folder: &mut Folder, index: u64, output: &Path) -> cli::Result {
    let size = opened(folder)?;
    let note = folder.checkpoint()?;
    let mut out = [Hash::ZERO; 64];
    let path = prove_inclusion_from(folder, size, index, &mut out).map_err(sentence)?.path;
    let mut file = [0; 8192];
    let len = write_proof_file(index, path, &note, &mut file).map_err(sentence)?;
    cli::write(output, &file[..len])?;
    println!("wrote {}", output.display());
    Ok(Exit::Success)
}

/// Checks that the checkpoint is signed, and that it is the one over all entries.
fn verify(folder: &Folder) -> cli::Result {
    let size = opened(folder)?;
    let key = folder.read_text(KEY)?;
    let policy = Policy::log_only(VerifierKey::parse(key.trim_end()).map_err(sentence)?);
    let note = folder.checkpoint()?;
    let head = policy.open(&note).map_err(sentence)?.head();
    let mut tree = MerkleTree::new();
    let mut index = 0;
    while index < size {
        progress::show(|| format!("hashing entry {index} of {size}"));
        let entries = folder.entries(index, size)?;
        for entry in &entries {
            tree.push(MerkleTree::leaf(entry));
        }
        index += TILE_WIDTH;
    }
    progress::clear();
    if tree.head() != head {
        println!(
            "the entries are not those that were signed: root {}, signed {}",
            tree.root(),
            head.root
        );
        return Ok(Exit::Failure);
    }
    println!("{size} entries, root {}", head.root);
    Ok(Exit::Success)
}

fn verify_one(entry: &str, proof: &Path, key: &Path) -> cli::Result {
    let key = read_text(key)?;
    let policy = Policy::log_only(VerifierKey::parse(key.trim_end()).map_err(sentence)?);
    let file = fs::read(proof).map_err(failed("read", proof))?;
    let proof = ProofFile::parse(&file).map_err(sentence)?;
    match proof.verify(&policy, &MerkleTree::leaf(entry.as_bytes())) {
        Ok(checkpoint) => {
            println!("entry {} of {}", proof.index(), checkpoint.head().size);
            Ok(Exit::Success)
        }
        Err(error) => {
            println!("not proved: {error}");
            Ok(Exit::Failure)
        }
    }
}

fn read_text(path: &Path) -> cli::Result<String> {
    fs::read_to_string(path).map_err(failed("read", path))
}
