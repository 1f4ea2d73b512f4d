//! Transactions: what an owner signs.

use core::fmt;

use thiserror::Error;

use crate::action::{Action, MAX_PAYLOAD_LEN};
use crate::codec::{Reader, Writer};
use crate::domain;
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{GenesisId, Hash, TxId};
use crate::header::Height;
use crate::keys::{BadSignature, KeyPair, PublicKey, Signable, Signature};
use crate::policy::{Account, Approval, ApprovalError, Policy};

const VERSION: u8 = 1;
const FIXED_LEN: usize = 1 + 32 + 2 + 8 + 8 + 8 + 1; // version .. kind of action

/// A transaction without its signatures.
///
/// ```
/// use ledger_core::{Account, Action, GenesisId, KeyPair, SignedTransaction, Transaction};
///
/// let ann = KeyPair::from_secret(&[1; 32]); // a real secret is random
/// let chain = GenesisId::default(); // `Chain::genesis_id` in earnest
/// let action = Action::Pay { to: Account::default(), amount: 30 };
/// let pay = Transaction { fee: 2, ..Transaction::new(ann.account(), 0, action) };
///
/// let mut buf = [0; Transaction::MAX_LEN];
/// let bytes = pay.sign(&chain, &ann, &mut buf)?.as_bytes();
/// let (received, _) = SignedTransaction::decode(bytes)?;
/// assert_eq!(received.verify(&chain), Ok(()));
/// assert_eq!(received.transaction(), &pay);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Transaction<'a> {
    /// The account that pays the fee and signs.
    pub source: Account,
    /// Each lane of an account counts its transactions for itself, so that several may be on their way in any order.
    /// Lane 0 takes no entry of its own.
    pub lane: u16,
    /// The number of earlier transactions of this lane. A replay never has the next one.
    pub sequence: u64,
    /// The last block that may contain it.
    pub valid_until: Height,
    /// What the author of the block receives, in base units.
    pub fee: u64,
    /// What it does.
    pub action: Action<'a>,
}

/// A transaction with its signatures, over caller-provided bytes. Decoding does not check the signatures;
/// [`verify`](Self::verify) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedTransaction<'a> {
    transaction: Transaction<'a>,
    approval: Approval<'a>,
    body: &'a [u8],
    bytes: &'a [u8],
}

/// A transaction of one chain, as its owners sign it: domain string, genesis id, transaction id. What an owner of a
/// threshold account signs, on a device of its own, before the signatures are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionStatement {
    genesis: GenesisId,
    id: TxId,
}

/// Why a transaction cannot be signed. The caller's mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SignError {
    /// The key or policy does not control the source of the transaction.
    #[error("the key does not control the source account")]
    WrongKey,
    /// The signatures are not those of the required number of different keys of the policy.
    #[error("the signatures are not those that the policy requires")]
    WrongSignatures,
    /// A record or a call is longer than allowed.
    #[error("a payload of {0} bytes is too long")]
    PayloadTooLong(usize),
    /// The number of the called ledger is below 64.
    #[error("{0} is not the number of a ledger")]
    WrongLedger(u8),
    /// The buffer is too small.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

impl<'a> Transaction<'a> {
    /// The largest length of a transaction signed by one key, in bytes.
    pub const MAX_LEN: usize = FIXED_LEN + 2 + MAX_PAYLOAD_LEN + 1 + 32 + 64;
    /// The largest length of any signed transaction, in bytes.
    pub const MAX_THRESHOLD_LEN: usize = FIXED_LEN + 2 + MAX_PAYLOAD_LEN + Policy::MAX_APPROVAL_LEN;

    /// Returns a payment in lane 0 without a fee that never expires. Change the fields for anything else.
    #[must_use]
    pub const fn new(source: Account, sequence: u64, action: Action<'a>) -> Self {
        Self { source, lane: 0, sequence, valid_until: Height(u64::MAX), fee: 0, action }
    }

    /// Returns the length without signatures, in bytes.
    #[must_use]
    pub const fn body_len(&self) -> usize {
        self.action.len().saturating_add(FIXED_LEN)
    }

    /// Signs with the one key of the source, writes the transaction to `out` and returns it as read back from there.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the key does not control the source, the payload is too long or `out` too small;
    /// [`Transaction::MAX_LEN`] bytes always suffice.
    pub fn sign<'o>(
        &self,
        genesis: &GenesisId,
        key: &KeyPair,
        out: &'o mut [u8],
    ) -> Result<SignedTransaction<'o>, SignError> {
        let policy = Policy::Key(key.public());
        if policy.account() != self.source {
            return Err(SignError::WrongKey);
        }
        let len = self.write_body(out)?;
        let body = out.get(..len).unwrap_or_default();
        let signature = key.sign(&TransactionStatement::of_body(genesis, body));
        self.assemble(&policy, &[(key.public(), signature)], out)
    }

    /// Returns what the keys of a [`Policy`] have to sign, for [`KeyPair::sign`] and then
    /// [`assemble`](Self::assemble).
    ///
    /// # Errors
    ///
    /// [`SignError`] if the payload is too long or `out`, into which the transaction is written, too small.
    pub fn statement(
        &self,
        genesis: &GenesisId,
        out: &mut [u8],
    ) -> Result<TransactionStatement, SignError> {
        let len = self.write_body(out)?;
        Ok(TransactionStatement::of_body(genesis, out.get(..len).unwrap_or_default()))
    }

    /// Writes the transaction with the signatures of its owners to `out` and returns it as read back from there. The
    /// signatures are not checked.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the policy does not control the source, there is not exactly one signature for each of the
    /// required number of keys, the payload is too long or `out` too small; [`Transaction::MAX_THRESHOLD_LEN`] bytes
    /// always suffice.
    pub fn assemble<'o>(
        &self,
        policy: &Policy<'_>,
        signatures: &[(PublicKey, Signature)],
        out: &'o mut [u8],
    ) -> Result<SignedTransaction<'o>, SignError> {
        if policy.account() != self.source {
            return Err(SignError::WrongKey);
        }
        let needed = self.body_len().saturating_add(policy.approval_len());
        let too_small = BufferTooSmall { needed };
        if out.len() < needed {
            return Err(too_small.into());
        }
        let len = self.write_body(out)?;
        let rest = out.get_mut(len..needed).ok_or(too_small)?;
        let mut writer = Writer::new(rest, policy.approval_len())?;
        match policy.write_approval(signatures, &mut writer) {
            Ok(()) => {}
            Err(ApprovalError::Signatures) => return Err(SignError::WrongSignatures),
            Err(ApprovalError::BufferTooSmall(error)) => return Err(error.into()),
        }
        let (signed, _) = SignedTransaction::decode(out).map_err(|_| too_small)?;
        Ok(signed)
    }

    fn write_body(&self, out: &mut [u8]) -> Result<usize, SignError> {
        self.action.check()?;
        let len = self.body_len();
        let mut writer = Writer::new(out, len)?;
        writer.put(&[VERSION])?;
        writer.put(self.source.as_bytes())?;
        writer.put(&self.lane.to_be_bytes())?;
        writer.put(&self.sequence.to_be_bytes())?;
        writer.put(&self.valid_until.0.to_be_bytes())?;
        writer.put(&self.fee.to_be_bytes())?;
        self.action.write(&mut writer)?;
        Ok(len)
    }

    #[expect(clippy::inline_always, reason = "`SignedTransaction::split` needs no field of it")]
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self {
            source: Account::from_bytes(reader.array()?),
            lane: reader.u16()?,
            sequence: reader.u64()?,
            valid_until: Height(reader.u64()?),
            fee: reader.u64()?,
            action: Action::read(reader)?,
        })
    }
}

impl<'a> SignedTransaction<'a> {
    /// Decodes a signed transaction from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not one in canonical form.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader(bytes);
        let signed = Self::read(&mut reader)?;
        Ok((signed, reader.0))
    }

    /// Returns the bytes of a signed transaction at the front of `bytes`, and the rest.
    #[inline(never)] // the transaction does not stand on the stack of the caller
    pub(crate) fn split(bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), DecodeError> {
        let mut reader = Reader(bytes);
        Self::read(&mut reader)?;
        Ok((taken(bytes, reader.0), reader.0))
    }

    #[expect(clippy::inline_always, reason = "`split` needs no field of it")]
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = reader.0;
        let transaction = Transaction::read(reader)?;
        let body = taken(bytes, reader.0);
        let approval = Approval::read(reader)?;
        Ok(Self { transaction, approval, body, bytes: taken(bytes, reader.0) })
    }

    /// Verifies that the policy controls the source and that its keys signed this transaction for this chain.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if they did not.
    #[inline(never)] // what it needs does not stand on the stack while the transaction is applied
    pub fn verify(&self, genesis: &GenesisId) -> Result<(), BadSignature> {
        if self.approval.policy.account() != self.transaction.source {
            return Err(BadSignature);
        }
        self.approval.verify(self.signing_bytes(genesis).as_ref())
    }

    #[inline(never)] // the statement does not stand on the stack while signatures are checked
    fn signing_bytes(&self, genesis: &GenesisId) -> [u8; STATEMENT_LEN] {
        TransactionStatement::of_body(genesis, self.body).signing_bytes()
    }

    /// Returns the id, which does not depend on the signatures.
    #[must_use]
    pub fn id(&self, genesis: &GenesisId) -> TxId {
        TransactionStatement::of_body(genesis, self.body).id
    }

    /// Returns what was signed.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction<'a> {
        &self.transaction
    }

    /// Returns which keys had to sign.
    #[must_use]
    pub const fn policy(&self) -> &Policy<'a> {
        &self.approval.policy
    }

    /// Returns the canonical bytes with the signatures.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl TransactionStatement {
    fn of_body(genesis: &GenesisId, body: &[u8]) -> Self {
        let hash = Hash::of_parts(&[domain::TRANSACTION, genesis.as_bytes(), body]);
        Self { genesis: *genesis, id: TxId::from_bytes(*hash.as_bytes()) }
    }

    /// Returns the id of the transaction.
    #[must_use]
    pub const fn id(&self) -> TxId {
        self.id
    }
}

const STATEMENT_LEN: usize = domain::SIGN_TRANSACTION.len() + 32 + 32;

impl Signable for TransactionStatement {
    type Bytes = [u8; STATEMENT_LEN];

    fn signing_bytes(&self) -> Self::Bytes {
        let mut out = [0; STATEMENT_LEN];
        let parts: [&[u8]; 3] =
            [domain::SIGN_TRANSACTION, self.genesis.as_bytes(), self.id.as_bytes()];
        for (byte, value) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *byte = *value;
        }
        out
    }
}

/// Returns the front of `bytes` without `rest`.
fn taken<'a>(bytes: &'a [u8], rest: &[u8]) -> &'a [u8] {
    bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default()
}

impl fmt::Display for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.8} #{}", self.source, self.sequence)?;
        if self.lane > 0 {
            write!(f, " lane={}", self.lane)?;
        }
        match self.action {
            Action::Pay { to, amount } => write!(f, " PAY {amount} to {to:.8}")?,
            Action::Mint { salt } => write!(f, " MINT salt={:.8}", Hash::from_bytes(salt))?,
            Action::Transfer { asset, to } => write!(f, " TRANSFER {asset:.8} to {to:.8}")?,
            Action::Burn { asset } => write!(f, " BURN {asset:.8}")?,
            Action::Record(bytes) => write!(f, " RECORD \"{}\"", bytes.escape_ascii())?,
            Action::Call { ledger, payload } => {
                write!(f, " CALL ledger={ledger} ({} bytes)", payload.len())?;
            }
        }
        write!(f, " fee={}", self.fee)
    }
}

impl fmt::Display for SignedTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transaction.fmt(f)
    }
}
