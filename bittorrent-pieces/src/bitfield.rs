//! One bit for each piece, over bytes that lie anywhere.

use thiserror::Error;

use crate::block::PieceIndex;
use crate::index::{count, slot};

/// The pieces that a peer has: one bit each, most significant bit first (BEP 3).
///
/// The payload of a received message is a `Bitfield<&[u8]>` without a copy. Setters need a storage
/// that can be written.
///
/// ```
/// use bittorrent_pieces::{Bitfield, PieceIndex};
///
/// let received = Bitfield::new(10, [0xA0, 0x40])?;
/// assert!(received.has(PieceIndex(9)) && !received.has(PieceIndex(1)));
/// assert_eq!(received.count_ones(), 3);
/// assert!(Bitfield::new(10, [0xA0, 0x60]).is_err()); // a spare bit is set
/// # Ok::<(), bittorrent_pieces::bitfield::BitfieldError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitfield<B> {
    bits: u32,
    bytes: B,
}

/// A received bitfield does not fit the torrent: the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum BitfieldError {
    /// The number of bytes is wrong.
    #[error("bitfield of {len} bytes, {expected} expected")]
    Length {
        /// How many bytes there are.
        len: u32,
        /// How many there should be.
        expected: u32,
    },
    /// A bit behind the last piece is set.
    #[error("spare bit set in the last byte {0:#04x} of a bitfield")]
    SpareBit(u8),
}

impl<B: AsRef<[u8]>> Bitfield<B> {
    /// Reads `bytes` as the bits of `bits` pieces.
    ///
    /// # Errors
    ///
    /// [`BitfieldError`] if there are too many or too few bytes, or a spare bit is set.
    pub fn new(bits: u32, bytes: B) -> Result<Self, BitfieldError> {
        let view = bytes.as_ref();
        let len = view.len();
        let expected = byte_len(bits);
        if len != expected {
            return Err(BitfieldError::Length { len: count(len), expected: count(expected) });
        }
        match view.last() {
            Some(last) if last & spare(bits) != 0 => Err(BitfieldError::SpareBit(*last)),
            _ => Ok(Self { bits, bytes }),
        }
    }

    /// Wraps bytes that this crate keeps right.
    pub(crate) const fn trusted(bits: u32, bytes: B) -> Self {
        Self { bits, bytes }
    }

    /// Returns the number of pieces.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.bits
    }

    /// Returns whether there is no piece at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Returns whether the bit of a piece is set; `false` for a piece that does not exist.
    #[must_use]
    pub fn has(&self, piece: PieceIndex) -> bool {
        let byte = self.bytes.as_ref().get(slot(piece.0 / 8));
        piece.0 < self.bits && byte.is_some_and(|byte| byte & mask(piece) != 0)
    }

    /// Returns the bit of a piece, 0 or 1, without a branch on it; `None` for a piece whose byte does not exist.
    pub(crate) fn bit(&self, piece: PieceIndex) -> Option<u32> {
        let byte = self.bytes.as_ref().get(slot(piece.0 / 8))?;
        Some(u32::from(byte.rotate_left(piece.0.wrapping_add(1)) & 1))
    }

    /// Returns how many bits are set.
    #[must_use]
    pub fn count_ones(&self) -> u32 {
        let (words, rest) = self.bytes.as_ref().as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones());
        words.chain(rest.iter().map(|byte| byte.count_ones())).fold(0, u32::saturating_add)
    }

    /// Returns whether every piece is there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count_ones() == self.bits
    }

    /// Returns the pieces whose bits are set, in order.
    pub fn ones(&self) -> Ones<'_> {
        Ones { bytes: self.bytes.as_ref(), word: 0, base: 0, next: 0 }
    }

    /// Returns the bits of 64 pieces, the first as the most significant; 0 behind the last.
    pub(crate) fn word(&self, index: usize) -> u64 {
        let rest = self.bytes.as_ref().get(index.saturating_mul(8)..).unwrap_or_default();
        match rest.first_chunk::<8>() {
            Some(word) => u64::from_be_bytes(*word),
            None => last_word(rest),
        }
    }

    /// Returns the first of the words `from..end` that has a bit set, or `end`; by whole lines of a cache first.
    pub(crate) fn next_word(&self, from: usize, end: usize) -> usize {
        let bytes = self.bytes.as_ref().get(from.saturating_mul(8)..).unwrap_or_default();
        let (lines, _) = bytes.as_chunks::<64>();
        let is_zero = |line: &&[u8; 64]| line.iter().fold(0, |all, byte| all | byte) == 0;
        let lines = lines.iter().take(end.saturating_sub(from) / 8);
        let empty = lines.take_while(is_zero).count().saturating_mul(8);
        let mut rest = from.saturating_add(empty)..end;
        rest.find(|word| self.word(*word) != 0).unwrap_or(end)
    }

    /// Returns whether any bit of the first byte of each cache line is set. The lines are read in order, which is fast, and
    /// are in the cache then.
    pub(crate) fn any_in_sample(&self) -> bool {
        let (lines, _) = self.bytes.as_ref().as_chunks::<64>();
        lines.iter().fold(0, |all, [first, ..]| all | first) != 0
    }

    /// Returns the bytes as they go over the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Borrows the bits.
    #[must_use]
    pub fn as_view(&self) -> Bitfield<&[u8]> {
        Bitfield { bits: self.bits, bytes: self.bytes.as_ref() }
    }

    /// Returns the storage.
    pub fn into_storage(self) -> B {
        self.bytes
    }
}

impl Bitfield<&[u8]> {
    /// Returns how many bytes the bits of `bits` pieces take.
    #[must_use]
    pub const fn byte_len(bits: u32) -> usize {
        byte_len(bits)
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Bitfield<B> {
    /// Sets the bit of a piece; returns whether it changed.
    pub fn set(&mut self, piece: PieceIndex) -> bool {
        let changed = piece.0 < self.bits && !self.has(piece);
        if let Some(byte) = self.bytes.as_mut().get_mut(slot(piece.0 / 8)).filter(|_| changed) {
            *byte |= mask(piece);
        }
        changed
    }

    /// Clears the bit of a piece; returns whether it was set.
    pub fn clear(&mut self, piece: PieceIndex) -> bool {
        let changed = self.has(piece);
        if let Some(byte) = self.bytes.as_mut().get_mut(slot(piece.0 / 8)).filter(|_| changed) {
            *byte &= !mask(piece);
        }
        changed
    }

    /// Sets the bits of all pieces, and no spare bit.
    pub fn fill(&mut self) {
        self.bytes.as_mut().fill(0xFF);
        if let Some(last) = self.bytes.as_mut().last_mut() {
            *last &= !spare(self.bits);
        }
    }
}

/// The set bits of a [`Bitfield`], in order.
#[derive(Debug, Clone)]
pub struct Ones<'a> {
    bytes: &'a [u8],
    word: u64, // bits that are still to be returned; the most significant is piece `base`
    base: u32,
    next: u32, // the piece of the first bit of `bytes`
}

impl Iterator for Ones<'_> {
    type Item = PieceIndex;

    fn next(&mut self) -> Option<PieceIndex> {
        while self.word == 0 {
            let (head, rest) = match self.bytes.split_first_chunk::<8>() {
                Some((head, rest)) => (*head, rest),
                None if self.bytes.is_empty() => return None,
                None => (last_word(self.bytes).to_be_bytes(), &[][..]),
            };
            self.word = u64::from_be_bytes(head);
            self.bytes = rest;
            self.base = self.next;
            self.next = self.next.saturating_add(64);
        }
        let bit = self.word.leading_zeros();
        self.word &= !(1_u64 << 63).checked_shr(bit).unwrap_or(0);
        Some(PieceIndex(self.base.saturating_add(bit)))
    }
}

/// Returns fewer than eight bytes as the front of a word.
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(word)
}

const fn byte_len(bits: u32) -> usize {
    slot(bits.div_ceil(8))
}

fn mask(piece: PieceIndex) -> u8 {
    0x80_u8.checked_shr(piece.0 % 8).unwrap_or(0)
}

/// Returns the bits of the last byte that belong to no piece.
fn spare(bits: u32) -> u8 {
    if bits.is_multiple_of(8) { 0 } else { 0xFF_u8.checked_shr(bits % 8).unwrap_or(0) }
}
