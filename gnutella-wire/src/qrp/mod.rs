//! Query routing: a leaf announces which words its files have, so that its ultrapeer need not send it
//! every query (GDF "Query Routing Protocol" 1.0, as servents keep it).
//!
//! | step | with |
//! |---|---|
//! | the leaf cuts the names of its files into words and hashes them | [`KeywordRules::table_hashes`] |
//! | inserts them into a table | [`KeywordHash`], [`QueryTable::insert`] |
//! | sends a RESET and then patches | [`PatchEncoder`] |
//! | the ultrapeer reads them | [`wire::Qrp`](crate::wire::Qrp), [`TableReceiver`] |
//! | and asks for each query whether it may match | [`QueryTable::can_route`] |
//!
//! A table knows of a word only whether it may be there: it errs by saying "perhaps" for a word
//! that is not, and never the other way round.

mod canonical;
#[cfg(feature = "deflate")]
mod compressed;
mod error;
mod fold;
mod hash;
mod keywords;
mod patch;
mod patch_stream;
mod receiver;
mod table;
mod word_hashes;

pub use canonical::Canonical;
pub use error::{PatchPlanError, QrpError, TableError};
pub(crate) use fold::is_letter;
pub use hash::KeywordHash;
pub use keywords::{KeywordRules, QueryWords, TableWords};
pub use patch::{CompressedPatch, PatchEncoder, PatchEntries, PatchMessages};
pub(crate) use patch_stream::PatchCursor;
pub(crate) use receiver::ReceiverState;
pub use receiver::{Progress, TableReceiver};
pub use table::{MatchRule, QueryTable};
pub use word_hashes::WordHashes;
