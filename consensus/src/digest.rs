//! The digests of engines, by which their parameters name the chain.

use core::fmt;

use ledger_core::Hash;

use crate::id::ValidatorId;
use crate::set::storage::ValidatorStorage;
use crate::set::validators::ValidatorSet;

/// A hash over parameters of any number, one after the other.
pub(crate) struct Digest(Hash);

impl Digest {
    pub(crate) fn new(name: &[u8]) -> Self {
        Self(Hash::of(name))
    }

    pub(crate) fn and(self, part: &[u8]) -> Self {
        let mut preimage = [0; 64];
        for (byte, value) in preimage.iter_mut().zip(self.0.as_bytes().iter().chain(part)) {
            *byte = *value;
        }
        let len = part.len().saturating_add(32).min(64);
        Self(Hash::of(preimage.get(..len).unwrap_or_default()))
    }

    /// Appends all validators with their stakes.
    pub(crate) fn and_stakes<S: ValidatorStorage>(self, validators: &ValidatorSet<S>) -> Self {
        let append = |digest: Self, (id, stake): (ValidatorId, u64)| {
            digest.and(&id.0).and(&stake.to_be_bytes())
        };
        validators.iter().fold(self, append)
    }

    pub(crate) const fn into_hash(self) -> Hash {
        self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
