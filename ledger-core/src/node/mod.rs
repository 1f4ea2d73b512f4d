//! A node's chain: it knows several branches, follows the best one, and changes over to a better one wholly or not at
//! all.

mod slots;
mod switch;

use core::cmp::Ordering;

use crate::block::{Body, SealedHeader};
use crate::branch::{BlockError, Branch};
use crate::chain::{State, check_capacity};
use crate::engine::{Ancestry as _, Engine, Refused, Tip, Weight};
use crate::error::ConfigError;
use crate::execute::{Execution, Target, allocate};
use crate::hash::{BlockId, GenesisId, Hash};
use crate::header::{Claim, Header, Height};
use crate::ledger::Ledger;
use crate::policy::Account;
use crate::spec::{ChainSpec, Rules};
use crate::state::{Journal, JournalSlot, Slot, Store as _, TrieMut, TrieRef, TrieRoot};

pub use slots::HeaderSlot;
use slots::{Parent, Status, Tree};
use switch::Switch;

/// A chain that chooses between branches: headers first, then the bodies of the best branch.
///
/// 1. [`handle_header`](Self::handle_header) takes headers in any order in which parents come first.
/// 2. [`needed`](Self::needed) names the block whose body comes next on the best branch.
/// 3. [`handle_block`](Self::handle_block) takes it. Store the block before: once it is `Connected`, others rely on it.
///
/// Until the last block of a better branch is executed, the state is that of the branch under trial, and the tip is the
/// old one. If a block proves invalid, the old branch is restored from the journal, without any block's bytes; the
/// invalid block and all that follow it are remembered as long as the tree has room.
#[derive(Debug, Clone)]
pub struct Node<E, L, S: ?Sized> {
    rules: Rules,
    config: NodeConfig,
    ledger: L,
    root: Branch<E>, // below all headers in the tree
    tip: Branch<E>,
    trie: TrieRoot,
    journal_len: usize,
    switch: Option<Switch<E>>,
    arrivals: u64,
    storage: S,
}

/// How a [`Node`] uses its memory. Nodes of one chain may differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct NodeConfig {
    /// The number of blocks that can be taken back. Deeper blocks are final for this node. The journal needs room for
    /// the writes of as many blocks, and of those of the branch that replaces them.
    pub max_depth: u32,
}

/// The storage of a [`Node`].
pub trait NodeStorage {
    /// Returns all regions.
    fn parts(&mut self) -> NodeParts<'_>;
    /// Returns all regions, shared.
    fn parts_ref(&self) -> NodePartsRef<'_>;
}

/// The regions of a [`NodeStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of your own builds it")]
pub struct NodeParts<'a> {
    /// One slot for each entry that the rules allow.
    pub entries: &'a mut [Slot],
    /// One slot for each write of the blocks that can be taken back.
    pub journal: &'a mut [JournalSlot],
    /// One slot for each header of any branch.
    pub headers: &'a mut [HeaderSlot],
}

/// The shared regions of a [`NodeStorage`].
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of your own builds it")]
pub struct NodePartsRef<'a> {
    /// One slot for each entry that the rules allow.
    pub entries: &'a [Slot],
    /// One slot for each header of any branch.
    pub headers: &'a [HeaderSlot],
}

/// Storage for a [`Node`] in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct NodeSlots<A, B, C> {
    /// One slot for each entry that the rules allow.
    pub entries: A,
    /// One slot for each write of the blocks that can be taken back.
    pub journal: B,
    /// One slot for each header of any branch.
    pub headers: C,
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The chain now ends in a better block.
    Connected {
        /// The new end.
        tip: Tip,
        /// How many blocks were taken back; their transactions are unconfirmed again unless the new branch has them.
        disconnected: u32,
        /// How many blocks of the new branch were connected.
        connected: u32,
    },
    /// It is executed, but the branch is not complete: call [`Node::needed`] for the next one.
    Pending,
    /// It is not on the best branch, or connected already.
    NotNeeded,
}

impl NodeConfig {
    /// Returns a configuration that can take back this many blocks: 6 for few validators, 100 for work.
    #[must_use]
    pub const fn new(max_depth: u32) -> Self {
        Self { max_depth }
    }
}

impl<E: Engine, L: Ledger, S: NodeStorage> Node<E, L, S> {
    /// Creates a node that knows block 0, and clears the storage.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the allocation does not fit into 64 bits or the rules, or the storage does not hold what the
    /// rules allow.
    pub fn new(
        spec: &ChainSpec<'_>,
        config: NodeConfig,
        engine: E,
        ledger: L,
        mut storage: S,
    ) -> Result<Self, ConfigError> {
        let genesis = spec.genesis_id(&engine.digest(), &ledger.digest())?;
        let parts = storage.parts();
        check_capacity(&spec.rules, parts.entries.len(), parts.journal.len())?;
        if parts.headers.is_empty() {
            return Err(ConfigError::TreeTooSmall(parts.headers.len()));
        }
        let mut trie = TrieRoot::clear(parts.entries);
        parts.journal.fill(JournalSlot::EMPTY);
        parts.headers.fill(HeaderSlot::EMPTY);
        let mut state = TrieMut { root: &mut trie, slots: parts.entries };
        allocate(spec, &mut state)?;
        let root = Branch::new(genesis, engine, spec.time, state.root());
        Ok(Self {
            rules: spec.rules,
            config,
            ledger,
            tip: root.clone(),
            root,
            trie,
            journal_len: 0,
            switch: None,
            arrivals: 0,
            storage,
        })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<E: Engine, L: Ledger, S: NodeStorage + ?Sized> Node<E, L, S> {
    /// Checks a header with its proof and adds it to the tree. What follows the proof is ignored, so a whole block
    /// serves. `now` is the clock in Unix seconds.
    ///
    /// A header that is known already is accepted again.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing has changed then. `NoRoom` if the tree is full of headers that weigh at least as much.
    pub fn handle_header(
        &mut self,
        now: u64,
        bytes: &[u8],
    ) -> Result<BlockId, Refused<BlockError<E::Error>>> {
        let (SealedHeader { header, proof }, _) = SealedHeader::decode(bytes)?;
        let id = header.id(&self.root.genesis);
        let tree = self.tree();
        if id == self.root.tip.id {
            return Ok(id);
        }
        if let Some(known) = tree.find(&id) {
            return match tree.status(known) {
                Status::Invalid => Err(Refused::Invalid(BlockError::InvalidAncestor)),
                _ => Ok(id),
            };
        }
        let (parent, weight) = self.check_header(&header, proof, now)?;
        self.insert(header, id, parent, weight)?;
        Ok(id)
    }

    /// Returns the block whose body is the next on the best branch, or `None` if the chain ends in the best block.
    #[must_use]
    pub fn needed(&self) -> Option<BlockId> {
        let target = match &self.switch {
            Some(switch) => switch.target,
            None => self.best()?,
        };
        self.tree().next_to_execute(target)
    }

    /// Takes the block that is [`needed`](Self::needed): header, proof and body. A block that was not announced is
    /// first taken as a header.
    ///
    /// # Errors
    ///
    /// [`Refused`]. `Invalid` with [`BlockError::Transaction`] or [`BlockError::WrongState`] condemns the block, and the
    /// chain is as before the branch was tried. Any other refusal leaves the block needed: these bytes are not it.
    pub fn handle_block(
        &mut self,
        now: u64,
        bytes: &[u8],
    ) -> Result<Outcome, Refused<BlockError<E::Error>>> {
        let len = bytes.len();
        let limit = usize::try_from(self.rules.max_block_len).unwrap_or(usize::MAX);
        if len > limit {
            return Err(Refused::Invalid(BlockError::TooLong { len, limit }));
        }
        let id = self.handle_header(now, bytes)?;
        if self.needed() != Some(id) {
            return Ok(Outcome::NotNeeded);
        }
        let (sealed, body) = SealedHeader::decode(bytes)?;
        let body = match Body::decode(body, sealed.header.body_size)? {
            (body, []) if body.head() == sealed.header.body() => body,
            (_, []) => return Err(Refused::Invalid(BlockError::WrongBody)),
            (_, rest) => {
                let trailing = crate::error::DecodeError::TrailingBytes(rest.len());
                return Err(Refused::Invalid(BlockError::Decode(trailing)));
            }
        };
        self.connect(now, &sealed, id, &body)
    }

    /// Gives up the branch under trial, for example because a block of it cannot be had, and restores the old one. The
    /// branch is not tried again.
    pub fn give_up(&mut self) {
        let Some(target) = self.switch.as_ref().map(|switch| switch.target).or_else(|| self.best())
        else {
            return;
        };
        self.restore();
        if let Some(first) =
            self.tree().next_to_execute(target).and_then(|id| self.tree().find(&id))
        {
            Tree::new(self.storage.parts().headers).condemn(first, Status::Parked);
        }
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
        let median = self.tip.median_time();
        if now <= median || self.switch.is_some() {
            return Err(Refused::NotYet { at: median.max(now).saturating_add(1) });
        }
        let height = self.tip.next_height();
        let state = self.state_after(height, author, body)?;
        Ok(Header {
            height,
            parent: self.tip.tip.id,
            body_size: body.len(),
            body_root: body.head().root,
            state,
            history: self.tip.history_root(),
            time: now,
            author,
            claim,
        })
    }

    fn state_after(
        &mut self,
        height: Height,
        author: Account,
        body: &Body<'_>,
    ) -> Result<Hash, Refused<BlockError<E::Error>>> {
        let genesis = self.root.genesis;
        let start = self.journal_len;
        let parts = self.storage.parts();
        let mut trie = TrieMut { root: &mut self.trie, slots: parts.entries };
        let mut journal = Journal::new(parts.journal, start);
        let mut target = Target { store: &mut trie, journal: Some(&mut journal) };
        let mut run = || {
            let mut execution = Execution::new(genesis, height, author, body.len(), target.store)?;
            while execution.step(&self.ledger, &self.rules, &mut target, body.as_bytes())? {}
            execution.finish(&self.rules, &mut target)
        };
        let executed = run();
        let root = trie.root();
        journal.undo(start, &mut trie);
        trie.root();
        executed?;
        Ok(root)
    }

    /// Checks a header against the branch it continues, and returns its parent and the weight of the branch with it.
    fn check_header(
        &self,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<(Parent, Weight), Refused<BlockError<E::Error>>> {
        let total = |branch: &Branch<E>| {
            branch.check(header, proof, now).map(|weight| branch.tip.weight.saturating_add(weight))
        };
        let tree = self.tree();
        if header.parent == self.root.tip.id {
            return Ok((Parent::Root, total(&self.root)?));
        }
        let parent = tree.find(&header.parent);
        let parent = parent.ok_or(Refused::Orphan { parent: header.parent })?;
        if tree.status(parent) == Status::Invalid {
            return Err(Refused::Invalid(BlockError::InvalidAncestor));
        }
        let weight = if header.parent == self.tip.tip.id {
            total(&self.tip)?
        } else {
            total(&self.branch_at(parent))?
        };
        Ok((Parent::Slot(parent), weight))
    }

    /// Builds the branch that ends in a header of the tree: the one at the root, moved on along the way.
    fn branch_at(&self, end: usize) -> Branch<E> {
        let tree = self.tree();
        let mut branch = self.root.clone();
        while branch.tip.id != tree.id(end) {
            let Some(at) = tree.ancestor_after(end, &branch.tip.id) else { break };
            tree.apply(at, &mut branch);
        }
        branch
    }

    fn insert(
        &mut self,
        header: Header,
        id: BlockId,
        parent: Parent,
        weight: Weight,
    ) -> Result<(), Refused<BlockError<E::Error>>> {
        self.arrivals = self.arrivals.saturating_add(1);
        let arrival = self.arrivals;
        let keep = self.switch.as_ref().map(|switch| switch.target).or_else(|| self.best());
        let mut tree = Tree::new(self.storage.parts().headers);
        let slot = HeaderSlot::new(header, id, parent, weight, arrival);
        tree.insert(&slot, keep).map_err(|full| Refused::NoRoom { capacity: full.capacity })
    }

    /// Returns the header of the tree that is better than the tip and all others.
    fn best(&self) -> Option<usize> {
        let tree = self.tree();
        let mut best = None;
        let mut best_tip = self.tip.tip;
        for at in tree.candidates() {
            let tip = tree.tip(at);
            let order = self.root.engine.prefer(&best_tip, &tip);
            let earlier = best.is_some_and(|best| tree.arrival(at) < tree.arrival(best));
            if order == Ordering::Less || (order == Ordering::Equal && earlier) {
                best = Some(at);
                best_tip = tip;
            }
        }
        best
    }

    fn tree(&self) -> slots::TreeRef<'_> {
        slots::TreeRef::new(self.storage.parts_ref().headers)
    }

    /// Returns the id of the chain.
    #[must_use]
    pub const fn genesis_id(&self) -> &GenesisId {
        &self.root.genesis
    }

    /// Returns the end of the chain.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip.tip
    }

    /// Returns the newest block that cannot be taken back.
    #[must_use]
    pub const fn final_tip(&self) -> &Tip {
        &self.root.tip
    }

    /// Returns the engine after the last block.
    #[must_use]
    pub const fn engine(&self) -> &E {
        &self.tip.engine
    }

    /// Returns the median of the times of the last eleven blocks, in Unix seconds (BIP 113).
    #[must_use]
    pub fn median_time(&self) -> u64 {
        self.tip.median_time()
    }

    /// Returns whether a better branch is under trial: its blocks are executed, but not all of them.
    #[must_use]
    pub const fn is_switching(&self) -> bool {
        self.switch.is_some()
    }

    /// Returns who owns what: after the tip, or, while a branch is under trial, after its last executed block.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State::new(TrieRef { root: &self.trie, slots: self.storage.parts_ref().entries })
    }

    /// Writes the ids of blocks of the chain to `out`, the tip first and then in growing steps, the final one last, and
    /// returns how many. A peer finds in it the last block that both know.
    pub fn locator(&self, out: &mut [BlockId]) -> usize {
        let tree = self.tree();
        let mut at = tree.find(&self.tip.tip.id);
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
            *place = self.root.tip.id;
            len = len.saturating_add(1);
        }
        len
    }
}

impl<A, B, C> NodeStorage for NodeSlots<A, B, C>
where
    A: AsRef<[Slot]> + AsMut<[Slot]>,
    B: AsMut<[JournalSlot]>,
    C: AsRef<[HeaderSlot]> + AsMut<[HeaderSlot]>,
{
    fn parts(&mut self) -> NodeParts<'_> {
        NodeParts {
            entries: self.entries.as_mut(),
            journal: self.journal.as_mut(),
            headers: self.headers.as_mut(),
        }
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        NodePartsRef { entries: self.entries.as_ref(), headers: self.headers.as_ref() }
    }
}

impl<S: NodeStorage + ?Sized> NodeStorage for &mut S {
    fn parts(&mut self) -> NodeParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        (**self).parts_ref()
    }
}
