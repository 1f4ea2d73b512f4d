//! Tables of vectors.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().map(|byte| (byte as char).to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0].unwrap() * 16 + pair[1].unwrap()) as u8).collect()
}

/// Returns the rows of a table that begin with a word.
pub fn rows<'t>(table: &'t str, kind: &'t str) -> impl Iterator<Item = Vec<&'t str>> {
    let rows = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    rows.filter(move |row| row[0] == kind)
}
