//! The transfer of files: heads of HTTP requests and answers, GIV and QUEUE lines.
//!
//! Only heads: the bytes of a file go from socket to file without this crate. Read a head with
//! [`Head::decode`](crate::head::Head::decode), then make a [`Request`] or [`Response`] of it.

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

mod date;
mod giv;
mod name;
mod push_proxy;
mod queue;
mod queue_call;
mod range;
mod request;
mod response;
mod version;

pub use giv::Giv;
pub use name::{Name, NameBytes};
pub use push_proxy::PushProxy;
pub use queue::{AvailableRanges, Queued, retry_after};
pub use queue_call::QueueCall;
pub use range::{ContentRange, Range};
pub use request::{Method, Request, Resource};
pub use response::Response;
pub use version::Version;
