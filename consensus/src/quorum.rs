//! Quorums: how much weight decides. The rule is a type, since protocols differ by one vote.

use core::fmt;
use core::marker::PhantomData;

/// How much of the total weight decides.
///
/// ```
/// use consensus::quorum::{OverHalf, OverTwoThirds, Quorum, TwoThirds};
///
/// assert!(TwoThirds::is_reached(6, 9));
/// assert!(!OverTwoThirds::is_reached(6, 9));
/// assert!(OverHalf::is_reached(5, 9));
/// ```
pub trait Quorum {
    /// Returns whether `weight` of `total` decides. Never for a total of 0.
    fn is_reached(weight: u64, total: u64) -> bool;
}

/// More than two thirds: Tendermint, CometBFT.
#[expect(clippy::exhaustive_structs, reason = "a rule without parameters")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverTwoThirds;

/// At least two thirds: Casper FFG.
#[expect(clippy::exhaustive_structs, reason = "a rule without parameters")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TwoThirds;

/// More than half: Clique, Aura.
#[expect(clippy::exhaustive_structs, reason = "a rule without parameters")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverHalf;

/// More than one third: at least one of these validators is honest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OverThird;

/// A weight that is added up until it decides. The caller adds each validator once.
///
/// ```
/// use consensus::quorum::{OverTwoThirds, Tally, TwoThirds};
///
/// // Exactly two thirds are enough for Casper FFG, and not for Tendermint.
/// let mut ffg = Tally::<TwoThirds>::new(9);
/// let mut bft = Tally::<OverTwoThirds>::new(9);
/// ffg.add(6);
/// bft.add(6);
/// assert!(ffg.is_decided() && !bft.is_decided());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally<Q> {
    weight: u64,
    total: u64,
    rule: PhantomData<Q>,
}

impl<Q: Quorum> Tally<Q> {
    /// Starts at 0 of `total`.
    #[must_use]
    pub const fn new(total: u64) -> Self {
        Self { weight: 0, total, rule: PhantomData }
    }

    /// Adds the weight of a validator.
    pub const fn add(&mut self, weight: u64) {
        self.weight = self.weight.saturating_add(weight);
    }

    /// Returns the weight so far.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.weight
    }

    /// Returns whether the weight decides.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        Q::is_reached(self.weight, self.total)
    }
}

impl Quorum for OverTwoThirds {
    fn is_reached(weight: u64, total: u64) -> bool {
        total > 0 && times(weight, 3) > times(total, 2)
    }
}

impl Quorum for TwoThirds {
    fn is_reached(weight: u64, total: u64) -> bool {
        total > 0 && times(weight, 3) >= times(total, 2)
    }
}

impl Quorum for OverHalf {
    fn is_reached(weight: u64, total: u64) -> bool {
        total > 0 && times(weight, 2) > u128::from(total)
    }
}

impl Quorum for OverThird {
    fn is_reached(weight: u64, total: u64) -> bool {
        total > 0 && times(weight, 3) > u128::from(total)
    }
}

fn times(weight: u64, factor: u8) -> u128 {
    u128::from(weight).saturating_mul(u128::from(factor))
}

impl<Q: Quorum> fmt::Display for Tally<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_decided() { "decides" } else { "does not decide" };
        write!(f, "{} of {} {verdict}", self.weight, self.total)
    }
}
