//! Time stamps and optional piece numbers in four bytes each, for the slots of connections and blocks.

use core::time::Duration;

use crate::PieceIndex;

/// A time in whole milliseconds modulo 2^32, from which its age follows for 50 days.
///
/// An older time looks recent again. So use it only for what is done before then, or what does no
/// harm when it is done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u32);

impl Stamp {
    pub(crate) fn of(now: Duration) -> Self {
        let [a, b, c, d, ..] = now.as_millis().to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    /// Returns how many milliseconds ago it was.
    pub(crate) fn age(self, now: Duration) -> u32 {
        Self::of(now).0.wrapping_sub(self.0)
    }

    /// Returns whether it was later than another time.
    pub(crate) fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 31
    }

    /// Returns whether a span has passed since.
    pub(crate) fn is_past(self, span: Duration, now: Duration) -> bool {
        self.left(span, now) == Some(0)
    }

    /// Returns when a span has passed since; `None` if that is too far away.
    pub(crate) fn deadline(self, span: Duration, now: Duration) -> Option<Duration> {
        let left = Duration::from_millis(self.left(span, now)?.into());
        let whole =
            now.saturating_sub(Duration::from_nanos(u64::from(now.subsec_nanos() % 1_000_000)));
        whole.checked_add(left)
    }

    /// Returns how many milliseconds are left of a span.
    fn left(self, span: Duration, now: Duration) -> Option<u32> {
        Some(u32::try_from(span.as_millis()).ok()?.saturating_sub(self.age(now)))
    }
}

/// A number or none. The highest number counts as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Maybe(u32);

impl Maybe {
    pub(crate) const NONE: Self = Self(u32::MAX);

    pub(crate) const fn some(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn get(self) -> Option<u32> {
        (self != Self::NONE).then_some(self.0)
    }

    pub(crate) fn piece(self) -> Option<PieceIndex> {
        self.get().map(PieceIndex)
    }
}

impl From<Option<u32>> for Maybe {
    fn from(number: Option<u32>) -> Self {
        number.map_or(Self::NONE, Self)
    }
}

impl From<Option<PieceIndex>> for Maybe {
    fn from(piece: Option<PieceIndex>) -> Self {
        piece.map(|piece| piece.0).into()
    }
}
