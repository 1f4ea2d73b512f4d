//! How a file is cut into blocks, and which are in the file already.

use super::slots::{BlockSlot, Status};
use crate::error::ConfigError;
use crate::thex::Shape;

const MIN_BLOCK: u64 = 64 << 10;

/// The blocks of a file: all are of one length, but the last may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) size: u64, // of the file
    pub(super) block_len: u64,
    pub(super) block_count: usize,
}

impl Geometry {
    /// Chooses blocks that fit the slots.
    pub(super) fn new(size: u64, slots: usize) -> Result<Self, ConfigError> {
        let block_len = block_len(size, slots)?;
        let block_count = usize::try_from(size.div_ceil(block_len)).unwrap_or(slots);
        Ok(Self { size, block_len, block_count })
    }

    /// Returns the first byte of a block, and the first of the next one.
    pub(super) fn span(&self, block: usize) -> (u64, u64) {
        let begin = u64::try_from(block).unwrap_or(u64::MAX).saturating_mul(self.block_len);
        (begin.min(self.size), begin.saturating_add(self.block_len).min(self.size))
    }

    pub(super) fn block_at(&self, offset: u64) -> usize {
        let block = offset.checked_div(self.block_len).unwrap_or_default();
        usize::try_from(block).unwrap_or(usize::MAX)
    }

    /// Marks what is in the file already, and returns how many blocks that completes. What only part of
    /// a block is written of counts from the beginning of the block.
    pub(super) fn restore(&self, blocks: &mut [BlockSlot], first: u64, len: u64) -> usize {
        let stop = first.saturating_add(len).min(self.size);
        let begun = self.block_at(first);
        let mut completed = 0_usize;
        for (block, slot) in blocks.iter_mut().enumerate().take(self.block_count).skip(begun) {
            let (begin, end) = self.span(block);
            if begin >= stop {
                break;
            }
            let have = stop.min(end).saturating_sub(begin);
            if first <= begin.saturating_add(slot.have)
                && slot.have < have
                && slot.status == Status::Missing
            {
                slot.have = have;
                slot.mixed = true; // nobody can be blamed for it
                if begin.saturating_add(have) == end {
                    slot.status = Status::Written;
                    completed = completed.saturating_add(1);
                }
            }
        }
        completed
    }
}

/// Chooses blocks that fit the slots, and are not smaller than what others keep a hash for.
fn block_len(size: u64, slots: usize) -> Result<u64, ConfigError> {
    let slots = u64::try_from(slots).unwrap_or(u64::MAX);
    let least =
        size.checked_div(slots).ok_or(ConfigError::TooFewSlots { what: "blocks", needed: 1 })?;
    let least = least.saturating_add(u64::from(!size.is_multiple_of(slots)));
    let least = least.max(MIN_BLOCK).max(Shape::customary(size).span);
    let too_few = ConfigError::TooFewSlots { what: "blocks", needed: 2 };
    least.checked_next_power_of_two().ok_or(too_few)
}
