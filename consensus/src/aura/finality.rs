//! Rolling finality: a block is final when enough different authorities have built on it.

use core::marker::PhantomData;

use thiserror::Error;

use crate::id::ValidatorId;
use crate::quorum::{OverHalf, Quorum};

/// Counts the different authorities in the unfinalized end of a chain: while they are a quorum, the first block of it is
/// final. Any `AsRef<[CreditSlot]> + AsMut<[CreditSlot]>` serves as storage: one slot for each signature of the
/// unfinalized end. When all are in use the oldest block loses its signatures: it is final with the first block after it
/// that is, and not before.
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
    len: usize,
    slots: S,
    rule: PhantomData<Q>,
}

/// Storage for one signature: 40 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditSlot {
    number: u64,
    signer: ValidatorId,
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

impl CreditSlot {
    /// A free slot.
    pub const EMPTY: Self = Self { number: 0, signer: ValidatorId([0; 32]) };
}

impl<S: AsRef<[CreditSlot]> + AsMut<[CreditSlot]>, Q: Quorum> RollingFinality<S, Q> {
    /// Starts with an empty chain of this number of authorities, and clears the slots.
    pub fn new(authorities: u64, mut slots: S) -> Self {
        slots.as_mut().fill(CreditSlot::EMPTY);
        let rule = PhantomData;
        Self { authorities, last: None, finalized: None, first: None, len: 0, slots, rule }
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
        self.make_room(signers.len());
        let end = self.len.saturating_add(signers.len());
        let free = self.slots.as_mut().get_mut(self.len..end).unwrap_or_default();
        for (slot, signer) in free.iter_mut().zip(signers) {
            *slot = CreditSlot { number, signer: *signer };
        }
        self.len = end;
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

    /// Forgets the signatures of the oldest blocks until there is room for `count`.
    fn make_room(&mut self, count: usize) {
        let slots = self.slots.as_mut();
        while self.len.saturating_add(count) > slots.len() {
            let used = slots.get_mut(..self.len).unwrap_or_default();
            let Some(oldest) = used.first().map(|credit| credit.number) else { return };
            let forgotten = used.iter().take_while(|credit| credit.number == oldest).count();
            used.rotate_left(forgotten);
            self.len = self.len.saturating_sub(forgotten);
        }
    }

    fn finalize(&mut self) -> FinalizedBlocks {
        let credits = self.slots.as_mut();
        let used = credits.get_mut(..self.len).unwrap_or_default();
        let mut start = 0;
        let mut last = None;
        while let Some(number) = used.get(start).map(|credit| credit.number) {
            let rest = used.get(start..).unwrap_or_default();
            if !Q::is_reached(count_different(rest), self.authorities) {
                break;
            }
            let of_block = rest.iter().take_while(|credit| credit.number == number).count();
            start = start.saturating_add(of_block);
            last = Some(number);
        }
        used.rotate_left(start);
        self.len = self.len.saturating_sub(start);
        let Some(last) = last else { return FinalizedBlocks { next: None, last: 0 } };
        let next = self.first;
        self.finalized = Some(last);
        self.first = last.checked_add(1);
        FinalizedBlocks { next, last }
    }
}

fn count_different(credits: &[CreditSlot]) -> u64 {
    let mut rest = credits;
    let mut count = 0_u64;
    while let [first, others @ ..] = rest {
        let is_new = others.iter().all(|other| other.signer != first.signer);
        count = count.saturating_add(u64::from(is_new));
        rest = others;
    }
    count
}

impl Iterator for FinalizedBlocks {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let number = self.next?;
        self.next = number.checked_add(1).filter(|next| *next <= self.last);
        Some(number)
    }
}
