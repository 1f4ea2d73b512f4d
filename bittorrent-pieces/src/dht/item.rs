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
/// The maximum length in bytes of what is signed before the value.
const SIGNED_LEN: usize = 9 + MAX_SALT_LEN + 27 + 3;

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
        check_value(value)?;
        check_salt(salt)?;
        check_seq(seq)?;
        let mut room = [0; SIGNED_LEN];
        let head = signed_head(salt, seq, &mut room);
        let (public_key, signature) = signature(secret, &[head, value]);
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
        let mut room = [0; SIGNED_LEN];
        let head = signed_head(signed.salt, signed.seq, &mut room);
        if !verifies(&signed.public_key, &signed.signature, &[head, value]) {
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
    match Value::decode_shallow(value, Mode::Strict, LIMITS)? {
        (_, []) => Ok(()),
        (_, rest) => Err(BencodeError::Trailing(rest.len()).into()),
    }
}

pub(super) fn check_salt(salt: &[u8]) -> Result<(), ItemError> {
    if salt.len() > MAX_SALT_LEN { Err(ItemError::Salt(salt.len())) } else { Ok(()) }
}

fn check_seq(seq: i64) -> Result<(), ItemError> {
    if seq < 0 { Err(ItemError::Seq(seq)) } else { Ok(()) }
}

/// Writes what is signed before the value: the salt, unless it is empty, and the sequence number, within their limits.
fn signed_head<'b>(salt: &[u8], seq: i64, room: &'b mut [u8; SIGNED_LEN]) -> &'b [u8] {
    let mut writer = Writer::new(room);
    if !salt.is_empty() {
        writer.raw(b"4:salt");
        writer.bytes(salt);
    }
    writer.raw(b"3:seq");
    writer.int(seq);
    writer.raw(b"1:v");
    let len = writer.finish().unwrap_or(0);
    room.get(..len).unwrap_or_default()
}

/// Returns the public key of a secret, and the signature of the concatenated parts. Not inlined: the measurement of the
/// stack leaves out signatures by the names of functions.
#[cfg(feature = "ed25519")]
#[inline(never)]
fn signature(secret: &[u8; 32], parts: &[&[u8]]) -> ([u8; 32], [u8; 64]) {
    use ed25519_dalek::SigningKey;
    use ed25519_dalek::ed25519::signature::MultipartSigner as _;
    let key = SigningKey::from_bytes(secret);
    (key.verifying_key().to_bytes(), key.multipart_sign(parts).to_bytes())
}

/// Returns whether the signature of the concatenated parts verifies. Not inlined, as [`signature`].
#[cfg(feature = "ed25519")]
#[inline(never)]
fn verifies(public_key: &[u8; 32], signature: &[u8; 64], parts: &[&[u8]]) -> bool {
    use ed25519_dalek::ed25519::signature::MultipartVerifier as _;
    use ed25519_dalek::{Signature, VerifyingKey};
    // Not `verify_strict`: what other nodes accept is not refused.
    let Ok(key) = VerifyingKey::from_bytes(public_key) else { return false };
    key.multipart_verify(parts, &Signature::from_bytes(signature)).is_ok()
}

#[cfg(not(feature = "ed25519"))]
fn verifies(_: &[u8; 32], _: &[u8; 64], _: &[&[u8]]) -> bool {
    false
}
