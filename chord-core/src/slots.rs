//! A short list in caller-provided slots.

use core::marker::PhantomData;

use crate::invariant::invariant;

/// A value that can fill unused slots.
pub(crate) trait Fill: Copy {
    const EMPTY: Self;
}

/// The first `len` slots of `S` in use; the others hold [`Fill::EMPTY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Slots<T, S> {
    storage: S,
    len: u8,
    items: PhantomData<T>,
}

impl<T, S> Slots<T, S> {
    /// Takes slots of which the first `len` are in use.
    pub(crate) const fn resume(slots: S, len: u8) -> Self {
        Self { storage: slots, len, items: PhantomData }
    }

    /// Returns the number of slots in use.
    pub(crate) const fn count(&self) -> u8 {
        self.len
    }
}

impl<T, S: AsRef<[T]>> Slots<T, S> {
    pub(crate) fn as_slice(&self) -> &[T] {
        let slots = self.storage.as_ref();
        slots.get(..usize::from(self.len)).unwrap_or(slots)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.storage.as_ref().len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.as_slice().len() >= self.capacity().min(usize::from(u8::MAX))
    }
}

impl<T: Fill, S: AsRef<[T]> + AsMut<[T]>> Slots<T, S> {
    /// Empties the slots.
    pub(crate) fn new(slots: S) -> Self {
        let mut new = Self::resume(slots, 0);
        new.storage.as_mut().fill(T::EMPTY);
        new
    }

    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    /// Appends an item. Returns whether there was room.
    pub(crate) fn push(&mut self, item: T) -> bool {
        let free = self.storage.as_mut().get_mut(usize::from(self.len));
        let (Some(slot), Some(len)) = (free, self.len.checked_add(1)) else { return false };
        *slot = item;
        self.len = len;
        true
    }

    /// Writes an item at `at`, which may be the end. Returns whether that changed anything.
    pub(crate) fn set(&mut self, at: usize, item: T) -> bool
    where
        T: PartialEq,
    {
        if at >= self.as_slice().len() {
            return self.push(item);
        }
        let Some(slot) = self.storage.as_mut().get_mut(at) else { return false };
        let changed = *slot != item;
        *slot = item;
        changed
    }

    /// Inserts an item before the one at `at`. A full list loses its last item, or refuses the new
    /// one if that would be the last.
    pub(crate) fn insert(&mut self, at: usize, item: T) {
        if self.is_full() {
            if at >= self.capacity() {
                return;
            }
            self.truncate(self.as_slice().len().saturating_sub(1));
        }
        invariant!(at <= self.as_slice().len(), "an insertion leaves no gap");
        if self.push(item) {
            let items = self.storage.as_mut().get_mut(..usize::from(self.len)).unwrap_or_default();
            if let Some(tail @ [_, ..]) = items.get_mut(at..) {
                tail.rotate_right(1);
            }
        }
    }

    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        let items = self.storage.as_mut().get_mut(..usize::from(self.len))?;
        let item = *items.get(at)?;
        if let Some(tail @ [_, ..]) = items.get_mut(at..) {
            tail.rotate_left(1);
        }
        self.truncate(self.as_slice().len().saturating_sub(1));
        Some(item)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let mut at = 0;
        while let Some(item) = self.as_slice().get(at) {
            if keep(item) {
                at = at.saturating_add(1);
            } else {
                self.remove(at);
            }
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        let len = u8::try_from(len).unwrap_or(u8::MAX).min(self.len);
        let unused = self.storage.as_mut().get_mut(usize::from(len)..usize::from(self.len));
        unused.unwrap_or_default().fill(T::EMPTY);
        self.len = len;
    }
}
