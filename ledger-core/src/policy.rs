//! Accounts: the hash of a policy that says which keys must sign.

use thiserror::Error;

use crate::codec::{Reader, Writer};
use crate::domain;
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{Hash, bytes32};
use crate::keys::{BadSignature, KeyPair, PublicKey, Signature};

const ONE_KEY: u8 = 1; // key
const THRESHOLD: u8 = 2; // required u8, number of keys u8, keys in ascending order
const KEY_LEN: usize = 32;
const SIGNATURE_LEN: usize = 64;
const INDEXED_LEN: usize = 1 + SIGNATURE_LEN; // which key, its signature

bytes32! {
    /// An owner: the hash of a [`Policy`]. `Display` is hexadecimal.
    ///
    /// Accounts need no registration. They belong to no chain; what is signed for them does. An account is not a
    /// Bitcoin address.
    Account
}

/// Which keys must sign for an account.
///
/// ```
/// use ledger_core::{KeyPair, Policy};
///
/// let mut keys = [1, 2, 3].map(|n| *KeyPair::from_secret(&[n; 32]).public().as_bytes());
/// keys.sort();
/// let board = Policy::threshold(2, &keys)?; // two of three
/// println!("the board owns {}", board.account());
/// # Ok::<(), ledger_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy<'a> {
    /// This key.
    Key(PublicKey),
    /// Several of several keys; made by [`Policy::threshold`].
    Threshold(Threshold<'a>),
}

/// `required` of the listed keys. A type of its own, so that nobody makes a policy that [`Policy::threshold`] refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold<'a> {
    required: u8,
    keys: &'a [[u8; KEY_LEN]],
}

/// A policy with the signatures that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Approval<'a> {
    pub(crate) policy: Policy<'a>,
    signatures: &'a [u8],
}

/// The numbers or keys do not make a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PolicyError {
    /// There are fewer than two keys or more than 16.
    #[error("{0} keys; a threshold needs 2 to 16")]
    KeyCount(usize),
    /// The threshold is 0 or above the number of keys.
    #[error("{required} of {keys} keys is not a threshold")]
    Required {
        /// The threshold.
        required: u8,
        /// The number of keys.
        keys: usize,
    },
    /// The keys are not in strictly ascending order.
    #[error("the keys are not in strictly ascending order")]
    Unsorted,
}

impl PublicKey {
    /// Returns the account that this key alone controls.
    #[must_use]
    pub fn account(&self) -> Account {
        Policy::Key(*self).account()
    }
}

impl KeyPair {
    /// Returns the account that this key alone controls.
    #[must_use]
    pub fn account(&self) -> Account {
        self.public().account()
    }
}

impl<'a> Policy<'a> {
    /// The largest number of keys.
    pub const MAX_KEYS: usize = 16;
    /// The largest encoded length of a policy with its signatures, in bytes.
    pub(crate) const MAX_APPROVAL_LEN: usize =
        3 + Self::MAX_KEYS * KEY_LEN + Self::MAX_KEYS * INDEXED_LEN;

    /// Requires signatures by `required` of `keys`, which must be in strictly ascending order.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if the numbers or the order are wrong.
    pub fn threshold(required: u8, keys: &'a [[u8; KEY_LEN]]) -> Result<Self, PolicyError> {
        if keys.len() < 2 || keys.len() > Self::MAX_KEYS {
            return Err(PolicyError::KeyCount(keys.len()));
        }
        if required == 0 || usize::from(required) > keys.len() {
            return Err(PolicyError::Required { required, keys: keys.len() });
        }
        if !keys.is_sorted_by(|one, two| one < two) {
            return Err(PolicyError::Unsorted);
        }
        Ok(Self::Threshold(Threshold { required, keys }))
    }

    /// Returns the account that the policy controls.
    #[must_use]
    pub fn account(&self) -> Account {
        let (head, head_len) = self.head();
        let head = head.get(..head_len).unwrap_or_default();
        let hash = Hash::of_parts(&[domain::ACCOUNT, head, self.keys()]);
        Account::from_bytes(*hash.as_bytes())
    }

    /// Returns the number of signatures it asks for.
    #[must_use]
    pub const fn required(&self) -> u8 {
        match self {
            Self::Key(_) => 1,
            Self::Threshold(threshold) => threshold.required,
        }
    }

    /// Returns the length of policy and signatures, in bytes.
    pub(crate) fn approval_len(&self) -> usize {
        let signatures = match self {
            Self::Key(_) => SIGNATURE_LEN,
            Self::Threshold(threshold) => {
                usize::from(threshold.required).saturating_mul(INDEXED_LEN)
            }
        };
        let (_, head_len) = self.head();
        head_len.saturating_add(self.keys().len()).saturating_add(signatures)
    }

    /// Returns which key of the policy this is.
    fn index_of(&self, key: &PublicKey) -> Option<usize> {
        match self {
            Self::Key(own) => (own == key).then_some(0),
            Self::Threshold(threshold) => threshold.keys.binary_search(key.as_bytes()).ok(),
        }
    }

    fn head(&self) -> ([u8; 3], usize) {
        match self {
            Self::Key(_) => ([ONE_KEY, 0, 0], 1),
            Self::Threshold(threshold) => {
                let keys = u8::try_from(threshold.keys.len()).unwrap_or(u8::MAX);
                ([THRESHOLD, threshold.required, keys], 3)
            }
        }
    }

    fn keys(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.as_bytes(),
            Self::Threshold(threshold) => threshold.keys.as_flattened(),
        }
    }

    /// Writes the policy and the signatures, which must be those of exactly the required number of its keys.
    pub(crate) fn write_approval(
        &self,
        signatures: &[(PublicKey, Signature)],
        writer: &mut Writer<'_>,
    ) -> Result<(), ApprovalError> {
        let (head, head_len) = self.head();
        writer.put(head.get(..head_len).unwrap_or_default())?;
        writer.put(self.keys())?;
        if signatures.len() != usize::from(self.required()) {
            return Err(ApprovalError::Signatures);
        }
        for index in 0..self.keys().len() / KEY_LEN {
            let mut of_key = signatures.iter().filter(|(key, _)| self.index_of(key) == Some(index));
            let Some((_, signature)) = of_key.next() else { continue };
            if of_key.next().is_some() {
                return Err(ApprovalError::Signatures);
            }
            if let Self::Threshold(_) = self {
                writer.put(&[u8::try_from(index).unwrap_or(u8::MAX)])?;
            }
            writer.put(signature.as_bytes())?;
        }
        if writer.is_complete() { Ok(()) } else { Err(ApprovalError::Signatures) }
    }
}

/// Why an approval cannot be written.
pub(crate) enum ApprovalError {
    /// The signatures are not those of the required number of different keys.
    Signatures,
    BufferTooSmall(BufferTooSmall),
}

impl From<BufferTooSmall> for ApprovalError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

impl<'a> Approval<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            ONE_KEY => Ok(Self {
                policy: Policy::Key(PublicKey::from_bytes(reader.array()?)),
                signatures: reader.slice(SIGNATURE_LEN)?,
            }),
            THRESHOLD => Self::read_threshold(reader),
            other => Err(DecodeError::UnknownPolicy(other)),
        }
    }

    fn read_threshold(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let required = reader.u8()?;
        let count = usize::from(reader.u8()?);
        if count > Policy::MAX_KEYS {
            return Err(DecodeError::MalformedPolicy);
        }
        let (keys, _) = reader.slice(count.saturating_mul(KEY_LEN))?.as_chunks::<KEY_LEN>();
        let policy = Policy::threshold(required, keys).map_err(|_| DecodeError::MalformedPolicy)?;
        let signatures = reader.slice(usize::from(required).saturating_mul(INDEXED_LEN))?;
        let (indexed, _) = signatures.as_chunks::<INDEXED_LEN>();
        let indices = indexed.iter().map(|[index, ..]| usize::from(*index));
        if !indices.clone().is_sorted_by(|one, two| one < two)
            || indices.max().is_none_or(|last| last >= count)
        {
            return Err(DecodeError::MalformedPolicy);
        }
        Ok(Self { policy, signatures })
    }

    /// Verifies all signatures.
    pub(crate) fn verify(&self, message: &[u8]) -> Result<(), BadSignature> {
        match self.policy {
            Policy::Key(key) => {
                let signature = self.signatures.first_chunk().ok_or(BadSignature)?;
                key.verify_bytes(message, &Signature::from_bytes(*signature))
            }
            Policy::Threshold(threshold) => {
                let (indexed, _) = self.signatures.as_chunks::<INDEXED_LEN>();
                indexed.iter().try_for_each(|indexed| {
                    let (index, signature) =
                        indexed.split_first_chunk::<1>().ok_or(BadSignature)?;
                    let [index] = *index;
                    let key = threshold.keys.get(usize::from(index)).ok_or(BadSignature)?;
                    let signature = signature.first_chunk().ok_or(BadSignature)?;
                    PublicKey::from_bytes(*key)
                        .verify_bytes(message, &Signature::from_bytes(*signature))
                })
            }
        }
    }
}
