//! The RFC 6962 root over 100,000 leaves of 32 bytes, leaf hashes included.

use std::hint::black_box;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger_core::merkle::{OneByOne, root_by_levels};
use ledger_core::{Hash, MerkleTree};
use rs_merkle::{MerkleTree as PeerTree, algorithms::Sha256 as PeerSha256};

use crate::measure::{Contestant, print as print_table};

const LEAVES: u64 = 100_000;

pub fn print() {
    let contents: Vec<Hash> = (0..LEAVES).map(|i| Hash::of(&i.to_le_bytes())).collect();
    let root = stream(&contents);
    let peer = || {
        let mut tree = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        for content in &contents {
            tree.push(content.as_bytes().to_vec());
        }
        tree.root().as_bytes().to_vec()
    };
    assert_eq!(peer(), root.as_bytes(), "ct-merkle makes the same root");
    print_table(
        &format!("Merkle root over {LEAVES} leaves of 32 bytes"),
        LEAVES as usize,
        7,
        vec![
            Contestant::new("ct-merkle 0.2", || {
                black_box(peer());
            }),
            Contestant::new("rs_merkle 1 (another tree: leaves and pairs without prefix)", || {
                let leaves: Vec<[u8; 32]> = contents
                    .iter()
                    .map(|content| <PeerSha256 as rs_merkle::Hasher>::hash(content.as_bytes()))
                    .collect();
                black_box(PeerTree::<PeerSha256>::from_leaves(&leaves).root());
            }),
            Contestant::new("`MerkleTree`, a stream in constant space", || {
                assert_eq!(stream(&contents), root);
            }),
            Contestant::new("`root_by_levels`, one pair after the other", || {
                assert_eq!(levels(&contents), root);
            }),
        ],
    );
}

fn stream(contents: &[Hash]) -> Hash {
    let mut tree = MerkleTree::new();
    for content in contents {
        tree.push(MerkleTree::leaf(content.as_bytes()));
    }
    tree.root()
}

fn levels(contents: &[Hash]) -> Hash {
    let mut level: Vec<Hash> =
        contents.iter().map(|content| MerkleTree::leaf(content.as_bytes())).collect();
    root_by_levels(&mut level, &mut OneByOne)
}
