//! What a state must be able to do.

use thiserror::Error;

use super::entry::{Key, Value};
use crate::hash::Hash;

/// A map with a root: in caller-provided slots ([`Trie`](super::Trie)), out of proofs ([`Witness`](super::Witness)), or
/// in a database of your own.
///
/// The root must be that of the map in `docs/WIRE.md`, or blocks are refused.
pub trait Store {
    /// Returns the value of a key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it is unknown whether there is one.
    fn get(&mut self, key: &Key) -> Result<Option<Value>, StoreError>;

    /// Sets or removes the value of a key and returns the one before.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing has changed then.
    fn replace(&mut self, key: &Key, value: Option<&Value>) -> Result<Option<Value>, StoreError>;

    /// Returns the root over all entries.
    fn root(&mut self) -> Hash;
}

/// Why a store cannot answer. It says nothing about the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreError {
    /// All slots are in use.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
    /// The witness does not prove the entry that is needed, or the buffer for a witness is too small.
    #[error("the witness does not prove an entry that is needed")]
    Unproven,
}
