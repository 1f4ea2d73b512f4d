//! What hashes for a chain or a node: a hasher for groups of messages, or none.

use core::fmt;

use crate::body_tree::BodyTree;
use crate::error::DecodeError;
use crate::hash::Hash;
use crate::merkle::HashPairs;
use crate::state::{Slot, TrieRoot, rehash_one_by_one, rehash_with};

/// The hasher of a storage: one for groups of messages, or none, and then they are hashed one after the other.
/// [`WithHasher`](crate::WithHasher) has one.
///
/// A device that has none carries no code for groups.
pub struct GroupHasher<'a>(Option<&'a mut dyn Groups>);

/// What is hashed in groups. Only [`GroupHasher::new`] names the code.
trait Groups {
    fn root(&mut self, root: &mut TrieRoot, slots: &mut [Slot]) -> Hash;

    fn push_transactions<'b>(
        &mut self,
        tree: &mut BodyTree,
        bytes: &'b [u8],
        count: u32,
    ) -> Result<&'b [u8], DecodeError>;
}

impl<'a> GroupHasher<'a> {
    /// None: messages are hashed one after the other.
    pub const NONE: Self = Self(None);

    /// Wraps a hasher.
    #[must_use]
    pub fn new<H: HashPairs>(hasher: &'a mut H) -> Self {
        Self(Some(hasher))
    }

    /// Borrows it for a shorter time.
    pub(crate) fn reborrow(&mut self) -> GroupHasher<'_> {
        match &mut self.0 {
            Some(groups) => GroupHasher(Some(&mut **groups)),
            None => GroupHasher(None),
        }
    }

    /// Hashes what has changed in a trie, and returns its root.
    pub(crate) fn root(&mut self, root: &mut TrieRoot, slots: &mut [Slot]) -> Hash {
        match &mut self.0 {
            Some(groups) => groups.root(root, slots),
            None => rehash_one_by_one(root, slots),
        }
    }

    /// Adds the next `count` transactions from the front of `bytes` to the tree of a body, and returns the rest.
    pub(crate) fn push_transactions<'b>(
        &mut self,
        tree: &mut BodyTree,
        bytes: &'b [u8],
        count: u32,
    ) -> Result<&'b [u8], DecodeError> {
        match &mut self.0 {
            Some(groups) => groups.push_transactions(tree, bytes, count),
            None => tree.push_one_by_one(bytes, count),
        }
    }
}

impl<H: HashPairs> Groups for H {
    fn root(&mut self, root: &mut TrieRoot, slots: &mut [Slot]) -> Hash {
        rehash_with(root, slots, self)
    }

    fn push_transactions<'b>(
        &mut self,
        tree: &mut BodyTree,
        bytes: &'b [u8],
        count: u32,
    ) -> Result<&'b [u8], DecodeError> {
        tree.push_in_groups(bytes, count, self)
    }
}

impl fmt::Debug for GroupHasher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupHasher").field(&self.0.is_some()).finish()
    }
}
