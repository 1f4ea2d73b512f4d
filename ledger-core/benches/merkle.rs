//! RFC 6962 root in constant space: leaf i has the SHA-256 of i as u64, least significant byte first.
//! 1,000 leaves, best of 20; 100,000 leaves, best of 3.

use core::hint::black_box;
use std::time::Instant;

use ledger_core::{Hash, MerkleTree};

fn main() {
    for (leaves, runs) in [(1_000_u64, 20), (100_000, 3)] {
        let contents: Vec<Hash> = (0..leaves).map(|i| Hash::of(&i.to_le_bytes())).collect();
        let root = || {
            let mut tree = MerkleTree::new();
            for content in &contents {
                tree.push(MerkleTree::leaf(content.as_bytes()));
            }
            tree.root()
        };
        let mut best = f64::INFINITY;
        for _ in 0..runs {
            let start = Instant::now();
            black_box(root());
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{leaves:>7} leaves {:>9.1} us  root {:.16}", best * 1e6, root());
    }
}
