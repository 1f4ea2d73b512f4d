//! The root of the trie: each node that has changed is hashed once, in groups of equal distance from the top.
//!
//! Many changes are hashed one subtree after the other, each small enough for the cache of the processor. A level of a
//! subtree is listed before any of its nodes is read, so that the memory can fetch many of them at once. The last node of a
//! level leads to the first one of the level above, so that the levels take no memory of their own.

use super::proof::{empty_root, inner_hash, put_inner_message, put_leaf_message};
use super::slot::{Inner, Link, Node, Slot, TrieRoot};
use crate::hash::{Hash, TwoBlocks};
use crate::merkle::{HashPairs, OneByOne};

/// The number of messages that are hashed together: the lanes of the widest vectors of the processors of this width.
const GROUP: usize = if cfg!(target_pointer_width = "64") { 16 } else { 4 };
/// The same where they are hashed one after the other. A wide processor waits for a message that was just written, so others
/// are written in between; a narrow one does not, and more would only take room on its stack.
const SMALL_GROUP: usize = if cfg!(target_pointer_width = "64") { 8 } else { 1 };
/// The number of changes in a subtree that is hashed at once, on average.
const SUBTREE_CHANGES: u32 = 64;
/// The largest number of levels above the subtrees.
const MAX_LEVELS_ABOVE: u32 = 16;

/// The trie while it is hashed.
struct Rehash<'a> {
    slots: &'a mut [Slot],
    hasher: &'a mut dyn HashPairs,
    messages: &'a mut [TwoBlocks],
    hashes: &'a mut [Hash],  // as many
    places: &'a mut [Place], // as many
    len: usize,              // of messages and places
}

/// Where a hash belongs: into a node, for the child on a side.
#[derive(Clone, Copy)]
struct Place {
    parent: Link,
    side: usize,
}

/// Hashes what has changed in groups, and returns the root.
pub(crate) fn rehash_with(
    root: &mut TrieRoot,
    slots: &mut [Slot],
    hasher: &mut dyn HashPairs,
) -> Hash {
    rehash_by::<GROUP>(root, slots, hasher)
}

/// Hashes what has changed one after the other, and returns the root.
pub(crate) fn rehash_one_by_one(root: &mut TrieRoot, slots: &mut [Slot]) -> Hash {
    rehash_by::<SMALL_GROUP>(root, slots, &mut OneByOne)
}

#[inline(never)] // the groups stand on the stack of no other function
fn rehash_by<const N: usize>(
    root: &mut TrieRoot,
    slots: &mut [Slot],
    hasher: &mut dyn HashPairs,
) -> Hash {
    let mut messages = const { [[[0; 64]; 2]; N] };
    let mut hashes = [Hash::ZERO; N];
    let mut places = [Place::NONE; N];
    rehash(root, slots, |slots| Rehash {
        slots,
        hasher,
        messages: &mut messages,
        hashes: &mut hashes,
        places: &mut places,
        len: 0,
    })
}

fn rehash<'a>(
    root: &mut TrieRoot,
    slots: &'a mut [Slot],
    begin: impl FnOnce(&'a mut [Slot]) -> Rehash<'a>,
) -> Hash {
    if root.is_stale {
        root.hash = match root.top.node() {
            Node::None => empty_root(),
            Node::Leaf(index) => slots.get(index).map_or(Hash::ZERO, |slot| slot.leaf.hash()),
            Node::Inner(_) => begin(slots).run(root.top, root.changes),
        };
        root.is_stale = false;
        root.changes = 0;
    }
    root.hash
}

impl Place {
    const NONE: Self = Self { parent: Link::NONE, side: 0 };
}

impl Rehash<'_> {
    fn run(&mut self, top: Link, changes: u32) -> Hash {
        let levels_above = (changes / SUBTREE_CHANGES).checked_ilog2().unwrap_or(0);
        match levels_above {
            0 => self.hash_below(top),
            _ => self.hash_all(top, levels_above.min(MAX_LEVELS_ABOVE)),
        }
        let Some(node) = inner(top, self.slots) else { return Hash::ZERO };
        let [left, right] = &node.hashes;
        inner_hash(node.depth, left, right)
    }

    /// Hashes all that has changed: the subtrees under the upper levels, then these.
    fn hash_all(&mut self, top: Link, levels_above: u32) {
        let (lowest, mut link) = self.list(top, levels_above);
        while let Some(node) = inner_mut(link, self.slots) {
            let next = core::mem::replace(&mut node.next, Link::NONE);
            self.hash_below(link);
            self.push_node(link);
            link = next;
        }
        self.flush();
        self.hash_levels(top, lowest);
    }

    /// Hashes all that has changed under a node.
    fn hash_below(&mut self, top: Link) {
        let (lowest, _) = self.list(top, u32::MAX);
        self.flush();
        self.hash_levels(top, lowest);
    }

    /// Lists the nodes that have changed, in at most this number of levels of which `top` alone is the first. Returns the
    /// first node of the lowest level, and of the one below it.
    fn list(&mut self, top: Link, max_levels: u32) -> (Link, Link) {
        let mut lowest = top;
        let mut levels = 1_u32;
        loop {
            let below = self.list_children(lowest);
            if levels >= max_levels || below.level_above().is_some() {
                return (lowest, below);
            }
            lowest = below;
            levels = levels.saturating_add(1);
        }
    }

    /// Lists the changed inner nodes below those of a level, without reading them. The changed leaves join the group.
    fn list_children(&mut self, level: Link) -> Link {
        let mut below = Link::end_of_level(level);
        let mut link = level;
        while let Some(node) = inner_mut(link, self.slots) {
            let next = node.next;
            let children = node.children;
            let stale = [node.is_stale(0), node.is_stale(1)];
            node.stale = 0;
            for ((side, child), is_stale) in children.into_iter().enumerate().zip(stale) {
                if !is_stale {
                    continue;
                }
                match child.node() {
                    Node::Leaf(index) => self.push_leaf(index, Place { parent: link, side }),
                    _ => {
                        if let Some(node) = inner_mut(child, self.slots) {
                            node.parent = link;
                            node.next = below;
                            below = child;
                        }
                    }
                }
            }
            link = next;
        }
        below
    }

    /// Hashes the levels from the lowest up to the one below `top`.
    fn hash_levels(&mut self, top: Link, lowest: Link) {
        let mut link = lowest;
        while link != top {
            let Some(next) = self.push_node(link) else { return };
            link = match next.level_above() {
                Some(above) => {
                    self.flush();
                    above
                }
                None => next,
            };
        }
    }

    /// Adds a node whose children are hashed to the group, and returns the next one of its level.
    fn push_node(&mut self, link: Link) -> Option<Link> {
        let parent = inner(link, self.slots)?.parent;
        let side = inner(parent, self.slots).map_or(0, |parent| parent.side_of(link));
        let at = self.push(Place { parent, side });
        let node = inner_mut(link, self.slots)?;
        let [left, right] = &node.hashes;
        if let Some(message) = self.messages.get_mut(at) {
            put_inner_message(node.depth, left, right, message);
        }
        let next = node.next;
        node.parent = Link::NONE;
        node.next = Link::NONE;
        Some(next)
    }

    fn push_leaf(&mut self, index: usize, place: Place) {
        let Some(slot) = self.slots.get(index) else { return };
        let value = slot.leaf.value.hash();
        let at = self.push(place);
        let slot = self.slots.get(index);
        if let Some((slot, message)) = slot.zip(self.messages.get_mut(at)) {
            put_leaf_message(&slot.leaf.key, &value, message);
        }
    }

    /// Makes room for a message in the group, and returns where it is to be laid out.
    fn push(&mut self, place: Place) -> usize {
        if self.len == self.messages.len() {
            self.flush();
        }
        let at = self.len;
        if let Some(slot) = self.places.get_mut(at) {
            *slot = place;
        }
        self.len = at.saturating_add(1);
        at
    }

    /// Hashes the group and writes the hashes into the parents.
    fn flush(&mut self) {
        let messages = self.messages.get(..self.len).unwrap_or_default();
        let hashes = self.hashes.get_mut(..self.len).unwrap_or_default();
        self.hasher.hash_messages(messages, hashes);
        for (hash, Place { parent, side }) in hashes.iter().zip(self.places.iter()) {
            let parent = inner_mut(*parent, self.slots);
            if let Some(place) = parent.and_then(|parent| parent.hashes.get_mut(*side)) {
                *place = *hash;
            }
        }
        self.len = 0;
    }
}

impl Inner {
    fn side_of(&self, child: Link) -> usize {
        let [left, _] = self.children;
        usize::from(left != child)
    }
}

fn inner(link: Link, slots: &[Slot]) -> Option<&Inner> {
    match link.node() {
        Node::Inner(index) => slots.get(index).map(|slot| &slot.inner),
        _ => None,
    }
}

fn inner_mut(link: Link, slots: &mut [Slot]) -> Option<&mut Inner> {
    match link.node() {
        Node::Inner(index) => slots.get_mut(index).map(|slot| &mut slot.inner),
        _ => None,
    }
}
