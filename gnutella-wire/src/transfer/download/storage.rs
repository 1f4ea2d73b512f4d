//! The storage of a download: sources and blocks, provided by the caller.

use super::slots::{BlockSlot, SourceSlot};

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// Storage of a [`Download`](super::Download). [`DownloadSlots`] implements it over arrays, slices and
/// vectors, and with the feature `alloc` `DownloadVec` does over vectors built from numbers.
pub trait DownloadStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> DownloadParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> DownloadPartsRef<'_>;
}

/// The regions of a [`DownloadStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct DownloadParts<'s> {
    /// One slot per source.
    pub sources: &'s mut [SourceSlot],
    /// One slot per block. The more there are, the smaller is a block; none is below 64 KiB.
    pub blocks: &'s mut [BlockSlot],
}

/// The regions of a [`DownloadStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct DownloadPartsRef<'s> {
    /// One slot per source.
    pub sources: &'s [SourceSlot],
    /// One slot per block.
    pub blocks: &'s [BlockSlot],
}

/// Storage from two regions, each any array, slice, box or vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it, also in statics")]
pub struct DownloadSlots<P, B> {
    /// One slot per source.
    pub sources: P,
    /// One slot per block.
    pub blocks: B,
}

impl<P, B> DownloadStorage for DownloadSlots<P, B>
where
    P: AsRef<[SourceSlot]> + AsMut<[SourceSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
{
    fn parts(&mut self) -> DownloadParts<'_> {
        DownloadParts { sources: self.sources.as_mut(), blocks: self.blocks.as_mut() }
    }

    fn parts_ref(&self) -> DownloadPartsRef<'_> {
        DownloadPartsRef { sources: self.sources.as_ref(), blocks: self.blocks.as_ref() }
    }
}

impl<S: DownloadStorage + ?Sized> DownloadStorage for &mut S {
    fn parts(&mut self) -> DownloadParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> DownloadPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// How many slots a [`DownloadVec`] has of each kind.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one number per region of the storage")]
pub struct DownloadLimits {
    /// Sources.
    pub sources: usize,
    /// Blocks.
    pub blocks: usize,
}

#[cfg(feature = "alloc")]
impl Default for DownloadLimits {
    /// 64 sources, 1,024 blocks.
    fn default() -> Self {
        Self { sources: 64, blocks: 1_024 }
    }
}

/// Storage of a download on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadVec(DownloadSlots<Vec<SourceSlot>, Vec<BlockSlot>>);

#[cfg(feature = "alloc")]
impl DownloadVec {
    /// Allocates storage.
    #[must_use]
    pub fn new(limits: DownloadLimits) -> Self {
        let sources = vec![SourceSlot::EMPTY; limits.sources];
        let blocks = vec![BlockSlot::EMPTY; limits.blocks];
        Self(DownloadSlots { sources, blocks })
    }
}

#[cfg(feature = "alloc")]
impl DownloadStorage for DownloadVec {
    fn parts(&mut self) -> DownloadParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> DownloadPartsRef<'_> {
        self.0.parts_ref()
    }
}
