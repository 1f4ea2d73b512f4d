//! The state of a node besides its slots, and what its parts share. The logic is compiled once for all storages.

use core::cmp::Ordering;
use core::time::Duration;

use super::config::{NodeConfig, writes_of};
use super::event::Event;
use super::history::History;
use super::recent::RecentEngine;
use super::slot::Status;
use super::start::Start;
use super::storage::NodeParts;
use super::tree::{Tree, TreeRef, TreeRoot};
use crate::body_tree::BodyTree;
use crate::branch::{BlockError, Branch, HeaderBranch};
use crate::conn::ConnId;
use crate::engine::{Engine, Refused, Weight};
use crate::execute::Execution;
use crate::groups::GroupHasher;
use crate::hash::BlockId;
use crate::header::Header;
use crate::ledger::Ledger;
use crate::merkle::MerkleTree;
use crate::propose::Proposal;
use crate::spec::Rules;
use crate::state::{Journal, TrieMut, TrieRoot};

/// Everything but the storage and the ledger.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inner<E: Engine> {
    pub(super) rules: Rules,
    pub(super) config: NodeConfig,
    pub(super) now: Duration,
    pub(super) root: Branch<E>, // below all headers in the tree
    pub(super) root_header: Option<Header>, // unless the root is block 0
    pub(super) history: History, // of the ids up to the root
    pub(super) tip: Branch<E>,  // all its blocks are saved
    pub(super) tip_at: Option<usize>,
    pub(super) best: Option<usize>, // better than the tip and all others
    pub(super) tree: TreeRoot,
    pub(super) trie: TrieRoot,
    pub(super) journal_start: usize, // what lies before is final, and overwritten when room is needed
    pub(super) journal_len: usize,
    pub(super) switch: Option<Switch<E>>,
    pub(super) check: Option<Check>,
    pub(super) hashed: BodyTree, // of the body that is being hashed
    pub(super) report: Option<Event<E::Error>>,
    pub(super) asked: Option<Asked>,
    pub(super) rest: Option<Rest>, // of branches that were given up
    pub(super) reported: Option<usize>, // the tip that the events led to
    pub(super) confirmed: u64,     // the height of the last block reported as confirmed
    pub(super) recent: RecentEngine<E>,
}

/// A branch under trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Switch<E> {
    pub(super) target: usize,      // the last block of the branch
    pub(super) end: Option<usize>, // the last block that is executed
    pub(super) trial: Branch<E>,
    pub(super) fork: usize,     // position in the journal
    pub(super) redo_end: usize, // position in the journal
    pub(super) disconnected: u32,
}

/// A block that is being validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) block: Delivered,
    pub(super) stage: Stage,
}

/// A block in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) at: usize,
    pub(super) conn: ConnId,
    pub(super) len: usize,
    pub(super) body: usize, // where its body begins
}

/// How far a validation has come.
#[expect(clippy::large_enum_variant, reason = "there is one, and no heap to put it on")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Hashing the body, which may be another than the header's.
    Hash(Hashing),
    /// Executing it.
    Execute(Executing),
}

/// The transactions hashed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashing {
    pub(super) count: u32,
    pub(super) offset: usize,
}

/// The transactions executed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Executing {
    pub(super) execution: Execution,
    pub(super) start: usize, // in the journal
    pub(super) weight: Weight,
}

/// The body that the driver was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) id: BlockId,
    pub(super) at: Duration,
}

/// The time in which branches that were given up are not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) since: Duration,
    pub(super) is_offered: bool, // a header of one of them was received meanwhile
}

impl Rest {
    /// Returns when it is over, or `None` at the end of time.
    pub(super) fn end(&self, config: &NodeConfig) -> Option<Duration> {
        let interval = config.retry_interval;
        let shorter = interval.checked_div(16).unwrap_or(interval);
        self.since.checked_add(if self.is_offered { shorter } else { interval })
    }
}

/// A node with its storage and ledger.
pub(super) struct InnerMut<'a, E: Engine> {
    pub(super) inner: &'a mut Inner<E>,
    pub(super) parts: NodeParts<'a>,
    pub(super) hasher: GroupHasher<'a>,
    pub(super) ledger: &'a dyn Ledger,
}

impl<E: Engine> Inner<E> {
    /// Returns a node whose chain ends in its root. `engine` is as it was there.
    #[inline(never)] // builds the node where the caller wants it
    pub(super) fn new(rules: &Rules, config: &NodeConfig, engine: &E, start: &Start<'_>) -> Self {
        // In the order of the fields: only then the compiler builds each of them in its place.
        Self {
            rules: *rules,
            config: *config,
            now: Duration::ZERO,
            root: start.branch(engine),
            root_header: start.header(),
            history: History::new(start),
            tip: start.branch(engine),
            tip_at: None,
            best: None,
            tree: start.tree,
            trie: start.trie,
            journal_start: 0,
            journal_len: 0,
            switch: None,
            check: None,
            hashed: BodyTree::new(),
            report: None,
            asked: None,
            rest: None,
            reported: None,
            confirmed: start.tip.height.0,
            recent: RecentEngine::unknown(engine),
        }
    }

    /// Returns the branch that ends in the root.
    pub(super) fn root_branch(&self) -> HeaderBranch<E> {
        let mut history = self.history.before.clone();
        history.push(MerkleTree::leaf(self.root.tip.id.as_bytes()));
        HeaderBranch { end: self.root.clone(), history }
    }

    /// Returns the last block of the branch to be executed next.
    pub(super) fn target(&self, tree: TreeRef<'_>) -> Option<usize> {
        let Some(switch) = &self.switch else { return self.best };
        if switch.end != Some(switch.target) {
            return Some(switch.target);
        }
        self.best.filter(|best| tree.is_ancestor(switch.target, *best))
    }

    /// Returns the block whose body is executed next.
    pub(super) fn next_body(&self, tree: TreeRef<'_>, journal: usize) -> Option<usize> {
        if self.check.is_some() || self.report.is_some() || !self.has_room(journal) {
            return None;
        }
        self.next_to_execute(tree)
    }

    /// Returns the first block that is not executed on the way to the target.
    pub(super) fn next_to_execute(&self, tree: TreeRef<'_>) -> Option<usize> {
        tree.next_to_execute(self.root.tip.height.0, self.target(tree)?)
    }

    /// Returns whether the journal has room for the writes of a block.
    pub(super) fn has_room(&self, journal: usize) -> bool {
        let used = self.journal_len.saturating_sub(self.journal_start);
        used.saturating_add(writes_of(&self.rules)) <= journal
    }

    /// Returns where the writes of the block that is being executed begin in the journal, or where the next begin.
    pub(super) fn executed_end(&self) -> usize {
        match &self.check {
            Some(Check { stage: Stage::Execute(executing), .. }) => executing.start,
            _ => self.journal_len,
        }
    }

    /// Returns whether a block is executed in part.
    pub(super) fn is_executing(&self) -> bool {
        matches!(&self.check, Some(Check { stage: Stage::Execute(_), .. }))
    }

    /// Moves the positions in the journal down after writes were removed below them.
    pub(super) fn shift_journal(&mut self, removed: usize) {
        if let Some(switch) = &mut self.switch {
            switch.fork = switch.fork.saturating_sub(removed);
            switch.redo_end = switch.redo_end.saturating_sub(removed);
        }
        if let Some(Check { stage: Stage::Execute(executing), .. }) = &mut self.check {
            executing.start = executing.start.saturating_sub(removed);
        }
    }

    /// Returns the height of the newest block that may become final.
    pub(super) fn final_height(&self) -> u64 {
        let tip = self.tip.tip.height.0;
        let lowest = tip.saturating_sub(u64::from(self.config.max_depth));
        let finalized = self.tip.engine.finalized().map_or(0, |height| height.0);
        lowest.max(finalized.min(tip))
    }

    /// Returns whether there are blocks to be made final. While blocks are taken back, or may be, none is.
    pub(super) fn can_finalize(&self) -> bool {
        let goes_on = match &self.switch {
            Some(switch) => switch.disconnected == 0,
            None => self.check.is_none(),
        };
        goes_on && self.root.tip.height.0 < self.final_height()
    }
}

impl<E: Engine> InnerMut<'_, E> {
    pub(super) fn tree(&self) -> TreeRef<'_> {
        TreeRef::new(&self.inner.tree, self.parts.headers)
    }

    pub(super) fn tree_mut(&mut self) -> Tree<'_> {
        Tree::new(&mut self.inner.tree, self.parts.headers)
    }

    pub(super) fn next_body(&self) -> Option<usize> {
        self.inner.next_body(self.tree(), self.parts.journal.len())
    }

    /// Calls `f` with the state and the journal, and stores the new length of the journal.
    pub(super) fn with_state<T>(
        &mut self,
        f: impl FnOnce(&mut TrieMut<'_>, &mut Journal<'_>) -> T,
    ) -> T {
        let hasher = self.hasher.reborrow();
        let mut trie = TrieMut { root: &mut self.inner.trie, slots: self.parts.entries, hasher };
        let mut journal = Journal::new(self.parts.journal, self.inner.journal_len);
        let result = f(&mut trie, &mut journal);
        self.inner.journal_len = journal.len();
        result
    }

    /// Returns the header of a block that continues the tip, whose state is the present one.
    pub(super) fn propose(
        &mut self,
        proposal: &Proposal<'_>,
    ) -> Result<Header, Refused<BlockError<E::Error>>> {
        self.make_room();
        let hasher = self.hasher.reborrow();
        let mut trie = TrieMut { root: &mut self.inner.trie, slots: self.parts.entries, hasher };
        let mut journal = Journal::new(self.parts.journal, self.inner.journal_len);
        let rules = &self.inner.rules;
        let headers = TreeRef::new(&self.inner.tree, self.parts.headers);
        let history = headers.history_root(&self.inner.history, self.inner.tip_at);
        proposal.header(&self.inner.tip, history, rules, self.ledger, &mut trie, &mut journal)
    }

    /// Compares a header, which was just inserted or changed, with the best one.
    pub(super) fn consider(&mut self, at: usize) {
        let tree = self.tree();
        if !matches!(tree.status(at), Status::Header | Status::Trial) {
            return;
        }
        let known = self.inner.best.map_or(self.inner.tip.tip, |best| tree.tip(best));
        if self.inner.root.engine.prefer(&known, &tree.tip(at)) == Ordering::Less {
            self.inner.best = Some(at);
        }
    }

    /// Looks for the best header again: better than the tip and all others, among equals the one that came first.
    pub(super) fn find_best(&mut self) {
        let tree = self.tree();
        let mut best = None;
        let mut best_tip = self.inner.tip.tip;
        for at in tree.candidates() {
            let tip = tree.tip(at);
            let order = self.inner.root.engine.prefer(&best_tip, &tip);
            let arrival = tree.slot(at).arrival;
            let earlier = best.is_some_and(|best| arrival < tree.slot(best).arrival);
            if order == Ordering::Less || (order == Ordering::Equal && earlier) {
                best = Some(at);
                best_tip = tip;
            }
        }
        self.inner.best = best;
    }

    /// Moves the journal down over the blocks that are final, if the next block needs their room.
    pub(super) fn make_room(&mut self) {
        let needed = self.inner.journal_len.saturating_add(writes_of(&self.inner.rules));
        let start = self.inner.journal_start;
        if needed <= self.parts.journal.len() || start == 0 {
            return;
        }
        self.with_state(|_, journal| journal.remove(0, start));
        self.inner.journal_start = 0;
        self.inner.shift_journal(start);
    }
}
