//! Changing over to a better branch: undo to the fork, execute the new blocks, then keep them or restore the old ones.
//!
//! ```text
//! journal   | final | blocks below the fork | blocks taken back | blocks under trial |
//!           0     start                   fork               redo_end          journal_len
//! ```
//! The writes of the blocks taken back stay where they are, so that they can be made again. A block that continues the
//! tip is a branch under trial as well, with nothing to take back.

use core::cmp::Ordering;

use super::inner::{InnerMut, Rest, Switch};
use super::slot::Status;
use super::tree::TreeRef;
use crate::branch::copy;
use crate::engine::{Engine, Tip};
use crate::hash::BlockId;
use crate::state::{Effects, Store as _};

impl<E: Engine> InnerMut<'_, E> {
    /// Takes the blocks back that are not on the way to `target`, unless the branch under trial is on the way.
    #[inline(never)] // the new branch does not stand on the stack while the header is checked
    pub(super) fn begin_trial(&mut self, target: usize) {
        if let Some(switch) = &mut self.inner.switch {
            switch.target = target;
            return;
        }
        let tree = self.tree();
        let fork_at = tree.fork(self.inner.root.tip.height.0, target);
        let mut back = 0_usize;
        let mut disconnected = 0_u32;
        for at in tree.path(self.inner.tip_at).take_while(|at| Some(*at) != fork_at) {
            back = back.saturating_add(tree.slot(at).writes);
            disconnected = disconnected.saturating_add(1);
        }
        let redo_end = self.inner.journal_len;
        let fork = redo_end.saturating_sub(back);
        self.with_state(|trie, journal| journal.swap_back(fork, redo_end, trie));
        let trial = self.inner.tip.clone();
        self.inner.switch = Some(Switch { target, end: None, trial, fork, redo_end, disconnected });
        if fork_at != self.inner.tip_at {
            self.rewind_trial(fork_at);
        }
    }

    /// Moves the branch under trial from the tip back to the block where it forks off. `None` stands for the root.
    fn rewind_trial(&mut self, fork_at: Option<usize>) {
        let inner = &mut *self.inner;
        let Some(switch) = &mut inner.switch else { return };
        copy(&mut switch.trial, &inner.root);
        if let Some(fork_at) = fork_at {
            let tree = TreeRef::new(&inner.tree, self.parts.headers);
            tree.move_branch(&mut switch.trial, &inner.root.times, fork_at);
        }
    }

    /// Records that the next block of the branch is executed.
    pub(super) fn complete(&mut self, at: usize, tip: &Tip, writes: usize, effects: &Effects) {
        if self.tree().slot(at).effects != *effects {
            // The engine was replayed without them.
            self.inner.recent.at = None;
        }
        self.tree_mut().set_executed(at, tip, writes, effects);
        if let Some(switch) = &mut self.inner.switch {
            switch.end = Some(at);
        }
        self.commit_saved();
    }

    /// Records that a block is stored durably.
    pub(super) fn saved(&mut self, id: &BlockId) {
        let Some(at) = self.tree().find(id) else { return };
        self.tree_mut().change(at, |slot| {
            slot.saved = true;
            slot.keep_due = false;
        });
        self.commit_saved();
    }

    /// Makes the part of the branch under trial that is saved the chain, if it is better than the chain.
    pub(super) fn commit_saved(&mut self) {
        let Some(switch) = &self.inner.switch else { return };
        let tree = self.tree();
        let mut last = switch.end;
        let trial = |at: &usize| tree.status(*at) == Status::Trial;
        for at in tree.path(switch.end).take_while(trial) {
            if !tree.slot(at).saved {
                last = tree.parent(at);
            }
        }
        let Some(last) = last.filter(trial) else { return };
        let order = self.inner.root.engine.prefer(&self.inner.tip.tip, &tree.tip(last));
        if order == Ordering::Less {
            self.commit(last);
        } else if last == switch.target {
            // Executed, it weighs less than its headers promised.
            self.restore();
            self.find_best();
        }
    }

    /// Makes the branch under trial up to `last` the chain.
    #[inline(never)]
    fn commit(&mut self, last: usize) {
        let Some(switch) = &self.inner.switch else { return };
        let fork = switch.fork;
        let redo_end = switch.redo_end;
        let disconnected = switch.disconnected;
        let end = switch.end.filter(|end| *end != last);
        self.with_state(|_, journal| journal.remove(fork, redo_end));
        self.inner.shift_journal(redo_end.saturating_sub(fork));
        let old = self.inner.tip_at;
        self.tree_mut().unexecute(old, Status::Active, disconnected);
        self.activate(last);
        let goes_on = end.is_some() || self.inner.is_executing();
        match &self.inner.switch {
            Some(switch) if end.is_none() => {
                copy(&mut self.inner.tip, &switch.trial);
                self.inner.tip_at = Some(last);
            }
            _ => self.move_tip(last),
        }
        if goes_on {
            let tree = self.tree();
            let rest = tree.path(end).take_while(|at| *at != last);
            let writes: usize = rest.map(|at| tree.slot(at).writes).sum();
            let fork = self.inner.executed_end().saturating_sub(writes);
            if let Some(switch) = &mut self.inner.switch {
                switch.end = end;
                switch.fork = fork;
                switch.redo_end = fork;
                switch.disconnected = 0;
            }
        } else {
            self.inner.switch = None;
        }
        self.forget_worse_best();
    }

    /// Turns the blocks under trial up to `last` into blocks of the chain.
    fn activate(&mut self, last: usize) {
        let mut at = Some(last);
        while let Some(index) = at.filter(|at| self.tree().status(*at) == Status::Trial) {
            self.tree_mut().change(index, |slot| slot.status = Status::Active);
            at = self.tree().parent(index);
        }
    }

    /// The best header was the best of all. If it is not better than the new tip, none is.
    fn forget_worse_best(&mut self) {
        let Some(best) = self.inner.best else { return };
        let tip = self.tree().tip(best);
        if self.inner.root.engine.prefer(&self.inner.tip.tip, &tip) != Ordering::Less {
            self.inner.best = None;
        }
    }

    /// Restores the old branch if one is under trial.
    #[inline(never)]
    pub(super) fn restore(&mut self) {
        self.inner.check = None;
        let Some(switch) = self.inner.switch.take() else { return };
        self.with_state(|trie, journal| {
            journal.undo(switch.redo_end, trie);
            journal.redo(switch.fork, switch.redo_end, trie);
            trie.root();
        });
        self.tree_mut().unexecute(switch.end, Status::Trial, u32::MAX);
    }

    /// Restores the old branch if no block of the new one is executed.
    pub(super) fn restore_if_idle(&mut self) {
        if self.inner.switch.as_ref().is_some_and(|switch| switch.end.is_none()) {
            self.restore();
        }
    }

    /// Gives up the branch that is to be executed, from its first missing body on, and returns that block.
    #[inline(never)]
    pub(super) fn give_up(&mut self) -> Option<BlockId> {
        self.inner.asked = None;
        let tree = self.tree();
        let first = self.inner.next_to_execute(tree)?;
        let id = tree.id(first);
        self.restore();
        self.tree_mut().set_status(first, &[Status::Header], Status::Parked);
        self.find_best();
        Some(id)
    }

    /// Gives up the branch whose next body is missing, and tries it again later.
    pub(super) fn give_up_for_now(&mut self) -> Option<BlockId> {
        let id = self.give_up()?;
        let rest = Rest { since: self.inner.now, is_offered: false };
        self.inner.rest = self.inner.rest.or(Some(rest));
        Some(id)
    }

    /// A peer has sent a header: if its branch was given up, that peer may have the missing body.
    pub(super) fn offered(&mut self, at: usize) {
        if self.tree().status(at) == Status::Parked
            && let Some(rest) = &mut self.inner.rest
        {
            rest.is_offered = true;
        }
    }

    /// Tries all branches again that were given up.
    pub(super) fn retry(&mut self) {
        self.inner.rest = None;
        self.tree_mut().unpark_all();
        self.find_best();
    }
}
