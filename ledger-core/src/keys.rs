//! Ed25519 keys (RFC 8032) and what they may sign.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;

use crate::hash::bytes32;
use crate::hex::Hex;
use crate::invariant::invariant;

bytes32! {
    /// The public half of a key pair. `Display` is hexadecimal.
    PublicKey
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Signature([u8; 64]);

/// A secret key with its public half. It signs only [`Signable`] values, has no `Debug` output of the secret, and
/// overwrites the secret when it is dropped.
///
/// Any number of accounts costs nothing: each pair is one.
///
/// ```
/// use ledger_core::KeyPair;
///
/// let ann = KeyPair::from_secret(&[1; 32]); // use 32 random bytes
/// println!("{} pays from {}", ann.public(), ann.account());
/// ```
#[derive(Clone)]
pub struct KeyPair(SigningKey);

/// A value that a key may sign. The bytes begin with a domain string of the implementor, so that a signature of one
/// kind of value is never one of another kind.
///
/// ```
/// use ledger_core::{KeyPair, Signable};
///
/// /// A temperature in degrees Celsius.
/// struct Reading(i16);
///
/// impl Signable for Reading {
///     type Bytes = Vec<u8>;
///     fn signing_bytes(&self) -> Vec<u8> {
///         [&b"example.org/reading\0"[..], &self.0.to_be_bytes()].concat()
///     }
/// }
///
/// let sensor = KeyPair::from_secret(&[1; 32]);
/// let signature = sensor.sign(&Reading(21));
/// assert!(sensor.public().verify(&Reading(21), &signature).is_ok());
/// assert!(sensor.public().verify(&Reading(22), &signature).is_err());
/// ```
pub trait Signable {
    /// The bytes that are signed.
    type Bytes: AsRef<[u8]>;

    /// Returns the bytes that are signed: a domain string, then everything the signature is to cover.
    fn signing_bytes(&self) -> Self::Bytes;
}

/// The signature does not fit the value and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the signature does not verify")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct BadSignature;

impl PublicKey {
    /// Verifies the signature of a value.
    ///
    /// The rule is `verify_strict` of `ed25519-dalek`: keys and points of small order, a non-canonical point R and
    /// S >= L are refused. Keys and points of mixed order are accepted (case 3 of ed25519-speccheck). Every node of a
    /// chain must use this one rule; `verify` and batches answer differently on such signatures.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify.
    pub fn verify<M: Signable>(
        &self,
        value: &M,
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify_bytes(value.signing_bytes().as_ref(), signature)
    }

    pub(crate) fn verify_bytes(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let key = VerifyingKey::from_bytes(self.as_bytes()).map_err(|_| BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(message, &signature).map_err(|_| BadSignature)
    }
}

impl Signature {
    /// Wraps 64 bytes without checking them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Returns the 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl KeyPair {
    /// Derives the pair from 32 secret bytes (the RFC 8032 private key), which must be random.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs a value. The same value always gets the same signature.
    #[must_use]
    pub fn sign<M: Signable>(&self, value: &M) -> Signature {
        let signed = self.0.try_sign(value.signing_bytes().as_ref());
        invariant!(signed.is_ok(), "a key in memory signs everything");
        Signature(signed.map_or([0; 64], |signature| signature.to_bytes()))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({:.16})", self.public())
    }
}
