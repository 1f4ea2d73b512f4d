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

#[derive(Clone, Copy)]
struct Signed {
    key: PublicKey,
    message: Message,
    signature: Signature,
}

impl Signed {
    /// Returns the same with another message.
    fn forged(&self) -> Self {
        let mut forged = *self;
        forged.message.0[0] ^= 1;
        forged
    }
}

type Check = fn(&Signed) -> bool;

pub fn measure() -> String {
    let all: Vec<Signed> = (0..KEYS)
        .map(|n| {
            let pair = KeyPair::from_secret(&[n as u8 + 1; 32]);
            let message = Message([n as u8; 120]);
            Signed { key: pair.public(), message, signature: pair.sign(&message) }
        })
        .collect();
    let checks: [(&str, Check); 3] = [
        ("`PublicKey::verify`, strict", strict),
        ("ed25519-consensus 2.1", consensus),
        ("ring 0.17", ring),
    ];
    let forged: Vec<Signed> = all.iter().map(Signed::forged).collect();
    let mut text = String::new();
    for (title, signed, is_good) in [
        ("check of an Ed25519 signature", &all, true),
        ("check of a signature of another message, refused", &forged, false),
    ] {
        let contestants = checks.map(|(name, check)| {
            let check = move |signed| check(black_box(signed)) == is_good;
            Contestant::new(name, move || assert!(signed.iter().all(check)))
        });
        text += &table(title, KEYS, MICROSECONDS, 10, contestants.into());
        text.push('\n');
    }
    text.trim_end().to_owned() + "\n"
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
