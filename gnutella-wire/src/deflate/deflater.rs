//! Into compression: fixed codes, and repetitions within what is given at once.
//!
//! Written here, since the well-kept encoders need an allocator. It keeps no window: what is
//! repeated across two calls is not found. A table of a leaf shrinks to a hundredth all the same.

use miniz_oxide::mz_adler32_oxide as adler32;

use crate::error::BufferTooSmall;
use crate::fixed_codes::{Bits, HEADER, MAX_MATCH};
use crate::writer::Writer;

const MIN_MATCH: usize = 4; // bytes that the finder compares first
const HEADS: usize = 512;
const MAX_PIECE: usize = 1 << 15; // so that all distances are legal and positions fit 16 bits

/// Deflates one direction of a link: each [`flush`](Self::flush) can be inflated at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deflater {
    begun: bool,
}

impl Deflater {
    /// Begins a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { begun: false }
    }

    /// Writes all of `bytes` and returns the length. Give it whole messages, many at a time if they
    /// are there: each call costs 6 bytes.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; nothing changed. [`max_len`] bytes are always enough.
    pub fn flush(&mut self, bytes: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let begun = self.begun;
        let len = Writer::fill(out, |w| {
            if !begun {
                w.bytes(&HEADER);
            }
            let mut bits = Bits::new(w);
            bits.begin(false);
            bytes.chunks(MAX_PIECE).for_each(|piece| repetitions(piece, &mut bits));
            bits.end();
            bits.sync();
        })?;
        self.begun = true;
        Ok(len)
    }
}

/// Returns how many bytes are always enough for the stream of a value or a flush of `len` bytes.
#[must_use]
pub const fn max_len(len: usize) -> usize {
    len.saturating_add(len.div_ceil(8)).saturating_add(16)
}

/// Writes a whole value as a stream of zlib format, and returns its length.
///
/// # Errors
///
/// [`BufferTooSmall`]; [`max_len`] bytes are always enough.
pub fn compress(value: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    Writer::fill(out, |w| compress_chunks(|each| value.chunks(MAX_PIECE).for_each(each), w))
}

/// Writes a stream of the pieces that `feed` hands out, each of at most 32,768 bytes.
pub(crate) fn compress_chunks(feed: impl FnOnce(&mut dyn FnMut(&[u8])), w: &mut Writer<'_>) {
    w.bytes(&HEADER);
    let mut check = 1;
    let mut bits = Bits::new(w);
    bits.begin(true);
    feed(&mut |piece| {
        check = adler32(check, piece);
        repetitions(piece, &mut bits);
    });
    bits.end();
    bits.align();
    w.bytes(&u32::to_be_bytes(check));
}

/// Writes the symbols of a piece: what was seen in it before, as repetitions.
fn repetitions(piece: &[u8], bits: &mut Bits<'_, '_>) {
    let mut heads = [u16::MAX; HEADS]; // where a hash was seen last
    let mut at = 0;
    while let Some(rest) = piece.get(at..).filter(|rest| !rest.is_empty()) {
        let found = rest.first_chunk::<MIN_MATCH>().and_then(|word| {
            let head = heads.get_mut(hash(*word))?;
            let before = usize::from(core::mem::replace(head, u16::try_from(at).ok()?));
            let len = common(piece.get(before..)?, rest);
            (before < at && len >= MIN_MATCH).then(|| (len, at.saturating_sub(before)))
        });
        if let Some((len, distance)) = found {
            bits.repeat(len, distance);
            at = at.saturating_add(len);
        } else {
            bits.literal(rest.first().copied().unwrap_or_default());
            at = at.saturating_add(1);
        }
    }
}

fn hash(word: [u8; MIN_MATCH]) -> usize {
    let mixed = u32::from_le_bytes(word).wrapping_mul(0x9E37_79B1) >> 23;
    usize::try_from(mixed).unwrap_or_default() // 9 bits
}

/// Returns how many bytes two slices have in common at the front, at most 258.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take(MAX_MATCH).take_while(|(a, b)| a == b).count()
}
