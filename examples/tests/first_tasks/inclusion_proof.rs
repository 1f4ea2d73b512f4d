//! Verify that a record is in a tree, given the head of the tree and a proof from the network.

use ledger_core::{Hash, Inclusion, MerkleTree, ProofError, TreeHead, prove_inclusion};

/// Returns whether the proof shows that the record has this position in the tree.
fn is_included(record: &[u8], index: u64, path: &[Hash], head: &TreeHead) -> bool {
    Inclusion { index, path }.verify(head, &MerkleTree::leaf(record)).is_ok()
}

#[test]
fn a_proof_holds_for_its_record_and_position_only() -> Result<(), ProofError> {
    let leaves: Vec<Hash> = (0..5).map(|n| MerkleTree::leaf(&[n])).collect();
    let head = TreeHead { size: 5, root: MerkleTree::root_of(&leaves) };

    let mut path = [Hash::ZERO; 64];
    let proof = prove_inclusion(&leaves, 3, &mut path)?; // made by a node that has all leaves
    assert!(is_included(&[3], 3, proof.path, &head));
    assert!(!is_included(&[4], 3, proof.path, &head));
    assert!(!is_included(&[3], 2, proof.path, &head));
    Ok(())
}
