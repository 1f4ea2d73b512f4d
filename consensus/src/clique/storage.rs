//! The memory of a Clique chain.

use crate::id::ValidatorId;

/// Storage of a [`Clique`](super::Clique): three regions of caller-provided memory.
pub trait CliqueStorage {
    /// Borrows all regions.
    fn parts(&mut self) -> CliqueParts<'_>;

    /// Borrows all regions, shared.
    fn parts_ref(&self) -> CliquePartsRef<'_>;
}

/// The regions of a [`CliqueStorage`]. Needed to implement the trait for other memory.
#[expect(clippy::exhaustive_structs, reason = "implementations of `CliqueStorage` construct it")]
#[derive(Debug, PartialEq, Eq)]
pub struct CliqueParts<'a> {
    /// One slot for each authority.
    pub signers: &'a mut [SignerSlot],
    /// Half as many, rounded down, and one more.
    pub recents: &'a mut [RecentSlot],
    /// One slot for each vote that all authorities may have open together.
    pub votes: &'a mut [CandidateSlot],
}

/// The regions of a [`CliqueStorage`], shared. Needed to implement the trait for other memory.
#[expect(clippy::exhaustive_structs, reason = "implementations of `CliqueStorage` construct it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CliquePartsRef<'a> {
    /// The authorities.
    pub signers: &'a [SignerSlot],
    /// The latest signatures.
    pub recents: &'a [RecentSlot],
    /// The open votes.
    pub votes: &'a [CandidateSlot],
}

/// A [`CliqueStorage`] of arrays, slices, boxes or vectors.
///
/// ```
/// use consensus::clique::{CandidateSlot, CliqueSlots, CliqueStorage, RecentSlot, SignerSlot};
///
/// // At most four authorities.
/// let mut storage = CliqueSlots {
///     signers: [SignerSlot::EMPTY; 4],
///     recents: [RecentSlot::EMPTY; 3],
///     votes: [CandidateSlot::EMPTY; 16],
/// };
/// assert_eq!(storage.parts().recents.len(), 3);
/// ```
#[expect(clippy::exhaustive_structs, reason = "the caller constructs it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CliqueSlots<G, R, V> {
    /// One slot for each authority.
    pub signers: G,
    /// Half as many, rounded down, and one more.
    pub recents: R,
    /// One slot for each vote that all authorities may have open together.
    pub votes: V,
}

/// Storage for one authority: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerSlot(pub(super) ValidatorId);

/// Storage for one recent signature: 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentSlot(pub(super) Option<(u64, ValidatorId)>);

/// Storage for one open vote: 65 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateSlot(pub(super) Option<OpenVote>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenVote {
    pub(super) signer: ValidatorId,
    pub(super) target: ValidatorId,
}

impl SignerSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(ValidatorId([0; 32]));
}

impl RecentSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl CandidateSlot {
    /// A free slot.
    pub const EMPTY: Self = Self(None);
}

impl<G, R, V> CliqueStorage for CliqueSlots<G, R, V>
where
    G: AsRef<[SignerSlot]> + AsMut<[SignerSlot]>,
    R: AsRef<[RecentSlot]> + AsMut<[RecentSlot]>,
    V: AsRef<[CandidateSlot]> + AsMut<[CandidateSlot]>,
{
    fn parts(&mut self) -> CliqueParts<'_> {
        CliqueParts {
            signers: self.signers.as_mut(),
            recents: self.recents.as_mut(),
            votes: self.votes.as_mut(),
        }
    }

    fn parts_ref(&self) -> CliquePartsRef<'_> {
        CliquePartsRef {
            signers: self.signers.as_ref(),
            recents: self.recents.as_ref(),
            votes: self.votes.as_ref(),
        }
    }
}

impl<S: CliqueStorage + ?Sized> CliqueStorage for &mut S {
    fn parts(&mut self) -> CliqueParts<'_> {
        S::parts(self)
    }

    fn parts_ref(&self) -> CliquePartsRef<'_> {
        S::parts_ref(self)
    }
}
