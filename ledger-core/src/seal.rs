//! The seal: why a block counts, and how much.

use core::fmt;

use crate::{Block, Header, Tip};

/// How much a block, or a chain of blocks, counts. The heaviest chain is the valid one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(pub u128);

impl Weight {
    /// Adds, and stays at the greatest weight rather than overflow.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weight {}", self.0)
    }
}

/// Decides whether a sealed header counts: by work, by stake, by authority, or by a rule of your own.
///
/// A ledger does not care how agreement comes about. `pow` and `consensus` implement this trait behind
/// their feature `ledger`; a chain that changes its rule at a height dispatches on
/// [`Header::height`] to several.
///
/// ```
/// use core::convert::Infallible;
/// use ledger_core::{Header, Seal, SealKind, Tip, Weight};
///
/// /// Accepts every block: for tests and for a board with one writer.
/// struct Unsealed;
///
/// impl Seal for Unsealed {
///     type Error = Infallible;
///     fn weigh(&self, _: &Tip, _: &Header, _: &[u8]) -> Result<Weight, Infallible> {
///         Ok(Weight(1))
///     }
/// }
/// ```
pub trait Seal {
    /// Why a seal is refused.
    type Error: Copy + PartialEq + core::error::Error;

    /// Returns the weight that a block with this header and these seal bytes adds to a chain that ends
    /// in `parent`. The seal's kind is in the header.
    ///
    /// # Errors
    ///
    /// The reason why the seal does not count.
    fn weigh(&self, parent: &Tip, header: &Header, seal: &[u8]) -> Result<Weight, Self::Error>;

    /// Hears that the block was appended, for rules that look at earlier blocks or at what they record,
    /// such as evidence against a validator.
    fn appended(&mut self, block: &Block<'_>) {
        let _ = block;
    }
}
