//! A compressed patch, written message by message without storage: a cursor remembers where the last one ended.
//!
//! A patch is nearly all zeros, so runs of one byte in the fixed codes are enough.

use super::patch::PatchEncoder;
use crate::fixed_codes::{Bits, HEADER, MAX_MATCH, Pending};
use crate::writer::Writer;

/// The shortest run that is written as a repetition.
const MIN_RUN: usize = 3;
/// What may follow the symbol that reaches the limit of a message: it and the end of the stream.
const RESERVE: usize = 16;
/// Of the check (RFC 1950, 9).
const ADLER_MODULUS: u32 = 65_521;

/// How far a compressed patch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PatchCursor {
    slot: u32, // of the next entry
    check: u32,
    pending: Pending,
    last: Option<u8>, // the entries written last
}

impl PatchCursor {
    /// Nothing is written yet.
    pub(crate) const START: Self = Self { slot: 0, check: 1, pending: Pending::NONE, last: None };

    /// Returns in how many messages of at most `most` bytes the patch is written; 255 if there are more.
    pub(crate) fn message_count(patch: &PatchEncoder<'_>, most: usize) -> u8 {
        let mut cursor = Self::START;
        let mut count = 0_u8;
        while !cursor.has_ended(patch) && count < u8::MAX {
            Writer::measure(|w| cursor = cursor.write(patch, most, w));
            count = count.saturating_add(1);
        }
        count
    }

    /// Writes the data of the next message, at most `most` bytes, and returns where it ends.
    pub(crate) fn write(
        mut self,
        patch: &PatchEncoder<'_>,
        most: usize,
        w: &mut Writer<'_>,
    ) -> Self {
        let end = w.len().saturating_add(most.saturating_sub(RESERVE));
        if self.last.is_none() {
            w.bytes(&HEADER);
        }
        let mut bits = Bits::resume(w, self.pending);
        if self.last.is_none() {
            bits.begin(true);
        }
        while !self.has_ended(patch) && bits.written() < end {
            self.write_symbol(patch, &mut bits);
        }
        if self.has_ended(patch) {
            bits.end();
            bits.align();
            w.bytes(&self.check.to_be_bytes());
        } else {
            self.pending = bits.pause();
        }
        self
    }

    /// Returns whether all entries are written.
    pub(crate) fn has_ended(&self, patch: &PatchEncoder<'_>) -> bool {
        self.slot >= patch.slots()
    }

    fn write_symbol(&mut self, patch: &PatchEncoder<'_>, bits: &mut Bits<'_, '_>) {
        let byte = patch.byte(self.slot);
        let run = if self.last == Some(byte) { self.run(patch, byte) } else { 0 };
        if run < MIN_RUN {
            self.pass(patch, byte);
            bits.literal(byte);
        } else {
            (0..run).for_each(|_| self.pass(patch, byte));
            bits.repeat(run, 1);
        }
        self.last = Some(byte);
    }

    /// Returns how many bytes from here on are `byte`, as far as one symbol reaches.
    fn run(&self, patch: &PatchEncoder<'_>, byte: u8) -> usize {
        let step = usize::try_from(patch.per_byte()).unwrap_or(1);
        let slots = (self.slot..patch.slots()).step_by(step.max(1)).take(MAX_MATCH);
        slots.take_while(|slot| patch.byte(*slot) == byte).count()
    }

    /// Goes on to the next entries, and adds these to the check.
    fn pass(&mut self, patch: &PatchEncoder<'_>, byte: u8) {
        let low = add(self.check & 0xFFFF, byte.into());
        let high = add(self.check >> 16, low);
        self.check = high << 16 | low;
        self.slot = self.slot.saturating_add(patch.per_byte());
    }
}

/// Adds two numbers below the modulus.
fn add(a: u32, b: u32) -> u32 {
    let sum = a.saturating_add(b);
    sum.checked_sub(ADLER_MODULUS).unwrap_or(sum)
}
