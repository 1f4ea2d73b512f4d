//! Ledgers: what transactions do to the state. Write your own by implementing [`Ledger`].

mod accounts;
mod assets;
mod contract;
mod escrow;
mod outputs;
mod records;
mod standard;

pub use accounts::Accounts;
pub(crate) use assets::parse_owner;
pub use assets::{Assets, owner_key};
pub use contract::{Context, Ledger};
pub use escrow::{Escrow, EscrowCall, Terms, escrow_key};
pub use outputs::{OutputCall, Outputs, output_key};
pub use records::Records;
pub use standard::Standard;
