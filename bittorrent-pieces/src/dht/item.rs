//! Items that nodes store for others (BEP 44): a value under its own hash, or under the key that signs it.

use core::fmt;

use sha1::{Digest as _, Sha1};
use thiserror::Error;

use super::id::NodeId;
use crate::bencode::{BencodeError, Limits, Mode, Value, Writer};
use crate::hex::Hex;

/// The maximum length of a bencoded value in bytes.
pub const MAX_VALUE_LEN: usize = 1_000;
/// The maximum length of a salt in bytes.
pub const MAX_SALT_LEN: usize = 64;
/// The limits of a value: 6 levels, 512 values and keys.
const LIMITS: Limits = Limits { depth: 6, items: 512, unordered: 0 };
/// The maximum length in bytes of what is signed.
const SIGNED_LEN: usize = 9 + MAX_SALT_LEN + 27 + 3 + MAX_VALUE_LEN;

/// A value of at most 1,000 bytes that the nodes of the DHT store (BEP 44).
///
/// An immutable item is stored under the SHA-1 of its value. A mutable one is stored under a public key (Ed25519) and a
/// salt, and is replaced by an item of the same key and salt with a higher sequence number. Mutable items need the
/// feature `ed25519`: without it none is accepted.
///
/// ```
/// use bittorrent_pieces::dht::{Item, ItemName};
///
/// let item = Item::immutable(b"12:Hello World!")?;
/// assert_eq!(item.target().to_string(), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
/// assert_eq!(item.name(), ItemName::Immutable(item.target()));
/// assert!(Item::immutable(b"Hello World!").is_err(), "values are bencoded");
/// # Ok::<(), bittorrent_pieces::dht::ItemError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub(super) value: &'a [u8],
    pub(super) signed: Option<Signed<'a>>,
}

/// What makes an item mutable (BEP 44).
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Signed<'a> {
    /// The public key, which with the salt names the item.
    pub public_key: [u8; 32],
    /// The signature of salt, sequence number and value.
    pub signature: [u8; 64],
    /// A higher number replaces a lower one.
    pub seq: i64,
    /// Distinguishes the items of one key; at most 64 bytes, usually none.
    pub salt: &'a [u8],
}

/// What an item is looked up by (BEP 44).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of BEP 44")]
pub enum ItemName<'a> {
    /// The SHA-1 of the value.
    Immutable(NodeId),
    /// Key and salt of a mutable item.
    Mutable {
        /// The public key.
        public_key: [u8; 32],
        /// The salt; may be empty.
        salt: &'a [u8],
    },
}

/// An item that is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ItemError {
    /// The value is longer than [`MAX_VALUE_LEN`].
    #[error("value of {0} bytes; the maximum is {MAX_VALUE_LEN}")]
    Value(usize),
    /// The value is not canonical bencode, or has more than 6 levels or 512 values.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// The salt is longer than [`MAX_SALT_LEN`].
    #[error("salt of {0} bytes; the maximum is {MAX_SALT_LEN}")]
    Salt(usize),
    /// The sequence number is negative.
    #[error("negative sequence number {0}")]
    Seq(i64),
    /// The signature does not verify, or the feature `ed25519` is off.
    #[error("the signature does not verify")]
    Signature,
}

impl<'a> Item<'a> {
    /// Creates an immutable item of a bencoded value.
    ///
    /// # Errors
    ///
    /// [`ItemError::Value`], [`ItemError::Bencode`]
    pub fn immutable(value: &'a [u8]) -> Result<Self, ItemError> {
        check_value(value)?;
        Ok(Self { value, signed: None })
    }

    /// Creates a mutable item and signs it. `secret` is the private key of Ed25519: 32 random bytes.
    ///
    /// # Errors
    ///
    /// [`ItemError`], but not [`ItemError::Signature`].
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    pub fn sign(
        secret: &[u8; 32],
        salt: &'a [u8],
        seq: i64,
        value: &'a [u8],
    ) -> Result<Self, ItemError> {
        use ed25519_dalek::{Signer as _, SigningKey};
        check_value(value)?;
        check_salt(salt)?;
        check_seq(seq)?;
        let key = SigningKey::from_bytes(secret);
        let signature = key.sign(&signed_bytes(salt, seq, value)).to_bytes();
        let public_key = key.verifying_key().to_bytes();
        Ok(Self { value, signed: Some(Signed { public_key, signature, seq, salt }) })
    }

    /// Creates a mutable item with a signature that exists already.
    ///
    /// # Errors
    ///
    /// [`ItemError`]
    pub fn mutable(value: &'a [u8], signed: Signed<'a>) -> Result<Self, ItemError> {
        check_value(value)?;
        check_salt(signed.salt)?;
        check_seq(signed.seq)?;
        let bytes = signed_bytes(signed.salt, signed.seq, value);
        if !verifies(&signed.public_key, &signed.signature, &bytes) {
            return Err(ItemError::Signature);
        }
        Ok(Self { value, signed: Some(signed) })
    }

    /// Returns the value, bencoded in the canonical form.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// Returns key, sequence number, signature and salt of a mutable item.
    #[must_use]
    pub const fn signed(&self) -> Option<Signed<'a>> {
        self.signed
    }

    /// Returns what the item is looked up by.
    #[must_use]
    pub fn name(&self) -> ItemName<'a> {
        match self.signed {
            Some(Signed { public_key, salt, .. }) => ItemName::Mutable { public_key, salt },
            None => ItemName::Immutable(NodeId(Sha1::digest(self.value).into())),
        }
    }

    /// Returns the id near which the item is stored.
    #[must_use]
    pub fn target(&self) -> NodeId {
        self.name().target()
    }

    /// Returns the sequence number of a mutable item.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        self.signed.map(|signed| signed.seq)
    }
}

impl ItemName<'_> {
    /// Returns the id near which the item is stored: the SHA-1 of the value, or of key and salt.
    #[must_use]
    pub fn target(&self) -> NodeId {
        match self {
            Self::Immutable(target) => *target,
            Self::Mutable { public_key, salt } => {
                let mut hasher = Sha1::new();
                hasher.update(public_key);
                hasher.update(salt);
                NodeId(hasher.finalize().into())
            }
        }
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Signed");
        out.field("public_key", &format_args!("{}", Hex(&self.public_key))).field("seq", &self.seq);
        out.field("salt", &format_args!("{}", self.salt.escape_ascii())).finish_non_exhaustive()
    }
}

fn check_value(value: &[u8]) -> Result<(), ItemError> {
    if value.len() > MAX_VALUE_LEN {
        return Err(ItemError::Value(value.len()));
    }
    Value::from_bytes(value, Mode::Strict, LIMITS)?;
    Ok(())
}

pub(super) fn check_salt(salt: &[u8]) -> Result<(), ItemError> {
    if salt.len() > MAX_SALT_LEN { Err(ItemError::Salt(salt.len())) } else { Ok(()) }
}

fn check_seq(seq: i64) -> Result<(), ItemError> {
    if seq < 0 { Err(ItemError::Seq(seq)) } else { Ok(()) }
}

/// Returns what is signed: the salt, unless it is empty, the sequence number and the value. All are within their limits.
fn signed_bytes(salt: &[u8], seq: i64, value: &[u8]) -> heapless::Vec<u8, SIGNED_LEN> {
    let mut out = heapless::Vec::new();
    let _ = out.resize(SIGNED_LEN, 0); // as long as the capacity
    let mut writer = Writer::new(&mut out);
    if !salt.is_empty() {
        writer.raw(b"4:salt");
        writer.bytes(salt);
    }
    writer.raw(b"3:seq");
    writer.int(seq);
    writer.raw(b"1:v");
    writer.raw(value);
    let len = writer.finish().unwrap_or(0);
    out.truncate(len);
    out
}

#[cfg(feature = "ed25519")]
fn verifies(public_key: &[u8; 32], signature: &[u8; 64], bytes: &[u8]) -> bool {
    use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
    // Not `verify_strict`: what other nodes accept is not refused.
    let Ok(key) = VerifyingKey::from_bytes(public_key) else { return false };
    key.verify(bytes, &Signature::from_bytes(signature)).is_ok()
}

#[cfg(not(feature = "ed25519"))]
fn verifies(_: &[u8; 32], _: &[u8; 64], _: &[u8]) -> bool {
    false
}
