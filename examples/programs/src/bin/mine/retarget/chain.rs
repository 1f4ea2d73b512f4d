//! A chain under one rule while the hash rate changes, in virtual time.

use pow::CompactTarget;
use pow::difficulty::{Difficulty, DifficultyError, HeaderInfo, Recent};
use sim::Rng;

pub const SPACING: f64 = 600.0;
pub const DAY: f64 = 86_400.0;
/// What the headers before the start claim: a difficulty of 16,307.
pub const START: CompactTarget = CompactTarget(0x1b04_04cb);
/// Headers before the start, one each 600 s: a period of Bitcoin's rule.
pub const BEFORE: u64 = 2016;
const SLOTS: usize = 256;

/// What became of a chain.
pub struct Outcome {
    /// The headers of each day.
    pub days: Vec<u32>,
    /// The longest time that one header took, in seconds.
    pub longest: f64,
}

impl Outcome {
    pub fn headers(&self) -> u32 {
        self.days.iter().sum()
    }

    /// Returns the minutes that one header took on average in the last days.
    pub fn minutes(&self, last_days: usize) -> f64 {
        let last = &self.days[self.days.len().saturating_sub(last_days)..];
        last.len() as f64 * 1440.0 / f64::from(last.iter().sum::<u32>())
    }
}

/// Runs a chain for so many days. `rate` is the hash rate at a time in days, as a multiple of the one at which a
/// header takes 600 s at the start; it may change at each full hour.
pub fn run(
    rule: &dyn Difficulty,
    rate: fn(f64, f64) -> f64,
    days: u32,
    seed: u64,
) -> Result<Outcome, DifficultyError> {
    let mut rng = Rng::new(seed);
    let mut history = Recent::new([HeaderInfo::EMPTY; SLOTS]);
    let mut parent = HeaderInfo::EMPTY;
    for height in 0..BEFORE {
        let time = (height as i64 - BEFORE as i64 + 1) * SPACING as i64;
        parent = HeaderInfo { height, time, bits: START };
        history.push(rule, parent);
    }
    let usual = START.to_target()?.work().hashes().saturating_u128() as f64;
    let mut now = 0.0;
    let end = f64::from(days) * DAY;
    let mut outcome = Outcome { days: vec![0; days as usize], longest: 0.0 };
    loop {
        let bits = rule.required(&parent, now as i64, &history)?;
        let hashes = bits.to_target()?.work().hashes().saturating_u128() as f64;
        // Exponential: tries without memory, each of which succeeds as seldom as the next.
        let luck = 1.0 - (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let found = after(now, -luck.ln() * hashes / usual, |day| rate(day, f64::from(days)), end);
        outcome.longest = outcome.longest.max(found - now);
        if found >= end {
            return Ok(outcome);
        }
        now = found;
        outcome.days[(now / DAY) as usize] += 1;
        parent = HeaderInfo { height: parent.height + 1, time: now as i64, bits };
        history.push(rule, parent);
    }
}

/// Returns when the hashes of so many usual headers are done, or the end if that is earlier.
fn after(mut now: f64, headers: f64, rate: impl Fn(f64) -> f64, end: f64) -> f64 {
    let mut left = headers * SPACING;
    while now < end {
        let hour = ((now / 3600.0).floor() + 1.0) * 3600.0;
        let rate = rate(now / DAY);
        if left <= (hour - now) * rate {
            return now + left / rate;
        }
        left -= (hour - now) * rate;
        now = hour;
    }
    end
}
