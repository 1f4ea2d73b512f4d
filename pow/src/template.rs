//! More candidates than a four-byte nonce has values: the extra-nonce in the coinbase, and the time stamp.

use core::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use crate::compact::CompactError;
use crate::header::Header;
use crate::miner::Miner;
use crate::nonces::Step;
use crate::puzzle::{NonceField, NonceFormat, Puzzle, PuzzleError};
use crate::target::{LittleEndian, Target};

/// All nonces of a header.
const ALL: RangeInclusive<u64> = 0..=0xffff_ffff;

/// A coinbase transaction with an extra-nonce field, and the Merkle branch from it to the root of a block.
/// With these two the Merkle root changes without access to the other transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coinbase<'a> {
    before: &'a [u8],
    after: &'a [u8],
    format: NonceFormat,
    branch: &'a [[u8; 32]],
}

/// Searches nonce and extra-nonce of a Bitcoin header, in slices like [`Miner`]. When the nonces are used up
/// the next extra-nonce gives a new Merkle root.
///
/// ```
/// use pow::template::{Coinbase, HeaderMiner, HeaderStep};
/// use pow::{CompactTarget, Header, NonceField, NonceFormat};
///
/// let field = NonceField { offset: 4, format: NonceFormat::U32Le };
/// let coinbase = Coinbase::new(b"mine____", field, &[])?; // the only transaction of the block
/// let header = Header { bits: CompactTarget(0x207f_ffff), ..Header::default() };
/// let mut miner = HeaderMiner::new(header, coinbase, 0..=9)?;
/// let solution = loop {
///     if let HeaderStep::Found(solution) = miner.step(100) {
///         break solution;
///     }
/// };
/// assert!(solution.header.has_valid_work());
/// assert_eq!(solution.header.merkle_root, coinbase.merkle_root(solution.extra_nonce));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderMiner<'a> {
    header: Header,
    coinbase: Coinbase<'a>,
    extra_nonce: u64,
    last_extra_nonce: u64,
    miner: Miner<LittleEndian>,
}

/// A header that meets the target, and the extra-nonce of its Merkle root.
#[expect(clippy::exhaustive_structs, reason = "a solution is a header and an extra-nonce")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solution {
    /// The complete header.
    pub header: Header,
    /// The extra-nonce in the coinbase.
    pub extra_nonce: u64,
}

/// Result of one slice of the search.
#[expect(clippy::exhaustive_enums, reason = "a slice ends in one of these ways")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderStep {
    /// This header meets the target. Further steps look for the next one.
    Found(Solution),
    /// All nonces were tried with all extra-nonces. Another [time](HeaderMiner::set_time) gives more.
    Exhausted,
    /// The slice is used up; candidates remain.
    Working,
}

impl<'a> Coinbase<'a> {
    /// Creates a coinbase from a serialised transaction (without witness data, as hashed for its id), the
    /// position of the extra-nonce in it, and the Merkle branch: the sibling hashes from the bottom up, each
    /// as in the digest. The coinbase is the first transaction, so that all siblings are on the right.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::OutsideOfMessage`] if the extra-nonce does not lie within the transaction.
    pub fn new(
        transaction: &'a [u8],
        extra_nonce: NonceField,
        branch: &'a [[u8; 32]],
    ) -> Result<Self, PuzzleError> {
        let NonceField { offset, format } = extra_nonce;
        let end = offset.saturating_add(format.width());
        let outside = PuzzleError::OutsideOfMessage { end, len: transaction.len() };
        let before = transaction.get(..offset).ok_or(outside)?;
        let after = transaction.get(end..).ok_or(outside)?;
        Ok(Self { before, after, format, branch })
    }

    /// Returns the Merkle root, as in the digest, with this extra-nonce. A four-byte extra-nonce is the low 32
    /// bits.
    #[must_use]
    pub fn merkle_root(&self, extra_nonce: u64) -> [u8; 32] {
        let (bytes, width) = self.format.write(extra_nonce);
        let transaction = Sha256::new_with_prefix(self.before)
            .chain_update(bytes.get(..width).unwrap_or_default())
            .chain_update(self.after);
        let id = Sha256::digest(transaction.finalize());
        let root = self.branch.iter().fold(id, |left, right| {
            Sha256::digest(Sha256::new_with_prefix(left).chain_update(right).finalize())
        });
        root.into()
    }
}

impl<'a> HeaderMiner<'a> {
    /// Starts a search for the target that the header claims. Its nonce and Merkle root are ignored.
    /// Extra-nonces that do not fit the field are left out.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if the target of the header is invalid.
    pub fn new(
        header: Header,
        coinbase: Coinbase<'a>,
        extra_nonces: RangeInclusive<u64>,
    ) -> Result<Self, CompactError> {
        let target = header.bits.to_target()?;
        Ok(Self::with_target(header, coinbase, extra_nonces, target))
    }

    /// Starts a search for another target, such as that of a share in a pool.
    #[must_use]
    pub fn with_target(
        mut header: Header,
        coinbase: Coinbase<'a>,
        extra_nonces: RangeInclusive<u64>,
        target: Target,
    ) -> Self {
        let (extra_nonce, last) = extra_nonces.into_inner();
        let last_extra_nonce = last.min(coinbase.format.max());
        header.merkle_root = coinbase.merkle_root(extra_nonce);
        let mut miner = Miner::new(Puzzle::of_header(&header), target, ALL);
        if extra_nonce > last_extra_nonce {
            miner.cancel();
        }
        Self { header, coinbase, extra_nonce, last_extra_nonce, miner }
    }

    /// Tries up to `hashes` nonces. 0 changes nothing.
    pub fn step(&mut self, hashes: u32) -> HeaderStep {
        let end = self.miner.tried().saturating_add(u64::from(hashes));
        loop {
            let left = u32::try_from(end.saturating_sub(self.miner.tried())).unwrap_or(hashes);
            match self.miner.step(left) {
                Step::Found(nonce) => {
                    let nonce = u32::try_from(nonce).unwrap_or(u32::MAX);
                    let header = Header { nonce, ..self.header };
                    return HeaderStep::Found(Solution { header, extra_nonce: self.extra_nonce });
                }
                Step::Working => return HeaderStep::Working,
                Step::Exhausted if !self.next_extra_nonce() => return HeaderStep::Exhausted,
                Step::Exhausted if self.miner.tried() >= end => return HeaderStep::Working,
                Step::Exhausted => {}
            }
        }
    }

    /// Sets the time stamp, in Unix seconds. The nonces restart with the same extra-nonce, so that an exhausted
    /// search repeats its last extra-nonce. The same time stamp changes nothing.
    pub fn set_time(&mut self, time: u32) {
        if time != self.header.time && self.extra_nonce <= self.last_extra_nonce {
            self.header.time = time;
            self.miner.restart(Puzzle::of_header(&self.header), ALL);
        }
    }

    /// Returns the number of hashes over all extra-nonces and time stamps.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        self.miner.tried()
    }

    /// Returns the current extra-nonce.
    #[must_use]
    pub const fn extra_nonce(&self) -> u64 {
        self.extra_nonce
    }

    /// Switches to the next extra-nonce and returns whether there is one.
    fn next_extra_nonce(&mut self) -> bool {
        if self.extra_nonce >= self.last_extra_nonce {
            return false;
        }
        self.extra_nonce = self.extra_nonce.saturating_add(1);
        self.header.merkle_root = self.coinbase.merkle_root(self.extra_nonce);
        self.miner.restart(Puzzle::of_header(&self.header), ALL);
        true
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::CompactTarget;

    /// A search of which only the last 100 nonces are left under the first of two extra-nonces, and no digest meets the
    /// target.
    fn near_the_end() -> HeaderMiner<'static> {
        let field = NonceField { offset: 4, format: NonceFormat::U32Le };
        let coinbase = Coinbase::new(b"mine____", field, &[]).expect("it lies within");
        let header = Header { bits: CompactTarget(0x0100_0000), ..Header::default() };
        let target = Target::from_zero_bits(256);
        let mut miner = HeaderMiner::with_target(header, coinbase, 6..=7, target);
        let last = 0xffff_ffff - 99..=0xffff_ffff;
        miner.miner.restart(Puzzle::of_header(&miner.header), last);
        miner
    }

    #[test]
    fn the_next_extra_nonce_follows_the_last_nonce() {
        let mut miner = near_the_end();
        assert_eq!(miner.step(99), HeaderStep::Working);
        assert_eq!((miner.extra_nonce(), miner.tried()), (6, 99));
        assert_eq!(miner.step(51), HeaderStep::Working);
        assert_eq!((miner.extra_nonce(), miner.tried()), (7, 150));
        assert_eq!(miner.miner.remaining(), Some(50..=0xffff_ffff));
        assert_eq!(miner.header.merkle_root, miner.coinbase.merkle_root(7));
        // The last nonces of the last extra-nonce.
        let last = 0xffff_ffff - 9..=0xffff_ffff;
        miner.miner.restart(Puzzle::of_header(&miner.header), last);
        assert_eq!(miner.step(11), HeaderStep::Exhausted);
        assert_eq!((miner.extra_nonce(), miner.tried()), (7, 160));
        // Another time stamp gives all nonces once more; the same one does not.
        miner.set_time(0);
        assert_eq!(miner.step(1), HeaderStep::Exhausted);
        miner.set_time(1);
        assert_eq!(miner.step(20), HeaderStep::Working);
        assert_eq!(miner.miner.remaining(), Some(20..=0xffff_ffff));
    }

    /// A slice that ends with the last nonce of an extra-nonce makes no more hashes than it may.
    #[test]
    fn a_slice_that_uses_up_an_extra_nonce_is_over() {
        let mut miner = near_the_end();
        assert_eq!(miner.step(100), HeaderStep::Working);
        assert_eq!((miner.extra_nonce(), miner.tried()), (7, 100));
    }

    #[test]
    fn extra_nonces_beyond_the_field_are_left_out() {
        let field = NonceField { offset: 0, format: NonceFormat::U32Le };
        let coinbase = Coinbase::new(b"____", field, &[]).expect("it lies within");
        let header = Header { bits: CompactTarget::REGTEST_LIMIT, ..Header::default() };
        let first = 1 << 32;
        let mut none = HeaderMiner::new(header, coinbase, first..=u64::MAX).expect("a target");
        assert_eq!(none.step(9), HeaderStep::Exhausted);
        none.set_time(5);
        assert_eq!(none.step(9), HeaderStep::Exhausted, "no time stamp gives an extra-nonce");
        let miner = HeaderMiner::new(header, coinbase, 3..=u64::MAX).expect("a target");
        assert_eq!(miner.last_extra_nonce, 0xffff_ffff);
        let zero = Header::default();
        assert!(HeaderMiner::new(zero, coinbase, 0..=1).is_err(), "a target of 0");
    }
}
