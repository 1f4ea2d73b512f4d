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

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn millis(count: u64) -> Span {
        Span::new(Duration::from_millis(count))
    }

    #[test]
    fn spans_are_whole_milliseconds_from_one_to_49_days() {
        assert_eq!(Span::new(Duration::ZERO).nanos(), 1_000_000);
        assert_eq!(Span::new(Duration::from_micros(2999)).nanos(), 2_000_000);
        assert_eq!(millis((1 << 32) - 2).nanos(), ((1 << 32) - 2) * 1_000_000);
        for for_ever in [millis((1 << 32) - 1), millis(1 << 32), Span::new(Duration::MAX)] {
            assert_eq!(for_ever.nanos(), u64::MAX);
        }
    }

    #[test]
    fn parts_of_a_span_are_a_millisecond_at_least() {
        assert_eq!(millis(1000).three_quarters(), millis(750));
        assert_eq!(millis(1).three_quarters(), millis(1));
        assert_eq!(millis(1000).part(4), millis(250));
        assert_eq!(millis(3).part(4), millis(1));
        assert_eq!(millis(3).part(0), millis(3));
        assert_eq!(millis(1000).times(6, 3000), millis(6000));
        assert_eq!(millis(1000).times(6, 30_000), millis(30_000));
        assert_eq!(millis(1000).lengthened(millis(9000)), millis(1251));
        assert_eq!(millis(1).lengthened(millis(9000)), millis(2), "it grows");
        assert_eq!(millis(1000).lengthened(millis(1100)), millis(1100));
        let for_ever = Span::new(Duration::MAX);
        for span in [for_ever.three_quarters(), for_ever.part(4), for_ever.times(6, 1)] {
            assert_eq!(span, for_ever);
        }
        assert_eq!(for_ever.lengthened(for_ever), for_ever);
    }

    /// A wait is a 256th of the span times 192 to 319.
    #[test]
    fn waits_are_drawn_from_three_to_five_quarters() {
        let mut rng = Rng::new(1);
        let second = 1_000_000_000;
        let mut drawn = [false; 320];
        for _ in 0..4000 {
            let wait = millis(256_000).jittered(&mut rng);
            assert_eq!(wait % second, 0);
            let seconds = usize::try_from(wait / second).unwrap_or(usize::MAX);
            *drawn.get_mut(seconds).expect("at most five quarters") = true;
        }
        assert!(drawn.iter().take(192).all(|drawn| !drawn), "less than three quarters");
        assert!(drawn.iter().skip(192).all(|drawn| *drawn), "each is drawn");
        assert_eq!(Span::new(Duration::MAX).jittered(&mut rng), u64::MAX);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let at = |seconds| Time::ZERO.newest(Duration::from_secs(seconds));
        assert_eq!(at(5).since_start(), Some(Duration::from_secs(5)));
        assert_eq!(at(5).newest(Duration::from_secs(4)), at(5));
        assert_eq!(at(5).newest(Duration::from_secs(6)), at(6));
        assert_eq!(at(5).after(millis(1500)).since_start(), Some(Duration::from_millis(6500)));
        assert_eq!(at(5).after_if_ever(millis(2000)), at(7));
        assert_eq!(at(5).after_nanos(0), at(5));
    }

    #[test]
    fn the_end_of_time_is_no_deadline() {
        let last_but_one = Time::ZERO.newest(Duration::from_nanos(u64::MAX - 2));
        assert_eq!(last_but_one.since_start(), Some(Duration::from_nanos(u64::MAX - 2)));
        assert!(!last_but_one.is_last());
        for end in
            [u64::MAX - 1, u64::MAX].map(Duration::from_nanos).into_iter().chain([Duration::MAX])
        {
            let end = Time::ZERO.newest(end);
            assert!(end.is_last() && end != Time::NEVER);
            assert_eq!(end.since_start(), None);
        }
        let span = millis(1);
        assert!(last_but_one.after(span).is_last());
        assert_ne!(last_but_one.after(span), Time::NEVER);
        assert_eq!(last_but_one.after_if_ever(span), Time::NEVER);
        let for_ever = Span::new(Duration::MAX);
        assert_eq!(Time::ZERO.after(for_ever), Time::NEVER);
        assert_eq!(Time::ZERO.after_if_ever(for_ever), Time::NEVER);
        assert_eq!(Time::NEVER.since_start(), None);
    }

    #[test]
    fn round_trips_are_counted_in_milliseconds() {
        let at = |micros| Time::ZERO.newest(Duration::from_micros(micros));
        assert_eq!(at(500).millis_to(at(2499)), 1);
        assert_eq!(at(0).millis_to(at(65_534_999)), 65_534);
        assert_eq!(at(0).millis_to(at(65_535_000)), u16::MAX);
        assert_eq!(at(0).millis_to(at(99_000_000)), u16::MAX);
        assert_eq!(at(9).millis_to(at(0)), 0);
    }
}
