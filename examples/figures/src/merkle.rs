//! The RFC 6962 root over 1,000 to 1,000,000 leaves of 32 bytes, leaf hashes included, beside `ct-merkle` and `rs_merkle`.
//!
//! The leaves of `rs_merkle` are hashes already, and its nodes have no prefix: it hashes less.

use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger_core::merkle::{HashPairs, OneByOne, root_by_levels};
use ledger_core::{Hash, MerkleTree};
use pow::Kernel;
use rs_merkle::algorithms::Sha256;

use crate::measure::{Contestant, MILLISECONDS, table};

/// Leaves, and how many times all run.
const SIZES: [(u64, u32); 3] = [(1_000, 50), (100_000, 20), (1_000_000, 5)];

pub fn measure() -> String {
    let tables: Vec<String> =
        SIZES.iter().map(|(leaves, rounds)| roots(*leaves, *rounds)).collect();
    tables.join("\n")
}

fn roots(leaves: u64, rounds: u32) -> String {
    eprintln!("  {leaves} leaves");
    let contents: Vec<[u8; 32]> =
        (0..leaves).map(|i| *Hash::of(&i.to_le_bytes()).as_bytes()).collect();
    let contents = contents.as_slice();
    let root = stream(contents);
    assert_eq!(ct_merkle(contents), root, "both are RFC 6962");
    let mut contestants = vec![
        Contestant::new("ct-merkle 0.3", || _ = black_box(ct_merkle(contents))),
        Contestant::new("`rs_merkle` 1.5, without the leaves", || {
            black_box(rs_merkle::MerkleTree::<Sha256>::from_leaves(contents).root());
        }),
        Contestant::new("`MerkleTree`, a stream in constant space", || {
            assert_eq!(stream(contents), root);
        }),
        Contestant::new("`root_by_levels`, one pair after the other", || {
            assert_eq!(levels(contents, OneByOne), root);
        }),
    ];
    for kernel in Kernel::available() {
        let name = format!("`root_by_levels` with `pow`: {kernel}");
        contestants.push(Contestant::new(name, move || assert_eq!(levels(contents, kernel), root)));
    }
    contestants.push(Contestant::new("hashing the leaves, one after the other", || {
        for content in contents {
            black_box(MerkleTree::leaf(content));
        }
    }));
    table(&format!("root over {leaves} leaves of 32 bytes"), 1, MILLISECONDS, rounds, contestants)
}

fn ct_merkle(contents: &[[u8; 32]]) -> [u8; 32] {
    let mut tree = MemoryBackedTree::<sha2::Sha256, [u8; 32]>::new();
    for content in contents {
        tree.push(*content);
    }
    (*tree.root().as_bytes()).into()
}

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
