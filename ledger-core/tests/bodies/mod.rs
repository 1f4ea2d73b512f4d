//! What must hold for any bytes. Each body is an ordinary function: the property tests, the replay of
//! the corpus and the fuzz targets all call the same ones.

mod merkle;

use std::collections::BTreeMap;

use ledger_core::{
    Account, Action, AssetId, Block, ChainId, Consistency, Hash, Header, Inclusion, MerkleTree,
    SignedTransaction, Slot, State, Transaction, TransactionError, prove_consistency,
    prove_inclusion,
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
    ("ledger_merkle_proofs", merkle::proofs),
    ("ledger_merkle_trees", merkle::trees),
    ("ledger_state", state),
];

/// A header that decodes encodes back to the same bytes.
pub fn header(bytes: &[u8]) {
    if let Ok((header, rest)) = Header::decode(bytes) {
        assert_eq!(header.to_bytes(), bytes[..bytes.len() - rest.len()]);
        assert!(!header.to_string().is_empty());
    }
}

/// There is one spelling for every transaction.
pub fn transaction(bytes: &[u8]) {
    if let Ok((signed, rest)) = SignedTransaction::decode(bytes) {
        assert_eq!(signed.as_bytes(), &bytes[..bytes.len() - rest.len()]);
        assert_eq!(signed.as_bytes().len(), signed.transaction().signed_len());
        let _ = signed.verify();
        assert!(!signed.to_string().is_empty());
    }
}

/// A block that decodes encodes back, and its transactions read the same from both ends.
pub fn block(bytes: &[u8]) {
    let Ok((block, rest)) = Block::decode(bytes) else { return };
    let mut out = vec![0; block.encoded_len()];
    assert_eq!(block.encode(&mut out), Ok(bytes.len() - rest.len()));
    assert_eq!(out, bytes[..out.len()]);
    let forward: Vec<_> = block.body().iter().collect();
    let mut backward: Vec<_> = block.body().iter().rev().collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(forward.len(), block.body().len() as usize);
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
    let inclusion = Inclusion { index: first, size: second, path: &path };
    if inclusion.verify(&root, &leaf).is_ok() {
        assert!(path.len() <= 64 && first < second);
    }
    let consistency = Consistency { first, second, path: &path };
    if consistency.verify(&root, &leaf).is_ok() {
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
    let mut out = [Hash::default(); 65];
    match prove_inclusion(&leaves, index, &mut out) {
        Ok(proof) => assert_eq!(proof.verify(&root, &leaves[index]), Ok(())),
        Err(_) => assert!(index >= leaves.len()),
    }
    match prove_consistency(&leaves, first, &mut out) {
        Ok(proof) => {
            assert_eq!(proof.verify(&MerkleTree::root_of(&leaves[..first]), &root), Ok(()));
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

/// The state agrees with two maps, conserves coins, and changes nothing on refusal.
pub fn state(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut state = State::new([Slot::EMPTY; 6]);
    let mut accounts: BTreeMap<Account, (u64, u64)> = BTreeMap::new();
    let mut assets: BTreeMap<AssetId, Account> = BTreeMap::new();
    let name = |n: usize| Account::from_bytes([n as u8; 32]);
    for n in 0..input.below(4) {
        state.credit(&name(n), 100).expect("there is room");
        accounts.insert(name(n), (100, 0));
    }
    while !input.is_empty() {
        let source = name(input.below(4));
        let to = name(input.below(5));
        let asset = AssetId([input.below(3) as u8; 32]);
        let fee = u64::from(input.byte() % 3);
        let amount = if input.byte() == 0 { u64::MAX } else { u64::from(input.byte() % 64) };
        let (balance, next) = accounts.get(&source).copied().unwrap_or_default();
        let sequence = if input.byte() < 16 { input.u64() } else { next };
        let action = match input.below(4) {
            0 => Action::Pay { to, amount },
            1 => Action::Mint { asset },
            2 => Action::Give { asset, to },
            _ => Action::Record(b"noted"),
        };
        let transaction = Transaction { chain: ChainId(1), source, sequence, fee, action };
        let before = state.digest();
        let len = state.len();
        let result = state.apply(&transaction);
        if let Err(error) = result {
            assert_eq!((before, len), (state.digest(), state.len()), "{error} changed the state");
            if matches!(error, TransactionError::Full { .. }) {
                assert!(state.len() + 1 >= state.capacity());
            }
            continue;
        }
        assert_eq!(sequence, next);
        let moved = if let Action::Pay { amount, .. } = action { amount } else { 0 };
        accounts.insert(source, (balance.checked_sub(moved + fee).expect("owned"), next + 1));
        match action {
            Action::Pay { to, amount } => accounts.entry(to).or_default().0 += amount,
            Action::Mint { asset } => assert_eq!(assets.insert(asset, source), None),
            Action::Give { asset, to } => assert_eq!(assets.insert(asset, to), Some(source)),
            Action::Record(_) => {}
        }
        accounts.retain(|_, entry| *entry != (0, 0));
    }
    let seen: BTreeMap<_, _> = state.accounts().map(|(a, b, s)| (a, (b, s))).collect();
    assert_eq!(seen, accounts);
    assert!(assets.iter().all(|(asset, owner)| state.owner_of(asset) == Some(*owner)));
    assert_eq!(state.len(), accounts.len() + assets.len());
}
