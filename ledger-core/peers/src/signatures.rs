//! `PublicKey::verify`, which is strict, beside `ed25519-consensus` (ZIP 215) and `ring`.
//!
//! 64 keys, messages of 120 bytes; the best of ten rounds, the three in turn. The rules differ in what they accept of unusual
//! signatures; on those measured here all agree.

use std::hint::black_box;

use ledger_core::{KeyPair, PublicKey, Signable, Signature};

use crate::cpu::cpu_seconds;

const KEYS: usize = 64;
const ROUNDS: usize = 10;

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

/// Prints the checks a second.
pub fn compare() {
    let all: Vec<Signed> = (0..KEYS)
        .map(|n| {
            let pair = KeyPair::from_secret(&[n as u8 + 1; 32]);
            let message = Message([n as u8; 120]);
            Signed { key: pair.public(), message, signature: pair.sign(&message) }
        })
        .collect();
    let checks: [(&str, fn(&Signed) -> bool); 3] =
        [("ledger-core", strict), ("ed25519-consensus", consensus), ("ring", ring)];
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        for ((name, check), best) in checks.iter().zip(&mut best) {
            let start = cpu_seconds();
            for signed in &all {
                assert!(check(black_box(signed)), "{name}");
            }
            *best = best.min((cpu_seconds() - start) / KEYS as f64);
        }
    }
    let mut forged = all;
    for signed in &mut forged {
        signed.message.0[0] ^= 1;
    }
    for (name, check) in checks {
        assert!(!forged.iter().any(check), "{name} accepts a signature of another message");
    }
    for ((name, _), best) in checks.iter().zip(best) {
        println!("{name:>18}: {:>7.0} checks a second, {:.1} us each", 1.0 / best, best * 1e6);
    }
}
