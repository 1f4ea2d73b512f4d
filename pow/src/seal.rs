//! Proof of work as a seal for the blocks of `ledger-core`.

use core::ops::RangeInclusive;

use ledger_core::{Hash, Header, Seal, SealKind, Tip, Weight};
use thiserror::Error;

use crate::compact::{CompactError, CompactTarget};
use crate::miner::Miner;
use crate::puzzle::{HashFunction, NonceField, NonceFormat, Puzzle, PuzzleError};
use crate::target::{BigEndian, Target};

/// Requires every block's hash, read big-endian, not to exceed one target; a block weighs the hashes that
/// costs on average.
///
/// The seal is the compact target (u32) and the nonce (u64), both big-endian. Header and target fill two
/// blocks of SHA-256, so each nonce costs one compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkSeal {
    bits: CompactTarget,
    target: Target,
}

/// Why a seal does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The block is sealed by another rule.
    #[error("a seal of kind {0}, where work is required")]
    WrongKind(SealKind),
    /// The seal has another length.
    #[error("{0} bytes of seal, where work takes 12")]
    WrongLength(usize),
    /// The seal claims another target.
    #[error("target {found}, where {expected} is required")]
    WrongTarget {
        /// The target that the chain requires.
        expected: CompactTarget,
        /// The one in the seal.
        found: CompactTarget,
    },
    /// The hash exceeds the target.
    #[error("hash {0:.16} exceeds the target")]
    NotEnoughWork(Hash),
}

impl WorkSeal {
    /// The length of the seal in bytes.
    pub const LEN: u8 = 12;

    /// Requires this target of every block.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if the 32 bits are not a target.
    pub fn new(bits: CompactTarget) -> Result<Self, CompactError> {
        Ok(Self { bits, target: bits.to_target()? })
    }

    /// Begins the search for the nonce of a header, whose kind must be work and whose seal length
    /// [`Self::LEN`].
    ///
    /// # Errors
    ///
    /// [`PuzzleError`] never occurs: header and seal always are a puzzle.
    pub fn miner(
        &self,
        header: &Header,
        nonces: RangeInclusive<u64>,
    ) -> Result<Miner, PuzzleError> {
        let header = header.to_bytes();
        let mut message = [0; Header::LEN + 12];
        for (byte, value) in message.iter_mut().zip(header.iter().chain(&self.seal(0))) {
            *byte = *value;
        }
        let nonce = NonceField { offset: Header::LEN + 4, format: NonceFormat::U64Be };
        let puzzle = Puzzle::new(HashFunction::Sha256, &message, nonce)?;
        Ok(Miner::new(puzzle, self.target, nonces))
    }

    /// Returns the bytes of the seal with this nonce.
    #[must_use]
    pub fn seal(&self, nonce: u64) -> [u8; 12] {
        let mut seal = [0; 12];
        let (bits, rest) = seal.split_at_mut(4);
        bits.copy_from_slice(&self.bits.0.to_be_bytes());
        rest.copy_from_slice(&nonce.to_be_bytes());
        seal
    }
}

impl Seal for WorkSeal {
    type Error = WorkError;

    fn weigh(&self, _: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, WorkError> {
        if header.seal_kind != SealKind::WORK {
            return Err(WorkError::WrongKind(header.seal_kind));
        }
        let (Some((bits, _)), 12) = (seal.split_first_chunk::<4>(), seal.len()) else {
            return Err(WorkError::WrongLength(seal.len()));
        };
        let found = CompactTarget(u32::from_be_bytes(*bits));
        if found != self.bits {
            return Err(WorkError::WrongTarget { expected: self.bits, found });
        }
        let hash = header.hash(seal);
        if !self.target.is_met_by::<BigEndian>(hash.as_bytes()) {
            return Err(WorkError::NotEnoughWork(hash));
        }
        Ok(Weight(self.target.work().hashes().saturating_u128()))
    }
}
