//! `PublicKey::verify`, which is strict, beside `ed25519-consensus` (ZIP 215) and `ring`: 64 keys, messages of 120 bytes.
//!
//! The rules differ in what they accept of unusual signatures; on those measured here all agree.

use std::hint::black_box;

use ledger_core::{KeyPair, PublicKey, Signable, Signature};

use crate::measure::{Contestant, MICROSECONDS, table};

const KEYS: usize = 64;

#[derive(Clone, Copy)]
struct Message([u8; 120]);

impl Signable for Message {
    type Bytes = [u8; 120];

    fn signing_bytes(&self) -> Self::Bytes {
        self.0
    }
}

struct Signed {
    key: PublicKey,
    message: Message,
    signature: Signature,
}

pub fn measure() -> String {
    let all: Vec<Signed> = (0..KEYS)
        .map(|n| {
            let pair = KeyPair::from_secret(&[n as u8 + 1; 32]);
            let message = Message([n as u8; 120]);
            Signed { key: pair.public(), message, signature: pair.sign(&message) }
        })
        .collect();
    let checks: [(&str, fn(&Signed) -> bool); 3] = [
        ("`PublicKey::verify`, strict", strict),
        ("ed25519-consensus 2.1", consensus),
        ("ring 0.17", ring),
    ];
    for (name, check) in checks {
        let forged = |signed: &Signed| {
            let mut message = signed.message;
            message.0[0] ^= 1;
            check(&Signed { message, ..*signed })
        };
        assert!(!all.iter().any(forged), "{name} accepts a signature of another message");
    }
    let contestants = checks.map(|(name, check)| {
        let all = &all;
        Contestant::new(name, move || assert!(all.iter().all(|signed| check(black_box(signed)))))
    });
    table("check of an Ed25519 signature", KEYS, MICROSECONDS, 10, contestants.into())
}

fn strict(signed: &Signed) -> bool {
    signed.key.verify(&signed.message, &signed.signature).is_ok()
}

fn consensus(signed: &Signed) -> bool {
    let key = ed25519_consensus::VerificationKey::try_from(*signed.key.as_bytes());
    let signature = ed25519_consensus::Signature::from(*signed.signature.as_bytes());
    key.is_ok_and(|key| key.verify(&signature, &signed.message.0).is_ok())
}

fn ring(signed: &Signed) -> bool {
    let key =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, signed.key.as_bytes());
    key.verify(&signed.message.0, signed.signature.as_bytes()).is_ok()
}
