//! A table on its way out: the difference between two tables, cut into messages.

use super::{PatchPlanError, QueryTable};
use crate::BufferTooSmall;
use crate::wire::{Compressor, Patch, Qrp, Reset};

/// The width that all servents read.
const ENTRY_BITS: u8 = 4;

/// Makes the messages that bring a neighbour's copy of a table up to date: entries of 4 bits, which
/// all servents read, plain.
///
/// Nothing is stored: any message can be made again, in any order.
///
/// To send a compressed patch, give the [`entries`](Self::entries) to a deflater and cut its stream
/// into [`Patch`]es with [`Compressor::ZLIB`].
///
/// ```
/// use gnutella_wire::qrp::{KeywordHash, PatchEncoder, QueryTable};
///
/// let mut table = QueryTable::new(3, [0])?;
/// table.insert(KeywordHash::of("test"));
/// let patch = PatchEncoder::new(&table, None, 7, 512)?;
/// let (mut reset, mut first) = ([0; 6], [0; 9]);
/// patch.reset().encode(&mut reset)?;
/// assert_eq!(patch.message_count(), 1);
/// patch.encode(1, &mut first)?;
/// assert_eq!(first, [1, 1, 1, 0, 4, 0x00, 0xA0, 0x00, 0x00]); // slot 2: 1 - 7 = -6
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PatchEncoder<'a> {
    new: QueryTable<&'a [u8]>,
    old: Option<QueryTable<&'a [u8]>>,
    infinity: u8,
    chunk: usize,
}

impl<'a> PatchEncoder<'a> {
    /// Begins with the table as it is to be, and `old` as the neighbour has it; `None` after a
    /// RESET. `infinity` must be that of the RESET; 7 is customary. `chunk` is the most entry bytes
    /// per message: 512 with gtk-gnutella, 4,096 with `LimeWire`.
    ///
    /// # Errors
    ///
    /// [`PatchPlanError::Infinity`] unless it is 2 to 8; [`PatchPlanError::OtherSize`] if the two
    /// tables differ in size; [`PatchPlanError::TooManyMessages`] if 255 do not suffice.
    pub fn new<S>(
        new: &'a QueryTable<S>,
        old: Option<&'a QueryTable<S>>,
        infinity: u8,
        chunk: usize,
    ) -> Result<Self, PatchPlanError>
    where
        S: AsRef<[u8]> + ?Sized,
    {
        let (new, old) = (new.as_slice(), old.map(QueryTable::as_slice));
        if !(2..=8).contains(&infinity) {
            return Err(PatchPlanError::Infinity { infinity });
        }
        if let Some(from) = old.filter(|old| old.bits() != new.bits()) {
            return Err(PatchPlanError::OtherSize { from: from.bits(), to: new.bits() });
        }
        let needed = entries_len(&new).div_ceil(usize::from(u8::MAX));
        if chunk < needed {
            return Err(PatchPlanError::TooManyMessages { chunk, needed });
        }
        Ok(Self { new, old, infinity, chunk })
    }

    /// Returns the RESET that has to come before a patch from empty.
    #[must_use]
    pub fn reset(&self) -> Qrp<'static> {
        Qrp::Reset(Reset { slots: self.new.slots(), infinity: self.infinity })
    }

    /// Returns how many messages the patch takes, 1 to 255.
    #[must_use]
    pub fn message_count(&self) -> u8 {
        let count = self.entries_len().div_ceil(self.chunk.max(1));
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    /// Returns the length of all entries together, in bytes: half the number of slots.
    #[must_use]
    pub fn entries_len(&self) -> usize {
        entries_len(&self.new)
    }

    /// Walks over the entries of all messages in a row, two to a byte, the high half first.
    pub fn entries(&self) -> impl Iterator<Item = u8> + use<'a> {
        let this = *self;
        this.entries_from(0)
    }

    /// Writes the payload of message number `seq_no`, counted from 1, and returns its length.
    /// Numbers beyond the last make a message without entries, which no neighbour takes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below 5 bytes and those of the entries.
    pub fn encode(&self, seq_no: u8, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let before = usize::from(seq_no.saturating_sub(1)).saturating_mul(self.chunk);
        let len = self.entries_len().saturating_sub(before).min(self.chunk);
        let needed = Patch::MIN_LEN.saturating_add(len);
        let short = BufferTooSmall { needed };
        let out = out.get_mut(..needed).ok_or(short)?;
        let head = Patch {
            seq_no,
            seq_size: self.message_count(),
            compressor: Compressor::NONE,
            entry_bits: ENTRY_BITS,
            data: &[],
        };
        let at = Qrp::Patch(head).encode(out)?;
        let entries = self.entries_from(before);
        out.iter_mut().skip(at).zip(entries).for_each(|(byte, entry)| *byte = entry);
        Ok(needed)
    }

    /// Walks over the entries from a byte on.
    fn entries_from(self, byte: usize) -> impl Iterator<Item = u8> + use<'a> {
        let first = u32::try_from(byte).unwrap_or(u32::MAX).saturating_mul(2);
        (first..self.new.slots()).step_by(2).map(move |slot| {
            let next = slot.saturating_add(1);
            self.entry(slot) << ENTRY_BITS | self.entry(next)
        })
    }

    /// Returns what is to be added to a slot, in two's complement of 4 bits.
    fn entry(&self, slot: u32) -> u8 {
        let was = self.old.is_some_and(|old| old.holds(slot));
        let down = self.infinity.saturating_sub(1);
        match (was, self.new.holds(slot)) {
            (false, true) => down.wrapping_neg() & 0x0F,
            (true, false) => down,
            _ => 0,
        }
    }
}

fn entries_len(table: &QueryTable<&[u8]>) -> usize {
    usize::try_from(table.slots() >> 1).unwrap_or(usize::MAX)
}
