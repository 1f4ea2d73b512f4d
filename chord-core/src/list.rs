//! A short list whose greatest length the protocol fixes.

use core::ops::Deref;

use heapless::Vec;

/// Up to `N` items, at most 255, in place. It reads as a slice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct List<T, const N: usize>(Vec<T, N, u8>);

impl<T, const N: usize> List<T, N> {
    /// Creates an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends an item; a full list returns it.
    ///
    /// # Errors
    ///
    /// The item, if `N` items are there.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }

    /// Tells whether there is no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Appends an item; in a full list the first one gives way.
    pub(crate) fn push_over(&mut self, item: T) {
        if self.0.is_full() {
            self.remove(0);
        }
        let _ = self.0.push(item); // only a list without any room refuses it
    }

    /// Inserts an item before the one at `at`. A full list loses its last item, or refuses the new
    /// one if that would be the last.
    pub(crate) fn insert(&mut self, at: usize, item: T) {
        if at >= N {
            return;
        }
        if self.0.is_full() {
            self.0.pop();
        }
        let _ = self.0.insert(at, item); // `at` is at most the length, else nothing is inserted
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        (at < self.0.len()).then(|| self.0.remove(at))
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

impl<T, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Takes the first `N` items and leaves the rest.
impl<T, const N: usize> FromIterator<T> for List<T, N> {
    fn from_iter<It: IntoIterator<Item = T>>(items: It) -> Self {
        Self(items.into_iter().take(N).collect())
    }
}
