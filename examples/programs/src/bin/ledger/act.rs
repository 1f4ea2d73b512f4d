//! Transactions: in a folder each becomes a block of its own, sealed by work; in a network the nodes put it into one.

use std::fs;
use std::path::PathBuf;

use examples::cli::{self, Exit, failed, sentence};
use examples::interrupt::{self, interrupted};
use examples::progress;
use ledger_core::{
    Account, Action, AssetId, Block, Body, GenesisId, Hash, Header, KeyPair, MAX_PAYLOAD_LEN,
    Transaction, TxId,
};
use pow::{CompactTarget, Step, WorkSeal};

use crate::store::{Folder, Source, unix_time};
use crate::{hex, store, wallet};

/// Hashes between two looks at the clock and at signals.
const SLICE: u32 = 100_000;

/// Pay coins to an account
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger pay chain --wallet ann.key --to 5c1f..9e --amount 30")]
pub struct Pay {
    #[command(flatten)]
    chain: ChainArgs,
    /// The account that receives the coins, 64 digits
    #[arg(long, value_name = "ACCOUNT", value_parser = account_of)]
    to: Account,
    /// How many coins
    #[arg(long, value_name = "N")]
    amount: u64,
}

/// Create a unique asset that stands for a file
///
/// Its id follows from the file and the minter: nobody else can create the same.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger mint chain --wallet ann.key --file song.ogg")]
pub struct Mint {
    #[command(flatten)]
    chain: ChainArgs,
    /// The file that the asset stands for
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// Publish a statement that its author cannot deny later
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: ledger record chain --wallet ann.key '1,000 barrels left the harbour'"
)]
pub struct Record {
    #[command(flatten)]
    chain: ChainArgs,
    /// The statement, up to 1,024 bytes
    text: String,
}

#[derive(Debug, clap::Args)]
struct ChainArgs {
    /// The folder of the chain, or of a network
    folder: PathBuf,
    /// The file with the key of the account that acts
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// The fee in coins; the author of a block gets it, which is the same account here
    #[arg(long, value_name = "N", default_value_t = 0)]
    fee: u64,
}

/// Returns an account, written as 64 hexadecimal digits.
pub fn account_of(text: &str) -> Result<Account, String> {
    hex::decode32(text).map(Account::from_bytes)
}

pub fn pay(args: &Pay) -> cli::Result {
    let action = Action::Pay { to: args.to, amount: args.amount };
    act(&args.chain, action, |folder, key| {
        let left = folder.chain.state().balance(&key.account());
        println!("paid {} to {}; {left} left", args.amount, args.to);
    })
}

pub fn mint(args: &Mint) -> cli::Result {
    let content = fs::read(&args.file).map_err(failed("read", &args.file))?;
    let salt = *Hash::of(&content).as_bytes();
    act(&args.chain, Action::Mint { salt }, |folder, key| {
        let asset = AssetId::new(folder.chain.genesis_id(), &key.account(), &salt);
        println!("asset {asset}");
    })
}

pub fn record(args: &Record) -> cli::Result {
    let text = args.text.as_bytes();
    if text.len() > MAX_PAYLOAD_LEN {
        let len = text.len();
        return cli::refuse(&format!("a statement has at most {MAX_PAYLOAD_LEN} bytes, not {len}"));
    }
    act(&args.chain, Action::Record(text), |_, _| {})
}

/// Signs a transaction, puts it into a block, seals and appends it.
fn act(args: &ChainArgs, action: Action<'_>, done: impl FnOnce(&Folder, &KeyPair)) -> cli::Result {
    let key = wallet::load(&args.wallet)?;
    interrupt::install();
    let _lock = store::lock(&args.folder)?;
    let mut folder = Folder::open(&args.folder)?;
    let source = key.account();
    let genesis = *folder.chain.genesis_id();
    let sign = |sequence| sign(&genesis, &key, sequence, args.fee, action);
    let Folder { chain, blocks, source: place } = &mut folder;
    match place {
        Source::File { bits, .. } => {
            let bits = *bits;
            let (_, signed) = sign(chain.state().sequence(&source))?;
            let body = Body::from_bytes(&signed).map_err(sentence)?;
            let time = unix_time().max(chain.median_time() + 1);
            let header = chain.propose(time, source, &body, WorkSeal::claim(bits, 0));
            let header = header.map_err(sentence)?;
            let Some(header) = seal(chain.genesis_id(), bits, header)? else {
                return Ok(Exit::Stopped);
            };
            let block = encode(header, &body)?;
            folder.append(&block)?;
        }
        Source::Network(client) => {
            client.submit(chain, blocks, &source, sign)?;
        }
    }
    let tip = folder.chain.tip();
    println!("block {} {}", tip.height, tip.id);
    done(&folder, &key);
    Ok(Exit::Success)
}

/// Signs a transaction. Returns its id and its bytes.
pub fn sign(
    genesis: &GenesisId,
    key: &KeyPair,
    sequence: u64,
    fee: u64,
    action: Action<'_>,
) -> cli::Result<(TxId, Vec<u8>)> {
    let mut transaction = Transaction::new(key.account(), sequence, action);
    transaction.fee = fee;
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = transaction.sign(genesis, key, &mut buf).map_err(sentence)?;
    Ok((signed.id(genesis), signed.as_bytes().to_vec()))
}

/// Searches the nonce. Returns `None` if a signal came first.
fn seal(
    genesis: &GenesisId,
    bits: CompactTarget,
    mut header: Header,
) -> cli::Result<Option<Header>> {
    let mut miner = WorkSeal::miner(genesis, &header, 0..=u64::MAX).map_err(sentence)?;
    loop {
        match miner.step(SLICE) {
            Step::Found(nonce) => {
                progress::clear();
                header.claim = WorkSeal::claim(bits, nonce);
                return Ok(Some(header));
            }
            _ if interrupted() => return Ok(None),
            _ => progress::show(|| format!("{} hashes", miner.tried())),
        }
    }
}

fn encode(header: Header, body: &Body<'_>) -> cli::Result<Vec<u8>> {
    let block = Block::new(header, &[], *body).map_err(sentence)?;
    let mut out = vec![0; block.encoded_len()];
    block.encode(&mut out).map_err(sentence)?;
    Ok(out)
}
