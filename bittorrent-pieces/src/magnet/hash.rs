//! The hashes of a link.

use super::MagnetError;
use crate::text::nibble;

/// The first bytes of a multihash of SHA-256.
const MULTIHASH: [u8; 2] = [0x12, 0x20];

/// Reads 40 hexadecimal or 32 base32 digits (RFC 4648), in either case.
pub(super) fn btih(digits: &[u8]) -> Result<[u8; 20], MagnetError> {
    let error = MagnetError::Btih(digits.len());
    match digits.len() {
        40 => hex(digits).ok_or(error),
        32 => base32(digits).ok_or(error),
        _ => Err(error),
    }
}

/// Reads a multihash of SHA-256 in hexadecimal.
pub(super) fn btmh(digits: &[u8]) -> Result<[u8; 32], MagnetError> {
    let error = MagnetError::Btmh(digits.len());
    let (head, digest) = digits.split_first_chunk::<4>().ok_or(error)?;
    if hex(head) != Some(MULTIHASH) {
        return Err(error);
    }
    hex(digest).ok_or(error)
}

fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut out = [0; N];
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

/// Eight digits of five bits are five bytes.
fn base32(digits: &[u8]) -> Option<[u8; 20]> {
    let mut out = [0; 20];
    for (bytes, group) in out.chunks_exact_mut(5).zip(digits.as_chunks::<8>().0) {
        let mut word = 0_u64;
        for digit in group {
            let value = match digit.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => letter.wrapping_sub(b'A'),
                digit @ b'2'..=b'7' => digit.wrapping_sub(b'2' - 26),
                _ => return None,
            };
            word = word << 5 | u64::from(value);
        }
        let [_, _, _, word @ ..] = word.to_be_bytes();
        for (to, byte) in bytes.iter_mut().zip(word) {
            *to = byte;
        }
    }
    Some(out)
}
