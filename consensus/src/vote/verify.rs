//! Signatures, behind a trait so that simulations can use cheaper ones.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::id::ValidatorId;
use crate::invariant::invariant;

/// Checks signatures.
pub trait Verify {
    /// Returns whether `author` signed `message`.
    fn verify(&self, author: &ValidatorId, message: &[u8], signature: &[u8; 64]) -> bool;
}

/// Signs for one validator, and checks the signatures of all.
///
/// The same message must give the same signature: a machine that restarts signs again what it signed before.
pub trait Keys: Verify {
    /// Returns the validator that signs.
    fn id(&self) -> ValidatorId;

    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Ed25519 (RFC 8032) by the strict rule of `ed25519-dalek`. Checks only.
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ed25519;

/// An Ed25519 key that signs. `Debug` shows the public half.
///
/// ```
/// use consensus::{Ed25519, Ed25519Key, Keys, Verify};
///
/// let key = Ed25519Key::from_secret(&[1; 32]);
/// let signature = key.sign(b"block 1");
/// assert!(Ed25519.verify(&key.id(), b"block 1", &signature));
/// assert!(!Ed25519.verify(&key.id(), b"block 2", &signature));
/// ```
#[derive(Clone)]
pub struct Ed25519Key(SigningKey);

impl Ed25519Key {
    /// Creates a key from its 32 secret bytes.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }
}

impl Verify for Ed25519 {
    fn verify(&self, author: &ValidatorId, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        let Ok(key) = VerifyingKey::from_bytes(&author.0) else { return false };
        key.verify_strict(message, &signature).is_ok()
    }
}

impl Verify for Ed25519Key {
    fn verify(&self, author: &ValidatorId, message: &[u8], signature: &[u8; 64]) -> bool {
        Ed25519.verify(author, message, signature)
    }
}

impl Keys for Ed25519Key {
    fn id(&self) -> ValidatorId {
        ValidatorId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signed = self.0.try_sign(message);
        invariant!(signed.is_ok(), "a key in memory signs everything");
        signed.map_or([0; 64], |signature| signature.to_bytes())
    }
}

impl core::fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Ed25519Key").field(&self.id()).finish()
    }
}
