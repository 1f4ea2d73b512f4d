//! The probability that an attacker of a chain of work catches up after some confirmations: two formulas, and the race itself,
//! block by block.

use sim::Rng;

/// An attacker that is so far behind that catching up has less than this chance gives up.
const HOPELESS: f64 = 1e-6;

/// Nakamoto's (whitepaper of Bitcoin, section 11): while the honest find `z` blocks the attacker finds a number
/// with the Poisson distribution, as if that took just the time it takes on average.
#[must_use]
pub fn nakamoto(q: f64, z: u32) -> f64 {
    let ratio = q / (1.0 - q);
    let lambda = f64::from(z) * ratio;
    let mut poisson = (-lambda).exp();
    let mut sum = 0.0;
    for k in 0..=z {
        sum += poisson * (1.0 - ratio.powi((z - k) as i32));
        poisson *= lambda / f64::from(k + 1);
    }
    (1.0 - sum).clamp(0.0, 1.0)
}

/// The exact one (Rosenfeld, "Analysis of hashrate-based double spending", 2012, without the block that his
/// attacker has found beforehand): that number has the negative binomial distribution.
#[must_use]
pub fn exact(q: f64, z: u32) -> f64 {
    let ratio = q / (1.0 - q);
    let mut binomial = (1.0 - q).powi(z as i32);
    let mut sum = 0.0;
    for k in 0..=z {
        sum += binomial * (1.0 - ratio.powi((z - k) as i32));
        binomial *= q * f64::from(z + k) / f64::from(k + 1);
    }
    (1.0 - sum).clamp(0.0, 1.0)
}

/// Runs races and returns the share in which the attacker has caught up.
pub fn caught_up(rng: &mut Rng, q: f64, z: u32, races: u32) -> f64 {
    let hopeless = (HOPELESS.ln() / (q / (1.0 - q)).ln()).ceil() as i64;
    let won = (0..races).filter(|_| race(rng, q, z, hopeless)).count();
    won as f64 / f64::from(races)
}

/// Each block is the attacker's with probability `q`. After `z` blocks of the honest the merchant delivers;
/// the attacker has won as soon as his branch is as long.
fn race(rng: &mut Rng, q: f64, z: u32, hopeless: i64) -> bool {
    let mut his_block = || (rng.next_u64() >> 11) as f64 / ((1_u64 << 53) as f64) < q;
    let mut honest = 0;
    let mut behind = 0_i64;
    while honest < z {
        if his_block() {
            behind -= 1;
        } else {
            honest += 1;
            behind += 1;
        }
    }
    while behind > 0 && behind < hopeless {
        behind += if his_block() { -1 } else { 1 };
    }
    behind <= 0
}
