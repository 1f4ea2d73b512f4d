//! Query-routing tables as values.

use gnutella_wire::qrp::{KeywordHash, QueryTable};

fn table(bits: u8, words: &[&str]) -> QueryTable<Vec<u8>> {
    let mut table = QueryTable::new(bits, vec![0; QueryTable::memory_len(bits)]).unwrap();
    for word in words {
        table.insert(KeywordHash::of(word));
    }
    table
}

/// Tables are equal if their sizes and slots are, whatever the storage.
#[test]
fn tables_are_equal_by_their_slots() {
    let some = table(10, &["hey", "jude"]);
    assert_eq!(some, table(10, &["jude", "hey"]));
    assert_eq!(some, some.as_slice());
    assert_ne!(some, table(10, &["hey"]));
    assert_ne!(some, table(11, &["hey", "jude"]));
    assert_ne!(table(10, &[]), table(11, &[]), "of another size");
    // Tables of two and of four slots leave bits of their byte unused.
    for bits in [1, 2] {
        let full = QueryTable::new(bits, vec![0; 1]).unwrap();
        let mut same = full.clone();
        assert_eq!(full, same);
        same.insert(KeywordHash::of("hey"));
        assert_ne!(full, same);
    }
}

#[test]
fn a_table_prints_its_size() {
    assert_eq!(table(10, &[]).to_string(), "0 of 1024 slots");
    assert_eq!(table(10, &["hey"]).to_string(), "1 of 1024 slots");
    assert_eq!(format!("{:?}", table(3, &["hey"])), "QueryTable(1 of 8 slots)");
}
