//! The leaves of Merkle trees by every kernel.
#![cfg(feature = "ledger")]

use ledger_core::merkle::{HashPairs as _, root_by_levels};
use ledger_core::{Hash, MerkleTree};
use pow::Kernel;

/// Every length around the ends of blocks, in groups of every size, and mixed.
#[test]
fn all_kernels_hash_leaves_as_sha2_does() {
    let content: [u8; 300] = core::array::from_fn(|at| u8::try_from(at % 253).unwrap_or(0));
    let lengths = [0, 1, 53, 54, 55, 56, 62, 63, 64, 117, 118, 119, 127, 128, 196, 255, 256, 300];
    for mut kernel in Kernel::available() {
        let mut check = |contents: &[&[u8]]| {
            let mut hashes = [Hash::ZERO; 40];
            kernel.hash_leaves(contents, &mut hashes);
            for (content, hash) in contents.iter().zip(hashes) {
                assert_eq!(hash, MerkleTree::leaf(content), "{} bytes", content.len());
            }
            assert_eq!(hashes[contents.len()..], [Hash::ZERO; 40][contents.len()..]);
        };
        for len in lengths {
            let contents: [&[u8]; 33] =
                core::array::from_fn(|at| &content[at % 2..][..len.min(298)]);
            for count in [0, 1, 5, 6, 15, 16, 17, 33] {
                check(&contents[..count]);
            }
        }
        let mixed: [&[u8]; 36] = core::array::from_fn(|at| &content[..lengths[at * 7 / 8 % 18]]);
        check(&mixed);
        // Fewer places than leaves: the first ones are filled.
        let mut few = [Hash::ZERO; 7];
        kernel.hash_leaves(&mixed, &mut few);
        assert_eq!(few[6], MerkleTree::leaf(mixed[6]));
    }
}

/// The roots of trees of all sizes around a group of 16 pairs.
#[test]
fn all_kernels_hash_pairs_as_sha2_does() {
    let leaves: [Hash; 80] = core::array::from_fn(|at| MerkleTree::leaf(&[at as u8]));
    for mut kernel in Kernel::available() {
        for count in 1..=leaves.len() {
            let root = MerkleTree::root_of(&leaves[..count]);
            let mut level = leaves;
            assert_eq!(root_by_levels(&mut level[..count], &mut kernel), root, "{count}");
        }
    }
}
