//! Time in few bytes: a node keeps several points of it, and a ring may have a million nodes.
#![expect(clippy::as_conversions, reason = "`Node::new` is const, and `try_from` is not")]

use core::time::Duration;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A point in time: nanoseconds since the caller's start. The last one is the end of time, after 584
/// years: what is due then is never due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) const ZERO: Self = Self(0);
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn new(since_start: Duration) -> Self {
        let nanos = since_start.as_nanos();
        if nanos > u64::MAX as u128 { Self::NEVER } else { Self(nanos as u64) }
    }

    /// Returns the same on the caller's clock; `None` for the end of time.
    pub(crate) fn since_start(self) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_nanos(self.0))
    }

    pub(crate) fn after(self, span: Span) -> Self {
        self.after_nanos(span.nanos())
    }

    pub(crate) fn after_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Returns the milliseconds from `self` to `later`, `u16::MAX` for that and more.
    pub(crate) fn millis_to(self, later: Self) -> u16 {
        let millis = later.0.saturating_sub(self.0).checked_div(NANOS_PER_MILLI);
        u16::try_from(millis.unwrap_or(0)).unwrap_or(u16::MAX)
    }
}

/// How long something takes, in milliseconds, at least one: a shorter wait would make a driver spin.
/// The longest, from 49 days on, is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span(u32);

impl Span {
    const FOR_EVER: Self = Self(u32::MAX);

    pub(crate) const fn new(span: Duration) -> Self {
        match span.as_millis() {
            0 => Self(1),
            millis if millis > u32::MAX as u128 => Self::FOR_EVER,
            millis => Self(millis as u32),
        }
    }

    /// Returns a quarter more, at most `longest`.
    pub(crate) fn lengthened(self, longest: Self) -> Self {
        Self(self.0.saturating_add(self.0 / 4).saturating_add(1)).min(longest)
    }

    pub(crate) fn nanos(self) -> u64 {
        if self == Self::FOR_EVER {
            return u64::MAX;
        }
        u64::from(self.0).saturating_mul(NANOS_PER_MILLI)
    }
}
