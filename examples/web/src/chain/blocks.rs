//! The five blocks of the demonstration that many classes know (Anders Brownworth): the hash of a block is the SHA-256
//! of number, nonce, data and previous hash as one text, and a block is mined when it begins with four hexadecimal zeros.

use ledger_core::Hash;
use pow::{BigEndian, Target};

use crate::Json;

/// Four hexadecimal zeros.
const BITS: u32 = 16;
/// A nonce beyond this is not searched for: one of 65,536 is right on average.
const MOST: u64 = 10_000_000;

/// The blocks, from number 1 on.
pub(super) struct Blocks(Vec<Block>);

#[derive(Clone, Default)]
struct Block {
    nonce: u64,
    data: String,
}

/// A block and what follows from those before it.
struct Row<'a> {
    number: usize,
    block: &'a Block,
    previous: String,
    hash: Hash,
}

impl Row<'_> {
    fn is_mined(&self) -> bool {
        Target::from_zero_bits(BITS).is_met_by::<BigEndian>(self.hash.as_bytes())
    }
}

fn hash(number: usize, nonce: u64, data: &str, previous: &str) -> Hash {
    Hash::of(format!("{number}{nonce}{data}{previous}").as_bytes())
}

impl Blocks {
    pub(super) fn mined() -> Self {
        let mut blocks = Self(vec![Block::default(); 5]);
        for number in 1..=5 {
            let _ = blocks.mine(number); // there is a nonce for each, see the test
        }
        blocks
    }

    pub(super) fn hashes(&self) -> Vec<(u64, String)> {
        self.rows().map(|row| (row.block.nonce, row.hash.to_string())).collect()
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.iter().zip(1..).scan("0".repeat(64), |previous, (block, number)| {
            let hash = hash(number, block.nonce, &block.data, previous);
            let previous = core::mem::replace(previous, hash.to_string());
            Some(Row { number, block, previous, hash })
        })
    }

    fn block(&mut self, number: usize) -> Result<&mut Block, String> {
        let block = number.checked_sub(1).and_then(|at| self.0.get_mut(at));
        block.ok_or_else(|| format!("there is no block {number}"))
    }

    pub(super) fn set_data(&mut self, number: usize, data: String) -> Result<String, String> {
        self.block(number)?.data = data;
        Ok(format!("block {number} has other data: its hash and all that follow are others"))
    }

    pub(super) fn set_nonce(&mut self, number: usize, nonce: u64) -> Result<String, String> {
        self.block(number)?.nonce = nonce;
        Ok(format!("block {number} has nonce {nonce}"))
    }

    /// Finds the lowest nonce that mines a block.
    pub(super) fn mine(&mut self, number: usize) -> Result<String, String> {
        let data = self.block(number)?.data.clone();
        let row = self.rows().nth(number - 1).ok_or("there is no such block")?;
        let target = Target::from_zero_bits(BITS);
        let counts = |nonce: &u64| {
            target.is_met_by::<BigEndian>(hash(number, *nonce, &data, &row.previous).as_bytes())
        };
        let nonce = (1..MOST).find(counts).ok_or("no nonce below 10 million counts")?;
        self.block(number)?.nonce = nonce;
        Ok(format!("block {number} is mined: nonce {nonce} after {nonce} hashes"))
    }

    /// A block is valid if it and all before it are mined.
    pub(super) fn view(&self) -> Json {
        let mut valid = true;
        Json::list(self.rows().map(|row| {
            valid &= row.is_mined();
            Json::object([
                ("number", row.number.into()),
                ("nonce", row.block.nonce.into()),
                ("data", row.block.data.as_str().into()),
                ("previous", row.previous.as_str().into()),
                ("hash", row.hash.to_string().into()),
                ("mined", row.is_mined().into()),
                ("valid", valid.into()),
            ])
        }))
    }
}
