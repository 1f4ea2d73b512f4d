//! Coins in accounts.

use super::contract::{Context, Ledger};
use crate::action::Action;
use crate::hash::Hash;
use crate::state::{TransactionError, View};
use crate::transaction::Transaction;

/// Coins in accounts: [`Action::Pay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Accounts;

impl Ledger for Accounts {
    fn digest(&self) -> Hash {
        Hash::of(b"ledger-core/1 accounts")
    }

    fn apply(
        &self,
        _: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let Action::Pay { to, amount } = transaction.action else {
            return Err(TransactionError::UnknownLedger);
        };
        view.debit(&transaction.source, amount)?;
        view.credit(&to, amount, &transaction.source)
    }
}
