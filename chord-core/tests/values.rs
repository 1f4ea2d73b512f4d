//! How identifiers and numbers of lookups print.

use core::time::Duration;

use chord_core::{Config, ContactSlot, FingerSlot, Id160, LookupSlot, Node, NodeSlots, Peer};

#[test]
fn a_precision_limits_the_hexadecimal_digits() {
    let mut bytes = [0; 20];
    bytes[..4].copy_from_slice(&[0x12, 0x34, 0xAB, 0xCD]);
    let id = Id160::from(bytes);
    let digits = [(0, ""), (1, "1"), (2, "12"), (3, "123"), (7, "1234abc"), (8, "1234abcd")];
    for (precision, expected) in digits {
        assert_eq!(format!("{id:.precision$}"), expected);
    }
    assert_eq!(id.to_string(), format!("1234abcd{}", "0".repeat(32)));
}

#[test]
fn lookups_print_as_numbers() {
    let me = Peer { id: Id160::from([7; 20]), address: 1_u32 };
    let storage = NodeSlots {
        successors: [me; 4],
        fingers: [FingerSlot::EMPTY; 4],
        lookups: [LookupSlot::EMPTY; 3],
        contacts: [ContactSlot::EMPTY; 2],
    };
    let mut node = Node::new(Config::default(), me, storage).unwrap();
    node.create(Duration::ZERO).unwrap();
    let first = node.lookup(Duration::ZERO, Id160::from([9; 20])).unwrap().to_string();
    let second = node.lookup(Duration::ZERO, Id160::from([5; 20])).unwrap().to_string();
    for text in [&first, &second] {
        let digits = text.strip_prefix('#').expect("a number sign");
        assert!(digits.parse::<u32>().is_ok(), "{text}");
    }
    assert_ne!(first, second);
}
