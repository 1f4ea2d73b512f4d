//! The host of a peer: an address or a name.

use core::fmt;
use core::net::IpAddr;

/// An IP address, or a name that the caller resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an address or a name")]
pub enum Host<'a> {
    /// An address.
    Ip(IpAddr),
    /// A name of letters, digits, dots, hyphens and underscores; at most 253 of them.
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Parses text; `None` if it is neither.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        if let Ok(ip) = text.parse() {
            return Some(Self::Ip(ip));
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let name = (1..=253).contains(&text.len()) && text.bytes().all(fits);
        name.then_some(Self::Name(text))
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
