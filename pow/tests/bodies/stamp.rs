//! Any text as a stamp, and any stamp's head as a search.

use pow::Step;
use pow::stamp::{Counter, Stamp, StampError, StampMiner, leading_zero_bits};

/// A text is a stamp or a typed error; what is read is what was written; a counter that is found counts.
pub fn stamp(bytes: &[u8]) {
    let Ok(stamp) = Stamp::parse(bytes) else { return };
    assert_eq!(stamp.to_string().as_bytes(), bytes);
    let rest = [stamp.date(), stamp.resource(), stamp.extension(), stamp.random(), stamp.counter()];
    assert!(stamp.to_string().ends_with(&rest.join(":")));
    let found = leading_zero_bits(&stamp.digest());
    match stamp.verify(stamp.resource(), 0) {
        Ok(bits) => assert!(bits == found && bits >= stamp.bits()),
        Err(error) => {
            assert_eq!(error, StampError::NotEnoughWork { claimed: stamp.bits(), found });
        }
    }
    let text = stamp.to_string();
    let head = text.strip_suffix(stamp.counter()).expect("it ends with the counter");
    let mut miner = StampMiner::new(head, 3..=40).expect("the head of a stamp");
    while let Step::Found(counter) = miner.step(50) {
        let text = format!("{head}{}", Counter(counter));
        let stamp = Stamp::parse(text.as_bytes()).expect("a stamp");
        assert!(stamp.verify(stamp.resource(), stamp.bits()).is_ok());
    }
    assert_eq!(miner.tried(), 38);
}
