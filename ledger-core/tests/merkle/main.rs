//! Trees beside plain inclusion and consistency: Bitcoin's, subtrees, several leaves at once, level by level.

mod bitcoin;
#[path = "../common/json.rs"]
mod json;

use json::field;
use ledger_core::Hash;
use ledger_core::merkle::{
    HashPairs, MerkleTree, Multiproof, OneByOne, ProofError, Subtree, SubtreeConsistency,
    SubtreeInclusion, TreeHead, TwoBlocks, prove_inclusion, prove_multiple,
    prove_subtree_consistency, prove_subtree_inclusion, root_by_levels,
};
use proptest::prelude::*;

fn hash(hex: &str) -> Option<Hash> {
    let bytes = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16));
    let bytes: Vec<_> = bytes.collect::<Result<_, _>>().expect("hexadecimal");
    bytes.try_into().ok().map(Hash::from_bytes)
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| MerkleTree::leaf(&i.to_le_bytes())).collect()
}

fn head(leaves: &[Hash]) -> TreeHead {
    TreeHead { size: leaves.len() as u64, root: MerkleTree::root_of(leaves) }
}

fn flipped(hash: Hash) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[7] ^= 0x10;
    Hash::from_bytes(bytes)
}

/// Ways to spoil a list of nodes: one more, one fewer, one changed.
fn spoiled(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[path, &[Hash::ZERO]].concat(), [&[Hash::ZERO], path].concat()];
    for at in 0..path.len() {
        let mut changed = path.to_vec();
        changed[at] = flipped(changed[at]);
        all.push(changed);
        let mut shorter = path.to_vec();
        shorter.remove(at);
        all.push(shorter);
    }
    all
}

#[test]
fn subtrees_are_aligned_ranges() {
    for (start, end, valid) in [
        (0, 0, true),
        (3, 3, true),
        (0, 7, true),
        (4, 7, true),
        (4, 8, true),
        (4, 9, false),
        (2, 5, false),
        (6, 8, true),
        (5, 4, false),
        (0, u64::MAX, true),
        (1, u64::MAX, false),
        (1 << 63, u64::MAX, true),
        (u64::MAX - 1, u64::MAX, true),
    ] {
        let expected = valid.then_some((start, end));
        let found = Subtree::new(start, end).ok().map(|subtree| (subtree.start(), subtree.end()));
        assert_eq!(found, expected, "{start}..{end}");
    }
    assert_eq!(Subtree::new(4, 9), Err(ProofError::InvalidSubtree { start: 4, end: 9 }));
}

#[test]
fn subtree_proofs_prove_one_range_of_one_tree() {
    let all = leaves(21);
    let mut proofs = 0;
    for size in 1..=all.len() {
        let leaves = &all[..size];
        let head = head(leaves);
        for start in 0..size as u64 {
            for end in start + 1..=size as u64 {
                let Ok(subtree) = Subtree::new(start, end) else { continue };
                let below = &leaves[start as usize..end as usize];
                check_subtree(leaves, &head, subtree, below);
                proofs += 1;
            }
        }
    }
    assert!(proofs > 500, "{proofs}");
}

fn check_subtree(leaves: &[Hash], head: &TreeHead, subtree: Subtree, below: &[Hash]) {
    let root = MerkleTree::root_of(below);
    let mut out = [Hash::ZERO; 65];
    let proof = prove_subtree_consistency(leaves, subtree, &mut out).expect("it fits");
    assert_eq!(proof.verify(head, &root), Ok(()), "{subtree:?} of {}", head.size);
    assert!(proof.verify(head, &flipped(root)).is_err());
    let other = TreeHead { size: head.size, root: flipped(head.root) };
    assert!(proof.verify(&other, &root).is_err());
    for path in spoiled(proof.path) {
        assert!(SubtreeConsistency { path: &path, ..proof }.verify(head, &root).is_err());
    }
    for (start, end) in [(0, 1), (4, 8), (8, 16), (16, 21)] {
        let Ok(moved) = Subtree::new(start, end) else { continue };
        if moved != subtree {
            let proof = SubtreeConsistency { subtree: moved, ..proof };
            assert!(proof.verify(head, &root).is_err(), "{subtree:?} as {moved:?}");
        }
    }
    for (index, leaf) in (subtree.start()..).zip(below) {
        let proof = prove_subtree_inclusion(leaves, subtree, index, &mut out).expect("it fits");
        assert_eq!(proof.verify(&root, leaf), Ok(()));
        for index in [index.wrapping_sub(1), index + 1, index ^ 2, u64::MAX] {
            assert!(SubtreeInclusion { index, ..proof }.verify(&root, leaf).is_err());
        }
    }
    let outside = prove_subtree_inclusion(leaves, subtree, subtree.end(), &mut out);
    let index = subtree.end();
    assert_eq!(outside, Err(ProofError::OutOfRange { index, size: subtree.end() }));
}

#[test]
fn an_empty_subtree_belongs_to_every_large_enough_tree() {
    let leaves = leaves(5);
    let head = head(&leaves);
    let empty = Subtree::new(3, 3).expect("it is aligned");
    assert!(empty.is_empty());
    let nothing = Hash::of(&[]);
    let proof = SubtreeConsistency { subtree: empty, path: &[] };
    assert_eq!(proof.verify(&head, &nothing), Ok(()));
    assert_eq!(proof.verify(&head, &leaves[3]), Err(ProofError::WrongRoot));
    let too_small = TreeHead { size: 2, ..head };
    let wrong = ProofError::WrongSizes { first: 3, second: 2 };
    assert_eq!(proof.verify(&too_small, &nothing), Err(wrong));
    let mut out = [Hash::ZERO; 65];
    assert_eq!(prove_subtree_consistency(&leaves, empty, &mut out), Ok(proof));
    let surplus = SubtreeConsistency { subtree: empty, path: &leaves[..1] };
    let wrong = ProofError::WrongLength { expected: 0, found: 1 };
    assert_eq!(surplus.verify(&head, &nothing), Err(wrong));
}

/// Every set of leaves of every tree of up to nine leaves.
#[test]
fn multiproofs_prove_one_set_of_one_tree() {
    for size in 1..=9_u64 {
        let leaves = leaves(size);
        let head = head(&leaves);
        for set in 1..1_u32 << size {
            let indices: Vec<_> = (0..size).filter(|index| set >> index & 1 == 1).collect();
            check_multiproof(&leaves, &head, &indices);
        }
    }
}

fn check_multiproof(leaves: &[Hash], head: &TreeHead, indices: &[u64]) {
    let mut out = [Hash::ZERO; 8];
    let proof = prove_multiple(leaves, indices, &mut out).expect("it fits");
    let proved: Vec<_> = indices.iter().map(|index| (*index, leaves[*index as usize])).collect();
    assert_eq!(proof.verify(head, &proved), Ok(()), "{indices:?} of {}", head.size);
    for path in spoiled(proof.path) {
        assert!(Multiproof { path: &path }.verify(head, &proved).is_err());
    }
    for at in 0..proved.len() {
        let mut changed = proved.clone();
        changed[at].1 = flipped(changed[at].1);
        assert_eq!(proof.verify(head, &changed), Err(ProofError::WrongRoot));
        let mut moved = proved.clone();
        moved[at].0 += 1;
        assert!(proof.verify(head, &moved).is_err(), "{indices:?} moved at {at}");
    }
    for size in [head.size - 1, head.size + 1] {
        let other = TreeHead { size, ..*head };
        assert!(proof.verify(&other, &proved).is_err() || same_shape(size, head.size, indices));
    }
}

/// Trees of two sizes can lead along the same path to some leaves; their roots tell them apart.
fn same_shape(one: u64, two: u64, indices: &[u64]) -> bool {
    Multiproof::path_len(indices, one) == Multiproof::path_len(indices, two)
}

#[test]
fn a_multiproof_for_one_leaf_has_the_nodes_of_an_inclusion_proof() {
    let leaves = leaves(77);
    for index in 0..77 {
        let mut one = [Hash::ZERO; 8];
        let mut two = [Hash::ZERO; 8];
        let multiple = prove_multiple(&leaves, &[index as u64], &mut one).expect("it fits");
        let single = prove_inclusion(&leaves, index, &mut two).expect("it fits");
        let mut multiple = multiple.path.to_vec();
        let mut single = single.path.to_vec();
        multiple.sort_unstable();
        single.sort_unstable();
        assert_eq!(multiple, single);
    }
}

#[test]
fn multiproofs_name_ascending_leaves_of_the_tree() {
    let leaves = leaves(6);
    let mut out = [Hash::ZERO; 1];
    for (indices, expected) in [
        (&[][..], ProofError::NoLeaves),
        (&[1, 1], ProofError::NotAscending { position: 1 }),
        (&[0, 3, 2], ProofError::NotAscending { position: 2 }),
        (&[0, 6], ProofError::OutOfRange { index: 6, size: 6 }),
        (&[0, 3], ProofError::WrongLength { expected: 3, found: 1 }),
    ] {
        assert_eq!(prove_multiple(&leaves, indices, &mut out), Err(expected));
    }
    let huge = TreeHead { size: u64::MAX, root: leaves[0] };
    let proved = [(0, leaves[0]), (u64::MAX - 1, leaves[1])];
    let path = [Hash::ZERO; 125];
    assert_eq!(Multiproof::path_len(&[0, u64::MAX - 1], u64::MAX), Ok(125));
    let proof = Multiproof { path: &path };
    assert_eq!(proof.verify(&huge, &proved), Err(ProofError::WrongRoot));
}

/// Counts what it is asked to hash.
struct Counting(usize);

impl HashPairs for Counting {
    fn hash_messages(&mut self, messages: &[TwoBlocks], hashes: &mut [Hash]) {
        assert_eq!(messages.len(), hashes.len());
        self.0 += messages.len();
        OneByOne.hash_messages(messages, hashes);
    }
}

#[test]
fn the_root_by_levels_is_that_of_the_stream() {
    for count in 0..300 {
        let mut leaves = leaves(count);
        let root = MerkleTree::root_of(&leaves);
        let mut pairs = Counting(0);
        assert_eq!(root_by_levels(&mut leaves, &mut pairs), root);
        assert_eq!(pairs.0 as u64, count.saturating_sub(1));
    }
}

proptest! {
    #[test]
    fn multiproofs_of_larger_trees_hold(
        size in 1_u64..400,
        picks in proptest::collection::btree_set(0_u64..400, 1..30),
    ) {
        let leaves = leaves(size);
        let indices: Vec<_> = picks.into_iter().filter(|index| *index < size).collect();
        let mut out = [Hash::ZERO; 256];
        let Ok(proof) = prove_multiple(&leaves, &indices, &mut out) else {
            prop_assert!(indices.is_empty());
            return Ok(());
        };
        let proved: Vec<_> = indices.iter().map(|at| (*at, leaves[*at as usize])).collect();
        prop_assert_eq!(proof.verify(&head(&leaves), &proved), Ok(()));
    }
}

/// Source: `transparency-dev/merkle`, `testdata`: probes of the subtree extension, mostly negative.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn probes_of_subtree_proofs_are_judged_as_published() {
    let dir = std::env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of vectors");
    let mut probes = 0;
    for (name, verify) in [
        ("rfc6962-subtreeinclusion.json", inclusion_probe as fn(&str) -> Option<()>),
        ("rfc6962-subtreeconsistency.json", consistency_probe),
    ] {
        let text = std::fs::read_to_string(format!("{dir}/ledger/{name}")).expect("it is there");
        for line in text.lines().filter(|line| line.contains("wantErr")) {
            let refused = field(line, "wantErr") == "true";
            assert_eq!(verify(line).is_none(), refused, "{line}");
            probes += 1;
        }
    }
    assert_eq!(probes, 161);
}

fn inclusion_probe(line: &str) -> Option<()> {
    let path = path(line)?;
    let subtree = Subtree::new(number(line, "start")?, number(line, "end")?).ok()?;
    let proof = SubtreeInclusion { subtree, index: number(line, "leafIdx")?, path: &path };
    proof.verify(&hash(field(line, "root"))?, &hash(field(line, "leafHash"))?).ok()
}

fn consistency_probe(line: &str) -> Option<()> {
    let path = path(line)?;
    let subtree = Subtree::new(number(line, "start")?, number(line, "end")?).ok()?;
    // One probe only asks whether two texts are equal, which are no hashes.
    let root =
        |key| hash(field(line, key)).unwrap_or_else(|| Hash::of(field(line, key).as_bytes()));
    let one = root("root1");
    let two = root("root2");
    let size = number(line, "size")?;
    let tree = TreeHead { size, root: two };
    SubtreeConsistency { subtree, path: &path }.verify(&tree, &one).ok()
}

fn path(line: &str) -> Option<Vec<Hash>> {
    field(line, "proof").split('"').skip(1).step_by(2).map(hash).collect()
}

fn number(line: &str, key: &str) -> Option<u64> {
    field(line, key).parse().ok()
}
