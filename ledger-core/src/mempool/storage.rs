//! The memory of a mempool.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

use super::slot::{ChunkSlot, MempoolSlot};

/// The storage of a [`Mempool`](super::Mempool): two regions of caller-provided memory.
///
/// Implemented by [`MempoolSlots`], by `MempoolVec` with the feature `alloc`, and by `&mut S`.
pub trait MempoolStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> MempoolParts<'_>;
    /// Borrows all regions, shared.
    fn parts_ref(&self) -> MempoolPartsRef<'_>;
}

/// Storage for a [`Mempool`](super::Mempool) in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct MempoolSlots<A, B> {
    /// One slot for each transaction.
    pub slots: A,
    /// One chunk for each 252 bytes of a transaction: one for a payment, five for the longest record.
    pub chunks: B,
}

/// All regions, borrowed.
pub(crate) type MempoolParts<'a> = MempoolSlots<&'a mut [MempoolSlot], &'a mut [ChunkSlot]>;
/// All regions, shared.
pub(crate) type MempoolPartsRef<'a> = MempoolSlots<&'a [MempoolSlot], &'a [ChunkSlot]>;

impl<A, B> MempoolStorage for MempoolSlots<A, B>
where
    A: AsRef<[MempoolSlot]> + AsMut<[MempoolSlot]>,
    B: AsRef<[ChunkSlot]> + AsMut<[ChunkSlot]>,
{
    fn parts(&mut self) -> MempoolParts<'_> {
        MempoolParts { slots: self.slots.as_mut(), chunks: self.chunks.as_mut() }
    }

    fn parts_ref(&self) -> MempoolPartsRef<'_> {
        MempoolPartsRef { slots: self.slots.as_ref(), chunks: self.chunks.as_ref() }
    }
}

impl<S: MempoolStorage + ?Sized> MempoolStorage for &mut S {
    fn parts(&mut self) -> MempoolParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> MempoolPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// The capacities of a [`MempoolVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct MempoolLimits {
    /// The number of transactions.
    pub slots: usize,
    /// The number of chunks of 252 bytes.
    pub chunks: usize,
}

#[cfg(feature = "alloc")]
impl Default for MempoolLimits {
    /// 4,096 transactions of two chunks each: about 3 MB.
    fn default() -> Self {
        Self { slots: 4096, chunks: 8192 }
    }
}

/// Storage for a [`Mempool`](super::Mempool) on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolVec(MempoolSlots<Vec<MempoolSlot>, Vec<ChunkSlot>>);

#[cfg(feature = "alloc")]
impl MempoolVec {
    /// Allocates the regions.
    #[must_use]
    pub fn new(limits: MempoolLimits) -> Self {
        Self(MempoolSlots {
            slots: vec![MempoolSlot::EMPTY; limits.slots],
            chunks: vec![ChunkSlot::EMPTY; limits.chunks],
        })
    }
}

#[cfg(feature = "alloc")]
impl MempoolStorage for MempoolVec {
    fn parts(&mut self) -> MempoolParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> MempoolPartsRef<'_> {
        self.0.parts_ref()
    }
}
