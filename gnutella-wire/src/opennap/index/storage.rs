//! The storage of an index: users and files, provided by the caller.

use super::slots::{FileSlot, UserSlot};

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
}

/// The regions of an [`IndexStorage`], for reading.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "implementors of the storage trait build it")]
pub struct IndexPartsRef<'s> {
    /// One slot per connection.
    pub users: &'s [UserSlot],
    /// One slot per shared file.
    pub files: &'s [FileSlot],
}

/// Storage from two regions, each any array, slice, box or vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the caller builds it, also in statics")]
pub struct IndexSlots<U, F> {
    /// One slot per connection.
    pub users: U,
    /// One slot per shared file.
    pub files: F,
}

impl<U, F> IndexStorage for IndexSlots<U, F>
where
    U: AsRef<[UserSlot]> + AsMut<[UserSlot]>,
    F: AsRef<[FileSlot]> + AsMut<[FileSlot]>,
{
    fn parts(&mut self) -> IndexParts<'_> {
        IndexParts { users: self.users.as_mut(), files: self.files.as_mut() }
    }

    fn parts_ref(&self) -> IndexPartsRef<'_> {
        IndexPartsRef { users: self.users.as_ref(), files: self.files.as_ref() }
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
pub struct IndexVec(IndexSlots<Vec<UserSlot>, Vec<FileSlot>>);

#[cfg(feature = "alloc")]
impl IndexVec {
    /// Allocates storage.
    #[must_use]
    pub fn new(limits: IndexLimits) -> Self {
        let users = vec![UserSlot::EMPTY; limits.users];
        let files = vec![FileSlot::EMPTY; limits.files];
        Self(IndexSlots { users, files })
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
