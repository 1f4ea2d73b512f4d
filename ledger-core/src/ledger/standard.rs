//! The ledgers of most chains, together.

use super::accounts::Accounts;
use super::assets::Assets;
use super::contract::{Context, Ledger};
use super::records::Records;
use crate::hash::Hash;
use crate::state::{TransactionError, View};
use crate::transaction::Transaction;

/// Coins, unique assets and records: all actions but calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Standard;

impl Ledger for Standard {
    fn digest(&self) -> Hash {
        (Accounts, (Assets, Records)).digest()
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        (Accounts, (Assets, Records)).apply(context, view, transaction)
    }
}
