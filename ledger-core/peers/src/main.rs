//! Signature checks and Merkle roots of `ledger-core` beside other crates, in one run.
//!
//! CPU time of the thread. Compare within one run only. `cargo run --release` in this folder.

mod cpu;
mod signatures;
mod trees;

fn main() {
    signatures::compare();
    trees::compare();
}
