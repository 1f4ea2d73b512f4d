//! The trait of all ledgers.

use crate::hash::{GenesisId, Hash, TxId};
use crate::header::Height;
use crate::state::{TransactionError, View};
use crate::transaction::Transaction;

/// What the actions of a chain do: a contract.
///
/// Signatures, expiry, sequence numbers and fees are checked and paid before `apply`. There is no undo to write: the
/// [`View`] records all writes. A chain may have several ledgers, as a tuple; the first that does not answer
/// [`TransactionError::UnknownLedger`] decides.
///
/// ```
/// use ledger_core::ledger::{Context, Ledger};
/// use ledger_core::state::{Key, TransactionError, Value, View};
/// use ledger_core::{Action, Hash, Transaction};
///
/// /// Ledger 70: a guest book with one page. The last signer stands in it.
/// struct GuestBook;
///
/// impl Ledger for GuestBook {
///     fn digest(&self) -> Hash {
///         Hash::of(b"guest book 1")
///     }
///
///     fn apply(
///         &self,
///         _: &Context,
///         view: &mut View<'_>,
///         transaction: &Transaction<'_>,
///     ) -> Result<(), TransactionError> {
///         let Action::Call { ledger: 70, payload } = transaction.action else {
///             return Err(TransactionError::UnknownLedger);
///         };
///         let page = Key::new(70, b"page");
///         let name = Value::new(payload).ok_or(TransactionError::MalformedPayload)?;
///         match view.get(&page)? {
///             Some(_) => view.update(&page, &name),
///             None => view.insert(&page, &name, &transaction.source),
///         }
///     }
/// }
/// ```
pub trait Ledger {
    /// Returns a hash of the name, version and parameters. It is part of the genesis id, so that nodes with different
    /// ledgers have different chains.
    fn digest(&self) -> Hash;

    /// Applies the action of a transaction.
    ///
    /// # Errors
    ///
    /// [`TransactionError`] if the action is not allowed; [`TransactionError::UnknownLedger`] if it is not one of this
    /// ledger's. Writes made before an error are undone.
    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError>;
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The chain.
    pub genesis: GenesisId,
    /// The height of the block.
    pub height: Height,
    /// The id of the transaction.
    pub transaction: TxId,
}

impl Context {
    pub(crate) const fn new(genesis: GenesisId, height: Height, transaction: TxId) -> Self {
        Self { genesis, height, transaction }
    }
}

impl<A: Ledger, B: Ledger> Ledger for (A, B) {
    fn digest(&self) -> Hash {
        Hash::of_parts(&[
            b"ledger-core/1 both",
            self.0.digest().as_bytes(),
            self.1.digest().as_bytes(),
        ])
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        match self.0.apply(context, view, transaction) {
            Err(TransactionError::UnknownLedger) => self.1.apply(context, view, transaction),
            done => done,
        }
    }
}
