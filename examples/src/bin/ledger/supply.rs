//! `ledger supply-chain`: the bulletin board of the lectures on four replicas.

use std::path::Path;

use consensus::{AuthoritySeal, AuthoritySlot, statement_of, validator_id};
use examples::cli::{self, Exit, Out, sentence};
use ledger_core::{Action, Block, BlockId, Body, Hash, KeyPair, Transaction};

use crate::network::{Network, Seal};
use crate::proof;
use crate::store::FolderChain;

/// Who keeps a replica, and what it states.
const BOARD: [(&str, &str); 4] = [
    ("producer", "10432 barrels produced in Thasos on Dec 26, 2022"),
    ("carrier", "6327 barrels transported from Thasos to ELPE Refinery on Dec 26, 2022 at 2:30 pm"),
    ("refinery", "Received 6327 barrels on Dec 26, 2022 at 8:48 pm"),
    ("ministry", ""),
];
const START: u64 = 1_672_012_800; // 26 December 2022
const SECONDS_BETWEEN: u64 = 3600;
/// The copy that is edited, and how.
const EDITED: usize = 1;
const EDIT: (&[u8], &[u8]) = (b"6327 barrels transported", b"6027 barrels transported");

/// The bulletin board of the lectures: three records on four replicas, an edited copy, and an auditor
///
/// Each party signs what it states, the parties take turns to seal blocks, and all keep the chain. One of them changes its
/// copy. The ministry counts the barrels, and an auditor who stores one block id checks a proof of each record.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ledger supply-chain --out target/out")]
pub struct Args {
    #[command(flatten)]
    out: Out,
}

/// A party with its copy of the chain.
struct Replica {
    name: &'static str,
    key: KeyPair,
    chain: FolderChain,
    blocks: Vec<Vec<u8>>,
}

pub fn run(args: &Args) -> cli::Result {
    let mut replicas = replicas()?;
    for (at, (name, text)) in BOARD.into_iter().enumerate().take(3) {
        let block = state(&mut replicas, at)?;
        for replica in &mut replicas {
            replica.chain.append(u64::MAX, &block).map_err(sentence)?;
            replica.blocks.push(block.clone());
        }
        println!("block {}: the {name} states: {text}", at + 1);
    }
    let equal = replicas.iter().all(|replica| replica.blocks == replicas[0].blocks);
    println!("four copies, equal byte for byte: {equal}");

    edit(&mut replicas[EDITED].blocks);
    let found = audit(&replicas)?;
    let numbers = reconcile(&replicas[3].blocks)?;
    let checkpoint = replicas[3].chain.tip().id;
    let proofs = prove(&replicas[3], args)?;
    let proved = check(&proofs, &checkpoint, &args.out.out)?;
    Ok(Exit::success_if(equal && found == [2] && numbers == 4105 && proved == 3))
}

fn replicas() -> cli::Result<Vec<Replica>> {
    let key = |name: &str| KeyPair::from_secret(Hash::of(name.as_bytes()).as_bytes());
    let keys = BOARD.map(|(name, _)| validator_id(&key(name)));
    let network = Network {
        name: "barrels".into(),
        time: START,
        seal: Seal::Authority { period: 1, keys: keys.to_vec() },
        owners: Vec::new(),
        nodes: Vec::new(),
    };
    let replica = |(name, _): (&'static str, _)| {
        Ok::<_, String>(Replica {
            name,
            key: key(name),
            chain: network.chain()?,
            blocks: Vec::new(),
        })
    };
    BOARD.into_iter().map(replica).collect()
}

/// Returns a block with the statement of a party, sealed by the authority whose turn it is.
fn state(replicas: &mut [Replica], at: usize) -> cli::Result<Vec<u8>> {
    let height = replicas[at].chain.tip().height.0 + 1;
    let author = &replicas[at];
    let action = Action::Record(BOARD[at].1.as_bytes());
    let source = author.key.account();
    let sequence = author.chain.state().sequence(&source);
    let mut buf = [0; Transaction::MAX_LEN];
    let signed = Transaction::new(source, sequence, action)
        .sign(author.chain.genesis_id(), &author.key, &mut buf)
        .map_err(sentence)?;
    let body = Body::from_bytes(signed.as_bytes()).map_err(sentence)?;
    let in_turn = match author.chain.engine() {
        crate::network::rule::Rule::Authority(rule) => rule.authorities().in_turn(height),
        crate::network::rule::Rule::Work(_) => None,
    };
    let in_turn = in_turn.ok_or("nobody may sign")?;
    let sealer = replicas.iter_mut().find(|replica| validator_id(&replica.key) == in_turn);
    let sealer = sealer.ok_or("the authority in turn keeps no copy")?;
    let claim = AuthoritySeal::<Vec<AuthoritySlot>>::claim(&in_turn);
    let time = START + height * SECONDS_BETWEEN;
    let header =
        sealer.chain.propose(time, sealer.key.account(), &body, claim).map_err(sentence)?;
    let proof = sealer.key.sign(&statement_of(sealer.chain.genesis_id(), &header, 0));
    let block = Block::new(header, proof.as_bytes(), body).map_err(sentence)?;
    let mut bytes = vec![0; block.encoded_len()];
    block.encode(&mut bytes).map_err(sentence)?;
    Ok(bytes)
}

/// Changes a statement in a copy of the chain.
fn edit(blocks: &mut [Vec<u8>]) {
    let (from, to) = EDIT;
    for block in blocks {
        let place = block.windows(from.len()).position(|window| window == from);
        if let Some(place) = place {
            block[place..place + to.len()].copy_from_slice(to);
        }
    }
}

/// Checks all copies, and returns the heights at which one does not fit.
fn audit(replicas: &[Replica]) -> cli::Result<Vec<u64>> {
    let mut found = Vec::new();
    for (replica, fresh) in replicas.iter().zip(self::replicas()?) {
        let mut chain = fresh.chain;
        match chain.replay(u64::MAX, &replica.blocks) {
            Ok(tip) => println!("copy of the {}: {} blocks fit", replica.name, tip.height),
            Err(fault) => {
                println!("copy of the {}: {fault}", replica.name);
                found.push(fault.height.0);
            }
        }
    }
    Ok(found)
}

/// Counts the barrels on the board, and returns how many remain in Thasos.
fn reconcile(blocks: &[Vec<u8>]) -> cli::Result<u64> {
    let (mut produced, mut sent, mut received) = (0_u64, 0_u64, 0_u64);
    for bytes in blocks {
        let (block, _) = Block::decode(bytes).map_err(sentence)?;
        for signed in block.body() {
            let Action::Record(text) = signed.transaction().action else { continue };
            let text = String::from_utf8_lossy(text);
            let number = text.split(' ').find_map(|word| word.parse::<u64>().ok()).unwrap_or(0);
            let place = match &*text {
                text if text.contains("produced") => &mut produced,
                text if text.contains("transported") => &mut sent,
                text if text.contains("Received") => &mut received,
                _ => continue,
            };
            *place += number;
        }
    }
    let left = produced.checked_sub(sent).ok_or("more was sent than produced")?;
    println!("the ministry counts: {produced} produced, {sent} sent, {received} received");
    println!("{} lost on the way, {left} barrels remain in Thasos", sent.abs_diff(received));
    Ok(left)
}

/// Writes a proof of each record, and returns the names of the files.
fn prove(replica: &Replica, args: &Args) -> cli::Result<Vec<String>> {
    let mut names = Vec::new();
    for height in 1..=3 {
        let text = proof::of_record(&replica.chain, &replica.blocks, height)?;
        let name = format!("record-{height}.proof");
        args.out.write(&name, text)?;
        names.push(name);
    }
    Ok(names)
}

/// What an auditor does who has no chain, but the id of its last block.
fn check(proofs: &[String], checkpoint: &BlockId, folder: &Path) -> cli::Result<usize> {
    println!("the auditor stores 32 bytes: {checkpoint}");
    let mut proved = 0;
    for name in proofs {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).map_err(cli::failed("read", &path))?;
        match proof::check(&text, checkpoint) {
            Ok(statement) => {
                println!("{name} proves {statement}");
                proved += 1;
            }
            Err(why) => println!("{name} proves nothing: {why}"),
        }
    }
    Ok(proved)
}
