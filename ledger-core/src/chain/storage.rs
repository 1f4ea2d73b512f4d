//! The memory of a chain.

use crate::error::ConfigError;
use crate::groups::GroupHasher;
use crate::spec::Rules;
use crate::state::{JournalSlot, Slot};

/// The storage of a [`Chain`](super::Chain).
pub trait ChainStorage {
    /// Returns all regions.
    fn parts(&mut self) -> ChainParts<'_>;
    /// Returns the entries.
    fn entries(&self) -> &[Slot];

    /// Borrows all regions, and the hasher.
    fn parts_and_hasher(&mut self) -> (ChainParts<'_>, GroupHasher<'_>) {
        (self.parts(), GroupHasher::NONE)
    }
}

/// Storage for a [`Chain`](super::Chain) in arrays, slices, boxes or vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a literal of it is const")]
pub struct ChainSlots<A, B> {
    /// One slot for each entry that the rules allow.
    pub entries: A,
    /// One slot for each write to the state that the rules allow in a block, and one for the bookkeeping.
    pub journal: B,
}

/// Checks that the storage holds what the rules allow.
pub(crate) fn check_capacity(
    rules: &Rules,
    entries: usize,
    journal: usize,
) -> Result<(), ConfigError> {
    let needed = usize::try_from(rules.max_entries).unwrap_or(usize::MAX);
    if entries < needed {
        return Err(ConfigError::TooFewSlots { needed, capacity: entries });
    }
    let needed = usize::try_from(rules.max_writes).unwrap_or(usize::MAX).saturating_add(1);
    if journal < needed {
        return Err(ConfigError::JournalTooSmall { needed, capacity: journal });
    }
    Ok(())
}

/// All regions, borrowed.
pub(crate) type ChainParts<'a> = ChainSlots<&'a mut [Slot], &'a mut [JournalSlot]>;

impl<A, B> ChainStorage for ChainSlots<A, B>
where
    A: AsRef<[Slot]> + AsMut<[Slot]>,
    B: AsMut<[JournalSlot]>,
{
    fn parts(&mut self) -> ChainParts<'_> {
        ChainParts { entries: self.entries.as_mut(), journal: self.journal.as_mut() }
    }

    fn entries(&self) -> &[Slot] {
        self.entries.as_ref()
    }
}

impl<S: ChainStorage + ?Sized> ChainStorage for &mut S {
    fn parts(&mut self) -> ChainParts<'_> {
        (**self).parts()
    }

    fn entries(&self) -> &[Slot] {
        (**self).entries()
    }

    fn parts_and_hasher(&mut self) -> (ChainParts<'_>, GroupHasher<'_>) {
        (**self).parts_and_hasher()
    }
}

/// Storage for a [`Chain`](super::Chain) in vectors, of the size that the rules ask for.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone)]
pub struct ChainVec(ChainSlots<alloc::vec::Vec<Slot>, alloc::vec::Vec<JournalSlot>>);

#[cfg(feature = "alloc")]
impl ChainVec {
    /// Allocates what the rules ask for.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        let entries = usize::try_from(rules.max_entries).unwrap_or(usize::MAX);
        let writes = usize::try_from(rules.max_writes).unwrap_or(usize::MAX);
        Self(ChainSlots {
            entries: alloc::vec![Slot::EMPTY; entries],
            journal: alloc::vec![JournalSlot::EMPTY; writes.saturating_add(1)],
        })
    }
}

#[cfg(feature = "alloc")]
impl ChainStorage for ChainVec {
    fn parts(&mut self) -> ChainParts<'_> {
        self.0.parts()
    }

    fn entries(&self) -> &[Slot] {
        self.0.entries()
    }
}
