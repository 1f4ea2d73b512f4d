//! Where new nodes go. Slots are used in the order of the keys: the nodes of a subtree lie beside each other, and a path
//! through a large map touches few pages of memory.
//!
//! A region is 16 slots in a row. A key belongs to one region, and its nodes go there if there is room, or near it, or
//! anywhere. Taking and giving back a node cost O(1).

use super::entry::Key;
use super::slot::{Inner, Kind, Leaf, Link, List, Node, Slot, TrieRoot};
use crate::hash::Hash;

/// The number of slots of a region.
const REGION: usize = 16;
/// The regions that are tried around that of the key, by their distance; a distance below zero wraps.
const NEAR: [usize; 5] = [0, 1, usize::MAX, 2, usize::MAX - 1];

impl TrieRoot {
    /// Returns the number of entries.
    pub(crate) const fn count(&self) -> usize {
        self.len
    }

    /// Clears the slots.
    pub(crate) fn clear(slots: &mut [Slot]) -> Self {
        slots.fill(Slot::EMPTY);
        let mut root = Self {
            top: Link::NONE,
            hash: Hash::ZERO,
            is_stale: true,
            changes: 0,
            free_leaves: Link::NONE,
            free_inners: Link::NONE,
            len: 0,
        };
        release_all(&mut root, slots);
        root
    }
}

/// Lists all slots as free, in order.
fn release_all(root: &mut TrieRoot, slots: &mut [Slot]) {
    for index in (0..slots.len()).rev() {
        release(root, slots, Kind::Leaf, index);
        release(root, slots, Kind::Inner, index);
    }
}

/// Takes a free node near the place of a key.
pub(super) fn take(
    root: &mut TrieRoot,
    slots: &mut [Slot],
    kind: Kind,
    key: &Key,
) -> Option<usize> {
    let regions = slots.len().div_ceil(REGION);
    let home = home(key, regions);
    let near =
        NEAR.into_iter().find_map(|offset| take_from(root, slots, kind, home.wrapping_add(offset)));
    near.or_else(|| match head(root, kind).node() {
        Node::Inner(region) => take_from(root, slots, kind, region),
        _ => None,
    })
}

/// Gives a node back.
pub(super) fn release(root: &mut TrieRoot, slots: &mut [Slot], kind: Kind, index: usize) {
    let region = index / REGION;
    let Some(list) = list(slots, kind, region) else { return };
    let next = list.free;
    list.free = Link::inner(index);
    if let Some(slot) = slots.get_mut(index) {
        match kind {
            Kind::Leaf => slot.leaf = Leaf::free(next),
            Kind::Inner => {
                slot.inner = Inner::EMPTY;
                slot.inner.children = [next, Link::NONE];
            }
        }
    }
    if next == Link::NONE {
        link(root, slots, kind, region);
    }
}

fn take_from(root: &mut TrieRoot, slots: &mut [Slot], kind: Kind, region: usize) -> Option<usize> {
    let Node::Inner(index) = list(slots, kind, region)?.free.node() else { return None };
    let slot = slots.get(index)?;
    let next = match kind {
        Kind::Leaf => slot.leaf.next_free(),
        Kind::Inner => {
            let [next, _] = slot.inner.children;
            next
        }
    };
    list(slots, kind, region)?.free = next;
    if next == Link::NONE {
        unlink(root, slots, kind, region);
    }
    Some(index)
}

/// Puts a region at the front of the list of those with a free node.
fn link(root: &mut TrieRoot, slots: &mut [Slot], kind: Kind, region: usize) {
    let next = *head(root, kind);
    *head(root, kind) = Link::inner(region);
    if let Some(list) = list(slots, kind, region) {
        list.previous = Link::NONE;
        list.next = next;
    }
    if let Node::Inner(next) = next.node()
        && let Some(list) = list(slots, kind, next)
    {
        list.previous = Link::inner(region);
    }
}

fn unlink(root: &mut TrieRoot, slots: &mut [Slot], kind: Kind, region: usize) {
    let Some(own) = list(slots, kind, region) else { return };
    let previous = own.previous;
    let next = own.next;
    *own = List::EMPTY;
    match previous.node() {
        Node::Inner(previous) => {
            if let Some(list) = list(slots, kind, previous) {
                list.next = next;
            }
        }
        _ => *head(root, kind) = next,
    }
    if let Node::Inner(next) = next.node()
        && let Some(list) = list(slots, kind, next)
    {
        list.previous = previous;
    }
}

/// Returns the region of a key: as far among the regions as the key is among all keys.
fn home(key: &Key, regions: usize) -> usize {
    let [first, ..] = key.as_bytes().as_chunks::<8>().0 else { return 0 };
    let regions = u128::try_from(regions).unwrap_or(0);
    let home = u128::from(u64::from_be_bytes(*first)).saturating_mul(regions) >> 64;
    usize::try_from(home).unwrap_or(0)
}

fn head(root: &mut TrieRoot, kind: Kind) -> &mut Link {
    match kind {
        Kind::Leaf => &mut root.free_leaves,
        Kind::Inner => &mut root.free_inners,
    }
}

fn list(slots: &mut [Slot], kind: Kind, region: usize) -> Option<&mut List> {
    slots.get_mut(region.checked_mul(REGION)?).map(|slot| slot.region.list(kind))
}
