//! The engine that was needed last, beside those at the root and the tip.

/// The engine after the parent of the last header that was checked beside the chain. A branch that arrives header by header
/// costs one step for each.
///
/// It saves time and decides nothing: nodes that differ only in it are equal.
#[derive(Debug, Clone)]
pub(super) struct RecentEngine<E> {
    pub(super) at: Option<usize>, // none is known without it
    pub(super) arrival: u64,      // tells another header in the same slot apart
    pub(super) engine: E,
}

impl<E: Clone> RecentEngine<E> {
    /// Returns one that is not known. It holds any engine.
    #[inline(never)] // builds the engine where the caller wants it
    pub(super) fn unknown(engine: &E) -> Self {
        Self { at: None, arrival: 0, engine: engine.clone() }
    }
}

impl<E> PartialEq for RecentEngine<E> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
