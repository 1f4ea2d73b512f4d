//! The version of HTTP in the first line of a head.

use core::fmt;

/// Which HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 1.0, as Gnutella 0.4 has it; also the `HTTP` without a number of some texts.
    Http10,
    /// 1.1, or newer.
    Http11,
}

impl Version {
    pub(super) fn decode(word: &str) -> Option<Self> {
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
