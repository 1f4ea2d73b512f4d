//! Values of a connection in as few bytes as they need.

use core::net::SocketAddr;

use crate::block::Block;
use crate::compact::{CompactPeers, Family};
use crate::rng::mix;

/// The messages of the holepunch extension that are processed for one peer in a choking round, below 16: each makes
/// another peer dial.
pub(super) const HOLEPUNCH_BUDGET: u8 = 8;

/// Two numbers below 16: the allowed-fast messages to send, and the messages of the holepunch extension that are
/// processed in this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Small(u8);

impl Small {
    pub(super) const NEW: Self = Self(HOLEPUNCH_BUDGET << 4);

    pub(crate) const fn allowed_fast_due(self) -> u8 {
        self.0 & 0x0F
    }

    pub(crate) const fn set_allowed_fast_due(&mut self, count: u8) {
        self.0 = self.0 & 0xF0 | count & 0x0F;
    }

    pub(crate) const fn holepunch_budget(self) -> u8 {
        self.0 >> 4
    }

    pub(crate) const fn set_holepunch_budget(&mut self, budget: u8) {
        self.0 = self.0 & 0x0F | budget << 4;
    }
}

/// A sample of the blocks that were sent to a peer: the lowest of their keyed hashes. Each of them is as likely to be the
/// one, so a peer that requests all blocks again is found out, and one that repeats a few of many most likely not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentSample(u32);

impl SentSample {
    pub(super) const NONE: Self = Self(u32::MAX);

    /// Adds a block that is sent.
    pub(crate) fn insert(&mut self, seed: u64, block: Block) {
        self.0 = self.0.min(Self::hash(seed, block));
    }

    /// Returns whether the sample is this block.
    pub(crate) fn is(self, seed: u64, block: Block) -> bool {
        self != Self::NONE && self.0 == Self::hash(seed, block)
    }

    fn hash(seed: u64, block: Block) -> u32 {
        let place = u64::from(block.piece.0) << 32 | u64::from(block.begin);
        let [a, b, c, d, ..] = mix(mix(seed) ^ place).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// Where the peer listens, in compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    bytes: [u8; 18],
    kind: u8, // of V4, V6 and LISTENS; 0 without an address
}

impl Address {
    pub(super) const NONE: Self = Self { bytes: [0; 18], kind: 0 };
    const V4: u8 = 1;
    const V6: u8 = 2;
    const LISTENS: u8 = 4;

    pub(crate) fn new(addr: SocketAddr, listens: bool) -> Self {
        let mut bytes = [0; 18];
        let _ = CompactPeers::encode(addr, &mut bytes); // the longer form fits
        let family = if addr.is_ipv4() { Self::V4 } else { Self::V6 };
        Self { bytes, kind: family | if listens { Self::LISTENS } else { 0 } }
    }

    /// Returns whether the port is the one that the peer listens on.
    pub(crate) const fn listens(&self) -> bool {
        self.kind & Self::LISTENS != 0
    }

    pub(crate) fn socket(&self) -> Option<SocketAddr> {
        let family = match self.kind & !Self::LISTENS {
            Self::V4 => Family::V4,
            Self::V6 => Family::V6,
            _ => return None,
        };
        CompactPeers::new(family, self.bytes.get(..family.stride())?)?.nth(0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::block::PieceIndex;
    use std::vec::Vec;

    fn block(number: u32) -> Block {
        Block { piece: PieceIndex(3), begin: number * 16_384, len: 16_384 }
    }

    #[test]
    fn addresses_of_both_families_come_back() {
        for text in ["192.0.2.1:6881", "[2001:db8::7]:1", "255.255.255.255:65535"] {
            let addr = text.parse().unwrap();
            for listens in [true, false] {
                let stored = Address::new(addr, listens);
                assert_eq!((stored.socket(), stored.listens()), (Some(addr), listens));
            }
        }
        assert_eq!(Address::NONE.socket(), None);
        assert!(!Address::NONE.listens());
    }

    #[test]
    fn two_small_numbers_share_a_byte() {
        let mut small = Small::NEW;
        assert_eq!((small.allowed_fast_due(), small.holepunch_budget()), (0, 8));
        for (due, budget) in [(10, 7), (15, 0), (0, 15), (1, 8)] {
            small.set_allowed_fast_due(due);
            small.set_holepunch_budget(budget);
            assert_eq!((small.allowed_fast_due(), small.holepunch_budget()), (due, budget));
            small.set_allowed_fast_due(due);
            assert_eq!(small.holepunch_budget(), budget);
        }
    }

    /// A peer that requests all blocks again requests the sample too, whichever block that is.
    #[test]
    fn the_sample_is_one_of_the_blocks_that_were_sent() {
        let mut chosen = Vec::new();
        for seed in 0..40 {
            let mut sample = SentSample::NONE;
            assert!(!sample.is(seed, block(0)), "nothing was sent");
            sample.insert(seed, block(0));
            assert!(sample.is(seed, block(0)));
            assert!(!sample.is(seed, block(1)));
            assert!(!sample.is(seed, Block { piece: PieceIndex(0), ..block(0) }));
            assert!(!sample.is(seed + 1, block(0)), "the hash is keyed");
            (1..8).for_each(|number| sample.insert(seed, block(number)));
            let of: Vec<u32> = (0..8).filter(|number| sample.is(seed, block(*number))).collect();
            assert_eq!(of.len(), 1);
            chosen.extend(of);
        }
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 8, "each is as likely");
    }
}
