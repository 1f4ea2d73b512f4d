//! The memory of a BFT engine.

#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

use crate::hex::Hex;
use crate::id::ValidatorId;

/// Storage of a [`Bft`](super::Bft): two regions of caller-provided memory.
///
/// Implemented by [`BftSlots`], by `BftVec` with the feature `alloc`, and by `&mut S`.
pub trait BftStorage {
    /// Borrows both regions.
    fn parts(&mut self) -> BftParts<'_>;

    /// Borrows both regions, shared.
    fn parts_ref(&self) -> BftPartsRef<'_>;
}

/// The regions of a [`BftStorage`]. Needed to implement the trait for other memory.
#[expect(clippy::exhaustive_structs, reason = "implementations of `BftStorage` construct it")]
#[derive(Debug, PartialEq, Eq)]
pub struct BftParts<'a> {
    /// One slot for each validator.
    pub validators: &'a mut [PeerSlot],
    /// At least [`VoteSlot::PER_VALIDATOR`] slots for each validator.
    pub votes: &'a mut [VoteSlot],
}

/// The regions of a [`BftStorage`], shared. Needed to implement the trait for other memory.
#[expect(clippy::exhaustive_structs, reason = "implementations of `BftStorage` construct it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BftPartsRef<'a> {
    /// The validators.
    pub validators: &'a [PeerSlot],
    /// The statements.
    pub votes: &'a [VoteSlot],
}

/// A [`BftStorage`] of arrays, slices, boxes or vectors.
///
/// ```
/// use consensus::bft::{BftSlots, PeerSlot, VoteSlot};
///
/// // Seven validators, six statements each: 42 slots.
/// static mut MEMORY: BftSlots<[PeerSlot; 7], [VoteSlot; 42]> =
///     BftSlots { validators: [PeerSlot::EMPTY; 7], votes: [VoteSlot::EMPTY; 42] };
/// ```
#[expect(clippy::exhaustive_structs, reason = "the caller constructs it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BftSlots<P, V> {
    /// One slot for each validator.
    pub validators: P,
    /// At least [`VoteSlot::PER_VALIDATOR`] slots for each validator.
    pub votes: V,
}

/// Storage for one validator: 72 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct PeerSlot {
    pub(super) id: ValidatorId,
    pub(super) power: u64,
    /// The greatest height that it claims.
    pub(super) height: u64,
    /// It is not reported as behind again before this many milliseconds.
    pub(super) report_again_at: u64,
    /// The greatest round of this height from which it sent a statement.
    pub(super) round: Option<u32>,
    /// Its height is decided here: an event that was not polled yet.
    pub(super) is_behind: bool,
    /// Evidence against it was found at this height.
    pub(super) offended: bool,
}

/// Storage for one statement: 108 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct VoteSlot {
    pub(super) kind: VoteKind,
    pub(super) height: RelativeHeight,
    pub(super) role: VoteRole,
    /// It is to be sent.
    pub(super) is_due: bool,
    pub(super) round: u32,
    /// The valid round of a proposal plus 1, or 0.
    pub(super) support: u32,
    pub(super) digest: [u8; 32],
    pub(super) signature: [u8; 64],
}

/// What is in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum VoteKind {
    Free,
    Propose,
    Prevote,
    Precommit,
}

/// The height of a statement, relative to that of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum RelativeHeight {
    /// Kept for evidence that was not polled yet.
    Previous,
    Current,
    Next,
}

/// Whether a statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum VoteRole {
    Counted,
    /// It counts, and it contradicts an earlier one: one half of evidence that was not polled yet.
    Contradicted,
    /// A later one contradicts it, and it does not count: the other half.
    Contradicting,
}

impl PeerSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        id: ValidatorId([0; 32]),
        power: 0,
        height: 0,
        report_again_at: 0,
        round: None,
        is_behind: false,
        offended: false,
    };
}

impl VoteSlot {
    /// A free slot.
    pub const EMPTY: Self = Self {
        kind: VoteKind::Free,
        height: RelativeHeight::Current,
        role: VoteRole::Counted,
        is_due: false,
        round: 0,
        support: 0,
        digest: [0; 32],
        signature: [0; 64],
    };

    /// The slots that each validator needs: the proposal, prevote and precommit of the current round, the prevote of the
    /// round in which a value became valid, one of another round, and one contradiction.
    pub const PER_VALIDATOR: usize = 6;
}

impl core::fmt::Debug for VoteSlot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.kind == VoteKind::Free {
            return f.write_str("Free");
        }
        f.debug_struct("VoteSlot")
            .field("kind", &self.kind)
            .field("height", &self.height)
            .field("role", &self.role)
            .field("is_due", &self.is_due)
            .field("round", &self.round)
            .field("support", &self.support)
            .field("digest", &Hex(&self.digest))
            .field("signature", &Hex(&self.signature))
            .finish()
    }
}

impl<P, V> BftStorage for BftSlots<P, V>
where
    P: AsRef<[PeerSlot]> + AsMut<[PeerSlot]>,
    V: AsRef<[VoteSlot]> + AsMut<[VoteSlot]>,
{
    fn parts(&mut self) -> BftParts<'_> {
        BftParts { validators: self.validators.as_mut(), votes: self.votes.as_mut() }
    }

    fn parts_ref(&self) -> BftPartsRef<'_> {
        BftPartsRef { validators: self.validators.as_ref(), votes: self.votes.as_ref() }
    }
}

impl<S: BftStorage + ?Sized> BftStorage for &mut S {
    fn parts(&mut self) -> BftParts<'_> {
        S::parts(self)
    }

    fn parts_ref(&self) -> BftPartsRef<'_> {
        S::parts_ref(self)
    }
}

/// The capacities of a [`BftVec`].
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "one number for each region")]
pub struct BftLimits {
    /// The number of validators.
    pub validators: usize,
    /// The number of statements that are kept of each: at least [`VoteSlot::PER_VALIDATOR`].
    pub votes_per_validator: usize,
}

/// A [`BftStorage`] on the heap.
///
/// ```
/// use consensus::bft::{BftLimits, BftStorage, BftVec, VoteSlot};
///
/// let limits = BftLimits { validators: 4, votes_per_validator: VoteSlot::PER_VALIDATOR };
/// assert_eq!(BftVec::new(limits).parts().votes.len(), 24);
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BftVec {
    validators: Vec<PeerSlot>,
    votes: Vec<VoteSlot>,
}

#[cfg(feature = "alloc")]
impl BftVec {
    /// Allocates the storage.
    #[must_use]
    pub fn new(limits: BftLimits) -> Self {
        let votes = limits.validators.saturating_mul(limits.votes_per_validator);
        Self {
            validators: vec![PeerSlot::EMPTY; limits.validators],
            votes: vec![VoteSlot::EMPTY; votes],
        }
    }
}

#[cfg(feature = "alloc")]
impl BftStorage for BftVec {
    fn parts(&mut self) -> BftParts<'_> {
        BftParts { validators: &mut self.validators, votes: &mut self.votes }
    }

    fn parts_ref(&self) -> BftPartsRef<'_> {
        BftPartsRef { validators: &self.validators, votes: &self.votes }
    }
}
