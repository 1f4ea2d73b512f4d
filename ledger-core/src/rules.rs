//! The numbers that all nodes of a chain share.

/// What every node of a chain must agree on. Changing one of them makes another chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Coins that the author of a block receives at first. 0 makes a chain without new coins.
    pub subsidy: u64,
    /// After this many blocks the subsidy is halved, again and again; 0 means never.
    pub halving_interval: u64,
    /// How far a block's time may lie ahead of the receiver's clock, in seconds. Larger values
    /// forgive bad clocks, smaller ones leave an author less room to lie.
    pub drift: u64,
    /// The most bytes of a block. Choose it so that one fits the receiver's buffer.
    pub max_block_len: usize,
}

impl Rules {
    /// No new coins, two hours of drift, blocks of up to 1 MiB.
    pub const DEFAULT: Self =
        Self { subsidy: 0, halving_interval: 0, drift: 7200, max_block_len: 1 << 20 };

    /// Bitcoin's schedule in satoshi: 50 coins of 10^8, halved every 210,000 blocks.
    pub const BITCOIN_SUPPLY: Self =
        Self { subsidy: 5_000_000_000, halving_interval: 210_000, ..Self::DEFAULT };

    /// Returns the coins that the author of the block at `height` may create.
    ///
    /// The subsidy shifts right once per interval and is 0 from the 64th halving on.
    #[must_use]
    pub fn subsidy_at(&self, height: u64) -> u64 {
        let Some(era) = height.checked_div(self.halving_interval) else { return self.subsidy };
        u32::try_from(era).ok().and_then(|era| self.subsidy.checked_shr(era)).unwrap_or(0)
    }

    /// Returns the coins created by all blocks below `height`, or `None` above 2^64 - 1.
    #[must_use]
    pub fn supply_before(&self, height: u64) -> Option<u64> {
        if self.halving_interval == 0 {
            return self.subsidy.checked_mul(height);
        }
        let mut supply = 0_u64;
        let mut from = 0_u64;
        while from < height && self.subsidy_at(from) > 0 {
            let blocks = self.halving_interval.min(height.saturating_sub(from));
            supply = supply.checked_add(self.subsidy_at(from).checked_mul(blocks)?)?;
            from = from.saturating_add(self.halving_interval);
        }
        Some(supply)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::DEFAULT
    }
}
