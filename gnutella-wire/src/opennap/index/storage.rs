//! The storage of an index: users, files and the entries of its table, provided by the caller.

use super::entries::EntrySlot;
use super::slots::{FileSlot, UserSlot};

#[cfg(feature = "alloc")]
use super::slots::USER_ENTRIES;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// Storage of an [`Index`](super::Index). [`IndexSlots`] implements it over arrays, slices and
/// vectors, and with the feature `alloc` `IndexVec` does over vectors built from numbers.
pub trait IndexStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> IndexParts<'_>;
    /// Borrows all regions for reading.
    fn parts_ref(&self) -> IndexPartsRef<'_>;
}

/// The regions of an [`IndexStorage`].
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct IndexParts<'s> {
    /// One slot per connection.
    pub users: &'s mut [UserSlot],
    /// One slot per shared file.
    pub files: &'s mut [FileSlot],
    /// What is looked up: twelve for each connection, and for each file one and one for each word of its name.
    pub entries: &'s mut [EntrySlot],
}

/// The regions of an [`IndexStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct IndexPartsRef<'s> {
    /// One slot per connection.
    pub users: &'s [UserSlot],
    /// One slot per shared file.
    pub files: &'s [FileSlot],
    /// What is looked up.
    pub entries: &'s [EntrySlot],
}

/// Storage from three regions, each any array, slice, box or vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it, also in statics")]
pub struct IndexSlots<U, F, E> {
    /// One slot per connection.
    pub users: U,
    /// One slot per shared file.
    pub files: F,
    /// What is looked up: twelve for each connection, and for each file one and one for each word of its name. Names
    /// have 6 to 9 words each, by experience.
    pub entries: E,
}

impl<U, F, E> IndexStorage for IndexSlots<U, F, E>
where
    U: AsRef<[UserSlot]> + AsMut<[UserSlot]>,
    F: AsRef<[FileSlot]> + AsMut<[FileSlot]>,
    E: AsRef<[EntrySlot]> + AsMut<[EntrySlot]>,
{
    fn parts(&mut self) -> IndexParts<'_> {
        IndexParts {
            users: self.users.as_mut(),
            files: self.files.as_mut(),
            entries: self.entries.as_mut(),
        }
    }

    fn parts_ref(&self) -> IndexPartsRef<'_> {
        IndexPartsRef {
            users: self.users.as_ref(),
            files: self.files.as_ref(),
            entries: self.entries.as_ref(),
        }
    }
}

impl<S: IndexStorage + ?Sized> IndexStorage for &mut S {
    fn parts(&mut self) -> IndexParts<'_> {
        (**self).parts()
    }

    fn parts_ref(&self) -> IndexPartsRef<'_> {
        (**self).parts_ref()
    }
}

/// How many slots an [`IndexVec`] has of each kind.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one number per region of the storage")]
pub struct IndexLimits {
    /// Connections.
    pub users: usize,
    /// Shared files.
    pub files: usize,
}

/// Storage of an index on the heap.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq)]
pub struct IndexVec(IndexSlots<Vec<UserSlot>, Vec<FileSlot>, Vec<EntrySlot>>);

#[cfg(feature = "alloc")]
impl IndexVec {
    /// Allocates storage, with twelve entries for each connection and for each file.
    #[must_use]
    pub fn new(limits: IndexLimits) -> Self {
        let users = vec![UserSlot::EMPTY; limits.users];
        let files = vec![FileSlot::EMPTY; limits.files];
        let count = limits.users.saturating_add(limits.files).saturating_mul(USER_ENTRIES);
        let entries = vec![EntrySlot::EMPTY; count];
        Self(IndexSlots { users, files, entries })
    }
}

#[cfg(feature = "alloc")]
impl IndexStorage for IndexVec {
    fn parts(&mut self) -> IndexParts<'_> {
        self.0.parts()
    }

    fn parts_ref(&self) -> IndexPartsRef<'_> {
        self.0.parts_ref()
    }
}
