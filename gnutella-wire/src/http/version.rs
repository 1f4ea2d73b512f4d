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
        let (name, number) = word.split_once('/').unwrap_or((word, ""));
        name.eq_ignore_ascii_case("HTTP").then_some(match number {
            "" | "0.9" | "1.0" => Self::Http10,
            _ => Self::Http11,
        })
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
