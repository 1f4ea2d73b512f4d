//! Answers to requests for a file (0.4, 2.5; 0.6, 3).

use core::fmt;

use super::range;
use super::range::ContentRange;
use super::version::Version;
use crate::error::{BufferTooSmall, DecodeError};
use crate::head::{Head, Header, Value, split_status_line, write_headers};
use crate::writer::Writer;

/// Answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// Three digits: 200 here it is, 206 here is the part, 404 no such file, 503 "I have it, but I
    /// am busy. Try again later".
    pub status: u16,
    /// The same in words; may be empty.
    pub reason: &'a str,
    /// Which HTTP.
    pub version: Version,
    /// How many bytes follow the head, if announced.
    pub length: Option<u64>,
    /// Which part of the file they are, in a 206.
    pub range: Option<ContentRange>,
}

impl<'a> Response<'a> {
    /// Sends a whole file of `size` bytes.
    #[must_use]
    pub const fn ok(version: Version, size: u64) -> Self {
        Self { status: 200, reason: "OK", version, length: Some(size), range: None }
    }

    /// Sends a part of a file.
    #[must_use]
    pub const fn partial(version: Version, range: ContentRange) -> Self {
        let length = Some(range.len());
        Self { status: 206, reason: "Partial Content", version, length, range: Some(range) }
    }

    /// Sends no file, with 404, 503 or another status.
    #[must_use]
    pub const fn refusal(version: Version, status: u16, reason: &'a str) -> Self {
        Self { status, reason, version, length: Some(0), range: None }
    }

    /// Makes an answer of a head. `HTTP 200 OK` without a version is read as 1.0.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnknownLine`] if the first line is not a response.
    pub fn from_head(head: &Head<'a>) -> Result<Self, DecodeError> {
        // A reason in another encoding than UTF-8 costs only itself.
        let line = head.first_line().utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let (version, status, reason) = split(line).ok_or(DecodeError::UnknownLine)?;
        let text = |name| head.header(name).and_then(Value::as_str);
        let length = text("Content-Length").and_then(range::number);
        let range = text("Content-Range").and_then(ContentRange::decode);
        Ok(Self { status, reason, version, length, range })
    }

    /// Returns the length of the head with `headers`, in bytes.
    #[must_use]
    pub fn encoded_len(&self, headers: &[Header<'_>]) -> usize {
        Writer::measure(|w| self.write(headers, w))
    }

    /// Writes the head: the status line, `headers`, then `Content-Length` and `Content-Range`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, headers: &[Header<'_>], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(headers, w))
    }

    fn write(&self, headers: &[Header<'_>], w: &mut Writer<'_>) {
        w.text(format_args!("{self}\r\n"));
        if let Some(length) = self.length {
            w.text(format_args!("Content-Length: {length}\r\n"));
        }
        if let Some(range) = self.range {
            w.text(format_args!("Content-Range: {range}\r\n"));
        }
        write_headers(w, headers);
    }
}

fn split(line: &str) -> Option<(Version, u16, &str)> {
    let (version, status, reason) = split_status_line(line.trim_end())?;
    Some((Version::decode(version)?, status, reason))
}

/// The status line, without its end.
impl fmt::Display for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.split(['\r', '\n']).next().unwrap_or_default();
        write!(f, "{} {:03} {reason}", self.version, self.status)
    }
}
