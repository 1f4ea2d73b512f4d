//! Proofs in a file, for somebody who knows nothing but the id of a block.
//!
//! A proof file is text: a name, a space and a value on each line, bytes as hexadecimal digits.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::ArgGroup;
use examples::cli::{self, Exit, failed, sentence};
use ledger_core::ledger::owner_key;
use ledger_core::state::{Key, MapProof, Value, account_key};
use ledger_core::{
    Account, Action, AssetId, Block, BlockId, GenesisId, Hash, Header, Inclusion, MerkleTree,
    SignedTransaction, TreeHead, prove_inclusion,
};

use crate::act::account_of;
use crate::audit::tip_of;
use crate::hex;
use crate::store::{Folder, FolderChain};

const VERSION: &str = "ledger-core proof 1";

/// Write a proof of a balance, an owner or a record into a file
///
/// It is checked by `ledger verify` against the id of the last block, without the chain.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger prove chain --record 1 --output record.proof",
    group = ArgGroup::new("what").required(true).args(["balance", "asset", "record"]))]
pub struct Prove {
    /// The folder of the chain
    folder: PathBuf,
    /// Prove what an account owns, or that it owns nothing
    #[arg(long, value_name = "ACCOUNT", value_parser = account_of)]
    balance: Option<Account>,
    /// Prove who owns an asset, or that there is no such asset
    #[arg(long, value_name = "ASSET", value_parser = asset_of)]
    asset: Option<AssetId>,
    /// Prove the first transaction of the block at this height
    #[arg(long, value_name = "HEIGHT")]
    record: Option<u64>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "ledger.proof")]
    output: PathBuf,
}

/// Check a proof without the chain
///
/// Trust in the answer is trust in the id of the block, which you have from elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger verify record.proof --tip 00003f0c..77")]
pub struct Verify {
    /// The file with the proof
    file: PathBuf,
    /// The id of the last block, 64 digits
    #[arg(long, value_name = "ID", value_parser = tip_of)]
    tip: BlockId,
}

fn asset_of(text: &str) -> Result<AssetId, String> {
    hex::decode32(text).map(AssetId::from_bytes)
}

pub fn prove(args: &Prove) -> cli::Result {
    let mut folder = Folder::open(&args.folder)?;
    let tip = last_header(&folder.blocks)?;
    let mut file = front(&folder.chain, &tip);
    if let Some(height) = args.record {
        file += &prove_record(&folder.chain, &folder.blocks, &tip, height)?;
    } else {
        let (name, subject, key) = match (args.balance, args.asset) {
            (Some(account), _) => ("balance", account.to_string(), account_key(&account)),
            (_, Some(asset)) => ("asset", asset.to_string(), owner_key(&asset)),
            _ => return cli::refuse("give --balance, --asset or --record"),
        };
        let mut buf = [0; 66 + 33 * 256];
        let proof = folder.chain.prove(&key, &mut buf).map_err(sentence)?;
        let _ = writeln!(file, "{name} {subject}\nproof {}", hex::encode(proof.as_bytes()));
        if let Some(value) = folder.chain.state().value(&key) {
            let _ = writeln!(file, "value {}", hex::encode(value.as_bytes()));
        }
    }
    cli::write(&args.output, file.as_bytes())?;
    println!("wrote {}", args.output.display());
    println!("verify it against block {} {}", tip.height, folder.chain.tip().id);
    Ok(Exit::Success)
}

/// Returns the file that proves the first transaction of the block at a height.
pub fn of_record(chain: &FolderChain, blocks: &[Vec<u8>], height: u64) -> cli::Result<String> {
    let tip = last_header(blocks)?;
    Ok(front(chain, &tip) + &prove_record(chain, blocks, &tip, height)?)
}

fn last_header(blocks: &[Vec<u8>]) -> cli::Result<Header> {
    let last = blocks.last().ok_or("the chain has no blocks yet")?;
    Block::decode(last).map(|(block, _)| *block.header()).map_err(sentence)
}

/// The lines that all proofs have.
fn front(chain: &FolderChain, tip: &Header) -> String {
    let genesis = chain.genesis_id();
    format!("{VERSION}\ngenesis {genesis}\ntip {}\n", hex::encode(&encoded(tip)))
}

/// The header and the way from it to the tip, the transaction and the way from it to the header.
fn prove_record(
    chain: &FolderChain,
    blocks: &[Vec<u8>],
    tip: &Header,
    height: u64,
) -> cli::Result<String> {
    let index = height.checked_sub(1).and_then(|at| usize::try_from(at).ok());
    let bytes = index.and_then(|at| blocks.get(at));
    let bytes = bytes.ok_or_else(|| format!("there is no block {height}"))?;
    let (block, _) = Block::decode(bytes).map_err(sentence)?;
    let transactions: Vec<Hash> =
        block.body().iter().map(|signed| MerkleTree::leaf(signed.as_bytes())).collect();
    let first = block.body().iter().next().ok_or("the block has no transactions")?;
    let mut out = [Hash::ZERO; 64];
    let body = prove_inclusion(&transactions, 0, &mut out).map_err(sentence)?;
    let mut text = format!(
        "header {}\ntransaction {}\nbody {}\n",
        hex::encode(&encoded(block.header())),
        hex::encode(first.as_bytes()),
        path_text(body.path)
    );
    if height < tip.height.0 {
        let genesis = chain.genesis_id();
        let block_ids = blocks.iter().filter_map(|bytes| Block::decode(bytes).ok());
        let ids = block_ids.map(|(block, _)| block.id(genesis));
        let leaves: Vec<Hash> = core::iter::once(genesis.block_id())
            .chain(ids)
            .take(usize::try_from(tip.height.0).unwrap_or(usize::MAX))
            .map(|id| MerkleTree::leaf(id.as_bytes()))
            .collect();
        let at = usize::try_from(height).map_err(sentence)?;
        let history = prove_inclusion(&leaves, at, &mut out).map_err(sentence)?;
        let _ = writeln!(text, "history {}", path_text(history.path));
    }
    Ok(text)
}

pub fn verify(args: &Verify) -> cli::Result {
    let text = fs::read_to_string(&args.file).map_err(failed("read", &args.file))?;
    match check(&text, &args.tip) {
        Ok(statement) => {
            println!("{statement}");
            Ok(Exit::Success)
        }
        Err(why) => {
            println!("not proved: {why}");
            Ok(Exit::Failure)
        }
    }
}

/// Returns what a proof file proves.
pub fn check(text: &str, trusted: &BlockId) -> cli::Result<String> {
    let body = text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix('\n'));
    let fields: BTreeMap<&str, &str> =
        body.ok_or("not a proof file")?.lines().filter_map(|line| line.split_once(' ')).collect();
    let field = |name: &str| fields.get(name).copied().ok_or(format!("no line '{name}'"));
    let genesis = GenesisId::from_bytes(hex::decode32(field("genesis")?)?);
    let tip = header_of(field("tip")?)?;
    let found = tip.id(&genesis);
    if found != *trusted {
        return Err(format!("it is for block {found}, which is not the trusted one"));
    }
    if fields.contains_key("transaction") {
        let history = fields.get("history").copied();
        return check_record(&genesis, &tip, &field, history);
    }
    let bytes = hex::decode(field("proof")?)?;
    let (proof, rest) = MapProof::decode(&bytes).map_err(sentence)?;
    if !rest.is_empty() {
        return Err("bytes follow the proof".into());
    }
    let value = fields.get("value").map(|value| hex::decode(value)).transpose()?;
    let value = value.as_deref();
    if let Some(account) = fields.get("balance") {
        let key = account_key(&account_of(account)?);
        check_value(&proof, &tip, &key, value)?;
        let coins =
            value.and_then(|value| value.first_chunk()).copied().map_or(0, u64::from_be_bytes);
        return Ok(format!("block {}: account {account} owns {coins} coins", tip.height));
    }
    let asset = field("asset")?;
    check_value(&proof, &tip, &owner_key(&asset_of(asset)?), value)?;
    Ok(match value {
        Some(owner) => {
            format!("block {}: asset {asset} belongs to {}", tip.height, hex::encode(owner))
        }
        None => format!("block {}: there is no asset {asset}", tip.height),
    })
}

/// Checks that the state of the block has this value for a key, or none.
fn check_value(
    proof: &MapProof<'_>,
    tip: &Header,
    key: &Key,
    value: Option<&[u8]>,
) -> cli::Result<()> {
    let proved = proof.verify(&tip.state, key).map_err(sentence)?;
    let value = value.map(|value| Value::new(value).ok_or("the value is too long")).transpose()?;
    if proved == value.map(|value| value.hash()) {
        Ok(())
    } else {
        Err("the value is another one".into())
    }
}

fn check_record<'t>(
    genesis: &GenesisId,
    tip: &Header,
    field: &dyn Fn(&str) -> Result<&'t str, String>,
    history: Option<&str>,
) -> cli::Result<String> {
    let header = header_of(field("header")?)?;
    let id = header.id(genesis);
    if let Some(history) = history {
        let leaf = MerkleTree::leaf(id.as_bytes());
        check_path(&tip.history(), header.height.0, history, &leaf)?;
    } else if id != tip.id(genesis) {
        return Err("no line 'history'".into());
    }
    let bytes = hex::decode(field("transaction")?)?;
    let (signed, rest) = SignedTransaction::decode(&bytes).map_err(sentence)?;
    if !rest.is_empty() {
        return Err("bytes follow the transaction".into());
    }
    check_path(&header.body(), 0, field("body")?, &MerkleTree::leaf(&bytes))?;
    signed.verify(genesis).map_err(sentence)?;
    let Header { height, time, .. } = header;
    let source = signed.transaction().source;
    let what = match signed.transaction().action {
        Action::Record(text) => format!("stated: {}", String::from_utf8_lossy(text).escape_debug()),
        _ => format!("signed: {signed}"),
    };
    Ok(format!("block {height}, second {time}: account {source} {what}"))
}

fn check_path(tree: &TreeHead, index: u64, path: &str, leaf: &Hash) -> cli::Result<()> {
    let path = path_of(path)?;
    Inclusion { index, path: &path }.verify(tree, leaf).map_err(sentence)
}

fn header_of(text: &str) -> cli::Result<Header> {
    let bytes = hex::decode(text)?;
    match Header::decode(&bytes) {
        Ok((header, [])) => Ok(header),
        Ok(_) => Err("bytes follow a header".into()),
        Err(error) => Err(sentence(error)),
    }
}

fn encoded(header: &Header) -> Vec<u8> {
    let mut out = vec![0; header.encoded_len()];
    let _ = header.encode(&mut out); // it has the length
    out
}

/// Returns the nodes of a path as text; `-` for none.
fn path_text(path: &[Hash]) -> String {
    let nodes: Vec<u8> = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
    if nodes.is_empty() { "-".into() } else { hex::encode(&nodes) }
}

fn path_of(text: &str) -> cli::Result<Vec<Hash>> {
    let bytes = if text == "-" { Vec::new() } else { hex::decode(text)? };
    let (nodes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err("a path has 32 bytes for each node".into());
    }
    Ok(nodes.iter().map(|node| Hash::from_bytes(*node)).collect())
}
