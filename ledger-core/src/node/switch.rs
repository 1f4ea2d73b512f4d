//! Changing over to a better branch: undo to the fork, execute the new blocks, then keep them or restore the old ones.
//!
//! ```text
//! journal   | blocks below the fork | blocks taken back | blocks under trial |
//!           0                    fork               redo_end              journal_len
//! ```
//! The writes of the blocks taken back stay where they are, so that they can be made again.

use super::slots::{Status, Tree};
use super::{Node, NodeStorage, Outcome};
use crate::block::{Body, SealedHeader};
use crate::branch::{BlockError, Branch};
use crate::engine::{Engine, Refused};
use crate::execute::{Target, execute};
use crate::hash::BlockId;
use crate::ledger::Ledger;
use crate::state::{Effects, Journal, Store as _, TrieMut};

/// A branch under trial.
#[derive(Debug, Clone)]
pub(crate) struct Switch<E> {
    pub(crate) target: usize, // the last block of the branch, in the tree
    trial: Branch<E>,
    fork: usize,     // position in the journal
    redo_end: usize, // position in the journal
    disconnected: u32,
    connected: u32,
}

impl<E: Engine, L: Ledger, S: NodeStorage + ?Sized> Node<E, L, S> {
    /// Executes the next block of the best branch.
    pub(super) fn connect(
        &mut self,
        now: u64,
        sealed: &SealedHeader<'_>,
        id: BlockId,
        body: &Body<'_>,
    ) -> Result<Outcome, Refused<BlockError<E::Error>>> {
        let Some(at) = self.tree().find(&id) else { return Ok(Outcome::NotNeeded) };
        let mut switch = match self.switch.take() {
            Some(switch) => switch,
            None => self.begin(at),
        };
        // The engine on this branch knows now what all blocks before have put before it, and these bytes may have
        // another proof than the header had.
        let checked = switch.trial.check(&sealed.header, sealed.proof, now);
        let weight = match checked {
            Ok(weight) => weight,
            Err(refused) => {
                self.switch = Some(switch);
                self.restore_if_idle();
                return Err(refused);
            }
        };
        let start = self.journal_len;
        match self.execute(sealed, body) {
            Ok(effects) => {
                let writes = self.journal_len.saturating_sub(start);
                switch.trial.apply(&sealed.header, id, weight, &effects);
                switch.connected = switch.connected.saturating_add(1);
                Tree::new(self.storage.parts().headers).set(at, Status::Trial, writes, effects);
                if at == switch.target {
                    return Ok(self.commit(switch));
                }
                self.switch = Some(switch);
                Ok(Outcome::Pending)
            }
            Err(refused) => {
                self.switch = Some(switch);
                self.restore();
                let status = match refused {
                    Refused::Invalid(_) => Status::Invalid,
                    _ => Status::Parked,
                };
                Tree::new(self.storage.parts().headers).condemn(at, status);
                Err(refused)
            }
        }
    }

    /// Takes the blocks back that are not on the way to the best block.
    fn begin(&mut self, next: usize) -> Switch<E> {
        let target = self.best().unwrap_or(next);
        let tree = self.tree();
        let fork = tree.fork(target);
        let trial = match fork {
            Some(fork) if tree.id(fork) == self.tip.tip.id => self.tip.clone(),
            Some(fork) => self.branch_at(fork),
            None => self.root.clone(),
        };
        let mut back = 0_usize;
        let mut disconnected = 0_u32;
        let mut at = tree.find(&self.tip.tip.id);
        while let Some(index) = at.filter(|at| Some(*at) != fork) {
            back = back.saturating_add(tree.writes(index));
            disconnected = disconnected.saturating_add(1);
            at = tree.parent(index);
        }
        let redo_end = self.journal_len;
        let fork = redo_end.saturating_sub(back);
        let parts = self.storage.parts();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries };
        Journal::new(parts.journal, redo_end).swap_back(fork, redo_end, &mut trie);
        Switch { target, trial, fork, redo_end, disconnected, connected: 0 }
    }

    fn execute(
        &mut self,
        sealed: &SealedHeader<'_>,
        body: &Body<'_>,
    ) -> Result<Effects, Refused<BlockError<E::Error>>> {
        let genesis = self.root.genesis;
        let start = self.journal_len;
        let parts = self.storage.parts();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries };
        let mut journal = Journal::new(parts.journal, start);
        let mut target = Target { store: &mut trie, journal: Some(&mut journal) };
        let bytes = body.as_bytes();
        let executed =
            execute(genesis, &sealed.header, &self.ledger, &self.rules, &mut target, bytes);
        if executed.is_err() {
            journal.undo(start, &mut trie);
        }
        self.journal_len = journal.len();
        executed
    }

    /// Makes the branch under trial the chain.
    fn commit(&mut self, switch: Switch<E>) -> Outcome {
        let parts = self.storage.parts();
        let len = self.journal_len;
        let mut journal = Journal::new(parts.journal, len);
        journal.remove(switch.fork, switch.redo_end);
        self.journal_len = journal.len();
        let taken_back = self.tip.tip.id;
        self.tip = switch.trial;
        self.deactivate(taken_back, switch.disconnected);
        Tree::new(self.storage.parts().headers).replace_status(Status::Trial, Status::Active);
        self.prune();
        Outcome::Connected {
            tip: self.tip.tip,
            disconnected: switch.disconnected,
            connected: switch.connected,
        }
    }

    /// Turns blocks that were taken back into headers again.
    fn deactivate(&mut self, end: BlockId, count: u32) {
        let mut tree = Tree::new(self.storage.parts().headers);
        let mut at = tree.as_ref().find(&end);
        for _ in 0..count {
            let Some(index) = at else { return };
            at = tree.as_ref().parent(index);
            tree.set(index, Status::Header, 0, Effects::NONE);
        }
    }

    /// Restores the old branch if one is under trial.
    pub(super) fn restore(&mut self) {
        let Some(switch) = self.switch.take() else { return };
        let parts = self.storage.parts();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries };
        let mut journal = Journal::new(parts.journal, self.journal_len);
        journal.undo(switch.redo_end, &mut trie);
        journal.redo(switch.fork, switch.redo_end, &mut trie);
        self.journal_len = journal.len();
        trie.root();
        Tree::new(parts.headers).replace_status(Status::Trial, Status::Header);
    }

    /// Restores the old branch if no block of the new one is executed.
    fn restore_if_idle(&mut self) {
        if self.switch.as_ref().is_some_and(|switch| switch.connected == 0) {
            self.restore();
        }
    }

    /// Moves the root up until no more blocks can be taken back than the configuration and the engine allow.
    fn prune(&mut self) {
        let depth = u64::from(self.config.max_depth);
        let lowest = self.tip.tip.height.0.saturating_sub(depth);
        let finalized = self.tip.engine.finalized().map_or(0, |height| height.0);
        let lowest = lowest.max(finalized.min(self.tip.tip.height.0));
        while self.root.tip.height.0 < lowest {
            let tree = self.tree();
            let end = tree.find(&self.tip.tip.id);
            let Some(next) = end.and_then(|end| tree.ancestor_after(end, &self.root.tip.id)) else {
                return;
            };
            let writes = tree.writes(next);
            let mut root = self.root.clone();
            tree.apply(next, &mut root);
            self.root = root;
            let parts = self.storage.parts();
            let mut journal = Journal::new(parts.journal, self.journal_len);
            journal.remove(0, writes);
            self.journal_len = journal.len();
            Tree::new(parts.headers).advance_root(next);
        }
    }
}
