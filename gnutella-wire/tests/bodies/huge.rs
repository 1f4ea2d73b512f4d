//! Bodies of HUGE.

use gnutella_wire::huge::{Part, SEPARATOR, Urn, base32, parts};

/// The parts of an area stand in it in their order, and nothing but separators between them.
pub fn area(bytes: &[u8]) {
    let mut rest = bytes;
    let only_separators = |bytes: &[u8]| bytes.iter().all(|byte| [0, SEPARATOR].contains(byte));
    let mut sound = true;
    for part in parts(bytes) {
        assert!(sound, "nothing after an error");
        let start = rest.iter().position(|byte| !only_separators(&[*byte])).expect("a part");
        rest = &rest[start..];
        match part {
            Ok(Part::Gem(gem)) => {
                assert!(!gem.is_empty() && !gem.as_bytes().contains(&SEPARATOR));
                rest = rest.strip_prefix(gem.as_bytes()).expect("where it lies");
                urn(gem.as_bytes());
            }
            Ok(Part::Ggep(block)) => {
                rest = rest.strip_prefix(block.as_bytes()).expect("where it lies");
            }
            Err(error) => sound = error.to_string().is_empty(),
        }
    }
    assert!(!sound || only_separators(rest));
    urn(bytes);
    let mut characters = vec![0; base32::encoded_len(bytes.len())];
    assert_eq!(base32::encode(bytes, &mut characters), Ok(characters.len()));
    let mut back = vec![0; bytes.len()];
    assert_eq!(base32::decode(&characters, &mut back), Some(()));
    assert_eq!(back, bytes);
}

/// What names a file has one spelling but for case.
fn urn(text: &[u8]) {
    if let Some(urn) = Urn::parse(text) {
        let again = urn.to_string();
        assert!(again.as_bytes().eq_ignore_ascii_case(text));
        assert_eq!(Urn::parse(again.as_bytes()), Some(urn));
    }
}
