//! The nodes of the map in caller-provided slots, and the reading of them.

use super::entry::{Key, Value};
use super::proof::{HEAD_LEN, STEP_LEN, leaf_hash};
use crate::hash::Hash;

pub(super) const MAX_DEPTH: usize = 256; // bits of a key
/// The number of keys that go down the trie together: as many reads as a processor waits for at once.
pub(super) const IN_STEP: usize = 16; // keys that go down together

/// Room for one entry: its leaf, and one of the inner nodes.
///
/// What a lookup reads of an inner node lies in one line of the processor's cache, and the leaf behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(target_pointer_width = "64", repr(C, align(64)))]
pub struct Slot {
    pub(super) inner: Inner,
    pub(super) region: Region,
    pub(super) leaf: Leaf,
}

/// A leaf. A free one has its successor in the list of free ones as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Leaf {
    pub(super) key: Key,
    pub(super) value: Value,
}

/// An inner node. It holds the hashes of its children, so that hashing it reads nothing else. A free one has its
/// successor in the list of free ones on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Inner {
    pub(super) hashes: [Hash; 2],
    pub(super) children: [Link; 2], // by the bit at `depth`
    pub(super) parent: Link,        // only while the trie is hashed
    pub(super) next: Link,          // of the same level, or its end; only while the trie is hashed
    pub(super) depth: u8,
    pub(super) stale: u8, // a bit for each hash that is not that of the child
}

/// Leaves and inner nodes are taken one by one: a slot may have a free one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Inner,
}

/// The free nodes of a region of slots, in its first slot. A region with a free node of a kind is in the list of that
/// kind, whose links are numbers of regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    leaves: List,
    inners: List,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    pub(super) free: Link,
    pub(super) previous: Link,
    pub(super) next: Link,
}

impl Region {
    pub(super) const EMPTY: Self = Self { leaves: List::EMPTY, inners: List::EMPTY };

    pub(super) fn list(&mut self, kind: Kind) -> &mut List {
        match kind {
            Kind::Leaf => &mut self.leaves,
            Kind::Inner => &mut self.inners,
        }
    }
}

impl List {
    pub(super) const EMPTY: Self =
        Self { free: Link::NONE, previous: Link::NONE, next: Link::NONE };
}

/// A node: 0 for none, or its index and 1, with the highest bit set for a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

pub(super) enum Node {
    None,
    Leaf(usize),
    Inner(usize),
}

/// Where the trie begins, and its free slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TrieRoot {
    pub(super) top: Link,
    pub(super) hash: Hash,
    pub(super) is_stale: bool,    // the hash is not that of the top
    pub(super) changes: u32,      // since the root was hashed
    pub(super) free_leaves: Link, // regions that have one
    pub(super) free_inners: Link,
    pub(super) len: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct TrieRef<'a> {
    pub(crate) root: &'a TrieRoot,
    pub(crate) slots: &'a [Slot],
}

/// The entries of a map, in the order of their keys.
pub(crate) struct Entries<'a> {
    trie: TrieRef<'a>,
    next: Link,
    stack: [Link; MAX_DEPTH], // what comes after `next`
    len: usize,
}

impl Slot {
    /// A free slot.
    pub const EMPTY: Self = Self { inner: Inner::EMPTY, region: Region::EMPTY, leaf: Leaf::EMPTY };
}

impl Leaf {
    const EMPTY: Self = Self { key: Key::from_bytes([0; 32]), value: Value::EMPTY };

    /// Returns a free leaf.
    pub(super) fn free(next: Link) -> Self {
        Self { value: Value::of_parts(&[&next.0.to_be_bytes()]), ..Self::EMPTY }
    }

    /// Returns the successor of a free leaf in the list of free ones.
    pub(super) fn next_free(&self) -> Link {
        let bytes = self.value.as_bytes().first_chunk();
        bytes.map_or(Link::NONE, |bytes| Link(u32::from_be_bytes(*bytes)))
    }
}

impl Inner {
    pub(super) const EMPTY: Self = Self {
        hashes: [Hash::ZERO; 2],
        children: [Link::NONE; 2],
        parent: Link::NONE,
        next: Link::NONE,
        depth: 0,
        stale: 0,
    };
}

impl Link {
    pub(super) const NONE: Self = Self(0);
    const LEAF: u32 = 1 << 31;

    pub(super) fn leaf(index: usize) -> Self {
        Self(Self::inner(index).0 | Self::LEAF)
    }

    pub(super) fn inner(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Returns what ends a level: it names the first node of the level above.
    pub(super) const fn end_of_level(above: Self) -> Self {
        Self(above.0 | Self::LEAF)
    }

    /// Returns the first node of the level above, if the level ends here.
    pub(super) const fn level_above(self) -> Option<Self> {
        if self.0 & Self::LEAF == 0 { None } else { Some(Self(self.0 & !Self::LEAF)) }
    }

    #[inline]
    pub(super) fn node(self) -> Node {
        let index = usize::try_from(self.0 & !Self::LEAF).unwrap_or(usize::MAX);
        match index.checked_sub(1) {
            None => Node::None,
            Some(index) if self.0 & Self::LEAF == 0 => Node::Inner(index),
            Some(index) => Node::Leaf(index),
        }
    }
}

impl<'a> TrieRef<'a> {
    pub(crate) fn get(&self, key: &Key) -> Option<Value> {
        self.value_of(self.nearest(key)?, key)
    }

    /// Writes the value of each key to `values`. The keys of a group go down the trie in step: their nodes are read
    /// without waiting for each other.
    pub(super) fn get_each(&self, keys: &[Key], values: &mut [Option<Value>]) {
        for (keys, values) in keys.chunks(IN_STEP).zip(values.chunks_mut(IN_STEP)) {
            let links = self.nearest_each(keys);
            for ((key, link), value) in keys.iter().zip(links).zip(values) {
                *value = match link.node() {
                    Node::Leaf(index) => self.value_of(index, key),
                    _ => None,
                };
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.root.len
    }

    /// Returns all entries, in the order of their keys.
    pub(crate) fn entries(self) -> Entries<'a> {
        Entries { trie: self, next: self.root.top, stack: [Link::NONE; MAX_DEPTH], len: 0 }
    }

    /// Returns the length in bytes of the proof for a key.
    pub(crate) fn proof_len(&self, key: &Key) -> usize {
        let mut len = HEAD_LEN;
        let mut link = self.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = self.inner(index) else { break };
            len = len.saturating_add(STEP_LEN);
            link = inner.child(key);
        }
        len
    }

    /// Returns the leaf to which the bits of a key lead.
    pub(super) fn nearest(&self, key: &Key) -> Option<usize> {
        let mut link = self.root.top;
        for _ in 0..=MAX_DEPTH {
            match link.node() {
                Node::None => return None,
                Node::Leaf(index) => return Some(index),
                Node::Inner(index) => link = self.inner(index)?.child(key),
            }
        }
        None
    }

    /// Returns the leaves to which the bits of up to [`IN_STEP`] keys lead.
    fn nearest_each(&self, keys: &[Key]) -> [Link; IN_STEP] {
        let mut links = [self.root.top; IN_STEP];
        for _ in 0..MAX_DEPTH {
            let mut is_done = true;
            for (key, link) in keys.iter().zip(&mut links) {
                if let Node::Inner(index) = link.node() {
                    *link = self.inner(index).map_or(Link::NONE, |inner| inner.child(key));
                    is_done = false;
                }
            }
            if is_done {
                break;
            }
        }
        links
    }

    /// Returns the value of a key if the leaf is its own.
    fn value_of(&self, index: usize, key: &Key) -> Option<Value> {
        let leaf = self.leaf(index)?;
        (leaf.key == *key).then_some(leaf.value)
    }

    pub(super) fn leaf(&self, index: usize) -> Option<&'a Leaf> {
        self.slots.get(index).map(|slot| &slot.leaf)
    }

    pub(super) fn inner(&self, index: usize) -> Option<&'a Inner> {
        self.slots.get(index).map(|slot| &slot.inner)
    }
}

impl Inner {
    /// Returns the side of a key: 0 or 1.
    #[inline]
    pub(super) fn side(&self, key: &Key) -> usize {
        usize::from(key.bit(self.depth))
    }

    #[inline]
    pub(super) fn child(&self, key: &Key) -> Link {
        let [left, right] = self.children;
        if key.bit(self.depth) { right } else { left }
    }

    pub(super) fn sibling(&self, key: &Key) -> Link {
        let [left, right] = self.children;
        if key.bit(self.depth) { left } else { right }
    }

    pub(super) fn sibling_hash(&self, key: &Key) -> Hash {
        let [left, right] = self.hashes;
        if key.bit(self.depth) { left } else { right }
    }

    /// Notes that the child on a side has changed.
    #[inline]
    pub(super) fn mark(&mut self, side: usize) {
        self.stale |= mask(side);
    }

    pub(super) fn is_stale(&self, side: usize) -> bool {
        self.stale & mask(side) != 0
    }
}

impl Leaf {
    /// Returns the hash of the leaf.
    pub(super) fn hash(&self) -> Hash {
        leaf_hash(&self.key, &self.value.hash())
    }
}

fn mask(side: usize) -> u8 {
    if side == 0 { 1 } else { 2 }
}

impl Entries<'_> {
    /// Passes over the entries before a key. None was taken yet.
    pub(crate) fn skip_to(&mut self, from: &Key) {
        let trie = self.trie;
        let nearest = trie.nearest(from).and_then(|index| trie.leaf(index));
        let fork = nearest.and_then(|leaf| leaf.key.first_difference(from));
        // All keys below the fork lie on one side of the key.
        while let Node::Inner(index) = self.next.node() {
            let Some(inner) = trie.inner(index) else { break };
            if fork.is_some_and(|fork| inner.depth > fork) {
                break;
            }
            let [left, right] = inner.children;
            if from.bit(inner.depth) {
                self.next = right;
            } else {
                self.push(right);
                self.next = left;
            }
        }
        if fork.is_some_and(|fork| from.bit(fork)) {
            self.next = self.pop();
        }
    }

    fn push(&mut self, link: Link) {
        if let Some(place) = self.stack.get_mut(self.len) {
            *place = link;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Returns the node that was pushed last, or none.
    fn pop(&mut self) -> Link {
        let Some(len) = self.len.checked_sub(1) else { return Link::NONE };
        self.len = len;
        self.stack.get(len).copied().unwrap_or(Link::NONE)
    }
}

impl Iterator for Entries<'_> {
    type Item = (Key, Value);

    fn next(&mut self) -> Option<Self::Item> {
        while let Node::Inner(index) = self.next.node() {
            let [left, right] = self.trie.inner(index)?.children;
            self.push(right);
            self.next = left;
        }
        let Node::Leaf(index) = self.next.node() else { return None };
        self.next = self.pop();
        let leaf = self.trie.leaf(index)?;
        Some((leaf.key, leaf.value))
    }
}
