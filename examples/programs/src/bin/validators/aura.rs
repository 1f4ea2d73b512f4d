//! Aura: one authority for each step of time, the chain that misses the fewest steps, and rolling finality.

use core::cmp::Reverse;
use core::time::Duration;
use std::rc::Rc;

use consensus::aura::{CreditSlot, RollingFinality, difficulty, step_of};
use consensus::{RoundRobin, Selector as _, ValidatorId};
use examples::cli::{self, sentence};

use crate::authorities;
use crate::chain::{Block, Rules};
use crate::run::Args;

/// The seconds of a step.
const STEP: u64 = 3;

#[derive(Clone)]
struct AuraRules {
    ids: Rc<[ValidatorId]>,
    finality: RollingFinality<Vec<CreditSlot>>,
    /// The number of blocks, and the steps that passed without one.
    length: u64,
    missed: u128,
}

/// Runs the engine.
pub fn run(args: &Args, ids: &[ValidatorId]) -> cli::Result {
    let slots = vec![CreditSlot::EMPTY; 2 * ids.len()];
    let finality = RollingFinality::<_>::new(ids.len() as u64, slots);
    authorities::run(args, &AuraRules { ids: ids.into(), finality, length: 0, missed: 0 })
}

impl AuraRules {
    fn primary(&self, step: u64) -> Option<ValidatorId> {
        RoundRobin::new(&*self.ids).select(step, 0)
    }
}

fn step(time: u64) -> u64 {
    step_of(time / 1000, STEP).unwrap_or(0)
}

/// Returns by how much the difficulty of a block is below the greatest: the steps since its parent.
fn passed(parent: &Block, block: &Block) -> u128 {
    u128::MAX - difficulty(step(parent.time), step(block.time), 0)
}

impl Rules for AuraRules {
    /// The sum of the difficulties, which is larger for the longer chain and then for the one with fewer missed steps.
    type Rank = (u64, Reverse<u128>, Reverse<[u8; 32]>);

    fn slot(block: &Block) -> u64 {
        step(block.time)
    }

    fn apply(
        &self,
        parent: &Block,
        block: &Block,
        author: ValidatorId,
    ) -> Result<(Self, Self::Rank), String> {
        if step(block.time) <= step(parent.time) {
            return Err("an old step".into());
        }
        if self.primary(step(block.time)) != Some(author) {
            return Err("the step of another authority".into());
        }
        let mut next = self.clone();
        next.length += 1;
        next.missed += passed(parent, block);
        next.finality.push(block.number, &[author]).map_err(sentence)?;
        let rank = (next.length, Reverse(next.missed), Reverse(block.id()));
        Ok((next, rank))
    }

    fn turn(
        &self,
        head: &Block,
        me: ValidatorId,
        signed: Option<u64>,
        now: Duration,
    ) -> Option<Duration> {
        let index = self.ids.iter().position(|id| *id == me)? as u64;
        let count = self.ids.len() as u64;
        let after = step(head.time).max(signed.unwrap_or(0)) + 1;
        let first = after.max(now.as_secs() / STEP);
        let own = first + (index + count - first % count) % count;
        Some(Duration::from_secs(own * STEP).max(now))
    }

    fn finalized(&self) -> Option<u64> {
        self.finality.finalized()
    }

    fn latest(_: &Block, now: Duration) -> u64 {
        now.as_secs() / STEP
    }

    fn describe(&self, parent: &Block, block: &Block, author: usize) -> String {
        let passed = passed(parent, block);
        format!(
            "step {}: block {} of validator {author}, {passed} steps after its parent",
            step(block.time),
            block.number
        )
    }

    fn explain(
        &self,
        parent: &Block,
        block: &Block,
        is_silent: &dyn Fn(usize) -> bool,
    ) -> Vec<String> {
        let count = self.ids.len() as u64;
        let line = |step: u64| {
            let index = (step % count) as usize;
            let end = if is_silent(index) { ", which is silent" } else { "" };
            format!("step {step} mod {count} = validator {index}{end}")
        };
        let first = (step(parent.time) + 1).max(step(block.time).saturating_sub(count));
        (first..=step(block.time)).map(line).collect()
    }
}
