//! Clique beside the rules of EIP-225 as they are written.

use std::collections::{BTreeMap, BTreeSet};

use consensus::clique::{
    CandidateSlot, Clique, CliqueBlock, CliqueConfig, CliqueSlots, CliqueVote, RecentSlot,
    SignerSlot,
};
use consensus::{Turn, ValidatorId};
use sim::laws::Input;

pub(crate) type Storage = CliqueSlots<Vec<SignerSlot>, Vec<RecentSlot>, Vec<CandidateSlot>>;

pub(crate) fn storage(signers: usize, votes: usize) -> Storage {
    CliqueSlots {
        signers: vec![SignerSlot::EMPTY; signers],
        recents: vec![RecentSlot::EMPTY; signers / 2 + 1],
        votes: vec![CandidateSlot::EMPTY; votes],
    }
}

pub(crate) fn config(epoch: u64) -> CliqueConfig {
    let mut config = CliqueConfig::new();
    config.epoch = epoch;
    config.votes_per_signer = 8;
    config
}

/// The rules of EIP-225 as they are written, with maps and lists that grow.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    epoch: u64,
    pub(crate) signers: BTreeSet<ValidatorId>,
    recents: BTreeMap<u64, ValidatorId>,
    votes: Vec<(ValidatorId, ValidatorId, bool)>,
}

impl Model {
    pub(crate) fn new(epoch: u64, signers: &[ValidatorId]) -> Self {
        let signers = signers.iter().copied().collect();
        Self { epoch, signers, recents: BTreeMap::new(), votes: Vec::new() }
    }

    fn limit(&self) -> u64 {
        self.signers.len() as u64 / 2 + 1
    }

    fn forget(&mut self, number: u64) {
        if let Some(old) = number.checked_sub(self.limit()) {
            self.recents.remove(&old);
        }
    }

    pub(crate) fn apply(&mut self, block: &CliqueBlock) -> Result<Turn, &'static str> {
        let CliqueBlock { number, signer, vote } = *block;
        let is_checkpoint = number.is_multiple_of(self.epoch);
        let mut next = self.clone();
        next.forget(number);
        if !next.signers.contains(&signer) {
            return Err("unauthorized");
        }
        if next.recents.values().any(|recent| *recent == signer) {
            return Err("recently signed");
        }
        if is_checkpoint && vote.is_some() {
            return Err("vote at checkpoint");
        }
        let index = next.signers.iter().position(|id| *id == signer).expect("it is one") as u64;
        let in_turn = number % next.signers.len() as u64 == index;
        if is_checkpoint {
            next.votes.clear();
        }
        next.recents.insert(number, signer);
        if let Some(CliqueVote { target, authorize }) = vote {
            next.votes.retain(|(by, about, _)| (*by, *about) != (signer, target));
            if authorize != next.signers.contains(&target) {
                next.votes.push((signer, target, authorize));
            }
            // Any vote on the target decides, even one that is not counted: by the kind of those that are.
            let mut tally = next.votes.iter().filter(|(_, about, _)| *about == target);
            let counted = tally.clone().count();
            let adds = tally.next().is_some_and(|(.., authorize)| *authorize);
            if counted > next.signers.len() / 2 {
                if adds {
                    next.signers.insert(target);
                } else {
                    next.signers.remove(&target);
                    next.forget(number);
                    next.votes.retain(|(by, ..)| *by != target);
                }
                next.votes.retain(|(_, about, _)| *about != target);
            }
        }
        *self = next;
        Ok(if in_turn { Turn::In } else { Turn::Out })
    }
}

/// Blocks and votes in any order: the same verdicts and authorities as the model, and a refused block changes nothing.
pub fn clique(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let people: Vec<_> = (1..=6).map(|n| ValidatorId([n; 32])).collect();
    let count = 1 + input.below(5);
    let epoch = [1, 2, 7, 1000][input.below(4)];
    let mut model = Model::new(epoch, &people[..count]);
    let mut clique = Clique::new(config(epoch), &people[..count], storage(6, 48)).expect("valid");
    let mut number = 1;
    while !input.is_empty() && number < 200 {
        let vote = (input.below(3) > 0)
            .then(|| CliqueVote { target: people[input.below(6)], authorize: input.below(2) == 0 });
        let block = CliqueBlock { number, signer: people[input.below(6)], vote };
        let before = clique.clone();
        let wrong = CliqueBlock { number: number ^ (1 << input.below(64)), ..block };
        assert!(clique.apply(&wrong).is_err(), "another number");
        let found = clique.apply(&block);
        assert_eq!(found.ok(), model.apply(&block).ok(), "{block:?} after {before:?}");
        assert_eq!(before.check(&block), found);
        if found.is_ok() {
            number += 1;
        } else {
            assert_eq!(clique, before, "refused: unchanged");
        }
        assert!(clique.signers().eq(model.signers.iter().copied()));
    }
}
