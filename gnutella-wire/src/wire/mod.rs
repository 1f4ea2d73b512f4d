//! Bytes and values: the header and one module per message, zero-copy both ways.
//!
//! A [`Message`] is a header and a payload. Payload types take the whole payload, whose length the
//! header states, so they return no rest; what they do not interpret they keep as `extensions`.

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

mod bye;
mod fields;
pub(crate) mod function;
mod header;
mod hit_data;
mod message;
mod other;
mod ping;
mod pong;
mod push;
mod qrp;
mod query;
mod query_hit;
mod record;
mod vendor;
mod vendor_id;
mod vendor_lists;

pub use bye::{Bye, ByeCode};
pub use function::Function;
pub use header::{HEADER_LEN, Header, Limits};
pub use hit_data::{HitData, HitFlags, HitParts, Vendor};
pub(crate) use message::split;
pub use message::{Message, Payload};
pub use other::Other;
pub use ping::Ping;
pub use pong::Pong;
pub use push::Push;
pub use qrp::{Compressor, Patch, Qrp, Reset};
pub use query::{Query, QueryFlags};
pub use query_hit::QueryHit;
pub use record::{Record, RecordIter, Records};
pub use vendor::{QueryStatus, VendorMessage};
pub use vendor_id::VendorId;
pub use vendor_lists::{FeatureIter, Features, Supported, SupportedIter};
