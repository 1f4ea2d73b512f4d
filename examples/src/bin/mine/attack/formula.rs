//! The probability that an attacker catches up, by two formulas.

/// Nakamoto's (whitepaper of Bitcoin, section 11): while the honest find `z` blocks the attacker finds a number
/// with the Poisson distribution, as if that took just the time it takes on average.
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
