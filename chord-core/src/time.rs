//! Time in few bytes: a node keeps several points of it, and a ring may have a million nodes.

use core::time::Duration;

use crate::rng::Rng;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A point in time: nanoseconds since the caller's start. [`LAST`](Self::LAST), after 584 years, is the end of
/// time: a node whose driver has got there acts at each call, and sets no more deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) const ZERO: Self = Self(0);
    pub(crate) const NEVER: Self = Self(u64::MAX);
    const LAST: Self = Self(u64::MAX - 1);

    /// Returns the later one of `self` and `now`.
    pub(crate) fn newest(self, now: Duration) -> Self {
        self.max(u64::try_from(now.as_nanos()).map_or(Self::LAST, Self).min(Self::LAST))
    }

    /// Returns the same on the caller's clock; `None` for the end of time.
    pub(crate) fn since_start(self) -> Option<Duration> {
        (self < Self::LAST).then(|| Duration::from_nanos(self.0))
    }

    pub(crate) fn after(self, span: Span) -> Self {
        self.after_nanos(span.nanos())
    }

    pub(crate) fn after_nanos(self, nanos: u64) -> Self {
        if nanos == u64::MAX {
            return Self::NEVER;
        }
        Self(self.0.saturating_add(nanos)).min(Self::LAST)
    }

    /// Returns whether the clock has come to its end.
    pub(crate) fn is_last(self) -> bool {
        self >= Self::LAST
    }

    /// Returns the same, or never for the end of time and what lies beyond it.
    pub(crate) fn after_if_ever(self, span: Span) -> Self {
        let at = self.after(span);
        if at < Self::LAST { at } else { Self::NEVER }
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

    pub(crate) fn new(span: Duration) -> Self {
        u32::try_from(span.as_millis()).map_or(Self::FOR_EVER, |millis| Self(millis.max(1)))
    }

    /// Returns three quarters of the span, at least a millisecond.
    pub(crate) fn three_quarters(self) -> Self {
        if self == Self::FOR_EVER { self } else { Self(self.0.saturating_sub(self.0 / 4).max(1)) }
    }

    /// Returns a quarter more, at most `longest`.
    pub(crate) fn lengthened(self, longest: Self) -> Self {
        Self(self.0.saturating_add(self.0 / 4).saturating_add(1)).min(longest)
    }

    /// Returns the `count`th part of the span, at least a millisecond.
    pub(crate) fn part(self, count: u32) -> Self {
        if self == Self::FOR_EVER {
            self
        } else {
            Self(self.0.checked_div(count).unwrap_or(self.0).max(1))
        }
    }

    /// Returns `count` times the span, and at least `least` milliseconds.
    pub(crate) fn times(self, count: u32, least: u32) -> Self {
        Self(self.0.saturating_mul(count).max(least))
    }

    pub(crate) fn nanos(self) -> u64 {
        if self == Self::FOR_EVER {
            return u64::MAX;
        }
        u64::from(self.0).saturating_mul(NANOS_PER_MILLI)
    }

    /// Returns nanoseconds from three to five quarters of the span.
    pub(crate) fn jittered(self, rng: &mut Rng) -> u64 {
        let nanos = self.nanos();
        let part = if self == Self::FOR_EVER { 0 } else { nanos / 256 };
        let share = part.saturating_mul(rng.next_u64() >> 57); // 0 to 127 parts
        nanos.saturating_sub(part.saturating_mul(64)).saturating_add(share)
    }
}
