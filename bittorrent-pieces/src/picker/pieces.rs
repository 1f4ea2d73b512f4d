//! What is kept of each piece: a few bits, 64 pieces to a word, so that a whole bitfield is counted
//! with a handful of operations for each of its words.

use super::PeerPieces;
use crate::block::PieceIndex;
use crate::index::{count, slot};

/// The bits of an availability. It saturates at 65,535.
pub(super) const PLANES: usize = 16;

/// How many of these lie on the first line of a cache in a [`PieceSlot`].
pub(super) const NEAR: u8 = 7;

/// The piece of the lowest number in a word: the bits of a bitfield are sent in this order (BEP 3).
const FIRST: u64 = 1 << 63;

/// Room for 64 pieces: 192 bytes, which are 3 for each.
///
/// See [`piece_slots`] for how many a torrent takes.
// What is read of each word when a bitfield is counted or pieces are compared lies on one line of a
// cache, unless more than 127 peers have a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct PieceSlot {
    /// Missing, not open, and of a priority above 0.
    pub(super) wanted: u64,
    /// Bit `k` of the number of peers that have each piece, seeds not counted.
    counts: [u64; PLANES],
    pub(super) had: u64,
    /// Complete, and not yet reported by an event.
    pub(super) unreported: u64,
    /// Bit `k` of each priority.
    priority: [u64; 3],
    /// In the list of the rarest pieces.
    pub(super) listed: u64,
}

/// Returns the number of [`PieceSlot`]s for a number of pieces.
#[must_use]
pub const fn piece_slots(pieces: u32) -> usize {
    slot(pieces.div_ceil(64))
}

/// Returns the bit of a piece in its word.
pub(super) const fn lane(piece: PieceIndex) -> u64 {
    FIRST.wrapping_shr(piece.0)
}

/// Returns whether a piece is missing, not open, and not skipped.
pub(super) fn is_wanted(pieces: &[PieceSlot], piece: PieceIndex) -> bool {
    let word = pieces.get(slot(piece.0 / 64));
    word.is_some_and(|word| word.wanted & lane(piece) != 0)
}

/// Returns the piece of the highest bit that is set in a word.
pub(super) fn first_piece(word: usize, lanes: u64) -> PieceIndex {
    piece_at(word, lanes.leading_zeros())
}

/// Returns the piece of the lowest bit that is set in a word.
pub(super) fn last_piece(word: usize, lanes: u64) -> PieceIndex {
    piece_at(word, 63_u32.saturating_sub(lanes.trailing_zeros()))
}

fn piece_at(word: usize, lane: u32) -> PieceIndex {
    PieceIndex(count(word).saturating_mul(64).saturating_add(lane))
}

/// The set bits of a word, the piece of the lowest number first.
pub(super) fn lanes(mut word: u64) -> impl Iterator<Item = u64> {
    core::iter::from_fn(move || {
        let lane = FIRST.checked_shr(word.leading_zeros())?;
        word &= !lane;
        Some(lane)
    })
}

impl PieceSlot {
    /// An unused slot.
    pub const EMPTY: Self =
        Self { wanted: 0, had: 0, unreported: 0, priority: [0; 3], counts: [0; PLANES], listed: 0 };

    /// Returns a slot of pieces that no peer has, of the normal priority.
    pub(super) const fn new(wanted: u64, had: u64) -> Self {
        Self { wanted, had, priority: [0, 0, u64::MAX], ..Self::EMPTY }
    }

    /// Counts one more peer for some pieces; returns how many planes changed.
    pub(super) fn add(&mut self, lanes: u64) -> u8 {
        let mut carry = lanes;
        let mut height = 0_u8;
        for plane in &mut self.counts {
            if carry == 0 {
                return height;
            }
            let next = *plane & carry;
            *plane ^= carry;
            carry = next;
            height = height.saturating_add(1);
        }
        self.counts.iter_mut().for_each(|plane| *plane |= carry); // it saturates
        height
    }

    /// Counts one more peer for many pieces, of which counts have at most `height` bits; returns how many bits they have
    /// then. Among the near planes nothing depends on the counts, as a branch that is hard to predict takes longer than the
    /// planes; the others are not looked at if nothing is carried to them.
    pub(super) fn add_many(&mut self, lanes: u64, height: u8) -> u8 {
        let (near, far) = self.counts.split_at_mut(NEAR.into());
        let carry = add_planes(near, lanes, height);
        if carry == 0 {
            return height;
        }
        let carry = add_planes(far, carry, height.saturating_sub(NEAR));
        if carry == 0 {
            return height;
        }
        let Some(plane) = self.counts.get_mut(usize::from(height)) else {
            self.counts.iter_mut().for_each(|plane| *plane |= carry); // it saturates
            return height;
        };
        *plane |= carry; // no count had this bit
        height.saturating_add(1)
    }

    /// Counts one peer less for some pieces.
    pub(super) fn sub(&mut self, lanes: u64) {
        let mut borrow = lanes;
        for plane in &mut self.counts {
            if borrow == 0 {
                return;
            }
            let next = !*plane & borrow;
            *plane ^= borrow;
            borrow = next;
        }
        self.counts.iter_mut().for_each(|plane| *plane &= !borrow); // no peer had them
    }

    /// Counts one peer less for many pieces, of which counts have at most `height` bits: see [`add_many`](Self::add_many).
    pub(super) fn sub_many(&mut self, lanes: u64, height: u8) {
        let (near, far) = self.counts.split_at_mut(NEAR.into());
        let borrow = sub_planes(near, lanes, height);
        if borrow == 0 {
            return;
        }
        let borrow = sub_planes(far, borrow, height.saturating_sub(NEAR));
        if borrow != 0 {
            let planes = self.counts.iter_mut().take(height.into());
            planes.for_each(|plane| *plane &= !borrow); // no peer had them
        }
    }

    /// Returns how many peers have the piece of a lane; counts have at most `height` bits.
    pub(super) fn count(&self, lane: u64, height: u8) -> u32 {
        let (near, far) = self.counts.split_at(NEAR.into());
        let append = |count: u32, plane: &u64| count << 1 | u32::from(plane & lane != 0);
        let far = far.get(..height.saturating_sub(NEAR).into()).unwrap_or_default();
        let count = far.iter().rev().fold(0, append);
        near.iter().rev().fold(count, append)
    }

    /// Returns whether more than one peer has the piece of a lane; counts have at most `height` bits.
    pub(super) fn is_common(&self, lane: u64, height: u8) -> bool {
        let (near, far) = self.counts.split_at(NEAR.into());
        let far = far.get(..height.saturating_sub(NEAR).into()).unwrap_or_default();
        let higher = near.iter().skip(1).chain(far);
        higher.fold(0, |all, plane| all | plane) & lane != 0
    }

    /// Returns the pieces that some peer has.
    pub(super) fn held(&self, height: u8) -> u64 {
        self.counts.iter().take(height.into()).fold(0, |held, plane| held | plane)
    }

    /// Returns which of some pieces fewer than `limit` peers have, and which exactly `limit`.
    pub(super) fn compare(&self, lanes: u64, limit: u32, height: u8) -> (u64, u64) {
        if limit.checked_shr(height.into()).is_some_and(|high| high > 0) {
            return (lanes, 0);
        }
        let mut below = 0;
        let mut equal = lanes;
        let planes = self.counts.get(..usize::from(height)).unwrap_or_default();
        for (bit, plane) in (0..32).zip(planes).rev() {
            // All ones or all zeros, so that nothing branches.
            let bits = 0_u64.wrapping_sub(u64::from(limit.wrapping_shr(bit) & 1));
            below |= equal & !plane & bits;
            equal &= !(plane ^ bits);
        }
        (below, equal)
    }

    /// Returns the lowest count among some pieces, and which of them have it.
    pub(super) fn least(&self, lanes: u64, height: u8) -> (u32, u64) {
        self.extreme(lanes, height, |plane| !plane)
    }

    /// Returns the highest count among some pieces, and which of them have it.
    pub(super) fn most(&self, lanes: u64, height: u8) -> (u32, u64) {
        self.extreme(lanes, height, |plane| plane)
    }

    fn extreme(&self, lanes: u64, height: u8, better: impl Fn(u64) -> u64) -> (u32, u64) {
        let best = self.counts.iter().take(height.into()).rev().fold(lanes, |best, plane| {
            let kept = best & better(*plane);
            if kept == 0 { best } else { kept }
        });
        (self.count(FIRST.wrapping_shr(best.leading_zeros()), height), best)
    }

    pub(super) fn priority(&self, lane: u64) -> u32 {
        self.priority.iter().rev().fold(0, |sum, plane| sum << 1 | u32::from(plane & lane != 0))
    }

    pub(super) fn set_priority(&mut self, lane: u64, priority: u32) {
        for (bit, plane) in (0..32).zip(&mut self.priority) {
            *plane =
                if priority.wrapping_shr(bit) & 1 == 1 { *plane | lane } else { *plane & !lane };
        }
    }

    /// Returns the pieces that are missing, open or not, and of a priority above 0.
    pub(super) fn sought(&self) -> u64 {
        !self.had & !self.class(0)
    }

    /// Returns the pieces of a priority.
    pub(super) fn class(&self, priority: u32) -> u64 {
        (0..32).zip(&self.priority).fold(u64::MAX, |class, (bit, plane)| {
            if priority.wrapping_shr(bit) & 1 == 1 { class & plane } else { class & !plane }
        })
    }
}

/// Adds one to the counts of some pieces in the first `height` planes; returns those whose count overflowed.
fn add_planes(planes: &mut [u64], lanes: u64, height: u8) -> u64 {
    planes.iter_mut().take(height.into()).fold(lanes, |carry, plane| {
        let next = *plane & carry;
        *plane ^= carry;
        next
    })
}

/// Subtracts one from the counts of some pieces in the first `height` planes; returns those whose count was 0.
fn sub_planes(planes: &mut [u64], lanes: u64, height: u8) -> u64 {
    planes.iter_mut().take(height.into()).fold(lanes, |borrow, plane| {
        let next = !*plane & borrow;
        *plane ^= borrow;
        next
    })
}

impl PeerPieces<'_> {
    /// Returns the bits of the 64 pieces of a slot.
    pub(super) fn word(&self, word: usize) -> u64 {
        match self {
            Self::All => u64::MAX,
            Self::Some(bits) => bits.word(word),
        }
    }

    /// Returns the first slot of `from..end` of which the peer has pieces, or `end`.
    pub(super) fn next_word(&self, from: usize, end: usize) -> usize {
        match self {
            Self::All => from.min(end),
            Self::Some(bits) => bits.next_word(from, end),
        }
    }
}
