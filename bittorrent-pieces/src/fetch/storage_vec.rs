//! The memory of a metadata fetch on the heap.

use alloc::vec;
use alloc::vec::Vec;

use super::slot::FetchSlot;
use super::storage::{FetchParts, FetchPartsRef, FetchStorage};

/// How many of everything a [`FetchVec`] has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain numbers, chosen by the caller")]
pub struct FetchLimits {
    /// Connections at a time.
    pub peers: u16,
    /// The longest info dictionary, and piece layer, in bytes. Longer ones are not fetched.
    pub metadata_len: u32,
}

impl FetchLimits {
    /// Returns limits for a desktop: 50 peers, 4 MiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { peers: 50, metadata_len: 4 << 20 }
    }
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// The memory of a [`MetadataFetch`](crate::MetadataFetch) in vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchVec {
    slots: Vec<FetchSlot>,
    buffer: Vec<u8>,
}

impl FetchVec {
    /// Allocates the memory.
    #[must_use]
    pub fn new(limits: FetchLimits) -> Self {
        Self {
            slots: vec![FetchSlot::EMPTY; usize::from(limits.peers)],
            buffer: vec![0; crate::index::slot(limits.metadata_len)],
        }
    }
}

impl FetchStorage for FetchVec {
    fn parts(&mut self) -> FetchParts<'_> {
        FetchParts { slots: &mut self.slots, buffer: &mut self.buffer }
    }

    fn parts_ref(&self) -> FetchPartsRef<'_> {
        FetchPartsRef { slots: &self.slots, buffer: &self.buffer }
    }
}
