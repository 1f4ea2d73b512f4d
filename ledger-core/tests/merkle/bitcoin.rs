//! Bitcoin's tree.

use ledger_core::Hash;
use ledger_core::merkle::bitcoin::{BitcoinBranch, BitcoinError, BitcoinTree, prove_branch};

use crate::{flipped, hash, leaves, spoiled};

/// Reads a hash as block explorers display it: the last byte first.
fn displayed(hex: &str) -> Hash {
    let mut bytes = *hash(hex).expect("32 bytes").as_bytes();
    bytes.reverse();
    Hash::from_bytes(bytes)
}

fn repeated(bytes: &[u8]) -> Vec<Hash> {
    bytes.iter().map(|byte| Hash::from_bytes([*byte; 32])).collect()
}

fn bitcoin_root(ids: &[Hash]) -> Result<Hash, BitcoinError> {
    let mut tree = BitcoinTree::new();
    for id in ids {
        tree.push(*id)?;
    }
    tree.root()
}

/// Source: blocks 170 and 100,000 of Bitcoin's chain.
#[test]
fn bitcoin_roots_of_real_blocks() {
    for (ids, root) in [
        (
            &[
                "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
                "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
            ][..],
            "7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff",
        ),
        (
            &[
                "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
                "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
                "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
                "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
            ],
            "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766",
        ),
    ] {
        let ids: Vec<_> = ids.iter().map(|id| displayed(id)).collect();
        let root = displayed(root);
        assert_eq!(bitcoin_root(&ids), Ok(root));
        for (index, id) in ids.iter().enumerate() {
            let mut out = [Hash::ZERO; 2];
            let branch = prove_branch(&ids, index, &mut out).expect("it fits");
            assert_eq!(branch.verify_id(&root, id), Ok(()));
        }
    }
}

/// Source: CVE-2012-2459; leaf `i` is the byte `i` 32 times.
#[test]
fn bitcoin_lists_with_a_repeated_end_are_mutated() {
    let six = "7b66d521a8037fd37d8730a5a77b304c0994bf45fc6e225cb79073f087cf97e9";
    let three = "223e023fadf1f053df26988871f893c821c28edf77d64a955e6c2a02d547bdac";
    for (bytes, root, mutated) in [
        (&[1, 2, 3, 4, 5, 6][..], six, false),
        (&[1, 2, 3, 4, 5, 6, 5, 6], six, true),
        (&[1], "0101010101010101010101010101010101010101010101010101010101010101", false),
        (&[1, 2], "39ce20bede82c96b8908bec4a157b09c549b3db90b9b474bda9ae9b9030310b4", false),
        (&[1, 2, 3], three, false),
        (&[1, 1], "61a088b4cf1f244e52e5e88fcd91b3b7d6135ebff53476ecc8436e23b5e7f095", true),
        (&[1, 2, 3, 3], three, true),
        (
            &[1, 2, 3, 4, 5],
            "26e2870f72368b3f8baef83fa26282d95d9c194e1f33d90a12932e0f6022e5d3",
            false,
        ),
        (&[1, 1, 2], "7fded568353887319deb535bd166526b6a74bcf048c20de3d00df35163af852f", true),
    ] {
        let root = hash(root).expect("32 bytes");
        let expected = if mutated { Err(BitcoinError::Mutated { root }) } else { Ok(root) };
        assert_eq!(bitcoin_root(&repeated(bytes)), expected, "{bytes:?}");
    }
    assert_eq!(bitcoin_root(&[]), Err(BitcoinError::Empty));
}

#[test]
fn bitcoin_branches_of_a_mutated_list_are_refused() {
    let ids = repeated(&[1, 2, 3, 4, 5, 6]);
    let root = bitcoin_root(&ids).expect("it is not mutated");
    let mut out = [Hash::ZERO; 3];
    // The sixth and, with the same siblings, the eighth position.
    let path = prove_branch(&ids, 5, &mut out).expect("it fits").path;
    assert_eq!(BitcoinBranch { index: 5, path }.verify_id(&root, &ids[5]), Ok(()));
    let eighth = BitcoinBranch { index: 7, path };
    assert_eq!(eighth.verify_id(&root, &ids[5]), Err(BitcoinError::WrongSibling { level: 1 }));
    // The repeated last leaf itself.
    let ids = repeated(&[1, 2, 3]);
    let root = bitcoin_root(&ids).expect("it is not mutated");
    let path = prove_branch(&ids, 2, &mut out).expect("it fits").path;
    let fourth = BitcoinBranch { index: 3, path };
    assert_eq!(fourth.verify_id(&root, &ids[2]), Err(BitcoinError::WrongSibling { level: 0 }));
    // A mutated list has no branch at all.
    let ids = repeated(&[1, 1, 2]);
    let Err(BitcoinError::Mutated { root }) = bitcoin_root(&ids) else { panic!("it is mutated") };
    assert_eq!(prove_branch(&ids, 2, &mut out), Err(BitcoinError::Mutated { root }));
    // Its first leaf is the last of its level, so the tree must have repeated the level above too.
    let other = {
        let mut tree = BitcoinTree::new();
        tree.push(ids[2]).expect("there is room");
        tree.push(ids[2]).expect("there is room");
        let Err(BitcoinError::Mutated { root }) = tree.root() else { panic!("it is mutated") };
        root
    };
    let path = [ids[0], other];
    let first = BitcoinBranch { index: 0, path: &path };
    assert_eq!(first.verify_id(&root, &ids[0]), Err(BitcoinError::WrongSibling { level: 1 }));
}

/// Without a separation of leaves and nodes, 64 bytes above two ids pass for a transaction.
#[test]
fn bitcoin_transactions_of_64_bytes_are_refused() {
    let ids = repeated(&[1, 2, 3, 4]);
    let root = bitcoin_root(&ids).expect("it is not mutated");
    let node = [*ids[2].as_bytes(), *ids[3].as_bytes()].concat();
    let path = [bitcoin_root(&ids[..2]).expect("it is not mutated")];
    let branch = BitcoinBranch { index: 1, path: &path };
    assert_eq!(branch.verify(&root, &node), Err(BitcoinError::LooksLikeNode));
    let id = Hash::of(Hash::of(&node).as_bytes());
    assert_eq!(branch.verify_id(&root, &id), Ok(()));

    let transactions = [[7; 63].to_vec(), [8; 65].to_vec()];
    let ids = transactions.each_ref().map(|bytes| Hash::of(Hash::of(bytes).as_bytes()));
    let root = bitcoin_root(&ids).expect("it is not mutated");
    let path = [ids[0]];
    assert_eq!(BitcoinBranch { index: 1, path: &path }.verify(&root, &transactions[1]), Ok(()));
    let path = [ids[1]];
    assert_eq!(BitcoinBranch { index: 0, path: &path }.verify(&root, &transactions[0]), Ok(()));
}

#[test]
fn bitcoin_branches_prove_one_position_of_one_list() {
    for count in 1..=40 {
        let ids = leaves(count);
        let root = bitcoin_root(&ids).expect("it is not mutated");
        for (index, id) in ids.iter().enumerate() {
            let mut out = [Hash::ZERO; 32];
            let branch = prove_branch(&ids, index, &mut out).expect("it fits");
            assert_eq!(branch.verify_id(&root, id), Ok(()));
            assert_eq!(branch.verify_id(&flipped(root), id), Err(BitcoinError::WrongRoot));
            assert!(branch.verify_id(&root, &flipped(*id)).is_err());
            for path in spoiled(branch.path) {
                assert!(BitcoinBranch { path: &path, ..branch }.verify_id(&root, id).is_err());
            }
            let levels = branch.path.len();
            for other in (0..1_u32 << levels).filter(|other| *other != branch.index) {
                let moved = BitcoinBranch { index: other, ..branch };
                assert!(moved.verify_id(&root, id).is_err(), "{index} as {other} of {count}");
            }
            let beyond = BitcoinBranch { index: branch.index + (1 << levels), ..branch };
            let expected = BitcoinError::IndexBeyondBranch { index: beyond.index, levels };
            assert_eq!(beyond.verify_id(&root, id), Err(expected));
        }
    }
}

#[test]
fn branches_beyond_the_tree_or_the_buffer_are_refused() {
    let ids = leaves(5);
    let mut out = [Hash::ZERO; 2];
    let short = BitcoinError::BufferTooSmall { needed: 3 };
    assert_eq!(prove_branch(&ids, 4, &mut out), Err(short));
    let outside = BitcoinError::OutOfRange { index: 5, count: 5 };
    assert_eq!(prove_branch(&ids, 5, &mut out), Err(outside));
    let long = BitcoinBranch { index: u32::MAX, path: &[Hash::ZERO; 33] };
    let expected = Err(BitcoinError::TooLong { levels: 33 });
    assert_eq!(long.verify_id(&Hash::ZERO, &Hash::ZERO), expected);
    let longest = BitcoinBranch { index: u32::MAX, path: &[Hash::ZERO; 32] };
    assert_eq!(longest.verify_id(&Hash::ZERO, &ids[0]), Err(BitcoinError::WrongRoot));
    assert_eq!(size_of::<BitcoinTree>(), 1_032);
    let tree = BitcoinTree::default();
    assert!(tree.is_empty());
    assert_eq!(tree.len(), 0);
}
