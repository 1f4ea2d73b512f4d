//! Unique assets.

use super::contract::{Context, Ledger};
use crate::action::Action;
use crate::asset::AssetId;
use crate::hash::Hash;
use crate::policy::Account;
use crate::state::{Key, TransactionError, Value, View};
use crate::transaction::Transaction;

const ASSET: u8 = 3;

/// Unique assets: [`Action::Mint`], [`Action::Transfer`], [`Action::Burn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has no parameters")]
pub struct Assets;

/// Returns the key under which the owner of an asset stands: 32 bytes.
#[must_use]
pub fn owner_key(asset: &AssetId) -> Key {
    Key::new(ASSET, asset.as_bytes())
}

pub(crate) fn parse_owner(value: &Value) -> Option<Account> {
    value.as_bytes().first_chunk().map(|bytes| Account::from_bytes(*bytes))
}

impl Ledger for Assets {
    fn digest(&self) -> Hash {
        Hash::of(b"ledger-core/1 assets")
    }

    fn apply(
        &self,
        context: &Context,
        view: &mut View<'_>,
        transaction: &Transaction<'_>,
    ) -> Result<(), TransactionError> {
        let source = &transaction.source;
        match &transaction.action {
            Action::Mint { salt } => {
                let asset = AssetId::new(&context.genesis, source, salt);
                view.insert(&owner_key(&asset), &Value::of_parts(&[source.as_bytes()]), source)
            }
            Action::Transfer { asset, to } => {
                check_owner(view, asset, source)?;
                view.update(&owner_key(asset), &Value::of_parts(&[to.as_bytes()]))
            }
            Action::Burn { asset } => {
                check_owner(view, asset, source)?;
                view.remove(&owner_key(asset), source)
            }
            _ => Err(TransactionError::UnknownLedger),
        }
    }
}

#[inline(never)] // what it needs does not stand on the stack while the view is changed
fn check_owner(
    view: &mut View<'_>,
    asset: &AssetId,
    source: &Account,
) -> Result<(), TransactionError> {
    let value = view.get(&owner_key(asset))?.ok_or(TransactionError::Unknown)?;
    if parse_owner(&value) == Some(*source) { Ok(()) } else { Err(TransactionError::NotOwner) }
}
