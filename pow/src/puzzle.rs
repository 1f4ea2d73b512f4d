//! The puzzle: a message with a nonce field, hashed up to that field.

use sha2::block_api::compress256;
use thiserror::Error;

use crate::header::Header;
use crate::invariant::invariant;
use crate::sha256::{BLOCK, INITIAL, bytes_of, second_block, write_words};

const PADDING: usize = 9; // 0x80 and the length in bits as u64
const TAIL_BLOCKS: usize = 2;

/// The function that makes the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum HashFunction {
    /// SHA-256, once.
    Sha256,
    /// SHA-256 of the SHA-256, as in Bitcoin.
    Sha256d,
}

/// The encoding of the nonce in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NonceFormat {
    /// Four bytes, least significant first, as in Bitcoin.
    U32Le,
    /// Four bytes, most significant first.
    U32Be,
    /// Eight bytes, least significant first.
    U64Le,
    /// Eight bytes, most significant first, as in `ledger-core`.
    U64Be,
}

/// The position and encoding of the nonce.
#[expect(clippy::exhaustive_structs, reason = "a field is a place and a format")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NonceField {
    /// The offset of its first byte in the message.
    pub offset: usize,
    /// Its encoding.
    pub format: NonceFormat,
}

/// A message with a nonce field, ready to be hashed with any nonce. The blocks before the nonce are hashed
/// only once (the midstate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Puzzle {
    pub(crate) midstate: [u32; 8],
    pub(crate) tail: [[u8; BLOCK]; TAIL_BLOCKS],
    pub(crate) blocks: u8, // of the tail in use
    pub(crate) at: u8,     // position of the nonce in the tail
    pub(crate) format: NonceFormat,
    pub(crate) function: HashFunction,
}

/// Why a message is not a valid puzzle: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PuzzleError {
    /// The nonce field does not lie within the message.
    #[error("nonce field ends at {end}, message at {len}")]
    OutsideOfMessage {
        /// The offset after the field.
        end: usize,
        /// The length of the message.
        len: usize,
    },
    /// The message is too long after the start of the nonce's 64-byte block: 119 bytes are the limit.
    #[error("{0} bytes after the start of the nonce's block; the limit is 119")]
    TailTooLong(usize),
}

impl NonceFormat {
    /// Returns the number of bytes.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::U32Le | Self::U32Be => 4,
            Self::U64Le | Self::U64Be => 8,
        }
    }

    /// Returns the bytes of a nonce, padded with 0, and their number. A four-byte nonce is the low 32 bits.
    #[inline]
    pub(crate) fn write(self, nonce: u64) -> ([u8; 8], usize) {
        let bytes = match self {
            Self::U32Le | Self::U64Le => nonce.to_le_bytes(),
            Self::U32Be => (nonce << 32).to_be_bytes(),
            Self::U64Be => nonce.to_be_bytes(),
        };
        (bytes, self.width())
    }

    /// Returns the largest nonce.
    #[must_use]
    pub const fn max(self) -> u64 {
        match self {
            Self::U32Le | Self::U32Be => 0xffff_ffff,
            Self::U64Le | Self::U64Be => u64::MAX,
        }
    }
}

impl Puzzle {
    /// Takes the place of a header's puzzle, which cannot fail.
    const EMPTY: Self = Self {
        midstate: INITIAL,
        tail: [[0; BLOCK]; TAIL_BLOCKS],
        blocks: 1,
        at: 0,
        format: NonceFormat::U32Le,
        function: HashFunction::Sha256d,
    };

    /// Prepares a message. The content of the nonce field is ignored.
    ///
    /// # Errors
    ///
    /// [`PuzzleError`] if the field lies outside of the message or too many bytes follow it.
    pub fn new(
        function: HashFunction,
        message: &[u8],
        nonce: NonceField,
    ) -> Result<Self, PuzzleError> {
        let end = nonce.offset.saturating_add(nonce.format.width());
        let outside = PuzzleError::OutsideOfMessage { end, len: message.len() };
        let start = nonce.offset.saturating_sub(nonce.offset % BLOCK);
        let (head, rest) = message.split_at_checked(start).ok_or(outside)?;
        if end > message.len() {
            return Err(outside);
        }
        let mut midstate = INITIAL;
        let (head, _) = head.as_chunks::<BLOCK>();
        compress256(&mut midstate, head);
        let (tail, blocks) =
            pad(rest, message.len()).ok_or(PuzzleError::TailTooLong(rest.len()))?;
        let at = u8::try_from(nonce.offset.saturating_sub(start)).unwrap_or(u8::MAX);
        Ok(Self { midstate, tail, blocks, at, format: nonce.format, function })
    }

    /// Prepares Bitcoin's header: double SHA-256, and the nonce in its last four bytes.
    #[must_use]
    pub fn of_header(header: &Header) -> Self {
        let nonce = NonceField { offset: 76, format: NonceFormat::U32Le };
        let puzzle = Self::new(HashFunction::Sha256d, &header.to_bytes(), nonce);
        invariant!(puzzle.is_ok(), "80 bytes are a puzzle");
        puzzle.unwrap_or(Self::EMPTY)
    }

    /// Returns the encoding of the nonce.
    #[must_use]
    pub const fn format(&self) -> NonceFormat {
        self.format
    }

    /// Returns the digest with this nonce. A four-byte nonce is the low 32 bits.
    #[must_use]
    pub fn digest(&self, nonce: u64) -> [u8; 32] {
        bytes_of(self.clone().words_mut(nonce, &mut second_block()))
    }

    /// Writes the nonce into the tail, hashes, and returns the digest as words. `second` is the block from
    /// [`second_block`] in which a digest is hashed once more.
    #[inline]
    pub(crate) fn words_mut(&mut self, nonce: u64, second: &mut [u8; BLOCK]) -> [u32; 8] {
        self.write_nonce(nonce);
        let mut state = self.midstate;
        let [first, _] = &self.tail;
        let one = core::slice::from_ref(first);
        compress256(&mut state, if self.blocks > 1 { &self.tail } else { one });
        if self.function == HashFunction::Sha256d {
            write_words(second, &state);
            state = INITIAL;
            compress256(&mut state, core::slice::from_ref(second));
        }
        state
    }

    /// Writes the nonce into the tail.
    #[inline]
    pub(crate) fn write_nonce(&mut self, nonce: u64) {
        // A constant length is faster.
        match self.format.write(nonce) {
            ([b0, b1, b2, b3, ..], 4) => self.write([b0, b1, b2, b3]),
            (bytes, _) => self.write(bytes),
        }
    }

    #[inline]
    fn write<const N: usize>(&mut self, nonce: [u8; N]) {
        let tail = self.tail.as_flattened_mut();
        let field = tail.get_mut(usize::from(self.at)..).and_then(|rest| rest.first_chunk_mut());
        if let Some(field) = field {
            *field = nonce;
        }
    }
}

/// Appends the padding of SHA-256 for a message of `len` bytes; `None` if it takes more than the tail.
fn pad(rest: &[u8], len: usize) -> Option<([[u8; BLOCK]; TAIL_BLOCKS], u8)> {
    let mut tail = [[0; BLOCK]; TAIL_BLOCKS];
    let blocks = rest.len().checked_add(PADDING)?.div_ceil(BLOCK);
    let used = tail.get_mut(..blocks)?.as_flattened_mut();
    used.get_mut(..rest.len())?.copy_from_slice(rest);
    *used.get_mut(rest.len())? = 0x80;
    let bits = u64::try_from(len).ok()?.checked_mul(8)?;
    *used.last_chunk_mut::<8>()? = bits.to_be_bytes();
    Some((tail, u8::try_from(blocks).ok()?))
}
