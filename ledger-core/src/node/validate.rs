//! Validation in slices: a body is hashed, then executed, some transactions at a time.

use core::time::Duration;

use super::event::{Accepted, Event, Progress};
use super::inner::{Check, Delivered, Executing, Hashing, InnerMut, Stage};
use super::slot::Status;
use super::tree::TreeRef;
use crate::block::SealedHeader;
use crate::branch::BlockError;
use crate::conn::ConnId;
use crate::engine::{Engine, Refused, Weight};
use crate::error::DecodeError;
use crate::execute::{ExecuteError, Execution, Target, check_state};
use crate::hash::BlockId;
use crate::state::{Books, Journal, Store as _, TrieMut};

/// Transactions that are hashed for one unit of work. Checking a signature takes about as long.
const HASHED_PER_UNIT: u32 = 16;

/// How a slice of a validation ended.
enum Slice<X> {
    /// There is more to do; it cost this much.
    More(u32),
    /// The block is valid and executed.
    Done,
    /// Another branch is better now.
    NotNeeded,
    /// It is not valid: these bytes, or the block whatever its bytes.
    Bytes(BlockError<X>),
    Block(BlockError<X>),
    /// This node has no room for it, or it is too early.
    Unable,
}

impl<E: Engine> InnerMut<'_, E> {
    /// Handles a block: the header, and the body if it is the one needed next.
    pub(super) fn accept_block(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let len = bytes.len();
        let limit = usize::try_from(self.inner.rules.max_block_len).unwrap_or(usize::MAX);
        if len > limit {
            return Err(Refused::Invalid(BlockError::TooLong { len, limit }));
        }
        let decoded = SealedHeader::decode(bytes);
        let (sealed, body) = decoded.as_ref().map_err(|error| *error)?;
        let body = len.saturating_sub(body.len());
        let mut accepted = self.accept_header(now, conn, sealed);
        if let Ok(accepted) = &mut accepted
            && let Accepted::Header { id } = *accepted
            && self.accept_body(conn, &id, bytes, body)
        {
            *accepted = Accepted::Body { id };
        }
        accepted
    }

    /// Copies a block whose header is in the tree, if its body, which begins at `body`, is the one needed next.
    #[inline(never)] // what it needs does not stand on the stack while the header is checked
    fn accept_body(&mut self, conn: ConnId, id: &BlockId, bytes: &[u8], body: usize) -> bool {
        let len = bytes.len();
        let Some(at) = self.tree().find(id) else { return false };
        self.unpark(at);
        let place = self.parts.block.get_mut(..len);
        let needed = self.inner.next_body(
            TreeRef::new(&self.inner.tree, self.parts.headers),
            self.parts.journal.len(),
        );
        let Some(place) = place.filter(|_| needed == Some(at)) else { return false };
        place.copy_from_slice(bytes);
        let block = Delivered { at, conn, len, body };
        let stage = Stage::Hash(Hashing { count: 0, offset: body });
        self.inner.hashed.clear();
        self.inner.check = Some(Check { block, stage });
        self.inner.asked = None;
        true
    }

    /// Tries a branch again that was given up because of this block.
    fn unpark(&mut self, at: usize) {
        let tree = self.tree();
        let is_parked = |at: usize| tree.status(at) == Status::Parked;
        if is_parked(at) && !tree.parent(at).is_some_and(is_parked) {
            self.tree_mut().set_status(at, &[Status::Parked], Status::Header);
            self.find_best();
        }
    }

    /// Validates until the budget is used up or there is nothing to do.
    pub(super) fn work(&mut self, budget: u32) -> Progress {
        let mut left = budget;
        loop {
            // A header that proves invalid is reported, which takes the place of the report.
            let can_report = self.inner.report.is_none();
            let orphan = if can_report { self.ready_orphan() } else { None };
            let is_stuck = self.is_stuck();
            if self.inner.check.is_none() && orphan.is_none() && !is_stuck {
                return Progress::Idle;
            }
            if left == 0 {
                return Progress::Pending;
            }
            let block = self.inner.check.as_ref().map(|check| check.block);
            let cost = match (block, orphan) {
                (Some(block), _) => self.validate(block, left),
                (None, Some(orphan)) => {
                    self.attach_orphan(orphan);
                    1
                }
                (None, None) => {
                    self.inner.report = self.give_up().map(|id| Event::Abandoned { id });
                    1
                }
            };
            left = left.saturating_sub(cost);
        }
    }

    /// Returns whether the branch under trial cannot go on, since the journal is full for good.
    fn is_stuck(&self) -> bool {
        let inner = &self.inner;
        let waits = inner.check.is_some() || inner.report.is_some() || inner.can_finalize();
        if waits || inner.has_room(self.parts.journal.len()) {
            return false;
        }
        let tree = self.tree();
        let end = inner.switch.as_ref().and_then(|switch| switch.end);
        let mut trial = tree.path(end).take_while(|at| tree.status(*at) == Status::Trial);
        inner.next_to_execute(tree).is_some() && trial.all(|at| tree.slot(at).saved)
    }

    /// Validates one slice, and returns what it cost.
    #[inline(never)] // what it needs does not stand on the stack while a header is checked
    fn validate(&mut self, block: Delivered, budget: u32) -> u32 {
        let Delivered { at, conn, .. } = block;
        let slice = self.slice(block, budget);
        let id = self.tree().id(at);
        match slice {
            Slice::More(cost) => return cost,
            Slice::Done | Slice::NotNeeded => {}
            Slice::Bytes(why) => {
                self.restore_if_idle();
                self.inner.report = Some(Event::Invalid { id, conn, why });
            }
            Slice::Block(why) => {
                self.restore();
                let all = [Status::Header, Status::Parked];
                self.tree_mut().set_status(at, &all, Status::Invalid);
                self.find_best();
                self.inner.report = Some(Event::Invalid { id, conn, why });
            }
            Slice::Unable => {
                self.inner.report = self.give_up().map(|id| Event::Abandoned { id });
            }
        }
        1
    }

    /// Goes on with the validation. It is over unless this returns `More`.
    fn slice(&mut self, block: Delivered, budget: u32) -> Slice<E::Error> {
        if self.inner.is_executing() {
            return self.execute(block, budget);
        }
        let hashed = self.hash(block, budget);
        if hashed == Ok(false) {
            return Slice::More(budget);
        }
        self.inner.check = None;
        match hashed {
            Ok(_) => self.start(block),
            Err(why) => Slice::Bytes(why),
        }
    }

    /// Hashes transactions. Returns whether the body is complete, and the one that the header names.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn hash(&mut self, block: Delivered, budget: u32) -> Result<bool, BlockError<E::Error>> {
        let Some(Check { stage: Stage::Hash(hashing), .. }) = &mut self.inner.check else {
            return Ok(true);
        };
        let hashed = &mut self.inner.hashed;
        let headers = TreeRef::new(&self.inner.tree, self.parts.headers);
        let header = &headers.slot(block.at).header;
        let bytes = self.parts.block.get(..block.len).unwrap_or_default();
        let bytes = bytes.get(hashing.offset..).unwrap_or_default();
        let left = header.body_size.saturating_sub(hashing.count);
        let count = left.min(budget.saturating_mul(HASHED_PER_UNIT));
        let rest = self.hasher.push_transactions(hashed, bytes, count)?;
        if count < left {
            hashing.count = hashing.count.saturating_add(count);
            hashing.offset = block.len.saturating_sub(rest.len());
            return Ok(false);
        }
        match rest.len() {
            0 if hashed.head() == header.body() => Ok(true),
            0 => Err(BlockError::WrongBody),
            more => Err(BlockError::Decode(DecodeError::TrailingBytes(more))),
        }
    }

    /// Checks header and proof against the branch, whose blocks are all executed now, and begins to execute.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn start(&mut self, block: Delivered) -> Slice<E::Error> {
        let tree = self.tree();
        if self.inner.next_to_execute(tree) != Some(block.at) {
            return Slice::NotNeeded;
        }
        let Some(target) = self.inner.target(tree) else { return Slice::NotNeeded };
        self.begin_trial(target);
        self.make_room();
        let bytes = self.parts.block.get(..block.len).unwrap_or_default();
        let decoded = SealedHeader::decode(bytes);
        let Ok((sealed, _)) = &decoded else { return Slice::Unable };
        let Some(switch) = &self.inner.switch else { return Slice::Unable };
        let history =
            || self.tree().history_root(&self.inner.history, self.tree().parent(block.at));
        let now = self.inner.now.as_secs();
        match switch.trial.check(&sealed.header, sealed.proof, now, history) {
            Ok(weight) => self.begin_execution(block, weight),
            // The id does not cover the proof: another may be good, even if this one was before the branch was executed.
            Err(Refused::Invalid(why)) => Slice::Bytes(why),
            Err(_) => Slice::Unable,
        }
    }

    #[inline(never)] // what it needs does not stand on the stack while the header is checked
    fn begin_execution(&mut self, block: Delivered, weight: Weight) -> Slice<E::Error> {
        let start = self.inner.journal_len;
        let books = self.with_state(|trie, _| Target { store: trie, journal: None }.books());
        match books {
            Ok(books) => {
                self.start_executing(block, start, weight, books);
                Slice::More(1)
            }
            Err(error) => Self::failed(error.into()),
        }
    }

    #[inline(never)] // the execution does not stand on the stack while the books are read
    fn start_executing(&mut self, block: Delivered, start: usize, weight: Weight, books: Books) {
        let header = &TreeRef::new(&self.inner.tree, self.parts.headers).slot(block.at).header;
        let execution = Execution::of_block(&self.inner.root.genesis, header, books);
        let stage = Stage::Execute(Executing { execution, start, weight });
        self.inner.check = Some(Check { block, stage });
    }

    /// Executes transactions; after the last one, compares the state with the header's.
    fn execute(&mut self, block: Delivered, budget: u32) -> Slice<E::Error> {
        let mut cost = 0_u32;
        while cost < budget {
            match self.step(block) {
                Ok(Some(signatures)) => cost = cost.saturating_add(signatures),
                Ok(None) => return self.finish(block),
                Err(error) => return self.undo(error.into()),
            }
        }
        Slice::More(cost)
    }

    /// Executes the next transaction, and returns how many signatures were checked.
    fn step(&mut self, block: Delivered) -> Result<Option<u32>, ExecuteError> {
        let Some(Check { stage: Stage::Execute(executing), .. }) = &mut self.inner.check else {
            return Ok(None);
        };
        let body = self.parts.block.get(block.body..block.len).unwrap_or_default();
        let hasher = self.hasher.reborrow();
        let mut trie = TrieMut { root: &mut self.inner.trie, slots: self.parts.entries, hasher };
        let mut journal = Journal::new(self.parts.journal, self.inner.journal_len);
        let mut target = Target { store: &mut trie, journal: Some(&mut journal) };
        let stepped = executing.execution.step(self.ledger, &self.inner.rules, &mut target, body);
        self.inner.journal_len = journal.len();
        stepped
    }

    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn finish(&mut self, block: Delivered) -> Slice<E::Error> {
        if let Err(refused) = self.close_body(block) {
            return self.undo(refused);
        }
        let Some(Check { stage: Stage::Execute(executing), .. }) = &self.inner.check else {
            return Slice::Unable;
        };
        let effects = *executing.execution.effects();
        let weight = executing.weight;
        let writes = self.inner.journal_len.saturating_sub(executing.start);
        self.inner.check = None;
        let Some(switch) = &mut self.inner.switch else { return Slice::Unable };
        let slot = TreeRef::new(&self.inner.tree, self.parts.headers).slot(block.at);
        switch.trial.apply(&slot.header, slot.id, weight, &effects);
        let tip = switch.trial.tip;
        self.complete(block.at, &tip, writes, &effects);
        Slice::Done
    }

    /// Pays the author and compares the state with the header's.
    fn close_body(&mut self, block: Delivered) -> Result<(), Refused<BlockError<E::Error>>> {
        let Some(Check { stage: Stage::Execute(executing), .. }) = &mut self.inner.check else {
            return Ok(());
        };
        let headers = TreeRef::new(&self.inner.tree, self.parts.headers);
        let hasher = self.hasher.reborrow();
        let mut trie = TrieMut { root: &mut self.inner.trie, slots: self.parts.entries, hasher };
        let mut journal = Journal::new(self.parts.journal, self.inner.journal_len);
        let mut target = Target { store: &mut trie, journal: Some(&mut journal) };
        let finished = executing.execution.finish(&self.inner.rules, &mut target);
        self.inner.journal_len = journal.len();
        finished?;
        check_state(&headers.slot(block.at).header, &mut trie)
    }

    /// Takes back what the block wrote.
    #[inline(never)] // what it needs does not stand on the stack while signatures are checked
    fn undo(&mut self, refused: Refused<BlockError<E::Error>>) -> Slice<E::Error> {
        let start = self.inner.executed_end();
        self.inner.check = None;
        self.with_state(|trie, journal| {
            journal.undo(start, trie);
            trie.root()
        });
        Self::failed(refused)
    }

    /// What a refusal says about the block. Its body is the one that the header names.
    fn failed(refused: Refused<BlockError<E::Error>>) -> Slice<E::Error> {
        match refused {
            Refused::Invalid(why) => Slice::Block(why),
            _ => Slice::Unable,
        }
    }
}
