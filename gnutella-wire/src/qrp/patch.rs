//! A table on its way out: the difference between two tables, cut into messages.

use super::error::PatchPlanError;
use super::table::{QueryTable, place};
use crate::error::BufferTooSmall;
use crate::wire::{Compressor, Patch, Qrp, Reset};

/// The width that all servents read.
const CUSTOMARY: u8 = 4;

/// Makes the messages that bring a neighbour's copy of a table up to date, with entries of 4 bits,
/// which all servents read, or of another width.
///
/// Nothing is stored: any message can be made again, in any order.
///
/// [`encode`](Self::encode) writes plain patches. To send a compressed one, give the
/// [`entries`](Self::entries) to a deflater, or call `compress` with the feature `deflate`, and cut
/// the stream with [`CompressedPatch`].
///
/// ```
/// use gnutella_wire::qrp::{KeywordHash, PatchEncoder, QueryTable};
///
/// let mut table = QueryTable::resume(3, [0])?;
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
    entry_bits: u8,
    infinity: u8,
    chunk: usize,
}

/// A patch as one stream of zlib format, cut into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedPatch<'a> {
    stream: &'a [u8],
    entry_bits: u8,
    chunk: usize,
}

/// Iterates over the entry bytes of a [`PatchEncoder`].
#[derive(Debug, Clone)]
pub struct PatchEntries<'a> {
    plan: PatchEncoder<'a>,
    slot: u32,
}

/// Iterates over the messages of a [`CompressedPatch`].
#[derive(Debug, Clone)]
pub struct PatchMessages<'a> {
    patch: CompressedPatch<'a>,
    numbers: core::ops::RangeInclusive<u8>,
    seq_size: u8,
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
        Self::with_entry_bits(CUSTOMARY, new, old, infinity, chunk)
    }

    /// Begins in the same way with entries of 1, 2, 4 or 8 bits. Those of 1 bit flip their slots,
    /// whatever the infinity; 2 bits carry an infinity of 2 only, 4 bits 2 to 8, 8 bits 2 to 128.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`PatchPlanError::EntryBits`] for other widths.
    pub fn with_entry_bits<S>(
        entry_bits: u8,
        new: &'a QueryTable<S>,
        old: Option<&'a QueryTable<S>>,
        infinity: u8,
        chunk: usize,
    ) -> Result<Self, PatchPlanError>
    where
        S: AsRef<[u8]> + ?Sized,
    {
        let new = new.as_slice();
        let old = old.map(QueryTable::as_slice);
        let most = match entry_bits {
            1 => u8::MAX,
            2 => 2,
            4 => 8,
            8 => 128,
            _ => return Err(PatchPlanError::EntryBits { entry_bits }),
        };
        if !(2..=most).contains(&infinity) {
            return Err(PatchPlanError::Infinity { infinity, entry_bits, most });
        }
        if let Some(from) = old.filter(|old| old.bits() != new.bits()) {
            return Err(PatchPlanError::OtherSize { from: from.bits(), to: new.bits() });
        }
        let this = Self { new, old, entry_bits, infinity, chunk };
        let needed = this.entries_len().div_ceil(usize::from(u8::MAX));
        if chunk < needed {
            return Err(PatchPlanError::TooManyMessages { chunk, needed });
        }
        Ok(this)
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

    /// Returns the length of all entries together, in bytes: with 4 bits half the number of slots.
    #[must_use]
    pub fn entries_len(&self) -> usize {
        usize::try_from(self.new.slots().div_ceil(self.per_byte())).unwrap_or(usize::MAX)
    }

    /// Iterates over the entries of all messages in a row, the first of a byte in its highest bits.
    #[must_use]
    pub const fn entries(&self) -> PatchEntries<'a> {
        PatchEntries { plan: *self, slot: 0 }
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
            entry_bits: self.entry_bits,
            data: &[],
        };
        let at = Qrp::Patch(head).encode(out)?;
        let entries = self.entries_from(before);
        out.iter_mut().skip(at).zip(entries).for_each(|(byte, entry)| *byte = entry);
        Ok(needed)
    }

    /// Writes all entries as one stream of zlib format, and returns its length. Cut it with
    /// [`CompressedPatch::new`].
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed.
    #[cfg(feature = "deflate")]
    pub fn compress(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut entries = self.entries();
        let feed = |each: &mut dyn FnMut(&[u8])| {
            let mut piece = [0; 512];
            loop {
                let len = piece.iter_mut().zip(&mut entries).map(|(to, from)| *to = from).count();
                each(piece.get(..len).unwrap_or_default());
                if len < piece.len() {
                    break;
                }
            }
        };
        crate::writer::Writer::fill(out, |w| crate::deflate::compress_chunks(feed, w))
    }

    /// Returns how many slots the table has.
    pub(super) fn slots(&self) -> u32 {
        self.new.slots()
    }

    /// Returns the byte whose first entry is that of `slot`.
    pub(super) fn byte(&self, slot: u32) -> u8 {
        if self.is_unchanged(slot) {
            return 0; // as nearly all are
        }
        // A table of few slots ends inside a byte; `entry` is 0 beyond it.
        let end = slot.saturating_add(self.per_byte());
        let bits = u32::from(self.entry_bits);
        let shift = |byte: u8| byte.checked_shl(bits).unwrap_or_default();
        (slot..end).fold(0, |byte, slot| shift(byte) | self.entry(slot))
    }

    /// Returns whether the eight slots around this one are as they were.
    fn is_unchanged(&self, slot: u32) -> bool {
        let (at, _) = place(slot);
        let was = self.old.and_then(|old| old.as_bytes().get(at).copied()).unwrap_or(0);
        self.new.as_bytes().get(at).is_some_and(|is| *is == was)
    }

    /// Returns how many entries a byte has. Each byte asks, and entries have 1, 2, 4 or 8 bits: a shift, no division.
    pub(super) fn per_byte(&self) -> u32 {
        8_u32.checked_shr(self.entry_bits.trailing_zeros()).unwrap_or(1).max(1)
    }

    /// Iterates over the entries from a byte on.
    fn entries_from(self, byte: usize) -> PatchEntries<'a> {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        PatchEntries { plan: self, slot: byte.saturating_mul(self.per_byte()) }
    }

    /// Returns what is to be added to a slot, in two's complement of as many bits as an entry has.
    fn entry(&self, slot: u32) -> u8 {
        let was = self.old.is_some_and(|old| old.holds(slot));
        let is = self.new.holds(slot);
        let down = self.infinity.saturating_sub(1);
        match (self.entry_bits, was, is) {
            (1, ..) => u8::from(was != is),
            (bits, false, true) => {
                down.wrapping_neg() & u8::MAX.wrapping_shr(8_u32.saturating_sub(bits.into()))
            }
            (_, true, false) => down,
            _ => 0,
        }
    }
}

impl<'a> CompressedPatch<'a> {
    /// Cuts a stream of entries of `entry_bits` bits into messages of at most `chunk` bytes.
    ///
    /// # Errors
    ///
    /// [`PatchPlanError::TooManyMessages`] if 255 do not suffice.
    pub fn new(stream: &'a [u8], entry_bits: u8, chunk: usize) -> Result<Self, PatchPlanError> {
        let needed = stream.len().div_ceil(usize::from(u8::MAX)).max(1);
        if chunk < needed {
            return Err(PatchPlanError::TooManyMessages { chunk, needed });
        }
        Ok(Self { stream, entry_bits, chunk })
    }

    /// Iterates over the messages in their order, at least one.
    #[must_use]
    pub fn messages(self) -> PatchMessages<'a> {
        let count = self.stream.len().div_ceil(self.chunk.max(1)).max(1);
        let seq_size = u8::try_from(count).unwrap_or(u8::MAX);
        PatchMessages { patch: self, numbers: 1..=seq_size, seq_size }
    }
}

impl Iterator for PatchEntries<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.slot >= self.plan.new.slots() {
            return None;
        }
        let byte = self.plan.byte(self.slot);
        self.slot = self.slot.saturating_add(self.plan.per_byte());
        Some(byte)
    }
}

impl<'a> Iterator for PatchMessages<'a> {
    type Item = Qrp<'a>;

    fn next(&mut self) -> Option<Qrp<'a>> {
        let seq_no = self.numbers.next()?;
        let CompressedPatch { stream, entry_bits, chunk } = self.patch;
        let from = usize::from(seq_no.saturating_sub(1)).saturating_mul(chunk);
        let rest = stream.get(from..).unwrap_or_default();
        let data = rest.get(..chunk).unwrap_or(rest);
        let seq_size = self.seq_size;
        let compressor = Compressor::ZLIB;
        Some(Qrp::Patch(Patch { seq_no, seq_size, compressor, entry_bits, data }))
    }
}
