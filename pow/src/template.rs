//! More headers than a nonce of four bytes has values: the extra-nonce in the coinbase, and the time stamp.

use core::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use crate::{
    CompactError, Header, LittleEndian, Miner, NonceField, NonceFormat, Puzzle, PuzzleError, Step,
    Target,
};

const ALL: RangeInclusive<u64> = 0..=0xffff_ffff; // what a nonce of four bytes can be

/// A coinbase transaction with room for an extra-nonce, and the branch that leads from it to the Merkle root
/// of a block: all that changes the header without a look at the other transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coinbase<'a> {
    before: &'a [u8],
    after: &'a [u8],
    format: NonceFormat,
    branch: &'a [[u8; 32]],
}

/// Searches a Bitcoin header of which nonce and extra-nonce may be chosen, in slices like [`Miner`]. Each
/// time the nonces are used up the next extra-nonce makes a new Merkle root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderMiner<'a> {
    header: Header,
    coinbase: Coinbase<'a>,
    extra_nonce: u64,
    last_extra_nonce: u64,
    miner: Miner<LittleEndian>,
}

/// A header that counts, and the extra-nonce that its Merkle root takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solution {
    /// The header, complete.
    pub header: Header,
    /// What stands in the coinbase.
    pub extra_nonce: u64,
}

/// What a slice of the search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderStep {
    /// This header counts. Further steps look for the next one.
    Found(Solution),
    /// All nonces were tried with all extra-nonces; another [time](HeaderMiner::set_time) gives more.
    Exhausted,
    /// The slice is used up; there is more to try.
    Working,
}

impl<'a> Coinbase<'a> {
    /// Takes a serialised transaction (without witness data: what its id is the hash of), where the
    /// extra-nonce stands in it, and the hashes beside the path to the root, from the bottom up, each as in
    /// the digest. The coinbase is the first transaction, so all of them stand on the right.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::OutsideOfMessage`] if the extra-nonce does not lie within the transaction.
    pub fn new(
        transaction: &'a [u8],
        extra_nonce: NonceField,
        branch: &'a [[u8; 32]],
    ) -> Result<Self, PuzzleError> {
        let (offset, format) = (extra_nonce.offset, extra_nonce.format);
        let end = offset.saturating_add(format.width());
        let outside = PuzzleError::OutsideOfMessage { end, len: transaction.len() };
        let before = transaction.get(..offset).ok_or(outside)?;
        let after = transaction.get(end..).ok_or(outside)?;
        Ok(Self { before, after, format, branch })
    }

    /// Returns the Merkle root, as in the digest, with this extra-nonce; of one of four bytes the low 32 bits
    /// count.
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
    /// Begins a search for what the header itself claims; its nonce and Merkle root do not matter. What the
    /// field in the coinbase cannot hold is left out.
    ///
    /// # Errors
    ///
    /// [`CompactError`] if the header claims what is no target.
    pub fn new(
        header: Header,
        coinbase: Coinbase<'a>,
        extra_nonces: RangeInclusive<u64>,
    ) -> Result<Self, CompactError> {
        let target = header.bits.to_target()?;
        Ok(Self::with_target(header, coinbase, extra_nonces, target))
    }

    /// The same for another target, such as that of a share in a pool.
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
                Step::Exhausted if !self.roll() => return HeaderStep::Exhausted,
                Step::Exhausted if self.miner.tried() >= end => return HeaderStep::Working,
                Step::Exhausted => {}
            }
        }
    }

    /// Rolls the time stamp, in Unix seconds: the nonces begin anew under the same extra-nonce, which gives
    /// an exhausted search its last round once more. The same time stamp changes nothing.
    pub fn set_time(&mut self, time: u32) {
        if time != self.header.time && self.extra_nonce <= self.last_extra_nonce {
            self.header.time = time;
            self.miner.turn_to(Puzzle::of_header(&self.header), ALL);
        }
    }

    /// Returns how many hashes were tried, over all extra-nonces and time stamps.
    #[must_use]
    pub const fn tried(&self) -> u64 {
        self.miner.tried()
    }

    /// Returns the extra-nonce that is being tried.
    #[must_use]
    pub const fn extra_nonce(&self) -> u64 {
        self.extra_nonce
    }

    /// Turns to the next extra-nonce, if there is one.
    fn roll(&mut self) -> bool {
        if self.extra_nonce >= self.last_extra_nonce {
            return false;
        }
        self.extra_nonce = self.extra_nonce.saturating_add(1);
        self.header.merkle_root = self.coinbase.merkle_root(self.extra_nonce);
        self.miner.turn_to(Puzzle::of_header(&self.header), ALL);
        true
    }
}
