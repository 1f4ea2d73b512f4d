//! The first lines of a handshake (0.4, 2.1; 0.6, 2.1).

use core::fmt;

use super::state::Input;
use crate::head::split_status_line;

const CONNECT: &str = "GNUTELLA CONNECT/"; // then the version
const OK_04: &str = "GNUTELLA OK";
const STATUS: &str = "GNUTELLA/"; // then the version, a space, three digits, a space, a reason

/// A first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the lines of the two specifications")]
pub enum Line<'a> {
    /// Greets.
    Connect(Version),
    /// Agrees, in 0.4.
    Ok04,
    /// Agrees with 200, refuses with anything else, in 0.6.
    Status {
        /// Three digits.
        code: u16,
        /// The reason phrase; may be empty.
        reason: &'a str,
    },
}

/// Which handshake: of two steps or of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_enums, reason = "the two handshakes")]
pub enum Version {
    /// 0.4, and any version before 0.6.
    V04,
    /// 0.6, and any newer version.
    V06,
}

impl<'a> Line<'a> {
    /// Reads a line without its end.
    #[must_use]
    pub fn decode(line: &'a [u8]) -> Option<Self> {
        let line = readable(line).trim_end();
        if line == OK_04 {
            return Some(Self::Ok04);
        }
        if let Some(version) = line.strip_prefix(CONNECT) {
            return Some(Self::Connect(Version::decode(version)?));
        }
        let (_, code, reason) = split_status_line(line.strip_prefix(STATUS)?)?;
        Some(Self::Status { code, reason })
    }

    /// Returns what receiving this line means.
    pub(super) const fn input(&self) -> Input {
        match self {
            Self::Connect(Version::V06) | Self::Status { code: 200, .. } => Input::Received,
            Self::Connect(Version::V04) | Self::Ok04 => Input::Received04,
            Self::Status { .. } => Input::ReceivedRefusal,
        }
    }
}

/// Returns the beginning of a line that is UTF-8: a reason phrase in another encoding costs only itself.
fn readable(line: &[u8]) -> &str {
    line.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

impl Version {
    fn decode(version: &str) -> Option<Self> {
        let (major, minor) = version.split_once('.')?;
        let version: (u8, u8) = (major.parse().ok()?, minor.parse().ok()?);
        Some(if version < (0, 6) { Self::V04 } else { Self::V06 })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V04 => "0.4",
            Self::V06 => "0.6",
        })
    }
}

/// The line as it is sent, without its end.
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(version) => write!(f, "{CONNECT}{version}"),
            Self::Ok04 => f.write_str(OK_04),
            Self::Status { code, reason } => {
                let reason = reason.split(['\r', '\n']).next().unwrap_or_default();
                write!(f, "{STATUS}{} {code:03} {reason}", Version::V06)
            }
        }
    }
}
