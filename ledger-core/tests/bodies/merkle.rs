//! Bodies of the trees beside plain inclusion and consistency: Bitcoin's, subtrees, several leaves at once.

use ledger_core::Hash;
use ledger_core::merkle::bitcoin::{BitcoinBranch, BitcoinError, BitcoinTree, prove_branch};
use ledger_core::merkle::{
    MerkleTree, Multiproof, OneByOne, Subtree, SubtreeConsistency, SubtreeInclusion, TreeHead,
    prove_multiple, prove_subtree_consistency, prove_subtree_inclusion, root_by_levels,
};
use sim::laws::Input;

/// No proof of any size, index or length makes a verifier panic or run long.
pub fn proofs(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let start = input.u64();
    let end = input.u64();
    let size = input.u64();
    let root = Hash::from_bytes(input.array());
    let leaf = Hash::from_bytes(input.array());
    let mut path = Vec::new();
    while !input.is_empty() {
        path.push(Hash::from_bytes(input.array()));
    }
    let head = TreeHead { size, root };
    if let Ok(subtree) = Subtree::new(start, end) {
        let consistency = SubtreeConsistency { subtree, path: &path };
        if consistency.verify(&head, &leaf).is_ok() {
            assert!(path.len() <= 65);
            assert!(end <= size);
        }
        let inclusion = SubtreeInclusion { subtree, index: size, path: &path };
        if inclusion.verify(&root, &leaf).is_ok() {
            assert!((start..end).contains(&size));
        }
    }
    let multiple = Multiproof { path: &path };
    if multiple.verify(&head, &[(start, leaf), (end, root)]).is_ok() {
        assert!(start < end);
        assert!(end < size);
    }
    let branch = BitcoinBranch { index: start as u32, path: &path };
    if branch.verify_id(&root, &leaf).is_ok() {
        assert!(path.len() <= 32);
    }
}

/// Every proof made verifies, and the ways to compute a root agree.
pub fn trees(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let a = input.below(80);
    let b = input.below(80);
    let c = input.below(80);
    let leaves: Vec<_> = bytes.iter().take(80).map(|byte| MerkleTree::leaf(&[*byte])).collect();
    let head = TreeHead { size: leaves.len() as u64, root: MerkleTree::root_of(&leaves) };
    assert_eq!(root_by_levels(&mut leaves.clone(), &mut OneByOne), head.root);
    subtrees(&leaves, &head, a as u64, b as u64, c as u64);
    several(&leaves, &head, [a, b, c]);
    bitcoin(&leaves, a);
}

fn subtrees(leaves: &[Hash], head: &TreeHead, start: u64, end: u64, index: u64) {
    let Ok(subtree) = Subtree::new(start, end) else { return };
    let mut out = [Hash::default(); 65];
    let Ok(proof) = prove_subtree_consistency(leaves, subtree, &mut out) else {
        assert!(end > head.size);
        return;
    };
    let root = MerkleTree::root_of(&leaves[start as usize..end as usize]);
    assert_eq!(proof.verify(head, &root), Ok(()));
    match prove_subtree_inclusion(leaves, subtree, index, &mut out) {
        Ok(proof) => assert_eq!(proof.verify(&root, &leaves[index as usize]), Ok(())),
        Err(_) => assert!(!(start..end).contains(&index)),
    }
}

fn several(leaves: &[Hash], head: &TreeHead, mut indices: [usize; 3]) {
    indices.sort_unstable();
    let indices = indices.map(|index| index as u64);
    let mut out = [Hash::default(); 80];
    let Ok(proof) = prove_multiple(leaves, &indices, &mut out) else {
        let ascending = indices.is_sorted_by(|one, two| one < two);
        assert!(!ascending || indices[2] >= head.size);
        return;
    };
    let proved = indices.map(|index| (index, leaves[index as usize]));
    assert_eq!(proof.verify(head, &proved), Ok(()));
}

fn bitcoin(ids: &[Hash], index: usize) {
    let mut tree = BitcoinTree::new();
    for id in ids {
        tree.push(*id).expect("there are fewer than 2^32");
    }
    let expected = bitcoin_by_levels(ids);
    assert_eq!(tree.root(), expected);
    let mut out = [Hash::default(); 32];
    match (prove_branch(ids, index, &mut out), expected) {
        (Ok(branch), Ok(root)) => assert_eq!(branch.verify_id(&root, &ids[index]), Ok(())),
        (Ok(_), Err(error)) => panic!("a branch of a list that is refused: {error}"),
        (Err(_), expected) => assert!(index >= ids.len() || expected.is_err()),
    }
}

/// Bitcoin's rule level by level: a repeated last hash is no mutation, any other pair of equal siblings is.
fn bitcoin_by_levels(ids: &[Hash]) -> Result<Hash, BitcoinError> {
    let mut level = ids.to_vec();
    let mut mutated = false;
    while level.len() > 1 {
        mutated |= level.chunks_exact(2).any(|pair| pair[0] == pair[1]);
        if let Some(last) = level.last().copied().filter(|_| level.len() % 2 == 1) {
            level.push(last);
        }
        let joined = level.chunks_exact(2).map(|pair| {
            let bytes = [*pair[0].as_bytes(), *pair[1].as_bytes()].concat();
            Hash::of(Hash::of(&bytes).as_bytes())
        });
        level = joined.collect();
    }
    let root = *level.first().ok_or(BitcoinError::Empty)?;
    if mutated { Err(BitcoinError::Mutated { root }) } else { Ok(root) }
}
