//! The tree of headers: children of one root, found by id through a seeded index.
//!
//! The index lies in the slots themselves.

use core::cmp::Ordering;

use super::slot::{HeaderSlot, Status};
use crate::branch::Branch;
use crate::buckets::{Link, bucket};
use crate::engine::{Engine, Tip, Weight};
use crate::error::Full;
use crate::hash::BlockId;
use crate::state::Effects;

/// Where the tree and its free slots begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeRoot {
    seed: u64,
    free: Link,
    first_child: Link, // of the root
    arrivals: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct TreeRef<'a> {
    root: &'a TreeRoot,
    slots: &'a [HeaderSlot],
}

/// How the engine compares two branches.
pub(super) type Prefer<'a> = &'a dyn Fn(&Tip, &Tip) -> Ordering;

#[derive(Debug)]
pub(super) struct Tree<'a> {
    root: &'a mut TreeRoot,
    slots: &'a mut [HeaderSlot],
}

impl TreeRoot {
    /// Clears the slots.
    pub(super) fn clear(seed: u64, slots: &mut [HeaderSlot]) -> Self {
        slots.fill(HeaderSlot::EMPTY);
        let mut root = Self { seed, free: Link::NONE, first_child: Link::NONE, arrivals: 0 };
        for (index, slot) in slots.iter_mut().enumerate().rev() {
            slot.next = root.free;
            root.free = Link::to(index);
        }
        root
    }

    fn bucket(&self, id: &BlockId, buckets: usize) -> Option<usize> {
        bucket(self.seed, id.as_bytes(), buckets)
    }
}

impl<'a> TreeRef<'a> {
    pub(super) const fn new(root: &'a TreeRoot, slots: &'a [HeaderSlot]) -> Self {
        Self { root, slots }
    }

    pub(super) fn find(&self, id: &BlockId) -> Option<usize> {
        let bucket = self.root.bucket(id, self.slots.len())?;
        let mut at = self.slot(bucket).bucket;
        while let Some(index) = at.get() {
            let slot = self.slot(index);
            if slot.id == *id {
                return Some(index);
            }
            at = slot.next;
        }
        None
    }

    pub(super) fn slot(&self, at: usize) -> &'a HeaderSlot {
        self.slots.get(at).unwrap_or(&HeaderSlot::EMPTY)
    }

    pub(super) fn status(&self, at: usize) -> Status {
        self.slot(at).status
    }

    pub(super) fn id(&self, at: usize) -> BlockId {
        self.slot(at).id
    }

    pub(super) fn tip(&self, at: usize) -> Tip {
        self.slot(at).tip()
    }

    /// Returns the parent, or `None` if that is the root.
    pub(super) fn parent(&self, at: usize) -> Option<usize> {
        self.slot(at).parent.get()
    }

    /// Returns a block and its ancestors up to the root, which is not among them.
    pub(super) fn path(self, end: Option<usize>) -> impl Iterator<Item = usize> + 'a {
        core::iter::successors(end, move |at| self.parent(*at))
    }

    /// Returns the headers that may be better than the tip.
    pub(super) fn candidates(&self) -> impl Iterator<Item = usize> + 'a {
        let usable = |slot: &HeaderSlot| matches!(slot.status, Status::Header | Status::Trial);
        self.slots.iter().enumerate().filter(move |(_, slot)| usable(slot)).map(|(at, _)| at)
    }

    /// Moves a branch on to a header that follows its tip.
    pub(super) fn apply<E: Engine>(&self, at: usize, branch: &mut Branch<E>) {
        let slot = self.slot(at);
        let own = slot.weight.0.saturating_sub(branch.tip.weight.0);
        branch.apply(&slot.header, slot.id, Weight(own), &slot.effects);
    }
}

impl<'a> Tree<'a> {
    pub(super) const fn new(root: &'a mut TreeRoot, slots: &'a mut [HeaderSlot]) -> Self {
        Self { root, slots }
    }

    fn as_ref(&self) -> TreeRef<'_> {
        TreeRef::new(self.root, self.slots)
    }

    /// Changes a slot. An index that is out of range is ignored.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut HeaderSlot)) {
        if let Some(slot) = self.slots.get_mut(at) {
            change(slot);
        }
    }

    /// Stores a header, in the place of the worst one if the tree is full. What is on the chain, pinned, or an
    /// ancestor of anything stays. It is parked if its parent is.
    pub(super) fn insert(
        &mut self,
        mut slot: HeaderSlot,
        parent: Option<usize>,
        pinned: [Option<usize>; 4],
        prefer: Prefer<'_>,
    ) -> Result<usize, Full> {
        let full = Full { capacity: self.slots.len() };
        if self.root.free == Link::NONE {
            let worst = self.worst(&slot, parent, pinned, prefer).ok_or(full)?;
            self.remove(worst);
        }
        let at = self.root.free.get().ok_or(full)?;
        self.root.free = self.as_ref().slot(at).next;
        self.root.arrivals = self.root.arrivals.saturating_add(1);
        slot.arrival = self.root.arrivals;
        slot.parent = Link::from_option(parent);
        if parent.is_some_and(|parent| self.as_ref().status(parent) == Status::Parked) {
            slot.status = Status::Parked;
        }
        slot.next_sibling = core::mem::replace(self.first_child_mut(parent), Link::to(at));
        slot.bucket = self.as_ref().slot(at).bucket; // belongs to the index, not to the header
        let id = slot.id;
        self.change(at, |place| *place = slot);
        if let Some(bucket) = self.root.bucket(&id, self.slots.len()) {
            let next = self.as_ref().slot(bucket).bucket;
            self.change(bucket, |slot| slot.bucket = Link::to(at));
            self.change(at, |slot| slot.next = next);
        }
        Ok(at)
    }

    fn first_child_mut(&mut self, parent: Option<usize>) -> &mut Link {
        match parent.and_then(|parent| self.slots.get_mut(parent)) {
            Some(slot) => &mut slot.first_child,
            None => &mut self.root.first_child,
        }
    }

    /// Returns the worst header that may go, if it is worse than `new`.
    fn worst(
        &self,
        new: &HeaderSlot,
        parent: Option<usize>,
        pinned: [Option<usize>; 4],
        prefer: Prefer<'_>,
    ) -> Option<usize> {
        let new = new.tip();
        let evictable = |(at, slot): &(usize, &HeaderSlot)| {
            let idle = matches!(slot.status, Status::Header | Status::Parked | Status::Invalid);
            let needed = pinned.contains(&Some(*at)) || parent == Some(*at);
            let is_leaf = slot.first_child == Link::NONE;
            idle && !needed && is_leaf && prefer(&slot.tip(), &new) == Ordering::Less
        };
        let candidates = self.slots.iter().enumerate().filter(evictable);
        let worst = candidates.min_by(|(_, one), (_, other)| {
            prefer(&one.tip(), &other.tip()).then(one.arrival.cmp(&other.arrival))
        });
        worst.map(|(at, _)| at)
    }

    /// Frees the slot of a header without children.
    fn remove(&mut self, at: usize) {
        let HeaderSlot { id, parent, next_sibling, next, .. } = *self.as_ref().slot(at);
        let mut previous = None;
        let mut sibling = *self.first_child_mut(parent.get());
        while let Some(index) = sibling.get().filter(|index| *index != at) {
            previous = Some(index);
            sibling = self.as_ref().slot(index).next_sibling;
        }
        match previous {
            Some(previous) => self.change(previous, |slot| slot.next_sibling = next_sibling),
            None => *self.first_child_mut(parent.get()) = next_sibling,
        }
        self.unlink(&id, next, at);
        let free = self.root.free;
        self.change(at, |place| {
            let bucket = place.bucket;
            *place = HeaderSlot::EMPTY;
            place.bucket = bucket;
            place.next = free;
        });
        self.root.free = Link::to(at);
    }

    /// Takes a header out of the index. `next` is the one after it.
    fn unlink(&mut self, id: &BlockId, next: Link, at: usize) {
        let Some(bucket) = self.root.bucket(id, self.slots.len()) else { return };
        let mut link = self.as_ref().slot(bucket).bucket;
        if link.get() == Some(at) {
            self.change(bucket, |head| head.bucket = next);
            return;
        }
        while let Some(index) = link.get() {
            link = self.as_ref().slot(index).next;
            if link.get() == Some(at) {
                self.change(index, |before| before.next = next);
                return;
            }
        }
    }

    /// Gives a block and all that follow it the status `to`, where `applies` to the present one.
    pub(super) fn set_status(&mut self, first: usize, applies: &[Status], to: Status) {
        let mut next = Some(first);
        while let Some(at) = next {
            if applies.contains(&self.as_ref().status(at)) {
                self.change(at, |slot| slot.status = to);
            }
            next = self.next_in_subtree(first, at);
        }
    }

    /// Makes all parked headers candidates again.
    pub(super) fn unpark_all(&mut self) {
        for at in 0..self.slots.len() {
            if self.as_ref().status(at) == Status::Parked {
                self.change(at, |slot| slot.status = Status::Header);
            }
        }
    }

    /// Returns the header after `at` in a walk over all that follow `top`, parents first.
    fn next_in_subtree(&self, top: usize, at: usize) -> Option<usize> {
        let tree = self.as_ref();
        if let Some(child) = tree.slot(at).first_child.get() {
            return Some(child);
        }
        let mut up = tree.path(Some(at)).take_while(|at| *at != top);
        up.find_map(|at| tree.slot(at).next_sibling.get())
    }

    /// Makes an active child of the root the new root. Every branch that does not continue it goes.
    pub(super) fn advance_root(&mut self, new_root: usize) {
        let mut child = self.root.first_child;
        while let Some(at) = child.get() {
            child = self.as_ref().slot(at).next_sibling;
            if at != new_root {
                self.remove_subtree(at);
            }
        }
        let children = self.as_ref().slot(new_root).first_child;
        let mut child = children;
        while let Some(at) = child.get() {
            child = self.as_ref().slot(at).next_sibling;
            self.change(at, |slot| slot.parent = Link::NONE);
        }
        self.change(new_root, |slot| slot.first_child = Link::NONE);
        self.remove(new_root);
        self.root.first_child = children;
    }

    /// Frees a child of the root and all that follow it, children first.
    fn remove_subtree(&mut self, top: usize) {
        let mut next = Some(top);
        while let Some(at) = next {
            next = self.as_ref().slot(at).first_child.get();
            if next.is_none() {
                next = self.as_ref().parent(at);
                self.remove(at);
            }
        }
    }

    /// Takes executed blocks, from `end` on towards the root, back to headers while they have this status.
    pub(super) fn unexecute(&mut self, end: Option<usize>, status: Status, count: u32) {
        let mut at = end;
        for _ in 0..count {
            let Some(index) = at.filter(|at| self.as_ref().status(*at) == status) else { return };
            self.change(index, |slot| {
                slot.status = Status::Header;
                slot.writes = 0;
                slot.keep_due = false;
            });
            at = self.as_ref().parent(index);
        }
    }

    /// Records that a block is executed.
    pub(super) fn set_executed(&mut self, at: usize, tip: &Tip, writes: usize, effects: &Effects) {
        self.change(at, |slot| {
            slot.status = Status::Trial;
            slot.weight = tip.weight;
            slot.writes = writes;
            slot.effects = *effects;
            slot.keep_due = !slot.saved;
        });
    }
}
