//! Numbers of 32 bits as indices, and back.

const _: () = assert!(usize::BITS >= u32::BITS, "indices of 32 bits are needed");

/// Widens a number to an index.
pub(crate) const fn slot(number: u32) -> usize {
    let [a, b, c, d] = number.to_le_bytes();
    match [a, b, c, d, 0, 0, 0, 0].split_first_chunk() {
        Some((bytes, _)) => usize::from_le_bytes(*bytes),
        None => usize::MAX, // not on any target with 64 bits or fewer
    }
}

/// Narrows a length; what does not fit is cut to the largest number.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
