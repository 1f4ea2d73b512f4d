//! Clique: authorities in turn, others step in (EIP-225); the head of EIP-3436.

use core::time::Duration;

use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueError, CliqueHead, CliqueSlots,
    RecentSlot, SignerSlot,
};
use consensus::{Turn, ValidatorId};
use examples::cli::{self, sentence};

use crate::authorities;
use crate::chain::{Block, Rules};
use crate::run::Args;

/// The time between two blocks.
const PERIOD: Duration = Duration::from_secs(3);
/// How much later an authority out of turn signs, for each place after the one in turn.
const WIGGLE: Duration = Duration::from_millis(500);

type State = Clique<CliqueSlots<Vec<SignerSlot>, Vec<RecentSlot>, Vec<CandidateSlot>>>;

#[derive(Clone)]
struct CliqueRules {
    clique: State,
    total: u64,
}

/// Runs the engine.
pub fn run(args: &Args, ids: &[ValidatorId]) -> cli::Result {
    let mut config = CliqueConfig::new();
    config.votes_per_signer = 0; // the authorities stay the same
    let storage = CliqueSlots {
        signers: vec![SignerSlot::EMPTY; ids.len()],
        recents: vec![RecentSlot::EMPTY; ids.len() / 2 + 1],
        votes: Vec::new(),
    };
    let clique = Clique::new(config, ids, storage).map_err(sentence)?;
    authorities::run(args, &CliqueRules { clique, total: 0 })
}

impl CliqueRules {
    /// Returns how many places an authority is after the one in turn.
    fn distance(&self, number: u64, id: ValidatorId) -> Option<u32> {
        let count = self.clique.signers().len() as u64;
        let index = self.clique.signers().position(|signer| signer == id)? as u64;
        u32::try_from((index + count - number % count) % count).ok()
    }

    fn next(&self, signer: ValidatorId) -> CliqueBlock {
        CliqueBlock { number: self.clique.number() + 1, signer, vote: None }
    }
}

impl Rules for CliqueRules {
    type Rank = CliqueHead;

    fn slot(block: &Block) -> u64 {
        block.number
    }

    fn apply(
        &self,
        parent: &Block,
        block: &Block,
        author: ValidatorId,
    ) -> Result<(Self, CliqueHead), String> {
        if block.time < parent.time + PERIOD.as_millis() as u64 {
            return Err("too early".into());
        }
        let mut next = self.clone();
        let turn = next.clique.apply(&self.next(author)).map_err(sentence)?;
        next.total += u64::from(turn.difficulty());
        let head = self.clique.head(&author, next.total, block.id()).ok_or("not an authority")?;
        Ok((next, head))
    }

    fn turn(
        &self,
        head: &Block,
        me: ValidatorId,
        signed: Option<u64>,
        now: Duration,
    ) -> Option<Duration> {
        let number = head.number + 1;
        if signed >= Some(number) || self.clique.check(&self.next(me)).is_err() {
            return None;
        }
        let at = Duration::from_millis(head.time) + PERIOD;
        Some((at + WIGGLE * self.distance(number, me)?).max(now))
    }

    fn finalized(&self) -> Option<u64> {
        None
    }

    fn latest(head: &Block, _: Duration) -> u64 {
        head.number + 1
    }

    fn describe(&self, _: &Block, block: &Block, author: usize) -> String {
        let signer = self.clique.signers().nth(author);
        let turn = signer.map(|signer| self.clique.check(&self.next(signer)));
        let (name, difficulty) = match turn {
            Some(Ok(Turn::In)) => ("in turn", 2),
            _ => ("out of turn", 1),
        };
        let total = self.total + difficulty;
        format!("block {} of validator {author}, {name}; total difficulty {total}", block.number)
    }

    fn explain(&self, _: &Block, block: &Block, is_silent: &dyn Fn(usize) -> bool) -> Vec<String> {
        let count = self.clique.signers().len();
        let first = (block.number % count as u64) as usize;
        let mut lines =
            vec![format!("block {} mod {count} = validator {first} is in turn", block.number)];
        for step in 0..count {
            let index = (first + step) % count;
            let signer = self.clique.signers().nth(index);
            match signer.map(|signer| self.clique.check(&self.next(signer))) {
                _ if is_silent(index) => lines.push(format!("validator {index} is silent")),
                Some(Err(CliqueError::RecentlySigned { next, .. })) => {
                    lines.push(format!("validator {index} signed recently, until block {next}"));
                }
                _ => {
                    let late = (WIGGLE * step as u32).as_millis();
                    lines.push(format!("validator {index} may sign {late} ms after the period"));
                    break;
                }
            }
        }
        lines
    }
}
