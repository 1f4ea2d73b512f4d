//! The memory of a metadata fetch, provided by the caller.

use super::slot::FetchSlot;

/// The memory of a [`MetadataFetch`](crate::MetadataFetch): [`FetchSlots`], with feature `alloc`
/// [`FetchVec`](super::FetchVec), or a type of the caller.
pub trait FetchStorage {
    /// Borrows both regions for writing.
    fn parts(&mut self) -> FetchParts<'_>;
    /// Borrows both regions for reading.
    fn parts_ref(&self) -> FetchPartsRef<'_>;
}

/// The regions of a [`FetchStorage`], for writing.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct FetchParts<'a> {
    /// One slot for each connection.
    pub slots: &'a mut [FetchSlot],
    /// Room for the info dictionary, and for a piece layer.
    pub buffer: &'a mut [u8],
}

/// The regions of a [`FetchStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct FetchPartsRef<'a> {
    /// One slot for each connection.
    pub slots: &'a [FetchSlot],
    /// Room for the info dictionary, and for a piece layer.
    pub buffer: &'a [u8],
}

/// The memory of a fetch in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills both regions")]
pub struct FetchSlots<S, B> {
    /// One [`FetchSlot`] for each connection.
    pub slots: S,
    /// Room for the info dictionary, and for a piece layer: 32 bytes for each piece.
    pub buffer: B,
}

impl<S, B> FetchStorage for FetchSlots<S, B>
where
    S: AsRef<[FetchSlot]> + AsMut<[FetchSlot]>,
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    fn parts(&mut self) -> FetchParts<'_> {
        FetchParts { slots: self.slots.as_mut(), buffer: self.buffer.as_mut() }
    }

    fn parts_ref(&self) -> FetchPartsRef<'_> {
        FetchPartsRef { slots: self.slots.as_ref(), buffer: self.buffer.as_ref() }
    }
}

impl<S: FetchStorage + ?Sized> FetchStorage for &mut S {
    fn parts(&mut self) -> FetchParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> FetchPartsRef<'_> {
        (**self).parts_ref()
    }
}
