//! The tree of headers in caller-provided slots.

use crate::branch::Branch;
use crate::engine::{Engine, Tip, Weight};
use crate::error::Full;
use crate::hash::BlockId;
use crate::hash::Hash;
use crate::header::{Claim, Header, Height};
use crate::policy::Account;
use crate::state::Effects;

/// Room for one header of any branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderSlot {
    header: Header,
    id: BlockId,
    parent: Parent,
    status: Status,
    weight: Weight, // of the branch up to here
    arrival: u64,
    writes: usize, // in the journal, while active
    effects: Effects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    Root,
    Slot(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Free,
    /// Checked; its body is not executed.
    Header,
    /// Executed, on the branch under trial.
    Trial,
    /// On the chain.
    Active,
    /// Its body, or that of an ancestor, is invalid.
    Invalid,
    /// Given up.
    Parked,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TreeRef<'a> {
    slots: &'a [HeaderSlot],
}

#[derive(Debug)]
pub(crate) struct Tree<'a> {
    slots: &'a mut [HeaderSlot],
}

impl HeaderSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        header: Header {
            height: Height(0),
            parent: BlockId::from_bytes([0; 32]),
            body_size: 0,
            body_root: Hash::ZERO,
            state: Hash::ZERO,
            history: Hash::ZERO,
            time: 0,
            author: Account::from_bytes([0; 32]),
            claim: Claim::NONE,
        },
        id: BlockId::from_bytes([0; 32]),
        parent: Parent::Root,
        status: Status::Free,
        weight: Weight(0),
        arrival: 0,
        writes: 0,
        effects: Effects::NONE,
    };

    pub(crate) const fn new(
        header: Header,
        id: BlockId,
        parent: Parent,
        weight: Weight,
        arrival: u64,
    ) -> Self {
        Self {
            header,
            id,
            parent,
            status: Status::Header,
            weight,
            arrival,
            writes: 0,
            effects: Effects::NONE,
        }
    }

    fn tip(&self) -> Tip {
        Tip {
            height: self.header.height,
            id: self.id,
            time: self.header.time,
            state: self.header.state,
            weight: self.weight,
        }
    }
}

impl<'a> TreeRef<'a> {
    pub(crate) const fn new(slots: &'a [HeaderSlot]) -> Self {
        Self { slots }
    }

    pub(crate) fn find(&self, id: &BlockId) -> Option<usize> {
        let is_it = |slot: &HeaderSlot| slot.status != Status::Free && slot.id == *id;
        self.slots.iter().position(is_it)
    }

    fn slot(&self, at: usize) -> &'a HeaderSlot {
        self.slots.get(at).unwrap_or(&HeaderSlot::EMPTY)
    }

    pub(crate) fn status(&self, at: usize) -> Status {
        self.slot(at).status
    }

    pub(crate) fn id(&self, at: usize) -> BlockId {
        self.slot(at).id
    }

    pub(crate) fn tip(&self, at: usize) -> Tip {
        self.slot(at).tip()
    }

    pub(crate) fn arrival(&self, at: usize) -> u64 {
        self.slot(at).arrival
    }

    pub(crate) fn writes(&self, at: usize) -> usize {
        self.slot(at).writes
    }

    pub(crate) fn parent(&self, at: usize) -> Option<usize> {
        match self.slot(at).parent {
            Parent::Root => None,
            Parent::Slot(parent) => Some(parent),
        }
    }

    /// Returns the headers that may be better than the tip.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = usize> + 'a {
        let usable = |slot: &HeaderSlot| matches!(slot.status, Status::Header | Status::Trial);
        self.slots.iter().enumerate().filter(move |(_, slot)| usable(slot)).map(|(at, _)| at)
    }

    /// Returns the block after `after` on the way to `end`.
    pub(crate) fn ancestor_after(&self, end: usize, after: &BlockId) -> Option<usize> {
        let mut at = end;
        while self.slot(at).header.parent != *after {
            at = self.parent(at)?;
        }
        Some(at)
    }

    /// Returns the first block on the way to `end` that is not executed.
    pub(crate) fn next_to_execute(&self, end: usize) -> Option<BlockId> {
        let mut at = Some(end);
        let mut next = None;
        while let Some(index) = at {
            if matches!(self.status(index), Status::Active | Status::Trial) {
                break;
            }
            next = Some(self.id(index));
            at = self.parent(index);
        }
        next
    }

    /// Returns the last block of the chain on the way to `end`, or `None` for the root.
    pub(crate) fn fork(&self, end: usize) -> Option<usize> {
        let mut at = Some(end);
        while let Some(index) = at
            && self.status(index) != Status::Active
        {
            at = self.parent(index);
        }
        at
    }

    /// Moves a branch on to a header that follows its tip.
    pub(crate) fn apply<E: Engine>(&self, at: usize, branch: &mut Branch<E>) {
        let slot = self.slot(at);
        let own = slot.weight.0.saturating_sub(branch.tip.weight.0);
        branch.apply(&slot.header, slot.id, Weight(own), &slot.effects);
    }
}

impl<'a> Tree<'a> {
    pub(crate) const fn new(slots: &'a mut [HeaderSlot]) -> Self {
        Self { slots }
    }

    pub(crate) fn as_ref(&self) -> TreeRef<'_> {
        TreeRef::new(self.slots)
    }

    /// Stores a header, in the place of the least one if the tree is full. What is on the chain, on the way to `keep`,
    /// or an ancestor of anything stays.
    pub(crate) fn insert(&mut self, slot: &HeaderSlot, keep: Option<usize>) -> Result<(), Full> {
        let capacity = self.slots.len();
        let free = self.slots.iter().position(|slot| slot.status == Status::Free);
        let place = free.or_else(|| self.least(slot, keep)).ok_or(Full { capacity })?;
        if let Some(place) = self.slots.get_mut(place) {
            *place = *slot;
        }
        Ok(())
    }

    /// Returns the header of the least weight that may go, if that is less than the weight of `new`.
    fn least(&self, new: &HeaderSlot, keep: Option<usize>) -> Option<usize> {
        let evictable = |(at, slot): &(usize, &HeaderSlot)| {
            let idle = matches!(slot.status, Status::Header | Status::Parked | Status::Invalid);
            let is_parent = |other: &HeaderSlot| {
                other.status != Status::Free && other.parent == Parent::Slot(*at)
            };
            let needed = keep == Some(*at) || new.parent == Parent::Slot(*at);
            idle && !needed && slot.weight < new.weight && !self.slots.iter().any(is_parent)
        };
        let candidates = self.slots.iter().enumerate().filter(evictable);
        candidates.min_by_key(|(_, slot)| (slot.weight, slot.arrival)).map(|(at, _)| at)
    }

    pub(crate) fn set(&mut self, at: usize, status: Status, writes: usize, effects: Effects) {
        if let Some(slot) = self.slots.get_mut(at) {
            slot.status = status;
            slot.writes = writes;
            slot.effects = effects;
        }
    }

    /// Gives all blocks of one status another.
    pub(crate) fn replace_status(&mut self, from: Status, to: Status) {
        for slot in self.slots.iter_mut().filter(|slot| slot.status == from) {
            slot.status = to;
        }
    }

    /// Gives a block and all that follow it a status.
    pub(crate) fn condemn(&mut self, first: usize, status: Status) {
        if let Some(slot) = self.slots.get_mut(first) {
            slot.status = status;
        }
        loop {
            let condemned = |parent: Parent| match parent {
                Parent::Slot(at) => self.slots.get(at).is_some_and(|slot| slot.status == status),
                Parent::Root => false,
            };
            let follows =
                |slot: &HeaderSlot| slot.status == Status::Header && condemned(slot.parent);
            let Some(next) = self.slots.iter().position(follows) else { return };
            if let Some(slot) = self.slots.get_mut(next) {
                slot.status = status;
            }
        }
    }

    /// Makes an active block the root: it goes, and so does every branch that does not continue it.
    pub(crate) fn advance_root(&mut self, new_root: usize) {
        let mut freed = true;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.parent == Parent::Root && at != new_root {
                slot.status = Status::Free;
            }
        }
        while freed {
            freed = false;
            for at in 0..self.slots.len() {
                let Some(slot) = self.slots.get(at).copied() else { continue };
                let orphaned = match slot.parent {
                    Parent::Slot(parent) => self.as_ref().status(parent) == Status::Free,
                    Parent::Root => false,
                };
                if slot.status != Status::Free && orphaned {
                    self.free(at);
                    freed = true;
                }
            }
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.parent == Parent::Slot(new_root)) {
            slot.parent = Parent::Root;
        }
        self.free(new_root);
        for slot in self.slots.iter_mut().filter(|slot| slot.status == Status::Free) {
            *slot = HeaderSlot::EMPTY;
        }
    }

    fn free(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = HeaderSlot::EMPTY;
        }
    }
}
