//! The engine that was needed last, beside those at the root and the tip.

/// The engine after the parent of the last header that was checked beside the chain. A branch that arrives header by header
/// costs one step for each.
///
/// It saves time and decides nothing: nodes that differ only in it are equal.
#[derive(Debug, Clone)]
pub(super) struct RecentEngine<E>(pub(super) Option<Known<E>>);

/// The engine after the block in a slot.
#[derive(Debug, Clone)]
pub(super) struct Known<E> {
    pub(super) at: usize,
    pub(super) arrival: u64, // tells another header in the same slot apart
    pub(super) engine: E,
}

impl<E> RecentEngine<E> {
    pub(super) const NONE: Self = Self(None);
}

impl<E> PartialEq for RecentEngine<E> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
