//! What the crates of the family repeat is equal: private helpers function by function, error texts, and the
//! output of identifiers.

use core::fmt::Display;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 6] =
    ["gnutella-wire", "chord-core", "bittorrent-pieces", "ledger-core", "pow", "consensus"];
/// Files that a crate may have, with functions that are equal wherever they occur.
const SHARED: [&str; 3] = ["hex.rs", "invariant.rs", "rng.rs"];
/// Items with one text each: what declares the item, and the text of its error.
const TEXTS: [(&str, &str); 3] = [
    ("pub struct BufferTooSmall {", "buffer too small: {needed} bytes needed"),
    ("pub struct Full {", "table full: all {capacity} slots are in use"),
    ("pub struct NotConnected(", "connection {0} is not open"),
];

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name).join("src")
}

/// All files of a crate as text.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                files(&path)
            } else {
                vec![fs::read_to_string(&path).expect("text")]
            }
        })
        .collect()
}

/// The functions and macros of a file, from the name to the closing brace, without comments and spaces. A
/// second function of one name is counted.
fn functions(text: &str) -> BTreeMap<String, String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = BTreeMap::new();
    for (at, _) in code.match_indices("fn ").chain(code.match_indices("macro_rules! ")) {
        let item = &code[at..];
        let name: String =
            item[item.find(' ').expect("one") + 1..].chars().take_while(|c| is_name(*c)).collect();
        let body: String = item[..end_of(item)].split_whitespace().collect();
        let mut count = 1;
        while found.contains_key(&format!("{name} {count}")) {
            count += 1;
        }
        found.insert(format!("{name} {count}"), body);
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The end of the first block in braces.
fn end_of(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("an open brace: {item}");
}

#[test]
fn shared_helpers_are_equal_function_by_function() {
    for file in SHARED {
        let mut known: BTreeMap<String, (&str, String)> = BTreeMap::new();
        let mut crates = 0;
        for name in CRATES {
            let Ok(text) = fs::read_to_string(source(name).join(file)) else { continue };
            let text = text.split("#[cfg(test)]").next().expect("the part before tests");
            crates += 1;
            for (function, body) in functions(text) {
                let (first, expected) =
                    known.entry(function.clone()).or_insert_with(|| (name, body.clone()));
                assert_eq!(body, *expected, "{file}, {function}: {name} differs from {first}");
            }
        }
        assert!(crates >= 2, "{file} is in fewer than two crates");
    }
}

/// The scheduler and the index of slots are private in each crate that has many connections, and the same in each.
#[test]
fn schedulers_are_equal_word_for_word() {
    for file in ["ready.rs", "conn_index.rs"] {
        let copies: Vec<_> = CRATES
            .iter()
            .filter_map(|name| Some((name, fs::read_to_string(source(name).join(file)).ok()?)))
            .collect();
        assert!(copies.len() >= 2, "{file} is in fewer than two crates");
        for (name, copy) in &copies {
            assert_eq!(*copy, copies[0].1, "{name}, {file}");
        }
    }
}

#[test]
fn errors_have_one_text() {
    for name in CRATES {
        for text in files(&source(name)) {
            for (item, expected) in TEXTS {
                let Some(at) = text.find(item) else { continue };
                let (_, attribute) = text[..at].rsplit_once("#[error(\"").expect("an error");
                let (found, _) = attribute.split_once('"').expect("a string");
                assert_eq!(found, expected, "{name}, {item}");
            }
        }
    }
}

/// `{:.n}` prints exactly n hexadecimal digits.
fn check_digits(id: &dyn Display, digits: usize) {
    let whole = id.to_string();
    assert_eq!(whole.len(), digits, "{whole}");
    assert!(whole.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{whole}");
    for n in 0..=digits {
        assert_eq!(format!("{id:.n$}"), whole[..n], "{n} digits");
    }
}

#[test]
fn a_precision_is_the_number_of_hexadecimal_digits() {
    let bytes: [u8; 32] = core::array::from_fn(|at| (at * 37 + 11) as u8);
    let short = *bytes.first_chunk().expect("20 of 32");
    check_digits(&bittorrent_pieces::InfoHash(short), 40);
    check_digits(&bittorrent_pieces::PeerId(short), 40);
    check_digits(&consensus::ValidatorId(bytes), 64);
    check_digits(&pow::HeaderId(bytes), 64);
    check_digits(&pow::Target::new(pow::U256::from_be_bytes(&bytes)), 64);
    check_digits(&pow::CompactTarget(0x1d00_ffff), 8);
}

#[test]
fn connection_ids_print_alike_in_two_crates() {
    assert_eq!(pow::ConnId(7).to_string(), "conn 7");
    assert_eq!(bittorrent_pieces::ConnId(7).to_string(), "conn 7");
}

/// A report of an error and its sources says nothing twice: an error's text contains its source, or `source` returns it.
#[test]
fn a_source_is_reported_once() {
    for name in CRATES {
        for text in files(&source(name)) {
            for (line, next) in text.lines().zip(text.lines().skip(1)) {
                let has_source = next.contains("#[from]") || next.contains("#[source]");
                let is_shown = line.contains("#[error(\"") && line.contains('{');
                assert!(!has_source || !is_shown, "{name}: {line}");
            }
        }
    }
}
