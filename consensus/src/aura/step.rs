//! Steps of time, and the difficulty of a block by the steps since its parent.

/// Returns the step of a time: seconds divided by the duration of a step. `None` if that is zero.
#[must_use]
pub const fn step_of(seconds: u64, duration: u64) -> Option<u64> {
    seconds.checked_div(duration)
}

/// Returns the difficulty of a block: 2^128 - 1 minus the steps since its parent, plus the empty steps that were signed.
/// A chain that misses fewer steps is heavier.
///
/// ```
/// use consensus::aura::difficulty;
///
/// assert_eq!(difficulty(10, 11, 0), u128::MAX - 1);
/// assert_eq!(difficulty(10, 13, 2), u128::MAX - 1, "two of three steps were signed as empty");
/// ```
#[must_use]
pub fn difficulty(parent_step: u64, step: u64, empty_steps: u64) -> u128 {
    let passed = u128::from(step.saturating_sub(parent_step));
    u128::MAX.saturating_sub(passed).saturating_add(u128::from(empty_steps))
}
