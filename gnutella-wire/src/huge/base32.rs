//! Base 32: five bits to a character (RFC 3548, section 5, without padding).

use crate::error::BufferTooSmall;
use crate::writer::{Writer, copy};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns how many characters `len` bytes take.
#[must_use]
pub const fn encoded_len(len: usize) -> usize {
    len.saturating_mul(8).div_ceil(5)
}

/// Writes `bytes` as characters, in capitals, and returns how many.
///
/// # Errors
///
/// [`BufferTooSmall`] below [`encoded_len`] bytes.
pub fn encode(bytes: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    Writer::fill(out, |w| characters(bytes).for_each(|character| w.u8(character)))
}

/// Iterates over the characters of `bytes`.
pub(super) fn characters(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.chunks(5).flat_map(|chunk| group(chunk).into_iter().take(encoded_len(chunk.len())))
}

/// Returns the characters of the 20 bytes of a SHA-1 hash.
pub(super) fn of_hash(hash: &[u8; 20]) -> [u8; 32] {
    let mut characters = [0; 32];
    for (to, from) in characters.chunks_mut(8).zip(hash.chunks(5)) {
        copy(to, &group(from));
    }
    characters
}

/// Returns the characters of up to five bytes; those beyond the last bit are of no use.
fn group(bytes: &[u8]) -> [u8; 8] {
    let mut bits = [0; 8]; // 40, from the third byte on
    bits.iter_mut().skip(3).zip(bytes).for_each(|(to, from)| *to = *from);
    let bits = u64::from_be_bytes(bits);
    [35, 30, 25, 20, 15, 10, 5, 0_u32].map(|shift| character(bits >> shift))
}

fn character(bits: u64) -> u8 {
    let at = usize::try_from(bits & 31).unwrap_or_default();
    ALPHABET.get(at).copied().unwrap_or_default()
}

/// Reads characters of either case into exactly `out.len()` bytes; `None` if there are more or
/// fewer, or others, or if bits are left over that are not 0, so that each value has one spelling
/// but for case. `out` is then of no use.
#[must_use]
pub fn decode(characters: &[u8], out: &mut [u8]) -> Option<()> {
    if characters.len() != encoded_len(out.len()) {
        return None;
    }
    for (characters, bytes) in characters.chunks(8).zip(out.chunks_mut(5)) {
        let mut group = 0_u64;
        for shift in (0..8_u32).rev() {
            let at = usize::try_from(7_u32.saturating_sub(shift)).ok()?;
            let bits = characters.get(at).map_or(Some(0), |character| value(*character))?;
            group |= u64::from(bits) << shift.saturating_mul(5);
        }
        let [_, _, _, group @ ..] = group.to_be_bytes();
        let (used, left) = group.split_at_checked(bytes.len())?;
        if left.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.copy_from_slice(used);
    }
    Some(())
}

/// Returns whether a character of either case stands for five bits.
pub(super) const fn is_character(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7')
}

fn value(character: u8) -> Option<u8> {
    let upper = character.to_ascii_uppercase();
    let at = ALPHABET.iter().position(|known| *known == upper)?;
    u8::try_from(at).ok()
}
