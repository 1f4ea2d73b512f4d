//! The parts of SHA-256 that puzzle and kernels share.

use sha2::block_api::compress256;

/// The length in bytes of a block that SHA-256 takes at once.
pub(crate) const BLOCK: usize = 64;

/// The state before the first block: FIPS 180-4, section 5.3.3.
pub(crate) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

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

/// Hashes the 80 bytes of a header twice.
pub(crate) fn hash_header(header: &[u8; 80]) -> [u8; 32] {
    let mut state = INITIAL;
    compress256(&mut state, &padded_header(header));
    let mut second = second_block();
    write_words(&mut second, &state);
    state = INITIAL;
    compress256(&mut state, core::slice::from_ref(&second));
    bytes_of(state)
}

/// Returns the two blocks of SHA-256 that a header fills.
pub(crate) fn padded_header(header: &[u8; 80]) -> [[u8; BLOCK]; 2] {
    let mut blocks = [[0; BLOCK]; 2];
    let bytes = blocks.as_flattened_mut();
    if let Some((out, [mark, ..])) = bytes.split_first_chunk_mut() {
        *out = *header;
        *mark = 0x80;
    }
    if let Some(length) = bytes.last_chunk_mut() {
        *length = 640_u64.to_be_bytes(); // bits
    }
    blocks
}
