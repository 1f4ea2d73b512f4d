//! Rolling finality: a block is final when enough different authorities have built on it.

use core::marker::PhantomData;

use thiserror::Error;

use super::credits::{CreditSlot, Credits, Queue};
use crate::id::ValidatorId;
use crate::quorum::{OverHalf, Quorum};

/// Counts the different authorities in the unfinalized end of a chain: while they are a quorum, the first block of it is
/// final. Any `AsRef<[CreditSlot]> + AsMut<[CreditSlot]>` serves as storage: one slot for each signature of the
/// unfinalized end. When all are in use the oldest block loses its signatures: it is final with the first block after it
/// that is, and not before.
///
/// A block costs O(1) for each of its signers and for each block that becomes final, as long as the first bytes of ids are
/// spread like those of keys, and never more than O(slots) for each.
///
/// Faulty authorities below the quorum cannot finalize by themselves, however many blocks they make.
///
/// ```
/// use consensus::aura::{CreditSlot, RollingFinality};
/// use consensus::ValidatorId;
///
/// let [ann, ben, cid] = [1, 2, 3].map(|n| ValidatorId([n; 32]));
/// let mut finality = RollingFinality::<_>::new(3, [CreditSlot::EMPTY; 8]);
/// assert!(finality.push(1, &[ann])?.eq([]));
/// assert!(finality.push(2, &[ann])?.eq([]));
/// assert!(finality.push(3, &[ben])?.eq([1, 2]), "two of three");
/// # Ok::<(), consensus::aura::FinalityError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingFinality<S, Q = OverHalf> {
    authorities: u64,
    last: Option<u64>,
    finalized: Option<u64>,
    /// The first block that is not final.
    first: Option<u64>,
    queue: Queue,
    slots: S,
    rule: PhantomData<Q>,
}

/// The blocks that became final, in order. Created by [`RollingFinality::push`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalizedBlocks {
    next: Option<u64>,
    last: u64,
}

/// Why a block is refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FinalityError {
    /// The block does not follow the last one.
    #[error("block {found}, but {expected} follows")]
    WrongNumber {
        /// The number of the block that follows.
        expected: u64,
        /// The number of this block.
        found: u64,
    },
    /// Nobody signed the block.
    #[error("a block without a signer")]
    NoSigner,
    /// The block has more signers than there are slots.
    #[error("a block with more signers than the {capacity} slots")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
}

impl<S: AsRef<[CreditSlot]> + AsMut<[CreditSlot]>, Q: Quorum> RollingFinality<S, Q> {
    /// Starts with an empty chain of this number of authorities, and clears the slots.
    pub fn new(authorities: u64, mut slots: S) -> Self {
        slots.as_mut().fill(CreditSlot::EMPTY);
        let queue = Queue::default();
        let rule = PhantomData;
        Self { authorities, last: None, finalized: None, first: None, queue, slots, rule }
    }

    /// Adds the next block with its signer and the signers of its empty steps, and returns the blocks that became final.
    /// The first block may have any number.
    ///
    /// # Errors
    ///
    /// [`FinalityError`]; nothing has changed.
    pub fn push(
        &mut self,
        number: u64,
        signers: &[ValidatorId],
    ) -> Result<FinalizedBlocks, FinalityError> {
        if signers.is_empty() {
            return Err(FinalityError::NoSigner);
        }
        let expected = self.last.map_or(number, |last| last.saturating_add(1));
        if number != expected || self.last == Some(u64::MAX) {
            return Err(FinalityError::WrongNumber { expected, found: number });
        }
        let capacity = self.slots.as_ref().len();
        if signers.len() > capacity {
            return Err(FinalityError::Full { capacity });
        }
        let mut credits = Credits::new(&mut self.queue, self.slots.as_mut());
        while credits.free() < signers.len() && credits.pop_block().is_some() {}
        for signer in signers {
            credits.push(number, *signer);
        }
        self.last = Some(number);
        self.first = self.first.or(Some(number));
        Ok(self.finalize())
    }

    /// Returns the last block that is final.
    #[must_use]
    pub const fn finalized(&self) -> Option<u64> {
        self.finalized
    }

    /// Changes the number of authorities from the next block on.
    pub const fn set_authorities(&mut self, authorities: u64) {
        self.authorities = authorities;
    }

    /// Returns the slots.
    pub fn into_storage(self) -> S {
        self.slots
    }

    fn finalize(&mut self) -> FinalizedBlocks {
        let mut credits = Credits::new(&mut self.queue, self.slots.as_mut());
        let mut last = None;
        while Q::is_reached(credits.different_signers(), self.authorities) {
            let Some(number) = credits.pop_block() else { break };
            last = Some(number);
        }
        let Some(last) = last else { return FinalizedBlocks { next: None, last: 0 } };
        let next = self.first;
        self.finalized = Some(last);
        self.first = last.checked_add(1);
        FinalizedBlocks { next, last }
    }
}

impl Iterator for FinalizedBlocks {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = self.next?;
        self.next = number.checked_add(1).filter(|next| *next <= self.last);
        Some(number)
    }
}
