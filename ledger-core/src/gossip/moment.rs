//! A point in time, or a span, in 12 bytes: a `Duration` takes 16.

use core::time::Duration;

/// A `Duration` without its padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(4))]
pub(super) struct Moment {
    secs: u64,
    nanos: u32,
}

impl Moment {
    pub(super) const ZERO: Self = Self::of(Duration::ZERO);

    pub(super) const fn of(time: Duration) -> Self {
        Self { secs: time.as_secs(), nanos: time.subsec_nanos() }
    }

    #[inline(never)] // inlined wherever it is called it adds 800 bytes of text
    pub(super) fn get(self) -> Duration {
        let nanos = Duration::from_nanos(self.nanos.into());
        Duration::from_secs(self.secs).saturating_add(nanos)
    }
}
