//! The memory of a picker on the heap.

use alloc::vec;
use alloc::vec::Vec;

use super::{
    BlockSlot, PartialSlot, PickerParts, PickerPartsRef, PickerStorage, PieceSlot, RarestSlot,
    block_slots, piece_slots, rarest_slots,
};
use crate::geometry::{Geometry, V2File};

/// The memory of a [`Picker`](super::Picker) in vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct PickerVec {
    shape: Geometry<'static>,
    files: Vec<V2File>,
    pieces: Vec<PieceSlot>,
    rarest: Vec<RarestSlot>,
    partials: Vec<PartialSlot>,
    blocks: Vec<BlockSlot>,
}

impl PickerVec {
    /// Allocates memory for `open_pieces` pieces that may be open at a time.
    #[must_use]
    pub fn new(geometry: Geometry<'_>, open_pieces: u16) -> Self {
        let open_pieces = usize::from(open_pieces);
        Self {
            shape: geometry.without_files(),
            files: geometry.files().to_vec(),
            pieces: vec![PieceSlot::EMPTY; piece_slots(geometry.pieces())],
            rarest: vec![RarestSlot::EMPTY; rarest_slots(geometry.pieces())],
            partials: vec![PartialSlot::EMPTY; open_pieces],
            blocks: vec![BlockSlot::EMPTY; block_slots(geometry, open_pieces)],
        }
    }
}

impl PickerStorage for PickerVec {
    fn parts(&mut self) -> PickerParts<'_> {
        PickerParts {
            geometry: self.shape.with_files(&self.files),
            pieces: &mut self.pieces,
            rarest: &mut self.rarest,
            partials: &mut self.partials,
            blocks: &mut self.blocks,
        }
    }

    fn parts_ref(&self) -> PickerPartsRef<'_> {
        PickerPartsRef {
            geometry: self.shape.with_files(&self.files),
            pieces: &self.pieces,
            rarest: &self.rarest,
            partials: &self.partials,
            blocks: &self.blocks,
        }
    }
}
