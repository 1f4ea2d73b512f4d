//! The parts of SHA-256 that puzzle and kernels share.

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
