//! The fixed codes of RFC 1951, 3.2.5 and 3.2.6, written bit by bit, and the check of RFC 1950.

use crate::writer::Writer;

/// The first length of each length symbol, from 257 on.
const LENGTHS: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];

/// The first distance of each distance symbol.
const DISTANCES: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];

/// The first bytes of a stream of zlib format: a window of 32 KiB, no dictionary (RFC 1950, 2.2).
pub(crate) const HEADER: [u8; 2] = [0x78, 0x9C];

/// The longest repetition.
pub(crate) const MAX_MATCH: usize = 258;

/// The bits of a byte that is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    bits: u8,
    count: u8,
}

impl Pending {
    /// The border of a byte.
    pub(crate) const NONE: Self = Self { bits: 0, count: 0 };
}

/// Writes bits, the lowest first.
pub(crate) struct Bits<'w, 'b> {
    out: &'w mut Writer<'b>,
    pending: u32,
    count: u32, // of pending bits; below 8 between calls
}

impl<'w, 'b> Bits<'w, 'b> {
    /// Begins at the border of a byte.
    #[cfg(feature = "deflate")]
    pub(crate) fn new(out: &'w mut Writer<'b>) -> Self {
        Self::resume(out, Pending::NONE)
    }

    /// Continues inside a byte.
    pub(crate) fn resume(out: &'w mut Writer<'b>, pending: Pending) -> Self {
        let Pending { bits, count } = pending;
        Self { out, pending: bits.into(), count: count.into() }
    }

    /// Stops inside a byte, whose bits so far are returned.
    pub(crate) fn pause(self) -> Pending {
        let [bits, ..] = self.pending.to_le_bytes();
        let [count, ..] = self.count.to_le_bytes();
        Pending { bits, count }
    }

    /// Returns how many whole bytes the writer has.
    pub(crate) const fn written(&self) -> usize {
        self.out.len()
    }

    /// Begins a block of fixed codes.
    pub(crate) fn begin(&mut self, last: bool) {
        self.put(u32::from(last) | 1 << 1, 3);
    }

    pub(crate) fn literal(&mut self, byte: u8) {
        let byte = u16::from(byte);
        match byte.checked_sub(144) {
            None => self.code(byte.wrapping_add(0x30), 8),
            Some(high) => self.code(high.wrapping_add(0x190), 9),
        }
    }

    /// Repeats `len` bytes, 3 to 258, from `distance` bytes before, 1 to 32,768.
    pub(crate) fn repeat(&mut self, len: usize, distance: usize) {
        let (at, more) = symbol(&LENGTHS, len);
        match at.checked_sub(23) {
            None => self.code(at.wrapping_add(1), 7), // symbol 257 has the code 1
            Some(high) => self.code(high.wrapping_add(0xC0), 8),
        }
        let extra = if at == 28 { 0 } else { u32::from(at >> 2).saturating_sub(1) };
        self.put(more, extra);
        let (at, more) = symbol(&DISTANCES, distance);
        self.code(at, 5);
        self.put(more, u32::from(at >> 1).saturating_sub(1));
    }

    /// Ends a block.
    pub(crate) fn end(&mut self) {
        self.code(0, 7);
    }

    /// Goes to the border of a byte by an empty block without compression (RFC 1951, 3.2.4).
    #[cfg(feature = "deflate")]
    pub(crate) fn sync(&mut self) {
        self.put(0, 3);
        self.align();
        self.out.bytes(&[0, 0, 0xFF, 0xFF]);
    }

    /// Fills up the byte.
    pub(crate) fn align(&mut self) {
        self.put(0, 8_u32.wrapping_sub(self.count) & 7);
    }

    /// Codes stand with their highest bit first.
    fn code(&mut self, code: u16, len: u32) {
        let spare = u16::BITS.saturating_sub(len);
        self.put(u32::from(code.reverse_bits() >> (spare & 15)), len);
    }

    /// Writes up to 13 bits.
    fn put(&mut self, bits: u32, len: u32) {
        self.pending |= bits << (self.count & 7);
        self.count = self.count.saturating_add(len);
        while let Some(left) = self.count.checked_sub(8) {
            let [low, ..] = self.pending.to_le_bytes();
            self.out.u8(low);
            self.pending >>= 8;
            self.count = left;
        }
    }
}

/// Returns the last symbol whose first value is not above `value`, and how far `value` is from it.
fn symbol(firsts: &[u16], value: usize) -> (u16, u32) {
    let value = u16::try_from(value).unwrap_or(u16::MAX);
    let at = firsts.partition_point(|first| *first <= value).saturating_sub(1);
    let first = firsts.get(at).copied().unwrap_or(value);
    (u16::try_from(at).unwrap_or_default(), value.saturating_sub(first).into())
}
