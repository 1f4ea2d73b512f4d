//! A byte string of limited length, in place.

/// At most `N` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShortBytes<const N: usize> {
    bytes: [u8; N], // those behind the length are zero
    len: u16,
}

impl<const N: usize> ShortBytes<N> {
    pub(super) const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Copies bytes. The caller has checked their number; more than `N` are cut off.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut copy = Self::EMPTY;
        copy.set(bytes);
        copy
    }

    /// Does what [`new`](Self::new) does, in place.
    pub(super) fn set(&mut self, bytes: &[u8]) {
        *self = Self::EMPTY;
        for (to, byte) in self.bytes.iter_mut().zip(bytes) {
            *to = *byte;
            self.len = self.len.saturating_add(1);
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }
}
