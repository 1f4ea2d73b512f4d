//! The state: a map from keys to values with one root, in caller-provided slots.
//!
//! The map is a compact binary Patricia trie. Its root stands in every header, so one proof shows a balance, an owner,
//! or that there is none. [`Witness`] is the same map for a device that keeps nothing but the root.

mod effect;
mod entry;
mod error;
mod journal;
mod proof;
mod regions;
mod rehash;
mod slot;
mod store;
mod trie;
mod update;
mod view;
mod witness;

pub use effect::{Effect, Effects};
pub use entry::{Key, Value};
pub use error::TransactionError;
pub use journal::JournalSlot;
pub(crate) use journal::{Journal, WriteLog};
pub use proof::{MapProof, MapProofError};
pub(crate) use rehash::{rehash_one_by_one, rehash_with};
pub use slot::Slot;
pub(crate) use slot::{Entries, TrieRef, TrieRoot};
pub use store::{Store, StoreError};
pub use trie::Trie;
pub(crate) use trie::TrieMut;
pub(crate) use view::{Books, Meta, lane_key, meta_key, parse_account, split_u64};
pub use view::{View, account_key};
pub(crate) use witness::Recorder;
pub use witness::Witness;
