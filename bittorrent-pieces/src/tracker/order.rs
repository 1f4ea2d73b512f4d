//! Which of several trackers to ask (BEP 12).

use thiserror::Error;

use crate::rng::Rng;

/// The order in which the trackers of a torrent are asked: tier by tier, shuffled inside each; one
/// that answers moves to the front of its tier (BEP 12).
///
/// It holds places, not URLs: [`current`](Self::current) names the tier and the place in it as
/// [`Metainfo::tiers`](crate::Metainfo::tiers) gives them.
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

/// Room for one tracker of a [`TrackerOrder`]: 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierSlot {
    tier: u16,
    place: u16,
}

impl TierSlot {
    /// A slot that is not in use.
    pub const EMPTY: Self = Self { tier: 0, place: 0 };
}

/// The lent slots do not fit the trackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrackerOrderError {
    /// One slot for each tracker.
    #[error("more trackers than {0} slots")]
    Slots(usize),
    /// More tiers, or trackers in a tier, than 16 bits can number.
    #[error("more than 65,535 tiers, or trackers in one")]
    TooMany,
}

impl<S: AsRef<[TierSlot]> + AsMut<[TierSlot]>> TrackerOrder<S> {
    /// Shuffles trackers; `tiers` says how many there are in each tier.
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

    /// Notes that the current tracker did not answer and returns the next one; after the last one the
    /// order begins anew and `None` says so.
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
            if let Some(passed) = used.get_mut(front..=self.cursor) {
                passed.rotate_right(1);
            }
        }
        self.cursor = 0;
    }

    /// Returns the tracker to ask: its tier, and its place in that tier, both from 0.
    #[must_use]
    pub fn current(&self) -> Option<(usize, usize)> {
        self.order().nth(self.cursor)
    }

    /// Returns all trackers in order: tier, and place in that tier.
    pub fn order(&self) -> impl Iterator<Item = (usize, usize)> {
        let used = self.slots.as_ref().get(..self.len).unwrap_or_default();
        used.iter().map(|slot| (usize::from(slot.tier), usize::from(slot.place)))
    }
}

fn fill(
    tiers: impl IntoIterator<Item = usize>,
    rng: &mut Rng,
    slots: &mut [TierSlot],
) -> Result<usize, TrackerOrderError> {
    let (room, mut len) = (slots.len(), 0_usize);
    for (tier, places) in tiers.into_iter().enumerate() {
        let tier = u16::try_from(tier).map_err(|_| TrackerOrderError::TooMany)?;
        let places = u16::try_from(places).map_err(|_| TrackerOrderError::TooMany)?;
        let end = len.saturating_add(usize::from(places));
        let part = slots.get_mut(len..end).ok_or(TrackerOrderError::Slots(room))?;
        part.iter_mut().zip(0..).for_each(|(slot, place)| *slot = TierSlot { tier, place });
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
