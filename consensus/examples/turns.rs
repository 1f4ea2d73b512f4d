//! Five authorities seal blocks in turn; one is silent, and others sign for it.

use consensus::{Authorities, AuthoritySlot, Full, Turn, ValidatorId};

fn main() -> Result<(), Full> {
    let keys: Vec<_> = (1..=5).map(|n| ValidatorId([n; 32])).collect();
    let mut authorities = Authorities::new([AuthoritySlot::EMPTY; 8]);
    for key in &keys {
        authorities.insert(*key)?;
    }
    let silent = keys[2];
    let mut difficulty = 0;
    for height in 1..=12 {
        let may_sign = |turn| {
            let signs = |key: &&ValidatorId| authorities.turn(key, height) == Ok(turn);
            keys.iter().filter(|key| **key != silent).find(signs)
        };
        let (author, turn) = match may_sign(Turn::In) {
            Some(author) => (*author, Turn::In),
            None => (*may_sign(Turn::Out).expect("two of five wait"), Turn::Out),
        };
        authorities.record_signature(&author, height);
        difficulty += u32::from(turn.difficulty());
        println!("block {height:>2} by {author:.4}, {turn:?} turn, total difficulty {difficulty}");
    }
    Ok(())
}
