//! The puzzle: a message with a hole for the nonce, hashed as far as the hole.

use sha2::block_api::compress256;
use thiserror::Error;

use crate::Header;
use crate::kernel::INITIAL;

pub(crate) const BLOCK: usize = 64; // bytes that SHA-256 takes at once
const PADDING: usize = 9; // 0x80 and the length in bits as u64
const TAIL_BLOCKS: usize = 2;

/// Which function makes the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashFunction {
    /// SHA-256, once.
    Sha256,
    /// SHA-256 of the SHA-256: Bitcoin.
    Sha256d,
}

/// How the nonce is written into the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonceFormat {
    /// Four bytes, least significant first: Bitcoin.
    U32Le,
    /// Four bytes, most significant first.
    U32Be,
    /// Eight bytes, least significant first.
    U64Le,
    /// Eight bytes, most significant first: `ledger-core`.
    U64Be,
}

/// Where the nonce stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceField {
    /// The position of its first byte in the message.
    pub offset: usize,
    /// How it is written.
    pub format: NonceFormat,
}

/// A message with a nonce field, ready to be hashed with any nonce. The blocks before the nonce are hashed
/// once and for all (the midstate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Puzzle {
    pub(crate) midstate: [u32; 8],
    pub(crate) tail: [[u8; BLOCK]; TAIL_BLOCKS],
    pub(crate) blocks: u8, // of the tail in use
    pub(crate) at: u8,     // position of the nonce in the tail
    pub(crate) format: NonceFormat,
    pub(crate) function: HashFunction,
}

/// Why a message is not a puzzle: the caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PuzzleError {
    /// The nonce field does not lie within the message.
    #[error("a nonce field that ends at {end} in a message of {len} bytes")]
    OutsideOfMessage {
        /// Where the field ends.
        end: usize,
        /// The length of the message.
        len: usize,
    },
    /// Too much follows the nonce: from the start of its 64-byte block on, 119 bytes are the limit.
    #[error("{0} bytes from the nonce's block on, where 119 are the limit")]
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

    /// Returns the bytes of a nonce, filled up with 0, and how many they are; of a four-byte nonce the low 32
    /// bits count.
    #[inline]
    pub(crate) fn write(self, nonce: u64) -> ([u8; 8], usize) {
        let bytes = match self {
            Self::U32Le | Self::U64Le => nonce.to_le_bytes(),
            Self::U32Be => (nonce << 32).to_be_bytes(),
            Self::U64Be => nonce.to_be_bytes(),
        };
        (bytes, self.width())
    }

    /// Returns the greatest nonce.
    #[must_use]
    pub const fn max(self) -> u64 {
        match self {
            Self::U32Le | Self::U32Be => 0xffff_ffff,
            Self::U64Le | Self::U64Be => u64::MAX,
        }
    }
}

impl Puzzle {
    /// No message; takes the place of what cannot fail.
    const EMPTY: Self = Self {
        midstate: INITIAL,
        tail: [[0; BLOCK]; TAIL_BLOCKS],
        blocks: 1,
        at: 0,
        format: NonceFormat::U32Le,
        function: HashFunction::Sha256d,
    };

    /// Prepares a message; what stands in the nonce field does not matter.
    ///
    /// # Errors
    ///
    /// [`PuzzleError`] if the field lies outside of the message or too much follows it.
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
        let (bytes, nonce) =
            (header.to_bytes(), NonceField { offset: 76, format: NonceFormat::U32Le });
        Self::new(HashFunction::Sha256d, &bytes, nonce).unwrap_or(Self::EMPTY)
    }

    /// Returns how the nonce is written.
    #[must_use]
    pub const fn format(&self) -> NonceFormat {
        self.format
    }

    /// Returns the digest with this nonce; of a four-byte nonce the low 32 bits count.
    #[must_use]
    pub fn digest(&self, nonce: u64) -> [u8; 32] {
        bytes_of(self.clone().words_mut(nonce, &mut second_block()))
    }

    /// Writes the nonce into the tail and hashes; returns the digest as words. Where a digest is hashed once
    /// more, that is done in `second`, which [`second_block`] has made.
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
        // A length that is known beforehand is faster than one that is not.
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

/// Returns the block that hashes a digest, to be written into its first half, once more.
pub(crate) fn second_block() -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let [.., b6, _] = &mut block;
    *b6 = 0x01; // 256 bits
    let (_, tail) = block.split_at_mut(BLOCK / 2);
    if let [first, ..] = tail {
        *first = 0x80;
    }
    block
}

/// Returns the words of a digest as the 32 bytes that it is.
pub(crate) fn bytes_of(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    write_words(&mut bytes, &words);
    bytes
}

/// Writes words most significant byte first, four bytes each.
#[inline]
pub(crate) fn write_words(bytes: &mut [u8], words: &[u32]) {
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_be_bytes();
    }
}
