//! How long a client waits for a response.

use core::time::Duration;

/// The n of the last retransmission; each waits 15 * 2^n seconds (BEP 15).
pub(super) const LAST_TRY: u8 = 8;

/// Returns how long to wait for a response to the transmission of number `tries`, from 0.
pub(super) fn patience(tries: u8) -> Duration {
    let factor = 1_u64.checked_shl(u32::from(tries.min(LAST_TRY))).unwrap_or(u64::MAX);
    Duration::from_secs(factor.saturating_mul(15))
}
