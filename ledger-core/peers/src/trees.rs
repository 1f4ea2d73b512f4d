//! The root over 100,000 leaves beside `rs_merkle` and `ct-merkle`.
//!
//! The content of leaf i is the SHA-256 of i as u64, least significant byte first. Hashing the leaves is included, but in
//! `rs_merkle`, whose leaves are hashes already and whose nodes have no prefix: it hashes less. The best of 20 rounds, all in
//! turn.

use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger_core::merkle::{HashPairs, OneByOne, root_by_levels};
use ledger_core::{Hash, MerkleTree};
use pow::Kernel;
use rs_merkle::algorithms::Sha256;

use crate::cpu::cpu_seconds;

const LEAVES: u64 = 100_000;
const ROUNDS: usize = 20;

/// A name, and a function that returns the root over leaves with these contents.
type Way = (String, Box<dyn Fn(&[[u8; 32]]) -> [u8; 32]>);

fn stream(contents: &[[u8; 32]]) -> [u8; 32] {
    let mut tree = MerkleTree::new();
    for content in contents {
        tree.push(MerkleTree::leaf(content));
    }
    *tree.root().as_bytes()
}

fn levels(contents: &[[u8; 32]], mut hasher: impl HashPairs) -> [u8; 32] {
    let mut leaves = vec![Hash::ZERO; contents.len()];
    for (contents, leaves) in contents.chunks(16).zip(leaves.chunks_mut(16)) {
        let mut group: [&[u8]; 16] = [&[]; 16];
        group.iter_mut().zip(contents).for_each(|(place, content)| *place = content);
        hasher.hash_leaves(&group[..contents.len()], leaves);
    }
    *root_by_levels(&mut leaves, &mut hasher).as_bytes()
}

/// The part of the others that `rs_merkle` leaves out.
fn leaves_alone(contents: &[[u8; 32]]) -> [u8; 32] {
    let mut last = Hash::ZERO;
    for content in contents {
        last = black_box(MerkleTree::leaf(content));
    }
    *last.as_bytes()
}

fn ct_merkle(contents: &[[u8; 32]]) -> [u8; 32] {
    let mut tree = MemoryBackedTree::<sha2::Sha256, [u8; 32]>::new();
    for content in contents {
        tree.push(*content);
    }
    (*tree.root().as_bytes()).into()
}

fn rs_merkle(contents: &[[u8; 32]]) -> [u8; 32] {
    rs_merkle::MerkleTree::<Sha256>::from_leaves(contents).root().expect("there are leaves")
}

/// Prints the milliseconds of each.
pub fn compare() {
    let contents: Vec<[u8; 32]> =
        (0..LEAVES).map(|i| *Hash::of(&i.to_le_bytes()).as_bytes()).collect();
    let mut ways: Vec<Way> = vec![
        ("ledger-core, stream".into(), Box::new(stream)),
        ("ledger-core, by levels".into(), Box::new(|contents| levels(contents, OneByOne))),
    ];
    for kernel in Kernel::available() {
        let name = format!("ledger-core, {kernel} of pow");
        ways.push((name, Box::new(move |contents| levels(contents, kernel))));
    }
    ways.push(("ct-merkle".into(), Box::new(ct_merkle)));
    let root = stream(&contents);
    for (name, way) in &ways {
        assert_eq!(way(&contents), root, "{name}: all are RFC 6962");
    }
    ways.push(("rs_merkle".into(), Box::new(rs_merkle)));
    ways.push(("hashing the leaves, part of all but rs_merkle".into(), Box::new(leaves_alone)));
    let mut best = vec![f64::INFINITY; ways.len()];
    for _ in 0..ROUNDS {
        for ((_, way), best) in ways.iter().zip(&mut best) {
            let start = cpu_seconds();
            black_box(way(black_box(&contents)));
            *best = best.min(cpu_seconds() - start);
        }
    }
    println!("root over {LEAVES} leaves");
    for ((name, _), best) in ways.iter().zip(best) {
        println!("{:>8.2} ms  {name}", best * 1e3);
    }
}
