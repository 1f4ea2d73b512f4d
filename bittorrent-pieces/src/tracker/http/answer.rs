//! What every answer of a tracker has in common.

use core::time::Duration;

use thiserror::Error;

use crate::bencode::{BencodeError, Limits, Mode, Token, Value};

/// The maximum length of an answer in bytes: read no more than this and one.
pub const MAX_ANSWER_LEN: usize = 1 << 20;

/// The limits of an answer: 8 levels, 32,768 values and keys, 16 keys out of order.
pub const LIMITS: Limits = Limits { depth: 8, items: 1 << 15, unordered: 16 };

/// A tracker's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a tracker refuses or answers")]
pub enum Answer<'a, T> {
    /// The tracker refused. The reason is meant for people.
    Failure(&'a [u8]),
    /// The answer.
    Done(T),
}

/// When a tracker that refused may be asked again (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the two forms of BEP 31")]
pub enum RetryIn {
    /// After this time.
    After(Duration),
    /// Not at all.
    Never,
}

impl RetryIn {
    /// Reads `retry in` of an answer with a failure; `None` if it is missing or malformed.
    ///
    /// ```
    /// use bittorrent_pieces::tracker::http::RetryIn;
    /// use core::time::Duration;
    ///
    /// let answer = b"d14:failure reason4:busy8:retry ini5ee";
    /// assert_eq!(RetryIn::decode(answer), Some(RetryIn::After(Duration::from_secs(300))));
    /// ```
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_ANSWER_LEN)?;
        let (dict, _) = Value::decode_shallow(bytes, Mode::Lenient, LIMITS).ok()?;
        dict.find(b"failure reason")?;
        let minutes = match dict.find(b"retry in")?.token() {
            Token::Int(minutes) => u32::try_from(minutes).ok()?,
            Token::Bytes(b"never") => return Some(Self::Never),
            Token::Bytes(digits) => core::str::from_utf8(digits).ok()?.parse().ok()?,
            _ => return None,
        };
        Some(Self::After(Duration::from_secs(u64::from(minutes).saturating_mul(60))))
    }
}

/// An answer that cannot be used: the tracker's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AnswerError {
    /// Not bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// Longer than [`MAX_ANSWER_LEN`].
    #[error("an answer of {0} bytes")]
    TooLong(usize),
    /// A key is missing or its value is of the wrong type.
    #[error("key '{0}' is missing or of the wrong type")]
    Key(&'static str),
    /// The answer is not a dictionary.
    #[error("the answer is not a dictionary")]
    NotDictionary,
    /// The key of a scraped torrent is not 20 bytes long.
    #[error("an info-hash of {0} bytes")]
    InfoHash(usize),
}

/// Parses an answer; returns it as a dictionary or as the reason of the failure.
pub(super) fn read(bytes: &[u8]) -> Result<Answer<'_, Value<'_>>, AnswerError> {
    if bytes.len() > MAX_ANSWER_LEN {
        return Err(AnswerError::TooLong(bytes.len()));
    }
    let (value, _) = Value::decode_shallow(bytes, Mode::Lenient, LIMITS)?; // some end in a line feed
    if let Some(reason) = value.find(b"failure reason") {
        return match reason.as_bytes() {
            Some(reason) => Ok(Answer::Failure(reason)),
            None => Err(AnswerError::Key("failure reason")),
        };
    }
    if value.is_dict() { Ok(Answer::Done(value)) } else { Err(AnswerError::NotDictionary) }
}

/// Returns a count; a missing or negative one is unknown.
pub(super) fn number(dict: Value<'_>, key: &[u8]) -> Option<u32> {
    dict.find(key)?.as_int().and_then(|value| u32::try_from(value).ok())
}
