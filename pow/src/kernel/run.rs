//! A puzzle as a kernel takes it: nonces in a row that differ in one word of the message only.

use sha2::block_api::compress256;

use crate::puzzle::{HashFunction, NonceFormat, Puzzle};
use crate::sha256::BLOCK;

/// The number of nonces that a kernel hashes at once. Fewer are hashed one by one.
pub(crate) const LANES: usize = 64;
/// The same as a number of nonces.
pub(crate) const BATCH: u32 = 64;

/// Calls a function of three constants – which words may vary, a bit each, whether the message is long, whether
/// it is hashed twice – for the shape of a run.
macro_rules! by_shape {
    ($leading_words:ident::<$reading:ident>($run:ident, $words:ident, $out:ident)) => {
        match $run.shape {
            Shape::Header => $leading_words::<$reading, 0x0008, false, true>($run, $words, $out),
            Shape::Double => $leading_words::<$reading, 0xffff, false, true>($run, $words, $out),
            Shape::LateDouble => {
                $leading_words::<$reading, 0xff00, false, true>($run, $words, $out)
            }
            Shape::LongDouble => $leading_words::<$reading, 0xffff, true, true>($run, $words, $out),
            Shape::Single => $leading_words::<$reading, 0xffff, false, false>($run, $words, $out),
            Shape::LateSingle => {
                $leading_words::<$reading, 0xff00, false, false>($run, $words, $out)
            }
            Shape::LongSingle => {
                $leading_words::<$reading, 0xffff, true, false>($run, $words, $out)
            }
        }
    };
}
pub(crate) use by_shape;

/// What is the same for all nonces with the same high bits.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) midstate: [u32; 8],
    /// The block with the word that varies, whose low bits of the nonce are zero.
    pub(crate) block: [u32; 16],
    /// The index of the word that varies.
    pub(crate) at: usize,
    /// All ones at that word.
    pub(crate) mask: [u32; 16],
    /// The block that follows where the shape is a long one.
    pub(crate) after: [u32; 16],
    pub(crate) shape: Shape,
}

/// How many blocks there are after the midstate, and how often they are hashed.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// One block, twice, of which the fourth word varies: the header of Bitcoin.
    Header,
    /// One block, twice.
    Double,
    /// One block, twice, of which one of the last eight words varies: the first rounds are all the same.
    LateDouble,
    /// Two blocks, twice.
    LongDouble,
    /// One block, once.
    Single,
    /// One block, once, of which one of the last eight words varies.
    LateSingle,
    /// Two blocks, once.
    LongSingle,
}

/// Where in a message the low bits of the nonce lie: as many bytes, from one to four, as share a word with
/// the least significant one.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    word: usize,  // index from the first block of the tail on
    big: bool,    // most significant byte first
    shift: u32,   // of the low bits in their word
    low_max: u32, // the greatest number that they can be
}

impl Run {
    pub(crate) fn new(puzzle: &Puzzle, place: Place, nonce: u64) -> Self {
        let mut puzzle = *puzzle;
        puzzle.write_nonce(nonce & !u64::from(place.low_max));
        let [first, second] = puzzle.tail.map(words);
        let long = place.word < 16 && puzzle.blocks > 1;
        let block = if place.word < 16 {
            first
        } else {
            let [head, _] = puzzle.tail;
            compress256(&mut puzzle.midstate, &[head]);
            second
        };
        let at = place.word % 16;
        let mut mask = [0; 16];
        if let Some(mask) = mask.get_mut(at) {
            *mask = u32::MAX;
        }
        let shape = match (puzzle.function, long) {
            (HashFunction::Sha256d, false) if at == 3 => Shape::Header,
            (HashFunction::Sha256d, false) if at < 8 => Shape::Double,
            (HashFunction::Sha256d, false) => Shape::LateDouble,
            (HashFunction::Sha256d, true) => Shape::LongDouble,
            (HashFunction::Sha256, false) if at < 8 => Shape::Single,
            (HashFunction::Sha256, false) => Shape::LateSingle,
            (HashFunction::Sha256, true) => Shape::LongSingle,
        };
        Self { midstate: puzzle.midstate, block, at, mask, after: second, shape }
    }
}

impl Shape {
    /// Returns whether there is a block after the one that varies.
    pub(crate) const fn is_long(self) -> bool {
        matches!(self, Self::LongDouble | Self::LongSingle)
    }

    /// Returns whether the digest is hashed once more.
    pub(crate) const fn is_double(self) -> bool {
        matches!(self, Self::Header | Self::Double | Self::LateDouble | Self::LongDouble)
    }
}

impl Place {
    pub(crate) fn of(puzzle: &Puzzle) -> Self {
        let first = u32::from(puzzle.at);
        let width = puzzle.format.width_u32();
        let big = puzzle.format.is_big();
        let least = if big { first.saturating_add(width).saturating_sub(1) } else { first };
        // In its word that byte has as many beside it as lie on the side of the more significant ones.
        let at = least % 4;
        let rest = 3_u32.saturating_sub(at);
        let (beside, free) = if big { (at, rest) } else { (rest, at) };
        let unused = 3_u32.saturating_sub(beside); // bytes of four
        Self {
            word: usize::try_from(least / 4).unwrap_or(0),
            big,
            shift: free.saturating_mul(8),
            low_max: u32::MAX >> unused.saturating_mul(8),
        }
    }

    /// Returns the low bits of a nonce.
    pub(crate) fn low(self, nonce: u64) -> u32 {
        u32::try_from(nonce & u64::from(self.low_max)).unwrap_or(0)
    }

    /// Returns the greatest number that the low bits can be.
    pub(crate) const fn low_max(self) -> u32 {
        self.low_max
    }

    /// Returns the word of the message that holds these low bits, and nothing else.
    #[inline]
    pub(crate) fn word(self, low: u32) -> u32 {
        if self.big { low << self.shift } else { low.swap_bytes() >> self.shift }
    }
}

impl NonceFormat {
    const fn is_big(self) -> bool {
        matches!(self, Self::U32Be | Self::U64Be)
    }

    const fn width_u32(self) -> u32 {
        if self.max() > 0xffff_ffff { 8 } else { 4 }
    }
}

fn words(block: [u8; BLOCK]) -> [u32; 16] {
    let mut words = [0; 16];
    let (chunks, _) = block.as_chunks::<4>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*chunk);
    }
    words
}
