//! The order of several trackers (BEP 12).

use core::slice::Iter;

use thiserror::Error;

use crate::rng::Rng;

/// The order in which the trackers of a torrent are asked: tier by tier, shuffled inside each. A tracker that
/// answers moves to the front of its tier (BEP 12).
///
/// It holds indices, not URLs: [`current`](Self::current) returns the tier and the index in it, in the order of
/// [`Metainfo::tiers`](crate::Metainfo::tiers).
///
/// ```
/// use bittorrent_pieces::tracker::{TierSlot, TrackerOrder};
///
/// let mut order = TrackerOrder::new([1, 1], 0, [TierSlot::EMPTY; 2])?;
/// assert_eq!(order.current(), Some((0, 0)));
/// assert_eq!(order.failed(), Some((1, 0))); // the backup
/// order.answered();
/// assert_eq!(order.current(), Some((0, 0))); // the next announce begins at the first tier
/// # Ok::<(), bittorrent_pieces::tracker::TrackerOrderError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrackerOrder<S> {
    len: usize,
    cursor: usize,
    slots: S,
}

/// A slot for one tracker of a [`TrackerOrder`]: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierSlot {
    tier: u16,
    place: u16,
}

impl TierSlot {
    /// An unused slot.
    pub const EMPTY: Self = Self { tier: 0, place: 0 };
}

/// The slots do not fit the trackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TrackerOrderError {
    /// There are more trackers than slots.
    #[error("table full: all {capacity} slots are in use")]
    Full {
        /// The number of slots.
        capacity: usize,
    },
    /// There are more tiers, or trackers in a tier, than 16 bits can number.
    #[error("more than 65,535 tiers, or trackers in one")]
    TooMany,
}

impl<S: AsRef<[TierSlot]> + AsMut<[TierSlot]>> TrackerOrder<S> {
    /// Shuffles the trackers; `tiers` are the numbers of trackers in each tier.
    ///
    /// # Errors
    ///
    /// [`TrackerOrderError`]
    pub fn new(
        tiers: impl IntoIterator<Item = usize>,
        seed: u64,
        mut slots: S,
    ) -> Result<Self, TrackerOrderError> {
        let len = fill(tiers, &mut Rng::new(seed), slots.as_mut())?;
        Ok(Self { len, cursor: 0, slots })
    }

    /// Returns the storage.
    pub fn into_storage(self) -> S {
        self.slots
    }

    /// Notes that the current tracker did not answer and returns the next one. After the last one it returns
    /// `None`, and the order starts again.
    pub fn failed(&mut self) -> Option<(usize, usize)> {
        self.cursor = self.cursor.saturating_add(1);
        if self.cursor >= self.len {
            self.cursor = 0;
            return None;
        }
        self.current()
    }

    /// Notes that the current tracker answered: it moves to the front of its tier, and the next
    /// announce begins with the first tier again.
    pub fn answered(&mut self) {
        let used = self.slots.as_mut().get_mut(..self.len).unwrap_or_default();
        if let Some(slot) = used.get(self.cursor).copied() {
            let front = used.iter().position(|other| other.tier == slot.tier).unwrap_or(0);
            if let Some(passed @ [_, ..]) = used.get_mut(front..=self.cursor) {
                passed.rotate_right(1);
            }
        }
        self.cursor = 0;
    }

    /// Returns the tracker to ask: its tier, and its index in that tier, both from 0.
    #[must_use]
    pub fn current(&self) -> Option<(usize, usize)> {
        self.order().nth(self.cursor)
    }

    /// Returns all trackers in order: tier, and index in that tier.
    #[must_use]
    pub fn order(&self) -> OrderIter<'_> {
        OrderIter(self.slots.as_ref().get(..self.len).unwrap_or_default().iter())
    }
}

/// The trackers of a [`TrackerOrder`].
#[derive(Debug, Clone)]
pub struct OrderIter<'s>(Iter<'s, TierSlot>);

impl Iterator for OrderIter<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        self.0.next().map(|slot| (usize::from(slot.tier), usize::from(slot.place)))
    }
}

fn fill(
    tiers: impl IntoIterator<Item = usize>,
    rng: &mut Rng,
    slots: &mut [TierSlot],
) -> Result<usize, TrackerOrderError> {
    let capacity = slots.len();
    let mut len = 0_usize;
    for (tier, places) in tiers.into_iter().enumerate() {
        let tier = u16::try_from(tier).map_err(|_| TrackerOrderError::TooMany)?;
        let places = u16::try_from(places).map_err(|_| TrackerOrderError::TooMany)?;
        let end = len.saturating_add(usize::from(places));
        let part = slots.get_mut(len..end).ok_or(TrackerOrderError::Full { capacity })?;
        for (slot, place) in part.iter_mut().zip(0..) {
            *slot = TierSlot { tier, place };
        }
        // Fisher and Yates, from the back.
        for left in (1..=places).rev() {
            let drawn = usize::try_from(rng.below(u64::from(left))).unwrap_or(0);
            let last = usize::from(left).saturating_sub(1);
            if drawn < part.len() && last < part.len() {
                part.swap(drawn, last);
            }
        }
        len = end;
    }
    Ok(len)
}
