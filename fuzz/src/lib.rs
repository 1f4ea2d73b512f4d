//! Fuzz targets of the family. Every body is an ordinary function that lives with the tests of its crate:
//! `cargo test` replays the corpus through all of them, and cargo-fuzz calls the same ones.
#![forbid(unsafe_code)]

/// Bodies of `bittorrent-pieces`.
#[path = "../../bittorrent-pieces/tests/bodies/mod.rs"]
pub mod bittorrent;
/// Bodies of `chord-core`.
#[path = "../../chord-core/tests/bodies/mod.rs"]
pub mod chord;
/// Bodies of `consensus`.
#[path = "../../consensus/tests/bodies/mod.rs"]
pub mod consensus;
/// Bodies of `gnutella-wire`.
#[path = "../../gnutella-wire/tests/bodies/mod.rs"]
pub mod gnutella;
/// Bodies of `ledger-core`.
#[path = "../../ledger-core/tests/bodies/mod.rs"]
pub mod ledger;
/// Bodies of `pow`.
#[path = "../../pow/tests/bodies/mod.rs"]
pub mod pow;

/// A function that must hold for any bytes.
pub type Body = fn(&[u8]);

/// Returns all bodies by name; the name is that of the fuzz target and of its corpus folder.
pub fn bodies() -> impl Iterator<Item = (&'static str, Body)> {
    [
        bittorrent::BODIES,
        chord::BODIES,
        consensus::BODIES,
        gnutella::BODIES,
        ledger::BODIES,
        pow::BODIES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Runs a body by name.
///
/// # Panics
///
/// Panics if there is no such body, or if it does not hold.
pub fn run(name: &str, bytes: &[u8]) {
    let body = bodies().find(|(known, _)| *known == name);
    body.unwrap_or_else(|| panic!("there is no body {name}")).1(bytes);
}
