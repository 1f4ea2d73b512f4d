//! Assertions of internal invariants.

/// Asserts under tests and fuzzing that an internal invariant holds; does nothing in release builds.
macro_rules! invariant {
    ($condition:expr, $($text:tt)+) => {
        debug_assert!($condition, $($text)+)
    };
}
pub(crate) use invariant;
