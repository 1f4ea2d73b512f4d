//! The node: the calls of the machine over any storage.

use core::time::Duration;

use super::config::NodeConfig;
use super::event::{Accepted, Event, Progress};
use super::inner::{Inner, InnerMut};
use super::snapshot::{Front, ResumeError, SnapshotError, check_front, fill_snapshot};
use super::start::{Filled, Start, fill_block_0};
use super::storage::NodeStorage;
use super::tree::TreeRef;
use crate::block::{Body, SealedHeader};
use crate::branch::{BlockError, Branch, HeaderBranch};
use crate::codec::Reader;
use crate::conn::ConnId;
use crate::engine::{Ancestry, Engine, Refused, Tip};
use crate::error::ConfigError;
use crate::hash::{BlockId, GenesisId};
use crate::header::{Claim, Header};
use crate::ledger::Ledger;
use crate::policy::Account;
use crate::propose::Proposal;
use crate::queries::State;
use crate::spec::{ChainSpec, Rules};
use crate::state::TrieRef;

/// A chain that chooses between branches. `E` decides which headers count, `L` what transactions do, `S` is the storage.
/// The [module](super) has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<E: Engine, L, S: ?Sized> {
    pub(super) inner: Inner<E>,
    pub(super) ledger: L,
    pub(super) storage: S,
}

impl<E: Engine, L: Ledger, S: NodeStorage> Node<E, L, S> {
    /// Creates a node that knows block 0, and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the allocation does not fit into 64 bits or the rules, the storage does not hold what the
    /// rules and the depth ask for, or the configuration cannot work.
    #[expect(clippy::needless_pass_by_value, reason = "the node owns its engine")]
    pub fn new(
        spec: &ChainSpec<'_>,
        config: NodeConfig,
        engine: E,
        ledger: L,
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let genesis = spec.genesis_id(&engine.digest(), &ledger.digest())?;
        let (mut parts, hasher) = storage.parts_and_hasher();
        let block_0 = fill_block_0(spec, &config, genesis, &mut parts, hasher);
        let block_0 = block_0.as_ref().map_err(|error| *error)?;
        Ok(Self::at_block_0(spec, &config, &engine, ledger, block_0, storage))
    }

    #[inline(never)] // the start does not stand on the stack while the state is hashed
    fn at_block_0(
        spec: &ChainSpec<'_>,
        config: &NodeConfig,
        engine: &E,
        ledger: L,
        filled: &Filled,
        storage: S,
    ) -> Self {
        let start = Start::at_block_0(filled, spec.time);
        Self { inner: Inner::new(&spec.rules, config, engine, &start), ledger, storage }
    }

    /// Creates a node from a [snapshot](Self::snapshot), without the blocks before it, and clears the storage. `engine` is
    /// as it was after that block: most engines are rebuilt from the headers before.
    ///
    /// History and state are checked against the header, whose id the caller trusts. The times of the ten blocks before
    /// and the weight are the word of the author of the snapshot: wrong ones make this node refuse headers that others
    /// accept, or accept headers that others refuse.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] if the snapshot is not that of the trusted block, or as for [`new`](Self::new).
    #[expect(clippy::needless_pass_by_value, reason = "the node owns its engine")]
    pub fn resume(
        spec: &ChainSpec<'_>,
        config: NodeConfig,
        engine: E,
        ledger: L,
        trusted: &BlockId,
        snapshot: &[u8],
        mut storage: S,
    ) -> Result<Self, ResumeError> {
        let genesis = spec.genesis_id(&engine.digest(), &ledger.digest())?;
        let (mut parts, mut hasher) = storage.parts_and_hasher();
        let block_0 = fill_block_0(spec, &config, genesis, &mut parts, hasher.reborrow());
        let block_0 = block_0.as_ref().map_err(|error| *error)?;
        let rules = &spec.rules;
        let (expected, entries) = check_front(&genesis, trusted, snapshot)?;
        let filled = fill_snapshot(block_0, rules, expected, entries, &mut parts, hasher);
        let filled = filled.as_ref().map_err(|error| *error)?;
        Self::at_snapshot(rules, &config, &engine, ledger, (filled, snapshot), storage)
    }

    #[inline(never)] // the start does not stand on the stack while the state is hashed
    fn at_snapshot(
        rules: &Rules,
        config: &NodeConfig,
        engine: &E,
        ledger: L,
        (filled, snapshot): (&Filled, &[u8]),
        storage: S,
    ) -> Result<Self, ResumeError> {
        let read = Front::read(&mut Reader(snapshot));
        let front = read.as_ref().map_err(|error| *error)?;
        let start = Start::at_snapshot(filled, front);
        Ok(Self { inner: Inner::new(rules, config, engine, &start), ledger, storage })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<E: Engine, L: Ledger, S: NodeStorage + ?Sized> Node<E, L, S> {
    /// Checks a header with its proof and adds it to the tree. What follows the proof is ignored, so a whole block
    /// serves. `now` is the time since the Unix epoch, `conn` the connection that delivered it.
    ///
    /// A header that is known already is accepted again.
    ///
    /// # Errors
    ///
    /// [`Refused`]; the node is unchanged. Only `Invalid` is the sender's fault. `NoRoom` if the tree is full of headers
    /// that weigh at least as much; `Orphan` and `NotYet` if the header is not kept until it can be checked.
    pub fn handle_header(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let decoded = SealedHeader::decode(bytes);
        let (sealed, _) = decoded.as_ref().map_err(|error| *error)?;
        let mut inner = self.inner_mut();
        let accepted = inner.accept_header(inner.inner.now.max(now), conn, sealed);
        if accepted.is_ok() {
            inner.advance_clock(now);
        }
        accepted
    }

    /// Handles a whole block: its header as [`handle_header`](Self::handle_header) does, and its body if that is the one
    /// needed next. The body is copied; call [`work`](Self::work) until it returns [`Progress::Idle`].
    ///
    /// # Errors
    ///
    /// [`Refused`], as for a header, or if the block is longer than the rules allow; the node is unchanged.
    pub fn handle_block(
        &mut self,
        now: Duration,
        conn: ConnId,
        bytes: &[u8],
    ) -> Result<Accepted, Refused<BlockError<E::Error>>> {
        let mut inner = self.inner_mut();
        let accepted = inner.accept_block(inner.inner.now.max(now), conn, bytes);
        if accepted.is_ok() {
            inner.advance_clock(now);
        }
        accepted
    }

    /// Reports that a block is stored durably, as [`Event::Keep`] asked. Only then is it connected. A block that was
    /// stored before, such as one that is replayed from a file, may be reported as soon as its header is known.
    pub fn handle_saved(&mut self, now: Duration, id: &BlockId) {
        let mut inner = self.inner_mut();
        inner.advance_clock(now);
        inner.saved(id);
    }

    /// Fires expired timers: see [`Timer`](super::Timer).
    pub fn handle_timeout(&mut self, now: Duration) {
        self.inner_mut().handle_timeout(now);
    }

    /// Validates what was delivered, for up to `budget` units. A unit is one signature, or hashing 16 transactions, or
    /// checking one header: 30 to 100 microseconds on a desktop. Call it after each input and after events were polled,
    /// until it returns [`Progress::Idle`].
    pub fn work(&mut self, budget: u32) -> Progress {
        self.inner_mut().work(budget)
    }

    /// Returns the next deadline. Poll after each call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.inner.next_deadline(&self.storage.parts_ref())
    }

    /// Returns the next event. Poll after each call until it returns `None`, then call [`work`](Self::work). A node whose
    /// events are not polled stops, and uses no more memory.
    pub fn poll_event(&mut self) -> Option<Event<E::Error>> {
        self.inner_mut().event()
    }

    /// Gives up the branch that is to be executed, for example because no peer has the body that is needed, and restores
    /// the old one. The branch is tried again when that body is delivered, and after
    /// [`retry_interval`](NodeConfig::retry_interval).
    pub fn give_up(&mut self) {
        self.inner_mut().give_up_for_now();
    }

    /// Writes a snapshot of the newest final block, piece by piece: its header, and the state after it. With it a node
    /// starts by [`resume`](Self::resume). It costs a walk over the whole state.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if no block is final yet, a better branch is under trial, or `write` fails.
    pub fn snapshot<W>(
        &mut self,
        mut write: impl FnMut(&[u8]) -> Result<(), W>,
    ) -> Result<(), SnapshotError<W>> {
        self.inner_mut().snapshot(&mut write)
    }

    /// Returns the header of the next block, as [`Chain::propose`](crate::Chain::propose) does.
    ///
    /// # Errors
    ///
    /// [`Refused`] if a transaction is refused, the clock is not past the median of the last eleven blocks, or a better
    /// branch is under trial (`NotYet`).
    pub fn propose(
        &mut self,
        now: u64,
        author: Account,
        body: &Body<'_>,
        claim: Claim,
    ) -> Result<Header, Refused<BlockError<E::Error>>> {
        if self.is_busy() {
            return Err(Refused::NotYet { at: now.saturating_add(1) });
        }
        self.inner_mut().propose(&Proposal { now, author: &author, body, claim: &claim })
    }

    /// Returns the branch that ends in a block of the tree, or in the newest final block, and the tree of the ids up to
    /// that block.
    pub(crate) fn branch_after(&mut self, id: &BlockId) -> Option<HeaderBranch<E>> {
        if *id == self.inner.root.tip.id {
            return Some(self.inner.root_branch());
        }
        let mut inner = self.inner_mut();
        let at = inner.tree().find(id)?;
        let history = inner.tree().history(&inner.inner.history, at);
        inner.move_recent(at);
        let branch = inner.tree().end_of_branch(&inner.inner.root, at);
        let Branch { genesis, tip, times, .. } = branch;
        let engine = inner.inner.recent.engine.clone();
        Some(HeaderBranch { end: Branch { genesis, tip, engine, times }, history })
    }

    #[inline(never)] // the parts stand once on the stack of the caller
    fn inner_mut(&mut self) -> InnerMut<'_, E> {
        let (parts, hasher) = self.storage.parts_and_hasher();
        InnerMut { inner: &mut self.inner, parts, hasher, ledger: &self.ledger }
    }
}

impl<E: Engine, L, S: NodeStorage + ?Sized> Node<E, L, S> {
    /// Returns the id of the chain.
    #[must_use]
    pub const fn genesis_id(&self) -> &GenesisId {
        &self.inner.root.genesis
    }

    /// Returns the end of the chain: the best block whose branch is executed and saved.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.inner.tip.tip
    }

    /// Returns the newest block that cannot be taken back.
    #[must_use]
    pub const fn final_tip(&self) -> &Tip {
        &self.inner.root.tip
    }

    /// Returns the engine after the last block.
    #[must_use]
    pub const fn engine(&self) -> &E {
        &self.inner.tip.engine
    }

    /// Returns the branch that ends in the tip, for [`Engine::check`] outside of the node.
    #[must_use]
    pub fn ancestry(&self) -> &dyn Ancestry {
        &self.inner.tip
    }

    /// Returns the median of the times of the last eleven blocks, in Unix seconds (BIP 113).
    #[must_use]
    pub fn median_time(&self) -> u64 {
        self.inner.tip.median_time()
    }

    /// Returns whether blocks beyond the tip are executed, or being executed: [`state`](Self::state) is theirs.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.inner.switch.is_some()
    }

    /// Returns who owns what: after the tip, or, while the node [is busy](Self::is_busy), of the branch under trial.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State::new(TrieRef { root: &self.inner.trie, slots: self.storage.parts_ref().entries })
    }

    /// Returns the block whose body is needed next. [`Event::Need`] reports it.
    #[must_use]
    pub fn needed(&self) -> Option<BlockId> {
        let tree = self.tree();
        let journal = self.storage.parts_ref().journal.len();
        self.inner.next_body(tree, journal).map(|at| tree.id(at))
    }

    /// Returns the end of the branch up to a block, as long as its header is in the tree. The block need not be valid.
    #[must_use]
    pub fn tip_of(&self, id: &BlockId) -> Option<Tip> {
        if *id == self.inner.root.tip.id {
            return Some(self.inner.root.tip);
        }
        let tree = self.tree();
        tree.find(id).map(|at| tree.tip(at))
    }

    /// Writes the ids of the next blocks whose bodies will be needed to `out`, in order, and returns their number. A
    /// driver fetches them ahead.
    pub fn needed_ahead(&self, out: &mut [BlockId]) -> usize {
        let tree = self.tree();
        let target = self.inner.target(tree);
        let Some(next) = self.inner.next_to_execute(tree) else { return 0 };
        let first = tree.slot(next).header.height.0;
        let count = u64::try_from(out.len()).unwrap_or(u64::MAX);
        let last = tree.ancestor(target, first.saturating_add(count)).or(target);
        let mut len = 0_usize;
        for at in tree.path(last) {
            let slot = tree.slot(at);
            let Some(place) = slot.header.height.0.checked_sub(first) else { break };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            if let Some(out) = out.get_mut(place) {
                *out = slot.id;
                len = len.max(place.saturating_add(1));
            }
        }
        len
    }

    /// Writes the ids of blocks of the chain to `out`, the tip first and then in growing steps, the final one last, and
    /// returns their number. A peer finds in it the last block that both know.
    pub fn locator(&self, out: &mut [BlockId]) -> usize {
        let tree = self.tree();
        let mut at = self.inner.tip_at;
        let mut len = 0_usize;
        let mut step = 1_u32;
        while let Some(index) = at
            && len.saturating_add(1) < out.len()
        {
            if let Some(place) = out.get_mut(len) {
                *place = tree.id(index);
            }
            len = len.saturating_add(1);
            for _ in 0..step {
                at = at.and_then(|index| tree.parent(index));
            }
            step = if len > 8 { step.saturating_mul(2) } else { 1 };
        }
        if let Some(place) = out.get_mut(len) {
            *place = self.inner.root.tip.id;
            len = len.saturating_add(1);
        }
        len
    }

    fn tree(&self) -> TreeRef<'_> {
        TreeRef::new(&self.inner.tree, self.storage.parts_ref().headers)
    }
}
