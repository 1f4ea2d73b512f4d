//! Requests for a file (0.4, 2.5; 0.6, 3; HUGE 0.94, 3).

use core::fmt;

use super::name::Name;
use super::range;
use super::range::Range;
use super::version::Version;
use crate::error::{BufferTooSmall, DecodeError};
use crate::head::write_headers;
use crate::head::{Head, Header, Value};
use crate::text::Text;
use crate::writer::Writer;

const GET: &str = "/get/"; // then the index, a slash, the name; in 0.4 one more slash
const N2R: &str = "/uri-res/N2R?"; // then a URN
const SCHEME: &[u8] = b"http://";
const N2X: &str = "/uri-res/N2X?"; // then a URN

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
    /// The Tiger tree of a file, by the hash of the file (THEX).
    Tree(&'a str),
    /// Any other path, of any bytes; `/` asks for the list of files.
    Other(&'a [u8]),
}

impl<'a> Request<'a> {
    /// Asks for a file in the form of 0.4, from byte `offset` to the end.
    #[must_use]
    pub const fn get_04(index: u32, name: Name<'a>, offset: u64) -> Self {
        let version = Version::Http10;
        let range = Some(Range::From(offset));
        let resource = Resource::File { index, name };
        Self { method: Method::Get, resource, version, keep_alive: true, range }
    }

    /// Makes a request of a head.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnknownLine`] if the first line is not a request.
    pub fn from_head(head: &Head<'a>) -> Result<Self, DecodeError> {
        let line = split(head.first_line());
        let (method, resource, version) = line.ok_or(DecodeError::UnknownLine)?;
        let keep_alive = match version {
            Version::Http10 => head.has_item("Connection", "keep-alive"),
            Version::Http11 => !head.has_item("Connection", "close"),
        };
        let range = head.header("Range").and_then(Value::as_str).and_then(Range::decode);
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
        if let Resource::Other(path) = self.resource {
            // As it is: the other end may not decode escapes.
            w.text(format_args!("{} ", self.method));
            w.bytes(first_line(path));
            w.text(format_args!(" {}", self.version));
        } else {
            w.text(format_args!("{self}"));
        }
        w.text(format_args!("\r\nConnection: {connection}\r\n"));
        if let Some(range) = self.range {
            w.text(format_args!("Range: {range}\r\n"));
        }
        write_headers(w, headers);
    }
}

/// Cuts a request line. Old servents leave spaces in names, so the path ends at the last one.
fn split(line: &[u8]) -> Option<(Method, Resource<'_>, Version)> {
    let is_space = |byte: &u8| *byte == b' ';
    let mut words = line.trim_ascii_end().splitn(2, is_space);
    let method = match words.next()? {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        _ => return None,
    };
    let mut words = words.next()?.rsplitn(2, is_space);
    let version = core::str::from_utf8(words.next()?).ok()?;
    let path = without_host(words.next()?.trim_ascii());
    Some((method, Resource::decode(path), Version::decode(version)?))
}

impl<'a> Resource<'a> {
    fn decode(path: &'a [u8]) -> Self {
        let by_urn = after(path, N2R).map(Self::Urn);
        let by_urn = by_urn.or_else(|| after(path, N2X).map(Self::Tree));
        by_urn.or_else(|| Self::file(path)).unwrap_or(Self::Other(path))
    }

    fn file(path: &'a [u8]) -> Option<Self> {
        let rest = path.strip_prefix(GET.as_bytes())?;
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        let (index, name) = rest.split_at_checked(slash)?;
        let index = range::number(core::str::from_utf8(index).ok()?)?;
        let name = name.get(1..)?;
        let name = name.strip_suffix(b"/").unwrap_or(name);
        Some(Self::File { index: u32::try_from(index).ok()?, name: Name::from_escaped(name) })
    }
}

/// Cuts off the scheme and the host that a request through a proxy has before its path (RFC 9112, 3.2.2).
fn without_host(path: &[u8]) -> &[u8] {
    let Some((scheme, rest)) = path.split_at_checked(SCHEME.len()) else { return path };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return path;
    }
    let slash = rest.iter().position(|byte| *byte == b'/');
    slash.and_then(|slash| rest.get(slash..)).unwrap_or(b"/")
}

fn after<'a>(path: &'a [u8], prefix: &str) -> Option<&'a str> {
    let (start, urn) = path.split_at_checked(prefix.len())?;
    let is_prefix = start.eq_ignore_ascii_case(prefix.as_bytes());
    core::str::from_utf8(urn).ok().filter(|_| is_prefix)
}

/// The request line, without its end.
impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        let slash = if self.version == Version::Http10 { "/" } else { "" };
        match self.resource {
            Resource::File { index, name } => write!(f, "{GET}{index}/{name}{slash}")?,
            Resource::Urn(urn) => write!(f, "{N2R}{}", first(urn))?,
            Resource::Tree(urn) => write!(f, "{N2X}{}", first(urn))?,
            Resource::Other(path) => write!(f, "{}", Text::split(first_line(path)).0)?,
        }
        write!(f, " {}", self.version)
    }
}

/// What an application copies from elsewhere must not forge lines.
fn first_line(text: &[u8]) -> &[u8] {
    text.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        })
    }
}

/// Returns the first line of a text: what follows a CR or LF would be another header.
fn first(text: &str) -> &str {
    text.split(['\r', '\n']).next().unwrap_or_default()
}
