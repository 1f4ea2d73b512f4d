//! Magnet links: a torrent named by its hash alone (BEP 9, 53; `btmh`: BEP 52).
//!
//! ```
//! use bittorrent_pieces::magnet::Magnet;
//!
//! let link = b"magnet:?xt=urn:btih:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa&dn=an%20image&so=0,2-3";
//! let magnet = Magnet::parse(link)?;
//! assert_eq!(magnet.v1().unwrap().0, [0xAA; 20]);
//! assert_eq!(magnet.name().unwrap().bytes().collect::<Vec<_>>(), b"an image");
//! assert!(magnet.selects(3) && !magnet.selects(1));
//! # Ok::<(), bittorrent_pieces::magnet::MagnetError>(())
//! ```

mod draft;
mod hash;
mod select;

use core::fmt;

use thiserror::Error;

use crate::text::{nibble, parse};
use crate::tracker::http::Contact;
use crate::{Host, InfoHash};
pub use draft::MagnetDraft;
pub use select::{Ranges, SelectError};

/// The most bytes of a link.
pub const MAX_LEN: usize = 1 << 16;
/// The most parameters of a link.
pub const MAX_PARAMETERS: usize = 1_000;
/// What every link begins with.
const SCHEME: &[u8] = b"magnet:?";

/// A link that was checked as a whole and is read on demand, without a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Magnet<'a> {
    query: &'a [u8],
    v1: Option<InfoHash>,
    v2: Option<InfoHashV2>,
}

/// The SHA-256 of the info dictionary of a v2 torrent (BEP 52).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// Returns the first 20 bytes, which stand for it in handshakes, at trackers and in the DHT.
    #[must_use]
    pub fn truncated(&self) -> InfoHash {
        InfoHash(self.0.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex::Hex(&self.0).fmt(f)
    }
}

/// Text that is no magnet link of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link")]
    Scheme,
    /// Longer than [`MAX_LEN`].
    #[error("a link of {0} bytes")]
    TooLong(usize),
    /// More than [`MAX_PARAMETERS`].
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// A byte that no link may hold.
    #[error("byte {0:#04x} cannot stand in a link")]
    Byte(u8),
    /// A `%` without two hexadecimal digits.
    #[error("a percent sign without two digits")]
    Percent,
    /// `btih` is neither 40 hexadecimal nor 32 base32 digits.
    #[error("a btih of {0} bytes, or of other digits")]
    Btih(usize),
    /// `btmh` is not `1220` and 64 hexadecimal digits: the multihash of SHA-256.
    #[error("a btmh of {0} bytes, or of another hash")]
    Btmh(usize),
    /// Two different hashes of one kind.
    #[error("two different torrents in one link")]
    Ambiguous,
    /// No hash of a torrent.
    #[error("no torrent in the link")]
    NoHash,
    /// `x.pe` is not a host and a port.
    #[error("a peer address that is none")]
    Peer,
    /// `so` is no list of file numbers and ranges.
    #[error(transparent)]
    Select(#[from] SelectError),
}

impl<'a> Magnet<'a> {
    /// Reads a link. Unknown parameters are left alone; `xt.1`, `tr.2` and the like count as `xt`, `tr`.
    ///
    /// # Errors
    ///
    /// [`MagnetError`]
    pub fn parse(link: &'a [u8]) -> Result<Self, MagnetError> {
        if link.len() > MAX_LEN {
            return Err(MagnetError::TooLong(link.len()));
        }
        let (scheme, query) = link.split_at_checked(SCHEME.len()).ok_or(MagnetError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(MagnetError::Scheme);
        }
        check(query)?;
        let mut magnet = Self { query, v1: None, v2: None };
        for topic in magnet.all(b"xt") {
            if let Some(digits) = topic.after(b"urn:btih:") {
                once(&mut magnet.v1, InfoHash(hash::btih(digits)?))?;
            } else if let Some(digits) = topic.after(b"urn:btmh:") {
                once(&mut magnet.v2, InfoHashV2(hash::btmh(digits)?))?;
            }
        }
        if magnet.v1.is_none() && magnet.v2.is_none() {
            return Err(MagnetError::NoHash);
        }
        if !magnet.all(b"x.pe").all(|peer| peer_of(peer).is_some()) {
            return Err(MagnetError::Peer);
        }
        magnet
            .all(b"so")
            .try_for_each(|list| Ranges(list).try_for_each(|range| range.map(drop)))?;
        Ok(magnet)
    }

    /// Returns the hash of a v1 or hybrid torrent.
    #[must_use]
    pub const fn v1(&self) -> Option<InfoHash> {
        self.v1
    }

    /// Returns the hash of a v2 or hybrid torrent.
    #[must_use]
    pub const fn v2(&self) -> Option<InfoHashV2> {
        self.v2
    }

    /// Returns the name to show until the torrent is known. It is no safe path.
    #[must_use]
    pub fn name(&self) -> Option<Escaped<'a>> {
        self.all(b"dn").next()
    }

    /// Returns the URLs of trackers; each is a tier of its own.
    pub fn trackers(&self) -> impl Iterator<Item = Escaped<'a>> + use<'a> {
        self.all(b"tr")
    }

    /// Returns the addresses of peers to ask for the torrent.
    pub fn peers(&self) -> impl Iterator<Item = Contact<'a>> + use<'a> {
        self.all(b"x.pe").filter_map(peer_of)
    }

    /// Returns the ranges of files to fetch, by number from 0, both ends included (BEP 53); `None` if
    /// the link does not say, which means all.
    #[must_use]
    pub fn select_only(&self) -> Option<Ranges<'a>> {
        self.all(b"so").next().map(Ranges)
    }

    /// Returns whether a file is to be fetched, by number from 0.
    #[must_use]
    pub fn selects(&self, file: u32) -> bool {
        self.select_only().is_none_or(|mut ranges| {
            ranges.any(|range| range.is_ok_and(|range| range.contains(&file)))
        })
    }

    /// Returns the values of a parameter, numbered or not.
    fn all(&self, key: &'static [u8]) -> impl Iterator<Item = Escaped<'a>> + use<'a> {
        self.query.split(|byte| *byte == b'&').filter_map(move |part| {
            let at = part.iter().position(|byte| *byte == b'=')?;
            let (name, value) = part.split_at_checked(at)?;
            let (base, number) = name.split_at_checked(key.len())?;
            let numbered = number.is_empty()
                || number.strip_prefix(b".").is_some_and(|digits| parse::<u32>(digits).is_some());
            (base.eq_ignore_ascii_case(key) && numbered)
                .then(|| Escaped(value.strip_prefix(b"=").unwrap_or(value)))
        })
    }
}

/// A value as it stands in the link, `%` and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    pub(crate) const fn new(raw: &'a [u8]) -> Self {
        Self(raw)
    }

    /// Returns the bytes as they stand.
    #[must_use]
    pub const fn as_raw(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the bytes that are meant: `%20` is a space. A `+` is a plus, as in any URI.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (byte, tail) = match rest {
                [] => return None,
                [b'%', high, low, tail @ ..] => (nibble(*high)? << 4 | nibble(*low)?, tail),
                [byte, tail @ ..] => (*byte, tail),
            };
            rest = tail;
            Some(byte)
        })
    }

    /// Writes the bytes that are meant and returns how many there are.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`](crate::BufferTooSmall)
    pub fn decode(&self, out: &mut [u8]) -> Result<usize, crate::BufferTooSmall> {
        let mut text = crate::text::Text::new(out);
        self.bytes().for_each(|byte| text.raw(&[byte]));
        text.finish()
    }

    /// Returns what follows a prefix. In hashes and addresses nothing needs to be escaped but `:`.
    fn after(self, prefix: &[u8]) -> Option<&'a [u8]> {
        let (mut rest, mut left) = (self.0, prefix);
        while let [should, tail @ ..] = left {
            let (is, after) = match rest {
                [b'%', high, low, after @ ..] => (nibble(*high)? << 4 | nibble(*low)?, after),
                [is, after @ ..] => (*is, after),
                [] => return None,
            };
            if !is.eq_ignore_ascii_case(should) {
                return None;
            }
            (rest, left) = (after, tail);
        }
        Some(rest)
    }
}

fn check(query: &[u8]) -> Result<(), MagnetError> {
    if query.split(|byte| *byte == b'&').count() > MAX_PARAMETERS {
        return Err(MagnetError::TooMany);
    }
    let mut rest = query;
    while let [byte, tail @ ..] = rest {
        rest = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                nibble(*high).zip(nibble(*low)).ok_or(MagnetError::Percent)?;
                tail
            }
            (b'%', _) => return Err(MagnetError::Percent),
            (0..=b' ' | 0x7F, _) => return Err(MagnetError::Byte(*byte)),
            _ => tail, // letters beyond ASCII are wrong there, but common in names
        };
    }
    Ok(())
}

fn once<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), MagnetError> {
    match place {
        Some(known) if *known != value => Err(MagnetError::Ambiguous),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// Reads `host:port`, `ipv4:port` or `[ipv6]:port`.
fn peer_of(value: Escaped<'_>) -> Option<Contact<'_>> {
    let colon = value.0.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = value.0.split_at_checked(colon)?;
    let port = parse(port.strip_prefix(b":")?)?;
    let host = match host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")) {
        Some(v6) => Host::parse(v6).filter(|host| matches!(host, Host::Ip(ip) if ip.is_ipv6()))?,
        None => Host::parse(host).filter(|host| !matches!(host, Host::Ip(ip) if ip.is_ipv6()))?,
    };
    Some(Contact { peer_id: None, host, port })
}
