//! Storage on the heap without the feature `alloc`.

use consensus::{ValidatorId, ValidatorSlots};

/// Vectors for the three columns.
pub type Heap = ValidatorSlots<Vec<ValidatorId>, Vec<u64>, Vec<u64>>;

/// Returns storage for this number of validators of any table.
#[must_use]
pub fn heap(validators: usize) -> Heap {
    let ids = vec![ValidatorId([0; 32]); validators];
    ValidatorSlots { ids, weights: vec![0; validators], index: vec![0; validators] }
}
