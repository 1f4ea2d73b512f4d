//! The engine: which headers count, and how much.

use core::cmp::Ordering;
use core::fmt;

use thiserror::Error;

use crate::hash::{BlockId, GenesisId, Hash};
use crate::header::{Header, Height};
use crate::state::Effects;

/// How much a block, or a chain of blocks, counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct Weight(pub u128);

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "engines and tests build one")]
pub struct Tip {
    /// The height of the last block.
    pub height: Height,
    /// The id of the last block.
    pub id: BlockId,
    /// The time of the last block, in Unix seconds.
    pub time: u64,
    /// The root of the state after the last block.
    pub state: Hash,
    /// The weight of all blocks together.
    pub weight: Weight,
}

/// The branch that a header continues.
pub trait Ancestry {
    /// Returns the chain.
    fn genesis(&self) -> &GenesisId;
    /// Returns the parent of the header.
    fn tip(&self) -> &Tip;
    /// Returns the median of the times of the last eleven blocks, in Unix seconds (BIP 113). A header's time is later.
    fn median_time(&self) -> u64;
}

/// Why something is refused, and whose fault that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a driver decides by it whom to ban")]
pub enum Refused<E> {
    /// It can never be valid: the fault of the node that made or relayed it.
    #[error("{0}")]
    Invalid(E),
    /// It is too early. Nobody's fault; offer it again then.
    #[error("not valid before second {at}")]
    NotYet {
        /// The Unix second from which on it may be valid.
        at: u64,
    },
    /// The block it follows is unknown here. Nobody's fault; get that one first.
    #[error("its parent {parent:.16} is unknown")]
    Orphan {
        /// The parent.
        parent: BlockId,
    },
    /// It needs more memory than this node has provided. This node's limit.
    #[error("no room: all {capacity} slots are in use")]
    NoRoom {
        /// The number of slots.
        capacity: usize,
    },
}

/// Decides which headers count, and how much. `pow` and `consensus` implement it behind their feature `ledger`: work,
/// stake, authority.
///
/// An engine is part of the chain's state: it is cloned to check a branch, and moves on with each block.
///
/// ```
/// use core::convert::Infallible;
/// use ledger_core::{Ancestry, Effects, Engine, Hash, Header, Refused, Weight};
///
/// /// Accepts every block that is not of the future: for tests and for a board with one writer.
/// #[derive(Clone)]
/// struct Open;
///
/// impl Engine for Open {
///     type Error = Infallible;
///
///     fn digest(&self) -> Hash {
///         Hash::of(b"open")
///     }
///
///     fn check(
///         &self,
///         _: &dyn Ancestry,
///         header: &Header,
///         _: &[u8],
///         now: u64,
///     ) -> Result<Weight, Refused<Infallible>> {
///         if header.time > now { Err(Refused::NotYet { at: header.time }) } else { Ok(Weight(1)) }
///     }
/// }
/// ```
pub trait Engine: Clone {
    /// Why a header never counts.
    type Error: Copy + PartialEq + core::error::Error;

    /// Returns a hash of the name, version and parameters, such as the first validators. It is part of the genesis id,
    /// so that nodes with different engines have different chains. It is that of block 0 whatever headers were applied: a
    /// node that [resumes](crate::node::Node::resume) has an engine that went on.
    fn digest(&self) -> Hash;

    /// Checks a header whose parent is the last one applied, and returns how much it counts. `now` is the clock in Unix
    /// seconds; how far a header may be ahead of it is the engine's rule.
    ///
    /// The id does not cover the proof: of two proofs that are accepted, nodes have the one or the other. So how much a header
    /// counts must follow from the branch and the header alone.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it does not count, or not yet.
    fn check(
        &self,
        branch: &dyn Ancestry,
        header: &Header,
        proof: &[u8],
        now: u64,
    ) -> Result<Weight, Refused<Self::Error>>;

    /// Moves on to a header that was checked. `effects` say what its transactions put before the engine.
    fn apply(&mut self, header: &Header, effects: &Effects) {
        let _ = (header, effects);
    }

    /// Returns whether [`check`](Self::check) depends on the effects of the blocks before. Then a header that is refused as
    /// invalid is [`Refused::NotYet`] to a node that has not executed all blocks before it, and headers alone cannot be
    /// [followed](crate::node::HeaderFollower) past a block with effects.
    fn depends_on_effects(&self) -> bool {
        false
    }

    /// Returns which of two branches is better: the heavier one. `Equal` keeps the one that came first.
    fn prefer(&self, ours: &Tip, theirs: &Tip) -> Ordering {
        ours.weight.cmp(&theirs.weight)
    }

    /// Returns the height up to which blocks are final, if the engine knows finality.
    fn finalized(&self) -> Option<Height> {
        None
    }
}

impl Weight {
    /// Adds, and stays at the greatest weight instead of overflowing.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl<E> Refused<E> {
    /// Converts the error of [`Refused::Invalid`].
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> Refused<F> {
        match self {
            Self::Invalid(error) => Refused::Invalid(convert(error)),
            Self::NotYet { at } => Refused::NotYet { at },
            Self::Orphan { parent } => Refused::Orphan { parent },
            Self::NoRoom { capacity } => Refused::NoRoom { capacity },
        }
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weight {}", self.0)
    }
}
