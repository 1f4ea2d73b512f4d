//! The memory of a node.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

#[cfg(feature = "alloc")]
use super::config::NodeConfig;
use super::orphans::OrphanSlot;
use super::slot::HeaderSlot;
use crate::groups::GroupHasher;
#[cfg(feature = "alloc")]
use crate::spec::Rules;
use crate::state::{JournalSlot, Slot};

/// The storage of a [`Node`](super::Node): five regions of caller-provided memory.
///
/// Implemented by [`NodeSlots`], by `NodeVec` with the feature `alloc`, and by `&mut S`.
pub trait NodeStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> NodeParts<'_>;
    /// Borrows all regions, shared.
    fn parts_ref(&self) -> NodePartsRef<'_>;

    /// Borrows all regions, and the hasher.
    fn parts_and_hasher(&mut self) -> (NodeParts<'_>, GroupHasher<'_>) {
        (self.parts(), GroupHasher::NONE)
    }
}

/// Storage for a [`Node`](super::Node) in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct NodeSlots<A, B, C, D, F> {
    /// One slot for each entry that the rules allow.
    pub entries: A,
    /// One slot for each write of the blocks that can be taken back, and of those that replace them.
    pub journal: B,
    /// One slot for each header of any branch.
    pub headers: C,
    /// One slot for each header that waits for its parent or its time: 0 to 64.
    pub orphans: D,
    /// Holds the block that is validated.
    pub block: F,
}

/// All regions, borrowed.
pub(crate) type NodeParts<'a> = NodeSlots<
    &'a mut [Slot],
    &'a mut [JournalSlot],
    &'a mut [HeaderSlot],
    &'a mut [OrphanSlot],
    &'a mut [u8],
>;
/// All regions, shared.
pub(crate) type NodePartsRef<'a> =
    NodeSlots<&'a [Slot], &'a [JournalSlot], &'a [HeaderSlot], &'a [OrphanSlot], &'a [u8]>;

impl<A, B, C, D, F> NodeStorage for NodeSlots<A, B, C, D, F>
where
    A: AsRef<[Slot]> + AsMut<[Slot]>,
    B: AsRef<[JournalSlot]> + AsMut<[JournalSlot]>,
    C: AsRef<[HeaderSlot]> + AsMut<[HeaderSlot]>,
    D: AsRef<[OrphanSlot]> + AsMut<[OrphanSlot]>,
    F: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> NodeParts<'_> {
        NodeParts {
            entries: self.entries.as_mut(),
            journal: self.journal.as_mut(),
            headers: self.headers.as_mut(),
            orphans: self.orphans.as_mut(),
            block: self.block.as_mut(),
        }
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        NodePartsRef {
            entries: self.entries.as_ref(),
            journal: self.journal.as_ref(),
            headers: self.headers.as_ref(),
            orphans: self.orphans.as_ref(),
            block: self.block.as_ref(),
        }
    }
}

impl<S: NodeStorage + ?Sized> NodeStorage for &mut S {
    fn parts(&mut self) -> NodeParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        (**self).parts_ref()
    }

    fn parts_and_hasher(&mut self) -> (NodeParts<'_>, GroupHasher<'_>) {
        (**self).parts_and_hasher()
    }
}

/// The capacities of a [`NodeVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct NodeLimits {
    /// The entries of the state.
    pub entries: usize,
    /// The writes of the blocks that can be taken back, and of those that replace them.
    pub journal: usize,
    /// The headers of any branch.
    pub headers: usize,
    /// The headers that wait for their parent or their time.
    pub orphans: usize,
    /// The length of the longest block, in bytes.
    pub block: usize,
}

#[cfg(feature = "alloc")]
impl NodeLimits {
    /// Returns what the rules and the configuration ask for, room for 64 more headers, and 32 orphans.
    #[must_use]
    pub fn new(rules: &Rules, config: &NodeConfig) -> Self {
        Self {
            entries: usize::try_from(rules.max_entries).unwrap_or(usize::MAX),
            journal: config.journal_len(rules),
            headers: config.headers_len().saturating_add(64),
            orphans: 32,
            block: usize::try_from(rules.max_block_len).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(feature = "alloc")]
type Vectors = NodeSlots<Vec<Slot>, Vec<JournalSlot>, Vec<HeaderSlot>, Vec<OrphanSlot>, Vec<u8>>;

/// Storage for a [`Node`](super::Node) on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVec(Vectors);

#[cfg(feature = "alloc")]
impl NodeVec {
    /// Allocates the regions.
    #[must_use]
    pub fn new(limits: NodeLimits) -> Self {
        Self(NodeSlots {
            entries: vec![Slot::EMPTY; limits.entries],
            journal: vec![JournalSlot::EMPTY; limits.journal],
            headers: vec![HeaderSlot::EMPTY; limits.headers],
            orphans: vec![OrphanSlot::EMPTY; limits.orphans],
            block: vec![0; limits.block],
        })
    }
}

#[cfg(feature = "alloc")]
impl NodeStorage for NodeVec {
    fn parts(&mut self) -> NodeParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> NodePartsRef<'_> {
        self.0.parts_ref()
    }
}
