//! What can be wrong with a table and its messages.

use thiserror::Error;

use crate::wire::{ByeCode, Compressor};

/// The storage for a table is unsuitable: the caller's mistake; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// A table has 2^1 to 2^21 slots.
    #[error("a table of 2^{bits} slots, which must be 2^1 to 2^21")]
    Bits {
        /// What was asked for.
        bits: u8,
    },
    /// The storage is too short.
    #[error("{len} bytes for a table, {needed} needed")]
    Memory {
        /// The length of the storage, in bytes.
        len: usize,
        /// What would have been enough, in bytes.
        needed: usize,
    },
    /// A smaller table cannot be merged into a larger one: each of its words may be in any of
    /// several slots, and a table never grows.
    #[error("a table of 2^{bits} slots cannot be merged into one of 2^{into}")]
    Smaller {
        /// The size of the table to be merged, as a power of two.
        bits: u8,
        /// The size of this table, as a power of two.
        into: u8,
    },
}

/// A patch cannot be made like this. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatchPlanError {
    /// Entries carry the differences of some infinities only.
    #[error("infinity {infinity}, which must be 2 to {most} for entries of {entry_bits} bits")]
    Infinity {
        /// What was asked for.
        infinity: u8,
        /// The width of an entry.
        entry_bits: u8,
        /// The highest that such entries carry.
        most: u8,
    },
    /// Entries have 1, 2, 4 or 8 bits.
    #[error("entries of {entry_bits} bits, which must be 1, 2, 4 or 8")]
    EntryBits {
        /// What was asked for.
        entry_bits: u8,
    },
    /// The pieces are so short that more than 255 would be needed.
    #[error("pieces of {chunk} bytes, at least {needed} needed for 255 messages")]
    TooManyMessages {
        /// The length of a piece that was asked for, in bytes.
        chunk: usize,
        /// The shortest that would do, in bytes.
        needed: usize,
    },
    /// The table that the neighbour has is of another size: send a RESET and patch from empty.
    #[error("a patch from 2^{from} slots to 2^{to}")]
    OtherSize {
        /// The size of the table that the neighbour has, as a power of two.
        from: u8,
        /// The size of the new table, as a power of two.
        to: u8,
    },
}

/// The messages of a neighbour do not make a table: its fault, to be answered with
/// [`bye_code`](Self::bye_code). The receiver has not changed, unless a variant states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QrpError {
    /// A RESET with a length that is not a power of two from 2 to 2^24.
    #[error("table length {slots}, which must be a power of two from 2 to 2^24")]
    TableLength {
        /// The announced value, in slots.
        slots: u32,
    },
    /// A RESET with infinity 0, under which no word could be present.
    #[error("infinity 0")]
    Infinity,
    /// A PATCH came before any RESET.
    #[error("patch before any reset")]
    NoReset,
    /// A PATCH is not the next of its sequence.
    #[error("patch number {got}, {expected} expected")]
    SequenceNumber {
        /// The announced value.
        got: u8,
        /// What is next.
        expected: u8,
    },
    /// A sequence of no messages.
    #[error("patch sequence of 0 messages")]
    SequenceSize,
    /// Entries of a width other than 1, 2, 4 and 8.
    #[error("entries of {entry_bits} bits")]
    EntryBits {
        /// The announced value.
        entry_bits: u8,
    },
    /// A compressor that nobody knows.
    #[error("unknown {0}")]
    UnknownCompressor(Compressor),
    /// The length of a sequence changed inside it.
    #[error("a sequence of {began} messages became one of {got}")]
    SequenceSizeChanged {
        /// The value in the first message.
        began: u8,
        /// The value in this one.
        got: u8,
    },
    /// The width of the entries changed inside a sequence.
    #[error("entries of {began} bits became {got} bits wide")]
    EntryBitsChanged {
        /// The value in the first message.
        began: u8,
        /// The value in this one.
        got: u8,
    },
    /// The compressor changed inside a sequence.
    #[error("{began} became {got} inside a sequence")]
    CompressorChanged {
        /// The value in the first message.
        began: Compressor,
        /// The value in this one.
        got: Compressor,
    },
    /// The patch has more entries than the table has slots.
    #[error("patch beyond the {slots} slots of the table")]
    Overflow {
        /// The length of the table.
        slots: u32,
    },
    /// The sequence, or the compressed stream in it, ended before the last slot. The announced value of
    /// the slots before may be in the table already.
    #[error("patch of {covered} entries for {slots} slots")]
    Short {
        /// The entries that came.
        covered: u32,
        /// The length of the table.
        slots: u32,
    },
    /// The data are compressed: give them to an inflater, and what it returns to
    /// [`TableReceiver::handle_patch_entries`](super::TableReceiver::handle_patch_entries). Not the
    /// neighbour's fault.
    #[error("compressed patch: inflate it first")]
    Compressed,
    /// The compressed stream is damaged. The announced value before may be in the table already.
    #[error("damaged compression of a patch")]
    Damaged,
    /// Entries, or the end of a message, came while no message was begun. The caller's fault.
    #[error("no patch message was begun")]
    NotBegun,
}

impl QrpError {
    /// Returns the code of the bye for the neighbour, which is 413; `None` if it is not the
    /// neighbour's fault.
    #[must_use]
    pub const fn bye_code(self) -> Option<ByeCode> {
        match self {
            Self::Compressed | Self::NotBegun => None,
            _ => Some(ByeCode::QRP),
        }
    }
}
