//! The memory of a set of validators: one column for each value.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

use crate::id::ValidatorId;

/// Storage of a [`ValidatorSet`](crate::ValidatorSet), a [`StakeTree`](crate::select::StakeTree) or a
/// [`WeightedRoundRobin`](crate::select::WeightedRoundRobin): three columns of caller-provided memory, so that a draw or a
/// step reads only the column that it needs.
///
/// Implemented by [`ValidatorSlots`], by `ValidatorVec` with the feature `alloc`, and by `&mut S`.
pub trait ValidatorStorage {
    /// Borrows the columns.
    fn parts(&mut self) -> ValidatorParts<'_>;

    /// Borrows the columns, shared.
    fn parts_ref(&self) -> ValidatorPartsRef<'_>;
}

/// The columns of a [`ValidatorStorage`]. Needed to implement the trait for other memory.
///
/// | table | `weights` | `index` | words of `index` |
/// |---|---|---|---|
/// | [`ValidatorSet`](crate::ValidatorSet) | running sums of the stakes | where to begin the search for a coin | one for 8 validators |
/// | [`StakeTree`](crate::select::StakeTree) | stakes | a Fenwick tree over the sums of 8 stakes | one for 8 validators |
/// | [`WeightedRoundRobin`](crate::select::WeightedRoundRobin) | powers | priorities | one for each validator |
#[expect(clippy::exhaustive_structs, reason = "implementations of `ValidatorStorage` construct it")]
#[derive(Debug, PartialEq, Eq)]
pub struct ValidatorParts<'a> {
    /// The ids: one for each validator.
    pub ids: &'a mut [ValidatorId],
    /// The stakes or powers: one word for each validator.
    pub weights: &'a mut [u64],
    /// What makes the draw or the step fast.
    pub index: &'a mut [u64],
}

/// The columns of a [`ValidatorStorage`], shared. Needed to implement the trait for other memory.
#[expect(clippy::exhaustive_structs, reason = "implementations of `ValidatorStorage` construct it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorPartsRef<'a> {
    /// The ids.
    pub ids: &'a [ValidatorId],
    /// The stakes or powers.
    pub weights: &'a [u64],
    /// What makes the draw or the step fast.
    pub index: &'a [u64],
}

/// A [`ValidatorStorage`] of arrays, slices, boxes or vectors: 40 bytes for each validator, and its share of `index`.
///
/// ```
/// use consensus::{ValidatorId, ValidatorSet, ValidatorSlots};
///
/// // A thousand validators that are drawn by stake: 41,000 bytes.
/// let slots = ValidatorSlots {
///     ids: vec![ValidatorId([0; 32]); 1000],
///     weights: vec![0; 1000],
///     index: vec![0; 125],
/// };
/// assert_eq!(ValidatorSet::new(slots).capacity(), 1000);
/// ```
#[expect(clippy::exhaustive_structs, reason = "the caller constructs it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorSlots<I, W, X> {
    /// The ids: one for each validator.
    pub ids: I,
    /// One word for each validator.
    pub weights: W,
    /// One word for each validator of a [`WeightedRoundRobin`](crate::select::WeightedRoundRobin), or for 8 validators of
    /// the other tables.
    pub index: X,
}

/// A [`ValidatorStorage`] of arrays for `N` validators of any table: 48 bytes each, zero when it is empty.
///
/// ```
/// use consensus::ValidatorArray;
///
/// static mut MEMORY: ValidatorArray<16> = ValidatorArray::EMPTY;
/// ```
pub type ValidatorArray<const N: usize> = ValidatorSlots<[ValidatorId; N], [u64; N], [u64; N]>;

impl<const N: usize> ValidatorArray<N> {
    /// Free slots.
    pub const EMPTY: Self = Self { ids: [ValidatorId([0; 32]); N], weights: [0; N], index: [0; N] };
}

impl<I, W, X> ValidatorStorage for ValidatorSlots<I, W, X>
where
    I: AsRef<[ValidatorId]> + AsMut<[ValidatorId]>,
    W: AsRef<[u64]> + AsMut<[u64]>,
    X: AsRef<[u64]> + AsMut<[u64]>,
{
    fn parts(&mut self) -> ValidatorParts<'_> {
        let ids = self.ids.as_mut();
        ValidatorParts { ids, weights: self.weights.as_mut(), index: self.index.as_mut() }
    }

    fn parts_ref(&self) -> ValidatorPartsRef<'_> {
        let ids = self.ids.as_ref();
        ValidatorPartsRef { ids, weights: self.weights.as_ref(), index: self.index.as_ref() }
    }
}

impl<S: ValidatorStorage + ?Sized> ValidatorStorage for &mut S {
    fn parts(&mut self) -> ValidatorParts<'_> {
        S::parts(self)
    }

    fn parts_ref(&self) -> ValidatorPartsRef<'_> {
        S::parts_ref(self)
    }
}

/// A [`ValidatorStorage`] on the heap, for any table.
///
/// ```
/// use consensus::{ValidatorSet, ValidatorVec};
///
/// assert_eq!(ValidatorSet::new(ValidatorVec::new(50)).capacity(), 50);
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorVec(ValidatorSlots<Vec<ValidatorId>, Vec<u64>, Vec<u64>>);

#[cfg(feature = "alloc")]
impl ValidatorVec {
    /// Allocates storage for this number of validators.
    #[must_use]
    pub fn new(validators: usize) -> Self {
        let ids = vec![ValidatorId([0; 32]); validators];
        Self(ValidatorSlots { ids, weights: vec![0; validators], index: vec![0; validators] })
    }
}

#[cfg(feature = "alloc")]
impl ValidatorStorage for ValidatorVec {
    fn parts(&mut self) -> ValidatorParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> ValidatorPartsRef<'_> {
        self.0.parts_ref()
    }
}

impl ValidatorParts<'_> {
    pub(crate) fn clear(&mut self) {
        self.ids.fill(ValidatorId([0; 32]));
        self.weights.fill(0);
        self.index.fill(0);
    }

    /// Makes room for a validator before position `at` of `len`, with this weight.
    pub(crate) fn insert(&mut self, at: usize, len: usize, id: ValidatorId, weight: u64) {
        let grown = len.saturating_add(1);
        insert(self.ids.get_mut(at..grown), id);
        insert(self.weights.get_mut(at..grown), weight);
    }

    /// Removes the validator at position `at` of `len`.
    pub(crate) fn remove(&mut self, at: usize, len: usize) {
        remove(self.ids.get_mut(at..len), ValidatorId([0; 32]));
        remove(self.weights.get_mut(at..len), 0);
    }
}

impl ValidatorPartsRef<'_> {
    /// Returns the number of validators for which there is room if `share` of them need one word of the index.
    pub(crate) fn capacity(&self, share: usize) -> usize {
        let indexed = self.index.len().saturating_mul(share);
        self.ids.len().min(self.weights.len()).min(indexed)
    }
}

fn insert<T: Copy>(tail: Option<&mut [T]>, item: T) {
    if let Some(tail @ [_, ..]) = tail {
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = item;
        }
    }
}

fn remove<T: Copy>(tail: Option<&mut [T]>, empty: T) {
    if let Some(tail @ [_, ..]) = tail {
        tail.rotate_left(1);
        if let Some(last) = tail.last_mut() {
            *last = empty;
        }
    }
}
