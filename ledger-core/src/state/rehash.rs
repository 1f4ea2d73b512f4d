//! The root of the trie: each node that has changed is hashed once, in groups of equal height.

use super::proof::{empty_root, inner_message};
use super::slot::{Inner, Link, MAX_DEPTH, Node, Slot, TrieRoot};
use crate::hash::{Hash, TwoBlocks};
use crate::merkle::HashPairs;

/// The number of messages that are hashed together: the lanes of the widest vectors.
const GROUP: usize = 16;

/// Messages that wait to be hashed together, and where their hashes belong.
struct Group<'h> {
    messages: [TwoBlocks; GROUP],
    places: [(Link, usize); GROUP], // parent and side
    len: usize,
    hasher: &'h mut dyn HashPairs,
}

/// The nodes to hash, in a list for each height.
struct Levels([Link; MAX_DEPTH]);

/// Hashes what has changed, and returns the root.
pub(super) fn rehash(root: &mut TrieRoot, slots: &mut [Slot], hasher: &mut dyn HashPairs) -> Hash {
    if root.is_stale {
        root.is_stale = false;
        root.hash = hash_top(root.top, slots, hasher);
    }
    root.hash
}

fn hash_top(top: Link, slots: &mut [Slot], hasher: &mut dyn HashPairs) -> Hash {
    let mut group =
        Group { messages: [[[0; 64]; 2]; GROUP], places: [(Link::NONE, 0); GROUP], len: 0, hasher };
    match top.node() {
        Node::None => empty_root(),
        Node::Leaf(index) => {
            slots.get(index).map_or(Hash::ZERO, |slot| Hash::of_two_blocks(&slot.leaf.message()))
        }
        Node::Inner(_) => {
            let levels = collect(top, slots, &mut group);
            group.flush(slots);
            hash_levels(&levels, slots, &mut group);
            inner(top, slots).map_or(Hash::ZERO, |top| {
                let [left, right] = &top.hashes;
                Hash::of_two_blocks(&inner_message(top.depth, left, right))
            })
        }
    }
}

/// Hashes the leaves that have changed, and lists the inner nodes below the top that have, by height. Walks up by
/// links to the parents, which are set on the way down.
fn collect(top: Link, slots: &mut [Slot], group: &mut Group<'_>) -> Levels {
    let mut levels = Levels([Link::NONE; MAX_DEPTH]);
    let mut link = top;
    let mut first_side = 0;
    loop {
        if let Some(child) = next_child(link, first_side, slots, group) {
            if let Some(below) = inner_mut(child, slots) {
                below.parent = link;
                below.height = 0;
            }
            link = child;
            first_side = 0;
            continue;
        }
        let Some(node) = inner_mut(link, slots) else { return levels };
        node.stale = 0;
        if link == top {
            node.height = 0;
            return levels;
        }
        let parent = node.parent;
        let height = node.height;
        if let Some(head) = levels.0.get_mut(usize::from(height)) {
            node.next = *head;
            *head = link;
        }
        let Some(above) = inner_mut(parent, slots) else { return levels };
        above.height = above.height.max(height.saturating_add(1));
        first_side = above.side_of(link).saturating_add(1);
        link = parent;
    }
}

/// Returns the next inner node under `link` that is to be hashed, on `first_side` or the one after. Leaves on the way
/// join the group.
fn next_child(
    link: Link,
    first_side: usize,
    slots: &mut [Slot],
    group: &mut Group<'_>,
) -> Option<Link> {
    for side in first_side..2 {
        let node = inner(link, slots)?;
        if !node.is_stale(side) {
            continue;
        }
        let child = *node.children.get(side)?;
        let Node::Leaf(index) = child.node() else { return Some(child) };
        let message = slots.get(index)?.leaf.message();
        group.push(message, (link, side), slots);
    }
    None
}

/// Hashes the nodes of each height, the lowest first.
fn hash_levels(levels: &Levels, slots: &mut [Slot], group: &mut Group<'_>) {
    for head in &levels.0 {
        let mut link = *head;
        while let Some(node) = inner_mut(link, slots) {
            let [left, right] = &node.hashes;
            let message = inner_message(node.depth, left, right);
            let parent = node.parent;
            let next = node.next;
            node.parent = Link::NONE;
            node.next = Link::NONE;
            node.height = 0;
            let side = inner(parent, slots).map_or(0, |parent| parent.side_of(link));
            group.push(message, (parent, side), slots);
            link = next;
        }
        group.flush(slots);
    }
}

impl Group<'_> {
    fn push(&mut self, message: TwoBlocks, place: (Link, usize), slots: &mut [Slot]) {
        if self.len == GROUP {
            self.flush(slots);
        }
        if let Some((message_slot, place_slot)) =
            self.messages.get_mut(self.len).zip(self.places.get_mut(self.len))
        {
            *message_slot = message;
            *place_slot = place;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Hashes the group and writes the hashes into the parents.
    fn flush(&mut self, slots: &mut [Slot]) {
        let mut hashes = [Hash::ZERO; GROUP];
        let messages = self.messages.get(..self.len).unwrap_or_default();
        let used = hashes.get_mut(..self.len).unwrap_or_default();
        self.hasher.hash_messages(messages, used);
        for (hash, (parent, side)) in used.iter().zip(self.places) {
            let place = inner_mut(parent, slots).and_then(|parent| parent.hashes.get_mut(side));
            if let Some(place) = place {
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
