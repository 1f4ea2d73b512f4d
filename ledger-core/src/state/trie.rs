//! The map in caller-provided slots: a compact binary Patricia trie. Inserting, proving and the root cost O(log n).

use super::entry::{Key, Value};
use super::proof::{MapProof, Step, inner_hash, leaf_hash};
use super::slot::{Inner, Leaf, Link, MAX_DEPTH, Node, Slot, TrieRef, TrieRoot};
use super::store::{Store, StoreError};
use crate::error::BufferTooSmall;
use crate::hash::Hash;

/// A map from keys to values over a region of slots, with a root that proves each entry and each absence.
///
/// ```
/// use ledger_core::state::{Key, Slot, Store, Trie, Value};
///
/// let mut map = Trie::new([Slot::EMPTY; 8]);
/// let key = Key::new(64, b"temperature");
/// map.replace(&key, Value::new(b"21 C").as_ref())?;
///
/// let mut buf = [0; 256];
/// let proof = map.prove(&key, &mut buf)?;
/// assert_eq!(proof.verify(&map.root(), &key)?, Value::new(b"21 C").map(|value| value.hash()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trie<S: ?Sized> {
    root: TrieRoot,
    slots: S,
}

/// The logic, compiled once for all storages.
pub(crate) struct TrieMut<'a> {
    pub(crate) root: &'a mut TrieRoot,
    pub(crate) slots: &'a mut [Slot],
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]>> Trie<S> {
    /// Creates an empty map and clears the slots.
    pub fn new(mut slots: S) -> Self {
        let root = TrieRoot::clear(slots.as_mut());
        Self { root, slots }
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]> + ?Sized> Trie<S> {
    /// Writes the proof that the key has its value, or none, to `out`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` is; 66 bytes and 33 for each level always suffice, and a map of random keys has
    /// about log2(n) + 2 levels.
    pub fn prove<'o>(
        &mut self,
        key: &Key,
        out: &'o mut [u8],
    ) -> Result<MapProof<'o>, BufferTooSmall> {
        self.as_mut().prove(key, out)
    }

    fn as_mut(&mut self) -> TrieMut<'_> {
        TrieMut { root: &mut self.root, slots: self.slots.as_mut() }
    }
}

impl<S: AsRef<[Slot]> + ?Sized> Trie<S> {
    /// Returns the value of a key.
    #[must_use]
    pub fn value(&self, key: &Key) -> Option<Value> {
        TrieRef { root: &self.root, slots: self.slots.as_ref() }.get(key)
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.len
    }

    /// Returns whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.len == 0
    }
}

impl<S: AsRef<[Slot]> + AsMut<[Slot]> + ?Sized> Store for Trie<S> {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, StoreError> {
        Ok(self.value(key))
    }

    fn replace(&mut self, key: &Key, value: Option<&Value>) -> Result<Option<Value>, StoreError> {
        self.as_mut().replace(key, value)
    }

    fn root(&mut self) -> Hash {
        self.as_mut().root()
    }
}

impl Store for TrieMut<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, StoreError> {
        Ok(self.as_ref().get(key))
    }

    fn replace(&mut self, key: &Key, value: Option<&Value>) -> Result<Option<Value>, StoreError> {
        let old = self.as_ref().get(key);
        match (old, value) {
            (None, None) => {}
            (Some(_), Some(value)) => self.update(key, value),
            (None, Some(value)) => self.insert(key, value)?,
            (Some(_), None) => self.remove(key),
        }
        Ok(old)
    }

    fn root(&mut self) -> Hash {
        self.rehash();
        self.as_ref().hash_of(self.root.top)
    }
}

impl TrieMut<'_> {
    pub(crate) fn len(&self) -> usize {
        self.root.len
    }

    fn as_ref(&self) -> TrieRef<'_> {
        TrieRef { root: self.root, slots: self.slots }
    }

    /// Changes the value of a key that has one, and marks the nodes on the way.
    fn update(&mut self, key: &Key, value: &Value) {
        let mut link = self.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(slot) = self.slots.get_mut(index) else { return };
            slot.inner.dirty = true;
            link = slot.inner.child(key);
        }
        let Node::Leaf(index) = link.node() else { return };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.leaf.value = *value;
            slot.leaf.hash = leaf_hash(key, &value.hash());
        }
    }

    fn insert(&mut self, key: &Key, value: &Value) -> Result<(), StoreError> {
        let full = StoreError::Full { capacity: self.slots.len() };
        let trie = self.as_ref();
        let nearest = trie.nearest(key).and_then(|index| trie.leaf(index).copied());
        let fork = nearest.and_then(|leaf| leaf.key.first_difference(key));
        let leaf = self.take_leaf(key, value).ok_or(full)?;
        self.root.len = self.root.len.saturating_add(1);
        let Some(depth) = fork else {
            self.root.top = leaf;
            return Ok(());
        };
        // As many inner nodes as leaves exist, and one fewer is used: there is a free one.
        let Node::Inner(index) = self.root.free_inner.node() else { return Err(full) };
        let below = self.replace_at(key, depth, Link::inner(index));
        if let Some(slot) = self.slots.get_mut(index) {
            let [next, _] = slot.inner.children;
            self.root.free_inner = next;
            let children = if key.bit(depth) { [below, leaf] } else { [leaf, below] };
            slot.inner = Inner { children, hash: Hash::ZERO, depth, dirty: true };
        }
        self.mark(key, u16::from(depth));
        Ok(())
    }

    fn remove(&mut self, key: &Key) {
        let mut parent = None;
        let mut link = self.root.top;
        let mut last_bit = 0;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = self.as_ref().inner(index).copied() else { return };
            parent = Some((index, inner));
            last_bit = inner.depth;
            link = inner.child(key);
        }
        let Node::Leaf(leaf) = link.node() else { return };
        match parent {
            None => self.root.top = Link::NONE,
            Some((index, inner)) => {
                self.replace_at(key, last_bit, inner.sibling(key));
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.inner = Inner::EMPTY;
                    slot.inner.children = [self.root.free_inner, Link::NONE];
                    self.root.free_inner = Link::inner(index);
                }
                self.mark(key, u16::from(last_bit));
            }
        }
        if let Some(slot) = self.slots.get_mut(leaf) {
            slot.leaf = Leaf { next: self.root.free_leaf, ..Leaf::EMPTY };
            self.root.free_leaf = Link::leaf(leaf);
        }
        self.root.len = self.root.len.saturating_sub(1);
    }

    fn take_leaf(&mut self, key: &Key, value: &Value) -> Option<Link> {
        let link = self.root.free_leaf;
        let Node::Leaf(index) = link.node() else { return None };
        let slot = self.slots.get_mut(index)?;
        self.root.free_leaf = slot.leaf.next;
        slot.leaf = Leaf {
            key: *key,
            value: *value,
            hash: leaf_hash(key, &value.hash()),
            next: Link::NONE,
        };
        Some(link)
    }

    /// Puts `new` in the place of the first node on the way to a key that is not an inner node above bit `depth`, and
    /// returns that node.
    fn replace_at(&mut self, key: &Key, depth: u8, new: Link) -> Link {
        let mut above = None;
        let mut link = self.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = self.as_ref().inner(index).copied() else { break };
            if inner.depth >= depth {
                break;
            }
            above = Some(index);
            link = inner.child(key);
        }
        match above.and_then(|index| self.slots.get_mut(index)) {
            None => self.root.top = new,
            Some(slot) => {
                let [left, right] = &mut slot.inner.children;
                *(if key.bit(slot.inner.depth) { right } else { left }) = new;
            }
        }
        link
    }

    /// Marks the inner nodes above bit `below` on the way to a key, whose hashes have changed.
    fn mark(&mut self, key: &Key, below: u16) {
        let mut link = self.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(slot) = self.slots.get_mut(index) else { return };
            if u16::from(slot.inner.depth) >= below {
                return;
            }
            slot.inner.dirty = true;
            link = slot.inner.child(key);
        }
    }

    /// Hashes all marked nodes, children before parents. Every node above a marked one is marked.
    fn rehash(&mut self) {
        let mut stack = [Link::NONE; MAX_DEPTH];
        let mut len = 0_usize;
        let mut next = Some(self.root.top);
        loop {
            if let Some(link) = next.take() {
                if self.is_dirty(link) {
                    if let Some(place) = stack.get_mut(len) {
                        *place = link;
                        len = len.saturating_add(1);
                    }
                } else if len == 0 {
                    return;
                }
            }
            let Some(top) = len.checked_sub(1).and_then(|top| stack.get(top)) else { return };
            let Node::Inner(index) = top.node() else { return };
            let Some(inner) = self.as_ref().inner(index).copied() else { return };
            next = inner.children.into_iter().find(|child| self.is_dirty(*child));
            if next.is_none() {
                let [left, right] = inner.children.map(|child| self.as_ref().hash_of(child));
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.inner.hash = inner_hash(inner.depth, &left, &right);
                    slot.inner.dirty = false;
                }
                len = len.saturating_sub(1);
            }
        }
    }

    fn is_dirty(&self, link: Link) -> bool {
        match link.node() {
            Node::Inner(index) => self.as_ref().inner(index).is_some_and(|inner| inner.dirty),
            _ => false,
        }
    }

    pub(crate) fn prove<'o>(
        &mut self,
        key: &Key,
        out: &'o mut [u8],
    ) -> Result<MapProof<'o>, BufferTooSmall> {
        self.rehash();
        let trie = self.as_ref();
        let leaf = trie.nearest(key).and_then(|index| trie.leaf(index));
        let Some(leaf) = leaf else { return MapProof::write_empty(out) };
        let mut writer = MapProof::writer(&leaf.key, &leaf.value.hash(), out);
        let mut link = trie.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = trie.inner(index) else { break };
            writer.push(&Step { depth: inner.depth, sibling: trie.hash_of(inner.sibling(key)) });
            link = inner.child(key);
        }
        writer.finish()
    }
}
