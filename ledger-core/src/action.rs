//! What a transaction does, and its bytes.

use crate::asset::AssetId;
use crate::codec::{Reader, Writer};
use crate::error::{BufferTooSmall, DecodeError};
use crate::policy::Account;
use crate::transaction::SignError;

const PAY: u8 = 1; // to, amount
const MINT: u8 = 2; // salt
const TRANSFER: u8 = 3; // asset, to
const BURN: u8 = 4; // asset
const RECORD: u8 = 5; // length u16, bytes
const FIRST_CALL: u8 = 64; // length u16, bytes; the kind names the ledger

/// The largest payload of a record or a call, in bytes.
pub const MAX_PAYLOAD_LEN: usize = 1024;

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Pays coins.
    Pay {
        /// The account that receives them.
        to: Account,
        /// The amount in base units.
        amount: u64,
    },
    /// Creates a unique asset. The source owns it. Its id is [`AssetId::new`].
    Mint {
        /// Distinguishes the assets of one minter, usually the digest of what the asset stands for.
        salt: [u8; 32],
    },
    /// Transfers a unique asset. Owning it says nothing about copyright.
    Transfer {
        /// The asset.
        asset: AssetId,
        /// The account that receives it.
        to: Account,
    },
    /// Destroys a unique asset. Its owner gets the deposit of the entry back.
    Burn {
        /// The asset.
        asset: AssetId,
    },
    /// Publishes up to [`MAX_PAYLOAD_LEN`] bytes that the source cannot deny later. They stand in the block, not in
    /// the state.
    Record(&'a [u8]),
    /// Calls another [`Ledger`](crate::ledger::Ledger).
    Call {
        /// Names the ledger: 64 or above.
        ledger: u8,
        /// What it is to do, at most [`MAX_PAYLOAD_LEN`] bytes.
        payload: &'a [u8],
    },
}

impl<'a> Action<'a> {
    /// Returns the length without the kind, in bytes.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Pay { .. } => 32 + 8,
            Self::Mint { .. } | Self::Burn { .. } => 32,
            Self::Transfer { .. } => 32 + 32,
            Self::Record(bytes) | Self::Call { payload: bytes, .. } => {
                bytes.len().saturating_add(2)
            }
        }
    }

    /// Checks what [`read`](Self::read) would refuse.
    pub(crate) const fn check(&self) -> Result<(), SignError> {
        match self {
            Self::Record(bytes) | Self::Call { payload: bytes, .. }
                if bytes.len() > MAX_PAYLOAD_LEN =>
            {
                Err(SignError::PayloadTooLong(bytes.len()))
            }
            Self::Call { ledger, .. } if *ledger < FIRST_CALL => {
                Err(SignError::WrongLedger(*ledger))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match reader.u8()? {
            PAY => Self::Pay { to: Account::from_bytes(reader.array()?), amount: reader.u64()? },
            MINT => Self::Mint { salt: reader.array()? },
            TRANSFER => Self::Transfer {
                asset: AssetId::from_bytes(reader.array()?),
                to: Account::from_bytes(reader.array()?),
            },
            BURN => Self::Burn { asset: AssetId::from_bytes(reader.array()?) },
            RECORD => Self::Record(read_payload(reader)?),
            ledger @ FIRST_CALL.. => Self::Call { ledger, payload: read_payload(reader)? },
            other => return Err(DecodeError::UnknownAction(other)),
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), BufferTooSmall> {
        match self {
            Self::Pay { to, amount } => {
                writer.put(&[PAY])?;
                writer.put(to.as_bytes())?;
                writer.put(&amount.to_be_bytes())
            }
            Self::Mint { salt } => {
                writer.put(&[MINT])?;
                writer.put(salt)
            }
            Self::Transfer { asset, to } => {
                writer.put(&[TRANSFER])?;
                writer.put(asset.as_bytes())?;
                writer.put(to.as_bytes())
            }
            Self::Burn { asset } => {
                writer.put(&[BURN])?;
                writer.put(asset.as_bytes())
            }
            Self::Record(payload) => write_payload(writer, RECORD, payload),
            Self::Call { ledger, payload } => write_payload(writer, *ledger, payload),
        }
    }
}

fn read_payload<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    match usize::from(reader.u16()?) {
        len @ ..=MAX_PAYLOAD_LEN => reader.slice(len),
        len => Err(DecodeError::PayloadTooLong(len)),
    }
}

fn write_payload(writer: &mut Writer<'_>, kind: u8, payload: &[u8]) -> Result<(), BufferTooSmall> {
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    writer.put(&[kind])?;
    writer.put(&len.to_be_bytes())?;
    writer.put(payload)
}
