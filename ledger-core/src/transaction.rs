//! Transactions: what an owner signs.

use core::fmt;

use crate::codec::{Reader, Writer};
use crate::{
    Account, AssetId, BadSignature, BufferTooSmall, ChainId, DecodeError, Hash, KeyPair,
    MerkleTree, Signature,
};

const TAG: u8 = 0x54; // 'T'
const VERSION: u8 = 1;
const PAY: u8 = 1; // to, amount
const MINT: u8 = 2; // asset
const GIVE: u8 = 3; // asset, to
const RECORD: u8 = 4; // length u16, bytes
const FIXED_LEN: usize = 2 + 4 + 32 + 8 + 8 + 1; // tag .. kind of action
const SIGNATURE_LEN: usize = 64;

/// The most bytes of a record: a ledger is not a data base.
pub const MAX_RECORD_LEN: usize = 1024;

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// Coins change hands.
    Pay {
        /// Who receives.
        to: Account,
        /// How many, in base units.
        amount: u64,
    },
    /// A unique asset comes into being; its maker owns it.
    Mint {
        /// Its name, usually a digest of what it stands for.
        asset: AssetId,
    },
    /// A unique asset changes hands. Holding it says nothing about copyright.
    Give {
        /// Which one.
        asset: AssetId,
        /// Who receives.
        to: Account,
    },
    /// A statement that its author cannot deny later: up to [`MAX_RECORD_LEN`] bytes.
    Record(&'a [u8]),
}

/// A transaction without its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// The chain it is meant for.
    pub chain: ChainId,
    /// Whose transaction it is; pays the fee and signs.
    pub source: Account,
    /// How many transactions of the source came before it; makes a replay impossible.
    pub sequence: u64,
    /// What the author of the block receives; may be 0.
    pub fee: u64,
    /// What it does.
    pub action: Action<'a>,
}

/// A transaction with its signature, over bytes that lie with the caller. Decoding does not check the
/// signature: [`verify`](Self::verify) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedTransaction<'a> {
    transaction: Transaction<'a>,
    signature: Signature,
    bytes: &'a [u8],
}

impl<'a> Transaction<'a> {
    /// The most bytes of a signed transaction.
    pub const MAX_LEN: usize = FIXED_LEN + 2 + MAX_RECORD_LEN + SIGNATURE_LEN;

    /// Returns the length with the signature, in bytes.
    #[must_use]
    pub fn signed_len(&self) -> usize {
        let action = match self.action {
            Action::Pay { .. } => 32 + 8,
            Action::Mint { .. } => 32,
            Action::Give { .. } => 32 + 32,
            Action::Record(bytes) => bytes.len().saturating_add(2),
        };
        action.saturating_add(FIXED_LEN + SIGNATURE_LEN)
    }

    /// Writes the transaction with its signature and returns it as read back from `out`.
    ///
    /// The canonical form, big-endian: tag 0x54, version 1, chain u32, source 32, sequence u64, fee u64,
    /// kind u8, the action (pay: to 32, amount u64; mint: asset 32; give: asset 32, to 32; record:
    /// length u16, bytes), signature 64 over all bytes before it.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` is; [`Transaction::MAX_LEN`] bytes always suffice for a record of
    /// legal length, and no buffer does for a longer one.
    pub fn sign<'o>(
        &self,
        key: &KeyPair,
        out: &'o mut [u8],
    ) -> Result<SignedTransaction<'o>, BufferTooSmall> {
        let needed = self.signed_len();
        let too_small = BufferTooSmall { needed };
        let mut writer = Writer::new(out, needed)?;
        writer.put(&[TAG, VERSION])?;
        writer.put(&self.chain.0.to_be_bytes())?;
        writer.put(self.source.as_bytes())?;
        writer.put(&self.sequence.to_be_bytes())?;
        writer.put(&self.fee.to_be_bytes())?;
        self.action.write(&mut writer, too_small)?;
        let (body, rest) =
            out.split_at_mut_checked(needed.saturating_sub(SIGNATURE_LEN)).ok_or(too_small)?;
        let place = rest.first_chunk_mut::<SIGNATURE_LEN>().ok_or(too_small)?;
        *place = *key.sign(body).as_bytes();
        SignedTransaction::decode(out).map(|(signed, _)| signed).map_err(|_| too_small)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.preamble(TAG, VERSION)?;
        Ok(Self {
            chain: ChainId(reader.u32()?),
            source: Account::from_bytes(reader.array()?),
            sequence: reader.u64()?,
            fee: reader.u64()?,
            action: Action::read(reader)?,
        })
    }
}

impl<'a> Action<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            PAY => {
                Ok(Self::Pay { to: Account::from_bytes(reader.array()?), amount: reader.u64()? })
            }
            MINT => Ok(Self::Mint { asset: AssetId(reader.array()?) }),
            GIVE => Ok(Self::Give {
                asset: AssetId(reader.array()?),
                to: Account::from_bytes(reader.array()?),
            }),
            RECORD => match usize::from(reader.u16()?) {
                len @ ..=MAX_RECORD_LEN => Ok(Self::Record(reader.slice(len)?)),
                len => Err(DecodeError::RecordTooLong(len)),
            },
            other => Err(DecodeError::UnknownAction(other)),
        }
    }

    fn write(
        &self,
        writer: &mut Writer<'_>,
        too_long: BufferTooSmall,
    ) -> Result<(), BufferTooSmall> {
        match self {
            Self::Pay { to, amount } => {
                writer.put(&[PAY])?;
                writer.put(to.as_bytes())?;
                writer.put(&amount.to_be_bytes())
            }
            Self::Mint { asset } => {
                writer.put(&[MINT])?;
                writer.put(&asset.0)
            }
            Self::Give { asset, to } => {
                writer.put(&[GIVE])?;
                writer.put(&asset.0)?;
                writer.put(to.as_bytes())
            }
            Self::Record(bytes) => {
                let len = u16::try_from(bytes.len()).map_err(|_| too_long)?;
                writer.put(&[RECORD])?;
                writer.put(&len.to_be_bytes())?;
                writer.put(bytes)
            }
        }
    }
}

impl<'a> SignedTransaction<'a> {
    /// Reads a signed transaction from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not one in canonical form.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader(bytes);
        let transaction = Transaction::read(&mut reader)?;
        let signature = Signature::from_bytes(reader.array()?);
        let taken = bytes.len().saturating_sub(reader.0.len());
        let bytes = bytes.get(..taken).unwrap_or_default();
        Ok((Self { transaction, signature, bytes }, reader.0))
    }

    /// Checks that the source signed exactly these bytes.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it did not.
    pub fn verify(&self) -> Result<(), BadSignature> {
        let body = self.bytes.len().saturating_sub(SIGNATURE_LEN);
        self.transaction.source.verify(self.bytes.get(..body).unwrap_or_default(), &self.signature)
    }

    /// Returns the name of the transaction: its RFC 6962 leaf hash.
    #[must_use]
    pub fn id(&self) -> Hash {
        MerkleTree::leaf(self.bytes)
    }

    /// Returns what was signed.
    #[must_use]
    pub fn transaction(&self) -> &Transaction<'a> {
        &self.transaction
    }

    /// Returns the canonical bytes with the signature.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Display for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.8} #{} ", self.source, self.sequence)?;
        match self.action {
            Action::Pay { to, amount } => write!(f, "PAY {amount} to {to:.8}")?,
            Action::Mint { asset } => write!(f, "MINT {asset:.8}")?,
            Action::Give { asset, to } => write!(f, "GIVE {asset:.8} to {to:.8}")?,
            Action::Record(bytes) => write!(f, "RECORD \"{}\"", bytes.escape_ascii())?,
        }
        write!(f, " fee={}", self.fee)
    }
}

impl fmt::Display for SignedTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transaction.fmt(f)
    }
}
