//! Keys of signed notes: verifier keys, signer keys and their ids (C2SP signed-note, tlog-cosignature).

use core::fmt;

use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use thiserror::Error;

use super::text::{TextWriter, parse_array};
use crate::hash::Hash;
use crate::hex::Hex;
use crate::invariant::invariant;

/// The first four bytes of the SHA-256 of name, line feed, kind and public key. It selects a key; it proves
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyId([u8; 4]);

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyKind {
    /// Type 0x01: Ed25519 over the text of a note.
    Note,
    /// Type 0x04: a witness's Ed25519 over the time and the text of a checkpoint.
    Cosigner,
}

/// A public key with its name, as it is handed around: `name+hexadecimal id+base64`.
///
/// ```
/// use ledger_core::log::{KeyKind, VerifierKey};
///
/// let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
/// let key = VerifierKey::parse(text)?;
/// assert_eq!(key.name(), "example.com/foo");
/// assert_eq!(key.kind(), KeyKind::Note);
/// assert_eq!(key.to_string(), text);
/// # Ok::<(), ledger_core::log::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifierKey<'k> {
    name: &'k str,
    kind: KeyKind,
    id: KeyId,
    key: [u8; 32],
}

/// A private key with its name. Its `Debug` output does not contain the secret.
#[derive(Clone)]
pub struct SignerKey<'k> {
    public: VerifierKey<'k>,
    secret: SigningKey,
}

/// A key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyError {
    /// The text does not consist of name, id and key, separated by `+`.
    #[error("a verifier key is name+id+key")]
    Parts,
    /// The name is empty or contains white space, a control character or `+`.
    #[error("invalid key name")]
    Name,
    /// The id is not eight hexadecimal digits, or not that of this name and key.
    #[error("the key id does not belong to this name and key")]
    Id,
    /// The key is not base64 of a known kind and 32 bytes.
    #[error("unknown or malformed key")]
    Key,
    /// The 32 bytes do not encode a point of the curve, or one of small order.
    #[error("weak or invalid public key")]
    Weak,
}

impl KeyId {
    /// Takes four bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Returns the four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl KeyKind {
    /// Returns the byte that stands before the key.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosigner => 0x04,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x01 => Some(Self::Note),
            0x04 => Some(Self::Cosigner),
            _ => None,
        }
    }
}

impl<'k> VerifierKey<'k> {
    /// Names a public key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`], or [`KeyError::Weak`] for a key that no signature should count for.
    pub fn new(name: &'k str, kind: KeyKind, key: [u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let point = VerifyingKey::from_bytes(&key).map_err(|_| KeyError::Weak)?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { name, kind, id: id_of(name, kind, &key), key })
    }

    /// Parses `name+id+key`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the part that is wrong.
    pub fn parse(text: &'k str) -> Result<Self, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Parts)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Parts)?;
        let [code, key @ ..] = parse_array::<33>(key).ok_or(KeyError::Key)?;
        let kind = KeyKind::from_code(code).ok_or(KeyError::Key)?;
        let key = Self::new(name, kind, key)?;
        let canonical = id.len() == 8 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
        match u32::from_str_radix(id, 16) {
            Ok(number) if canonical && number.to_be_bytes() == key.id.0 => Ok(key),
            _ => Err(KeyError::Id),
        }
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &'k str {
        self.name
    }

    /// Returns what the key signs.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the id that stands before each signature.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the 32 bytes of the Ed25519 public key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.key
    }

    /// Returns whether a signature is good, by the strict rule of [`ed25519_dalek`].
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl<'k> SignerKey<'k> {
    /// Derives a key from 32 secret bytes (the RFC 8032 private key), which must be random.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`].
    pub fn from_seed(name: &'k str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, kind, secret.verifying_key().to_bytes())?;
        Ok(Self { public, secret })
    }

    /// Returns the public half.
    #[must_use]
    pub const fn verifier(&self) -> VerifierKey<'k> {
        self.public
    }

    /// Signs a message that consists of these parts. Private: notes and checkpoints are the only messages.
    pub(super) fn sign(&self, message: &[&[u8]]) -> [u8; 64] {
        let signed = self.secret.try_multipart_sign(message);
        invariant!(signed.is_ok(), "a key in memory signs everything");
        signed.map_or([0; 64], |signature| signature.to_bytes())
    }
}

/// Returns whether a name may stand in a note: not empty, without white space, control characters and `+`.
pub(super) fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(forbidden)
}

fn id_of(name: &str, kind: KeyKind, key: &[u8; 32]) -> KeyId {
    let hash = Hash::of_parts(&[name.as_bytes(), b"\n", &[kind.code()], key]);
    let [a, b, c, d, ..] = *hash.as_bytes();
    KeyId([a, b, c, d])
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

/// `name+id+key`, as [`VerifierKey::parse`] reads it.
impl fmt::Display for VerifierKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 33];
        if let Some((code, key)) = bytes.split_first_mut() {
            *code = self.kind.code();
            key.copy_from_slice(&self.key);
        }
        let mut text = [0; 44];
        let mut out = TextWriter::new(&mut text);
        out.put_base64(&bytes);
        let len = out.finish().map_err(|_| fmt::Error)?;
        let key = text.get(..len).and_then(|text| core::str::from_utf8(text).ok());
        write!(f, "{}+{}+{}", self.name, self.id, key.ok_or(fmt::Error)?)
    }
}

impl fmt::Debug for VerifierKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SignerKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey of {:?}", self.public)
    }
}
