//! Lists of users, linked through their slots.

use super::entries::{NONE, slot, slot_mut};
use super::link::{By, Link};
use super::slots::UserSlot;

/// The ends of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    by: By,
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const fn new(by: By) -> Self {
        Self { by, head: NONE, tail: NONE }
    }

    pub(super) const fn head(&self) -> u32 {
        self.head
    }

    pub(super) fn next(&self, users: &[UserSlot], at: u32) -> u32 {
        slot(users, at).map_or(NONE, |slot| slot.link(self.by).next)
    }

    /// Appends a user unless it is in the list.
    pub(super) fn push(&mut self, users: &mut [UserSlot], at: u32) {
        let by = self.by;
        let Some(slot) = slot_mut(users, at).filter(|slot| !slot.link(by).linked) else { return };
        *slot.link_mut(by) = Link { prev: self.tail, next: NONE, linked: true };
        match slot_mut(users, self.tail) {
            Some(last) => last.link_mut(by).next = at,
            None => self.head = at,
        }
        self.tail = at;
    }

    /// Removes a user if it is in the list.
    pub(super) fn remove(&mut self, users: &mut [UserSlot], at: u32) {
        let by = self.by;
        let Some(slot) = slot_mut(users, at).filter(|slot| slot.link(by).linked) else { return };
        let Link { prev, next, .. } = core::mem::replace(slot.link_mut(by), Link::NONE);
        match slot_mut(users, prev) {
            Some(before) => before.link_mut(by).next = next,
            None => self.head = next,
        }
        match slot_mut(users, next) {
            Some(after) => after.link_mut(by).prev = prev,
            None => self.tail = prev,
        }
    }
}
