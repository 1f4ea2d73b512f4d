//! The root of the trie: each node that has changed is hashed once, in groups of equal height.
//!
//! Many changes are hashed one subtree after the other, each small enough for the cache of the processor.

use super::proof::{empty_root, inner_message};
use super::slot::{Inner, Link, MAX_DEPTH, Node, Slot, TrieRoot};
use crate::hash::{Hash, TwoBlocks};
use crate::merkle::HashPairs;

/// The number of messages that are hashed together: the lanes of the widest vectors.
const GROUP: usize = 16;
/// The number of changes in a subtree that is hashed at once, on average.
const SUBTREE_CHANGES: u32 = 64;
/// The largest number of leading bits of a key by which subtrees are told apart.
const MAX_CUT: u8 = 15;

/// The trie while it is hashed.
struct Rehash<'a> {
    slots: &'a mut [Slot],
    hasher: &'a mut dyn HashPairs,
    cut: u8, // nodes that decide by an earlier bit are above all subtrees
    below: Levels<MAX_DEPTH>,
    above: Levels<16>,
    messages: [TwoBlocks; GROUP],
    places: [Place; GROUP],
    len: usize, // of messages and places
}

/// Nodes to hash, in a list for each height.
struct Levels<const N: usize> {
    heads: [Link; N],
    height: usize, // lists in use
}

/// Where a hash belongs: into a node, for the child on a side.
#[derive(Clone, Copy)]
struct Place {
    parent: Link,
    side: usize,
}

/// Hashes what has changed, and returns the root.
pub(super) fn rehash(root: &mut TrieRoot, slots: &mut [Slot], hasher: &mut dyn HashPairs) -> Hash {
    if root.is_stale {
        root.hash = match root.top.node() {
            Node::None => empty_root(),
            Node::Leaf(index) => slots
                .get(index)
                .map_or(Hash::ZERO, |slot| Hash::of_two_blocks(&slot.leaf.message())),
            Node::Inner(_) => Rehash::new(root.changes, slots, hasher).run(root.top),
        };
        root.is_stale = false;
        root.changes = 0;
    }
    root.hash
}

impl<'a> Rehash<'a> {
    fn new(changes: u32, slots: &'a mut [Slot], hasher: &'a mut dyn HashPairs) -> Self {
        let subtrees = changes / SUBTREE_CHANGES;
        let cut = u8::try_from(subtrees.checked_ilog2().unwrap_or(0)).unwrap_or(MAX_CUT);
        Self {
            slots,
            hasher,
            cut: cut.min(MAX_CUT),
            below: Levels::EMPTY,
            above: Levels::EMPTY,
            messages: [[[0; 64]; 2]; GROUP],
            places: [Place { parent: Link::NONE, side: 0 }; GROUP],
            len: 0,
        }
    }

    /// Walks over the inner nodes that have changed, children before parents, up by links that are set on the way down.
    fn run(mut self, top: Link) -> Hash {
        let mut link = top;
        let mut first_side = 0;
        loop {
            if let Some(child) = self.next_child(link, first_side) {
                if let Some(below) = inner_mut(child, self.slots) {
                    below.parent = link;
                    below.height = 0;
                }
                link = child;
                first_side = 0;
            } else if link == top {
                return self.finish(top);
            } else if let Some(place) = self.list(link) {
                first_side = place.side.saturating_add(1);
                link = place.parent;
            } else {
                return Hash::ZERO;
            }
        }
    }

    /// Returns the next inner node under `link` that has changed, on `first_side` or the one after. Leaves on the way are
    /// hashed.
    fn next_child(&mut self, link: Link, first_side: usize) -> Option<Link> {
        for side in first_side..2 {
            let node = inner(link, self.slots)?;
            if !node.is_stale(side) {
                continue;
            }
            let child = *node.children.get(side)?;
            let Node::Leaf(index) = child.node() else { return Some(child) };
            let message = self.slots.get(index)?.leaf.message();
            self.push(message, Place { parent: link, side });
        }
        None
    }

    /// Lists a node all of whose children are listed, and returns its place. The node on top of a subtree completes that.
    fn list(&mut self, link: Link) -> Option<Place> {
        let node = inner_mut(link, self.slots)?;
        node.stale = 0;
        let parent = node.parent;
        let height = usize::from(node.height);
        let is_below = node.depth >= self.cut;
        node.next = if is_below {
            self.below.replace(height, link)
        } else {
            self.above.replace(height, link)
        };
        let height = node.height.saturating_add(1);
        let above = inner_mut(parent, self.slots)?;
        let side = above.side_of(link);
        if is_below && above.depth < self.cut {
            self.flush();
            self.hash_below();
        } else {
            above.height = above.height.max(height);
        }
        Some(Place { parent, side })
    }

    fn finish(mut self, top: Link) -> Hash {
        self.flush();
        self.hash_below();
        for height in 0..self.above.height {
            let head = self.above.replace(height, Link::NONE);
            self.hash_list(head);
        }
        let Some(top) = inner_mut(top, self.slots) else { return Hash::ZERO };
        top.stale = 0;
        top.height = 0;
        let [left, right] = &top.hashes;
        Hash::of_two_blocks(&inner_message(top.depth, left, right))
    }

    /// Hashes the nodes of a subtree, the lowest first.
    fn hash_below(&mut self) {
        for height in 0..self.below.height {
            let head = self.below.replace(height, Link::NONE);
            self.hash_list(head);
        }
        self.below.height = 0;
    }

    /// Hashes nodes of equal height.
    fn hash_list(&mut self, mut link: Link) {
        while let Some(node) = inner_mut(link, self.slots) {
            let [left, right] = &node.hashes;
            let message = inner_message(node.depth, left, right);
            let parent = node.parent;
            let next = node.next;
            node.parent = Link::NONE;
            node.next = Link::NONE;
            node.height = 0;
            let side = inner(parent, self.slots).map_or(0, |parent| parent.side_of(link));
            self.push(message, Place { parent, side });
            link = next;
        }
        self.flush();
    }

    /// Adds a message to the group.
    fn push(&mut self, message: TwoBlocks, place: Place) {
        if self.len == GROUP {
            self.flush();
        }
        let places = self.messages.get_mut(self.len).zip(self.places.get_mut(self.len));
        if let Some((message_slot, place_slot)) = places {
            *message_slot = message;
            *place_slot = place;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Hashes the group and writes the hashes into the parents.
    fn flush(&mut self) {
        let mut hashes = [Hash::ZERO; GROUP];
        let messages = self.messages.get(..self.len).unwrap_or_default();
        let hashes = hashes.get_mut(..self.len).unwrap_or_default();
        self.hasher.hash_messages(messages, hashes);
        for (hash, Place { parent, side }) in hashes.iter().zip(self.places) {
            let parent = inner_mut(parent, self.slots);
            if let Some(place) = parent.and_then(|parent| parent.hashes.get_mut(side)) {
                *place = *hash;
            }
        }
        self.len = 0;
    }
}

impl<const N: usize> Levels<N> {
    const EMPTY: Self = Self { heads: [Link::NONE; N], height: 0 };

    /// Puts another node at the head of the list of a height, and returns the one before.
    fn replace(&mut self, height: usize, link: Link) -> Link {
        self.height = self.height.max(height.saturating_add(1));
        self.heads.get_mut(height).map_or(Link::NONE, |head| core::mem::replace(head, link))
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
