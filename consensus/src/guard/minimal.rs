//! EIP-3076's minimal strategy: three numbers for each key.

use super::error::GuardError;

/// What one key has signed, in 24 bytes: EIP-3076's minimal strategy.
///
/// It never allows what [`CompleteGuard`](crate::guard::CompleteGuard) refuses as slashable, and it also refuses to sign the same thing again.
/// `sign_*` changes the guard. Store [`to_bytes`](Self::to_bytes) before the signature leaves: then a crash between
/// the two costs one vote and never a second signature.
///
/// ```
/// use consensus::guard::{GuardError, MinimalGuard};
///
/// let mut guard = MinimalGuard::EMPTY;
/// guard.sign_block(5)?;
/// let stored = guard.to_bytes(); // first to the flash, then the signature to the network
///
/// let mut guard = MinimalGuard::from_bytes(&stored); // after a restart
/// assert_eq!(guard.sign_block(5), Err(GuardError::BelowMinimum { minimum: 6 }));
/// guard.sign_attestation(1, 2)?;
/// assert!(guard.sign_attestation(0, 3).is_err(), "it would surround the first");
/// # Ok::<(), GuardError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MinimalGuard {
    next_slot: u64,
    source: u64,
    next_target: u64,
}

impl MinimalGuard {
    /// The guard of a key that has signed nothing.
    pub const EMPTY: Self = Self { next_slot: 0, source: 0, next_target: 0 };

    /// Allows a block in a slot later than all before, and records it.
    ///
    /// # Errors
    ///
    /// [`GuardError`]; the guard is unchanged.
    pub fn sign_block(&mut self, slot: u64) -> Result<(), GuardError> {
        self.check_slot(slot)?;
        self.next_slot = slot.checked_add(1).ok_or(GuardError::OutOfRange)?;
        Ok(())
    }

    /// Allows an attestation whose target is later, and whose source is not earlier, than all before, and records it.
    ///
    /// # Errors
    ///
    /// [`GuardError`]; the guard is unchanged.
    pub fn sign_attestation(&mut self, source: u64, target: u64) -> Result<(), GuardError> {
        self.check_link(source, target)?;
        self.next_target = target.checked_add(1).ok_or(GuardError::OutOfRange)?;
        self.source = source;
        Ok(())
    }

    /// Records a block that the key signed elsewhere. The guard never gets laxer.
    pub fn import_block(&mut self, slot: u64) {
        self.next_slot = self.next_slot.max(slot.saturating_add(1));
    }

    /// Records an attestation that the key signed elsewhere. The guard never gets laxer.
    pub fn import_attestation(&mut self, source: u64, target: u64) {
        self.source = self.source.max(source);
        self.next_target = self.next_target.max(target.saturating_add(1));
    }

    /// Returns the latest slot that was signed, for an export.
    #[must_use]
    pub const fn block(&self) -> Option<u64> {
        self.next_slot.checked_sub(1)
    }

    /// Returns the latest source and target that were signed, for an export.
    #[must_use]
    pub fn attestation(&self) -> Option<(u64, u64)> {
        let target = self.next_target.checked_sub(1)?;
        Some((self.source, target))
    }

    /// Decodes what [`to_bytes`](Self::to_bytes) returned.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 24]) -> Self {
        let (numbers, _) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| u64::from_be_bytes(*number));
        let mut next = || numbers.next().unwrap_or(0);
        Self { next_slot: next(), source: next(), next_target: next() }
    }

    /// Returns the guard as bytes: next slot, source, next target, each big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut out = [0; 24];
        let numbers = [self.next_slot, self.source, self.next_target].map(u64::to_be_bytes);
        out.copy_from_slice(numbers.as_flattened());
        out
    }

    pub(super) fn check_slot(&self, slot: u64) -> Result<(), GuardError> {
        if slot < self.next_slot {
            return Err(GuardError::BelowMinimum { minimum: self.next_slot });
        }
        Ok(())
    }

    pub(super) fn check_link(&self, source: u64, target: u64) -> Result<(), GuardError> {
        if source > target {
            return Err(GuardError::SourceExceedsTarget { source, target });
        }
        if source < self.source {
            return Err(GuardError::BelowMinimum { minimum: self.source });
        }
        if target < self.next_target {
            return Err(GuardError::BelowMinimum { minimum: self.next_target });
        }
        Ok(())
    }
}
