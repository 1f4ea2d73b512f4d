//! Authorities in turn: Clique and Aura. Blocks arrive at once; a silent authority is skipped.

use consensus::aura::{CreditSlot, RollingFinality, difficulty};
use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueError, CliqueSlots, RecentSlot,
    SignerSlot,
};
use consensus::{Ed25519Key, Equivocation, Keys as _, SignedStatement, Statement, Turn};
use examples::cli::{self, Exit, sentence};

use crate::run::{Args, block};

const GENESIS: [u8; 32] = [0xC0; 32];

/// Runs Clique: the authority in turn signs, or the first of the others that may.
pub fn clique(args: &Args) -> cli::Result {
    let keys = args.keys();
    let ids: Vec<_> = keys.iter().map(Ed25519Key::id).collect();
    let storage = CliqueSlots {
        signers: vec![SignerSlot::EMPTY; ids.len()],
        recents: vec![RecentSlot::EMPTY; ids.len() / 2 + 1],
        votes: vec![CandidateSlot::EMPTY; ids.len() * ids.len()],
    };
    let mut clique = Clique::new(CliqueConfig::new(), &ids, storage).map_err(sentence)?;
    let mut total = 0_u64;
    for number in 1..=args.blocks {
        let first = (number % ids.len() as u64) as usize;
        let mut signed = None;
        for index in (0..ids.len()).map(|step| (first + step) % ids.len()) {
            if args.kill.contains(&index) {
                explain(args, || format!("validator {index} is silent"));
                continue;
            }
            let candidate = CliqueBlock { number, signer: ids[index], vote: None };
            match clique.apply(&candidate) {
                Ok(turn) => {
                    signed = Some((index, turn));
                    break;
                }
                Err(CliqueError::RecentlySigned { next, .. }) => {
                    explain(args, || {
                        format!("validator {index} signed recently, until block {next}")
                    });
                }
                Err(other) => return Err(sentence(other)),
            }
        }
        let Some((index, turn)) = signed else {
            println!("block {number}: nobody may sign; the chain halts");
            return Ok(Exit::Failure);
        };
        total += u64::from(turn.difficulty());
        let name = if turn == Turn::In { "in turn" } else { "out of turn" };
        println!("block {number} of validator {index}, {name}; total difficulty {total}");
        explain(args, || {
            format!("block {number} mod {} = validator {first} is in turn", ids.len())
        });
        accuse(args, &keys, number, index)?;
    }
    Ok(Exit::Success)
}

/// Runs Aura: each step belongs to one authority.
pub fn aura(args: &Args) -> cli::Result {
    let keys = args.keys();
    let count = keys.len() as u64;
    let mut finality =
        RollingFinality::<_>::new(count, vec![CreditSlot::EMPTY; 2 * args.validators]);
    let mut number = 0;
    let mut parent_step = 0;
    for step in 1..=args.blocks.saturating_mul(count) {
        let index = (step % count) as usize;
        explain(args, || format!("step {step} mod {count} = validator {index}"));
        if args.kill.contains(&index) {
            println!("step {step}: validator {index} is silent");
            continue;
        }
        number += 1;
        let missed = u128::MAX - difficulty(parent_step, step, 0);
        println!(
            "step {step}: block {number} of validator {index}, {missed} steps after its parent"
        );
        parent_step = step;
        for block in finality.push(number, &[keys[index].id()]).map_err(sentence)? {
            println!("          block {block} is final");
        }
        accuse(args, &keys, step, index)?;
        if number == args.blocks {
            break;
        }
    }
    Ok(Exit::success_if(number == args.blocks))
}

fn explain(args: &Args, text: impl FnOnce() -> String) {
    if args.explain {
        println!("          {}", text());
    }
}

/// Shows the evidence if the author of a block signs a second one.
fn accuse(args: &Args, keys: &[Ed25519Key], slot: u64, author: usize) -> cli::Result<()> {
    if args.equivocate != Some(author) {
        return Ok(());
    }
    let key = &keys[author];
    let sign = |variant| {
        let statement = Statement::propose(GENESIS, slot, 0, block(slot, author, variant));
        let signature = key.sign(&statement.to_bytes());
        SignedStatement { statement, author: key.id(), signature }
    };
    let evidence = Equivocation::prove(&sign(0), &sign(1)).map_err(sentence)?;
    println!("          evidence: {}", evidence.offence());
    Ok(())
}
