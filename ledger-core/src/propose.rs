//! A new block: its transactions are executed for the state root, then undone.

use crate::block::Body;
use crate::branch::{BlockError, Branch};
use crate::engine::{Ancestry as _, Engine, Refused};
use crate::execute::{Execution, Target};
use crate::hash::{GenesisId, Hash};
use crate::header::{Claim, Header, Height};
use crate::ledger::Ledger;
use crate::policy::Account;
use crate::spec::Rules;
use crate::state::{Journal, Store as _, TrieMut};

/// What the author of a block chooses.
pub(crate) struct Proposal<'a> {
    pub(crate) now: u64, // Unix seconds
    pub(crate) author: &'a Account,
    pub(crate) body: &'a Body<'a>,
    pub(crate) claim: &'a Claim,
}

impl Proposal<'_> {
    /// Returns the header of the next block of a branch, whose state `trie` is. `history` is the root over the ids up to its
    /// tip.
    pub(crate) fn header<E: Engine>(
        &self,
        branch: &Branch<E>,
        history: Hash,
        rules: &Rules,
        ledger: &dyn Ledger,
        trie: &mut TrieMut<'_>,
        journal: &mut Journal<'_>,
    ) -> Result<Header, Refused<BlockError<E::Error>>> {
        let median = branch.median_time();
        if self.now <= median {
            return Err(Refused::NotYet { at: median.saturating_add(1) });
        }
        let height = branch.next_height();
        let state = self.state_after(&branch.genesis, height, rules, ledger, trie, journal)?;
        Ok(Header {
            height,
            parent: branch.tip.id,
            body_size: self.body.len(),
            body_root: self.body.head_by(trie.hasher.reborrow()).root,
            state,
            history,
            time: self.now,
            author: *self.author,
            claim: *self.claim,
        })
    }

    /// Executes the body, takes the root, and undoes everything.
    #[inline(never)] // what it needs does not stand on the stack while the body is hashed
    fn state_after<X>(
        &self,
        genesis: &GenesisId,
        height: Height,
        rules: &Rules,
        ledger: &dyn Ledger,
        trie: &mut TrieMut<'_>,
        journal: &mut Journal<'_>,
    ) -> Result<Hash, Refused<BlockError<X>>> {
        let start = journal.len();
        let mut target = Target { store: trie, journal: Some(journal) };
        let mut run = || {
            let size = self.body.len();
            let books = target.books()?;
            let mut execution = Execution::new(genesis, height, self.author, size, books);
            execution.complete(ledger, rules, &mut target, self.body.as_bytes())
        };
        let executed = run();
        let root = trie.root();
        journal.undo(start, trie);
        trie.root();
        executed?;
        Ok(root)
    }
}
