//! What tables have in common whose index lies in their slots: slot `n` holds the first entry of bucket `n`.

/// The index of a slot, or `NONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(u32);

impl Link {
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Links to a slot. Above 2^32 - 2 it is `NONE`.
    pub(crate) fn to(index: usize) -> Self {
        u32::try_from(index).map_or(Self::NONE, Self)
    }

    pub(crate) fn from_option(index: Option<usize>) -> Self {
        index.map_or(Self::NONE, Self::to)
    }

    pub(crate) fn get(self) -> Option<usize> {
        if self == Self::NONE { None } else { usize::try_from(self.0).ok() }
    }
}

/// Returns the bucket of an id, or `None` if there are no buckets. A sender that does not know the seed cannot fill one
/// bucket.
pub(crate) fn bucket(seed: u64, id: &[u8; 32], buckets: usize) -> Option<usize> {
    let mut hash = seed;
    for chunk in id.as_chunks::<8>().0 {
        hash = (hash ^ u64::from_le_bytes(*chunk)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 32;
    }
    let bucket = hash.checked_rem(u64::try_from(buckets).ok()?)?;
    usize::try_from(bucket).ok()
}
