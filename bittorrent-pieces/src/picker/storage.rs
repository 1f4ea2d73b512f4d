//! The memory of a picker, provided by the caller.

use super::{BlockSlot, PartialSlot, PieceSlot, RarestSlot};
use crate::geometry::Geometry;

/// The memory of a [`Picker`](super::Picker): [`PickerSlots`], with feature `alloc`
/// [`PickerVec`](super::PickerVec), or a type of the caller.
///
/// Both methods must return the same regions and the same geometry at each call.
pub trait PickerStorage {
    /// Borrows all regions for writing.
    fn parts(&mut self) -> PickerParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> PickerPartsRef<'_>;
}

/// The regions of a [`PickerStorage`], for writing.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct PickerParts<'a> {
    /// How the content is cut.
    pub geometry: Geometry<'a>,
    /// One slot for 64 pieces: see [`piece_slots`](super::piece_slots).
    pub pieces: &'a mut [PieceSlot],
    /// The list of the rarest pieces: see [`rarest_slots`](super::rarest_slots).
    pub rarest: &'a mut [RarestSlot],
    /// One slot for each piece that may be open at a time.
    pub partials: &'a mut [PartialSlot],
    /// The blocks of the open pieces: see [`block_slots`](super::block_slots).
    pub blocks: &'a mut [BlockSlot],
}

/// The regions of a [`PickerStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a storage of the caller creates it")]
pub struct PickerPartsRef<'a> {
    /// How the content is cut.
    pub geometry: Geometry<'a>,
    /// One slot for 64 pieces.
    pub pieces: &'a [PieceSlot],
    /// The list of the rarest pieces.
    pub rarest: &'a [RarestSlot],
    /// One slot for each piece that may be open at a time.
    pub partials: &'a [PartialSlot],
    /// The blocks of the open pieces.
    pub blocks: &'a [BlockSlot],
}

/// The memory of a picker in arrays, slices, boxes or vectors. Its earlier content does not matter.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills all regions")]
pub struct PickerSlots<'t, P, L, Q, B> {
    /// How the content is cut.
    pub geometry: Geometry<'t>,
    /// One [`PieceSlot`] for 64 pieces: see [`piece_slots`](super::piece_slots).
    pub pieces: P,
    /// [`RarestSlot`]s: see [`rarest_slots`](super::rarest_slots).
    pub rarest: L,
    /// One [`PartialSlot`] for each piece that may be open at a time.
    pub partials: Q,
    /// [`BlockSlot`]s of the open pieces: see [`block_slots`](super::block_slots).
    pub blocks: B,
}

impl<P, L, Q, B> PickerStorage for PickerSlots<'_, P, L, Q, B>
where
    P: AsRef<[PieceSlot]> + AsMut<[PieceSlot]>,
    L: AsRef<[RarestSlot]> + AsMut<[RarestSlot]>,
    Q: AsRef<[PartialSlot]> + AsMut<[PartialSlot]>,
    B: AsRef<[BlockSlot]> + AsMut<[BlockSlot]>,
{
    fn parts(&mut self) -> PickerParts<'_> {
        PickerParts {
            geometry: self.geometry,
            pieces: self.pieces.as_mut(),
            rarest: self.rarest.as_mut(),
            partials: self.partials.as_mut(),
            blocks: self.blocks.as_mut(),
        }
    }

    fn parts_ref(&self) -> PickerPartsRef<'_> {
        PickerPartsRef {
            geometry: self.geometry,
            pieces: self.pieces.as_ref(),
            rarest: self.rarest.as_ref(),
            partials: self.partials.as_ref(),
            blocks: self.blocks.as_ref(),
        }
    }
}

impl<S: PickerStorage + ?Sized> PickerStorage for &mut S {
    fn parts(&mut self) -> PickerParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> PickerPartsRef<'_> {
        (**self).parts_ref()
    }
}
