//! The puzzle: a message with a hole for the nonce, hashed as far as the hole.

use sha2::block_api::compress256;
use thiserror::Error;

const BLOCK: usize = 64; // bytes that SHA-256 takes at once
const PADDING: usize = 9; // 0x80 and the length in bits as u64
const TAIL_BLOCKS: usize = 2;
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
]; // FIPS 180-4, section 5.3.3

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
    midstate: [u32; 8],
    tail: [[u8; BLOCK]; TAIL_BLOCKS],
    blocks: u8, // of the tail in use
    at: u8,     // position of the nonce in the tail
    format: NonceFormat,
    function: HashFunction,
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

    /// Returns how the nonce is written.
    #[must_use]
    pub const fn format(&self) -> NonceFormat {
        self.format
    }

    /// Returns the digest with this nonce; of a four-byte nonce the low 32 bits count.
    #[must_use]
    pub fn digest(&self, nonce: u64) -> [u8; 32] {
        self.clone().digest_mut(nonce)
    }

    /// Writes the nonce into the tail and hashes.
    pub(crate) fn digest_mut(&mut self, nonce: u64) -> [u8; 32] {
        let low = u32::try_from(nonce & 0xffff_ffff).unwrap_or(u32::MAX);
        match self.format {
            NonceFormat::U32Le => self.write(low.to_le_bytes()),
            NonceFormat::U32Be => self.write(low.to_be_bytes()),
            NonceFormat::U64Le => self.write(nonce.to_le_bytes()),
            NonceFormat::U64Be => self.write(nonce.to_be_bytes()),
        }
        let mut state = self.midstate;
        compress256(&mut state, self.tail.get(..usize::from(self.blocks)).unwrap_or_default());
        match self.function {
            HashFunction::Sha256 => bytes_of(&state),
            HashFunction::Sha256d => again(&bytes_of(&state)),
        }
    }

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

/// Hashes a digest once more.
fn again(digest: &[u8; 32]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    let (head, tail) = block.split_at_mut(digest.len());
    head.copy_from_slice(digest);
    if let [first, .., b6, b7] = tail {
        (*first, *b6, *b7) = (0x80, 0x01, 0x00); // 256 bits
    }
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    bytes_of(&state)
}

fn bytes_of(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip(state) {
        *chunk = word.to_be_bytes();
    }
    bytes
}
