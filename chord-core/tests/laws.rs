//! Properties: every body under arbitrary bytes, and over the corpus.

pub mod bodies;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bodies_hold_for_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, body) in bodies::BODIES {
            body(&bytes);
        }
    }

    #[test]
    fn messages_hold_for_bytes_that_begin_well(
        kind in 0u8..14,
        bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..140),
    ) {
        let bytes: Vec<u8> = [1, kind].into_iter().chain(bytes).collect();
        bodies::chord_message(&bytes);
    }

    #[test]
    fn nodes_keep_the_laws_in_long_lives(bytes in prop::collection::vec(any::<u8>(), 600..3000)) {
        bodies::chord_node(&bytes);
    }
}

#[test]
fn bodies_hold_over_the_corpus() {
    for (name, body) in bodies::BODIES {
        let folder = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(&folder).expect(&folder).collect();
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            body(&std::fs::read(file.unwrap().path()).unwrap());
        }
    }
}
