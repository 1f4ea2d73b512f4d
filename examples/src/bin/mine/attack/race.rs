//! The race itself, block by block.

use sim::Rng;

/// Who is so far behind that catching up has less than this chance gives up.
const HOPELESS: f64 = 1e-6;

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
