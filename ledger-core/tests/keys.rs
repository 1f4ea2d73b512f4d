//! Keys and policies: published edge cases, and who may sign for an account.

mod common;

use common::{World, key};
use ledger_core::{
    Action, DecodeError, GenesisId, Policy, PolicyError, PublicKey, SignError, Signable, Signature,
    SignedTransaction, Transaction,
};

struct Raw(Vec<u8>);

impl Signable for Raw {
    type Bytes = Vec<u8>;

    fn signing_bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}

/// Source: `ed25519-speccheck`, "Taming the many `EdDSAs`". The strict rule refuses all cases but number 3, whose key and
/// point R are of mixed order.
#[test]
#[ignore = "needs VECTORS_DIR"]
fn twelve_edge_cases_of_ed25519() {
    let dir = std::env::var("VECTORS_DIR").expect("VECTORS_DIR names the folder of vectors");
    let file = format!("{dir}/chain/ed25519-speccheck.json");
    let text = std::fs::read_to_string(file).expect("the file is there");
    let values = |name: &str| -> Vec<String> {
        let name = format!("\"{name}\": ");
        text.split(&name)
            .skip(1)
            .map(|rest| {
                rest.split([',', '\n']).next().expect("a value").trim_matches('"').to_owned()
            })
            .collect()
    };
    let messages = values("message");
    let keys = values("pub_key");
    let signatures = values("signature");
    let strict = values("verify_strict");
    assert_eq!(messages.len(), 12);
    for case in 0..12 {
        let key = PublicKey::from_bytes(bytes(&keys[case]).try_into().expect("32 bytes"));
        let signature = bytes(&signatures[case]).try_into().expect("64 bytes");
        let signature = Signature::from_bytes(signature);
        let verified = key.verify(&Raw(bytes(&messages[case])), &signature).is_ok();
        assert_eq!(verified, strict[case] == "true", "case {case}");
        assert_eq!(verified, case == 3, "case {case}");
    }
}

fn sorted_keys(numbers: &[u8]) -> Vec<[u8; 32]> {
    let mut keys: Vec<_> = numbers.iter().map(|n| *key(*n).public().as_bytes()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn policies_have_one_form() {
    let keys = sorted_keys(&[1, 2, 3]);
    assert!(Policy::threshold(3, &keys).is_ok());
    assert_eq!(Policy::threshold(1, &keys[..1]), Err(PolicyError::KeyCount(1)));
    assert_eq!(Policy::threshold(1, &[[0; 32]; 17]), Err(PolicyError::KeyCount(17)));
    let required = |required| Err(PolicyError::Required { required, keys: 3 });
    assert_eq!(Policy::threshold(0, &keys), required(0));
    assert_eq!(Policy::threshold(4, &keys), required(4));
    let mut swapped = keys.clone();
    swapped.swap(0, 1);
    assert_eq!(Policy::threshold(2, &swapped), Err(PolicyError::Unsorted));
    swapped[0] = swapped[1];
    assert_eq!(Policy::threshold(2, &swapped), Err(PolicyError::Unsorted));
    let accounts = [1, 2, 3].map(|n| Policy::threshold(n, &keys).expect("in range").account());
    assert!(accounts[0] != accounts[1] && accounts[1] != accounts[2]);
    assert_ne!(Policy::Key(key(1).public()).account(), accounts[0]);
}

#[test]
fn a_threshold_account_pays_with_enough_signatures_only() {
    let mut world = World::new();
    let keys = sorted_keys(&[4, 5, 6]);
    let policy = Policy::threshold(2, &keys).expect("two of three");
    world.act(0, 0, Action::Pay { to: policy.account(), amount: 100 });
    world.append();
    let pay = Action::Pay { to: key(1).account(), amount: 30 };
    let transaction = Transaction::new(policy.account(), 0, pay);
    let mut buf = [0; Transaction::MAX_THRESHOLD_LEN];
    let statement = transaction.statement(&world.genesis(), &mut buf).expect("short");
    let by = |n| (key(n).public(), key(n).sign(&statement));
    for (signatures, expected) in [
        (vec![by(4)], SignError::WrongSignatures),
        (vec![by(4), by(4)], SignError::WrongSignatures),
        (vec![by(4), by(7)], SignError::WrongSignatures),
        (vec![by(4), by(5), by(6)], SignError::WrongSignatures),
    ] {
        assert_eq!(transaction.assemble(&policy, &signatures, &mut buf), Err(expected));
    }
    let other = Policy::threshold(1, &keys).expect("one of three");
    let wrong = transaction.assemble(&other, &[by(4)], &mut buf);
    assert_eq!(wrong, Err(SignError::WrongKey));

    // A forged signature has the right form and fails later.
    let forged = [by(4), (key(5).public(), key(7).sign(&statement))];
    let signed = transaction.assemble(&policy, &forged, &mut buf).expect("the form is right");
    assert!(signed.verify(&world.genesis()).is_err());

    let signed = transaction.assemble(&policy, &[by(6), by(4)], &mut buf).expect("any order");
    assert_eq!(signed.verify(&world.genesis()), Ok(()));
    world.body = signed.as_bytes().to_vec();
    world.append();
    assert_eq!(world.chain.state().balance(&policy.account()), 70);
}

/// Every single changed bit of a threshold approval is refused.
#[test]
fn a_changed_approval_is_refused() {
    let world = World::new();
    let keys = sorted_keys(&[4, 5]);
    let policy = Policy::threshold(2, &keys).expect("two of two");
    let transaction = Transaction::new(policy.account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_THRESHOLD_LEN];
    let statement = transaction.statement(&world.genesis(), &mut buf).expect("short");
    let signatures = [4, 5].map(|n| (key(n).public(), key(n).sign(&statement)));
    let signed = transaction.assemble(&policy, &signatures, &mut buf).expect("both");
    let original = signed.as_bytes().to_vec();
    for bit in 0..original.len() * 8 {
        let mut changed = original.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted = SignedTransaction::decode(&changed)
            .is_ok_and(|(signed, rest)| rest.is_empty() && signed.verify(&world.genesis()).is_ok());
        assert!(!accepted, "bit {bit}");
    }
}

/// Signatures stand in the order of their keys, each key once, and no index names a key that is not there.
#[test]
fn signatures_out_of_order_are_malformed() {
    let genesis = GenesisId::default();
    let mut pairs = [1, 2, 3].map(key);
    pairs.sort_unstable_by_key(|pair| *pair.public().as_bytes());
    let keys = [0, 1, 2].map(|n: usize| *pairs[n].public().as_bytes());
    let policy = Policy::threshold(2, &keys).expect("two of three");
    let transaction = Transaction::new(policy.account(), 0, Action::Record(b"x"));
    let mut buf = [0; Transaction::MAX_THRESHOLD_LEN];
    let statement = transaction.statement(&genesis, &mut buf).expect("short");
    let signatures = [0, 2].map(|n: usize| (pairs[n].public(), pairs[n].sign(&statement)));
    let signed = transaction.assemble(&policy, &signatures, &mut buf).expect("two of three");
    let bytes = signed.as_bytes().to_vec();
    let first = bytes.len() - 2 * 65;
    let second = bytes.len() - 65;
    assert_eq!((bytes[first], bytes[second]), (0, 2));
    for (one, two, is_well_formed) in [
        (0, 2, true),
        (0, 1, true),
        (1, 2, true),
        (2, 0, false),
        (1, 1, false),
        (0, 3, false),
        (3, 4, false),
        (0, 255, false),
    ] {
        let mut bytes = bytes.clone();
        bytes[first] = one;
        bytes[second] = two;
        let decoded = SignedTransaction::decode(&bytes).map(|(signed, _)| signed.verify(&genesis));
        let expected = if is_well_formed { Ok(()) } else { Err(DecodeError::MalformedPolicy) };
        assert_eq!(decoded.map(|_| ()), expected, "{one} and {two}");
        assert_eq!(decoded == Ok(Ok(())), (one, two) == (0, 2), "{one} and {two}");
    }
}
