//! Reads the tables in `data`, which name their sources, and the files in `VECTORS_DIR`.
#![allow(dead_code, reason = "each test uses some of it")]

use std::path::PathBuf;

use pow::{CompactTarget, U256};

/// The rows `[[name]]` of a table, as functions from key to value.
pub fn rows<'t>(table: &'t str, name: &str) -> Vec<impl Fn(&str) -> Option<&'t str>> {
    table
        .split("[[")
        .skip(1)
        .filter_map(|row| row.strip_prefix(name)?.strip_prefix("]]\n"))
        .map(|row| {
            move |key: &str| {
                let mut pairs = row.lines().filter_map(|line| line.split_once(" = "));
                pairs.find(|(k, _)| *k == key).map(|(_, value)| value.trim_matches('"'))
            }
        })
        .collect()
}

pub fn number(hex: &str) -> U256 {
    let mut bytes = [0; 32];
    let padded = format!("{hex:0>64}");
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&padded[2 * i..2 * i + 2], 16).expect("hexadecimal");
    }
    U256::from_be_bytes(&bytes)
}

pub fn compact(hex: &str) -> CompactTarget {
    CompactTarget(u32::from_str_radix(hex, 16).expect("hexadecimal"))
}

pub fn header(hex: &str) -> [u8; 80] {
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect();
    bytes.try_into().expect("80 bytes")
}

/// A file of the public data that the repository does not carry.
pub fn public_file(path: &str) -> String {
    let folder = std::env::var_os("VECTORS_DIR").expect("VECTORS_DIR names a folder");
    let path = PathBuf::from(folder).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
