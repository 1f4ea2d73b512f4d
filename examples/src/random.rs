//! Random bytes for names and seeds. Good enough for a program on a desk; a library asks its caller.

use core::hash::{BuildHasher as _, Hasher as _};
use std::collections::hash_map::RandomState;

/// Returns random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        let word = RandomState::new().build_hasher().finish().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    bytes
}
