//! Collecting the nodes of a proof.

use super::error::ProofError;
use crate::hash::Hash;

/// The nodes of an inclusion or consistency proof, collected from the root down.
pub(super) struct Siblings<'o> {
    out: &'o mut [Hash],
    len: usize,
}

impl<'o> Siblings<'o> {
    pub(super) fn new(out: &'o mut [Hash]) -> Self {
        Self { out, len: 0 }
    }

    pub(super) fn push(&mut self, sibling: Hash) {
        if let Some(slot) = self.out.get_mut(self.len) {
            *slot = sibling;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(super) fn finish(self) -> Result<&'o [Hash], ProofError> {
        let found = self.out.len();
        let wrong = ProofError::WrongLength { expected: self.len, found };
        let path = self.out.get_mut(..self.len).ok_or(wrong)?;
        path.reverse();
        Ok(path)
    }
}
