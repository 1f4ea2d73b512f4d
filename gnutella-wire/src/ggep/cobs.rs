//! Consistent overhead byte stuffing: keeps NUL out of a value, for one byte more in 254 (Cheshire
//! and Baker 1999, as GGEP 0.51 uses it: without a NUL at the end).
//!
//! Each run of bytes up to a NUL, or of 254, becomes a count and the run; the count is one more
//! than the length.

use thiserror::Error;

use crate::error::BufferTooSmall;
use crate::writer::Writer;

/// The longest run without a NUL.
const RUN: usize = 254;

/// The value cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CobsError {
    /// There is a NUL: the peer's fault.
    #[error("NUL in a stuffed value")]
    Nul,
    /// A run ends after the value does: the peer's fault.
    #[error("stuffed value cut short: {needed} more bytes needed")]
    Truncated {
        /// The bytes that are missing.
        needed: usize,
    },
    /// The caller's fault.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

/// Returns the length of `data` when encoded, in bytes: at most one in 254 more, and one.
#[must_use]
pub fn encoded_len(data: &[u8]) -> usize {
    Writer::measure(|w| write(w, data))
}

/// Writes `data` without a NUL, and returns the length. Nothing becomes one byte.
///
/// # Errors
///
/// [`BufferTooSmall`] below [`encoded_len`] bytes.
pub fn encode(data: &[u8], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
    Writer::fill(out, |w| write(w, data))
}

pub(super) fn write(w: &mut Writer<'_>, data: &[u8]) {
    let mut parts = data.split(|byte| *byte == 0).peekable();
    while let Some(part) = parts.next() {
        let (runs, rest) = part.as_chunks::<RUN>();
        for run in runs {
            w.u8(0xFF);
            w.bytes(run);
        }
        let ends_full = parts.peek().is_none() && rest.is_empty() && !runs.is_empty();
        if !ends_full {
            w.u8(u8::try_from(rest.len()).unwrap_or(u8::MAX).saturating_add(1)); // at most 254
            w.bytes(rest);
        }
    }
}

/// Writes the value that `data` encodes, and returns its length. As many bytes as `data` has always
/// suffice.
///
/// # Errors
///
/// Any [`CobsError`].
pub fn decode(data: &[u8], out: &mut [u8]) -> Result<usize, CobsError> {
    if data.contains(&0) {
        return Err(CobsError::Nul);
    }
    let mut whole = Ok(());
    let len = Writer::fill(out, |w| whole = unwrap(w, data))?;
    whole.map(|()| len)
}

fn unwrap(w: &mut Writer<'_>, data: &[u8]) -> Result<(), CobsError> {
    let mut rest = data;
    while let Some((count, after)) = rest.split_first() {
        let len = usize::from(count.saturating_sub(1));
        let needed = len.saturating_sub(after.len());
        let (run, after) = after.split_at_checked(len).ok_or(CobsError::Truncated { needed })?;
        w.bytes(run);
        if len < RUN && !after.is_empty() {
            w.u8(0);
        }
        rest = after;
    }
    Ok(())
}
