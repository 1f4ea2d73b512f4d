//! The torus of CAN, and the zones that it is cut into.

use core::fmt;

/// How many times a side can be halved.
const SIDE: u8 = 32; // bits

/// A point of the torus of `D` dimensions, each of which goes round after 2^32.
pub type Point<const D: usize> = [u32; D];

/// A box of the torus: in each dimension a part of 2^(-n) that begins at a multiple of its length, as repeated
/// halving leaves it.
///
/// ```
/// use chord_core::geometry::Zone;
///
/// let (lower, upper) = Zone::<2>::WHOLE.split().expect("more than a point");
/// assert!(lower.contains(&[0, 7]) && upper.contains(&[1 << 31, 7]));
/// assert_eq!(upper.distance(&[0, 7]), 1); // round the other way
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone<const D: usize> {
    sides: [Side; D],
}

/// What a zone covers of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Side {
    from: u32,
    halvings: u8, // at most 32
}

impl<const D: usize> Zone<D> {
    /// The whole torus.
    pub const WHOLE: Self = Self { sides: [Side { from: 0, halvings: 0 }; D] };

    /// Returns whether the point lies in the zone.
    #[must_use]
    pub fn contains(&self, point: &Point<D>) -> bool {
        self.sides.iter().zip(point).all(|(side, at)| side.away(*at) == 0)
    }

    /// Returns how far the point lies from the zone: the sum over all dimensions of the way to the nearer end,
    /// either way round. 0 inside of it.
    #[must_use]
    pub fn distance(&self, point: &Point<D>) -> u64 {
        self.sides.iter().zip(point).map(|(side, at)| u64::from(side.away(*at))).sum()
    }

    /// Returns how many times the torus was halved to get a zone as small as this one.
    #[must_use]
    pub fn halvings(&self) -> u32 {
        self.sides.iter().map(|side| u32::from(side.halvings)).sum()
    }

    /// Halves the zone along the dimension whose turn it is (section 3.1: in a fixed order): returns the lower
    /// half and the upper one. `None` once it is a point.
    #[must_use]
    pub fn split(&self) -> Option<(Self, Self)> {
        // The first dimension that was halved least.
        let (turn, side) =
            self.sides.iter().copied().enumerate().min_by_key(|(_, side)| side.halvings)?;
        let (lower, upper) = side.split()?;
        let with = |half| {
            let mut zone = *self;
            if let Some(side) = zone.sides.get_mut(turn) {
                *side = half;
            }
            zone
        };
        Some((with(lower), with(upper)))
    }

    /// Returns the zone of which the two are the halves, if there is one.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        // The last dimension that was halved most.
        let (turn, _) = self.sides.iter().enumerate().max_by_key(|(_, side)| side.halvings)?;
        let mut zone = *self;
        zone.sides.get_mut(turn)?.double()?;
        let (lower, upper) = zone.split()?;
        [(lower, upper), (upper, lower)].contains(&(*self, *other)).then_some(zone)
    }

    /// Returns whether the two are neighbours: they meet in one dimension, and overlap in all others.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        let mut meet = 0_u32;
        for (a, b) in self.sides.iter().zip(&other.sides) {
            if !a.overlaps(*b) {
                if !a.meets(*b) {
                    return false;
                }
                meet = meet.saturating_add(1);
            }
        }
        meet == 1
    }
}

impl Side {
    /// Returns the last point of it.
    fn to(self) -> u32 {
        self.from | u32::MAX.checked_shr(self.halvings.into()).unwrap_or(0)
    }

    /// Returns how far `at` is from the nearer end; 0 inside.
    fn away(self, at: u32) -> u32 {
        let before = self.from.wrapping_sub(at);
        let after = at.wrapping_sub(self.to());
        if self.from <= at && at <= self.to() { 0 } else { before.min(after) }
    }

    fn split(self) -> Option<(Self, Self)> {
        let halvings = self.halvings.checked_add(1).filter(|halvings| *halvings <= SIDE)?;
        let middle = 1_u32.checked_shl(u32::from(SIDE.saturating_sub(halvings)))?;
        Some((Self { halvings, ..self }, Self { halvings, from: self.from | middle }))
    }

    /// Becomes what it is a half of; `None` if it is all.
    fn double(&mut self) -> Option<()> {
        self.halvings = self.halvings.checked_sub(1)?;
        self.from &= !u32::MAX.checked_shr(self.halvings.into()).unwrap_or(0);
        Some(())
    }

    fn overlaps(self, other: Self) -> bool {
        self.from <= other.to() && other.from <= self.to()
    }

    /// Returns whether one begins where the other ends, round the torus.
    fn meets(self, other: Self) -> bool {
        self.to().wrapping_add(1) == other.from || other.to().wrapping_add(1) == self.from
    }
}

/// The ends in each dimension, in hexadecimal: `00000000-7fffffff × 00000000-ffffffff`.
impl<const D: usize> fmt::Display for Zone<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, side) in self.sides.iter().enumerate() {
            let sign = if n == 0 { "" } else { " × " };
            write!(f, "{sign}{:08x}-{:08x}", side.from, side.to())?;
        }
        Ok(())
    }
}
