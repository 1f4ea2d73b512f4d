//! SHA-256 values, and the ids that are such values.

use core::fmt;
use core::slice::from_ref;

use sha2::block_api::compress256;

use crate::hex::Hex;
use crate::invariant::invariant;

/// Defines a newtype of 32 bytes that prints as hexadecimal.
macro_rules! bytes32 {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes without checking them.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&$crate::hex::Hex(&self.0), f)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&$crate::hex::Hex(&self.0), f)
            }
        }
    };
}
pub(crate) use bytes32;

/// Two blocks of SHA-256: a message of 56 to 119 bytes with its padding (FIPS 180-4, section 5.1.1).
pub type TwoBlocks = [[u8; 64]; 2];

pub(crate) const TWO_ZERO_BLOCKS: TwoBlocks = [[0; 64]; 2];

const BLOCK_LEN: usize = 64;
const MAX_ONE_BLOCK_LEN: usize = 55;
const MAX_TWO_BLOCKS_LEN: usize = 119;

/// The initial hash value of SHA-256 (FIPS 180-4, section 5.3.3).
const SHA256_START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A SHA-256 value. `Display` is hexadecimal, first byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hash([u8; 32]);

bytes32! {
    /// The hash of a [`ChainSpec`](crate::ChainSpec). It names the chain, and is the parent of block 1. Every
    /// signature and every id depends on it, so nothing of one chain is valid on another.
    GenesisId
}

bytes32! {
    /// The hash of a header with its claim. Proofs, such as signatures, do not change it.
    BlockId
}

bytes32! {
    /// The hash of a transaction without its signatures: the id does not depend on who signs it, or how often.
    TxId
}

impl Hash {
    /// 32 zero bytes.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps 32 bytes without checking them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the SHA-256 of a message that fills two blocks, padding included.
    pub(crate) fn of_two_blocks(message: &TwoBlocks) -> Self {
        let mut state = SHA256_START;
        compress256(&mut state, message);
        Self::of_state(&state)
    }

    /// Returns the SHA-256 of concatenated parts of at most 119 bytes, without the buffer of a hasher for any length.
    pub(crate) fn of_short(parts: &[&[u8]]) -> Self {
        let mut message = TWO_ZERO_BLOCKS;
        let len = lay_out(parts, &mut message);
        let mut state = SHA256_START;
        let blocks = if len > MAX_ONE_BLOCK_LEN { 2 } else { 1 };
        compress256(&mut state, message.get(..blocks).unwrap_or(&message));
        Self::of_state(&state)
    }

    fn of_state(state: &[u32; 8]) -> Self {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (bytes, word) in words.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        Self(bytes)
    }

    /// Returns the SHA-256 of the concatenated parts. A hasher of the library is larger, and copied for the hash.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Self {
        let mut state = SHA256_START;
        let mut block = [0; BLOCK_LEN];
        let mut used = 0_usize; // of the block
        let mut len = 0_u64;
        for part in parts {
            len = len.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            let rest = fill(&mut block, &mut used, part);
            if used < BLOCK_LEN {
                continue;
            }
            compress256(&mut state, from_ref(&block));
            used = 0;
            let (blocks, rest) = rest.as_chunks::<BLOCK_LEN>();
            compress256(&mut state, blocks);
            fill(&mut block, &mut used, rest);
        }
        // The padding (FIPS 180-4, section 5.1.1): a bit, zeros, and the length in bits.
        for (at, byte) in block.iter_mut().enumerate().skip(used) {
            *byte = if at == used { 0x80 } else { 0 };
        }
        if used > MAX_ONE_BLOCK_LEN {
            compress256(&mut state, from_ref(&block));
            block = [0; BLOCK_LEN];
        }
        if let Some(place) = block.last_chunk_mut() {
            *place = len.saturating_mul(8).to_be_bytes();
        }
        compress256(&mut state, from_ref(&block));
        Self::of_state(&state)
    }
}

/// Copies bytes behind those that are used, as many as fit, and returns the rest.
fn fill<'b>(block: &mut [u8; BLOCK_LEN], used: &mut usize, bytes: &'b [u8]) -> &'b [u8] {
    let len = bytes.len().min(BLOCK_LEN.saturating_sub(*used));
    let (front, rest) = bytes.split_at_checked(len).unwrap_or_default();
    let place = block.get_mut(*used..).and_then(|place| place.get_mut(..front.len()));
    if let Some(place) = place {
        place.copy_from_slice(front);
    }
    *used = used.saturating_add(len);
    rest
}

/// Lays out concatenated parts of 56 to 119 bytes as the two blocks that SHA-256 hashes.
#[inline]
pub(crate) fn put_two_blocks(parts: &[&[u8]], message: &mut TwoBlocks) {
    *message = TWO_ZERO_BLOCKS;
    lay_out(parts, message);
}

/// Lays out concatenated parts of at most 119 bytes as the blocks that SHA-256 hashes, and returns their length. Up to 55
/// bytes fill only the first block. The blocks are zeros before.
#[inline]
fn lay_out(parts: &[&[u8]], blocks: &mut TwoBlocks) -> usize {
    let bytes = blocks.as_flattened_mut();
    let mut len = 0_usize;
    for part in parts {
        let place = bytes.get_mut(len..).and_then(|rest| rest.get_mut(..part.len()));
        // The compiler sees that both lengths are equal, and leaves the panic of `copy_from_slice` out.
        if let Some(place) = place {
            place.copy_from_slice(part);
        }
        len = len.saturating_add(part.len());
    }
    invariant!(len <= MAX_TWO_BLOCKS_LEN, "the parts fit two blocks");
    if let Some(mark) = bytes.get_mut(len) {
        *mark = 0x80;
    }
    let bits = u16::try_from(len.saturating_mul(8)).unwrap_or(u16::MAX).to_be_bytes();
    let [first, second] = blocks;
    let last = if len > MAX_ONE_BLOCK_LEN { second } else { first };
    if let Some(place) = last.last_chunk_mut() {
        *place = bits;
    }
    len
}

impl GenesisId {
    /// Returns the id of block 0, which is the genesis id itself: nobody makes that block.
    #[must_use]
    pub const fn block_id(&self) -> BlockId {
        BlockId(self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Hex(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::Hash;

    #[test]
    fn parts_have_the_hash_of_their_bytes() {
        let bytes: [u8; 300] = core::array::from_fn(|n| n.to_le_bytes()[0] ^ 0xA5);
        for len in 0..=bytes.len() {
            let (message, _) = bytes.split_at(len);
            let expected = Hash::from_bytes(Sha256::digest(message).into());
            assert_eq!(Hash::of(message), expected, "{len} bytes");
            for at in [1, 55, 63, 64, 65, 119, 128] {
                let (front, back) = message.split_at_checked(at).unwrap_or((message, &[]));
                let (middle, back) = back.split_at(back.len() / 3);
                let parts = [front, &[], middle, back];
                assert_eq!(Hash::of_parts(&parts), expected, "{len} bytes, cut at {at}");
            }
        }
    }

    /// FIPS 180-4, 5.1.1: up to 55 bytes and their padding fit one block, up to 119 fit two.
    #[test]
    fn short_messages_have_the_hash_of_any_length() {
        let bytes: [u8; 119] = core::array::from_fn(|n| n.to_le_bytes()[0] ^ 0x5A);
        for len in 0..=bytes.len() {
            let message = bytes.get(..len).unwrap_or_default();
            assert_eq!(Hash::of_short(&[message]), Hash::of(message), "{len} bytes");
            let (front, back) = message.split_at(len / 3);
            assert_eq!(Hash::of_short(&[front, &[], back]), Hash::of(message), "{len} bytes");
        }
    }
}
