//! Draws the proposers of ten thousand slots and compares their shares with their stakes.

use consensus::{ValidatorArray, ValidatorError, ValidatorId, ValidatorSet};

fn main() -> Result<(), ValidatorError> {
    let mut validators = ValidatorSet::new(ValidatorArray::<4>::EMPTY);
    for (n, stake) in [(1, 50), (2, 30), (3, 15), (4, 5)] {
        validators.set_stake(ValidatorId([n; 32]), stake)?;
    }
    let seed = [7; 32];
    let drawn: Vec<_> = (0..10_000).filter_map(|slot| validators.draw(&seed, slot, 0)).collect();
    for (id, stake) in &validators {
        let slots = drawn.iter().filter(|drawn| **drawn == id).count();
        println!("{id:.4}: stake {stake:>2} %, {:.2} % of the slots", slots as f64 / 100.0);
    }
    Ok(())
}
