//! HTTP trackers, both sides: the URL to fetch, the request that it makes, and the answer to it (BEP 3,
//! 7, 23, 24, 48). The caller fetches, and serves.

mod announce;
mod reply;
mod request;
mod scrape;
mod url;

use thiserror::Error;

use crate::bencode::{BencodeError, Limits, Mode, Value};
pub use announce::{Announced, Contact, Contacts};
pub use reply::{AnnounceReply, encode_failure, encode_scrape};
pub use request::{HttpRequest, RequestError, ScrapeTargets};
pub use scrape::{Scraped, ScrapedTorrents};
pub use url::{UrlError, announce_url, scrape_url};

/// The most bytes of an answer: read no more than this and one.
pub const MAX_ANSWER_LEN: usize = 1 << 20;

/// What an answer may hold: 8 levels, 32,768 values and keys, 16 keys out of order.
pub const LIMITS: Limits = Limits { depth: 8, items: 1 << 15, unordered: 16 };

/// A tracker's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a, T> {
    /// The tracker refused, for this reason, meant for people.
    Failure(&'a [u8]),
    /// What was asked for.
    Done(T),
}

/// An answer that cannot be used: the tracker's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// Longer than [`MAX_ANSWER_LEN`].
    #[error("an answer of {0} bytes")]
    TooLong(usize),
    /// A key that is missing or of the wrong kind.
    #[error("key '{0}' is missing or of the wrong kind")]
    Key(&'static str),
    /// A string of compact peers whose length is not a multiple of 6 (`peers`) or 18 (`peers6`).
    #[error("{0} bytes of compact peers")]
    Peers(usize),
    /// An entry of a list of peers without an address or a port.
    #[error("a peer without address or port")]
    Entry,
    /// A scraped torrent whose name is not 20 bytes.
    #[error("an info-hash of {0} bytes")]
    InfoHash(usize),
}

/// Reads an answer, and returns it as a dictionary or as the reason of the failure.
fn read(bytes: &[u8]) -> Result<Answer<'_, Value<'_>>, AnswerError> {
    if bytes.len() > MAX_ANSWER_LEN {
        return Err(AnswerError::TooLong(bytes.len()));
    }
    let (value, _) = Value::decode(bytes, Mode::Lenient, LIMITS)?; // some end in a line feed
    if let Some(reason) = value.find(b"failure reason") {
        return match reason.as_bytes() {
            Some(reason) => Ok(Answer::Failure(reason)),
            None => Err(AnswerError::Key("failure reason")),
        };
    }
    Ok(Answer::Done(value))
}

/// Returns a count; a missing or negative one is unknown.
fn number(dict: Value<'_>, key: &[u8]) -> Option<u32> {
    dict.find(key)?.as_int().and_then(|value| u32::try_from(value).ok())
}
