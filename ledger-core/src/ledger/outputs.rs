//! Unspent outputs: coins as single pieces, each spent once and whole.

use super::contract::{Context, Ledger};
use crate::action::Action;
use crate::codec::{Reader, Writer};
use crate::error::{BufferTooSmall, DecodeError};
use crate::hash::{Hash, TxId};
use crate::policy::Account;
use crate::state::{Key, TransactionError, Value, View, split_u64};
use crate::transaction::Transaction;

const NAME_SPACE: u8 = 4;
const LEDGER: u8 = 65;
const INPUT_LEN: usize = 32 + 1;
const OUTPUT_LEN: usize = 32 + 8;

/// Unspent outputs beside the accounts. Ledger number 65.
///
/// A call spends outputs of the source and coins of its account, and creates outputs and coins of its account; the
/// sums are equal. An output made from coins of an account is spendable `maturity` blocks later, one made from outputs
/// at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outputs {
    maturity: u64,
}

/// A call of [`Outputs`], the payload of [`Action::Call`]: the outputs to spend, owners and amounts of the new
/// ones, and the coins that go from or to the account of the source.
///
/// ```
/// use ledger_core::ledger::OutputCall;
///
/// // 30 coins of the source's account become one output of the account 22 22 ..
/// let mut output = [0x22; 40];
/// output[32..].copy_from_slice(&30_u64.to_be_bytes());
/// let call = OutputCall { from_account: 30, to_account: 0, inputs: &[], outputs: &[output] };
/// let mut payload = [0; 128];
/// let len = call.encode(&mut payload)?;
/// assert_eq!(OutputCall::decode(&payload[..len])?.0, call);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields are the format")]
pub struct OutputCall<'a> {
    /// Coins taken from the account of the source.
    pub from_account: u64,
    /// Coins put into the account of the source.
    pub to_account: u64,
    /// The outputs that are spent: the id of the transaction that created each, and its index, u8.
    pub inputs: &'a [[u8; INPUT_LEN]],
    /// The new outputs: owner, 32 bytes, and amount, u64 big-endian.
    pub outputs: &'a [[u8; OUTPUT_LEN]],
}

/// Returns the key under which output `index` of a transaction stands.
#[must_use]
pub fn output_key(transaction: &TxId, index: u8) -> Key {
    let mut subject = [index; 33];
    for (byte, value) in subject.iter_mut().zip(transaction.as_bytes()) {
        *byte = *value;
    }
    Key::new(NAME_SPACE, &subject)
}

impl Outputs {
    /// The number of the ledger, for [`Action::Call`].
    pub const LEDGER: u8 = LEDGER;

    /// Creates the ledger. 100 blocks is Bitcoin's maturity of new coins.
    #[must_use]
    pub const fn new(maturity: u64) -> Self {
        Self { maturity }
    }
}

impl<'a> OutputCall<'a> {
    /// Encodes the call and returns its length: coins from and to the account u64, number of inputs u8, inputs, number
    /// of outputs u8, outputs.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `out` is; no buffer suffices for more than 255 inputs or outputs.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let inputs = self.inputs.as_flattened();
        let outputs = self.outputs.as_flattened();
        let needed = inputs.len().saturating_add(outputs.len()).saturating_add(18);
        let too_small = BufferTooSmall { needed };
        let input_count = u8::try_from(self.inputs.len()).map_err(|_| too_small)?;
        let output_count = u8::try_from(self.outputs.len()).map_err(|_| too_small)?;
        let mut writer = Writer::new(out, needed)?;
        writer.put(&self.from_account.to_be_bytes())?;
        writer.put(&self.to_account.to_be_bytes())?;
        writer.put(&[input_count])?;
        writer.put(inputs)?;
        writer.put(&[output_count])?;
        writer.put(outputs)?;
        Ok(needed)
    }

    /// Decodes a call from the front of `bytes` and returns the rest.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are not a call.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader(bytes);
        let from_account = reader.u64()?;
        let to_account = reader.u64()?;
        let count = usize::from(reader.u8()?);
        let (inputs, _) = reader.slice(count.saturating_mul(INPUT_LEN))?.as_chunks();
        let count = usize::from(reader.u8()?);
        let (outputs, _) = reader.slice(count.saturating_mul(OUTPUT_LEN))?.as_chunks();
        Ok((Self { from_account, to_account, inputs, outputs }, reader.0))
    }
}

impl Ledger for Outputs {
    fn digest(&self) -> Hash {
        Hash::of_parts(&[b"ledger-core/1 outputs", &self.maturity.to_be_bytes()])
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Call { ledger: LEDGER, payload } = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        let Ok((call, [])) = OutputCall::decode(payload) else {
            return Err(TransactionError::MalformedPayload);
        };
        let source = &transaction.source;
        let mut left = call.from_account;
        for input in call.inputs {
            let amount = spend(view, context, input, source)?;
            left = left.checked_add(amount).ok_or(TransactionError::Overflow)?;
        }
        view.debit(source, call.from_account)?;
        let wait = if call.from_account > 0 { self.maturity } else { 0 };
        let spendable_from = context.height.0.saturating_add(wait).to_be_bytes();
        for (index, output) in (0_u8..).zip(call.outputs) {
            let (_, amount) = output.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
            left =
                left.checked_sub(split_u64(amount).0).ok_or(TransactionError::ConditionsNotMet)?;
            let value = Value::of_parts(&[output, &spendable_from]);
            view.insert(&output_key(&context.transaction, index), &value, source)?;
        }
        if left != call.to_account {
            return Err(TransactionError::ConditionsNotMet);
        }
        view.credit(source, left, source)
    }
}

/// Removes an output of the source and returns its coins.
fn spend(
    view: &mut View<'_>,
    context: &Context,
    input: &[u8; INPUT_LEN],
    source: &Account,
) -> Result<u64, TransactionError> {
    let [id @ .., index] = input;
    let key = &output_key(&TxId::from_bytes(*id), *index);
    let output = view.get(key)?.ok_or(TransactionError::Unknown)?;
    let Some((owner, numbers)) = output.as_bytes().split_first_chunk::<32>() else {
        return Err(TransactionError::Unknown);
    };
    let (amount, rest) = split_u64(numbers);
    let (spendable_from, _) = split_u64(rest);
    if Account::from_bytes(*owner) != *source {
        return Err(TransactionError::NotOwner);
    }
    if context.height.0 < spendable_from {
        return Err(TransactionError::ConditionsNotMet);
    }
    view.remove(key, source)?;
    Ok(amount)
}
