//! Requests for a file (0.4, 2.5; 0.6, 3; HUGE 0.94, 3).

use core::fmt;

use super::{Name, Range, Version, range};
use crate::error::{BufferTooSmall, DecodeError};
use crate::head::write_headers;
use crate::head::{Head, Header};
use crate::writer::Writer;

const GET: &str = "/get/"; // then the index, a slash, the name; in 0.4 one more slash
const N2R: &str = "/uri-res/N2R?"; // then a URN

/// Asks for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Whether the bytes are wanted.
    pub method: Method,
    /// Which file.
    pub resource: Resource<'a>,
    /// Which HTTP.
    pub version: Version,
    /// `Connection: Keep-Alive`; else `close`.
    pub keep_alive: bool,
    /// Which bytes; none means all.
    pub range: Option<Range>,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The head and the bytes.
    Get,
    /// The head only.
    Head,
}

/// What a request line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A file as a hit names it.
    File {
        /// The index.
        index: u32,
        /// The name.
        name: Name<'a>,
    },
    /// A file by its hash, such as `urn:sha1:` and 32 characters.
    Urn(&'a str),
    /// Any other path; `/` asks for the list of files.
    Other(&'a str),
}

impl<'a> Request<'a> {
    /// Asks for a file in the form of 0.4, from byte `offset` to the end.
    #[must_use]
    pub const fn get_04(index: u32, name: Name<'a>, offset: u64) -> Self {
        let (version, range) = (Version::Http10, Some(Range::From(offset)));
        let resource = Resource::File { index, name };
        Self { method: Method::Get, resource, version, keep_alive: true, range }
    }

    /// Makes a request of a head.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnknownLine`] if the first line is no request.
    pub fn from_head(head: &Head<'a>) -> Result<Self, DecodeError> {
        let line = core::str::from_utf8(head.first_line()).ok();
        let (method, resource, version) = line.and_then(split).ok_or(DecodeError::UnknownLine)?;
        let connection = head.header("Connection").unwrap_or_default();
        let keep_alive = match version {
            Version::Http10 => connection.eq_ignore_ascii_case("keep-alive"),
            Version::Http11 => !connection.eq_ignore_ascii_case("close"),
        };
        let range = head.header("Range").and_then(Range::decode);
        Ok(Self { method, resource, version, keep_alive, range })
    }

    /// Returns the length of the head with `headers`, in bytes.
    #[must_use]
    pub fn encoded_len(&self, headers: &[Header<'_>]) -> usize {
        Writer::measure(|w| self.write(headers, w))
    }

    /// Writes the head: the request line, `Connection`, `Range`, then `headers`.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] below [`encoded_len`](Self::encoded_len) bytes.
    pub fn encode(&self, headers: &[Header<'_>], out: &mut [u8]) -> Result<usize, BufferTooSmall> {
        Writer::fill(out, |w| self.write(headers, w))
    }

    fn write(&self, headers: &[Header<'_>], w: &mut Writer<'_>) {
        let connection = if self.keep_alive { "Keep-Alive" } else { "close" };
        w.text(format_args!("{self}\r\nConnection: {connection}\r\n"));
        if let Some(range) = self.range {
            w.text(format_args!("Range: {range}\r\n"));
        }
        write_headers(w, headers);
    }
}

/// Cuts a request line. Old servents leave spaces in names, so the path ends at the last one.
fn split(line: &str) -> Option<(Method, Resource<'_>, Version)> {
    let (method, rest) = line.trim_end().split_once(' ')?;
    let (path, version) = rest.rsplit_once(' ')?;
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return None,
    };
    Some((method, Resource::decode(path), Version::decode(version)?))
}

impl<'a> Resource<'a> {
    fn decode(path: &'a str) -> Self {
        if let Some(urn) = path.strip_prefix(N2R) {
            return Self::Urn(urn);
        }
        Self::file(path).unwrap_or(Self::Other(path))
    }

    fn file(path: &'a str) -> Option<Self> {
        let (index, name) = path.strip_prefix(GET)?.split_once('/')?;
        let index = u32::try_from(range::number(index)?).ok()?;
        let name = name.strip_suffix('/').unwrap_or(name);
        Some(Self::File { index, name: Name::from_escaped(name.as_bytes()) })
    }
}

/// The request line, without its end.
impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.method {
            Method::Get => "GET ",
            Method::Head => "HEAD ",
        })?;
        let slash = if self.version == Version::Http10 { "/" } else { "" };
        match self.resource {
            Resource::File { index, name } => write!(f, "{GET}{index}/{name}{slash}")?,
            Resource::Urn(urn) => write!(f, "{N2R}{}", first_line(urn))?,
            Resource::Other(path) => write!(f, "{}", first_line(path))?,
        }
        write!(f, " {}", self.version)
    }
}

/// What an application copies from elsewhere must not forge lines.
fn first_line(text: &str) -> &str {
    text.split(['\r', '\n']).next().unwrap_or_default()
}
