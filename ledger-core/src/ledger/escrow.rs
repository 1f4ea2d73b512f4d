//! Escrow: the worked example of a contract.

use super::contract::{Context, Ledger};
use crate::action::Action;
use crate::codec::{Reader, Writer};
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{Hash, TxId};
use crate::header::Height;
use crate::policy::Account;
use crate::state::{Key, TransactionError, Value, View, split_u64};
use crate::transaction::Transaction;

const NAME_SPACE: u8 = 64;
const TERMS_LEN: usize = 3 * 32 + 2 * 8;
const OPEN: u8 = 1; // terms
const RELEASE: u8 = 2; // transaction that opened it, terms
const REFUND: u8 = 3; // the same

/// Holds coins for two parties until one of them, or their arbiter, decides. Ledger number 64.
///
/// | call | who may | what happens |
/// |---|---|---|
/// | open | the payer | the amount leaves the payer's account |
/// | release | payer, arbiter | the payee receives it |
/// | refund | payee, arbiter; from the deadline on the payer | the payer receives it |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Escrow;

/// What the parties agreed on. The state keeps only its hash and the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct Terms {
    /// The account that pays, and opens the escrow.
    pub payer: Account,
    /// The account that is to be paid.
    pub payee: Account,
    /// The account that may decide either way.
    pub arbiter: Account,
    /// The coins.
    pub amount: u64,
    /// From this block on, the payer may take the coins back.
    pub deadline: Height,
}

/// A call of [`Escrow`], the payload of [`Action::Call`].
///
/// ```
/// use ledger_core::ledger::{EscrowCall, Terms};
/// use ledger_core::{Account, Action, Height};
///
/// let [payer, payee, arbiter] = [1, 2, 3].map(|n| Account::from_bytes([n; 32]));
/// let terms = Terms { payer, payee, arbiter, amount: 30, deadline: Height(100) };
/// let mut payload = [0; EscrowCall::MAX_LEN];
/// let len = EscrowCall::Open(terms).encode(&mut payload)?;
/// let action = Action::Call { ledger: EscrowCall::LEDGER, payload: &payload[..len] };
/// assert_eq!(EscrowCall::decode(&payload[..len])?.0, EscrowCall::Open(terms));
/// # let _ = action;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EscrowCall {
    /// Opens an escrow. It is named by the id of the transaction.
    Open(Terms),
    /// Pays the payee.
    Release(TxId, Terms),
    /// Pays the payer back.
    Refund(TxId, Terms),
}

/// Returns the key under which the escrow that a transaction opened stands.
#[must_use]
pub fn escrow_key(opened_by: &TxId) -> Key {
    Key::new(NAME_SPACE, opened_by.as_bytes())
}

impl EscrowCall {
    /// The number of the ledger, for [`Action::Call`].
    pub const LEDGER: u8 = NAME_SPACE;
    /// The largest length in bytes.
    pub const MAX_LEN: usize = 1 + 32 + TERMS_LEN;

    /// Encodes the call and returns its length: kind u8, the id unless it opens, payer, payee, arbiter, amount u64,
    /// deadline u64.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`]; [`Self::MAX_LEN`] bytes always suffice.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let (kind, id, terms): (_, &[u8], _) = match self {
            Self::Open(terms) => (OPEN, &[], terms),
            Self::Release(id, terms) => (RELEASE, id.as_bytes(), terms),
            Self::Refund(id, terms) => (REFUND, id.as_bytes(), terms),
        };
        let len = id.len().saturating_add(1 + TERMS_LEN);
        let mut writer = Writer::new(out, len)?;
        writer.put(&[kind])?;
        writer.put(id)?;
        writer.put(terms.payer.as_bytes())?;
        writer.put(terms.payee.as_bytes())?;
        writer.put(terms.arbiter.as_bytes())?;
        writer.put(&terms.amount.to_be_bytes())?;
        writer.put(&terms.deadline.0.to_be_bytes())?;
        Ok(len)
    }

    /// Decodes a call from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a call.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader(bytes);
        let call = match reader.u8()? {
            OPEN => Self::Open(Terms::read(&mut reader)?),
            RELEASE => Self::Release(read_id(&mut reader)?, Terms::read(&mut reader)?),
            REFUND => Self::Refund(read_id(&mut reader)?, Terms::read(&mut reader)?),
            other => return Err(DecodeError::UnknownAction(other)),
        };
        Ok((call, reader.0))
    }
}

fn read_id(reader: &mut Reader<'_>) -> Result<TxId, DecodeError> {
    reader.array().map(TxId::from_bytes)
}

impl Terms {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            payer: Account::from_bytes(reader.array()?),
            payee: Account::from_bytes(reader.array()?),
            arbiter: Account::from_bytes(reader.array()?),
            amount: reader.u64()?,
            deadline: Height(reader.u64()?),
        })
    }

    /// What the state keeps: a hash of the parties, the amount, the deadline.
    fn value(&self) -> Value {
        let parties = Hash::of_parts(&[
            b"ledger-core/1 escrow\0",
            self.payer.as_bytes(),
            self.payee.as_bytes(),
            self.arbiter.as_bytes(),
        ]);
        let deadline = self.deadline.0.to_be_bytes();
        Value::of_parts(&[parties.as_bytes(), &self.amount.to_be_bytes(), &deadline])
    }
}

impl Ledger for Escrow {
    fn digest(&self) -> Hash {
        Hash::of(b"ledger-core/1 escrow")
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Call { ledger: NAME_SPACE, payload } = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        let Ok((call, [])) = EscrowCall::decode(payload) else {
            return Err(TransactionError::MalformedPayload);
        };
        let source = transaction.source;
        match call {
            EscrowCall::Open(terms) => {
                if terms.payer != source {
                    return Err(TransactionError::NotOwner);
                }
                view.debit(&source, terms.amount)?;
                view.insert(&escrow_key(&context.transaction), &terms.value(), &source)
            }
            EscrowCall::Release(id, terms) => {
                let allowed = source == terms.payer || source == terms.arbiter;
                close(view, &id, &terms, allowed, &terms.payee)
            }
            EscrowCall::Refund(id, terms) => {
                let late = context.height >= terms.deadline && source == terms.payer;
                let allowed = late || source == terms.payee || source == terms.arbiter;
                close(view, &id, &terms, allowed, &terms.payer)
            }
        }
    }
}

/// Pays `to`. The payer, who locked the deposit, gets it back, and pays for the account of the payee if that is new.
fn close(
    view: &mut View<'_>,
    id: &TxId,
    terms: &Terms,
    allowed: bool,
    to: &Account,
) -> Result<(), TransactionError> {
    let key = escrow_key(id);
    let held = view.get(&key)?.ok_or(TransactionError::Unknown)?;
    if held != terms.value() {
        return Err(TransactionError::MalformedPayload);
    }
    if !allowed {
        return Err(TransactionError::ConditionsNotMet);
    }
    let (_, numbers) = held.as_bytes().split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
    let (amount, _) = split_u64(numbers);
    view.remove(&key, &terms.payer)?;
    view.credit(to, amount, &terms.payer)
}
