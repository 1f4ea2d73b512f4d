//! The map in caller-provided slots: a compact binary Patricia trie. Inserting, proving and the root cost O(log n).

use super::entry::{Key, Value};
use super::proof::{MapProof, Step};
use super::regions::{release, take};
use super::rehash::rehash_with;
use super::slot::{Inner, Kind, Leaf, Link, Node, Slot, TrieRef, TrieRoot};
use super::store::{Store, StoreError};
use crate::error::BufferTooSmall;
use crate::groups::GroupHasher;
use crate::hash::Hash;
use crate::merkle::HashPairs;

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
    pub(crate) hasher: GroupHasher<'a>,
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

    /// Returns the root over all entries, as [`Store::root`] does. The nodes that have changed are hashed in groups,
    /// level by level.
    pub fn root_with(&mut self, hasher: &mut dyn HashPairs) -> Hash {
        rehash_with(&mut self.root, self.slots.as_mut(), hasher)
    }

    pub(super) fn as_mut(&mut self) -> TrieMut<'_> {
        TrieMut { root: &mut self.root, slots: self.slots.as_mut(), hasher: GroupHasher::NONE }
    }
}

impl<S: AsRef<[Slot]> + ?Sized> Trie<S> {
    /// Returns the value of a key.
    #[must_use]
    pub fn value(&self, key: &Key) -> Option<Value> {
        TrieRef { root: &self.root, slots: self.slots.as_ref() }.get(key)
    }

    /// Writes the value of each key to the same place of `values`. In a map that is larger than the cache of the processor,
    /// 16 look-ups together take about as long as two alone.
    ///
    /// ```
    /// use ledger_core::state::{Key, Slot, Store, Trie, Value};
    ///
    /// let mut map = Trie::new([Slot::EMPTY; 8]);
    /// let keys = [Key::new(64, b"north"), Key::new(64, b"south")];
    /// map.replace(&keys[1], Value::new(b"21 C").as_ref())?;
    ///
    /// let mut values = [None; 2];
    /// map.values(&keys, &mut values);
    /// assert_eq!(values, [None, Value::new(b"21 C")]);
    /// # Ok::<(), ledger_core::state::StoreError>(())
    /// ```
    pub fn values(&self, keys: &[Key], values: &mut [Option<Value>]) {
        TrieRef { root: &self.root, slots: self.slots.as_ref() }.get_each(keys, values);
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
        let Some(value) = value else {
            let old = self.as_ref().get(key);
            if old.is_some() {
                self.remove(key);
            }
            return Ok(old);
        };
        // The way down marks the nodes. Before that it must be certain that there is room.
        if self.root.free_leaves == Link::NONE && self.as_ref().get(key).is_none() {
            return Err(StoreError::Full { capacity: self.slots.len() });
        }
        let mut fork = None;
        if let Node::Leaf(index) = self.mark(key).node()
            && let Some(slot) = self.slots.get_mut(index)
        {
            let leaf = &mut slot.leaf;
            fork = leaf.key.first_difference(key);
            if fork.is_none() {
                return Ok(Some(core::mem::replace(&mut leaf.value, *value)));
            }
        }
        self.insert(key, value, fork)?;
        Ok(None)
    }

    fn root(&mut self) -> Hash {
        self.hasher.root(self.root, self.slots)
    }
}

impl TrieMut<'_> {
    pub(crate) fn len(&self) -> usize {
        self.root.len
    }

    /// Returns the largest key.
    pub(crate) fn last_key(&self) -> Option<Key> {
        let trie = self.as_ref();
        trie.leaf(trie.nearest(&Key::LARGEST)?).map(|leaf| leaf.key)
    }

    fn as_ref(&self) -> TrieRef<'_> {
        TrieRef { root: self.root, slots: self.slots }
    }

    /// Adds an entry. `fork` is the first bit in which its key differs from the leaf to which its bits lead, if any.
    fn insert(&mut self, key: &Key, value: &Value, fork: Option<u8>) -> Result<(), StoreError> {
        let full = StoreError::Full { capacity: self.slots.len() };
        let leaf = take(self.root, self.slots, Kind::Leaf, key).ok_or(full)?;
        if let Some(slot) = self.slots.get_mut(leaf) {
            slot.leaf = Leaf { key: *key, value: *value };
        }
        let leaf = Link::leaf(leaf);
        self.root.len = self.root.len.saturating_add(1);
        let Some(depth) = fork else {
            self.root.top = leaf;
            return Ok(());
        };
        // As many inner nodes as leaves exist, and one fewer is used: there is a free one.
        let index = take(self.root, self.slots, Kind::Inner, key).ok_or(full)?;
        let (below, hash, is_stale) = self.replace_at(key, depth, Link::inner(index));
        if let Some(slot) = self.slots.get_mut(index) {
            slot.inner = Inner { depth, ..Inner::EMPTY };
            let side = slot.inner.side(key);
            slot.inner.mark(side);
            if is_stale {
                slot.inner.mark(1_usize.saturating_sub(side));
            }
            (slot.inner.children, slot.inner.hashes) = if side == 1 {
                ([below, leaf], [hash, Hash::ZERO])
            } else {
                ([leaf, below], [Hash::ZERO, hash])
            };
        }
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
        self.root.changes = self.root.changes.saturating_add(1);
        match parent {
            None => {
                self.root.top = Link::NONE;
                self.root.is_stale = true;
            }
            Some((index, inner)) => {
                self.replace_at(key, last_bit, inner.sibling(key));
                release(self.root, self.slots, Kind::Inner, index);
            }
        }
        release(self.root, self.slots, Kind::Leaf, leaf);
        self.root.len = self.root.len.saturating_sub(1);
    }

    /// Puts `new` in the place of the first node on the way to a key that is not an inner node above bit `depth`, marks
    /// the nodes above, and returns that node with its hash, and whether that is stale.
    fn replace_at(&mut self, key: &Key, depth: u8, new: Link) -> (Link, Hash, bool) {
        let mut link = self.root.top;
        let mut hash = self.root.hash;
        let mut is_stale = self.root.is_stale;
        let mut above = None;
        self.root.is_stale = true;
        while let Node::Inner(index) = link.node() {
            let Some(slot) = self.slots.get_mut(index) else { break };
            let inner = &mut slot.inner;
            if inner.depth >= depth {
                break;
            }
            let side = inner.side(key);
            let [left, right] = inner.hashes;
            hash = if side == 1 { right } else { left };
            is_stale = inner.is_stale(side);
            link = inner.child(key);
            inner.mark(side);
            above = Some(index);
        }
        match above.and_then(|index| self.slots.get_mut(index)) {
            None => self.root.top = new,
            Some(slot) => {
                let [left, right] = &mut slot.inner.children;
                *(if key.bit(slot.inner.depth) { right } else { left }) = new;
            }
        }
        (link, hash, is_stale)
    }

    /// Marks the inner nodes on the way to a key, whose hashes are to change, and returns the leaf under them.
    fn mark(&mut self, key: &Key) -> Link {
        self.root.is_stale = true;
        self.root.changes = self.root.changes.saturating_add(1);
        let mut link = self.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(slot) = self.slots.get_mut(index) else { break };
            let inner = &mut slot.inner;
            inner.mark(inner.side(key));
            link = inner.child(key);
        }
        link
    }

    /// Returns whether this map is the part up to `key` of the one in which the proof proves it: all hashes on the left
    /// of the way to it are equal, and there is nothing on the right.
    pub(crate) fn is_left_of(&mut self, key: &Key, proof: &MapProof<'_>) -> bool {
        self.root();
        let trie = self.as_ref();
        let mut expected = proof.steps().filter(|step| key.bit(step.depth));
        let mut link = trie.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = trie.inner(index) else { return false };
            let step = Step { depth: inner.depth, sibling: inner.sibling_hash(key) };
            if expected.next() != Some(step) {
                return false;
            }
            link = inner.child(key);
        }
        expected.next().is_none()
    }

    pub(crate) fn prove<'o>(
        &mut self,
        key: &Key,
        out: &'o mut [u8],
    ) -> Result<MapProof<'o>, BufferTooSmall> {
        self.root();
        let trie = self.as_ref();
        let leaf = trie.nearest(key).and_then(|index| trie.leaf(index));
        let Some(leaf) = leaf else { return MapProof::write_empty(out) };
        let mut writer = MapProof::writer(&leaf.key, &leaf.value.hash(), out);
        let mut link = trie.root.top;
        while let Node::Inner(index) = link.node() {
            let Some(inner) = trie.inner(index) else { break };
            writer.push(&Step { depth: inner.depth, sibling: inner.sibling_hash(key) });
            link = inner.child(key);
        }
        writer.finish()
    }
}
