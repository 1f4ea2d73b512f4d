//! A table on its way in: RESET and PATCH messages become bits in caller-provided storage.

use core::fmt;

use super::error::{QrpError, TableError};
use super::table::{QueryTable, flip, put};
use crate::wire::{Compressor, Patch, Qrp, Reset};

/// The largest table that any servent sends has 2 to the power of this many slots.
const MAX_PEER_BITS: u8 = 24;

/// Receives a neighbour's table. `S` is the storage, at least one byte: any `[u8]`.
///
/// The storage bounds the table, whatever the neighbour announces. A larger table folds: several
/// of its slots share one, and the table then rules out fewer queries. A smaller one is kept as it
/// is. Since shared slots are ambiguous, a word that goes from a folded table stays
/// until the next RESET.
///
/// The distance of a word is not kept, only whether it is less than infinity. What makes a slot
/// nearer (a negative entry) sets it, what makes it farther (a positive one) clears it, and an entry
/// of one bit flips it: so servents read patches, which know the distance 1 only.
///
/// # Compressed patches
///
/// With the feature `deflate` there is `handle_compressed_patch`. To use another inflater, give the data of
/// such a patch to one that lasts as long as the sequence (zlib format, one stream over all messages), and what comes out to
/// [`handle_patch_entries`](Self::handle_patch_entries), in pieces of any length:
///
/// ```
/// # use gnutella_wire::{qrp::{QrpError, TableReceiver}, wire::Patch};
/// # struct Inflater;
/// # impl Inflater { fn inflate<'b>(&mut self, _: &mut &[u8], _: &'b mut [u8]) -> Option<&'b [u8]> { None } }
/// fn receive(
///     table: &mut TableReceiver<[u8]>,
///     inflater: &mut Inflater,
///     patch: &Patch<'_>,
/// ) -> Result<(), QrpError> {
///     table.begin_patch(patch)?;
///     let (mut data, mut buf) = (patch.data, [0; 64]);
///     while let Some(entries) = inflater.inflate(&mut data, &mut buf) {
///         table.handle_patch_entries(entries)?;
///     }
///     table.end_patch()?;
///     Ok(())
/// }
/// ```
///
/// A stream that is damaged ends the link like any other [`QrpError`]; one that ends early shows as
/// [`QrpError::Short`].
#[derive(Clone)]
pub struct TableReceiver<S: ?Sized> {
    core: ReceiverState,
    storage: S, // last, so that an array coerces to a slice
}

/// How far a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete or not")]
pub enum Progress {
    /// More messages of this patch are due.
    Partial,
    /// The patch is complete.
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReceiverState {
    shape: Option<Shape>,
    sequence: Option<Sequence>,
    begun: bool, // a message of the sequence
    whole: bool, // a patch since the RESET, so that the table may be asked
}

/// The content of a RESET, and what is stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    bits: u8,   // of the table kept
    folds: u8,  // how many bits fewer than the neighbour's
    slots: u32, // of the neighbour's table
}

/// The content of the first PATCH of a sequence, and the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sequence {
    seq_no: u8, // the last that began
    seq_size: u8,
    compressor: Compressor,
    entry_bits: u8,
    bytes: u32, // of entries, that came
}

impl<S: AsRef<[u8]>> TableReceiver<S> {
    /// Begins without a table. Any length of storage works; of what is not a power of two only the
    /// next lower one is used, and at most 262,144 bytes.
    ///
    /// # Errors
    ///
    /// [`TableError::Memory`] if there is not a single byte.
    pub fn new(storage: S) -> Result<Self, TableError> {
        if storage.as_ref().is_empty() {
            return Err(TableError::Memory { len: 0, needed: 1 });
        }
        Ok(Self { core: ReceiverState::NONE, storage })
    }

    /// Continues where another receiver with the same storage was.
    pub(crate) const fn resume(core: ReceiverState, storage: S) -> Self {
        Self { core, storage }
    }

    /// Returns how far it is.
    pub(crate) const fn state(&self) -> ReceiverState {
        self.core
    }

    /// Returns the storage.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.storage
    }
}

impl<S: AsMut<[u8]> + ?Sized> TableReceiver<S> {
    /// Takes a message, whose patch must not be compressed.
    ///
    /// # Errors
    ///
    /// [`QrpError::Compressed`] if it is; any other [`QrpError`] that is the neighbour's fault.
    /// Nothing changed.
    pub fn handle(&mut self, message: &Qrp<'_>) -> Result<Progress, QrpError> {
        match message {
            Qrp::Reset(reset) => self.handle_reset(*reset).map(|()| Progress::Partial),
            Qrp::Patch(patch) => self.handle_patch(patch),
        }
    }

    /// Begins a new, empty table.
    ///
    /// # Errors
    ///
    /// [`QrpError::TableLength`] and [`QrpError::Infinity`]; nothing changed.
    pub fn handle_reset(&mut self, reset: Reset) -> Result<(), QrpError> {
        let storage = self.storage.as_mut();
        self.core = ReceiverState::reset(reset, storage.len())?;
        storage.fill(0);
        Ok(())
    }

    /// Takes a message of a patch that is not compressed.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn handle_patch(&mut self, patch: &Patch<'_>) -> Result<Progress, QrpError> {
        let mut core = self.core;
        core.begin(patch)?;
        if patch.compressor != Compressor::NONE {
            return Err(QrpError::Compressed);
        }
        let piece = core.cover(patch.data)?;
        let progress = core.end()?;
        piece.apply(self.storage.as_mut());
        self.core = core;
        Ok(progress)
    }

    /// Begins a message of a patch, compressed or not, without looking at its data.
    ///
    /// # Errors
    ///
    /// Any [`QrpError`] about the sequence; nothing changed.
    pub fn begin_patch(&mut self, patch: &Patch<'_>) -> Result<(), QrpError> {
        self.core.begin(patch)
    }

    /// Takes entries of the message that was begun, not compressed or no longer.
    ///
    /// # Errors
    ///
    /// [`QrpError::Overflow`] if they are more than the table has slots; [`QrpError::NotBegun`].
    /// Nothing changed.
    pub fn handle_patch_entries(&mut self, entries: &[u8]) -> Result<(), QrpError> {
        let piece = self.core.cover(entries)?;
        piece.apply(self.storage.as_mut());
        Ok(())
    }

    /// Ends the message that was begun.
    ///
    /// # Errors
    ///
    /// [`QrpError::Short`] if it is the last and slots are left; [`QrpError::NotBegun`].
    pub fn end_patch(&mut self) -> Result<Progress, QrpError> {
        self.core.end()
    }
}

impl<S: AsRef<[u8]> + ?Sized> TableReceiver<S> {
    /// Returns the table; `None` until the first patch after a RESET is complete. While a later
    /// patch is on its way, the slots that it has reached are new and the others old.
    #[must_use]
    pub fn table(&self) -> Option<QueryTable<&[u8]>> {
        self.core.table(self.storage.as_ref())
    }
}

impl ReceiverState {
    /// No table yet.
    pub(crate) const NONE: Self = Self { shape: None, sequence: None, begun: false, whole: false };

    /// Returns `true` between the beginning and the end of a message.
    pub(crate) const fn is_begun(&self) -> bool {
        self.begun
    }

    /// Returns the table that a receiver with this storage has.
    pub(crate) fn table(self, memory: &[u8]) -> Option<QueryTable<&[u8]>> {
        let shape = self.shape.filter(|_| self.whole)?;
        QueryTable::resume(shape.bits, memory).ok()
    }

    fn reset(Reset { slots, infinity }: Reset, memory: usize) -> Result<Self, QrpError> {
        if !slots.is_power_of_two() || !(2..=1 << MAX_PEER_BITS).contains(&slots) {
            return Err(QrpError::TableLength { slots });
        }
        if infinity == 0 {
            return Err(QrpError::Infinity);
        }
        let theirs = u8::try_from(slots.trailing_zeros()).unwrap_or(MAX_PEER_BITS);
        let ours = memory.saturating_mul(8).checked_ilog2().unwrap_or_default();
        let ours = u8::try_from(ours).unwrap_or(u8::MAX).min(QueryTable::MAX_BITS);
        let bits = theirs.min(ours);
        let shape = Shape { bits, folds: theirs.saturating_sub(bits), slots };
        Ok(Self { shape: Some(shape), sequence: None, begun: false, whole: false })
    }

    /// Checks that a message is the next of its sequence, or the first of one.
    fn begin(&mut self, patch: &Patch<'_>) -> Result<(), QrpError> {
        let Patch { seq_no, seq_size, compressor, entry_bits, .. } = *patch;
        self.shape.ok_or(QrpError::NoReset)?;
        let expected = self.sequence.map_or(1, |sequence| sequence.seq_no.saturating_add(1));
        if seq_no != expected {
            return Err(QrpError::SequenceNumber { got: seq_no, expected });
        }
        let bytes = if let Some(began) = self.sequence {
            began.goes_on(patch)?;
            began.bytes
        } else {
            is_sound(patch)?;
            0
        };
        self.sequence = Some(Sequence { seq_no, seq_size, compressor, entry_bits, bytes });
        self.begun = true;
        Ok(())
    }

    /// Counts entries, and returns what they do.
    fn cover<'d>(&mut self, data: &'d [u8]) -> Result<Piece<'d>, QrpError> {
        let (true, Some(shape), Some(sequence)) = (self.begun, self.shape, &mut self.sequence)
        else {
            return Err(QrpError::NotBegun);
        };
        let overflow = QrpError::Overflow { slots: shape.slots };
        let more = u32::try_from(data.len()).map_err(|_| overflow)?;
        let first = sequence.bytes;
        let entry_bits = sequence.entry_bits;
        let bytes = first.checked_add(more).ok_or(overflow)?;
        if bytes > shape.bytes(entry_bits) {
            return Err(overflow);
        }
        sequence.bytes = bytes;
        Ok(Piece { shape, entry_bits, first, data })
    }

    /// Ends a message, and with the last one the sequence.
    fn end(&mut self) -> Result<Progress, QrpError> {
        let (true, Some(shape), Some(sequence)) = (self.begun, self.shape, self.sequence) else {
            return Err(QrpError::NotBegun);
        };
        if sequence.seq_no < sequence.seq_size {
            self.begun = false;
            return Ok(Progress::Partial);
        }
        if sequence.bytes < shape.bytes(sequence.entry_bits) {
            let covered = sequence.bytes.saturating_mul(per_byte(sequence.entry_bits));
            return Err(QrpError::Short { covered, slots: shape.slots });
        }
        *self = Self { shape: self.shape, sequence: None, begun: false, whole: true };
        Ok(Progress::Complete)
    }
}

impl Shape {
    /// Returns how many bytes the entries of a whole patch take.
    fn bytes(self, entry_bits: u8) -> u32 {
        self.slots.div_ceil(per_byte(entry_bits).max(1))
    }
}

/// Returns how many entries a byte holds.
fn per_byte(entry_bits: u8) -> u32 {
    8_u32.checked_div(u32::from(entry_bits)).unwrap_or_default()
}

/// Checks the first message of a sequence.
fn is_sound(patch: &Patch<'_>) -> Result<(), QrpError> {
    let Patch { seq_size, compressor, entry_bits, .. } = *patch;
    if seq_size == 0 {
        return Err(QrpError::SequenceSize);
    }
    if !matches!(compressor, Compressor::NONE | Compressor::ZLIB) {
        return Err(QrpError::UnknownCompressor(compressor));
    }
    if !matches!(entry_bits, 1 | 2 | 4 | 8) {
        return Err(QrpError::EntryBits { entry_bits });
    }
    Ok(())
}

impl Sequence {
    /// Checks that a later message agrees with the first.
    fn goes_on(self, patch: &Patch<'_>) -> Result<(), QrpError> {
        let began = self.seq_size;
        let got = patch.seq_size;
        if began != got {
            return Err(QrpError::SequenceSizeChanged { began, got });
        }
        let began = self.entry_bits;
        let got = patch.entry_bits;
        if began != got {
            return Err(QrpError::EntryBitsChanged { began, got });
        }
        let began = self.compressor;
        let got = patch.compressor;
        if began != got {
            return Err(QrpError::CompressorChanged { began, got });
        }
        Ok(())
    }
}

/// Entries that were counted, and where they belong.
struct Piece<'d> {
    shape: Shape,
    entry_bits: u8,
    first: u32, // the entry bytes before these
    data: &'d [u8],
}

impl Piece<'_> {
    fn apply(&self, table: &mut [u8]) {
        let per_byte = per_byte(self.entry_bits);
        for (at, byte) in (self.first..).zip(self.data) {
            if *byte == 0 {
                continue; // the common case: nothing changes
            }
            let first = at.saturating_mul(per_byte);
            let mut rest = *byte; // whose highest bits are the next entry
            let last = first.saturating_add(per_byte).min(self.shape.slots);
            for slot in first..last {
                self.entry(table, slot >> self.shape.folds, rest);
                rest = rest.checked_shl(u32::from(self.entry_bits)).unwrap_or_default();
            }
        }
    }

    /// Changes a slot by the entry in the highest bits of `rest`.
    fn entry(&self, table: &mut [u8], slot: u32, rest: u8) {
        let folded = self.shape.folds > 0; // then nothing goes, for the slot may be another's too
        let negative = rest & 0x80 != 0;
        let zero = rest >> (8_u8.saturating_sub(self.entry_bits) & 7) == 0;
        match (self.entry_bits, negative, zero) {
            (1, true, _) if !folded => flip(table, slot),
            (_, true, _) => put(table, slot, true),
            (_, false, false) if !folded => put(table, slot, false),
            _ => {}
        }
    }
}

impl<S: AsRef<[u8]> + ?Sized> fmt::Debug for TableReceiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TableReceiver");
        out.field("core", &self.core).field("storage", &self.storage.as_ref().len()).finish()
    }
}
