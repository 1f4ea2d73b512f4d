//! What the tree answers about the branch of a header without walking it: ancestors, history, times.
//!
//! The ids up to a block of height `n - 1` are `n` leaves of the history. A slot has the root of the smallest complete
//! subtree of that history, and a link to the last block before that subtree: `n` with its lowest bit cleared. The links
//! lead past all complete subtrees, at most one for each bit of `n`.

use super::history::History;
use super::slot::{HeaderSlot, Status, Subtree};
use super::tree::TreeRef;
use crate::branch::Branch;
use crate::buckets::Link;
use crate::engine::Engine;
use crate::hash::{BlockId, Hash};
use crate::merkle::MerkleTree;
use crate::times::{MEDIAN_SPAN, Times};

/// Headers that are listed at once on the way back to a branch.
const STRETCH: usize = 32;

impl HeaderSlot {
    pub(super) const fn height(&self) -> u64 {
        self.header.height.0
    }

    /// Returns the height of the block before the smallest complete subtree, or `None` if that begins with block 0.
    fn height_before(&self) -> Option<u64> {
        let leaves = self.height().saturating_add(1);
        (leaves & leaves.saturating_sub(1)).checked_sub(1)
    }
}

impl<'a> TreeRef<'a> {
    /// Returns the ancestor at a height above the root, or the block itself. Costs the square of the logarithm.
    pub(super) fn ancestor(&self, end: Option<usize>, height: u64) -> Option<usize> {
        let mut at = end?;
        loop {
            let slot = self.slot(at);
            if slot.height() <= height {
                return (slot.height() == height).then_some(at);
            }
            let can_skip = slot.height_before().is_some_and(|before| before >= height);
            at = if can_skip { slot.subtree.before.get()? } else { self.parent(at)? };
        }
    }

    /// Returns whether `ancestor` is on the way to `end`, or `end` itself.
    pub(super) fn is_ancestor(&self, ancestor: usize, end: usize) -> bool {
        self.ancestor(Some(end), self.slot(ancestor).height()) == Some(ancestor)
    }

    /// Returns the first block on the way to `end` that is not executed. `root` is the height of the root.
    pub(super) fn next_to_execute(&self, root: u64, end: usize) -> Option<usize> {
        self.first(root, end, |status| !matches!(status, Status::Active | Status::Trial))
    }

    /// Returns the last block of the chain on the way to `end`, or `None` for the root.
    pub(super) fn fork(&self, root: u64, end: usize) -> Option<usize> {
        match self.first(root, end, |status| status != Status::Active) {
            Some(first) => self.parent(first),
            None => Some(end),
        }
    }

    /// Returns the first block on the way to `end` whose status is `wanted`, as that of all after it is. Costs the square of
    /// the logarithm.
    fn first(&self, root: u64, end: usize, wanted: impl Fn(Status) -> bool) -> Option<usize> {
        let is_wanted = |at: &usize| wanted(self.status(*at));
        let mut first = Some(end).filter(is_wanted)?;
        loop {
            let slot = self.slot(first);
            let is_above_root = slot.height_before().is_some_and(|before| before > root);
            let before = if is_above_root { slot.subtree.before.get() } else { None };
            let earlier = before.filter(is_wanted).or_else(|| slot.parent.get().filter(is_wanted));
            let Some(earlier) = earlier else { return Some(first) };
            first = earlier;
        }
    }

    /// Returns the smallest complete subtree of the history that ends with a child of `parent`.
    pub(super) fn subtree_of(
        &self,
        history: &History,
        parent: Option<usize>,
        id: &BlockId,
    ) -> Subtree {
        let leaves = self.leaves(history, parent);
        let peaks = self.peaks(history, parent);
        let root = MerkleTree::last_peak(leaves, peaks, MerkleTree::leaf(id.as_bytes()));
        let inside = usize::try_from(leaves.trailing_ones()).unwrap_or(usize::MAX);
        let before = self.subtree_ends(history, parent).nth(inside);
        Subtree { root, before: Link::from_option(before) }
    }

    /// Returns the root over the ids up to the block `end`: the history of the header after it.
    pub(super) fn history_root(&self, history: &History, end: Option<usize>) -> Hash {
        MerkleTree::root_of_peaks(self.peaks(history, end))
    }

    /// Returns the tree of the ids up to the block `end`.
    pub(super) fn history(&self, history: &History, end: usize) -> MerkleTree {
        let end = Some(end);
        MerkleTree::from_smallest_peaks(self.leaves(history, end), self.peaks(history, end))
    }

    /// Returns the number of ids up to the block `end`.
    fn leaves(&self, history: &History, end: Option<usize>) -> u64 {
        match end {
            Some(at) => self.slot(at).height().saturating_add(1),
            None => history.before.len().saturating_add(1),
        }
    }

    /// Returns the last blocks of the complete subtrees of a history as far as they are above the root, the smallest
    /// first.
    fn subtree_ends(
        self,
        history: &History,
        end: Option<usize>,
    ) -> impl Iterator<Item = usize> + 'a + use<'a> {
        let lowest = history.before.len(); // the height of the root
        core::iter::successors(end, move |at| {
            let slot = self.slot(*at);
            slot.height_before().filter(|before| *before > lowest)?;
            slot.subtree.before.get()
        })
    }

    /// Returns the roots of the complete subtrees of the history with the block `end`, the smallest one first. Costs no
    /// hash.
    fn peaks<'h>(
        self,
        history: &'h History,
        end: Option<usize>,
    ) -> impl Iterator<Item = Hash> + use<'a, 'h> {
        let count = usize::try_from(self.leaves(history, end).count_ones()).unwrap_or(0);
        let above = self.subtree_ends(history, end);
        let below = count.saturating_sub(self.subtree_ends(history, end).count());
        let merged = history.peak_count().saturating_sub(below);
        let above = above.map(move |at| self.slot(at).subtree.root);
        above.chain(history.peaks().skip(merged))
    }

    /// Returns the times of the last blocks up to `end`. `root` are those up to the root.
    fn times_at(&self, root: &Times, end: usize) -> Times {
        let mut times = [0; MEDIAN_SPAN];
        let above = self.path(Some(end)).map(|at| self.slot(at).header.time);
        let all = above.chain(root.as_slice().iter().copied());
        let mut len = 0_usize;
        for (place, time) in times.iter_mut().zip(all) {
            *place = time;
            len = len.saturating_add(1);
        }
        Times::of(times.get(..len).unwrap_or_default())
    }

    /// Returns the end of the branch that ends in a block.
    #[inline(never)] // builds the branch where the caller wants it
    pub(super) fn end_of_branch<E>(&self, root: &Branch<E>, end: usize) -> Branch<()> {
        Branch {
            genesis: root.genesis,
            tip: self.tip(end),
            engine: (),
            times: self.times_at(&root.times, end),
        }
    }

    /// Moves a branch on to a block that follows its end. `root` are the times up to the root.
    pub(super) fn move_branch<E: Engine>(&self, branch: &mut Branch<E>, root: &Times, end: usize) {
        self.replay(&mut branch.engine, branch.tip.height.0, end);
        branch.tip = self.tip(end);
        branch.times = self.times_at(root, end);
    }

    /// Moves an engine on from the ancestor at `height` to `end`.
    pub(super) fn replay<E: Engine>(&self, engine: &mut E, mut height: u64, end: usize) {
        let top = self.slot(end).height();
        while height < top {
            let next = top.min(height.saturating_add(u64::try_from(STRETCH).unwrap_or(u64::MAX)));
            let mut stretch = [end; STRETCH];
            let len = usize::try_from(next.saturating_sub(height)).unwrap_or(0);
            let stretch = stretch.get_mut(..len).unwrap_or_default();
            let path = self.path(self.ancestor(Some(end), next));
            for (place, at) in stretch.iter_mut().rev().zip(path) {
                *place = at;
            }
            for at in stretch.iter() {
                let slot = self.slot(*at);
                engine.apply(&slot.header, &slot.effects);
            }
            height = next;
        }
    }
}
