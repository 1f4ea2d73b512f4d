//! What must hold for any bytes. Each body is an ordinary function: the property tests, the replay of
//! the corpus and the fuzz targets all call the same ones.

pub mod conservation;
mod contracts;
mod gossip;
mod join;
mod log;
mod mempool;
mod merkle;
mod node;
mod presync;
mod stateless;
mod witness;

use std::collections::BTreeMap;

use ledger_core::ledger::{EscrowCall, OutputCall};
use ledger_core::state::{Key, MapProof, Store, Trie, Value};
use ledger_core::{
    Block, Consistency, GenesisId, Hash, Header, Inclusion, MerkleTree, SealedHeader,
    SignedTransaction, Slot, TreeHead, prove_consistency, prove_inclusion,
};
use sim::laws::Input;

/// A function that must hold for any bytes.
pub type Body = fn(&[u8]);

/// All bodies by name.
pub const BODIES: &[(&str, Body)] = &[
    ("ledger_header", header),
    ("ledger_transaction", transaction),
    ("ledger_block", block),
    ("ledger_proof", proof),
    ("ledger_tree", tree),
    ("ledger_log_texts", log::texts),
    ("ledger_log_follow", log::follow),
    ("ledger_log_issue", log::issue),
    ("ledger_merkle_proofs", merkle::proofs),
    ("ledger_merkle_trees", merkle::trees),
    ("ledger_state", state),
    ("ledger_map_proof", map_proof),
    ("ledger_contracts", contracts::contracts),
    ("ledger_conservation", conservation::conservation),
    ("ledger_mempool", mempool::mempool),
    ("ledger_gossip", gossip::laws),
    ("ledger_gossip_message", gossip::message),
    ("ledger_node", node::laws),
    ("ledger_node_arrival", node::arrival),
    ("ledger_node_snapshot", node::snapshot),
    ("ledger_header_follower", join::headers),
    ("ledger_join", join::chunks),
    ("ledger_presync", presync::presync),
    ("ledger_stateless", stateless::stateless),
    ("ledger_log_witness", witness::witness),
];

/// A header that decodes encodes back to the same bytes.
pub fn header(bytes: &[u8]) {
    if let Ok((header, rest)) = Header::decode(bytes) {
        let mut out = vec![0; header.encoded_len()];
        assert_eq!(header.encode(&mut out), Ok(bytes.len() - rest.len()));
        assert_eq!(out, bytes[..out.len()]);
        assert!(header.preimage(&GenesisId::default()).as_bytes().ends_with(&out));
        assert!(!header.to_string().is_empty());
    }
    if let Ok((sealed, rest)) = SealedHeader::decode(bytes) {
        let mut out = vec![0; sealed.encoded_len()];
        assert_eq!(sealed.encode(&mut out), Ok(bytes.len() - rest.len()));
        assert_eq!(out, bytes[..out.len()]);
    }
}

/// There is one spelling for every transaction, and for every call of a contract.
pub fn transaction(bytes: &[u8]) {
    if let Ok((call, rest)) = EscrowCall::decode(bytes) {
        let mut out = [0; EscrowCall::MAX_LEN];
        let len = call.encode(&mut out).expect("MAX_LEN suffices");
        assert_eq!(&out[..len], &bytes[..bytes.len() - rest.len()]);
    }
    if let Ok((call, rest)) = OutputCall::decode(bytes) {
        let mut out = vec![0; bytes.len()];
        let len = call.encode(&mut out).expect("it is no longer than it was");
        assert_eq!(&out[..len], &bytes[..bytes.len() - rest.len()]);
    }
    if let Ok((signed, rest)) = SignedTransaction::decode(bytes) {
        assert_eq!(signed.as_bytes(), &bytes[..bytes.len() - rest.len()]);
        assert!(signed.transaction().body_len() < signed.as_bytes().len());
        let _ = signed.verify(&GenesisId::default());
        assert!(!signed.to_string().is_empty());
    }
}

/// A block that decodes encodes back.
pub fn block(bytes: &[u8]) {
    let Ok((block, rest)) = Block::decode(bytes) else { return };
    let mut out = vec![0; block.encoded_len()];
    assert_eq!(block.encode(&mut out), Ok(bytes.len() - rest.len()));
    assert_eq!(out, bytes[..out.len()]);
    assert_eq!(block.body().iter().count(), block.body().len() as usize);
    assert_eq!(ledger_core::Body::from_bytes(block.body().as_bytes()), Ok(block.body()));
}

/// No proof of any size, index or length makes the verifier panic or run long.
pub fn proof(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (first, second) = (input.u64(), input.u64());
    let (root, leaf) = (Hash::from_bytes(input.array()), Hash::from_bytes(input.array()));
    let mut path = Vec::new();
    while !input.is_empty() {
        path.push(Hash::from_bytes(input.array()));
    }
    let larger = TreeHead { size: second, root };
    let inclusion = Inclusion { index: first, path: &path };
    if inclusion.verify(&larger, &leaf).is_ok() {
        assert!(path.len() <= 64 && first < second);
    }
    let smaller = TreeHead { size: first, root: leaf };
    if (Consistency { path: &path }).verify(&smaller, &larger).is_ok() {
        assert!(path.len() <= 65 && 0 < first && first <= second);
    }
}

/// Every proof made verifies, and the constant-space root is the recursive one of RFC 6962.
pub fn tree(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (index, first) = (input.below(256), input.below(256));
    let leaves: Vec<_> = bytes.iter().take(80).map(|byte| MerkleTree::leaf(&[*byte])).collect();
    let root = MerkleTree::root_of(&leaves);
    assert_eq!(root, recursive(&leaves));
    let head = TreeHead { size: leaves.len() as u64, root };
    let mut out = [Hash::default(); 65];
    match prove_inclusion(&leaves, index, &mut out) {
        Ok(proof) => assert_eq!(proof.verify(&head, &leaves[index]), Ok(())),
        Err(_) => assert!(index >= leaves.len()),
    }
    match prove_consistency(&leaves, first, &mut out) {
        Ok(proof) => {
            let root = MerkleTree::root_of(&leaves[..first]);
            assert_eq!(proof.verify(&TreeHead { size: first as u64, root }, &head), Ok(()));
        }
        Err(_) => assert!(first == 0 || first > leaves.len()),
    }
}

/// The definition of RFC 6962, section 2.1, word by word.
fn recursive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = (recursive(&leaves[..k]), recursive(&leaves[k..]));
            let mut bytes = vec![1];
            bytes.extend(left.as_bytes());
            bytes.extend(right.as_bytes());
            Hash::of(&bytes)
        }
    }
}

/// The map agrees with an ordered map, whatever is written, removed and undone; every proof verifies, and gives the
/// root after any write; what was taken back leaves every byte as it was.
pub fn state(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut trie = Trie::new([Slot::EMPTY; 8]);
    let mut model: BTreeMap<Key, Value> = BTreeMap::new();
    while !input.is_empty() {
        let key = Key::new(input.byte() % 4, &[input.byte() % 4]);
        let value = Value::new(&[input.byte()]).filter(|_| input.below(3) > 0);
        let root = trie.root();
        let before = trie.clone();
        let mut buf = [0; 66 + 33 * 8];
        let proof = trie.prove(&key, &mut buf).expect("eight entries");
        let known = model.get(&key).copied();
        assert_eq!(proof.verify(&root, &key), Ok(known.map(|value| value.hash())));
        let predicted = proof.root_after(&key, value.map(|value| value.hash()).as_ref());
        let Ok(old) = trie.replace(&key, value.as_ref()) else {
            assert!(model.len() == 8 && known.is_none() && value.is_some());
            assert_eq!(trie, before);
            continue;
        };
        assert_eq!(old, known);
        assert_eq!(trie.root(), predicted);
        if input.below(2) == 0 {
            assert_eq!(trie.replace(&key, known.as_ref()), Ok(value));
            assert_eq!(trie.root(), root);
            assert_eq!(trie, before);
            continue;
        }
        match value {
            Some(value) => model.insert(key, value),
            None => model.remove(&key),
        };
    }
    assert_eq!(trie.len(), model.len());
    assert!(model.iter().all(|(key, value)| trie.value(key) == Some(*value)));
    let mut in_order = Trie::new([Slot::EMPTY; 8]);
    for (key, value) in &model {
        in_order.replace(key, Some(value)).expect("there is room");
    }
    assert_eq!(trie.root(), in_order.root(), "the root depends on the entries alone");
}

/// No proof makes the verifier panic, and one that decodes has one spelling.
pub fn map_proof(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let root = Hash::from_bytes(input.array());
    let key = Key::from_bytes(input.array());
    let rest = bytes.get(64..).unwrap_or_default();
    if let Ok((proof, after)) = MapProof::decode(rest) {
        assert_eq!(proof.as_bytes(), &rest[..rest.len() - after.len()]);
        let _ = proof.verify(&root, &key);
        let _ = proof.root_after(&key, None);
        let _ = proof.root_after(&key, Some(&root));
    }
}
