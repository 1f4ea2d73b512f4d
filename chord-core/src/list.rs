//! A short list whose greatest length the protocol fixes.

use core::ops::Deref;

use heapless::Vec;

/// Up to `N` items, at most 255, in place. It reads as a slice.
///
/// ```
/// let mut list = chord_core::List::<u8, 2>::new();
/// assert_eq!(list.push(1), Ok(()));
/// assert_eq!(list.push(2), Ok(()));
/// assert_eq!(list.push(3), Err(3));
/// assert_eq!(list[..], [1, 2]);
/// ```
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

    /// Returns whether there is no room left.
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

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.0.get_mut(at)
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        (at < self.0.len()).then(|| self.0.remove(at))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_gives_way_in_a_full_list() {
        let mut list: List<u8, 2> = [1, 2].into_iter().collect();
        list.push_over(3);
        assert_eq!(list[..], [2, 3]);
        assert_eq!(
            (list.remove(2), list.remove(1), list.remove(0), list.remove(0)),
            (None, Some(3), Some(2), None)
        );
        let mut none = List::<u8, 0>::new();
        none.push_over(1);
        assert!(none.is_empty() && none.is_full());
    }
}
