//! Signed statements.

use super::contract::{Context, Ledger};
use crate::action::Action;
use crate::hash::Hash;
use crate::state::{TransactionError, View};
use crate::transaction::Transaction;

/// Records: signed statements that stand in the block and nowhere else. An inclusion proof against the header's body,
/// and one of the header's block against a later header's history, shows them years later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Records;

impl Ledger for Records {
    fn digest(&self) -> Hash {
        Hash::of(b"ledger-core/1 records")
    }

    fn apply(
        &self,
        _: &Context,
        _: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        match transaction.action {
            Action::Record(_) => Ok(()),
            _ => Err(TransactionError::UnknownLedger),
        }
    }
}
