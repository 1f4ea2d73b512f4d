//! The transfer of files: heads of HTTP requests and answers, and GIV lines.
//!
//! Only heads: the bytes of a file go from socket to file without this crate. Read a head with
//! [`Head::decode`](crate::head::Head::decode), then make a [`Request`] or [`Response`] of it.

#![expect(clippy::exhaustive_enums, reason = "the fields are the format")]
#![expect(clippy::exhaustive_structs, reason = "the fields are the format")]

mod date;
mod giv;
mod name;
mod queue;
mod range;
mod request;
mod response;

use core::fmt;

pub use giv::Giv;
pub use name::{Name, NameBytes};
pub use queue::{AvailableRanges, Queued, retry_after};
pub use range::{ContentRange, Range};
pub use request::{Method, Request, Resource};
pub use response::Response;

/// Which HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 1.0, as Gnutella 0.4 has it; also the `HTTP` without a number of some texts.
    Http10,
    /// 1.1, or newer.
    Http11,
}

impl Version {
    fn decode(word: &str) -> Option<Self> {
        match word {
            "HTTP" | "HTTP/1.0" => Some(Self::Http10),
            _ if word.starts_with("HTTP/") => Some(Self::Http11),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        })
    }
}
